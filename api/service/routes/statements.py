"""Statements of every kind: sending one, and what became of it."""

from fastapi import APIRouter, Request, Response

from api.service import models
from api.service.access import Signed, SmallBody
from api.service.parameters import StatementId
from api.service.problems import language
from api.service.responses import Json
from api.service.routes.submissions import Wait, answered, shown
from api.service.service import Of, Service
from chain.store.answers import answers
from keys.errors import Malformed, Usage
from keys.statements import Statement, parse_statement
from keys.strict import parse_hex

router = APIRouter(tags=["submitting"])


@router.post(
    "/v1/statements",
    response_model=models.Answered,
    responses={202: {"model": models.Answered, "description": "It waits for a block."}},
    openapi_extra=models.takes("application/cose"),
    summary="Send a signed statement that is no submission",
)
async def send(request: Request, of: Of, body: SmallBody, wait: Wait = None) -> Response:
    """Take in a statement (application/cose), and answer when it is sealed."""
    statement = parse_statement(body)
    await keep(of, statement)
    return await answered(request, of, statement, wait)


async def keep(of: Service, statement: Statement) -> None:
    """Keep a statement for a block, unless it is known already; raises `Refusal`."""
    if statement.kind in ("submission", "seal"):
        raise Malformed("kind-unknown", kind=statement.kind)
    with of.in_flight.one():
        await of.intake.keep(statement)


@router.get(
    "/v1/statements/{identity}",
    response_model=models.Answered,
    summary="What became of a statement",
)
def look_up(request: Request, of: Of, reader: Signed, identity: StatementId) -> Response:
    """The answer about a statement: recorded, waiting, or why it was refused.  What was refused of
    a submission is told to its platform, and to members."""
    name = parse_hex(identity, 32)
    made = answers(of.store, [name])
    if name not in made:
        raise Usage("statement-not-known", id=identity)
    with of.store.snapshot() as snapshot:
        statement = snapshot.kept(name)
    full = reader is not None and reader.may_see(statement.issuer)
    return Json(shown(of, statement, made[name], language(request), full=full))
