"""Participants: which key, and which role, holds at which log index."""

import hashlib
from dataclasses import FrozenInstanceError

import cbor2
import pytest

from keys.errors import Conflict, Fault, Malformed, NotAllowed
from keys.participants import (
    FOREVER,
    MAY_SIGN,
    KeySpan,
    Participant,
    Role,
    key_holder,
    role_holder,
)
from keys.signer import from_seed

OLD, NEW = from_seed(b"old").public, from_seed(b"new").public
BUS = Participant("bus", "市公交").with_key(OLD, 10).with_role(Role.PLATFORM, 10)


@pytest.mark.parametrize(("index", "found"), [(0, None), (9, None), (10, OLD), (10**9, OLD)])
def test_a_key_used_before_its_span(index: int, found: object) -> None:
    span = BUS.key_at(index)
    assert (span and span.public) == found


def test_a_key_used_after_its_span() -> None:
    ended = BUS.end_key(at=20, not_before=15)
    assert ended.key_at(19) == KeySpan(OLD, 10, 20)
    assert ended.key_at(20) is None
    assert BUS.key_at(20) == KeySpan(OLD, 10, FOREVER)  # the one before is as it was


def test_a_key_is_rotated() -> None:
    rotated = BUS.end_key(20, 20).with_key(NEW, 20)
    assert [span.public for index in (19, 20) if (span := rotated.key_at(index))] == [OLD, NEW]
    later = BUS.end_key(20, 20).with_key(NEW, 25)
    assert later.key_at(22) is None


@pytest.mark.parametrize(
    ("at", "not_before"), [(14, 15), (10, 5), (9, 5), (FOREVER, 15), (FOREVER + 1, 15), (-1, -5)]
)
def test_an_end_moves_to_no_earlier_index(at: int, not_before: int) -> None:
    with pytest.raises(NotAllowed) as error:
        BUS.end_key(at, not_before)
    assert error.value.code == "key-end-refused"
    with pytest.raises(NotAllowed) as error:
        BUS.end_role(Role.PLATFORM, at, not_before)
    assert error.value.code == "role-end-refused"


def test_an_end_moves_once() -> None:
    for at in (15, 20, 25):
        with pytest.raises(NotAllowed):
            BUS.end_key(20, 15).end_key(at, 15)
        with pytest.raises(NotAllowed):
            BUS.end_role(Role.PLATFORM, 20, 15).end_role(Role.PLATFORM, at, 15)


def test_what_is_not_there_does_not_end() -> None:
    with pytest.raises(NotAllowed):
        Participant("bus", "Bus").end_key(5, 1)
    with pytest.raises(NotAllowed):
        BUS.end_role(Role.VERIFIER, 50, 20)


def test_keys_do_not_overlap() -> None:
    for participant, start in ((BUS, 20), (BUS.end_key(20, 15), 19)):
        with pytest.raises(Conflict) as error:
            participant.with_key(NEW, start)
        assert error.value.code == "key-still-valid"
    with pytest.raises(Conflict) as error:
        BUS.end_key(20, 15).with_key(OLD, 20)
    assert error.value.code == "key-used-before"


@pytest.mark.parametrize(
    "keys",
    [
        (KeySpan(OLD, 5, 5),),
        (KeySpan(OLD, 5, 4),),
        (KeySpan(OLD, -1, 4),),
        (KeySpan(OLD, 0, FOREVER + 1),),
        (KeySpan(OLD, 0, 10), KeySpan(NEW, 9, 20)),
        (KeySpan(OLD, 10, 20), KeySpan(NEW, 0, 10)),
    ],
)
def test_broken_spans_are_a_fault(keys: tuple[KeySpan, ...]) -> None:
    with pytest.raises(Fault):
        Participant("bus", "Bus", keys)
    with pytest.raises(Fault):
        Participant("bus", "Bus", roles={"platform": (5, 5)})


def test_a_participant_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        BUS.id = "other"  # type: ignore[misc]
    assert Participant("bus", "市公交", (KeySpan(OLD, 10),), {"platform": (10, FOREVER)}) == BUS
    hash(BUS)


def test_roles_hold_in_their_spans() -> None:
    ended = BUS.end_role(Role.PLATFORM, 20, 20)
    assert [ended.has_role("platform", index) for index in (9, 10, 19, 20)] == [
        False,
        True,
        True,
        False,
    ]
    assert not ended.has_role("verifier", 15)
    assert not ended.has_role("no such role", 15)
    again = ended.with_role(Role.PLATFORM, 30)
    assert (again.has_role("platform", 25), again.has_role("platform", 30)) == (False, True)
    for participant, start in ((BUS, 50), (ended, 19)):
        with pytest.raises(Conflict) as error:
            participant.with_role(Role.PLATFORM, start)
        assert error.value.code == "role-still-valid"


HOLDERS = {"governor", "platform", "verifier", "exchange", "authority", "holder"}


@pytest.mark.parametrize(
    ("kind", "roles"),
    [
        ("genesis", {"operator"}),
        ("seal", {"operator"}),
        ("proposal", {"governor"}),
        ("approval", {"governor"}),
        ("submission", {"platform"}),
        ("void", {"platform", "governor", "verifier"}),
        ("close", {"operator", "governor"}),
        ("certification", {"verifier"}),
        ("withdrawal", {"verifier", "governor"}),
        ("issuance", {"authority"}),
        ("correction", {"authority"}),
        ("deposit", {"authority"}),
        *((kind, HOLDERS) for kind in ("transfer", "offer", "release", "retirement")),
        ("import", {"exchange"}),
        ("cancellation", {"authority"}),
        ("erasure", {"operator"}),
        ("no such kind", set()),
    ],
)
def test_who_may_sign_what(kind: str, roles: set[str]) -> None:
    assert MAY_SIGN.get(kind, frozenset()) == roles
    for role in Role:
        participant = Participant("p", "P").with_role(role, 10)
        assert participant.may(kind, 10) == (role in roles)
        assert not participant.may(kind, 9)


@pytest.mark.parametrize("name", ["bus", "a", "b2-c.d", "0", "a" * 64])
def test_participant_ids(name: str) -> None:
    assert Participant(name, "").id == name


@pytest.mark.parametrize(
    "name", ["", "Bus", "-a", "a-", "a--b", "a.-b", "a_b", "a b", "a\n", "é", "a" * 65]
)
def test_participant_ids_that_are_refused(name: str) -> None:
    with pytest.raises(Malformed):
        Participant(name, "")


def test_holders() -> None:
    number = (2**64 - 8).to_bytes(8, "big")
    made = hashlib.sha256(b"tally/holder/key/v1\n" + number + OLD.raw).digest()
    assert key_holder(OLD) == made != key_holder(NEW)
    parts = cbor2.dumps(["bus", "platform"])
    assert role_holder("bus", "platform") == role_holder("bus", Role.PLATFORM)
    assert role_holder("bus", Role.PLATFORM) == (
        hashlib.sha256(b"tally/holder/role/v1\n" + parts).digest()
    )
