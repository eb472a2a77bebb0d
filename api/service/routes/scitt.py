"""SCRAPI, the HTTP interface of SCITT's transparency services (draft-ietf-scitt-scrapi-11).

    POST /entries                       register a signed statement: 201 with its receipt, or 202
    GET /entries/{id}                   its receipt; 204 while it waits for a block
    GET /.well-known/scitt-keys         the keys that sign receipts: a COSE Key Set
    GET /.well-known/scitt-keys/{kid}   one of them, by its kid in base64url without padding

Statements are those of `keys.statements`, receipts those of `chain.receipts`; an entry's id is the
statement's.  The registration policy is the ledger's rules.  All kinds are taken here that
``POST /v1/statements`` takes; a submission comes with its activities and is refused.  What was
refused as a whole has no receipt.

Errors are concise problem details (RFC 9290): the problem details that the other routes give,
carried over as its appendix B says: ``{-1: title, -2: detail, 7807: {0: type, 1: status, …}}``.
"""

import base64
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.routing import APIRoute

from api.service import models, problems
from api.service.access import SmallBody
from api.service.responses import Cbor, Cose
from api.service.routes.statements import keep
from api.service.service import Of, Service
from chain.store.answers import answers
from keys.errors import Malformed, Refusal, TallyError, Usage
from keys.statements import parse_statement
from keys.strict import dump_cbor, parse_hex
from keys.suites import PublicKey

_COSE, _CBOR = "application/cose", "application/cbor"
_PROBLEM = "application/concise-problem-details+cbor"
_TITLE, _DETAIL, _TUNNEL, _TYPE, _STATUS = -1, -2, 7807, 0, 1

# COSE keys (RFC 9052, section 7; RFC 9053, section 7.2).  Those of the log are Ed25519's.
_KTY, _KID, _ALG, _CRV, _X = 1, 2, 3, -1, -2
_OKP, _ED25519 = 1, 6


_TITLES = {"registration-failed": "Registration Failed", "log-key-unknown": "No such key"}


class _Route(APIRoute):
    """A route whose errors are concise problem details."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def run(request: Request) -> Response:
            try:
                return await handle(request)
            except TallyError as error:
                return _concise(error, problems.respond(request, error))

        return run


router = APIRouter(route_class=_Route, tags=["SCITT"])
Entry = Annotated[str, Path(description="The id of a statement.")]
Kid = Annotated[str, Path(description="The id of a key, in base64url without padding.")]


def _concise(error: TallyError, response: Response) -> Response:
    """The same problem in CBOR, under the title that SCRAPI has for it."""
    made = json.loads(bytes(response.body))
    title = made.pop("title")
    if isinstance(error, Refusal):
        title = "Malformed request" if isinstance(error, Malformed) else "Rejected"
    tunnel = {_TYPE: made.pop("type"), _STATUS: made.pop("status")}
    response.body = dump_cbor(
        {
            _TITLE: _TITLES.get(error.code, title),
            _DETAIL: made.pop("detail"),
            _TUNNEL: {**tunnel, **made},
        }
    )
    response.headers["Content-Type"] = _PROBLEM
    response.headers["Content-Length"] = str(len(response.body))
    return response


@router.post(
    "/entries",
    status_code=201,
    response_class=Cose,
    responses={202: {"description": "It waits for a block."}},
    openapi_extra=models.takes("application/cose"),
    summary="Register a signed statement (SCRAPI)",
)
async def register(of: Of, body: SmallBody) -> Response:
    """Take in a statement (application/cose), and give its receipt when it is sealed."""
    statement = parse_statement(body)
    if statement.kind == "submission":
        raise Malformed("submission-elsewhere", path="/v1/submissions")
    await keep(of, statement)
    outcome = await of.intake.wait(statement.id, of.settings.wait_seconds)
    headers = {"Location": f"/entries/{statement.id.hex()}"}
    if outcome is None:
        return Response(status_code=202, headers={**headers, "Retry-After": "1"})
    return Response(outcome.receipt, 201, headers, _COSE)


@router.get(
    "/entries/{entry}",
    response_class=Cose,
    responses={204: {"description": "It waits for a block."}},
    summary="The receipt of a registered statement (SCRAPI)",
)
def receipt(of: Of, entry: Entry) -> Response:
    """Its receipt (application/cose), or 204 while it waits for a block."""
    unknown = Usage("statement-not-known", id=entry[:80])
    try:
        identity = parse_hex(entry, 32)
    except Malformed:
        raise unknown from None
    found = answers(of.store, [identity])
    if identity not in found:
        raise unknown
    outcome = found[identity]
    if isinstance(outcome, Refusal):
        raise Usage("registration-failed", id=entry, reason=outcome.text())
    headers = {"Location": f"/entries/{entry}"}
    if outcome is None:
        headers |= {"Retry-After": "1", "Cache-Control": "no-store"}
        return Response(status_code=204, headers=headers)
    return Response(outcome.receipt, 200, headers, _COSE)


@router.get(
    "/.well-known/scitt-keys",
    response_class=Cbor,
    summary="The keys that sign receipts (SCRAPI)",
)
def keys(of: Of) -> Response:
    """A COSE Key Set (RFC 9052, section 7): all keys that the log ever had."""
    return Response(dump_cbor([_cose_key(key) for key in _log_keys(of)]), media_type=_CBOR)


@router.get(
    "/.well-known/scitt-keys/{kid}",
    response_class=Cbor,
    summary="One of the keys that sign receipts (SCRAPI)",
)
def key(of: Of, kid: Kid) -> Response:
    """A COSE Key; ``kid`` in base64url without padding."""
    for of_log in _log_keys(of):
        if base64.urlsafe_b64encode(of_log.kid).decode().rstrip("=") == kid:
            return Response(dump_cbor(_cose_key(of_log)), media_type=_CBOR)
    raise Usage("log-key-unknown", kid=kid[:80])


def _log_keys(of: Service) -> list[PublicKey]:
    state = of.state()
    return [span.public for span in state.participants[state.genesis.operator].keys]


def _cose_key(public: PublicKey) -> dict[int, int | bytes]:
    return {_KTY: _OKP, _KID: public.kid, _ALG: public.alg, _CRV: _ED25519, _X: public.raw}
