"""What the service counts, in the form of Prometheus; `GET /metrics` gives it.

One registry for each process of the service: the workers' numbers are summed by whoever asks
(`prometheus_client`'s files in a folder that the supervisor makes).  No label names a person, a
participant or a path: routes by their template, refusals by their code, cosigners by the names that
the policy gives them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

from api.service import tracing

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder of several processes' files, before they begin to count."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter("tally_requests_total", "Requests answered", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "tally_request_seconds", "From a request's head to its answer", ["route"], buckets=_SECONDS
)
PROBLEMS = Counter("tally_problems_total", "Requests that ended with an error", ["code"])
STAGE_SECONDS = Histogram(
    "tally_stage_seconds", "Time in a stage of a submission's way", ["stage"], buckets=_SECONDS
)
REDUCTIONS = Counter("tally_reductions_total", "Reductions of sealed submissions", ["outcome"])
REFUSALS = Counter("tally_refusals_total", "Reductions that were not recorded", ["code"])
IN_FLIGHT = Gauge(
    "tally_submissions_in_flight", "Submissions being taken in", multiprocess_mode="livesum"
)
LEADING = Gauge("tally_leading", "1 where this process seals", multiprocess_mode="livesum")
BLOCKS = Counter("tally_blocks_total", "Blocks sealed here")
COSIGNATURES = Counter("tally_cosignatures_total", "Cosignatures collected here", ["cosigner"])
COSIGNER_FAILURES = Counter(
    "tally_cosigner_failures_total", "Offers that brought no cosignature", ["cosigner", "code"]
)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure a stage: read, admit, enqueue, wait, answer, seal."""
    began = perf_counter()
    try:
        with tracing.span(name):
            yield
    finally:
        STAGE_SECONDS.labels(name).observe(perf_counter() - began)
