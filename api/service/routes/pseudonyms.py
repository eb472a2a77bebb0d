"""`/v1/pseudonyms/…`: the public keys of pseudonyms, and evaluations under the private ones.

A platform blinds what it asks about, so nothing of it is seen here; how many elements it may have
evaluated is limited (`api.service.settings`), since each is a try at somebody's pseudonym.
"""

from fastapi import APIRouter, Response

from api.pseudonymising import published, read_request
from api.service import models
from api.service.access import Platform, SmallBody
from api.service.responses import Json
from api.service.service import Of
from keys.strict import parse_json

router = APIRouter(tags=["pseudonyms"])


@router.get(
    "/v1/pseudonyms/keys",
    response_model=models.PseudonymKeys,
    summary="The public keys of pseudonyms",
)
def keys(of: Of) -> Response:
    """The public keys that stand in the ledger, each with the first day of its epoch."""
    return Json(published(of.state().epochs))


@router.post(
    "/v1/pseudonyms/evaluate",
    response_model=models.Evaluation,
    summary="Evaluate blinded elements",
    openapi_extra=models.takes("application/json", models.EVALUATION_SCHEMA),
)
def evaluate(of: Of, reader: Platform, body: SmallBody) -> Response:
    """What blinded elements become under the key of an epoch (RFC 9497), with one proof of all of
    them; signed by a platform."""
    start, elements = read_request(parse_json(body))
    of.pseudonyms.take(reader.participant, of.clock(), len(elements))
    return Json(of.evaluator.evaluate(of.state().epochs, start, elements))
