"""Mappings: which column of a platform's CSV file gives which field of an activity.  As JSON::

    format      1
    scenario    the scenario of all rows
    zone        the zone of times that do not name theirs: an IANA name or an offset "+08:00"
    encoding    of the file; optional, by default UTF-8
    delimiter   between cells; optional, by default a comma
    empty       [text, …]: cells that hold one of these hold nothing; optional
    only        {column: [value, …]}: rows with other values are passed over; optional
    once        [column, …]: of rows that are alike in all of these, the first alone is taken;
                optional
    pair        two rows make one activity; optional, see below
    fields      {field: source}

A field is one of an activity's (`chain.activities`), with a dot where it lies within another:
``id``, ``start``, ``end``, ``subject``, ``vehicle``, ``meter``, ``ticket.issuer``,
``ticket.number``, ``order.…``, ``parcel.…``, ``bill.…``, ``attributes.NAME``,
``quantities.NAME``, ``evidence.tier``, ``evidence.digest``, ``authorisation``.  A source is one
of::

    {"column": name}              the cell, white space at its ends away
    {"column": [name, …]}         these cells, joined by "/"
    {"constant": text}            the same in every row

and beside ``column`` it may have:

* ``format`` on ``start`` and ``end``: "iso", "unix", "unix-ms", or a pattern of `strptime`, or a
  list of them, tried in turn; by default "iso".  Fractions of a second are cut off.
* ``scale`` on a quantity, a decimal text: the cell, itself a decimal, times this, rounded down.
* ``is_pseudonym`` on an identifier: the cell holds the pseudonym already.
* ``row`` where rows are paired, "open" or "close": which of the two the cell is taken from; by
  default "open".

Identifiers (``subject``, ``vehicle``, ``meter``, the numbers of tickets, orders and parcels, the
account of a bill) become pseudonyms of the class traveller, vehicle, meter, ticket, order, parcel,
bill.  An empty cell leaves the field out.  What the mapping does not give, `api.convert` tells.

Where a file has a row for the beginning of an event and another for its end, ``pair`` says which
rows belong together (`api.pairing` gives the rule)::

    key         [column, …]: the two rows are alike in these: the card
    column      the column that tells what opens from what closes; rows with other values in it
                are passed over
    open        [value, …]: what it holds in a row that opens
    close       [value, …]: what it holds in a row that closes
    longest     seconds from the one to the other, at most
    differ      a column in which the two must differ, both known: the station; optional

``start`` is then taken from the row that opens and ``end`` from the one that closes; they are
the times by which rows are paired.  `docs/examples/mappings` has mappings for a file of transit
card taps: rides tapped in and out, tap-ins alone, and bus boardings.
"""

import datetime
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.identifiers import IDENTIFIERS
from api.values import parse_offset
from chain.activities import LINE_FIELDS
from chain.formulas import decimal
from keys.errors import Malformed, Usage
from keys.strict import fields

