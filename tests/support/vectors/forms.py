"""Strict reading: JSON, base64, hexadecimal, decimals, dates, names; deterministic CBOR."""

from typing import Any

import cbor2
from support.bundles import ledger, world
from support.vectors.common import Case, Vectors, accepted, refused
from support.vectors.common import reduction as said

from chain.reductions import Reduction
from keys.strict import JSON_BYTES_MAX, JSON_DEPTH_MAX, dump_cbor, parse_cbor, parse_decimal

Pieces = list[tuple[bytes, int]]


def read(value: Any) -> Any:
    """A value that was read, as the vectors write it."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return {"integer": str(value)}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, bytes):
        return {"bytes": value}
    if isinstance(value, list | tuple):
        return {"list": [read(item) for item in value]}
    if isinstance(value, cbor2.CBORTag):
        return {"tag": [value.tag, read(value.value)]}
    return {"map": [[read(name), read(item)] for name, item in value.items()]}


def read_json(value: Any) -> Any:
    """As `read`, where the keys of objects are texts."""
    if isinstance(value, dict):
        return {"object": [[name, read_json(item)] for name, item in value.items()]}
    if isinstance(value, list):
        return {"list": [read_json(item) for item in value]}
    return read(value)


# --- JSON ---


def _nested(depth: int) -> Any:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


_GOOD: dict[str, tuple[bytes, Any]] = {
    "null": (b"null", None),
    "true": (b"true", True),
    "false": (b"false", False),
    "zero": (b"0", 0),
    "minus zero": (b"-0", 0),
    "the greatest integer": (b"9223372036854775807", 2**63 - 1),
    "the least integer": (b"-9223372036854775808", -(2**63)),
    "an integer that floating-point rounds": (b"9007199254740993", 2**53 + 1),
    "an empty text": (b'""', ""),
    "an empty object": (b"{}", {}),
    "an empty list": (b"[]", []),
    "white space around and within": (
        b' \t\n\r{ "a" : [ 1 , 2 ] }\r\n',
        {"a": [1, 2]},
    ),
    "keys in no order": (b'{"b":1,"a":2,"":3}', {"b": 1, "a": 2, "": 3}),
    "keys that differ in case": (b'{"a":1,"A":2}', {"a": 1, "A": 2}),
    "keys that look alike": ('{"K":1,"Κ":2}'.encode(), {"K": 1, "Κ": 2}),
    "every short escape": (
        rb'"\"\\\/\b\f\n\r\t"',
        '"\\/\b\f\n\r\t',
    ),
    "escapes of four digits": (rb'"\u0041\u00e9\u00E9\u4e2d"', "Aéé中"),
    "an escaped zero": (rb'"\u0000"', "\0"),
    "an escaped pair of surrogates": (rb'"\ud83d\ude00"', "\U0001f600"),
    "text beyond ASCII": (
        '{"名":"光盘行动 é \U0001f600"}'.encode(),
        {"名": "光盘行动 é \U0001f600"},
    ),
    "a delete and a line separator": ('"\x7f\u2028"'.encode(), "\x7f\u2028"),
    "a text that begins with a combining mark": ('"\u0301"'.encode(), "\u0301"),
    "brackets in a text": (b'"[[[[[[[[[[[[[[[[[[[["', "[" * 20),
    "brackets after an escaped quote": (rb'["\"[[[[[[[[[[[[[[[[["]', ['"' + "[" * 17]),
    "as deep as may be": (b"[" * 16 + b"]" * 16, _nested(16)),
}
_BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "json-invalid"),
    "white space alone": (b" \n", "json-invalid"),
    "two values": (b"{}{}", "json-invalid"),
    "a word after the value": (b"{} x", "json-invalid"),
    "a zero byte after the value": (b"{}\0", "json-invalid"),
    "a comma after the last item": (b"[1,]", "json-invalid"),
    "a comma after the last field": (b'{"a":1,}', "json-invalid"),
    "a missing comma": (b"[1 2]", "json-invalid"),
    "a missing colon": (b'{"a" 1}', "json-invalid"),
    "an open list": (b"[1", "json-invalid"),
    "an open text": (b'"a', "json-invalid"),
    "a comment": (b"[1] // one", "json-invalid"),
    "single quotes": (b"'a'", "json-invalid"),
    "a key without quotes": (b"{a:1}", "json-invalid"),
    "a key that is a number": (b"{1:1}", "json-invalid"),
    "a line feed in a text": (b'"a\nb"', "json-invalid"),
    "a tab in a text": (b'"a\tb"', "json-invalid"),
    "an escape that there is not": (rb'"\x41"', "json-invalid"),
    "an escape that is cut off": (rb'"\u00"', "json-invalid"),
    "a space beyond ASCII": ("[\u00a01]".encode(), "json-invalid"),
    "a form feed": (b"[\f1]", "json-invalid"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "json-invalid"),
    "true in capitals": (b"True", "json-invalid"),
    "a leading zero": (b"01", "json-invalid"),
    "a plus": (b"+1", "json-invalid"),
    "a minus alone": (b"-", "json-invalid"),
    "a hexadecimal number": (b"0x10", "json-invalid"),
    "full-width digits": ("１".encode(), "json-invalid"),
    "a point without digits": (b"1.", "json-invalid"),
    "a point at the beginning": (b".5", "json-invalid"),
    "a fraction": (b"1.5", "json-float"),
    "a fraction that is whole": (b"1.0", "json-float"),
    "minus zero with a fraction": (b"-0.0", "json-float"),
    "an exponent": (b"1e2", "json-float"),
    "a capital exponent": (b"1E400", "json-float"),
    "NaN": (b"NaN", "json-float"),
    "infinity": (b"Infinity", "json-float"),
    "minus infinity": (b"-Infinity", "json-float"),
    "one more than the greatest integer": (b"9223372036854775808", "json-integer-range"),
    "one less than the least integer": (b"-9223372036854775809", "json-integer-range"),
    "two to the 64th": (b"18446744073709551616", "json-integer-range"),
    "an integer of many digits": (b"9" * 100, "json-integer-range"),
    "a key twice": (b'{"a":1,"a":1}', "json-duplicate-key"),
    "a key twice with another between": (b'{"a":1,"b":2,"a":3}', "json-duplicate-key"),
    "a key twice by an escape": (rb'{"a":1,"\u0061":2}', "json-duplicate-key"),
    "a key twice deep inside": (b'[{"x":{"a":1,"a":2}}]', "json-duplicate-key"),
    "an empty key twice": (b'{"":1,"":2}', "json-duplicate-key"),
    "deeper than may be": (b"[" * 17 + b"]" * 17, "json-depth"),
    "objects deeper than may be": (b'{"a":' * 17 + b"1" + b"}" * 17, "json-depth"),
    "text in another form than NFC": ('"e\u0301"'.encode(), "text-not-nfc"),
    "text in another form than NFC by an escape": (rb'"e\u0301"', "text-not-nfc"),
    "a key in another form than NFC": ('{"e\u0301":1}'.encode(), "text-not-nfc"),
    "a key in another form than NFC by an escape": (rb'{"\u0065\u0301":1}', "text-not-nfc"),
    "the sign of Kelvin": ('"\u212a"'.encode(), "text-not-nfc"),
    "the sign of Kelvin by an escape": (rb'"\u212a"', "text-not-nfc"),
    "half of a pair of surrogates": (rb'"\ud800"', "text-not-utf8"),
    "the other half": (rb'"\udc00"', "text-not-utf8"),
    "a pair of surrogates the wrong way round": (rb'"\udc00\ud800"', "text-not-utf8"),
    "half of a pair in a key": (rb'{"\ud800":1}', "text-not-utf8"),
    "a surrogate in three bytes": (b'"\xed\xa0\x80"', "text-not-utf8"),
    "an overlong zero": (b'"\xc0\x80"', "text-not-utf8"),
    "a byte that UTF-8 has not": (b'"\xff"', "text-not-utf8"),
    "a character that is cut off": ('"é"'.encode()[:2] + b'"', "text-not-utf8"),
    "UTF-16": ("{}".encode("utf-16"), "text-not-utf8"),
}
_LIMITED: list[tuple[str, Pieces, int, int, str | None]] = [
    ("as long as may be", [(b"[]", 1), (b" ", 65_534)], 65_536, 16, None),
    ("longer than may be", [(b"[]", 1), (b" ", 65_535)], 65_536, 16, "json-size"),
    ("as long as an activity may be", [(b"[]", 1), (b" ", 8_190)], 8_192, 4, None),
    ("longer than an activity may be", [(b"[]", 1), (b" ", 8_191)], 8_192, 4, "json-size"),
    ("as deep as an activity may be", [(b"[", 4), (b"]", 4)], 8_192, 4, None),
    ("deeper than an activity may be", [(b"[", 5), (b"]", 5)], 8_192, 4, "json-depth"),
    ("very deep", [(b"[", 60_000)], 65_536, 16, "json-depth"),
    ("an integer of very many digits", [(b"9", 60_000)], 65_536, 16, "json-integer-range"),
]


def json_vectors() -> Vectors:
    """json.json."""
    limits = {"bytes_max": JSON_BYTES_MAX, "depth_max": JSON_DEPTH_MAX}
    texts = [
        accepted(name, bytes=data, **limits, value=read_json(value))
        for name, (data, value) in _GOOD.items()
    ]
    texts += [refused(name, code, bytes=data, **limits) for name, (data, code) in _BAD.items()]
    for name, pieces, most, depth, code in _LIMITED:
        given = {"bytes": pieces, "bytes_max": most, "depth_max": depth}
        if code is not None:
            texts.append(refused(name, code, **given))
        else:
            value = _nested(4) if "deep" in name else []
            texts.append(accepted(name, **given, value=read_json(value)))
    return Vectors(
        "Strict JSON, and the texts that stand in it: base64, hexadecimal, decimals, dates, names.",
        [1, 2],
        {
            "texts": texts,
            "base64": _base64(),
            "hex": _hex(),
            "decimals": _decimals(),
            "dates": _dates(),
            "names": _names(),
        },
    )


def _base64() -> list[Case]:
    good = {"": b"", "AA==": b"\0", "AAA=": b"\0\0", "AAAA": bytes(3), "+/+/": b"\xfb\xff\xbf"}
    bad = {
        "without padding": "AA",
        "with too much padding": "AAA==",
        "with padding alone": "====",
        "padding in the middle": "AA==AAAA",
        "a line feed": "AAAA\n",
        "a space": "AA AA",
        "the alphabet of URLs": "-_-_",
        "bits that nobody reads": "AB==",
        "two bits that nobody reads": "AAB=",
        "a full-width letter": "ＡAAA",
        "one letter": "A",
    }
    code = "base64-not-canonical"
    return [
        *(accepted(f"base64 {text!r}", text=text, bytes=data) for text, data in good.items()),
        *(refused(f"base64: {name}", code, text=text) for name, text in bad.items()),
    ]


def _hex() -> list[Case]:
    bad = {
        "a capital": ("0A", 1),
        "shorter than asked": ("00", 2),
        "longer than asked": ("0000", 1),
        "an odd number of digits": ("000", 1),
        "a prefix": ("0x00", 1),
        "a space": ("0 00", 2),
        "a letter beyond f": ("0g", 1),
        "a full-width digit": ("０0", 1),
        "nothing where a byte is asked": ("", 1),
    }
    return [
        accepted("hex of one byte", text="0a", size=1, bytes=b"\n"),
        accepted("hex of four bytes", text="00ff1020", size=4, bytes=b"\0\xff\x10\x20"),
        *(
            refused(f"hex: {name}", "hex-not-canonical", text=text, size=size)
            for name, (text, size) in bad.items()
        ),
    ]


def _decimals() -> list[Case]:
    good = ["0", "1", "0.1", "204.2", "10.01", "9" * 18, "0." + "0" * 17 + "1", "1." + "9" * 18]
    bad = [
        *("", "00", "01", "1.", ".5", "1.0", "0.10", "0.0", "-1", "-0", "+1", "1e3", "1,5", " 1"),
        *("1 ", "1\n", "１", "NaN", "1_000", "1" + "0" * 18, "0." + "0" * 18 + "1", "0x1", "1/2"),
    ]
    made = []
    for text in good:
        number, places = parse_decimal(text)
        made.append(accepted(f"decimal {text!r}", text=text, digits=str(number), decimals=places))
    return [
        *made,
        *(refused(f"decimal {text!r}", "decimal-not-canonical", text=text) for text in bad),
    ]


def _dates() -> list[Case]:
    good = {
        "1970-01-01": 0,
        "1970-01-02": 1,
        "2000-02-29": 11_016,
        "2026-03-02": 20_514,
        "2149-06-06": 65_535,
    }
    bad = [
        *("1969-12-31", "2149-06-07", "9999-12-31", "0000-01-01", "2023-02-29", "2100-02-29"),
        *("2024-02-30", "2024-04-31", "2024-13-01", "2024-00-01", "2024-01-00", "2024-1-1"),
        *("20240101", "2024-W01-1", "2024-001", "24-01-01", "2024/01/01", "2024-01-01 ", ""),
        *("2024-01-01T00:00:00", "２024-01-01", "2024-01-01\n", "+2024-01-01"),
    ]
    return [
        *(accepted(f"date {text!r}", text=text, day=day) for text, day in good.items()),
        *(refused(f"date {text!r}", "date-invalid", text=text) for text in bad),
    ]


def _names() -> list[Case]:
    good = ["a", "1", "city-bus", "example.org", "a-1.b-2", "a" * 64]
    bad = [
        *("", "a" * 65, "A", "a_b", "a b", "a--b", "a..b", "a.-b", "-a", "a-", ".a", "a.", "a\n"),
        *("城市", "é", "ａ", "a/b", "a+b"),
    ]
    return [
        *(accepted(f"name {text!r}", text=text) for text in good),
        *(refused(f"name {text!r}", None, text=text) for text in bad),
    ]


# --- CBOR ---

_ITEMS = {
    "0": "00",
    "23": "17",
    "24": "1818",
    "255": "18ff",
    "256": "190100",
    "65,535": "19ffff",
    "65,536": "1a00010000",
    "the greatest of 4 bytes": "1affffffff",
    "the least of 8 bytes": "1b0000000100000000",
    "for ever": "1b7fffffffffffffff",
    "-1": "20",
    "-24": "37",
    "-25": "3818",
    "-7, an algorithm": "26",
    "no bytes": "40",
    "23 bytes": "57" + "00" * 23,
    "24 bytes": "5818" + "00" * 24,
    "256 bytes": "590100" + "00" * 256,
    "an empty text": "60",
    "a text beyond ASCII": "66e7bb8fe6b58e",
    "an empty list": "80",
    "a list": "83010203",
    "a list of 24": "9818" + "00" * 24,
    "an empty map": "a0",
    "a map in order": "a3010103020f03",
    "a map with a key of two bytes last": "a20f0119018b01",
    "a negative key alone": "a12080",
    "nil": "f6",
    "tag 18": "d28440a0f640",
    "as deep as may be": "81" * 16 + "00",
}
_NO_ITEMS = {
    "nothing": "",
    "0 in two bytes": "1800",
    "23 in two bytes": "1817",
    "255 in three bytes": "1900ff",
    "65,535 in five bytes": "1a0000ffff",
    "4 bytes' worth in nine": "1b00000000ffffffff",
    "-1 in two bytes": "3800",
    "a length in two bytes": "580100",
    "the length of a text in two bytes": "780161",
    "the length of a list in two bytes": "980100",
    "the length of a map in two bytes": "b8010000",
    "a tag in two bytes": "d8128440a0f640",
    "bytes of no definite length": "5f4100ff",
    "a text of no definite length": "7f6161ff",
    "a list of no definite length": "9f00ff",
    "a map of no definite length": "bf0000ff",
    "a map out of order": "a203000100",
    "a map with the longer key first": "a219018b010f01",
    "a map with a key twice": "a201000101",
    "something after the item": "0000",
    "a break alone": "ff",
    "bytes that are cut off": "4200",
    "a list that is cut off": "8201",
    "a length that is cut off": "59",
    "a length beyond all memory": "5b7fffffffffffffff00",
    "a text that is not UTF-8": "61ff",
    "reserved additional information": "1c",
    "a small integer as a big one": "c24101",
    "a date": "c074323032362d30332d30325430303a30303a30305a",
    "a time": "c11a5f000000",
    "an address": "d82063783a79",
    "CBOR in a tag": "d8184100",
    "a tag that nobody knows": "d9d9f700",
    "deeper than may be": "81" * 17 + "00",
}


def cbor_vectors() -> Vectors:
    """cbor.json."""
    items = [
        accepted(f"item: {name}", bytes=text, value=read(parse_cbor(bytes.fromhex(text))))
        for name, text in _ITEMS.items()
    ]
    items += [
        refused(f"item: {name}", "cbor-not-canonical", bytes=text)
        for name, text in _NO_ITEMS.items()
    ]
    return Vectors(
        "Deterministic CBOR, and the reductions that are written in it.",
        [3, 17],
        {"items": items, "reductions": _reductions()},
    )


_LINE_ID = b"\x01" + bytes(range(21))
_DIGEST = bytes(range(32))
_CLAIM = [20_514, _LINE_ID, 5, 9]
_REDUCTION: list[Any] = [1, "metro-app", "city-bus", 1, 20_514, 80, [_CLAIM], _DIGEST]


def _reductions() -> list[Case]:
    small = ledger()
    good = {
        "a bus ride": world().batches[small.rides.index][0],
        "a trip over midnight": world().batches[small.trips.index][1],
        "a trip of 19 days": world().batches[small.trips.index][0],
        "a meal under a cap": world().batches[small.meals.index][0],
        "the least of everything": Reduction.parse(
            dump_cbor([1, "a", "a", 1, 0, 1, [[0, _LINE_ID, 0, 1]], _DIGEST])
        ),
        "the most of everything": Reduction.parse(
            dump_cbor(
                [
                    *(1, "a" * 64, "a" * 64, 2**53 - 1, 65_535, 2**53 - 1),
                    [[65_535, _LINE_ID, 2**63 - 2, 2**63 - 1], [65_535, _LINE_ID]],
                    _DIGEST,
                ]
            )
        ),
    }
    malformed = "reduction-malformed"
    bad: dict[str, tuple[Any, str]] = {
        "no list": ({1: 2}, malformed),
        "a list of seven": (_REDUCTION[:7], malformed),
        "a list of nine": ([*_REDUCTION, 0], malformed),
        "another format": (_with(0, 2), malformed),
        "a format that is true": (_with(0, True), malformed),
        "a format that is a fraction": (_with(0, 1.0), malformed),
        "a platform that is no name": (_with(1, "Metro"), malformed),
        "a platform that is bytes": (_with(1, b"metro-app"), malformed),
        "a scenario that is nothing": (_with(2, ""), malformed),
        "version 0": (_with(3, 0), malformed),
        "a version that is a text": (_with(3, "1"), malformed),
        "a version beyond 63 bits": (_with(3, 2**63), malformed),
        "a day before the first": (_with(4, -1), malformed),
        "a day after the last": (_with(4, 65_536), malformed),
        "no grams": (_with(5, 0), malformed),
        "fewer than no grams": (_with(5, -80), malformed),
        "too many grams": (_with(5, 2**53), malformed),
        "grams that are a fraction": (_with(5, 80.0), malformed),
        "grams that are true": (_with(5, True), malformed),
        "no claims": (_with(6, []), malformed),
        "129 claims": (_with(6, [[0, b"\1" + bytes(21)]] * 129), malformed),
        "claims that are a map": (_with(6, {0: _CLAIM}), malformed),
        "a claim of three": (_with(6, [_CLAIM[:3]]), malformed),
        "a claim of five": (_with(6, [[*_CLAIM, 0]]), malformed),
        "a claim on a day after the last": (_with(6, [[65_536, _LINE_ID]]), malformed),
        "a claim on a line of 21 bytes": (_with(6, [[1, _LINE_ID[:21]]]), malformed),
        "a claim on a line of 23 bytes": (_with(6, [[1, _LINE_ID + b"\0"]]), malformed),
        "a claim on a line that is a text": (_with(6, [[1, "a" * 22]]), malformed),
        "a claim that is empty": (_with(6, [[1, _LINE_ID, 5, 5]]), malformed),
        "a claim that ends before it starts": (_with(6, [[1, _LINE_ID, 6, 5]]), malformed),
        "a claim that starts before 0": (_with(6, [[1, _LINE_ID, -1, 5]]), malformed),
        "a claim that ends after for ever": (_with(6, [[1, _LINE_ID, 1, 2**63]]), malformed),
        "a claim that ends at 2 to the 64th": (_with(6, [[1, _LINE_ID, 1, 2**64]]), malformed),
        "a claim without a start": (_with(6, [[1, _LINE_ID, None, 5]]), malformed),
        "a digest of 31 bytes": (_with(7, _DIGEST[:31]), malformed),
        "a digest of 33 bytes": (_with(7, _DIGEST + b"\0"), malformed),
        "a digest that is a text": (_with(7, _DIGEST.hex()), malformed),
    }
    data = dump_cbor(_REDUCTION)
    other_bytes = {
        "something after it": data + b"\0",
        "a byte less": data[:-1],
        "a list of no definite length": b"\x9f" + data[1:] + b"\xff",
        "a number in too many bytes": data[:1] + b"\x18\x01" + data[2:],
    }
    return [
        *(
            accepted(f"reduction: {name}", bytes=made.data, **said(made))
            for name, made in good.items()
        ),
        *(
            refused(f"reduction: {name}", code, bytes=dump_cbor(value))
            for name, (value, code) in bad.items()
        ),
        *(
            refused(f"reduction: {name}", "cbor-not-canonical", bytes=made)
            for name, made in other_bytes.items()
        ),
    ]


def _with(place: int, value: object) -> list[Any]:
    return [*_REDUCTION[:place], value, *_REDUCTION[place + 1 :]]
