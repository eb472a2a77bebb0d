"""Records and lots: their trees, draws by grams, and multiproofs, with what breaks each rule."""

import functools
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from support.city import TODAY
from support.vectors.common import Case, Vectors, accepted, refused

from chain.certifications import Certification, Withdrawn
from chain.holdings import Holding
from chain.issuances import Carry, Issuance
from chain.lots import CHILD_SIZE, Lot, LotEntry, LotTree, check_lot
from chain.multiproofs import HIDDEN, KNOWN, Multiproof
from chain.records import Record
from chain.reductions import Reduction
from chain.spans import FOREVER
from keys.strict import INTEGER_MIN, dump_cbor, dump_json

Json = dict[str, Any]
SIZES = (0, CHILD_SIZE)
ONE, OTHER = bytes(range(32)), bytes(range(32, 64))
NONCE = bytes(range(16))
RECORDS: dict[str, Record | Lot] = {
    "a lot": Lot("metro-app", "city-bus", TODAY, 2, 160, ONE),
    "a lot of all grams": Lot("metro-app", "city-bus", 65_535, 1, FOREVER, ONE),
    "a certification": Certification(
        ONE, "verifier", "metro-app", "city-bus", TODAY - 2, TODAY, 4, 320, "unmodified", TODAY + 2
    ),
    "a certification of nothing": Certification(
        ONE, "verifier", "metro-app", "city-bus", 0, 1, 0, 0, "adverse", 1
    ),
    "a withdrawn certification": Withdrawn(ONE, OTHER),
    "an issuance": Issuance(
        *(ONE, OTHER, "metro-app", "city-bus", TODAY - 2, TODAY, 4, 320, 10, 11, 0),
        *("ledger-example-city", "city-bus_metro-app_2026", 1),
    ),
    "an issuance for a debt": Issuance(
        *(ONE, OTHER, "metro-app", "city-bus", TODAY - 2, TODAY, 4, 320, -400, 0, -80),
        *("ledger-example-city", "city-bus_metro-app_2026", 1),
    ),
    "carried grams": Carry(0, 20, ONE),
    "owed grams": Carry(1, -80, ONE),
    "the greatest debt": Carry(FOREVER, INTEGER_MIN, ONE),
    "a holding": Holding(ONE, "governor", "holder-1", "", "held", ONE),
    "a holding on an account": Holding(ONE, "governor", "holder-1", "账户 7", "retired", OTHER),
    "a locked holding": Holding(
        ONE, "governor", "holder-1", "", "locked", OTHER, "exchange-1", NONCE, 1_772_424_000
    ),
}


def lot_vectors() -> Vectors:
    """lots.json."""
    return Vectors(
        "The records behind holders, and the trees of lots: their totals, draws by grams, proofs "
        "of many reductions at once.",
        [4, 26, 30, 31],
        {
            "records": [*_records(), *_no_records()],
            "trees": [*_trees(), *_no_trees()],
            "draws": _draws(),
            "included": [*_included(), *_not_included()],
        },
    )


# --- records ---


def content(of: Record | Lot) -> bytes:
    """What the holder of a record is over."""
    return dump_cbor(list(of) if isinstance(of, Lot) else list(astuple(of)))


def kind_of(of: Record | Lot) -> str:
    """Its kind, as its holder's tag names it."""
    return "lot" if isinstance(of, Lot) else of.KIND


def _records() -> list[Case]:
    return [
        accepted(
            f"record: {name}",
            kind=kind_of(of),
            record=dump_json(of.as_json()).decode(),
            cbor=content(of),
            holder=of.holder,
        )
        for name, of in RECORDS.items()
    ]


def _no_records() -> list[Case]:
    tried: list[tuple[str, str, str, Json]] = [
        ("a lot with a number for a date", "field-type", "a lot", {"day": TODAY}),
        ("a lot with a short root", "hex-not-canonical", "a lot", {"root": "00"}),
        ("a lot with a field more", "field-unknown", "a lot", {"more": 1}),
        ("a certification with a number for a date", "field-type", "a certification",
         {"from": TODAY}),
        ("a certification of a day that is none", "date-invalid", "a certification",
         {"until": "2026-02-30"}),
        ("a certification without a day", "field-missing", "a certification", {"day": None}),
        ("an issuance with a text for a number", "field-type", "an issuance", {"units": "11"}),
        ("an issuance with a truth for a number", "field-type", "an issuance", {"first": True}),
        ("carried grams beyond 64 bits", "json-integer-range", "carried grams", {"grams": 2**63}),
        ("a holding with a nonce of 15 bytes", "hex-not-canonical", "a locked holding",
         {"nonce": NONCE[1:].hex()}),
        ("a holding with an id in capitals", "hex-not-canonical", "a holding",
         {"origin": "AB" * 32}),
        ("a holding without an id", "hex-not-canonical", "a holding", {"statement": ""}),
    ]  # fmt: skip
    made = []
    for name, code, of, changes in tried:
        record = RECORDS[of].as_json() | changes
        given = {field: value for field, value in record.items() if value is not None}
        made.append(
            refused(
                f"record: {name}", code, kind=kind_of(RECORDS[of]), record=dump_json(given).decode()
            )
        )
    return made


