"""Lots: totals that are proved, no reduction twice, and a draw that finds each by its grams."""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.lots import CHILD_SIZE, ENTRY_SIZE, Lot, LotEntry, LotTree, check_lot
from chain.multiproofs import HIDDEN, KNOWN, Multiproof
from chain.spans import make_holder
from keys.errors import Fault, Malformed, VerificationError
from keys.strict import dump_cbor, parse_date

DAY = parse_date("2026-03-02")
FOREVER = 2**63 - 1
SIZES = (0, CHILD_SIZE)


def entry(number: int, grams: int = 80) -> LotEntry:
    return sha256(number.to_bytes(8)).digest(), grams


def lot_of(tree: LotTree) -> Lot:
    return Lot("metro-app", "city-bus", DAY, tree.count, tree.grams, tree.root)


def some(count: int, seed: int = 1) -> list[LotEntry]:
    rng = Random(seed)
    return sorted(entry(number, rng.choice((52, 80, 144))) for number in range(count))


def by_definition(entries: Sequence[LotEntry]) -> bytes:
    """The top child of the tree over sorted entries."""
    if len(entries) == 1:
        key, grams = entries[0]
        one = (1).to_bytes(8, "big") + grams.to_bytes(8, "big")
        return one + sha256(b"\x12" + key + grams.to_bytes(8, "big")).digest()
    texts = [f"{int.from_bytes(key, 'big'):0256b}" for key, _ in entries]
    bits = next(at for at in range(256) if texts[0][at] != texts[-1][at])
    middle = next(at for at, text in enumerate(texts) if text[bits] == "1")
    left, right = by_definition(entries[:middle]), by_definition(entries[middle:])
    prefix = texts[0][:bits]
    padded = prefix.ljust(-(-bits // 8) * 8, "0")
    shown = int(padded or "0", 2).to_bytes(len(padded) // 8, "big")
    count, grams = (
        (int.from_bytes(left[at : at + 8], "big") + int.from_bytes(right[at : at + 8], "big"))
        for at in (0, 8)
    )
    hashed = sha256(b"\x13" + bits.to_bytes(2, "big") + shown + left + right).digest()
    return count.to_bytes(8, "big") + grams.to_bytes(8, "big") + hashed


# Keys that share long prefixes, and keys as hashes are.
KEYS = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 300).map(lambda n: n.to_bytes(32, "big")),
    st.integers(0, 255).map(lambda n: bytes((n,)) + bytes(31)),
)
ENTRIES = st.dictionaries(KEYS, st.integers(1, 2**53 - 1), min_size=1, max_size=30)


@given(ENTRIES, st.data())
def test_a_lot_is_the_tree_of_its_reductions(grams: dict[bytes, int], data: st.DataObject) -> None:
    entries = sorted(grams.items())
    tree = LotTree(data.draw(st.permutations(entries)))
    assert tree.top == by_definition(entries)
    assert (tree.count, tree.grams) == (len(entries), sum(grams.values()))
    assert list(tree.entries()) == entries
    again = LotTree.parse(tree.to_bytes())
    assert (again.top, list(again.entries())) == (tree.top, entries)

    starts = list(accumulate((g for _, g in entries), initial=0))
    offset = data.draw(st.integers(0, tree.grams - 1))
    place = bisect_right(starts, offset) - 1
    assert tree.at(offset) == entries[place]

    chosen = sorted(data.draw(st.sets(st.sampled_from(entries), min_size=1)))
    proof = tree.prove(key for key, _ in chosen)
    assert check_lot(lot_of(tree), chosen, proof) == [starts[entries.index(e)] for e in chosen]
    assert Multiproof.parse(proof, SIZES).to_bytes() == proof


def test_a_draw_lies_in_the_stretch_of_what_it_finds() -> None:
    tree = LotTree(some(500))
    rng = Random(3)
    for _ in range(50):
        offset = rng.randrange(tree.grams)
        key, grams = tree.at(offset)
        [start] = check_lot(lot_of(tree), [(key, grams)], tree.prove([key]))
        assert start <= offset < start + grams
        # Neither of its neighbours can pass for it.
        for near in (start - 1, start + grams):
            if 0 <= near < tree.grams:
                other = tree.at(near)
                [begins] = check_lot(lot_of(tree), [other], tree.prove([other[0]]))
                assert not begins <= offset < begins + other[1]


def test_a_huge_reduction_among_small_ones_is_found() -> None:
    huge = entry(1_000_000, 80_000)
    tree = LotTree([*some(1_000), huge])
    rng = Random(4)
    found = [tree.at(rng.randrange(tree.grams)) for _ in range(30)]
    # It is a thousandth of the reductions, and half of the grams.
    assert 5 < found.count(huge) < 25


def test_a_record_is_held_under_its_own_tag() -> None:
    lot = Lot("metro-app", "city-bus", DAY, 2, 160, bytes(32))
    record = ["metro-app", "city-bus", 20514, 2, 160, bytes(32)]
    assert lot.holder == make_holder("lot", dump_cbor(record))
    assert Lot.from_json(lot.as_json()) == lot
    assert lot.as_json()["day"] == "2026-03-02"
    for wrong in ({"day": 20514}, {"root": "00"}, {"more": 1}):
        with pytest.raises(Malformed):
            Lot.from_json({**lot.as_json(), **wrong})


# --- what a lot cannot have ---


def code_of(*entries: LotEntry) -> str:
    with pytest.raises(VerificationError) as refused:
        LotTree(entries)
    return refused.value.code


def test_a_reduction_stands_in_a_lot_once() -> None:
    assert code_of(entry(1), entry(2), entry(1)) == "lot-key-twice"
    assert code_of(entry(1), entry(1, 81)) == "lot-key-twice"


def test_a_lot_has_reductions_of_one_gram_at_least_and_no_sum_beyond_63_bits() -> None:
    assert code_of() == "lot-bounds"
    assert code_of(entry(1, 0)) == "lot-bounds"
    assert code_of(entry(1, FOREVER), entry(2, 1)) == "lot-bounds"
    assert LotTree([entry(1, FOREVER - 1), entry(2, 1)]).grams == FOREVER


def test_a_damaged_file_is_not_the_lots() -> None:
    tree = LotTree(some(9))
    data = tree.to_bytes()
    assert len(data) == 9 * ENTRY_SIZE
    for cut in (data[:-1], data + b"\0", b""):
        with pytest.raises(VerificationError):
            LotTree.parse(cut)
    changed = bytearray(data)
    changed[ENTRY_SIZE - 1] ^= 1
    assert LotTree.parse(bytes(changed)).top != tree.top


# --- forgeries ---


def refused(lot: Lot, entries: Sequence[LotEntry], proof: bytes | Multiproof) -> str:
    data = proof.to_bytes() if isinstance(proof, Multiproof) else proof
    with pytest.raises(VerificationError) as error:
        check_lot(lot, entries, data)
    return error.value.code


@pytest.fixture
def tree() -> LotTree:
    return LotTree(some(60))


@pytest.fixture
def chosen(tree: LotTree) -> list[LotEntry]:
    return list(tree.entries())[10:50:5]


def test_every_altered_byte_of_a_proof_is_refused(tree: LotTree, chosen: list[LotEntry]) -> None:
    proof = tree.prove(key for key, _ in chosen)
    check_lot(lot_of(tree), chosen, proof)
    for at in range(len(proof)):
        for change in (1, 0x80):
            altered = bytearray(proof)
            altered[at] ^= change
            refused(lot_of(tree), chosen, bytes(altered))
    for other in (proof[:-1], proof + b"\0", proof + bytes(CHILD_SIZE), b""):
        assert refused(lot_of(tree), chosen, other) == "multiproof-malformed"


def test_altered_grams_keys_and_records_are_refused(tree: LotTree, chosen: list[LotEntry]) -> None:
    lot, proof = lot_of(tree), tree.prove(key for key, _ in chosen)
    for place, (key, grams) in enumerate(chosen):
        before, after = chosen[:place], chosen[place + 1 :]
        for other in ((key, grams + 1), (key, grams - 1), (key[:-1] + b"\0", grams)):
            assert refused(lot, [*before, other, *after], proof) == "lot-root-differs"
        # One in the place of another, one twice, one left out, one too many.
        refused(lot, [*before, chosen[place - 1], *after], proof)
        assert refused(lot, [*before, *after], proof) == "multiproof-leaves"
        assert refused(lot, [*chosen, (key, grams)], proof) == "multiproof-leaves"
    swapped = [chosen[1], chosen[0], *chosen[2:]]
    assert refused(lot, swapped, proof) == "multiproof-order"
    traded = [(chosen[0][0], 10_000), (chosen[1][0], 1), *chosen[2:]]
    assert refused(lot, traded, proof) == "lot-root-differs"
    for wrong in (
        lot._replace(count=lot.count + 1),
        lot._replace(grams=lot.grams + 1),
        lot._replace(grams=lot.grams + 2**64),
        lot._replace(count=-1),
        lot._replace(root=bytes(32)),
    ):
        assert refused(wrong, chosen, proof) == "lot-root-differs"


def test_a_proof_has_the_nodes_that_it_needs_and_no_others(
    tree: LotTree, chosen: list[LotEntry]
) -> None:
    lot = lot_of(tree)
    good = Multiproof.parse(tree.prove(key for key, _ in chosen), SIZES)
    hidden = good.marks.index(HIDDEN)
    child = good.parts[hidden]
    trailing = Multiproof([*good.marks, HIDDEN], good.bits + b"\0", [*good.parts, child])
    assert refused(lot, chosen, trailing) in ("path-not-descending", "multiproof-order")
    level = Multiproof(good.marks, bytes([7]) * len(good.bits), good.parts)
    assert refused(lot, chosen, level) == "path-not-descending"
    pair = Multiproof([HIDDEN, *good.marks], b"\xff" + good.bits, [child, *good.parts])
    assert refused(lot, chosen, pair) in ("multiproof-order", "lot-root-differs")
    unknown = Multiproof([2, *good.marks[1:]], good.bits, good.parts)
    assert refused(lot, chosen, unknown) == "multiproof-malformed"
    with pytest.raises(Fault):
        tree.prove([bytes(32)])


def test_what_a_child_states_is_bounded(tree: LotTree, chosen: list[LotEntry]) -> None:
    lot = lot_of(tree)
    good = Multiproof.parse(tree.prove(key for key, _ in chosen), SIZES)
    hidden = good.marks.index(HIDDEN)

    def stating(count: int, grams: int) -> Multiproof:
        part = count.to_bytes(8) + grams.to_bytes(8) + good.parts[hidden][16:]
        parts = [*good.parts[:hidden], part, *good.parts[hidden + 1 :]]
        return Multiproof(good.marks, good.bits, parts)

    assert refused(lot, chosen, stating(0, 80)) == "lot-bounds"
    assert refused(lot, chosen, stating(3, 2)) == "lot-bounds"
    assert refused(lot, chosen, stating(1, 2**63)) == "lot-bounds"
    # Two that are allowed, with a sum that is not.
    assert refused(lot, chosen, stating(1, FOREVER)) == "lot-bounds"
    assert good.marks.count(KNOWN) == len(chosen)
