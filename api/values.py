"""How people write times, offsets and sources on a command line, and how they are shown again.

A *time* is unix seconds or ISO 8601 with its offset ("2026-03-02T12:00:00+08:00").  An *offset*
from UTC is "+08:00".  A *methodology* is the id of one that comes with this distribution, or a
file.
"""

import datetime
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chain.calendar import OFFSET_SECONDS_MAX, Calendar
from chain.classes import LineClass
from chain.genesis import library
from chain.spans import FOREVER, Span
from keys.catalogue import text
from keys.errors import Unreadable, Usage
from keys.strict import dump_date, parse_json

STATEMENT_SECONDS = 86_400
"""For how long a statement made here may wait to be sealed."""

_INTEGER = re.compile(r"[0-9]{1,19}", re.ASCII)
_OFFSET = re.compile(r"([+-])([01][0-9]):([0-5][0-9])", re.ASCII)
FILE_BYTES_MAX = 16_777_216
SECRET_BYTES_MAX = 1_024


def parse_time(value: str, calendar: Calendar | None = None) -> int:
    """Unix seconds; a time without an offset is one of ``calendar``; raises `Usage`."""
    if _INTEGER.fullmatch(value):
        return int(value)
    try:
        time = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise Usage("time-invalid", value=value) from None
    if time.tzinfo is None:
        if calendar is None:
            raise Usage("time-invalid", value=value)
        time = time.replace(tzinfo=_zone(calendar.offset))
    return int(time.timestamp())


def parse_offset(value: str) -> int:
    """Seconds east of UTC; raises `Usage`."""
    match = _OFFSET.fullmatch(value)
    seconds = int(match[2]) * 3600 + int(match[3]) * 60 if match else OFFSET_SECONDS_MAX + 1
    if match is None or seconds > OFFSET_SECONDS_MAX:
        raise Usage("offset-invalid", value=value)
    return -seconds if match[1] == "-" else seconds


def show_offset(offset: int) -> str:
    """Seconds east of UTC as "+08:00"."""
    sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def show_time(time: int, calendar: Calendar) -> str:
    """Unix seconds as a local time of the ledger."""
    try:
        moment = datetime.datetime.fromtimestamp(time, _zone(calendar.offset))
    except (ValueError, OverflowError, OSError):
        return str(time)
    return moment.isoformat(sep=" ")


def show_span(of: LineClass | None, span: Span, calendar: Calendar, lang: str) -> str:
    """Where a span lies, as people read it: local times, a seat, dates, or numbers."""
    axis = of.axis if of else ""
    if axis == "seconds":
        start, end = show_time(span.start, calendar), show_time(span.end, calendar)
        # One day, one offset: the end needs to say neither, but for the midnight after it.
        return f"{start[:19]} – {end[11:] if end[:10] == start[:10] else end}"
    if axis == "whole":
        return text("span-whole", lang)
    if axis == "seats":
        return text("span-seat", lang, seat=span.start, day=dump_date(span.day))
    show = dump_date if axis == "days" else str
    return f"{show(span.start)} – {'∞' if span.end == FOREVER else show(span.end)}"


def printable(line: str) -> str:
    """A line with what cannot be shown spelled out: no document can write a second line, or move
    the cursor."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def _zone(offset: int) -> datetime.timezone:
    return datetime.timezone(datetime.timedelta(seconds=offset))


def read_file(path: Path, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """The bytes of a file; raises `Unreadable`."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable("file-unreadable", path=str(path), reason=error.strerror) from error
    if len(data) > bytes_max:
        raise Unreadable("file-too-long", path=str(path), limit=bytes_max)
    return data


def write_file(path: Path, parts: Iterable[bytes], *, private: bool = False) -> None:
    """Write a file whole or not at all, in the place of one that is there; raises `Usage`."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    mode = 0o600 if private else 0o666
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    except OSError as error:
        raise Usage("file-unwritable", path=str(path), reason=error.strerror) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """A JSON file in the strict form; raises `Unreadable`, `Malformed`."""
    return parse_json(read_file(path), bytes_max=FILE_BYTES_MAX)


def read_methodology(source: str) -> bytes:
    """The document of a methodology: one of the library by its id, or a file."""
    known = library()
    return known[source] if source in known else read_file(Path(source))


def read_secret(path: Path) -> bytes:
    """The secret that `tally key secret` made; raises `Unreadable`."""
    try:
        return bytes.fromhex(read_file(path, SECRET_BYTES_MAX).decode("ascii").strip())
    except ValueError:
        raise Unreadable("secret-unreadable", path=str(path)) from None


def split_pair(value: str) -> tuple[str, str]:
    """The two parts of a "NAME=VALUE" option; raises `Usage`."""
    name, equals, rest = value.partition("=")
    if not (name and equals and rest):
        raise Usage("pair-invalid", value=value)
    return name, rest