# --- trees ---


def entries_of(*keys: bytes, grams: Sequence[int] = (52, 80, 144)) -> list[LotEntry]:
    """Reductions with these leaf hashes."""
    return [(key, grams[place % len(grams)]) for place, key in enumerate(keys)]


def leaf(number: int) -> bytes:
    """A leaf hash."""
    return Reduction.make("metro-app", "city-bus", 1, TODAY, 80, (), number.to_bytes(32)).leaf


def low(number: int) -> bytes:
    """A key of which all but the last bytes are 0."""
    return number.to_bytes(32)


MANY = "twelve"
TREES: dict[str, list[LotEntry]] = {
    "one": entries_of(leaf(0)),
    "two": entries_of(leaf(0), leaf(1)),
    "two that part at the last bit": entries_of(low(2), low(3)),
    "keys with long common prefixes": entries_of(*map(low, (1, 2, 5, 256, 257, 65_536))),
    "keys at both ends": entries_of(bytes(32), b"\xff" * 32),
    MANY: entries_of(*map(leaf, range(12))),
    "one huge among small ones": entries_of(*map(leaf, range(5)), grams=(52, 80_000, 52, 80, 144)),
    "all grams that a lot can have": entries_of(leaf(0), leaf(1), grams=(FOREVER - 1, 1)),
}


def shown(entries: Sequence[LotEntry]) -> list[Json]:
    """Reductions as the vectors write them."""
    return [{"key": key, "grams": str(grams)} for key, grams in entries]


def _trees() -> list[Case]:
    made = []
    for name, entries in TREES.items():
        of = LotTree(entries)
        totals = {"root": of.root, "count": of.count, "grams": str(of.grams)}
        made.append(accepted(f"tree: {name}", entries=shown(entries), **totals))
    return made


def _no_trees() -> list[Case]:
    tried = {
        "nothing": ("lot-bounds", []),
        "a reduction of no grams": ("lot-bounds", entries_of(leaf(0), grams=[0])),
        "more grams than there can be": (
            "lot-bounds", entries_of(leaf(0), leaf(1), grams=(FOREVER, 1))),
        "a reduction twice": ("lot-key-twice", entries_of(leaf(0), leaf(1), leaf(0))),
        "a reduction twice, with other grams": (
            "lot-key-twice", entries_of(leaf(0), leaf(0))),
    }  # fmt: skip
    return [
        refused(f"tree: {name}", code, entries=shown(entries))
        for name, (code, entries) in tried.items()
    ]


def lot_of(of: LotTree) -> Lot:
    """The lot of a tree."""
    return Lot("metro-app", "city-bus", TODAY, of.count, of.grams, of.root)


