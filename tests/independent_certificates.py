"""A second checker of certificates, written from docs/spec.md alone, §34.

    python tests/independent_certificates.py FILE POLICY

prints the verdict.  What a certificate shares with other files is in independent_checker.py and
independent_lots.py.
"""

import sys
from itertools import pairwise
from pathlib import Path

import cbor2
import independent_forms as forms
from independent_checker import Bundle, verdict
from independent_forms import FOREVER, H, holder, need, obj, u, unbase64, unhex, whole
from independent_lots import held_together, lot_leaf, lot_node, multiproof, number, top
from independent_notes import Note, Policy, consistent, key_bytes, participants_key, read_vkey

FIELDS = (
    "format:s checkpoint:s genesis:d seal:d rules:d classes:d books:d policies:d issuance:d"
    " certification:d authority:d verifier:d issued:d certified:d block:d scenarios:l"
    " methodologies:l lots:s units:d holding:d held:d delegation:t sample:d"
)
SAMPLE = "draws:i platform:l submissions:l log:s lots:l claims:s"
CERTIFICATION = (
    "statement:h verifier:s platform:s scenario:s from:s until:s count:i grams:i opinion:s day:s"
)
HOLDING = "origin:h issuer:s owner:s account:s status:s statement:h exchange:s nonce:s expires:i"
ISSUANCE = (
    "format:i certification:d notice:d registry:s series:s vintage:i first:i units:i carry:o"
    " carried_out:i owner:s account:s"
)
CERTIFIES = (
    "format:i platform:s scenario:s from:s until:s lots:l exclusions:l count:i grams:i opinion:s"
    " criteria:s scope:s assurance:s materiality:s sampling_plan:s report:s accreditation:s"
    " declarations:l"
)
TRIES = 1 << 40


def record(kind, *values):
    return holder(kind, cbor2.dumps(list(values), canonical=True))


def covered(leaves, size, hashes, root):
    """Leaf hashes by their index are in the tree of a size and a root, by their cover."""
    need(leaves and all(whole(at, 0, size - 1) for at in leaves) and len(hashes) % 32 == 0)
    rest = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]

    def walk(start, end, inside):
        if not inside:
            return rest.pop(0)
        if end - start == 1:
            return leaves[start]
        half = start + (1 << (end - start - 1).bit_length() - 1)
        left = walk(start, half, [at for at in inside if at < half])
        return H(b"\1", left, walk(half, end, [at for at in inside if at >= half]))

    need(walk(0, size, list(leaves)) == root and not rest)


def offsets(seed, total, draws):
    mask, found, n = (1 << (total - 1).bit_length()) - 1, [], 0
    while len(found) < draws:
        block = H(b"tally/offsets/v1\n", seed, u(n))
        found += [o for at in (0, 8, 16, 24) if (o := number(block[at : at + 8]) & mask) < total]
        n += 1
    return found[:draws]


