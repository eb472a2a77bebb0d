"""Methodologies: how an activity becomes grams and claims.  Data, published in the ledger; no code.

As JSON::

    format, id, version    1, its name, 1 …
    title                  {"en": …, "zh": …}
    source                 {"standard": …, "table": …, "date": …}, where its figures come from
    points                 points that the activity earns: an integer, or a formula
    tiers                  tiers of evidence that count, a list of names
    duration               {"min": …, "max": …}, seconds from start to end
    quantities             {name: {"min": …, "max": …}}, integers that the activity must give
    tables                 lookup tables (`chain.formulas`); optional
    grams                  the formula (`chain.formulas`), in grams of CO2 equivalent
    slots                  {"field": name, "rows": [["05:00", "10:00", text], …]}, the time of day
                           of ``start`` as a text that names of lines may use; optional
    claims                 what the reduction claims, in this order: a list of templates

A template is ``{"class": name, "parts": [text, …]}``; in a part, ``{subject}``,
``{ticket.issuer}``, ``{slot}`` … stand for what the activity gives.  Beside them:

* on an axis of seconds, ``"span": {"seconds": n}`` claims ``[start, start + n)``, and without it
  ``[start, end)``; ``"guard": g`` widens either by g seconds at both ends, so that two clocks that
  saw one event overlap.  It is cut at midnight: one claim a day.
* on a cap, ``"seats": k``: at most k in the period that the second part names.
* ``"optional": field`` demands the claim only of activities that give the field.

`Methodology.check` says whether claims are exactly those that the templates demand; it needs the
reduction alone, not its activity.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain import kernel
from chain.activities import OPTIONAL, Activity
from chain.classes import PERIODS, Classes, LineClass, is_slug
from chain.formulas import Formula, Table
from chain.reductions import CLAIMS_MAX, GRAMS_MAX, Claim, Reduction
from chain.spans import FOREVER, make_holder, make_line
from keys.errors import Malformed, Refusal, VerificationError
from keys.strict import DAY_MAX, dump_date, fields, parse_json

METHODOLOGY_BYTES_MAX = 32_768
GUARD_SECONDS_MAX = 3_600
_TEXTS = {"en": str, "zh": str}
_FIELD = re.compile(r"\{([a-z]+(?:\.[a-z]+)?)\}", re.ASCII)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
_BOUNDS = {"min": int, "max": int}


@dataclass(frozen=True)
class Template:
    """One claim that a methodology demands."""

    line_class: LineClass
    parts: tuple[str, ...]
    seconds: int | None
    guard: int
    seats: int
    optional: str | None

    @property
    def period(self) -> str:
        """The period of a cap."""
        return self.parts[1]


class Methodology:
    """A methodology, read from its document against the class registry in force."""

    def __init__(self, document: bytes, classes: Classes) -> None:
        self.document = document
        self.classes = classes
        self.calendar = classes.calendar
        given = fields(
            parse_json(document, bytes_max=METHODOLOGY_BYTES_MAX),
            "methodology",
            {
                "format": int,
                "id": str,
                "version": int,
                "title": dict,
                "source": dict,
                "points": (int, str, dict),
                "tiers": list,
                "duration": dict,
                "quantities": dict,
                "grams": (dict, str),
                "claims": list,
            },
            {"tables": dict, "slots": dict},
        )
        if given["format"] != 1:
            raise Malformed("format-unknown", where="methodology", format=given["format"])
        if not is_slug(given["id"]) or given["version"] < 1:
            raise _wrong("id or version")
        self.id: str = given["id"]
        self.version: int = given["version"]
        self.title: Mapping[str, str] = fields(given["title"], "title", _TEXTS)
        self.source: Mapping[str, str] = fields(
            given["source"], "source", {"standard": str, "table": str, "date": str}
        )
        if not all(isinstance(tier, str) for tier in given["tiers"]):
            raise _wrong("tiers")
        self.tiers = frozenset[str](given["tiers"])
        self.duration = _bounds("duration", given["duration"])
        self.quantities = {
            name: _bounds(name, value) for name, value in given["quantities"].items()
        }
        self._tables = given.get("tables", {})
        self.tables = {n: Table.read(n, value) for n, value in given.get("tables", {}).items()}
        self.formula = self._read_formula(given["grams"])
        self.points: int | str | Mapping[str, Any] = given["points"]
        if not isinstance(self.points, int):
            self._points = self._read_formula(self.points)
        elif self.points < 0:
            raise _wrong("points")
        self.slots = _read_slots(given["slots"]) if "slots" in given else None
        self._plans: dict[int, Any] = {}
        self.templates = tuple(self._read_template(item) for item in given["claims"])
        if not any(t.line_class.is_activity and t.optional is None for t in self.templates):
            raise Malformed("methodology-claims-nothing", id=self.id)
        if not 1 <= self.formula.bounds[1] <= GRAMS_MAX:
            raise _wrong("grams")

    @property
    def holder(self) -> bytes:
        """What stands in the register for this version."""
        return methodology_holder(self.document)

    @property
    def grams_bounds(self) -> tuple[int, int]:
        """The least and the most grams that one reduction can have."""
        return max(self.formula.bounds[0], 1), self.formula.bounds[1]

    def plan(self, day: int) -> Any:
        """What the compiled kernel (`chain.kernel`) takes from it, for activities of ``day``."""
        if day not in self._plans:
            spec = {
                "version": self.version,
                "offset": self.calendar.offset,
                "grams": self.grams_bounds,
                "duration": self.duration,
                "tiers": self.tiers,
                "quantities": self.quantities,
                "formula": self.formula.source,
                "tables": self._tables,
                "slots": self.slots,
                "templates": [
                    {
                        "number": of.line_class.number,
                        "axis": of.line_class.axis,
                        "longest": of.line_class.longest,
                        "seconds": of.seconds,
                        "guard": of.guard,
                        "seats": of.seats,
                        "optional": of.optional,
                        "parts": of.parts,
                        "grammars": [grammar for _, grammar, _ in of.line_class.parts],
                        "issuers": self.classes.issuers.get(of.line_class.name, frozenset()),
                    }
                    for of in self.templates
                ],
            }
            ends = {period: self.calendar.period_end(day, period) for period in PERIODS}
            within = {period: last for period, last in ends.items() if last <= DAY_MAX}
            plan = kernel.native and kernel.native.Plan(spec, dump_date(day)[:4], within)
            self._plans[day] = plan
        return self._plans[day]

    # --- from an activity ---

    def reduce(self, activity: Activity, platform: str) -> Reduction:
        """The reduction of an activity; raises `Refusal` if it earns none."""
        given = activity.fields
        start, end = given["start"], given["end"]
        if given["evidence"]["tier"] not in self.tiers:
            raise Refusal("tier-not-counted", tier=given["evidence"]["tier"], id=self.id)
        if not self.duration[0] <= end - start <= self.duration[1]:
            raise Refusal("duration-out-of-bounds", seconds=end - start, bounds=self.duration)
        quantities = given.get("quantities", {})
        for name, (least, most) in self.quantities.items():
            if not least <= quantities.get(name, -1) <= most:
                raise Refusal("quantity-out-of-bounds", name=name, bounds=(least, most))
        day = self.calendar.day(start)
        if not 0 <= day <= DAY_MAX:
            raise Refusal("span-beyond-calendar")
        grams = self.formula.floor(activity, day)
        if grams < 1:
            raise Refusal("no-reduction", grams=grams)
        claims: list[Claim] = []
        for template in self.templates:
            if template.optional is None or template.optional in given:
                claims += self._claim(template, given, start, end, day)
        if len(claims) > CLAIMS_MAX:
            raise Refusal("too-many-claims", count=len(claims), limit=CLAIMS_MAX)
        return Reduction.make(
            platform, given["scenario"], self.version, day, grams, tuple(claims), activity.digest
        )

    def points_of(self, activity: Activity) -> int:
        """The points that an activity earns beside its reduction; raises `Refusal` likewise."""
        if isinstance(self.points, int):
            return self.points
        return max(self._points.floor(activity, self.calendar.day(activity.fields["start"])), 0)

    def _claim(
        self, template: Template, given: Mapping[str, Any], start: int, end: int, day: int
    ) -> list[Claim]:
        of = template.line_class
        parts = [self._fill(part, given, start) for part in template.parts]
        self.classes.check_parts(of, parts)
        if of.axis == "whole":
            return [Claim(make_line(of.number, parts), 0, FOREVER)]
        if of.axis == "seats":
            last = self.calendar.period_end(day, template.period)
            if last > DAY_MAX:
                raise Refusal("span-beyond-calendar")
            return [Claim(make_line(of.number, parts, last))]
        until = end if template.seconds is None else start + template.seconds
        first, last = start - template.guard, until + template.guard
        if not 0 <= first < last or last - first > of.longest:
            raise Refusal("span-too-long", name=of.name, seconds=last - first, limit=of.longest)
        # Looked at before the cut, which takes a step for each day.
        if self.calendar.day(first) < 0 or self.calendar.day(last - 1) > DAY_MAX:
            raise Refusal("span-beyond-calendar")
        pieces = self.calendar.cut(first, last)
        return [Claim(make_line(of.number, parts, d), s, e) for d, s, e in pieces]

    def _fill(self, part: str, given: Mapping[str, Any], start: int) -> str:
        if "{" not in part:
            return part

        def value(match: re.Match[str]) -> str:
            field = match[1]
            if self.slots is not None and field == self.slots[0]:
                return self._slot(start)
            whole, _, member = field.partition(".")
            found = given.get(whole)
            if member:
                found = found.get(member) if isinstance(found, dict) else None
            if not isinstance(found, str):
                raise Refusal("activity-field-missing", field=field, id=self.id)
            return found

        return _FIELD.sub(value, part)

    def _slot(self, start: int) -> str:
        seconds = self.calendar.seconds(start)
        for low, high, name in self.slots[1] if self.slots else ():
            if low <= seconds < high:
                return name
        raise Refusal("outside-slots", id=self.id)

    # --- without an activity ---

    def check(self, reduction: Reduction) -> list[int | None]:
        """Raise `VerificationError` unless a reduction is one that this methodology can give.

        Its grams are within bounds and its claims are exactly those of the templates: their
        classes, their order, their lengths, one start and one end in all of them, each cut at
        midnight and nowhere else, no two on one line.  Returns for each claim the seats of its
        cap, or None.
        """
        least, most = self.grams_bounds
        if reduction.version != self.version:
            raise VerificationError("reduction-version", version=reduction.version)
        if not least <= reduction.grams <= most:
            raise VerificationError("reduction-grams", grams=reduction.grams, bounds=(least, most))
        claims = reduction.claims
        limits: list[int | None] = []
        at = 0
        event: dict[str, int] = {}
        for template in self.templates:
            taken = self._match(template, claims, at, reduction.day, event)
            if taken == 0 and template.optional is None:
                raise VerificationError("reduction-class-missing", name=template.line_class.name)
            limits += [template.seats if template.line_class.axis == "seats" else None] * taken
            at += taken
        if at != len(claims):
            raise VerificationError("reduction-claim-extra", count=len(claims) - at)
        if len({claim.line for claim in claims}) != len(claims):
            raise VerificationError("reduction-claim-twice")
        return limits

    def _match(
        self, template: Template, claims: Sequence[Claim], at: int, day: int, event: dict[str, int]
    ) -> int:
        """How many of the claims from ``at`` on are the template's: none, or all of them.

        ``event`` collects the start and the end that the spans speak of, which is one event's.
        """
        of = template.line_class
        if at >= len(claims) or claims[at].line[2] != of.number:
            return 0
        claim = claims[at]
        if of.axis == "seats":
            last = self.calendar.period_end(day, template.period)
            if claim.start is not None or claim.day != last:
                raise VerificationError("reduction-claim", name=of.name)
            return 1
        first, last = self._span(claim, of)
        if of.axis == "whole":
            return 1
        taken = 1
        for piece in claims[at + 1 :]:
            # A following piece of the same span begins at the midnight that ended this one.
            if (
                piece.line[2] != of.number
                or piece.start != last
                or last != self.calendar.start(piece.day)
            ):
                break
            _, last = self._span(piece, of)
            taken += 1
        low, high = self.duration
        if template.seconds is not None:
            low = high = template.seconds
        start, end = first + template.guard, last - template.guard
        if (
            not low <= end - start <= high
            or event.setdefault("start", start) != start
            or (template.seconds is None and event.setdefault("end", end) != end)
            or last - first > of.longest
            or self.calendar.day(start) != day
        ):
            raise VerificationError("reduction-claim", name=of.name)
        return taken

    def _span(self, claim: Claim, of: LineClass) -> tuple[int, int]:
        """The span of a claim, which its class allows."""
        if claim.start is None or claim.end is None:
            raise VerificationError("reduction-claim", name=of.name)
        self.classes.allows(claim.line, claim.start, claim.end)
        return claim.start, claim.end

    # --- reading ---

    def _read_formula(self, source: Any) -> Formula:
        return Formula(source, self.tables, self.quantities, self.duration)

    def _read_template(self, value: Any) -> Template:
        given = fields(
            value,
            "claim",
            {"class": str, "parts": list},
            {"span": dict, "guard": int, "seats": int, "optional": str},
        )
        of = self.classes.named(given["class"])
        if (
            of.claimed_by != "reduction"
            or of.axis not in ("seconds", "whole", "seats")
            or len(given["parts"]) != len(of.parts)
            or given.get("optional", "subject") not in OPTIONAL
        ):
            raise _wrong(f"claim on {of.name}")
        parts = tuple(given["parts"])
        for part in parts:
            if not isinstance(part, str) or "{" in _FIELD.sub("", part):
                raise _wrong(f"parts of {of.name}")
        is_seconds, is_seats = of.axis == "seconds", of.axis == "seats"
        guard, seats = given.get("guard", 0), given.get("seats", 0)
        seconds = None
        if "span" in given:
            seconds = fields(given["span"], "span", {"seconds": int})["seconds"]
        if (
            (not is_seconds and ("span" in given or "guard" in given))
            or is_seats != ("seats" in given)
            or (is_seats and (parts[1] not in PERIODS or not 1 <= seats <= of.longest))
            or not 0 <= guard <= GUARD_SECONDS_MAX
            or (seconds is not None and not 1 <= seconds <= of.longest)
            or (is_seconds and seconds is None and self.duration[0] + 2 * guard < 1)
        ):
            raise _wrong(f"claim on {of.name}")
        return Template(of, parts, seconds, guard, seats, given.get("optional"))


def fields_of(part: str) -> list[str]:
    """What a part of a template takes of the activity: "subject", "ticket.issuer", a slot …"""
    return _FIELD.findall(part)


def methodology_holder(document: bytes) -> bytes:
    """The holder of a methodology's span, from its document."""
    return make_holder("methodology", document)


def _wrong(what: str) -> Malformed:
    return Malformed("methodology-invalid", what=what)


def _bounds(name: str, value: object) -> tuple[int, int]:
    given = fields(value, name, _BOUNDS)
    if not 0 <= given["min"] <= given["max"]:
        raise _wrong(name)
    return given["min"], given["max"]


def _read_slots(value: object) -> tuple[str, list[tuple[int, int, str]]]:
    given = fields(value, "slots", {"field": str, "rows": list})
    rows: list[tuple[int, int, str]] = []
    for row in given["rows"]:
        if not (isinstance(row, list) and len(row) == 3 and all(isinstance(c, str) for c in row)):
            raise _wrong("slots")
        low, high = _clock(row[0]), _clock(row[1])
        if not low < high or (rows and low < rows[-1][1]) or not is_slug(row[2]):
            raise _wrong("slots")
        rows.append((low, high, row[2]))
    return given["field"], rows


def _clock(value: str) -> int:
    if not _CLOCK.fullmatch(value):
        raise _wrong("slots")
    return int(value[:2]) * 3_600 + int(value[3:]) * 60
