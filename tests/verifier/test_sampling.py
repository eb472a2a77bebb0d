"""Sampling: the seed, the offsets, and what a sample of so many draws finds."""

from collections import Counter
from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import AUDITORS, WITNESSES, cosignature, key, vkey
from support.city import NOON

from chain.policies import WitnessPolicy
from keys.errors import VerificationError
from keys.notes import Note, NoteSignature, sign_note
from keys.strict import dump_base64, dump_cbor, dump_json
from verifier.sampling import (
    DOUBT,
    SHARE_PARTS,
    TRIES,
    cosigners,
    draw,
    found_share,
    make_seed,
    percent,
)

TEXT = f"ledger.example/city\n7\n{dump_base64(bytes(32))}\n"
POLICY = WitnessPolicy(
    dump_json(
        {
            "format": 1,
            "auditors": {"keys": [vkey(name) for name in AUDITORS], "quorum": 3, "faults": 1},
            "witnesses": {"keys": [vkey(WITNESSES[0])], "quorum": 1},
        }
    )
)


def note(*names: str) -> Note:
    signed = sign_note(TEXT, "ledger.example/city", key("operator"))
    return Note(TEXT, (signed, *(cosignature(TEXT, name) for name in names)))


def test_the_seed_is_the_hash_that_the_specification_gives() -> None:
    made = note(WITNESSES[0], AUDITORS[2], AUDITORS[0], "stranger")
    keys = cosigners(made, POLICY)
    assert [one.name for one in keys] == [
        f"{name}.example" for name in (AUDITORS[0], AUDITORS[2], WITNESSES[0])
    ]
    lines = [made.signatures[place].signature for place in (3, 2, 1)]
    content = dump_cbor([b"i" * 32, TEXT, lines, b"n" * 16])
    expected = sha256(b"tally/sample/v1\n" + content).digest()
    assert make_seed(b"i" * 32, made, keys, b"n" * 16) == expected


def test_everything_that_goes_into_the_seed_changes_it() -> None:
    made, other = note(*AUDITORS[:3]), note(*AUDITORS[1:])
    seeds = {
        make_seed(issuance, of, cosigners(of, policy), nonce)
        for issuance in (b"i" * 32, b"j" * 32)
        for of in (made, other)
        for policy in (POLICY, None)
        for nonce in (b"", b"n" * 16)
    }
    assert len(seeds) == 2 * 3 * 2


def test_without_a_policy_nobody_cosigns() -> None:
    assert cosigners(note(*AUDITORS), None) == []


def test_a_cosignature_that_does_not_verify_is_refused() -> None:
    made = note(AUDITORS[0])
    line = cosignature(TEXT, AUDITORS[1])
    wrong = NoteSignature(line.name, line.key_id, line.signature[:-1])
    with pytest.raises(VerificationError):
        cosigners(Note(TEXT, (*made.signatures, wrong)), POLICY)


def test_of_several_lines_of_one_key_the_first_counts() -> None:
    early, late = (cosignature(TEXT, AUDITORS[0], NOON + n) for n in range(2))
    seeds = [
        make_seed(bytes(32), made, cosigners(made, POLICY), b"")
        for made in (Note(TEXT, (early, late)), Note(TEXT, (early,)), Note(TEXT, (late, early)))
    ]
    assert seeds[0] == seeds[1] != seeds[2]


@given(st.binary(min_size=32, max_size=32), st.integers(1, 2**63 - 1), st.integers(1, 50))
def test_offsets_are_below_the_total_and_begin_alike(seed: bytes, total: int, count: int) -> None:
    offsets = draw(seed, total, count)
    assert len(offsets) == count
    assert all(0 <= offset < total for offset in offsets)
    assert draw(seed, total, count + 1)[:count] == offsets


def test_offsets_are_those_of_the_specification() -> None:
    seed, total = bytes(range(32)), 1000
    found = []
    for number in range(4):
        block = sha256(b"tally/offsets/v1\n" + seed + number.to_bytes(8)).digest()
        for at in range(0, 32, 8):
            offset = int.from_bytes(block[at : at + 8]) % 1024
            found += [offset] if offset < total else []
    assert draw(seed, total, len(found)) == found


def test_every_gram_is_drawn_alike() -> None:
    counts = Counter(draw(b"s" * 32, 5, 50_000))
    assert sorted(counts) == [0, 1, 2, 3, 4]
    assert all(abs(count - 10_000) < 500 for count in counts.values())


@given(st.integers(1, 3000), st.sampled_from([1, 1000, TRIES]))
def test_the_share_is_the_least_that_is_found(draws: int, tries: int) -> None:
    share = found_share(draws, tries)

    def is_found(parts: int) -> bool:
        return Fraction(SHARE_PARTS - parts, SHARE_PARTS) ** draws <= Fraction(1, DOUBT * tries)

    assert is_found(share)
    assert share == 0 or not is_found(share - 1)


def test_known_shares() -> None:
    # 1 - 0.001 ** (1 / 1380) = 0.00499…; with 2 ** 40 tries 0.0248…
    assert percent(found_share(1380, 1)) == "0.50"
    assert percent(found_share(1380)) == "2.48"
    assert percent(found_share(1)) == "100.00"
    assert found_share(1379, 1) == 50 and found_share(1378, 1) == 51
