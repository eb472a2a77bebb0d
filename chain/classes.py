"""The classes of lines: which lines there are, what their axis is, and who may claim on them.

The registry is a governed document in the ledger; methodologies choose among its classes.  As JSON:
``{"format": 1, "classes": [class, …], "issuers": {class name: [issuer, …]}}``; a class is::

    number      1 to 255, the first byte of its line ids; never reused
    name        how documents call it
    axis        what its integers count: seconds, whole, seats, days, serials, ordinal, index
    dated       whether each day has a line of its own: on the axes seconds and seats
    parts       the texts that name a line: name, grammar, and the normaliser that raw
                identifiers pass through before they become pseudonyms
    longest     the longest span, on a dated line counted over all its days
    claimed_by  what may claim on it
    stops       the way of counting twice that it stops, in English and Chinese

``axis`` and ``dated`` decide which spans are possible at all (`Classes.allows`): seconds lie within
their day; a seat is one wide; a ``whole`` line is claimed as a whole, ``[0, 2^63 - 1)``; a line
without a day has day 0.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chain.calendar import Calendar
from chain.spans import FOREVER, make_line
from keys.errors import Malformed, VerificationError
from keys.strict import fields, parse_json

AXES = ("seconds", "whole", "seats", "days", "serials", "ordinal", "index")
DATED_AXES = ("seconds", "seats")
PERIODS = ("day", "month", "year")
_SLUG = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*", re.ASCII)
_PSEUDONYM = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_TEXT = re.compile(r"[!-~]{1,64}", re.ASCII)


def is_slug(value: object) -> bool:
    """Whether ``value`` is a name: lower-case letters and digits, joined by single - or dots."""
    return isinstance(value, str) and len(value) <= 64 and _SLUG.fullmatch(value) is not None


GRAMMARS: Mapping[str, Callable[[str], object]] = {
    "slug": is_slug,
    "participant": is_slug,
    "issuer": is_slug,  # and on the class's list of issuers
    "pseudonym": _PSEUDONYM.fullmatch,
    "period": PERIODS.__contains__,
    "month": _MONTH.fullmatch,
    "text": _TEXT.fullmatch,
}


@dataclass(frozen=True)
class LineClass:
    """One class of lines."""

    number: int
    name: str
    axis: str
    dated: bool
    parts: tuple[tuple[str, str, str], ...]
    longest: int
    claimed_by: str
    stops: Mapping[str, str]

    @property
    def is_activity(self) -> bool:
        """Whether a claim here pins down one event; a seat under a cap does not."""
        return self.claimed_by == "reduction" and self.axis in ("seconds", "whole")


class Classes:
    """The registry of classes, read from its document; ``calendar`` tells the days."""

    def __init__(self, document: bytes, calendar: Calendar) -> None:
        self.document = document
        self.calendar = calendar
        given = fields(
            parse_json(document), "classes", {"format": int, "classes": list, "issuers": dict}
        )
        if given["format"] != 1:
            raise Malformed("format-unknown", where="classes", format=given["format"])
        self.all = tuple(_read_class(item) for item in given["classes"])
        self.by_name = {item.name: item for item in self.all}
        self.by_number = {item.number: item for item in self.all}
        if not len(self.all) == len(self.by_name) == len(self.by_number):
            raise Malformed("class-twice")
        self.issuers: dict[str, frozenset[str]] = {}
        for name, issuers in given["issuers"].items():
            known = self.by_name.get(name)
            if known is None or not any(grammar == "issuer" for _, grammar, _ in known.parts):
                raise Malformed("class-unknown", name=name)
            if not isinstance(issuers, list) or not all(map(is_slug, issuers)):
                raise Malformed("field-type", where="issuers", field=name, expected="names")
            self.issuers[name] = frozenset(issuers)

    @cached_property
    def activity_numbers(self) -> frozenset[int]:
        """The numbers of the classes of which a reduction claims at least one."""
        return frozenset(item.number for item in self.all if item.is_activity)

    def named(self, name: str) -> LineClass:
        """The class called ``name``; raises `Malformed`."""
        if name not in self.by_name:
            raise Malformed("class-unknown", name=name)
        return self.by_name[name]

    def check_parts(self, of: LineClass, parts: Sequence[str]) -> None:
        """Raise `Malformed` unless ``parts`` name a line of the class."""
        if len(parts) != len(of.parts):
            raise Malformed("line-parts", name=of.name, count=len(of.parts))
        for (part, grammar, _), value in zip(of.parts, parts, strict=True):
            if not GRAMMARS[grammar](value):
                raise Malformed("line-part", name=of.name, part=part, value=value[:64])
            if grammar == "issuer" and value not in self.issuers.get(of.name, ()):
                raise Malformed("issuer-unknown", name=of.name, issuer=value)

    def line(self, name: str, parts: Sequence[str], day: int | None = None) -> bytes:
        """The 24 bytes of a line, its parts checked; ``day`` on dated lines only."""
        of = self.named(name)
        self.check_parts(of, parts)
        if of.dated != (day is not None):
            raise Malformed("line-day", name=name)
        return make_line(of.number, parts, day)

    def allows(self, line: bytes, start: int, end: int) -> None:
        """Raise `VerificationError` unless ``[start, end)`` is possible on ``line`` at all."""
        of = self.by_number.get(line[2])
        if of is None:
            raise VerificationError("class-unknown", name=line[2])
        day = int.from_bytes(line[:2])
        if not of.dated and day:
            raise VerificationError("span-day", name=of.name)
        within = True
        if of.axis == "seconds":
            midnight = self.calendar.start(day)
            within = midnight <= start and end <= self.calendar.start(day + 1)
        elif of.axis == "seats":
            within = end == start + 1
        elif of.axis == "whole":
            within = start == 0 and end == FOREVER
        if not within or not 0 <= start < end <= FOREVER or end - start > of.longest:
            raise VerificationError("span-class", name=of.name, start=start, end=end)


def _read_class(value: Any) -> LineClass:
    given = fields(
        value,
        "class",
        {
            "number": int,
            "name": str,
            "axis": str,
            "dated": bool,
            "parts": list,
            "longest": int,
            "claimed_by": str,
            "stops": dict,
        },
    )
    name = given["name"]
    parts = []
    for part in given["parts"]:
        read = fields(part, f"class {name}", {"name": str, "grammar": str, "normaliser": str})
        if read["grammar"] not in GRAMMARS:
            raise Malformed("field-type", where=name, field="grammar", expected="a known grammar")
        parts.append((read["name"], read["grammar"], read["normaliser"]))
    if not 1 <= given["number"] <= 255 or not is_slug(name):
        raise Malformed("field-type", where="class", field="number", expected="1 to 255")
    if given["axis"] not in AXES or given["dated"] != (given["axis"] in DATED_AXES):
        raise Malformed("field-type", where=name, field="axis", expected=" or ".join(AXES))
    # A cap is on a behaviour in a period (`chain.methodologies`).
    if given["axis"] == "seats" and [grammar for _, grammar, _ in parts][1:2] != ["period"]:
        raise Malformed("field-type", where=name, field="parts", expected="seats of a period")
    if not 1 <= given["longest"] <= FOREVER:
        raise Malformed("field-type", where=name, field="longest", expected="1 to 2^63 - 1")
    return LineClass(
        given["number"],
        name,
        given["axis"],
        given["dated"],
        tuple(parts),
        given["longest"],
        given["claimed_by"],
        fields(given["stops"], f"class {name}", {"en": str, "zh": str}),
    )
