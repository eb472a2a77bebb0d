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
TYPES = {
    "s": str,
    "i": int,
    "n": int,
    "h": str,
    "l": list,
    "d": dict,
    "b": bool,
    "o": dict,
    "t": str,
}


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


def obj(value, required, optional=""):
    """An object with these fields, "name:type" each: n is 0 or more, h hex, o and t may be null."""
    types = dict(field.split(":") for field in f"{required} {optional}".split())
    need(type(value) is dict and value.keys() <= types.keys())
    need(all(field.split(":")[0] in value for field in required.split()))
    for name, item in value.items():
        kind = types[name]
        if kind != "?" and not (kind in "ot" and item is None):
            need(type(item) is TYPES[kind] and (kind != "n" or item >= 0))
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
        """The key and its path, if this leads from the digest to the root."""
        need(len(path) <= 256)
        last, read = 256, [(bits, unhex(sibling)) for bits, sibling in path]
        for bits, sibling in reversed(read):
            need(type(bits) is int and 0 <= bits < last and sibling != ZERO)
            pair = (sibling, digest) if bit(key, bits) else (digest, sibling)
            last, digest = bits, H(b"\x11", u(bits, 2), cut(key, bits), *pair)
        need(digest == self.root)
        return key, read

    def leaf(self, line, given):
        key = line + u(given["start"])
        value = H(u(given["end"]), unhex(given["holder"]))
        return self.under(key, H(b"\x10", key, value), given["path"])

    def before(self, line, given, start):
        obj(given, "start:n end:n holder:h path:l")
        need(given["start"] < start and given["end"] <= start)
        return self.leaf(line, given)

    def after(self, line, given, end):
        obj(given, "start:n value:h path:l")
        need(given["start"] >= end)
        key = line + u(given["start"])
        return self.under(key, H(b"\x10", key, unhex(given["value"])), given["path"])

    def end_of_line(self, key, path, side):
        """First on its line (side 1), or last (side 0)."""
        need(not any(bits >= 192 and bit(key, bits) == side for bits, _ in path))

    def side_by_side(self, left, left_path, right, right_path):
        forks = [n for n, (bits, _) in enumerate(left_path) if bits >= 192 and not bit(left, bits)]
        need(forks and forks[-1] < len(right_path))
        fork = forks[-1]
        need(left_path[:fork] == right_path[:fork])
        need(left_path[fork][0] == right_path[fork][0] == shared(left, right))
        need(not any(bit(right, bits) for bits, _ in right_path[fork + 1 :]))

    def held(self, held, line, by):
        obj(held, HELD)
        need(unhex(held["line"], 24) == line and unhex(held["holder"]) == by)
        self.classes.allow(line, held["start"], held["end"])
        here = self.leaf(line, held)
        if held["before"] is None:
            self.end_of_line(*here, 1)
        else:
            self.side_by_side(*self.before(line, held["before"], held["start"]), *here)
        if held["after"] is None:
            self.end_of_line(*here, 0)
        else:
            self.side_by_side(*here, *self.after(line, held["after"], held["end"]))

    def free(self, given):
        obj(given, "line:s start:n end:n", "present:d absent:d")
        line, start, end = unhex(given["line"], 24), given["start"], given["end"]
        self.classes.allow(line, start, end)
        if "present" in given:
            shown = obj(given["present"], "before:o after:o")
            need("absent" not in given and shown != {"before": None, "after": None})
            before = shown["before"] is not None and self.before(line, shown["before"], start)
            after = shown["after"] is not None and self.after(line, shown["after"], end)
            if before and after:
                self.side_by_side(*before, *after)
            else:
                self.end_of_line(*(before or after), 0 if before else 1)
        elif "absent" in given:
            shown = obj(given["absent"], "path:l", "leaf:d inner:d")
            need(len(shown) == 2 and all(bits < 192 for bits, _ in shown["path"]))
            if "leaf" in shown:
                leaf = obj(shown["leaf"], "line:s start:n value:h")
                other = unhex(leaf["line"], 24)
                need(other != line)
                digest = H(b"\x10", other, u(leaf["start"]), unhex(leaf["value"]))
            else:
                inner = obj(shown["inner"], "bits:n prefix:s left:h right:h")
                bits, children = inner["bits"], (unhex(inner["left"]), unhex(inner["right"]))
                need(bits < 256 and ZERO not in children)
                prefix = unhex(inner["prefix"], (bits + 7) // 8)
                need(cut(prefix, bits) == prefix)
                need(not shown["path"] or bits > shown["path"][-1][0])
                need(shared(prefix.ljust(32, b"\0"), line + bytes(8)) < min(bits, 192))
                digest = H(b"\x11", u(bits, 2), prefix, *children)
            self.under(line + bytes(8), digest, shown["path"])
        else:
            need(self.root == ZERO)


def read_activity(data):  # §14
    required = "format:i id:s scenario:s start:n end:n evidence:d authorisation:h nonce:s"
    given = obj(read_json(data, 8_192, 4), required, OPTIONAL)
    need(b"\n" not in data and b"\r" not in data and given["format"] == 1)
    need(given["start"] <= given["end"] and 1 <= len(given["id"]) <= 128)
    obj(given["evidence"], "tier:s digest:h")
    need(full("([0-9a-f]{2}){16,64}", given["nonce"]))
    need(all(whole(item) for item in given.get("quantities", {}).values()))
    need(all(type(item) is str for item in given.get("attributes", {}).values()))
    for name in given.keys() & MEMBERS.keys():
        obj(given[name], MEMBERS[name])
    return given


class Methodology:  # §15
    def __init__(self, document, classes):
        required = "format:i id:s version:i title:d source:d points:n tiers:l duration:d"
        required += " quantities:d grams:? claims:l"
        self.given = given = obj(read_json(document, 32_768), required, "tables:d slots:d")
        self.classes, self.id, self.version = classes, given["id"], given["version"]
        need(given["format"] == 1 and is_name(self.id) and self.version >= 1)
        obj(given["title"], "en:s zh:s"), obj(given["source"], "standard:s table:s date:s")
        need(all(type(tier) is str for tier in given["tiers"]))
        for bounds in (given["duration"], *given["quantities"].values()):
            need(obj(bounds, "min:n max:n")["min"] <= bounds["max"])
        self.duration = given["duration"]["min"], given["duration"]["max"]
        self.tables, self.nodes = {}, 0
        for name, table in given.get("tables", {}).items():
            by, rows = obj(table, "by:l rows:l")["by"], table["rows"]
            need(by and rows and all(type(cell) is str for row in (by, *rows) for cell in row))
            need(all(type(row) is list and len(row) == len(by) + 1 for row in rows))
            self.tables[name] = by, {tuple(row[:-1]): decimal(row[-1]) for row in rows}
            need(len(self.tables[name][1]) == len(rows))
        low, high = self.bounds(given["grams"])
        self.grams = max(low // 1, 1), high // 1
        need(1 <= self.grams[1] < 2**53)
        self.slots, last = [], 0
        if "slots" in given:
            obj(given["slots"], "field:s rows:l")
            for row in given["slots"]["rows"]:
                need(type(row) is list and len(row) == 3 and is_name(row[2]))
                need(all(full("([01][0-9]|2[0-3]):[0-5][0-9]|24:00", time) for time in row[:2]))
                start, end = (int(time[:2]) * 3600 + int(time[3:]) * 60 for time in row[:2])
                need(last <= start < end)
                self.slots.append((start, end, row[2]))
                last = end
        self.templates = [self.template(item) for item in given["claims"]]
        sure = [t for t in self.templates if "optional" not in t]
        need(any(t["axis"] in ("seconds", "whole") for t in sure))

    def template(self, item):
        obj(item, "class:s parts:l", "span:d guard:i seats:i optional:s")
        of, parts = self.classes.named[item["class"]], item["parts"]
        axis, longest, guard = of["axis"], of["longest"], item.get("guard", 0)
        need(of["claimed_by"] == "reduction" and axis in ("seconds", "whole", "seats"))
        need(len(parts) == len(of["grammars"]) and all(type(part) is str for part in parts))
        need(not any("{" in re.sub(r"\{[a-z]+(\.[a-z]+)?\}", "", part) for part in parts))
        need(item.get("optional", "subject") + ":" in OPTIONAL.replace(":", ": ").split(" ")[::2])
        need(axis == "seconds" or not {"span", "guard"} & item.keys())
        need((axis == "seats") == ("seats" in item) and 0 <= guard <= 3600)
        if axis == "seats":
            need(parts[1] in ("day", "month", "year") and 1 <= item["seats"] <= longest)
        n = obj(item["span"], "seconds:i")["seconds"] if "span" in item else None
        need(n is None or 1 <= n <= longest)
        need(axis != "seconds" or n is not None or self.duration[0] + 2 * guard >= 1)
        return item | {"of": of, "axis": axis, "longest": longest, "guard": guard, "n": n}

    def bounds(self, node):
        self.nodes += 1
        need(self.nodes <= 64)
        if type(node) is str:
            return decimal(node), decimal(node)
        ((operation, given),) = node.items()
        if operation == "quantity":
            return tuple(Fraction(self.given["quantities"][given][end]) for end in ("min", "max"))
        if operation == "duration":
            need(given == "seconds")
            return tuple(map(Fraction, self.duration))
        if operation == "lookup":
            values = self.tables[given][1].values()
            return min(values), max(values)
        need(type(given) is list and given)
        first, *rest = map(self.bounds, given)
        need(operation in ("sum", "product", "difference"))
        need(operation != "difference" or len(rest) == 1)
        for other in rest:
            if operation == "sum":
                first = first[0] + other[0], first[1] + other[1]
            elif operation == "difference":
                first = first[0] - other[1], first[1] - other[0]
            else:
                corners = [one * two for one in first for two in other]
                first = min(corners), max(corners)
        return first

    def value(self, node, activity, day):
        if type(node) is str:
            return decimal(node)
        ((operation, given),) = node.items()
        if operation == "quantity":
            return Fraction(activity["quantities"][given])
        if operation == "duration":
            return Fraction(activity["end"] - activity["start"])
        if operation == "lookup":
            year = str(date.fromordinal(date(1970, 1, 1).toordinal() + day).year)
            known = {"tier": activity["evidence"]["tier"], "year": year}
            known = activity.get("attributes", {}) | known
            return self.tables[given][1][tuple(known.get(by, "") for by in self.tables[given][0])]
        first, *rest = (self.value(item, activity, day) for item in given)
        for other in rest:
            first = {"sum": first + other, "product": first * other}.get(operation, first - other)
        return first

    def fill(self, part, activity):
        def text(match):
            name, _, member = match[1].partition(".")
            if "slots" in self.given and match[1] == self.given["slots"]["field"]:
                second = (activity["start"] + self.classes.offset) % 86_400
                return next(slot for low, high, slot in self.slots if low <= second < high)
            found = activity[name][member] if member else activity[name]
            need(type(found) is str)
            return found

        return re.sub(r"\{([a-z]+(?:\.[a-z]+)?)\}", text, part)

    def reduce(self, data, platform):
        """The bytes of the reduction that an activity gives."""
        activity, classes = read_activity(data), self.classes
        start, end = activity["start"], activity["end"]
        need(activity["evidence"]["tier"] in self.given["tiers"])
        need(self.duration[0] <= end - start <= self.duration[1])
        for name, bounds in self.given["quantities"].items():
            need(bounds["min"] <= activity["quantities"][name] <= bounds["max"])
        day, claims = classes.day(start), []
        grams = int(self.value(self.given["grams"], activity, day) // 1)
        need(0 <= day <= DAY_MAX and grams >= 1)
        for t in self.templates:
            if t.get("optional", "id") not in activity:
                continue
            name, parts = t["class"], [self.fill(part, activity) for part in t["parts"]]
            if t["axis"] == "whole":
                claims.append([0, classes.line(name, parts)[2:], 0, FOREVER])
            elif t["axis"] == "seats":
                last = classes.period_end(day, parts[1])
                claims.append([last, classes.line(name, parts, last)[2:]])
            else:
                first = start - t["guard"]
                last = (end if t["n"] is None else start + t["n"]) + t["guard"]
                need(0 <= first < last and last - first <= t["longest"])
                need(0 <= classes.day(first) and classes.day(last - 1) <= DAY_MAX)
                for d in range(classes.day(first), classes.day(last - 1) + 1):
                    low, high = max(first, classes.midnight(d)), min(last, classes.midnight(d + 1))
                    claims.append([d, classes.line(name, parts, d)[2:], low, high])
        need(1 <= len(claims) <= 128)
        digest = H(b"tally/activity/v1\n", data)
        made = [1, platform, activity["scenario"], self.version, day, grams, claims, digest]
        return cbor2.dumps(made, canonical=True)

    def match(self, reduction):
        """For each claim of a reduction the seats of its cap, or None."""
        _, _, _, version, day, grams, claims, _ = reduction
        need(version == self.version and self.grams[0] <= grams <= self.grams[1])
        limits, classes = [], self.classes
        for t in self.templates:
            taken = [c for c in claims[len(limits) :][:1] if c[1][0] == t["of"]["number"]]
            need(taken or "optional" in t)
            if taken and t["axis"] == "seats":
                period = classes.period_end(day, t["parts"][1])
                need(len(taken[0]) == 2 and taken[0][0] == period)
            elif taken:
                for claim in claims[len(limits) + 1 :] if t["axis"] == "seconds" else ():
                    joined = claim[1][0] == t["of"]["number"] and len(claim) == 4
                    if not joined or not claim[2] == taken[-1][3] == classes.midnight(claim[0]):
                        break
                    taken.append(claim)
                for d, name, start, end in taken:
                    classes.allow(u(d, 2) + name, start, end)
            if taken and t["axis"] == "seconds":
                first, last = taken[0][2], taken[-1][3]
                low, high = self.duration if t["n"] is None else (t["n"], t["n"])
                need(low <= last - first - 2 * t["guard"] <= high)
                need(last - first <= t["longest"] and classes.day(first + t["guard"]) == day)
            limits += [t.get("seats")] * len(taken)
        need(len(limits) == len(claims) == len({(c[0], c[1]) for c in claims}))
        return limits


def read_reduction(data):  # §17
    need(len(data) <= 65_535)
    value = read_cbor(data)
    form, platform, scenario, version, day, grams, claims, digest = value
    need(whole(form, 1, 1) and is_name(platform) and is_name(scenario) and whole(version, 1))
    need(whole(day, 0, DAY_MAX) and whole(grams, 1, 2**53 - 1))
    need(type(digest) is bytes and len(digest) == 32 and 1 <= len(claims) <= 128)
    for claim in claims:
        need(type(claim) is list and len(claim) in (2, 4) and whole(claim[0], 0, DAY_MAX))
        need(type(claim[1]) is bytes and len(claim[1]) == 22 and all(map(whole, claim[2:])))
        need(len(claim) == 2 or claim[2] < claim[3])
    return value


def included(leaf, index, size, path, root):  # §18
    need(whole(index) and whole(size) and index < size)
    f, s, r = index, size - 1, leaf
    for p in map(unhex, path):
        need(s)
        if f & 1 or f == s:
            r = H(b"\1", p, r)
            while not f & 1 and f:
                f, s = f >> 1, s >> 1
        else:
            r = H(b"\1", r, p)
        f, s = f >> 1, s >> 1
    need(s == 0 and r == root)


class Note:
    def __init__(self, data):
        text = data.decode()
        end = text.rindex("\n\n") + 1
        self.text, lines, self.lines = text[:end], text[end + 1 :].split("\n"), []
        need(len(data) <= 1_048_576 and len(self.text.encode()) <= 65_536)
        need(not re.search("[\0-\x09\x0b-\x1f]", text) and lines.pop() == "" and len(lines) <= 100)
        for line in lines:
            dash, name, encoded = line.split(" ")
            check_key_name(name)
            raw = unbase64(encoded)
            need(dash == "\u2014" and len(raw) > 4)
            self.lines.append((name, raw[:4], raw[4:]))
        need(self.lines)

    def signed_by(self, key):
        name, key_id, cosigner, raw = key
        found = [s for n, k, s in self.lines if (n, k) == (name, key_id)]
        for signature in found:
            message = self.text.encode()
            if cosigner:
                time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
                need(time <= FOREVER)
                message = b"cosignature/v1\ntime %d\n" % time + message
            check_signature(raw, signature, message)
        return bool(found)


def check_key_name(name):
    need(name and "+" not in name and not any(map(str.isspace, name)))
    need(not re.search("[\0-\x1f]", name))


def read_vkey(text, cosigner):
    name, key_id, encoded = text.split("+", 2)
    check_key_name(name)
    material = unbase64(encoded)
    need(material[0] == (4 if cosigner else 1))
    need(unhex(key_id, 4) == H(name.encode(), b"\n", material)[:4])
    return name, unhex(key_id, 4), cosigner, sound_key(material[1:])


class Policy:  # §19
    def __init__(self, data):
        self.logs, self.witnesses, self.groups, self.quorum = [], {}, {}, None
        loose, names = set(), {"none"}
        need(len(data) <= 1_048_576 and not re.search(rb"[\0-\x08\x0b-\x1f\x7f]", data))
        for line in data.decode("utf-8", "surrogateescape").split("\n"):
            kind, *words = re.split("[ \t]+", line.strip(" \t"))
            if not kind or kind.startswith("#"):
                continue
            need(kind in ("log", "witness", "group", "quorum"))
            if kind == "log":
                need(len(words) in (1, 2))
                self.logs.append(read_vkey(words[0], False))
            elif kind == "quorum":
                need(self.quorum is None and len(words) == 1 and words[0] in names)
                self.quorum = words[0]
            else:
                name = words[0]
                need(name not in names)
                if kind == "witness":
                    need(len(words) in (2, 3))
                    self.witnesses[name] = read_vkey(words[1], True)
                else:
                    count, members = words[1], words[2:]
                    need(members and set(members) <= loose and len(set(members)) == len(members))
                    count = {"any": "1", "all": str(len(members))}.get(count, count)
                    need(full("[1-9][0-9]{0,5}", count) and int(count) <= len(members))
                    self.groups[name] = int(count), members
                    loose -= set(members)
                names.add(name), loose.add(name)
        for keys in (self.logs, list(self.witnesses.values())):
            need(len({key[3] for key in keys}) == len(keys))
        need(self.quorum is not None)

    def reached(self, cosigned):
        reached = {"none", *cosigned}
        for name, (least, members) in self.groups.items():
            if len(reached & set(members)) >= least:
                reached.add(name)
        return self.quorum in reached


def check(data, policy):  # §20
    """The verdict on a bundle."""
    try:
        return _check(data, policy)
    except Exception:  # whatever went wrong, the bundle did not show what it should
        return "invalid"


def _check(data, policy):
    bundle = read_json(data, 16_777_216, 8)
    need(bundle["format"] == "tally-bundle/1")
    kind = obj(bundle, KINDS[bundle["kind"]])["kind"]
    note = Note(bundle["checkpoint"].encode())
    origin, size, root, end = note.text.split("\n")
    need(origin and full("0|[1-9][0-9]{0,18}", size) and int(size) <= FOREVER and end == "")
    size, root = int(size), unbase64(root)
    need(len(root) == 32)
    log = next(key for key in policy.logs if key[0] == origin and note.signed_by(key))
    cosigned = [name for name, key in policy.witnesses.items() if note.signed_by(key)]

    def logged(name):
        given = obj(bundle[name], LOGGED)
        statement = Statement(unbase64(given["data"]))
        included(H(b"\0", statement.data), given["index"], size, given["path"], root)
        need(statement.kind == name)
        return statement, given["index"]

    genesis, index = logged("genesis")
    offset = genesis.body["utc_offset"]
    need(index == 0 and genesis.body["format"] == 1 and genesis.body["origin"] == origin)
    need(whole(offset, -50_400, 50_400))
    seal, index = logged("seal")
    obj(seal.body, "format:i height:i time:i previous:s register:h")
    need(seal.body["format"] == 1 and 0 <= seal.body["time"] < FOREVER and index == size - 1)
    need(seal.issuer == genesis.issuer and seal.audience == genesis.id)
    seal.verify(log[3])
    document = obj(bundle["classes"], DOCUMENT)
    classes = Classes(document["document"].encode(), offset)
    register = Register(unhex(seal.body["register"]), classes)

    def held(proof, name, parts, by, point):
        register.held(proof, classes.line(name, parts), by)
        need(proof["start"] <= point < proof["end"])

    def in_force(given, name, parts, point):
        data = obj(given, DOCUMENT)["document"].encode()
        held(given["held"], name, parts, holder(name, data), point)
        return data

    in_force(document, "classes", [], size - 1)
    index, days = size - 1, []
    if kind != "free":
        submission, index = logged("submission")
    held(bundle["rules"], "rules", [], holder("rules", u(1)), index)
    if kind == "free":
        register.free(bundle["free"])
        days = [int(bundle["free"]["line"][:4], 16)]
    else:
        signer = obj(bundle["signer"], "key:d key_held:d role_held:d")
        key, body, by = obj(signer["key"], "alg:i public:s"), submission.body, submission.issuer
        raw = sound_key(unbase64(key["public"]))
        need(key["alg"] == -8 and submission.audience == genesis.id)
        submission.verify(raw)
        obj(body, "format:i scenario:s root:h count:i grams:i")
        need(body["format"] == 1 and 1 <= body["count"] <= 65_536)
        held(signer["key_held"], "key", [by], holder("key", ALG, raw), index)
        role = holder("role", cbor2.dumps([by, "platform"], canonical=True))
        held(signer["role_held"], "role", [by, "platform"], role, index)
        name, field = ("reduction", "data:s") if kind == "reduction" else ("leaf", "hash:h")
        placed = obj(bundle[name], f"position:i path:l {field}")
        whole_leaf = kind == "reduction" and unbase64(placed["data"])
        leaf = H(b"\0", whole_leaf) if kind == "reduction" else unhex(placed["hash"])
        included(leaf, placed["position"], body["count"], placed["path"], unhex(body["root"]))
        mine = holder("reduction", leaf)
    if kind == "span":
        line = unhex(bundle["held"]["line"], 24)
        register.held(bundle["held"], line, mine)
        days = [int.from_bytes(line[:2], "big")]
    if kind == "reduction":
        reduction = read_reduction(whole_leaf)
        _, platform, scenario, _, day, grams, claims, digest = reduction
        need(platform == by and scenario == body["scenario"] and grams <= body["grams"])
        rule = check_documents(bundle, classes, in_force, reduction)
        limits = rule.match(reduction)
        days = [day]
        for claim, limit, proof in zip(claims, limits, bundle["claims"], strict=True):
            register.held(proof, u(claim[0], 2) + claim[1], mine)
            need(proof["start"] < limit if limit else [proof["start"], proof["end"]] == claim[2:])
            days += [claim[0]] if classes.numbered[claim[1][0]]["axis"] == "seconds" else []
        if bundle["activity"] is not None:
            activity = bundle["activity"].encode()
            need(H(b"tally/activity/v1\n", activity) == digest)
            need(rule.reduce(activity, platform) == whole_leaf)
    until = 0
    if bundle["books"] is not None:
        register.held(bundle["books"], classes.line("books", []), holder("books"))
        need(bundle["books"]["start"] == 0)
        until = bundle["books"]["end"]
    if not policy.reached(cosigned):
        return "unwitnessed"
    return "valid" if all(days) and max(days) < until else "provisional"


def check_documents(bundle, classes, in_force, reduction):
    """The methodology by which a reduction was made, it and the scenario being in force."""
    _, platform, name, _, day, *_ = reduction
    given = bundle["scenario"]["document"].encode()  # §16
    types = "format:i id:s title:d region:s methodology:s owner:s platforms:l authority:s"
    scenario = obj(read_json(given, 32_768), f"{types} crediting:d")
    names = [scenario[field] for field in ("id", "methodology", "owner", "authority")]
    need(all(map(is_name, names + scenario["platforms"])) and scenario["format"] == 1)
    obj(scenario["title"], "en:s zh:s"), obj(scenario["crediting"], "from:s to:s")
    need(read_date(scenario["crediting"]["from"]) <= read_date(scenario["crediting"]["to"]))
    need(scenario["id"] == name and platform in scenario["platforms"])
    in_force(bundle["scenario"], "scenario", [name], day)
    rule = Methodology(bundle["methodology"]["document"].encode(), classes)
    need(rule.id == scenario["methodology"])
    in_force(bundle["methodology"], "methodology", [rule.id], day)
    return rule


if __name__ == "__main__":
    paths = (Path(argument).read_bytes() for argument in sys.argv[1:3])
    print(check(next(paths), Policy(next(paths))))
