"""How a line, and a stretch of it, is named on the command line.

By its class and the parts of its name, and where the class is dated its day; or, where a refusal
has given it, as 24 bytes in hexadecimal.  Parts that are pseudonyms stand as such, or with
``--secret-file`` as the identifiers behind them.
"""

from pathlib import Path
from typing import Annotated

import typer

from api.normalisers import normalise
from api.session import Ledger
from api.values import parse_time, read_secret
from chain.classes import LineClass
from chain.spans import FOREVER, LINE_SIZE
from keys.errors import Usage
from keys.pseudonyms import KeyedHash
from keys.strict import parse_date, parse_hex

LineParts = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CLASS PART...]", help="The line's class and the parts of its name."),
]


def read_line(
    ledger: Ledger,
    parts: list[str] | None,
    line: str | None,
    day: str | None,
    secret_file: Path | None,
    start: str | None = None,
) -> tuple[LineClass, bytes]:
    """The line that the options name, and its class; raises `Usage`, `Malformed`.

    start: a moment whose day is meant where no day is named.
    """
    classes = ledger.state.classes
    if (line is None) == (not parts):
        raise Usage("line-missing")
    if not parts:
        data = parse_hex(line, LINE_SIZE)
        known = classes.by_number.get(data[2])
        if known is None:
            raise Usage("class-unknown", name=data[2])
        return known, data
    of = classes.named(parts[0])
    on = None
    if of.dated:
        if day is not None:
            on = parse_date(day)
        elif of.axis == "seconds" and start is not None:
            on = ledger.state.calendar.day(read_point(ledger, of, start))
        else:
            raise Usage("day-missing", name=of.name)
    named = parts[1:]
    if secret_file is not None:
        named = _pseudonyms(of, named, on or 0, secret_file)
    return of, classes.line(of.name, named, on)


def read_stretch(
    ledger: Ledger, of: LineClass, start: str | None, end: str | None = None
) -> tuple[int, int]:
    """The stretch of a line: from ``start`` one wide, or to ``end``; without both, all of it."""
    if start is None:
        if of.axis == "seconds":
            raise Usage("start-missing", name=of.name)
        return 0, FOREVER if end is None else read_point(ledger, of, end)
    first = read_point(ledger, of, start)
    return first, first + 1 if end is None else read_point(ledger, of, end)


def read_point(ledger: Ledger, of: LineClass, value: str) -> int:
    """A point of a line's axis: a time, a date where days are counted, or a number."""
    if of.axis == "seconds":
        return parse_time(value, ledger.state.calendar)
    if value.isascii() and value.isdigit():
        return min(int(value), FOREVER)
    if of.axis == "days":
        return parse_date(value)
    raise Usage("number-invalid", value=value)


def _pseudonyms(of: LineClass, parts: list[str], day: int, secret_file: Path) -> list[str]:
    hashed = KeyedHash(read_secret(secret_file))
    # A person's caps go by the pseudonym that the person has as a traveller.
    name = "traveller" if of.axis == "seats" else of.name
    made = [
        hashed.pseudonyms(name, day, [normalise(name, value)])[0]
        if grammar == "pseudonym"
        else value
        for value, (_, grammar, _) in zip(parts, of.parts, strict=False)
    ]
    return [*made, *parts[len(of.parts) :]]