def _draws() -> list[Case]:
    made = []
    for name in ("one", MANY, "one huge among small ones", "all grams that a lot can have"):
        of = LotTree(TREES[name])
        last = of.grams - 1
        first = next(of.entries())[1]
        offsets = sorted({0, first - 1, first, of.grams // 3, of.grams // 2, last} - {last + 1})
        for offset in offsets:
            entry = of.at(offset)
            proof = of.prove([entry[0]])
            [start] = check_lot(lot_of(of), [entry], proof)
            made.append(
                accepted(
                    f"draw: {offset} in {name}",
                    tree=f"tree: {name}",
                    offset=str(offset),
                    key=entry[0],
                    grams=str(entry[1]),
                    start=str(start),
                    proof=proof,
                )
            )
    return made


# --- multiproofs ---


@functools.cache
def many() -> LotTree:
    """The tree whose proofs are broken."""
    return LotTree(TREES[MANY])


def _case(
    name: str,
    entries: Sequence[LotEntry],
    proof: bytes | Multiproof,
    code: str | None = None,
    lot: Lot | None = None,
) -> Case:
    data = proof.to_bytes() if isinstance(proof, Multiproof) else proof
    of = lot or lot_of(many())
    record = dump_json(of.as_json()).decode()
    given = {"lot": record, "entries": shown(entries), "proof": data}
    if code is not None:
        return refused(f"{name}", code, **given)
    starts = [str(start) for start in check_lot(of, entries, data)]
    return accepted(name, **given, starts=starts)


def _included() -> list[Case]:
    made = []
    chosen = {
        "one": [0],
        "two that part at the last bit": [1],
        "keys with long common prefixes": [1, 3, 4],
        "all grams that a lot can have": [0, 1],
        MANY: [1, 2, 7, 11],
    }
    for name, places in chosen.items():
        of = LotTree(TREES[name])
        entries = [list(of.entries())[place] for place in places]
        proof = of.prove(key for key, _ in entries)
        made.append(_case(f"included: {len(places)} of {name}", entries, proof, lot=lot_of(of)))
    every = list(many().entries())
    made.append(_case("included: all of twelve", every, many().prove(many().keys)))
    return made


def _not_included() -> list[Case]:
    lot = lot_of(many())
    every = list(many().entries())
    chosen = every[2:9:3]
    good = Multiproof.parse(many().prove(key for key, _ in chosen), SIZES)
    data = good.to_bytes()
    hidden = good.marks.index(HIDDEN)
    child = good.parts[hidden]

    def parts(at: int, part: bytes) -> Multiproof:
        return Multiproof(good.marks, good.bits, [*good.parts[:at], part, *good.parts[at + 1 :]])

    def stating(count: int, grams: int) -> Multiproof:
        return parts(hidden, count.to_bytes(8) + grams.to_bytes(8) + child[16:])

    (first, grams), *others = chosen
    pair = Multiproof([HIDDEN, *good.marks], b"\xff" + good.bits, [child, *good.parts])
    full = Multiproof.parse(many().prove(many().keys), SIZES)
    level = bytes([full.bits[0]]) * len(full.bits)
    tried: list[tuple[str, str, Sequence[LotEntry], bytes | Multiproof]] = [
        ("form: nothing", "multiproof-malformed", chosen, b""),
        ("form: no items", "multiproof-malformed", [], bytes(4)),
        ("form: more items than there are bytes", "multiproof-malformed", chosen, b"\xff" * 4),
        ("form: a byte less", "multiproof-malformed", chosen, data[:-1]),
        ("form: a byte more", "multiproof-malformed", chosen, data + b"\0"),
        ("form: a bit after the last mark", "multiproof-malformed", every[:1],
         _trailing(Multiproof.parse(many().prove([every[0][0]]), SIZES))),
        ("form: a mark that a lot has not", "multiproof-malformed", chosen,
         Multiproof([2, *good.marks[1:]], good.bits, good.parts)),
        ("form: a leaf less than is shown", "multiproof-leaves", chosen[:-1], data),
        ("form: a leaf more than is shown", "multiproof-leaves", [*chosen, every[0]], data),
        ("rule 1: all bits are equal", "path-not-descending", every,
         Multiproof(full.marks, level, full.parts)),
        ("rule 2: two leaves swapped", "multiproof-order", [every[1], every[0], *every[2:]], full),
        ("rule 2: two leaves parted at another bit", "multiproof-order", every,
         Multiproof(full.marks, _parted(full.bits), full.parts)),
        ("rule 3: a leaf on the other side", "multiproof-order", every[:1], _turned()),
        ("rule 4: two hidden subtrees below a node", "multiproof-order", chosen, pair),
        ("rule 5: a child that is zero", "path-sibling-invalid", chosen,
         parts(hidden, child[:16] + bytes(32))),
        ("bounds: a child that counts nothing", "lot-bounds", chosen, stating(0, 80)),
        ("bounds: more reductions than grams", "lot-bounds", chosen, stating(3, 2)),
        ("bounds: more grams than there can be", "lot-bounds", chosen, stating(1, 2**63)),
        ("bounds: a sum beyond them", "lot-bounds", chosen, stating(1, FOREVER)),
        ("bounds: a leaf of no grams", "lot-bounds", [(first, 0), *others], data),
        ("root: a gram more", "lot-root-differs", [(first, grams + 1), *others], data),
        ("root: another key", "lot-root-differs", [(first[:-1] + b"\0", grams), *others], data),
        ("root: grams from one to another", "lot-root-differs",
         [(first, grams + 1), (others[0][0], others[0][1] - 1), *others[1:]], data),
        ("root: another child", "lot-root-differs", chosen,
         parts(hidden, child[:-1] + bytes([child[-1] ^ 1]))),
    ]  # fmt: skip
    made = [_case(name, entries, proof, code) for name, code, entries, proof in tried]
    wrong = {
        "another count": lot._replace(count=lot.count + 1),
        "other grams": lot._replace(grams=lot.grams + 1),
        "another root": lot._replace(root=bytes(32)),
    }
    made += [
        _case(f"root: a lot of {name}", chosen, data, "lot-root-differs", of)
        for name, of in wrong.items()
    ]
    return made


def _trailing(good: Multiproof) -> bytes:
    """A proof with a bit set that belongs to no mark."""
    data = bytearray(good.to_bytes())
    assert len(good.marks) % 4
    data[4 + (len(good.marks) - 1) // 4] |= 1
    return bytes(data)


def _parted(bits: bytes) -> bytes:
    """Bits of which the greatest is one more."""
    at = bits.index(max(bits))
    return bits[:at] + bytes([bits[at] + 1]) + bits[at + 1 :]


def _turned() -> Multiproof:
    """A leaf whose key has the bit 0, shown on the right of the top node."""
    key = many().keys[0]
    assert key[0] < 0x80
    return Multiproof([HIDDEN, KNOWN], b"\0", [LotTree(TREES["one"]).top, b""])
