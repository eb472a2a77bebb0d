"""A second checker of bundles, written from docs/spec.md alone; it shares no code with the first.

    python tests/independent_checker.py BUNDLE POLICY

prints the verdict.  § is a section of the specification.
"""

import base64
import calendar
import hashlib
import json
import re
import sys
import unicodedata
from datetime import date
from fractions import Fraction
from pathlib import Path

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FOREVER, ZERO, DAY_MAX, ALG = 2**63 - 1, bytes(32), 65_535, b"\xff" * 7 + b"\xf8"
LOGGED, DOCUMENT = "index:i data:s path:l", "document:s held:d"
HELD = "line:s start:n end:n holder:h path:l before:o after:o"
COMMON = "format:s kind:s checkpoint:s genesis:d seal:d rules:d classes:d books:o"
KINDS = {
    "reduction": f"{COMMON} submission:d signer:d reduction:d scenario:d methodology:d claims:l"
    " activity:t",
    "span": f"{COMMON} submission:d signer:d leaf:d held:d",
    "free": f"{COMMON} free:d",
}
MEMBERS = {"ticket": "issuer:s number:s", "order": "issuer:s number:s"}
MEMBERS |= {"parcel": "carrier:s number:s", "bill": "issuer:s account:s month:s"}
OPTIONAL = "subject:s vehicle:s meter:s attributes:d quantities:d ticket:d order:d parcel:d bill:d"
TYPES = {"s": str, "i": int, "n": int, "h": str, "l": list, "d": dict, "b": bool, "o": dict}


class BadError(Exception):
    """The bundle, or the policy, is not good."""


def need(condition):
    if not condition:
        raise BadError


def bad(_text):
    raise BadError


def full(pattern, value):
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def H(*parts):  # noqa: N802
    return hashlib.sha256(b"".join(parts)).digest()


def u(number, size=8):
    return number.to_bytes(size, "big")


def is_name(value):  # §1
    return full(r"[a-z0-9]+([-.][a-z0-9]+)*", value) and len(value) <= 64


def whole(value, least=0, most=FOREVER):
    return type(value) is int and least <= value <= most


def unhex(value, size=32):
    need(full(f"[0-9a-f]{{{2 * size}}}", value))
    return bytes.fromhex(value)


def unbase64(value):
    data = base64.b64decode(value, validate=True)
    need(base64.b64encode(data).decode() == value)
    return data


def decimal(value):
    need(full(r"(0|[1-9][0-9]{0,17})(\.[0-9]{0,17}[1-9])?", value))
    return Fraction(value)


def read_date(value):
    need(full(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value))
    day = (date.fromisoformat(value) - date(1970, 1, 1)).days
    need(0 <= day <= DAY_MAX)
    return day


def read_json(data, most=65_536, deep=16):  # §2
    def pairs(items):
        need(len(dict(items)) == len(items))
        return dict(items)

    def integer(text):
        need(len(text) <= 20 and -(2**63) <= int(text) < 2**63)
        return int(text)

    def walk(value, depth):
        if isinstance(value, str):
            value.encode()  # refuses lone surrogates
            need(unicodedata.is_normalized("NFC", value))
        elif isinstance(value, dict | list):
            need(depth < deep)
            for item in [*value, *value.values()] if isinstance(value, dict) else value:
                walk(item, depth + 1)

    need(len(data) <= most)
    text, number = data.decode(), {"parse_int": integer, "parse_float": bad, "parse_constant": bad}
    need(unicodedata.is_normalized("NFC", text))
    value = json.loads(text, object_pairs_hook=pairs, **number)
    walk(value, 0)
    return value


def obj(value, required, optional="", where=()):
    """An object with these fields, each "name:type"; n is 0 to FOREVER, h hex, o and t or null."""
    types = dict(field.split(":") for field in f"{required} {optional}".split())
    need(type(value) is dict and value.keys() <= types.keys())
    need(all(field.split(":")[0] in value for field in required.split()))
    for name, item in value.items():
        kind = types[name]
        if not (kind in "ot" and item is None) and kind != "?":
            need(type(item) is TYPES.get(kind, str))
            need(kind != "n" or 0 <= item)
            need(kind != "h" or unhex(item))
    return value


def read_cbor(data):  # §3
    value = cbor2.loads(data)
    need(cbor2.dumps(value, canonical=True) == data)
    return value


def holder(kind, *content):  # §4
    return H(b"tally/holder/", kind.encode(), b"/v1\n", *content)


P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # §5
Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


def sound_y(data):
    y = int.from_bytes(data, "little") % 2**255
    need(y < P and y not in (0, 1, P - 1, Y8, P - Y8))
    return y


def sound_key(raw):
    need(len(raw) == 32)
    y, d = sound_y(raw), -121665 * pow(121666, -1, P)
    need(pow((y * y - 1) * pow(d * y * y + 1, -1, P), (P - 1) // 2, P) == 1)
    return raw


def check_signature(raw, signature, message):
    need(len(signature) == 64 and int.from_bytes(signature[32:], "little") < L)
    sound_y(signature[:32])
    Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)


class Statement:  # §6
    def __init__(self, data):
        tagged = read_cbor(data)
        need(len(data) <= 65_535 and isinstance(tagged, cbor2.CBORTag) and tagged.tag == 18)
        protected, unprotected, payload, self.signature = tagged.value
        need(all(type(part) is bytes for part in (protected, payload, self.signature)))
        need(unprotected == {} and self.signature and len(protected) <= 1_024)
        header = read_cbor(protected)
        claims = header[15]
        need(all(type(key) is int for key in (*header, *claims)))
        need(header.keys() == {1, 3, 4, 15} and whole(header[1], -(2**63)))
        match = re.fullmatch(r"application/vnd\.tally\.([a-z]+(?:-[a-z]+)*)\+json", header[3])
        self.kind, self.alg, self.kid, self.issuer = match[1], header[1], header[4], claims[1]
        need(len(self.kind) <= 32 and type(self.kid) is bytes and len(self.kid) == 16)
        need(claims.keys() == ({1, 2, 4} if self.kind == "genesis" else {1, 2, 3, 4}))
        need(is_name(self.issuer) and whole(claims[4]) and 1 <= len(claims[2]) <= 128)
        hidden = "[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
        need(not re.search(hidden, claims[2]) and unicodedata.is_normalized("NFC", claims[2]))
        self.audience = unhex(claims[3]) if 3 in claims else None
        self.data, self.body = data, read_json(payload)
        need(type(self.body) is dict)
        self.signed = cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)
        self.id = H(b"tally/statement/v1\n", self.signed)

    def verify(self, raw):
        need(self.alg == -8 and self.kid == H(b"tally/kid/v1\n", ALG, raw)[:16])
        check_signature(raw, self.signature, self.signed)