class Certificate(Bundle):
    def __init__(self, data, policy):
        need(len(data) <= 16_777_216)
        self.given = given = obj(forms.read_json(data, 16_777_216, 9), FIELDS)
        need(given["format"] == "tally-certificate/1")
        need(given["delegation"] is None or unhex(given["delegation"]))
        self.sample = obj(given["sample"], SAMPLE)
        self.anchor(policy)
        issuance, self.index = self.by("issuance", "authority", "authority")
        self.in_force(self.index)
        self.issuance(issuance)
        self.definitions(issuance.issuer)
        self.certification()
        self.the_lots()
        self.units()
        self.block()
        self.seed()
        self.sampled()
        self.days = [self.until - 1]

    def spans(self, proof, name, start, end, by):
        need((proof["start"], proof["end"]) == (start, end))
        self.held(proof, name, [self.platform, self.scenario], by, start)

    def by(self, name, signer, role):
        """A statement of a kind, signed by who had a role."""
        statement, index = self.logged(name)
        need(statement.audience == self.ledger)
        statement.verify(self.right(self.given[signer], statement.issuer, role, index))
        return statement, index

    def right(self, signer, by, role, index):
        obj(signer, "key:d key_held:d role_held:d")
        key = participants_key(signer["key"])
        point = signer["key_held"]["start"] if index is None else index
        self.held(signer["key_held"], "key", [by], holder("key", key_bytes(key)), point)
        point = signer["role_held"]["start"] if index is None else index
        self.held(signer["role_held"], "role", [by, role], record("role", by, role), point)
        return key

    def issuance(self, statement):
        body = obj(statement.body, ISSUANCE)
        of = obj(body["certification"], CERTIFICATION)
        need(body["format"] == 1)
        self.issued_by, self.platform, self.scenario = statement, of["platform"], of["scenario"]
        self.first, self.last = forms.read_date(of["from"]), forms.read_date(of["until"])
        day = forms.read_date(of["day"])
        values = (self.platform, self.scenario, self.first, self.last, of["count"], of["grams"])
        self.certified = (unhex(of["statement"]), of["verifier"], *values, of["opinion"], day)
        carry = body["carry"]
        before = obj(carry, "ordinal:i grams:i statement:h")["grams"] if carry else 0
        units, left = body["units"], body["carried_out"]
        genesis = self.logged("genesis")[0].body
        need(units * genesis["unit_grams"] + left == before + of["grams"])
        named = (body["registry"], body["series"], body["first"])
        by = record(
            "issuance", statement.id, self.certified[0], *values, before, units, left, *named
        )
        self.spans(self.given["issued"], "issuance", self.first, self.last, by)
        self.named, self.issued_units = named, units

    def definitions(self, authority):
        """What was in force, as (start, end, document)."""
        self.scenarios, self.methodologies = [], []
        for name, read, into in (
            ("scenario", forms.read_scenario, self.scenarios),
            ("methodology", lambda data: forms.Methodology(data, self.classes), self.methodologies),
        ):
            for item in self.given["scenarios" if name == "scenario" else "methodologies"]:
                data = obj(item, "document:s held:d")["document"].encode()
                made, held = read(data), item["held"]
                named = made["id"] if name == "scenario" else made.id
                self.held(held, name, [named], holder(name, data), held["start"])
                into.append((held["start"], held["end"], made))
        need(all(made["id"] == self.scenario for _, _, made in self.scenarios))
        need(any(made["authority"] == authority for _, _, made in self.scenarios))

    def certification(self):
        statement, _ = self.by("certification", "verifier", "verifier")
        self.body = body = obj(statement.body, CERTIFIES)
        since, until = forms.read_date(body["from"]), forms.read_date(body["until"])
        values = (body["platform"], body["scenario"], since, until, body["count"], body["grams"])
        mine = (statement.id, statement.issuer, *values, body["opinion"], self.certified[-1])
        need(mine == self.certified and body["format"] == 1)
        need(body["opinion"] in ("unmodified", "modified"))
        held = self.given["certified"]
        self.spans(held, "certification", since, until, record("certification", *mine))
        need(until <= self.until)

    def the_lots(self):
        self.lots = []
        line = self.classes.line("lot", [self.platform, self.scenario])
        spans, days = [], [self.first - 1]
        for date, count, grams, root in self.body["lots"]:
            day = forms.read_date(date)
            need(whole(count, 1) and whole(grams, count))
            self.lots.append((day, count, grams, unhex(root)))
            by = record("lot", self.platform, self.scenario, *self.lots[-1])
            spans.append((line, day, day + 1, by))
            days.append(day)
        need(self.lots and all(one < two for one, two in pairwise([*days, self.last])))
        held_together(spans, unbase64(self.given["lots"]), self.register.root)
        self.excluded = []
        for item in self.sample["lots"]:
            if item is not None:
                for leaf, grams in obj(item, "excluded:l proof:s")["excluded"]:
                    need(whole(grams, 0, FOREVER - 1))
                    self.excluded.append((unhex(leaf), grams))
        named = [obj(item, "index:n position:n holder:h") for item in self.body["exclusions"]]
        holders = {unhex(item["holder"]) for item in named}
        need(len(holders) == len(named))
        need({holder("reduction", leaf) for leaf, _ in self.excluded} == holders)
        self.total = sum(lot[2] for lot in self.lots)
        count = sum(lot[1] for lot in self.lots) - len(self.excluded)
        grams = self.total - sum(grams for _, grams in self.excluded)
        need((count, grams) == (self.body["count"], self.body["grams"]) and self.total <= FOREVER)

    def units(self):
        units = obj(self.given["units"], "registry:s series:s first:i end:i")
        registry, series, first = self.named
        need((units["registry"], units["series"]) == (registry, series))
        need(first <= units["first"] < units["end"] <= first + self.issued_units)
        given = obj(self.given["holding"], HOLDING)
        values = dict(given)
        for name in ("origin", "statement"):
            values[name] = unhex(given[name])
        self.nonce = values["nonce"] = unhex(given["nonce"], 16 if given["nonce"] else 0)
        need(values["origin"] == self.issued_by.id)
        by = record("holding", *(values[field.split(":")[0]] for field in HOLDING.split()))
        for point in (units["first"], units["end"] - 1):
            self.held(self.given["held"], "serial", [registry, series], by, point)

    def block(self):
        given = obj(self.given["block"], "checkpoint:s seal:d previous:d consistency:l")
        self.note = Note(given["checkpoint"].encode())
        origin, size, root = self.note.checkpoint()
        need(origin == Note(self.given["checkpoint"].encode()).checkpoint()[0])
        need(self.index < size <= self.size)
        consistent(size, root, self.size, self.root, [unhex(h) for h in given["consistency"]])
        (seal, last), (previous, before) = (
            self.logged("seal", given[name]) for name in ("seal", "previous")
        )
        for one in (seal, previous):
            obj(one.body, "format:i height:i time:i previous:s register:s")
            need(one.body["format"] == 1 and 0 <= one.body["time"] < FOREVER)
        need(last == size - 1 and seal.body["previous"] == previous.id.hex())
        need(before < self.index)

    def seed(self):
        lines = []
        for held, document in self.governed:
            if not held["start"] <= self.index < held["end"]:
                continue
            given = obj(forms.read_json(document), "format:i auditors:d", "witnesses:d")
            for group in (given["auditors"], given.get("witnesses", {"keys": []})):
                for vkey in group["keys"]:
                    key = read_vkey(vkey, True)
                    if self.note.signed_by(key):
                        lines.append(next(s for n, k, s in self.note.lines if (n, k) == key[:2]))
        content = [self.issued_by.id, self.note.text, lines, self.nonce]
        self.drawn_from = H(b"tally/sample/v1\n", cbor2.dumps(content, canonical=True))

    def sampled(self):
        sample, logged = self.sample, {}
        keys = []
        for signer in sample["platform"]:
            key = self.right(signer, self.platform, "platform", None)
            keys.append((signer["key_held"], signer["role_held"], key))
        spans, by_day = [], {}
        for given in sample["submissions"]:
            obj(given, "index:i data:s reductions:l cover:s")
            statement = type(self.issued_by)(unbase64(given["data"]))
            need(given["index"] not in logged)
            logged[given["index"]] = H(b"\0", statement.data)
            self.submission(statement, given, keys, spans, by_day)
        covered(logged, self.size, unbase64(sample["log"]), self.root)
        held_together(spans, unbase64(sample["claims"]), self.register.root)
        shown, starts = set(), []
        need(len(sample["lots"]) == len(self.lots))
        for (day, count, grams, root), item in zip(self.lots, sample["lots"], strict=True):
            entries = by_day.pop(day, [])
            entries += [(unhex(leaf), of) for leaf, of in item["excluded"]] if item else []
            need(bool(entries) == (item is not None))
            shown |= {leaf for leaf, _ in entries}
            starts.append(in_lot(sorted(entries), count, grams, root, item))
        need(not by_day)
        hits, counts, left_out = set(), 0, {leaf for leaf, _ in self.excluded}
        need(whole(sample["draws"], 1, 65_536))
        for drawn in offsets(self.drawn_from, self.total, sample["draws"]):
            place, offset = 0, drawn
            while offset >= self.lots[place][2]:
                offset -= self.lots[place][2]
                place += 1
            leaf = next(k for at, k, grams in starts[place] if at <= offset < at + grams)
            hits.add(leaf)
            counts += leaf not in left_out
        need(hits | left_out == shown and counts)
        parts = range(10_001)
        self.share = next(
            k for k in parts if (10_000 - k) ** counts * 1000 * TRIES <= 10_000**counts
        )

    def submission(self, statement, given, keys, spans, by_day):
        index = given["index"]
        need(statement.kind == "submission" and statement.issuer == self.platform)
        need(statement.audience == self.ledger)
        inside = [all(h["start"] <= index < h["end"] for h in (one, two)) for one, two, _ in keys]
        statement.verify(keys[inside.index(True)][2])
        body = obj(statement.body, "format:i scenario:s root:h count:i grams:i")
        need(body["format"] == 1 and 1 <= body["count"] <= 65_536)
        need(body["scenario"] == self.scenario)
        leaves, total = {}, 0
        for position, encoded, numbers in given["reductions"]:
            data = unbase64(encoded)
            leaf = H(b"\0", data)
            need(whole(position) and position not in leaves)
            leaves[position] = leaf
            _, platform, name, _, day, grams, claims, _ = reduction = forms.read_reduction(data)
            need((platform, name) == (self.platform, self.scenario))
            total += grams
            by_day.setdefault(day, []).append((leaf, grams))
            of = at(self.scenarios, day, lambda made: True)
            need(self.platform in of["platforms"])
            rule = at(self.methodologies, day, lambda made, of=of: made.id == of["methodology"])
            seats = list(numbers)
            for claim, limit in zip(claims, rule.match(reduction), strict=True):
                start, end = claim[2:] or (seats[0], seats.pop(0) + 1)
                need(whole(start) and (not limit or start < limit))
                line = u(claim[0], 2) + claim[1]
                self.classes.allow(line, start, end)
                spans.append((line, start, end, holder("reduction", leaf)))
            need(not seats)
        covered(leaves, body["count"], unbase64(given["cover"]), unhex(body["root"]))
        need(total <= body["grams"])


def at(versions, day, fits):
    return next(made for start, end, made in versions if start <= day < end and fits(made))


def in_lot(entries, count, grams, root, item):
    """Where the grams of each entry begin, by the multiproof of a lot."""
    if item is None:
        return []
    items, bits = multiproof(unbase64(item["proof"]), (0, 48))
    rest, leaves, found, reached = list(entries), [], [], 0
    for mark, part in items:
        need(mark in (0, 1))
        if mark == 0:
            key, of = rest.pop(0)
            need(1 <= of <= FOREVER)
            found.append((reached, key, of))
            leaves.append((key, lot_leaf(key, of)))
        else:
            leaves.append((None, part))
        child = leaves[-1][1]
        need(1 <= number(child[:8]) <= number(child[8:16]) <= FOREVER)
        reached += number(child[8:16])
    need(not rest and top(leaves, bits, lot_node)[1] == u(count) + u(grams) + root)
    return found


def check(data, policy):
    """The verdict on a certificate."""
    return verdict(Certificate, data, policy)


if __name__ == "__main__":
    paths = (Path(argument).read_bytes() for argument in sys.argv[1:3])
    print(check(next(paths), Policy(next(paths))))
