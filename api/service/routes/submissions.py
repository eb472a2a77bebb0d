"""`POST /v1/submissions`: a platform's signed batch, with its activities.

The body is NDJSON, at most so long (`api.service.settings`), perhaps compressed (Content-Encoding
gzip or zstd).  The first line is ``{"statement": BASE64}``, the signed statement; each other line
an activity, verbatim, in the order of the reductions that the statement signs.  The statement
alone says who sends it.

The answer (`api.service.answering`) is given when the block is sealed, with 200; if that takes
longer than ``wait`` seconds, 202 says where to ask.  The same statement sent again is answered
again, and changes nothing.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.service import models
from api.service.answering import recorded, refused, waiting
from api.service.bodies import read_body
from api.service.metrics import REDUCTIONS, REFUSALS, stage
from api.service.problems import language
from api.service.responses import Json
from api.service.service import Of, Service
from chain.reductions import Reduction
from chain.store.answers import Answer
from keys.errors import Refusal
from keys.statements import Statement

router = APIRouter(tags=["submitting"])
Wait = Annotated[
    float | None, Query(ge=0, description="Seconds to wait for the block; else as is set.")
]


@router.post(
    "/v1/submissions",
    response_model=models.Answered,
    responses={202: {"model": models.Answered, "description": "It waits for a block."}},
    openapi_extra=models.takes("application/x-ndjson"),
    summary="Submit a signed batch with its activities",
)
async def submit(request: Request, of: Of, wait: Wait = None) -> Response:
    """Take in a submission, and answer when it is sealed."""
    settings = of.settings
    with of.in_flight.one() as weight:
        with stage("read"):
            body = await read_body(
                request,
                most=settings.body_bytes,
                inflated=settings.inflated_bytes,
                seconds=settings.body_seconds,
                grow=weight.grow,
            )
        taken = await of.intake.keep(body)
        del body
    return await answered(request, of, taken.statement, wait, taken.reductions)


async def answered(
    request: Request,
    of: Service,
    statement: Statement,
    wait: float | None,
    reductions: Sequence[Reduction] | None = None,
) -> Response:
    """The answer about a statement that is kept, when it is sealed, or where to ask for it.

    Raises the `Refusal` of the whole of it.
    """
    settings = of.settings
    seconds = min(settings.wait_seconds if wait is None else wait, settings.wait_seconds_max)
    with stage("wait"):
        outcome = await of.intake.wait(statement.id, seconds)
    if outcome is None:
        headers = {"Location": f"/v1/statements/{statement.id.hex()}", "Retry-After": "1"}
        return Json(waiting(statement.id), 202, headers)
    lang = language(request)
    make = partial(recorded, of, statement, outcome, lang, reductions=reductions)
    made = await run_in_threadpool(make) if outcome.refusals else make()
    _count(made)
    return Json(made)


def shown(
    of: Service, statement: Statement, outcome: Answer | Refusal | None, lang: str, *, full: bool
) -> dict[str, Any]:
    """The answer about a statement, whatever became of it; see `recorded`."""
    if outcome is None:
        return waiting(statement.id)
    if isinstance(outcome, Refusal):
        return refused(statement.id, outcome, lang)
    return recorded(of, statement, outcome, lang, full=full)


def _count(made: dict[str, Any]) -> None:
    if "refused" in made:
        REDUCTIONS.labels("recorded").inc(made["recorded"])
        REDUCTIONS.labels("refused").inc(len(made["refused"]))
        for one in made["refused"]:
            REFUSALS.labels(one["code"]).inc()
