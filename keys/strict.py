"""Strict reading of what strangers send: JSON, base64, hexadecimal, decimals, dates, CBOR.

One value has one spelling.  Whatever is read is either refused or, written again, gives the same
text (base64, hexadecimal, decimals, dates, CBOR).  JSON is never written again to check a hash:
its bytes are kept; it must be UTF-8 in normal form C, without duplicate keys, fractions,
exponents, NaN or infinities, with integers that fit 64 bits, and within bounds on size and depth.
"""

import base64
import datetime
import functools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import cbor2

from keys.errors import Malformed

JSON_BYTES_MAX = 65_536
JSON_DEPTH_MAX = 16
CBOR_DEPTH_MAX = 16
INTEGER_MAX = 2**63 - 1
INTEGER_MIN = -(2**63)
_EPOCH = datetime.date(1970, 1, 1)
DAY_MAX = 65_535

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{0,17}[1-9])?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                # A lone surrogate, which an escape can spell, could not be shown.
                shown = key[:80].encode("utf-8", "replace").decode("utf-8")
                raise Malformed("json-duplicate-key", key=shown)
            seen.add(key)
    return made


def _float(value: str) -> NoReturn:
    raise Malformed("json-float", value=value[:40])


def _int(value: str) -> int:
    # 20 characters hold every 64-bit integer; longer ones are refused before they are computed.
    if len(value) > 20 or not INTEGER_MIN <= (number := int(value)) <= INTEGER_MAX:
        raise Malformed("json-integer-range")
    return number


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_float, parse_int=_int, parse_constant=_float
)
# A string is taken whole even where it never closes, and given back never: one pass, always.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def _depth(source: str) -> int:
    depth = deepest = 0
    for token in _BRACKETS.findall(source):
        if token in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in "]}":
            depth -= 1
    return deepest


def parse_json(
    data: bytes, *, bytes_max: int = JSON_BYTES_MAX, depth_max: int = JSON_DEPTH_MAX
) -> Any:
    """Read one JSON value from UTF-8 bytes; raises `Malformed` for anything but the strict form."""
    if len(data) > bytes_max:
        raise Malformed("json-size", limit=bytes_max)
    try:
        source = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("text-not-utf8") from None
    # Escapes can spell what the bytes do not show, so they are checked after decoding.
    if not (data.isascii() or unicodedata.is_normalized("NFC", source)):
        raise Malformed("text-not-nfc")
    # More opening brackets than the bound allows is the only way to be too deep.
    if source.count("[") + source.count("{") > depth_max and _depth(source) > depth_max:
        raise Malformed("json-depth", limit=depth_max)
    try:
        value = _decoder.decode(source)
    except (ValueError, RecursionError) as error:
        raise Malformed("json-invalid", reason=getattr(error, "msg", "nested too deep")) from None
    if "\\u" in source:
        _check_text(value)
    return value


def _check_text(value: Any) -> None:
    if isinstance(value, str):
        parse_text(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            parse_text(key)
            _check_text(item)
    elif isinstance(value, list):
        for item in value:
            _check_text(item)


def parse_text(value: str) -> str:
    """``value`` if it is in normal form C and has no lone surrogate; raises `Malformed`."""
    if not value.isascii():
        if not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value):
            raise Malformed("text-not-utf8")
        if not unicodedata.is_normalized("NFC", value):
            raise Malformed("text-not-nfc")
    return value


