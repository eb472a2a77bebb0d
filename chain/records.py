"""Records: what stands behind a holder, carried by the statements that rely on it.

The register says who holds a span by a hash alone.  So a statement that builds on a certification,
an issuance, left-over grams or a holding carries its *record*, and the rules compare the record's
holder with the one that stands.  An offline checker does the same with a *held* proof.

A record is an array of values; its holder is that of its kind over their deterministic CBOR.  In
JSON it is an object with a field for each value, in the form that `Record.FORMS` gives it::

    id       32 bytes, in hexadecimal
    nonce    16 bytes in hexadecimal, or "" for none
    date     a day number, as a date
    integer  an integer of 64 bits, as it stands
    text     a text, as it stands
"""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, NamedTuple, Self

from chain.spans import FOREVER, Span, make_holder
from chain.state import View
from keys.errors import Conflict, Malformed
from keys.statements import Statement
from keys.strict import FieldTypes, dump_cbor, dump_date, fields, parse_date, parse_hex

NONCE_SIZE = 16


class _Form(NamedTuple):
    """How a value of a record is written in JSON."""

    json: type
    read: Callable[[Any], Any]
    show: Callable[[Any], Any]


def _as_it_stands(value: Any) -> Any:
    return value


_FORMS: Mapping[str, _Form] = {
    "id": _Form(str, lambda value: parse_hex(value, 32), bytes.hex),
    "nonce": _Form(str, lambda value: parse_hex(value, NONCE_SIZE if value else 0), bytes.hex),
    "date": _Form(str, parse_date, dump_date),
    "integer": _Form(int, _as_it_stands, _as_it_stands),
    "text": _Form(str, _as_it_stands, _as_it_stands),
}


@dataclass(frozen=True)
class Record:
    """A record of one kind; see the module's text."""

    KIND: ClassVar[str]
    FORMS: ClassVar[Mapping[str, str]]
    """The name of each value in JSON, in their order, and its form."""

    @property
    def holder(self) -> bytes:
        """What stands in the register for this record, 32 bytes."""
        return make_holder(self.KIND, dump_cbor(list(astuple(self))))

    def as_json(self) -> dict[str, Any]:
        """The record as a statement carries it."""
        forms = self.FORMS.items()
        return {
            name: _FORMS[form].show(value)
            for (name, form), value in zip(forms, astuple(self), strict=True)
        }

    @classmethod
    def read(cls, value: object) -> Self:
        """A record that a statement carries; raises `Malformed`."""
        types = {name: _FORMS[form].json for name, form in cls.FORMS.items()}
        given = fields(value, cls.KIND, types)
        return cls(*(_FORMS[form].read(given[name]) for name, form in cls.FORMS.items()))


def payload(statement: Statement, required: FieldTypes) -> dict[str, Any]:
    """The payload of a statement: ``format`` 1 and exactly these fields; raises `Malformed`."""
    body = fields(statement.body, statement.kind, {"format": int, **required})
    if body["format"] != 1:
        raise Malformed("format-unknown", where=statement.kind, format=body["format"])
    return body


def check_told(statement: Statement, *names: str) -> None:
    """Raise `Malformed` if one of these texts of the payload says nothing."""
    for name in names:
        if not statement.body[name]:
            raise Malformed("text-empty", where=statement.kind, field=name)


def check_range(start: int, end: int) -> None:
    """Raise `Malformed` unless ``[start, end)`` is a span."""
    if not 0 <= start < end <= FOREVER:
        raise Malformed("range-invalid", start=start, end=end)


def standing(view: View, line: bytes, start: int, end: int, record: Record) -> Span:
    """The live span that holds all of ``[start, end)`` for ``record``.

    Raises `Malformed` for a span that cannot be, and `Conflict` "<kind>-differs", which names the
    last span that was met, if anything else stands there.
    """
    check_range(start, end)
    # If the last one that overlaps holds all of it, there is no other.
    [found] = view.overlapping([(line, start, end)], 1)
    met = found[0] if found else None
    if met is None or not met.start <= start < end <= met.end or met.holder != record.holder:
        raise Conflict(f"{record.KIND}-differs", met=show(met))
    return met


def show(span: Span | None) -> str:
    """A span as a refusal names it."""
    return "–" if span is None else f"[{span.start}, {span.end}) {span.holder.hex()}"
