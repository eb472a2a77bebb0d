"""From a platform's own CSV files to activities (`chain.activities`), an NDJSON line each.

A mapping (`api.mappings`) says which column gives which field, and whether a row makes an
activity by itself or together with another (`api.pairing`).  Identifiers are brought to one
spelling (`api.normalisers`) before they become pseudonyms.  What the mapping does not give:

* ``end`` is ``start``; ``id`` is the line's number and the beginning of the row's digest;
* the tier of evidence is "platform-record", and its digest is SHA-256 of the row as it stands in
  the file, in UTF-8, without its line end;
* ``authorisation`` is 64 zeros: none known;
* the nonce is the first 16 bytes of HMAC-SHA256, under the secret of the pseudonyms, over
  ``tally/nonce/v1``, a newline, the row's digest and its line number in decimal: nobody without
  the secret can guess it, and a file that is converted again gives the same bytes again.

Of a pair, the row that these speak of is both rows with a line feed between them, the one that
opens first, and the line's number is that of the one that opens.

A local time that a change of clocks makes ambiguous is refused, unless the call says which of the
two is meant; one that it skips is always refused.  A row that cannot be converted is reported with
its line number, and the others are converted.  Every row is accounted for once: it is in an
activity, or refused, or left out for a reason that the catalogue explains:

    row-passed-over     the mapping does not take such rows
    row-repeated        an earlier row is alike in all columns that the mapping names for it
    pair-…              it is in no pair (`api.pairing`)
"""

import csv
import datetime
import hmac
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from itertools import islice
from typing import Any, TextIO

from api.identifiers import IDENTIFIERS, nested, plain, put_pseudonyms
from api.mappings import TIMES, ColumnMapping, PairMapping, Source
from api.pairing import End, pair_up
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


@dataclass(frozen=True, slots=True)
class Row:
    """A record of a CSV file: the number of its first line, its cells, and as it stands there, in
    UTF-8."""

    number: int
    cells: Sequence[str]
    text: bytes


Record = tuple[Row, ...]
"""What makes one activity: a row, or the row that opens and the row that closes."""