def dump_json(value: Any) -> bytes:
    """JSON as this project writes it: UTF-8, no spaces, keys in order.  For new documents only."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def parse_base64(value: object, size: int | None = None) -> bytes:
    """Standard padded base64 (RFC 4648, section 4) of ``size`` bytes if given."""
    if not isinstance(value, str):
        raise Malformed("base64-not-canonical")
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError:
        raise Malformed("base64-not-canonical") from None
    if dump_base64(data) != value or (size is not None and len(data) != size):
        raise Malformed("base64-not-canonical")
    return data


def dump_base64(data: bytes) -> str:
    """Standard padded base64 (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def parse_hex(value: object, size: int) -> bytes:
    """Lower-case hexadecimal of exactly ``size`` bytes."""
    if isinstance(value, str) and len(value) == 2 * size:
        try:
            data = bytes.fromhex(value)
        except ValueError:
            data = b""
        if data.hex() == value:
            return data
    raise Malformed("hex-not-canonical", size=size)


def parse_decimal(value: object) -> tuple[int, int]:
    """A non-negative decimal such as "204.2" as (2042, 1): an integer and its count of decimals."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise Malformed("decimal-not-canonical", value=str(value)[:40])
    whole, _, fraction = value.partition(".")
    return int(whole + fraction), len(fraction)


def parse_date(value: object) -> int:
    """A date "2026-01-31" as its day number, counted from 1970-01-01; 0 to 65,535."""
    return _parse_date(value if isinstance(value, str) else repr(value))


@functools.lru_cache(maxsize=4096)
def _parse_date(value: str) -> int:
    if _DATE.fullmatch(value):
        try:
            day = (datetime.date.fromisoformat(value) - _EPOCH).days
        except ValueError:
            day = -1
        if 0 <= day <= DAY_MAX:
            return day
    raise Malformed("date-invalid", value=value[:40])


def dump_date(day: int) -> str:
    """The day number ``day`` as a date "2026-01-31"."""
    return (_EPOCH + datetime.timedelta(days=day)).isoformat()


def dump_cbor(value: Any) -> bytes:
    """Deterministic CBOR (RFC 8949, section 4.2).

    Map keys stand in length-first order (section 4.2.3), which among keys of one major type is
    also the bytewise order of section 4.2.1.
    """
    return cbor2.dumps(value, canonical=True)


class _Tags(Mapping[int, Callable[[Any, bool], NoReturn]]):
    """No data makes the decoder build a pattern, a date or an address: all tags are refused but
    those of integers beyond 64 bits and of COSE_Sign1 (RFC 9052), which the decoder knows."""

    def __getitem__(self, tag: int) -> Callable[[Any, bool], NoReturn]:
        if tag in (2, 3, 18):
            raise KeyError(tag)
        return _refuse_tag

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _refuse_tag(_value: Any, _immutable: bool) -> NoReturn:
    raise ValueError("tag")


_TAGS = _Tags()


def parse_cbor(data: bytes, *, depth_max: int = CBOR_DEPTH_MAX) -> Any:
    """Read one item of deterministic CBOR; raises `Malformed` if it would be written differently.

    depth_max: how deep arrays, maps and tags may stand in one another.
    """
    try:
        value = cbor2.loads(data, max_depth=depth_max, semantic_decoders=_TAGS)
        same = dump_cbor(value) == data
    except Exception:  # the decoder raises many kinds; each means that these bytes are not ours
        raise Malformed("cbor-not-canonical") from None
    if not same:
        raise Malformed("cbor-not-canonical")
    return value


FieldTypes = Mapping[str, type | tuple[type, ...]]
"""What the fields of an object may be, by name."""


def fields(
    value: object,
    where: str,
    required: FieldTypes,
    optional: FieldTypes | None = None,
) -> dict[str, Any]:
    """``value`` if it is an object with exactly the required fields, perhaps the optional ones.

    Each field maps to its type; ``bool`` does not pass for ``int``.  Raises `Malformed`.
    """
    if not isinstance(value, dict):
        raise Malformed("field-type", where=where, field=".", expected="an object")
    optional = optional or {}
    for name in required:
        if name not in value:
            raise Malformed("field-missing", where=where, field=name)
    for name, item in value.items():
        expected = required.get(name) or optional.get(name)
        if expected is None:
            raise Malformed("field-unknown", where=where, field=name[:80])
        if not isinstance(item, expected) or (isinstance(item, bool) and expected is not bool):
            kinds = expected if isinstance(expected, tuple) else (expected,)
            names = " or ".join(_KIND_NAMES.get(kind, kind.__name__) for kind in kinds)
            raise Malformed("field-type", where=where, field=name, expected=names)
    return value


_KIND_NAMES: dict[type, str] = {
    str: "text",
    int: "an integer",
    dict: "an object",
    list: "a list",
    bool: "true or false",
}
