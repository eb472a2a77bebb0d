"""`POST /v1/claims/check`: whether a claim would be free, for platforms; yes or no, nothing more.

The body names the line by its class and its parts (`chain.classes`), and the stretch by what the
class's axis asks for::

    seconds    start, end    unix seconds, half-open; each day that they touch must be free
    whole                    nothing: the whole line must be free
    seats      day, seats    a seat of so many must be left in the period that holds the day

What is free now may be taken a moment later: only a submission claims.  A member may ask so often,
and about one line's parts so often (`api.service.settings`): it is no way to find out what a person
does.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from api.service import models
from api.service.access import Platform, SmallBody
from api.service.responses import Json
from api.service.service import Of
from chain.classes import LineClass
from chain.records import check_range
from chain.spans import FOREVER, make_line
from chain.state import State
from chain.store.snapshot import Snapshot
from keys.errors import Malformed
from keys.strict import DAY_MAX, FieldTypes, fields, parse_date, parse_json

router = APIRouter(tags=["submitting"])
_ASKED: Mapping[str, FieldTypes] = {
    "seconds": {"start": int, "end": int},
    "whole": {},
    "seats": {"day": str, "seats": int},
}


@router.post(
    "/v1/claims/check",
    response_model=models.Free,
    summary="Whether a claim would be free",
    openapi_extra=models.takes("application/json", models.CLAIM_SCHEMA),
)
def check(of: Of, reader: Platform, body: SmallBody) -> Response:
    """Whether nothing stands against a claim, now; signed by a platform."""
    optional = {name: kind for asked in _ASKED.values() for name, kind in asked.items()}
    given = fields(parse_json(body), "claim", {"class": str, "parts": list}, optional)
    with of.reading() as (snapshot, state):
        kind = state.classes.named(given["class"])
        if kind.claimed_by != "reduction":
            raise Malformed("claim-not-asked", name=kind.name)
        asked = _ASKED[kind.axis]
        if given.keys() - {"class", "parts"} != asked.keys():
            raise Malformed("claim-stretch", name=kind.name, fields=", ".join(asked) or "–")
        parts = [part if isinstance(part, str) else "" for part in given["parts"]]
        state.classes.check_parts(kind, parts)
        now = of.clock()
        of.checks.take(reader.participant, now)
        of.subject_checks.take(f"{reader.participant} {make_line(kind.number, parts).hex()}", now)
        return Json({"free": _is_free(snapshot, state, kind, parts, given)})


def _is_free(
    snapshot: Snapshot, state: State, kind: LineClass, parts: list[str], given: dict[str, Any]
) -> bool:
    register = snapshot.register()
    if kind.axis == "seats":
        seats: int = given["seats"]
        if not 1 <= seats <= kind.longest:
            raise Malformed("range-invalid", start=0, end=seats)
        day = state.calendar.period_end(parse_date(given["day"]), parts[1])
        line = make_line(kind.number, parts, min(day, DAY_MAX))
        return len(register.overlapping([(line, 0, seats)])[0]) < seats
    if kind.axis == "whole":
        wanted = [(make_line(kind.number, parts), 0, FOREVER)]
    else:
        wanted = [
            (make_line(kind.number, parts, day), start, end)
            for day, start, end in _days(state, kind, given["start"], given["end"])
        ]
    return not any(register.overlapping(wanted, 1))


def _days(state: State, kind: LineClass, start: int, end: int) -> list[tuple[int, int, int]]:
    """Seconds cut at midnight; raises `Malformed` unless a claim can be so."""
    check_range(start, end)
    days = state.calendar.day(start), state.calendar.day(end - 1)
    if end - start > kind.longest or not 0 <= days[0] <= days[1] <= DAY_MAX:
        raise Malformed("range-invalid", start=start, end=end)
    return state.calendar.cut(start, end)