TIMES = ("start", "end")
_SOME_TIME = datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)
_TEXTS = {
    "id",
    "evidence.tier",
    "evidence.digest",
    "authorisation",
    *(f"{name}.{part}" for name, parts in LINE_FIELDS.items() for part in parts),
}
_NAMED = re.compile(r"(?:attributes|quantities)\.[a-z][a-z0-9_]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Source:
    """Where a field comes from."""

    columns: tuple[str, ...] = ()
    constant: str | None = None
    formats: tuple[str, ...] = ("iso",)
    scale: str | None = None
    is_pseudonym: bool = False
    closes: bool = False
    """It is taken from the row that closes a pair."""


@dataclass(frozen=True)
class PairMapping:
    """Which rows make one activity together."""

    key: tuple[str, ...]
    column: str
    open: frozenset[str]
    close: frozenset[str]
    longest: int
    differ: str | None = None


@dataclass(frozen=True)
class ColumnMapping:
    """A mapping, read."""

    scenario: str
    zone: datetime.tzinfo
    fields: Mapping[str, Source]
    encoding: str = "utf-8"
    delimiter: str = ","
    empty: frozenset[str] = frozenset()
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    once: tuple[str, ...] = ()
    pair: PairMapping | None = None


def read_zone(name: str) -> datetime.tzinfo:
    """A time zone by its IANA name, or an offset; raises `Usage`."""
    if name[:1] in "+-":
        return datetime.timezone(datetime.timedelta(seconds=parse_offset(name)))
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise Usage("zone-unknown", name=name) from None


def read_mapping(
    value: object, *, scenario: str | None = None, zone: str | None = None
) -> ColumnMapping:
    """Read a mapping; ``scenario`` and ``zone`` stand in for its own.  Raises `Malformed`."""
    given = fields(
        value,
        "mapping",
        {"format": int, "fields": dict},
        {
            "scenario": str,
            "zone": str,
            "encoding": str,
            "delimiter": str,
            "empty": list,
            "only": dict,
            "once": list,
            "pair": dict,
        },
    )
    if given["format"] != 1:
        raise Malformed("format-unknown", where="mapping", format=given["format"])
    given |= {"scenario": scenario} if scenario else {}
    given |= {"zone": zone} if zone else {}
    for name in ("scenario", "zone"):
        if name not in given:
            raise Malformed("field-missing", where="mapping", field=name)
    pair = _read_pair(given["pair"]) if "pair" in given else None
    sources = {
        name: _read_source(name, source, is_paired=pair is not None)
        for name, source in given["fields"].items()
    }
    for name in TIMES if pair else ("start",):
        if name not in sources:
            raise Malformed("field-missing", where="mapping", field=name)
    if pair and (sources["start"].closes or not sources["end"].closes):
        raise Malformed(
            "field-type", where="mapping, start and end", field="row", expected="open and close"
        )
    delimiter = given.get("delimiter", ",")
    if len(delimiter) != 1:
        raise Malformed("field-type", where="mapping", field="delimiter", expected="one character")
    return ColumnMapping(
        given["scenario"],
        read_zone(given["zone"]),
        sources,
        given.get("encoding", "utf-8"),
        delimiter,
        frozenset(_texts(given.get("empty", []), "mapping", "empty")),
        {
            column: frozenset(_texts(values, "mapping", "only"))
            for column, values in given.get("only", {}).items()
        },
        _texts(given.get("once", []), "mapping", "once"),
        pair,
    )


def _read_pair(value: object) -> PairMapping:
    where = "mapping, pair"
    given = fields(
        value,
        where,
        {"key": list, "column": str, "open": list, "close": list, "longest": int},
        {"differ": str},
    )
    key, opening, closing = (_texts(given[name], where, name) for name in ("key", "open", "close"))
    if not key:
        raise Malformed("field-type", where=where, field="key", expected="one column or more")
    if not set(opening).isdisjoint(closing):
        raise Malformed("field-type", where=where, field="close", expected="apart from open")
    return PairMapping(
        key,
        given["column"],
        frozenset(opening),
        frozenset(closing),
        given["longest"],
        given.get("differ"),
    )


def _read_source(name: str, value: object, *, is_paired: bool) -> Source:
    where = f"mapping, {name}"
    if name not in _TEXTS | IDENTIFIERS.keys() | set(TIMES) and not _NAMED.fullmatch(name):
        raise Malformed("field-unknown", where="mapping", field=name[:80])
    given = fields(
        value,
        where,
        {},
        {
            "column": (str, list),
            "constant": str,
            "format": (str, list),
            "scale": str,
            "is_pseudonym": bool,
            **({"row": str} if is_paired else {}),
        },
    )
    if ("column" in given) == ("constant" in given):
        raise Malformed(
            "field-type", where=where, field="column", expected="given, or else constant"
        )
    columns = _texts(_one_or_more(given.get("column", [])), where, "column")
    formats = _texts(_one_or_more(given.get("format", "iso")), where, "format")
    if given.get("column") == []:
        raise Malformed("field-type", where=where, field="column", expected="one column or more")
    if not formats or not all(map(_is_format, formats)):
        expected = "iso, unix, unix-ms, or a pattern of strptime"
        raise Malformed("field-type", where=where, field="format", expected=expected)
    if "scale" in given:
        decimal(given["scale"])
    row = given.get("row", "open")
    if row not in ("open", "close"):
        raise Malformed("field-type", where=where, field="row", expected="open or close")
    return Source(
        columns,
        given.get("constant"),
        formats,
        given.get("scale"),
        given.get("is_pseudonym", False),
        row == "close",
    )


def _is_format(form: str) -> bool:
    """Whether times can be read by it: what it writes, it reads again."""
    try:
        if form not in ("iso", "unix", "unix-ms"):
            datetime.datetime.strptime(_SOME_TIME.strftime(form), form)
    except (ValueError, re.error):
        return False
    return True


def _texts(value: Any, where: str, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Malformed("field-type", where=where, field=name, expected="a list of texts")
    return tuple(value)


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


# --- Citi Bike ---

_CITIBIKE: Mapping[str, tuple[str, ...]] = {
    "start": ("starttime", "startedat"),
    "end": ("stoptime", "endedat"),
    "vehicle": ("bikeid",),
    "id": ("rideid",),
}
_CITIBIKE_TIMES = ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "iso")


def citibike_mapping(header: Sequence[str], scenario: str, zone: str) -> ColumnMapping:
    """The mapping of a file in one of the forms that Citi Bike has published over the years.

    The vehicle is the bike, the end is ``stoptime``.  Raises `Malformed` if a column is missing:
    files since 2021 name the ride but no bike, so that its time cannot be claimed.
    """
    found = {re.sub(r"[^a-z]", "", name.lower()): name for name in header}
    sources = {}
    for name, columns in _CITIBIKE.items():
        column = next((found[column] for column in columns if column in found), None)
        if column is not None:
            sources[name] = Source((column,), formats=_CITIBIKE_TIMES)
        elif name != "id":
            raise Malformed("column-missing", name=" / ".join(columns))
    return ColumnMapping(scenario, read_zone(zone), sources)
