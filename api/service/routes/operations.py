"""For whoever runs it: is it alive, is it ready, what does it count."""

import os
from collections.abc import Iterator

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Metric,
    generate_latest,
    multiprocess,
)
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from api.service import models
from api.service.metrics import FOLDER
from api.service.responses import Json
from api.service.service import Of, Service
from keys.errors import Busy, TallyError

router = APIRouter(tags=["operating"])


@router.get("/livez", response_model=models.Alive, summary="Whether the process answers")
async def alive() -> Response:
    """It does."""
    return Json({"status": "ok"})


@router.get("/readyz", response_model=models.Ready, summary="Whether the service can do its work")
def ready(of: Of) -> Response:
    """The database answers, the operator's key is at hand, and what waits is sealed; else 503."""
    with of.reading() as (snapshot, state):
        waiting = snapshot.pending_count()
    key = state.participants[state.genesis.operator].key_at(state.index)
    if of.sealed_by is not None and (key is None or key.public.kid not in of.sealed_by):
        raise Busy("service-without-key", retry_after=60)
    seconds = of.stall.seconds(state.height, waiting, of.clock())
    if seconds > of.settings.block_age_seconds:
        raise Busy("sealing-stalled", retry_after=1, seconds=int(seconds), waiting=waiting)
    age = max(0, int(of.clock()) - state.time)
    return Json({"status": "ok", "height": state.height, "waiting": waiting, "block_age": age})


@router.get("/metrics", response_class=PlainTextResponse, summary="What it counts, for Prometheus")
def metrics(of: Of) -> Response:
    """The measures of all processes of this service, and how the ledger stands."""
    registry = CollectorRegistry()
    if FOLDER in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(_Ledger(of))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Ledger(Collector):
    """How the ledger stands, when it is asked; nothing if its database does not answer."""

    def __init__(self, of: Service) -> None:
        self._of = of

    def collect(self) -> Iterator[Metric]:
        try:
            with self._of.reading() as (snapshot, state):
                waiting = snapshot.pending_count()
                final = snapshot.final_height()
                cosigned = snapshot.block(max(0, final)).time
        except (SQLAlchemyError, TallyError):
            return
        now = self._of.clock()
        for name, text, value in (
            ("tally_pending_statements", "Statements that wait for a block", waiting),
            (
                "tally_block_age_seconds",
                "Since the last block, and its checkpoint",
                now - state.time,
            ),
            ("tally_block_height", "The height of the last block", state.height),
            (
                "tally_final_age_seconds",
                "Since the last final block was sealed; without one, since the first",
                now - cosigned,
            ),
            ("tally_final_height", "The height of the last final block; -1 without one", final),
        ):
            yield GaugeMetricFamily(name, text, max(-1, value))
