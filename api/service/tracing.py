"""Spans for OpenTelemetry: one for each request, and within it one for each stage.

They are made only where the extra ``otel`` is installed and the standard environment names a
collector (OTEL_EXPORTER_OTLP_ENDPOINT, or …_TRACES_ENDPOINT); the rest of that environment is the
SDK's to read: service name, sampler, headers, timeouts.  A span says what a line of the log says,
and no more.  Trace ids in requests are not believed: whoever sends one would choose what is kept.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Protocol

from api.service.logs import LOG

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Span(Protocol):
    """What is used of `opentelemetry.trace.Span`."""

    def update_name(self, name: str) -> None:
        """Give it another name."""

    def set_attributes(self, attributes: Mapping[str, str | int]) -> None:
        """Say what it was about."""


class Tracer(Protocol):
    """What is used of `opentelemetry.trace.Tracer`."""

    def start_as_current_span(
        self, name: str, *, record_exception: bool, set_status_on_exception: bool
    ) -> AbstractContextManager[Span]:
        """A span for as long as the context lasts."""


_tracers: list[Tracer] = []


@contextmanager
def span(name: str) -> Iterator[Span | None]:
    """A span for as long as the context lasts; None where nobody traces."""
    if not _tracers:
        yield None
        return
    # The text of an exception may hold anything.
    with _tracers[-1].start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ) as made:
        yield made


@contextmanager
def tracing(tracer: Tracer) -> Iterator[None]:
    """Make spans with this tracer meanwhile."""
    _tracers.append(tracer)
    try:
        yield
    finally:
        _tracers.remove(tracer)


def install() -> None:
    """Make spans in this process from now on, if the environment says where to send them."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return
    try:
        sdk = import_module("opentelemetry.sdk.trace")
        export = import_module("opentelemetry.sdk.trace.export")
        otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        LOG.warning("otel-not-installed")
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", "tally")
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    _tracers.append(provider.get_tracer("tally"))
