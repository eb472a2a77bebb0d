"""A second checker of bundles, written from docs/spec.md alone; it shares no code with the first.

    python tests/independent_checker.py BUNDLE POLICY

prints the verdict.  § is a section of the specification; documents, which are most of the work,
are read in independent_forms.py, and keys, notes and policies in independent_notes.py.
"""

import re
import sys
import unicodedata
from pathlib import Path

import cbor2
import independent_forms as forms
from independent_forms import FOREVER, H, holder, need, obj, u, unbase64, unhex, whole
from independent_notes import (
    Note,
    Policy,
    check_signature,
    consistent,
    governed,
    included,
    key_bytes,
    log_vkey,
    participants_key,
)

ZERO = bytes(32)
BEFORE, AFTER = "start:n end:n holder:h path:l", "start:n value:h path:l"
HELD = "line:s start:n end:n holder:h path:l before:o after:o"
COMMON = "format:s kind:s checkpoint:s genesis:d seal:d rules:d classes:d books:o policies:d"
KINDS = {
    "reduction": f"{COMMON} submission:d signer:d reduction:d scenario:d methodology:d claims:l"
    " activity:t",
    "span": f"{COMMON} submission:d signer:d leaf:d held:d",
    "free": f"{COMMON} free:d",
}


class Statement:  # §6
    def __init__(self, data):
        tagged = forms.read_cbor(data)
        need(len(data) <= 65_535 and isinstance(tagged, cbor2.CBORTag) and tagged.tag == 18)
        protected, unprotected, payload, self.signature = tagged.value
        need(all(type(part) is bytes for part in (protected, payload, self.signature)))
        need(unprotected == {} and self.signature and len(protected) <= 1_024)
        header = forms.read_cbor(protected)
        claims = header[15]
        need(all(type(key) is int for key in (*header, *claims)))
        need(header.keys() == {1, 3, 4, 15} and whole(header[1], -(2**63)))
        match = re.fullmatch(r"application/vnd\.tally\.([a-z]+(?:-[a-z]+)*)\+json", header[3])
        self.kind, self.alg, self.kid, self.issuer = match[1], header[1], header[4], claims[1]
        need(len(self.kind) <= 32 and type(self.kid) is bytes and len(self.kid) == 16)
        need(claims.keys() == ({1, 2, 4} if self.kind == "genesis" else {1, 2, 3, 4}))
        need(forms.is_name(self.issuer) and whole(claims[4]) and 1 <= len(claims[2]) <= 128)
        hidden = "[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
        need(not re.search(hidden, claims[2]) and unicodedata.is_normalized("NFC", claims[2]))
        self.audience = unhex(claims[3]) if 3 in claims else None
        self.data, self.body = data, forms.read_json(payload)
        need(type(self.body) is dict)
        self.signed = cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)
        self.id = H(b"tally/statement/v1\n", self.signed)

    def verify(self, key):
        need(self.alg == key[0] and self.kid == H(b"tally/kid/v1\n", key_bytes(key))[:16])
        check_signature(key, self.signature, self.signed)


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
        obj(given, BEFORE)
        need(given["start"] < start and given["end"] <= start)
        return self.leaf(line, given)

    def after(self, line, given, end):
        obj(given, AFTER)
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


def whole_held(given):
    """A proof that has the form of one."""
    obj(given, HELD), unhex(given["line"], 24)
    shown = [(given["before"], BEFORE), (given["after"], AFTER)]
    for part in (given, *(obj(one, form) for one, form in shown if one is not None)):
        need(all(whole(bits) and unhex(sibling) for bits, sibling in part["path"]))
    return given


class Link:  # §41
    def __init__(self, given):
        obj(given, "checkpoint:s seal:d policy:d operator:d path:l")
        self.path = list(map(unhex, given["path"]))
        self.note = Note(given["checkpoint"].encode())
        self.seal = obj(given["seal"], "index:n data:s path:l")
        operator = obj(given["operator"], "key:d key_held:d")
        self.policy, self.held = whole_held(given["policy"]), whole_held(operator["key_held"])
        need(all(unhex(item) for item in self.seal["path"]))
        self.key = participants_key(given["operator"]["key"])
        self.statement = Statement(unbase64(self.seal["data"]))

    def root(self, size, root, genesis):
        """The register root of its seal."""
        seal, given = self.statement, self.seal
        need(given["index"] == size - 1)
        included(H(b"\0", seal.data), size - 1, size, given["path"], root)
        obj(seal.body, "format:i height:i time:i previous:s register:h")
        need(seal.kind == "seal" and seal.body["format"] == 1 and 0 <= seal.body["time"] < FOREVER)
        need(seal.issuer == genesis.issuer and seal.audience == genesis.id)
        seal.verify(self.key)
        return unhex(seal.body["register"])


