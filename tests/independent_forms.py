"""What stands in bundles, read from docs/spec.md alone: forms, classes, methodologies, reductions.

The checker is in independent_checker.py; § is a section of the specification.
"""

import base64
import calendar
import hashlib
import json
import re
import unicodedata
from datetime import date
from fractions import Fraction

import cbor2

FOREVER, DAY_MAX = 2**63 - 1, 65_535
MEMBERS = {"ticket": "issuer:s number:s", "order": "issuer:s number:s"}
MEMBERS |= {"parcel": "carrier:s number:s", "bill": "issuer:s account:s month:s"}
OPTIONAL = "subject:s vehicle:s meter:s attributes:d quantities:d ticket:d order:d parcel:d bill:d"
TYPES = {"s": str, "i": int, "n": int, "h": str, "l": list, "d": dict, "b": bool, "o": dict}
TYPES |= {"t": str}
GRAMMARS = {"pseudonym": "[0-9a-f]{32}", "period": "day|month|year", "text": "[!-~]{1,64}"}
GRAMMARS |= {"month": "[0-9]{4}-(0[1-9]|1[0-2])", "slug": "", "participant": "", "issuer": ""}
AXES = ("seconds", "whole", "seats", "days", "serials", "ordinal", "index")


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


class Classes:  # §9 to §11
    def __init__(self, document, offset):
        self.offset, self.named, self.numbered = offset, {}, {}
        given = obj(read_json(document), "format:i classes:l issuers:d")
        types = "number:i name:s axis:s dated:b parts:l longest:i claimed_by:s stops:d"
        for item in given["classes"]:
            name, number, axis = obj(item, types)["name"], item["number"], item["axis"]
            obj(item["stops"], "en:s zh:s")
            need(1 <= number <= 255 and is_name(name) and item["longest"] >= 1)
            need(axis in AXES and item["dated"] == (axis in ("seconds", "seats")))
            parts = [obj(part, "name:s grammar:s normaliser:s") for part in item["parts"]]
            item["grammars"] = grammars = [part["grammar"] for part in parts]
            need(GRAMMARS.keys() >= set(grammars))
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
            need(full(GRAMMARS[grammar], part) if GRAMMARS[grammar] else is_name(part))
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
        required = "format:i id:s version:i title:d source:d points:? tiers:l duration:d"
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
        need(whole(given["points"]) or self.bounds(given["points"]))
        self.nodes = 0
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
                need(classes.day(first) >= 0 and classes.day(last - 1) <= DAY_MAX)
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
        limits, classes, event = [], self.classes, {}
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
                start, end = first + t["guard"], last - t["guard"]
                low, high = self.duration if t["n"] is None else (t["n"], t["n"])
                need(low <= end - start <= high and last - first <= t["longest"])
                need(classes.day(start) == day and event.setdefault("start", start) == start)
                need(t["n"] is not None or event.setdefault("end", end) == end)
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


def read_scenario(document):  # §16
    types = "format:i id:s title:d region:s methodology:s owner:s platforms:l authority:s"
    given = obj(read_json(document, 32_768), f"{types} crediting:d")
    names = [given[field] for field in ("id", "methodology", "owner", "authority")]
    need(all(map(is_name, names + given["platforms"])) and given["format"] == 1)
    obj(given["title"], "en:s zh:s"), obj(given["crediting"], "from:s to:s")
    need(read_date(given["crediting"]["from"]) <= read_date(given["crediting"]["to"]))
    return given
