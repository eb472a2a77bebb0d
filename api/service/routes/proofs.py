"""Proofs: of spans, for those who may see them; of the log, for anyone."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.proving import prove_free, prove_span
from api.service import models
from api.service.access import Insider, Member, Reader
from api.service.completing import Final, proved
from api.service.parameters import End, Index, LinePath, LineQuery, Point, Size, StatementId
from api.service.responses import Json, Limit
from api.service.service import Of, Service
from chain.classes import LineClass
from chain.records import check_range
from chain.spans import FOREVER, LINE_SIZE
from chain.state import State
from keys.errors import Malformed, Usage
from keys.strict import INTEGER_MAX, parse_hex

router = APIRouter(tags=["proofs"])
Position = Annotated[
    int, Path(ge=0, le=INTEGER_MAX, description="A reduction's place in its submission.")
]


@router.get("/v1/lines/{line}/spans", response_model=models.Spans, summary="The spans on a line")
def spans(
    of: Of, _: Member, line: LinePath, limit: Limit, start: Point = 0, end: End = FOREVER
) -> Response:
    """The live spans that overlap a stretch, in order, and which platform submitted each.  `next`
    is where to start for those that follow, null if there are none."""
    with of.reading() as (snapshot, state):
        name, kind = _line(state, line)
        check_range(start, end)
        reaching = snapshot.register().reaching(name, start, end)
        found = [span for span, _ in zip(reaching, range(limit + 1), strict=False)]
        places = snapshot.holding(found)
        issuers = snapshot.issuers({place.index for place in places.values()})
    items: list[dict[str, Any]] = []
    for span in found[:limit]:
        place = places.get(span.holder)
        items.append({**span.as_json(), "platform": issuers[place.index] if place else None})
    following = found[limit].start if len(found) > limit else None
    return Json({"size": state.index, "class": kind.name, "items": items, "next": following})


@router.get(
    "/v1/proofs/held", response_model=models.Bundle, summary="The proof of who holds a span"
)
async def held(of: Of, _: Member, line: LineQuery, start: Point, final: Final = False) -> Response:
    """The bundle of the span of a reduction that starts there, without the reduction."""

    def make() -> dict[str, Any]:
        name, _kind = _line(of.state(), line)
        return prove_span(of.store, name, start)

    return Json(await proved(of, make, final))


@router.get("/v1/proofs/free", response_model=models.Bundle, summary="The proof that nobody does")
async def free(
    of: Of, _: Member, line: LineQuery, start: Point, end: End, final: Final = False
) -> Response:
    """The bundle of a stretch that no span overlaps; 409 if one does."""

    def make() -> dict[str, Any]:
        state = of.state()
        name, _kind = _line(state, line)
        state.classes.allows(name, start, end)
        return prove_free(of.store, name, start, end)

    return Json(await proved(of, make, final))


def _line(state: State, text: str) -> tuple[bytes, LineClass]:
    line = parse_hex(text, LINE_SIZE)
    kind = state.classes.by_number.get(line[2])
    if kind is None:
        raise Malformed("class-unknown", name=line[2])
    return line, kind


@router.get(
    "/v1/submissions/{identity}/refusals/{position}/bundle",
    response_model=models.Bundle,
    summary="The proof of what a refused reduction met",
)
async def met(
    of: Of, reader: Insider, identity: StatementId, position: Position, final: Final = False
) -> Response:
    """The bundle of the span for which a reduction was refused: for its platform, and members."""
    return Json(await proved(of, partial(_met, of, reader, identity, position), final))


def _met(of: Service, reader: Reader, identity: str, position: int) -> dict[str, Any]:
    unknown = Usage("refusal-unknown", position=position)
    with of.reading() as (snapshot, _):
        place = snapshot.find(parse_hex(identity, 32))
        if place is None or not reader.may_see(snapshot.statement(place[0]).issuer):
            raise unknown
        refused = snapshot.refusals(place[0]).get(position)
    if refused is None or refused.met is None:
        raise unknown
    bundle = prove_span(of.store, refused.met.line, refused.met.start)
    if bundle["held"]["holder"] != refused.met.holder.hex():
        # It was voided since, and the stretch claimed by another.
        raise Usage("span-not-held")
    return bundle


@router.get("/v1/proofs/inclusion", response_model=models.Inclusion, summary="The path of an entry")
def inclusion(of: Of, index: Index, size: Size) -> Response:
    """The inclusion path of an entry in the log of a size (RFC 9162, section 2.1.3)."""
    path = of.store.tree(of.state().index).inclusion(index, size)
    return Json({"index": index, "size": size, "path": [digest.hex() for digest in path]})


@router.get(
    "/v1/proofs/consistency",
    response_model=models.Consistency,
    summary="The path between two sizes",
)
def consistency(of: Of, first: Size, second: Size) -> Response:
    """The path by which the log of the second size begins with that of the first (RFC 9162,
    section 2.1.4)."""
    path = of.store.tree(of.state().index).consistency(first, second)
    return Json({"first": first, "second": second, "path": [digest.hex() for digest in path]})
