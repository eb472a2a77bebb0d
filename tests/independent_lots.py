"""A second checker of files of lots, written from docs/spec.md alone, §30 to §32.

    python tests/independent_lots.py FILE POLICY

prints the verdict.  What a file of a lot shares with a bundle is in independent_checker.py.
"""

import sys
from itertools import pairwise
from pathlib import Path

import cbor2
import independent_forms as forms
from independent_checker import ZERO, Bundle, bit, cut, shared, verdict
from independent_forms import FOREVER, H, holder, need, obj, u, unbase64, unhex
from independent_notes import Policy

FIELDS = (
    "format:s checkpoint:s genesis:d seal:d rules:d classes:d books:o policies:d lot:d"
    " scenario:d methodology:d signers:l submissions:l seats:l claims:s"
)


def number(data):
    return int.from_bytes(data, "big")


def multiproof(data, sizes):  # §30
    """The items of a multiproof, as [mark, part], and the bits between."""
    count, marks = number(data[:4]), []
    need(count >= 1)
    rest = -(-count // 4)
    packed, bits = number(data[4 : 4 + rest]), data[4 + rest : 3 + rest + count]
    need(len(bits) == count - 1 and packed % (1 << 8 * rest - 2 * count) == 0)
    at = 3 + rest + count
    for place in range(count):
        mark = packed >> (8 * rest - 2 - 2 * place) & 3
        marks.append([mark, data[at : at + sizes[mark]]])
        at += sizes[mark]
    need(at == len(data))
    return marks, bits


def top(items, bits, node):  # §30, rules 1 to 5
    """Items are (a key below, or None if it is hidden; the child)."""
    if len(items) == 1:
        need(items[0][1][-32:] != ZERO)
        return items[0]
    least = min(bits)
    place = bits.index(least)
    need(bits.count(least) == 1)
    left = top(items[: place + 1], bits[:place], node)
    right = top(items[place + 1 :], bits[place + 1 :], node)
    key = left[0] or right[0]
    need(key)
    if left[0] and right[0]:
        need(shared(left[0], right[0]) == least and left[0] < right[0])
    else:
        need(bit(key, least) == (0 if left[0] else 1))
    return key, node(u(least, 2) + cut(key, least), left[1], right[1])


def register_node(head, left, right):
    return H(b"\x11", head, left, right)


def held_together(spans, data, root):  # §30, rules 6 to 9; spans: (line, start, end, holder)
    spans = sorted(spans)
    keys = [line + u(start) for line, start, _, _ in spans]
    need(len(set(keys)) == len(keys))
    items, bits = multiproof(data, (0, 32, 48, 40))
    known = [place for place, (mark, _) in enumerate(items) if mark == 0]
    need(len(known) == len(spans))
    of, leaves, ends = dict(zip(known, spans, strict=True)), [], []
    for place, (mark, part) in enumerate(items):
        if mark == 1:
            leaves.append((None, part))
            ends.append((None, None))
            continue
        line, start, end, by = of.get(place) or (None, number(part[:8]), None, None)
        if mark == 2:
            line, end, by = of[place + 1][0], number(part[8:16]), part[16:]
        value = H(u(end), by) if mark != 3 else part[8:]
        if mark == 3:
            line = of[place - 1][0]
        leaves.append((line + u(start), H(b"\x10", line + u(start), value)))
        ends.append((start, end))
    need(top(leaves, bits, register_node)[1] == root)
    for place, apart in enumerate(bits):
        if apart >= 192 and (place in of or place + 1 in of):
            need(ends[place][1] <= ends[place + 1][0] <= FOREVER)  # None is not compared


def lot_leaf(key, grams):  # §31
    return u(1) + u(grams) + H(b"\x12", key, u(grams))


def lot_node(head, left, right):
    sums = []
    for at in (0, 8):
        sums.append(number(left[at : at + 8]) + number(right[at : at + 8]))
    need(all(1 <= number(c[:8]) <= number(c[8:16]) <= FOREVER for c in (left, right)))
    return u(sums[0]) + u(sums[1]) + H(b"\x13", head, left, right)


def lot_top(entries):
    """The top child over all reductions of a lot, as (key, grams)."""
    entries = sorted(entries)
    keys = [key for key, _ in entries]
    need(len(set(keys)) == len(keys))
    bits = [shared(one, other) for one, other in pairwise(keys)]
    return top([(key, lot_leaf(key, grams)) for key, grams in entries], bits, lot_node)[1]


def tree_root(leaves):  # §18
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return H(b"\1", tree_root(leaves[:half]), tree_root(leaves[half:]))


class LotFile(Bundle):  # §32
    def __init__(self, data, policy):
        self.given = given = obj(forms.read_json(data, 268_435_456, 9), FIELDS)
        need(given["format"] == "tally-lot/1" and all(type(s) is int for s in given["seats"]))
        self.in_force(self.anchor(policy))
        lot = obj(given["lot"], "record:d held:d")
        record = obj(lot["record"], "platform:s scenario:s day:s count:i grams:i root:h")
        platform, name, root = record["platform"], record["scenario"], unhex(record["root"])
        day = forms.read_date(record["day"])
        self.days = [day]
        lot_holder = [platform, name, day, record["count"], record["grams"], root]
        by = holder("lot", cbor2.dumps(lot_holder, canonical=True))
        need((lot["held"]["start"], lot["held"]["end"]) == (day, day + 1))
        self.held(lot["held"], "lot", [platform, name], by, day)
        shown = [data for each in given["submissions"] for data in self.shown(each, platform, name)]
        reductions = [(H(b"\0", data), forms.read_reduction(data)) for data in shown]
        scenario = forms.read_scenario(self.document("scenario", [name], day))
        need(scenario["id"] == name and platform in scenario["platforms"])
        rule = self.document("methodology", [scenario["methodology"]], day)
        rule = forms.Methodology(rule, self.classes)
        need(rule.id == scenario["methodology"])
        spans, seats = [], list(given["seats"])
        for leaf, reduction in reductions:
            _, platform_of, name_of, _, day_of, _, claims, _ = reduction
            need((platform_of, name_of, day_of) == (platform, name, day))
            for claim, limit in zip(claims, rule.match(reduction), strict=True):
                start, end = claim[2:] or (seats[0], seats.pop(0) + 1)
                need(not limit or start < limit)
                line = u(claim[0], 2) + claim[1]
                self.classes.allow(line, start, end)
                spans.append((line, start, end, holder("reduction", leaf)))
        need(not seats)
        held_together(spans, unbase64(given["claims"]), self.register.root)
        total = lot_top([(leaf, reduction[5]) for leaf, reduction in reductions])
        need(total == u(record["count"]) + u(record["grams"]) + root)

    def shown(self, given, platform, name):
        """The bytes of the reductions of a submission that are in the lot."""
        given = dict(given)
        signer, data = given.pop("signer"), unbase64(given.pop("leaves"))
        need(type(signer) is int and signer >= 0)
        submission, index = self.logged("submission", given)
        body, by = self.signed(submission, index, self.given["signers"][signer])
        need((by, body["scenario"]) == (platform, name))
        leaves, found = [], []
        while data:
            size = number(data[:2])
            item, data = data[2 : 2 + (size or 32)], data[2 + (size or 32) :]
            need(len(item) == (size or 32))
            leaves.append(H(b"\0", item) if size else item)
            found += [item] if size else []
        need(len(leaves) == body["count"] and tree_root(leaves) == unhex(body["root"]))
        need(sum(forms.read_reduction(item)[5] for item in found) <= body["grams"])
        return found


def check(data, policy):
    """The verdict on a file of a lot."""
    return verdict(LotFile, data, policy)


if __name__ == "__main__":
    paths = (Path(argument).read_bytes() for argument in sys.argv[1:3])
    print(check(next(paths), Policy(next(paths))))