class Bundle:  # §20
    def __init__(self, data, policy):
        self.given = given = forms.read_json(data, 16_777_216, 9)
        need(given["format"] == "tally-bundle/1" and obj(given, KINDS[given["kind"]]))
        index = self.anchor(policy)
        if given["kind"] != "free":
            submission, index = self.logged("submission")
        self.in_force(index)
        if given["kind"] == "free":
            self.register.free(given["free"])
            self.days.append(int(given["free"]["line"][:4], 16))
        else:
            self.submitted(submission, index)

    def anchor(self, policy):
        """From the checkpoint to the register; the index of the last entry."""
        given = self.given
        note = Note(given["checkpoint"].encode())
        origin, self.size, self.root = note.checkpoint()
        shown = obj(given["policies"], "governed:l free:o links:l")
        need(max(len(shown["governed"]), len(shown["links"])) <= 1_024)
        links = [Link(link) for link in shown["links"]]
        every = [obj(one, "document:s held:d") for one in shown["governed"]]
        self.governed = [(one["held"], one["document"].encode()) for one in every]
        self.policies, self.is_last = [policy], True
        if policy.quorum != "none" and origin in {log[0] for log in policy.logs}:
            self.follow(origin, links)
        self.policy = policy = self.policies[-1]
        log = next(key for key in policy.logs if key[0] == origin and note.signed_by(key))
        self.cosigned = policy.cosigners(note)
        genesis, index = self.logged("genesis")
        offset = genesis.body["utc_offset"]
        need(index == 0 and genesis.body["format"] == 1 and genesis.body["origin"] == origin)
        need(whole(offset, -50_400, 50_400))
        seal, index = self.logged("seal")
        obj(seal.body, "format:i height:i time:i previous:s register:h")
        need(seal.body["format"] == 1 and 0 <= seal.body["time"] < FOREVER)
        need(index == self.size - 1 and seal.issuer == genesis.issuer)
        need(seal.audience == genesis.id)
        seal.verify(log[3])
        document = obj(given["classes"], "document:s held:d")["document"].encode()
        self.ledger, self.classes, self.days = genesis.id, forms.Classes(document, offset), []
        self.register = Register(unhex(seal.body["register"]), self.classes)
        self.document("classes", [], index)
        self.all_governed()
        return index

    def follow(self, origin, links):  # §41
        """From the policy in hand to those that the links lead to."""
        genesis, last = Statement(unbase64(self.given["genesis"]["data"])), 0
        stages, places = [], {}
        classes = forms.Classes(self.given["classes"]["document"].encode(), 0)
        for held, document in self.governed:
            policy = governed(document)
            if not stages or stages[-1].asks() != policy.asks():
                stages.append(policy)
            places[held["start"]] = len(stages) - 1, holder("policy", document)
        own = self.policies[0].asks()
        at = next((n for n, stage in enumerate(stages) if stage.asks() == own), None)
        for link in links:
            of, size, root = link.note.checkpoint()
            need(last < (last := size) <= self.size)
            to, by = places[link.policy["start"]]
            between = [] if at is None else stages[at + 1 : to + 1]
            asked = [self.policies[-1], *between[:-1]]
            is_near = at is None or at <= to <= at + 9
            if not is_near or not all(p.witnessed(link.note) for p in asked):
                continue
            consistent(size, root, self.size, self.root, link.path)
            log = log_vkey(origin, link.key)
            need(of == origin and link.note.signed_by(log))
            register = Register(link.root(size, root, genesis), classes)
            for held, name, parts, holds in (
                (link.policy, "policy", [], by),
                (link.held, "key", [genesis.issuer], holder("key", key_bytes(link.key))),
            ):
                register.held(held, classes.line(name, parts), holds)
                need(held["start"] < size <= held["end"])
            self.policies += [p.of(log) for p in between or [self.policies[-1]]]
            at = to if at is not None else None
        self.is_last = at in (None, len(stages) - 1)

    def all_governed(self):  # §41
        line, free, end = self.classes.line("policy", []), self.given["policies"]["free"], 0
        if free is not None:
            need(not self.governed and unhex(free["line"], 24) == line)
            need((free["start"], free["end"]) == (0, FOREVER))
            self.register.free(free)
            end = FOREVER
        for held, document in self.governed:
            governed(document)
            self.register.held(held, line, holder("policy", document))
            need(held["start"] == end if end else held["before"] is None)
            end = held["end"]
        need(end == FOREVER)

    def in_force(self, index):
        """The rules at an index, and the books."""
        given = self.given
        version = next(
            v for v in (1, 2, 3) if given["rules"]["holder"] == holder("rules", u(v)).hex()
        )
        self.held(given["rules"], "rules", [], holder("rules", u(version)), index)
        self.until = 0
        if given["books"] is not None:
            self.held(given["books"], "books", [], holder("books"), 0)
            self.until = given["books"]["end"]

    def logged(self, name, given=None):
        given = obj(given or self.given[name], "index:i data:s path:l")
        statement = Statement(unbase64(given["data"]))
        leaf = H(b"\0", statement.data)
        included(leaf, given["index"], self.size, given["path"], self.root)
        need(statement.kind == name)
        return statement, given["index"]

    def held(self, proof, name, parts, by, point):
        self.register.held(proof, self.classes.line(name, parts), by)
        need(proof["start"] <= point < proof["end"])

    def document(self, name, parts, point):
        given = obj(self.given[name], "document:s held:d")
        data = given["document"].encode()
        self.held(given["held"], name, parts, holder(name, data), point)
        return data

    def submitted(self, submission, index):
        body, by = self.signed(submission, index, self.given["signer"])
        if self.given["kind"] == "span":
            placed = obj(self.given["leaf"], "position:i path:l hash:h")
            leaf, line = unhex(placed["hash"]), unhex(self.given["held"]["line"], 24)
            self.register.held(self.given["held"], line, holder("reduction", leaf))
            self.days.append(int.from_bytes(line[:2], "big"))
        else:
            placed = obj(self.given["reduction"], "position:i path:l data:s")
            data = unbase64(placed["data"])
            leaf = H(b"\0", data)
            self.reduction(data, body, by, holder("reduction", leaf))
        included(leaf, placed["position"], body["count"], placed["path"], unhex(body["root"]))

    def signed(self, submission, index, signer):
        """A submission by who had the right; its payload and its issuer."""
        obj(signer, "key:d key_held:d role_held:d")
        key, body, by = participants_key(signer["key"]), submission.body, submission.issuer
        need(submission.audience == self.ledger)
        submission.verify(key)
        obj(body, "format:i scenario:s root:h count:i grams:i")
        need(body["format"] == 1 and 1 <= body["count"] <= 65_536)
        self.held(signer["key_held"], "key", [by], holder("key", key_bytes(key)), index)
        role = holder("role", cbor2.dumps([by, "platform"], canonical=True))
        self.held(signer["role_held"], "role", [by, "platform"], role, index)
        return body, by

    def reduction(self, data, body, by, mine):
        reduction, activity = forms.read_reduction(data), self.given["activity"]
        _, platform, name, _, day, grams, claims, digest = reduction
        need(platform == by and name == body["scenario"] and grams <= body["grams"])
        scenario = forms.read_scenario(self.document("scenario", [name], day))
        need(scenario["id"] == name and platform in scenario["platforms"])
        rule = self.document("methodology", [scenario["methodology"]], day)
        rule = forms.Methodology(rule, self.classes)
        need(rule.id == scenario["methodology"])
        limits, proofs, self.days = rule.match(reduction), self.given["claims"], [day]
        for claim, limit, proof in zip(claims, limits, proofs, strict=True):
            self.register.held(proof, u(claim[0], 2) + claim[1], mine)
            need(proof["start"] < limit if limit else [proof["start"], proof["end"]] == claim[2:])
            if self.classes.numbered[claim[1][0]]["axis"] == "seconds":
                self.days.append(claim[0])
        if activity is not None:
            need(H(b"tally/activity/v1\n", activity.encode()) == digest)
            need(rule.reduce(activity.encode(), platform) == data)


def check(data, policy):
    """The verdict on a bundle."""
    return verdict(Bundle, data, policy)


def verdict(read, data, policy):
    """The verdict on a file."""
    try:
        bundle = read(data, policy)
    except Exception:  # whatever went wrong, the bundle did not show what it should
        return "invalid"
    if not (bundle.is_last and bundle.policy.reached(bundle.cosigned)):
        return "unwitnessed"
    return "valid" if all(bundle.days) and max(bundle.days) < bundle.until else "provisional"


if __name__ == "__main__":
    paths = (Path(argument).read_bytes() for argument in sys.argv[1:3])
    print(check(next(paths), Policy(next(paths))))