class Classes:  # §9 to §11
    GRAMMARS = {"pseudonym": "[0-9a-f]{32}", "period": "day|month|year", "text": "[!-~]{1,64}"}
    GRAMMARS |= {"month": "[0-9]{4}-(0[1-9]|1[0-2])", "slug": "", "participant": "", "issuer": ""}
    AXES = ("seconds", "whole", "seats", "days", "serials", "ordinal", "index")

    def __init__(self, document, offset):
        self.offset, self.named, self.numbered = offset, {}, {}
        given = obj(read_json(document), "format:i classes:l issuers:d")
        types = "number:i name:s axis:s dated:b parts:l longest:i claimed_by:s stops:d"
        for item in given["classes"]:
            name, number, axis = obj(item, types)["name"], item["number"], item["axis"]
            obj(item["stops"], "en:s zh:s")
            need(1 <= number <= 255 and is_name(name) and 1 <= item["longest"])
            need(axis in self.AXES and item["dated"] == (axis in ("seconds", "seats")))
            parts = [obj(part, "name:s grammar:s normaliser:s") for part in item["parts"]]
            item["grammars"] = grammars = [part["grammar"] for part in parts]
            need(self.GRAMMARS.keys() >= set(grammars))
            need(axis != "seats" or grammars[1:2] == ["period"])
            need(name not in self.named and number not in self.numbered)
            self.named[name] = self.numbered[number] = item
        for name, issuers in given["issuers"].items():
            need("issuer" in self.named[name]["grammars"] and type(issuers) is list)
            need(all(map(is_name, issuers)) and given["format"] == 1)
        self.issuers = given["issuers"]
        need(given["format"] == 1)

    def day(self, time):
        return (time + self.offset) // 86_400

    def midnight(self, day):
        return day * 86_400 - self.offset

    def period_end(self, day, period):
        of = date.fromordinal(date(1970, 1, 1).toordinal() + day)
        if period == "month":
            of = of.replace(day=calendar.monthrange(of.year, of.month)[1])
        of = date(of.year, 12, 31) if period == "year" else of
        return (of - date(1970, 1, 1)).days

    def line(self, name, parts, day=None):
        of = self.named[name]
        need(len(parts) == len(of["grammars"]) and of["dated"] == (day is not None))
        for grammar, part in zip(of["grammars"], parts, strict=True):
            need(full(self.GRAMMARS[grammar], part) if self.GRAMMARS[grammar] else is_name(part))
            need(grammar != "issuer" or part in self.issuers.get(name, ()))
        stamp = b"" if day is None else u(day, 2)
        named = H(b"tally/line/v1\n", cbor2.dumps(parts, canonical=True), stamp)
        return u(day or 0, 2) + u(of["number"], 1) + named[:21]

    def allow(self, line, start, end):
        of, day = self.numbered[line[2]], int.from_bytes(line[:2], "big")
        need(0 <= start < end <= FOREVER and end - start <= of["longest"])
        need(of["dated"] or day == 0)
        if of["axis"] == "seconds":
            need(self.midnight(day) <= start and end <= self.midnight(day + 1))
        need(of["axis"] != "whole" or (start == 0 and end == FOREVER))
        need(of["axis"] != "seats" or end == start + 1)


def bit(key, place):
    return key[place // 8] >> (7 - place % 8) & 1


def cut(key, bits):
    """The first bits of a key, filled up with zeros to whole bytes."""
    size, rest = (bits + 7) // 8, -bits % 8
    return u(int.from_bytes(key[:size], "big") >> rest << rest, size)


def shared(one, other):
    return 256 - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


class Register:  # §12, §13: proofs under one root
    def __init__(self, root, classes):
        self.root, self.classes = root, classes

    def under(self, key, digest, path):
        """The path, if it leads from the digest to the root."""
        last, read = 256, [(bits, unhex(sibling)) for bits, sibling in path]
        for bits, sibling in reversed(read):
            need(type(bits) is int and 0 <= bits < last and sibling != ZERO)
            pair = (sibling, digest) if bit(key, bits) else (digest, sibling)
            last, digest = bits, H(b"\x11", u(bits, 2), cut(key, bits), *pair)
        need(digest == self.root)
        return key, read

    def leaf(self, line, start, end, by, path):
        key = line + u(start)
        return self.under(key, H(b"\x10", key, H(u(end), unhex(by))), path)

    def before(self, line, given, start):
        if given is None:
            return None
        obj(given, "start:n end:n holder:h path:l")
        need(given["start"] < start and given["end"] <= start)
        return self.leaf(line, *given.values()) if list(given) == HELD else self.leaf(
            line, given["start"], given["end"], given["holder"], given["path"]
        )
