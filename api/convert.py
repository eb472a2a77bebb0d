"""From a platform's own CSV files to activities (`chain.activities`), an NDJSON line each.

A mapping (`api.mappings`) says which column gives which field.  Identifiers are brought to one
spelling (`api.normalisers`) before they become pseudonyms.  What the mapping does not give:

* ``end`` is ``start``; ``id`` is the line's number and the beginning of the row's digest;
* the tier of evidence is "platform-record", and its digest is SHA-256 of the row as it stands in
  the file, in UTF-8, without its line end;
* ``authorisation`` is 64 zeros: none known;
* the nonce is the first 16 bytes of HMAC-SHA256, under the secret of the pseudonyms, over
  ``tally/nonce/v1``, a newline, the row's digest and its line number in decimal: nobody without
  the secret can guess it, and a file that is converted again gives the same bytes again.

A local time that a change of clocks makes ambiguous is refused, unless the call says which of the
two is meant; one that it skips is always refused.  A row that cannot be converted is reported with
its line number, and the others are converted.
"""

import csv
import datetime
import hmac
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any, TextIO

from api.mappings import IDENTIFIERS, TIMES, ColumnMapping
from api.normalisers import normalise
from chain.activities import parse_activity
from chain.formulas import decimal
from keys.errors import Malformed, Refusal, Unreadable, Usage
from keys.pseudonyms import Pseudonymiser
from keys.strict import dump_json

NO_AUTHORISATION = "0" * 64
DEFAULT_TIER = "platform-record"
BATCH_ROWS = 4_096
_PSEUDONYM = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
_EPOCH = datetime.date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Row:
    """A record of a CSV file: the number of its first line, its cells, its digest."""

    number: int
    cells: Sequence[str]
    digest: str


@dataclass
class Converted:
    """What came of a file; ``refused`` gives the line number and why."""

    count: int = 0
    passed_over: int = 0
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    first: int | None = None
    """The earliest start, unix seconds."""
    last: int | None = None
    """The latest end."""


def read_rows(file: TextIO, delimiter: str = ",") -> Iterator[Row]:
    """The records of a CSV file, the header first; raises `Unreadable`.

    file: opened with ``newline=""``.
    """
    number = 0
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in file:
            taken.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            record = "".join(taken).rstrip("\r\n")
            first, number = number + 1, number + len(taken)
            taken.clear()
            if cells:
                yield Row(first, cells, sha256(record.encode()).hexdigest())
    except (csv.Error, UnicodeDecodeError) as error:
        raise Unreadable("csv-unreadable", line=number + 1, reason=error) from error