@dataclass
class Converted:
    """What came of a file, by the numbers of its lines."""

    rows: int = 0
    count: int = 0
    """Activities."""
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    """What cannot be converted, and why."""
    left_out: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """What is in order but makes no activity, by reason (see the module's text)."""
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
            record = "".join(taken).rstrip("\r\n").encode()
            first, number = number + 1, number + len(taken)
            taken.clear()
            if cells:
                yield Row(first, cells, record)
    except (csv.Error, UnicodeError) as error:
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
        self._sources = {
            name: (source, [self._place(column) for column in source.columns])
            for name, source in mapping.fields.items()
        }
        self._only = [(self._place(name), values) for name, values in mapping.only.items()]
        if mapping.pair is not None:
            kinds = mapping.pair.open | mapping.pair.close
            self._only.append((self._place(mapping.pair.column), kinds))
        self._once = [self._place(name) for name in mapping.once]
        self._seen: set[tuple[str, ...]] = set()
        self.result = Converted()

    def _place(self, name: str) -> int:
        if name not in self._columns:
            raise Malformed("column-missing", name=name)
        return self._columns[name]

    def lines(self, rows: Iterable[Row]) -> Iterator[bytes]:
        """The activities of ``rows``, each a line without its end; the rest is in `result`."""
        records = self._records(self._taken(rows))
        while batch := list(islice(records, BATCH_ROWS)):
            yield from self._batch(batch)
        self.result.refused.sort(key=lambda refused: refused[0])
        for numbers in self.result.left_out.values():
            numbers.sort()

    def _taken(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows that the mapping takes."""
        for row in rows:
            self.result.rows += 1
            if (count := len(row.cells)) != self._width:
                self._refuse((row,), Malformed("row-cells", count=count, expected=self._width))
            elif any(self._cell(row, place) not in values for place, values in self._only):
                self._leave_out((row,), "row-passed-over")
            elif self._once and self._is_repeated(row):
                self._leave_out((row,), "row-repeated")
            else:
                yield row

    def _is_repeated(self, row: Row) -> bool:
        cells = tuple(self._cell(row, place) for place in self._once)
        known = len(self._seen)
        self._seen.add(cells)
        return len(self._seen) == known

    def _records(self, rows: Iterable[Row]) -> Iterator[Record]:
        pair = self._mapping.pair
        if pair is None:
            yield from ((row,) for row in rows)
            return
        for reason, record in pair_up(self._ends(rows, pair), pair.longest):
            if reason is None:
                yield record
            else:
                self._leave_out(record, reason)

    def _ends(self, rows: Iterable[Row], pair: PairMapping) -> Iterator[End[Row]]:
        kind = self._place(pair.column)
        keys = [self._place(name) for name in pair.key]
        differ = None if pair.differ is None else self._place(pair.differ)
        for row in rows:
            opens = self._cell(row, kind) in pair.open
            key = tuple(self._cell(row, place) for place in keys)
            try:
                if not all(key):
                    raise Malformed("cell-empty", field=" / ".join(pair.key))
                time = self._time((row,), "start" if opens else "end")
            except Refusal as refusal:
                self._refuse((row,), refusal)
                continue
            place = None if differ is None else self._cell(row, differ)
            yield End(time, opens, key, place, row)

    def _refuse(self, record: Record, refusal: Refusal) -> None:
        self.result.refused += [(row.number, refusal) for row in record]

    def _leave_out(self, record: Record, reason: str) -> None:
        self.result.left_out[reason] += [row.number for row in record]

    def _batch(self, records: Sequence[Record]) -> Iterator[bytes]:
        drafts: list[tuple[Record, dict[str, Any]]] = []
        for record in records:
            try:
                drafts.append((record, self._draft(record)))
            except Refusal as refusal:
                self._refuse(record, refusal)
        put_pseudonyms([draft for _, draft in drafts], self._day, self._pseudonymiser)
        for record, draft in drafts:
            line = dump_json(nested(draft))
            try:
                parse_activity(line)
            except Refusal as refusal:
                self._refuse(record, refusal)
                continue
            result = self.result
            result.count += 1
            first, last = result.first, result.last
            result.first = draft["start"] if first is None else min(first, draft["start"])
            result.last = draft["end"] if last is None else max(last, draft["end"])
            yield line

    def _draft(self, record: Record) -> dict[str, Any]:
        """The fields of an activity, its identifiers still plain."""
        number = record[0].number
        digest = sha256(b"\n".join(row.text for row in record)).hexdigest()
        draft: dict[str, Any] = {
            "format": 1,
            "id": f"{number}-{digest[:16]}",
            "scenario": self._mapping.scenario,
            "evidence.tier": DEFAULT_TIER,
            "evidence.digest": digest,
            "authorisation": NO_AUTHORISATION,
            "nonce": self._nonce(digest, number),
        }
        for name, (source, _) in self._sources.items():
            if name in TIMES:
                draft[name] = self._time(record, name)
            elif value := self._value(record, name):
                draft[name] = _read(name, source, value)
        draft.setdefault("end", draft["start"])
        if draft["end"] < draft["start"]:
            raise Malformed("row-times", start=draft["start"], end=draft["end"])
        return draft

    def _cell(self, row: Row, place: int) -> str:
        cell = row.cells[place].strip()
        return "" if cell in self._mapping.empty else cell

    def _value(self, record: Record, name: str) -> str:
        """What stands for a field, empty if one of its cells is."""
        source, places = self._sources[name]
        if source.constant is not None:
            return source.constant
        row = record[-1 if source.closes else 0]
        cells = [self._cell(row, place) for place in places]
        return "/".join(cells) if all(cells) else ""

    def _nonce(self, digest: str, number: int) -> str:
        message = f"tally/nonce/v1\n{digest}{number}".encode()
        return hmac.digest(self._secret, message, "sha256")[:16].hex()

    def _time(self, record: Record, name: str) -> int:
        value = self._value(record, name)
        if not value:
            raise Malformed("cell-empty", field=name)
        for form in self._sources[name][0].formats:
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

    def _day(self, time: int) -> int:
        """The day number in the mapping's zone, by which a pseudonymiser may choose its key."""
        try:
            local = datetime.datetime.fromtimestamp(time, self._mapping.zone)
        except (ValueError, OverflowError, OSError):
            return 0
        return max(local.date().toordinal() - _EPOCH, 0)


def _read(name: str, source: Source, value: str) -> str | int:
    """A field other than a time, from the text that stands for it; raises `Malformed`."""
    if name.startswith("quantities."):
        return _quantity(value, source.scale)
    if source.is_pseudonym:
        if not _PSEUDONYM.fullmatch(value):
            raise Malformed("cell-no-pseudonym", field=name)
    elif name in IDENTIFIERS:
        value = plain(name, value)
        if not value:
            raise Malformed("cell-empty", field=name)
    return value


def _quantity(value: str, scale: str | None) -> int:
    if not _DECIMAL.fullmatch(value):
        raise Malformed("cell-number", value=value[:40])
    number = Fraction(value)
    if scale is not None:
        number *= decimal(scale)
    elif number.denominator != 1:
        raise Malformed("cell-number", value=value[:40])
    return int(number // 1)


def open_csv(path: Any, encoding: str = "utf-8") -> TextIO:
    """A CSV file opened for `read_rows`; raises `Unreadable`, or `Usage` for the encoding."""
    # A byte order mark at the beginning of a UTF-8 file is no part of the first column's name.
    name = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    try:
        file: TextIO = open(path, encoding=name, newline="")  # noqa: SIM115 (the caller's to close)
    except (LookupError, ValueError):
        raise Usage("encoding-unknown", name=encoding) from None
    except OSError as error:
        raise Unreadable("file-unreadable", path=str(path), reason=error.strerror) from error
    return file
