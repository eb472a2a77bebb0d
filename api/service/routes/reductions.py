"""Reductions: for members all of them, for a platform those that it has submitted.

A list goes through the submissions in the order of the log, and tells each reduction that was
recorded there when its block was sealed; ``stands`` says whether it still stands there, now.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Response

from api.proving import prove_reduction
from api.service import models
from api.service.access import Bearer, Insider, Reader, discloses
from api.service.completing import Final, proved
from api.service.parameters import From, Leaf, PlatformName, ScenarioName, Until
from api.service.responses import Json, Paging
from api.service.service import Of, Service
from chain.reductions import Reduction
from chain.spans import make_holder
from chain.state import State
from chain.store.snapshot import Place, Snapshot
from keys.errors import NotAllowed, Usage
from keys.strict import DAY_MAX, dump_base64, dump_date, parse_date, parse_hex

router = APIRouter(tags=["reductions"])
SUBMISSIONS_MAX = 500
LOOKED_MAX = 10_000
"""So many submissions, and so many reductions, are looked at for one page, which may be short of
its limit for it."""


class _Found(NamedTuple):
    """A reduction that was recorded where its submission stands."""

    place: Place
    reduction: Reduction


@router.get(
    "/v1/reductions", response_model=models.Reductions, summary="The reductions, with their claims"
)
def reductions(
    of: Of,
    page: Paging,
    reader: Insider,
    platform: PlatformName = None,
    scenario: ScenarioName = None,
    first: From = None,
    until: Until = None,
) -> Response:
    """The reductions that were recorded, in the order of the log.  A page may have fewer items
    than its limit, or none, and yet a `next`."""
    days = range(parse_date(first) if first else 0, parse_date(until) if until else DAY_MAX + 1)
    only = _only(reader, platform)
    with of.reading() as (snapshot, state):
        size = page.size(state.index)
        after = page.after(int, int) or [0, 0]
        found, last = _search(of, snapshot, size, after, page.limit, days, only, scenario)
        on = {one.reduction.day for one in found}
        places = snapshot.places([one.reduction.holder for one in found], on)
    items = [_shown(state, *one, places) for one in found]
    return page.answer(size, items, last)


def _only(reader: Reader, platform: str | None) -> str | None:
    """The one platform whose reductions are told; None for all."""
    if reader.is_member:
        return platform
    if platform not in (None, reader.participant):
        raise NotAllowed("read-not-allowed", participant=reader.participant)
    return reader.participant


def _search(
    of: Service,
    snapshot: Snapshot,
    size: int,
    first: Sequence[int],
    limit: int,
    days: range,
    platform: str | None,
    scenario: str | None,
) -> tuple[list[_Found], Sequence[int] | None]:
    """At most ``limit`` reductions from a place on, and where to go on, if there is more."""
    found: list[_Found] = []
    left = LOOKED_MAX
    submissions = snapshot.submissions(first[0], size, days, platform, SUBMISSIONS_MAX)
    for index, statement in submissions:
        if scenario not in (None, statement.body["scenario"]):
            continue
        refused = snapshot.refusals(index)
        datas = of.store.reduction_bytes(bytes.fromhex(statement.body["root"]))
        for position in range(first[1] if index == first[0] else 0, len(datas)):
            if left == 0:
                return found, (index, position)
            left -= 1
            if position in refused:
                continue
            reduction = Reduction.parse(datas[position])
            if reduction.day in days:
                if len(found) == limit:
                    return found, (index, position)
                found.append(_Found(Place(index, position, None), reduction))
    return found, (submissions[-1][0] + 1, 0) if len(submissions) == SUBMISSIONS_MAX else None


def _shown(
    state: State, place: Place, of: Reduction, places: Mapping[bytes, Place]
) -> dict[str, Any]:
    names = state.classes.by_number
    return {
        "leaf": of.leaf.hex(),
        "index": place.index,
        "position": place.position,
        "platform": of.platform,
        "scenario": of.scenario,
        "version": of.version,
        "day": dump_date(of.day),
        "grams": of.grams,
        "claims": [
            {
                "class": names[claim.line[2]].name,
                "line": claim.line.hex(),
                "start": claim.start,
                "end": claim.end,
            }
            for claim in of.claims
        ],
        "digest": of.digest.hex(),
        "data": dump_base64(of.data),
        "stands": places.get(of.holder) == Place(place.index, place.position, None),
    }


@router.get("/v1/reductions/{leaf}", response_model=models.Reduction, summary="One reduction")
def reduction(of: Of, reader: Insider, leaf: Leaf) -> Response:
    """A reduction that was recorded, where it was last."""
    with of.reading() as (snapshot, state):
        place, found = _find(of, snapshot, reader, leaf)
    return Json(_shown(state, place, found, {found.holder: place}))


@router.get(
    "/v1/reductions/{leaf}/bundle", response_model=models.Bundle, summary="The proof of a reduction"
)
async def bundle(
    of: Of,
    reader: Insider,
    access: Bearer,
    leaf: Leaf,
    disclose: Annotated[
        bool, Query(description="With its activity: for its platform, and whom that lets.")
    ] = False,
    final: Final = False,
) -> Response:
    """The bundle that `tally-verify check` takes: who recorded it, under what, counted once."""

    def allow(platform: str, found: Reduction) -> None:
        _check_shown(reader, platform)
        if disclose:
            opened = discloses(reader, access, platform)
            if opened is None or not opened.covers(found.scenario, found.day):
                raise NotAllowed("read-not-allowed", participant=reader.participant)

    name = parse_hex(leaf, 32)
    make = partial(prove_reduction, of.store, name, disclose=disclose, allow=allow)
    return Json(await proved(of, make, final))


def _find(of: Service, snapshot: Snapshot, reader: Reader, leaf: str) -> tuple[Place, Reduction]:
    """A reduction that ``reader`` may see; for any other there is none: raises `Usage`."""
    place = snapshot.locate(make_holder("reduction", parse_hex(leaf, 32)))
    if place is None:
        raise Usage("reduction-unknown")
    statement = snapshot.statement(place.index)
    _check_shown(reader, statement.issuer)
    root = bytes.fromhex(statement.body["root"])
    return place, Reduction.parse(of.store.trees.reduction_bytes(root, place.position))


def _check_shown(reader: Reader, platform: str) -> None:
    """Raise `Usage`, as if there were none, unless ``reader`` may see what a platform submitted."""
    if not reader.may_see(platform):
        raise Usage("reduction-unknown")