class Converter:
    """Converts rows, in batches.  ``secret`` is that of the nonces (and of the pseudonyms)."""

    def __init__(
        self,
        mapping: ColumnMapping,
        header: Sequence[str],
        pseudonymiser: Pseudonymiser,
        secret: bytes,
        *,
        ambiguous: str = "refuse",
    ) -> None:
        self._mapping = mapping
        self._width = len(header)
        self._columns = {name.strip(): place for place, name in reversed([*enumerate(header)])}
        self._pseudonymiser = pseudonymiser
        self._secret = secret
        self._ambiguous = ambiguous
        for source in mapping.fields.values():
            for name in source.columns:
                self._place(name)
        self._only = [(self._place(name), values) for name, values in mapping.only.items()]
        self.result = Converted()

    def _place(self, name: str) -> int:
        if name not in self._columns:
            raise Malformed("column-missing", name=name)
        return self._columns[name]

    def lines(self, rows: Iterable[Row]) -> Iterator[bytes]:
        """The activities of ``rows``, each a line without its end; the rest is in `result`."""
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH_ROWS:
                yield from self._batch(batch)
                batch = []
        yield from self._batch(batch)

    def _batch(self, rows: Sequence[Row]) -> Iterator[bytes]:
        drafts: list[tuple[Row, dict[str, Any]]] = []
        for row in rows:
            try:
                if (draft := self._draft(row)) is not None:
                    drafts.append((row, draft))
            except Refusal as refusal:
                self.result.refused.append((row.number, refusal))
        self._pseudonymise([draft for _, draft in drafts])
        for row, draft in drafts:
            line = dump_json(_nested(draft))
            try:
                parse_activity(line)
            except Refusal as refusal:
                self.result.refused.append((row.number, refusal))
                continue
            result = self.result
            result.count += 1
            result.first = min(draft["start"], result.first or draft["start"])
            result.last = max(draft["end"], result.last or draft["end"])
            yield line
        self.result.refused.sort(key=lambda refused: refused[0])

    def _draft(self, row: Row) -> dict[str, Any] | None:
        """The fields of a row, its identifiers still plain; None if it is passed over."""
        if len(row.cells) != self._width:
            raise Malformed("row-cells", count=len(row.cells), expected=self._width)
        if any(row.cells[place].strip() not in values for place, values in self._only):
            self.result.passed_over += 1
            return None
        draft: dict[str, Any] = {
            "format": 1,
            "id": f"{row.number}-{row.digest[:16]}",
            "scenario": self._mapping.scenario,
            "evidence.tier": DEFAULT_TIER,
            "evidence.digest": row.digest,
            "authorisation": NO_AUTHORISATION,
            "nonce": self._nonce(row),
        }
        for name, source in self._mapping.fields.items():
            cells = [row.cells[self._columns[column]].strip() for column in source.columns]
            value = "/".join(cells) if source.constant is None else source.constant
            if not all(cells) or not value:
                if name in TIMES:
                    raise Malformed("cell-empty", field=name)
                continue
            if name in TIMES:
                draft[name] = self._time(value, source.formats)
            elif name.startswith("quantities."):
                draft[name] = _quantity(value, source.scale)
            elif source.is_pseudonym:
                if not _PSEUDONYM.fullmatch(value):
                    raise Malformed("cell-no-pseudonym", field=name)
                draft[name] = value
            elif name in IDENTIFIERS:
                draft[name] = _Plain(normalise(IDENTIFIERS[name], value))
                if not draft[name]:
                    raise Malformed("cell-empty", field=name)
            else:
                draft[name] = value
        draft.setdefault("end", draft["start"])
        if draft["end"] < draft["start"]:
            raise Malformed("row-times", start=draft["start"], end=draft["end"])
        return draft

    def _nonce(self, row: Row) -> str:
        message = f"tally/nonce/v1\n{row.digest}{row.number}".encode()
        return hmac.digest(self._secret, message, "sha256")[:16].hex()

    def _time(self, value: str, formats: Sequence[str]) -> int:
        for form in formats:
            try:
                if form in ("unix", "unix-ms"):
                    if not _DIGITS.fullmatch(value):
                        continue
                    return int(value) // (1000 if form == "unix-ms" else 1)
                if form == "iso":
                    moment = datetime.datetime.fromisoformat(value)
                else:
                    moment = datetime.datetime.strptime(value, form)
            except ValueError:
                continue
            if moment.tzinfo is None:
                moment = self._local(moment)
            return int(moment.timestamp() // 1)
        raise Malformed("cell-time", value=value[:40])

    def _local(self, moment: datetime.datetime) -> datetime.datetime:
        early = moment.replace(tzinfo=self._mapping.zone, fold=0)
        late = moment.replace(tzinfo=self._mapping.zone, fold=1)
        before, after = early.utcoffset(), late.utcoffset()
        if before is None or after is None or before == after:
            return early
        if before < after:
            raise Malformed("time-skipped", value=moment.isoformat(sep=" "))
        if self._ambiguous == "refuse":
            raise Malformed("time-ambiguous", value=moment.isoformat(sep=" "))
        return early if self._ambiguous == "earlier" else late

    def _pseudonymise(self, drafts: Sequence[dict[str, Any]]) -> None:
        """Put pseudonyms in the place of identifiers: one call for a class and a day."""
        wanted: dict[tuple[str, int], list[tuple[dict[str, Any], str]]] = defaultdict(list)
        for draft in drafts:
            day = self._day(draft["start"])
            for name, line_class in IDENTIFIERS.items():
                if isinstance(draft.get(name), _Plain):
                    wanted[line_class, day].append((draft, name))
        for (line_class, day), places in wanted.items():
            plain = [str(draft[name]) for draft, name in places]
            made = self._pseudonymiser.pseudonyms(line_class, day, plain)
            for (draft, name), pseudonym in zip(places, made, strict=True):
                draft[name] = pseudonym

    def _day(self, time: int) -> int:
        """The day number in the mapping's zone, by which a pseudonymiser may choose its key."""
        try:
            local = datetime.datetime.fromtimestamp(time, self._mapping.zone)
        except (ValueError, OverflowError, OSError):
            return 0
        return max(local.date().toordinal() - _EPOCH, 0)


class _Plain(str):
    """An identifier that is not yet a pseudonym."""

    __slots__ = ()


def _quantity(value: str, scale: str | None) -> int:
    if not _DECIMAL.fullmatch(value):
        raise Malformed("cell-number", value=value[:40])
    number = Fraction(value)
    if scale is not None:
        number *= decimal(scale)
    elif number.denominator != 1:
        raise Malformed("cell-number", value=value[:40])
    return int(number // 1)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in flat.items():
        outer, dot, inner = name.partition(".")
        if dot:
            made.setdefault(outer, {})[inner] = value
        else:
            made[outer] = value
    return made


def open_csv(path: Any, encoding: str = "utf-8") -> TextIO:
    """A CSV file opened for `read_rows`; raises `Unreadable`, or `Usage` for the encoding."""
    # A byte order mark at the beginning of a UTF-8 file is no part of the first column's name.
    name = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    try:
        file: TextIO = open(path, encoding=name, newline="")  # noqa: SIM115 (the caller's to close)
    except LookupError:
        raise Usage("encoding-unknown", name=encoding) from None
    except OSError as error:
        raise Unreadable("file-unreadable", path=str(path), reason=error.strerror) from error
    return file
