"""Witness policies: the quorums that are refused, and what a checker makes of the others."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.city import ORIGIN, key

from chain.policies import GROUP_NAMES, WitnessPolicy
from chain.spans import make_holder
from keys.errors import Malformed
from keys.notes import NoteKey
from keys.signer import generate
from keys.strict import dump_json
from verifier.policies import policy_text
from verifier.policy import parse_policy

LOG = key("operator").public
NAMES = ("north", "east", "south", "west", "centre", "harbour", "airport")


def vkey(name: str, of: str | None = None, *, cosigner: bool = True) -> str:
    return NoteKey(f"{name}.example/audit", key(of or name).public, cosigner=cosigner).vkey


def auditors(count: int = 4, quorum: int = 3, faults: int = 1, **more: Any) -> dict[str, Any]:
    keys = [vkey(name) for name in NAMES[:count]]
    return {"keys": keys, "quorum": quorum, "faults": faults, **more}


def document(**more: Any) -> bytes:
    return dump_json({"format": 1, "auditors": auditors(), **more})


def code(data: bytes) -> str | None:
    try:
        WitnessPolicy(data)
    except Malformed as error:
        return error.code
    return None


def test_a_policy_is_read() -> None:
    witnesses = {"keys": [vkey("river"), vkey("hill")], "quorum": 1}
    policy = WitnessPolicy(document(witnesses=witnesses))
    assert [k.vkey for k in policy.auditors.keys] == auditors()["keys"]
    assert (policy.auditors.quorum, policy.faults) == (3, 1)
    assert [k.vkey for k in policy.witnesses.keys] == witnesses["keys"]
    assert policy.witnesses.quorum == 1
    assert policy.holder == make_holder("policy", policy.document)


@given(st.integers(0, 7), st.integers(-2, 9), st.integers(-2, 7))
def test_a_quorum_withstands_the_faults_that_it_names(count: int, quorum: int, faults: int) -> None:
    """Any two quorums share an auditor that does not lie; all of it counted out."""
    found = code(document(auditors=auditors(count, quorum, faults)))
    members = range(count)
    possible = faults >= 0 and 0 <= quorum <= count
    safe = possible and all(
        len(set(one) & set(other)) > faults
        for one in itertools.combinations(members, quorum)
        for other in itertools.combinations(members, quorum)
    )
    assert found == (None if safe else "policy-quorum")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"format": 2}, "format-unknown"),
        ({"note": ""}, "field-unknown"),
        ({"auditors": []}, "field-type"),
        ({"auditors": auditors(faults=True)}, "field-type"),
        ({"auditors": auditors(note="")}, "field-unknown"),
        ({"auditors": auditors(keys=[1])}, "field-type"),
        ({"auditors": auditors(keys=["x"])}, "vkey-malformed"),
        ({"auditors": auditors(count=0, quorum=0, faults=0)}, "policy-quorum"),
        ({"auditors": auditors(quorum=2)}, "policy-quorum"),
        ({"auditors": auditors(quorum=5)}, "policy-quorum"),
        ({"auditors": auditors(faults=-1)}, "policy-quorum"),
        ({"auditors": auditors(faults=2)}, "policy-quorum"),
        ({"witnesses": {"keys": [], "quorum": 1}}, "policy-witness-quorum"),
        ({"witnesses": {"keys": [vkey("river")], "quorum": 2}}, "policy-witness-quorum"),
        ({"witnesses": {"keys": [vkey("river")], "quorum": -1}}, "policy-witness-quorum"),
        ({"witnesses": {"keys": [vkey("river")]}}, "field-missing"),
        ({"witnesses": {"keys": [vkey("river")], "quorum": 1, "faults": 0}}, "field-unknown"),
        ({"witnesses": None}, "field-type"),
    ],
)
def test_policies_that_are_refused(more: dict[str, Any], expected: str) -> None:
    assert code(document(**more)) == expected


def test_nobody_stands_in_a_policy_twice() -> None:
    """Neither a key under two names nor a name with two keys, in one list or across both."""
    for twice in (vkey("north"), vkey("other", "north"), vkey("north", "other")):
        keys = [*auditors(3)["keys"], twice]
        assert code(document(auditors=auditors(keys=keys))) == "policy-cosigner-twice"
        witnesses = {"keys": [twice], "quorum": 1}
        assert code(document(witnesses=witnesses)) == "policy-cosigner-twice"


def test_a_policy_has_no_more_cosigners_than_fit_under_a_checkpoint() -> None:
    keys = [vkey(f"auditor-{n}") for n in range(33)]
    assert code(document(auditors={"keys": keys, "quorum": 33, "faults": 0})) == "policy-cosigners"
    most = {"keys": keys[:31], "quorum": 31, "faults": 0}
    witnesses = {"keys": keys[31:], "quorum": 1}
    assert code(document(auditors=most, witnesses=witnesses)) == "policy-cosigners"
    assert len(WitnessPolicy(document(auditors={**most, "keys": keys[:32]})).keys) == 32


def test_a_key_that_is_not_for_cosignatures_is_refused() -> None:
    keys = [*auditors(3)["keys"], vkey("west", cosigner=False)]
    assert code(document(auditors=auditors(keys=keys))) == "policy-not-cosigner"


@pytest.mark.parametrize("name", [*GROUP_NAMES, "münchen.example", "a\x7fb"])
def test_a_name_that_the_checkers_policy_could_not_hold_is_refused(name: str) -> None:
    keys = [*auditors(3)["keys"], NoteKey(name, key("west").public, cosigner=True).vkey]
    assert code(document(auditors=auditors(keys=keys))) == "policy-name"


# --- as a checker reads it ---


def text(**more: Any) -> str:
    return policy_text(ORIGIN, LOG, WitnessPolicy(document(**more)))


def test_auditors_alone_are_the_quorum() -> None:
    for more in ({}, {"witnesses": {"keys": [], "quorum": 0}}):
        read = parse_policy(text(**more).encode())
        names = [f"{name}.example/audit" for name in NAMES[:4]]
        assert list(read.witnesses) == names
        assert [log.public for log in read.logs] == [LOG]
        for count in range(5):
            assert read.is_reached(names[:count]) == (count >= 3)


def test_ordinary_witnesses_are_needed_beside_the_auditors_and_never_instead() -> None:
    witnesses = [vkey(name) for name in ("river", "hill", "lake")]
    read = parse_policy(text(witnesses={"keys": witnesses, "quorum": 2}).encode())
    audits = [f"{name}.example/audit" for name in NAMES[:4]]
    others = [f"{name}.example/audit" for name in ("river", "hill", "lake")]
    for q, k in itertools.product(range(5), range(4)):
        assert read.is_reached([*audits[:q], *others[:k]]) == (q >= 3 and k >= 2)


def test_witnesses_that_nobody_needs_are_named_all_the_same() -> None:
    read = parse_policy(text(witnesses={"keys": [vkey("river")], "quorum": 0}).encode())
    assert "river.example/audit" in read.witnesses
    assert read.is_reached([f"{name}.example/audit" for name in NAMES[:3]])


def test_a_key_of_another_suite_may_cosign() -> None:
    public = generate("ml-dsa-44").public
    keys = [*auditors(3)["keys"], NoteKey("west.example", public, cosigner=True).vkey]
    read = parse_policy(text(auditors=auditors(keys=keys)).encode())
    assert read.witnesses["west.example"].public == public
