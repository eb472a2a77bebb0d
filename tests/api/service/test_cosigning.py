"""Checkpoints become final: the quorum of the governed policy cosigns them, and no one else."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.auditors import (
    Witness,
    addresses,
    all_cosigning,
    cosigning,
    govern_policy,
    make_final,
    policy_document,
    vkeys,
)
from support.city import NOON, City, key
from support.service import served
from support.waiting import until

import api.service.cosigning
from api.cosigning import Ahead, Collecting, Cosigned, Cosigner
from api.service.cosigning import Cosigning
from api.service.sealing import Sealing
from api.service.settings import Settings
from chain.finality import is_final, next_offer
from chain.paths import CHECKPOINT, FINAL_CHECKPOINT
from chain.policies import WitnessPolicy
from chain.store import queue
from keys.errors import Conflict, TallyError, Unreadable, VerificationError
from keys.notes import cosign, parse_note, signed_by

pytestmark = pytest.mark.usefixtures("database")
NAMES = ("a-1", "a-2", "a-3", "a-4")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.service.cosigning, "PAUSE_SECONDS", 0.02)


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path / "city")


def final_height(city: City) -> int:
    with city.store.snapshot() as snapshot:
        return snapshot.final_height()


def ride(city: City, name: str) -> None:
    city.submit([city.ride(name, NOON)])


@contextlib.contextmanager
def collecting(city: City, witnesses: Sequence[Witness]) -> Iterator[None]:
    """What the sealing process does beside sealing."""
    lead = city.store.lead()
    assert lead is not None
    with lead, Cosigning(city.store, addresses(witnesses), lead):
        yield


def founded(city: City, witnesses: Sequence[Witness], quorum: int = 3, faults: int = 1) -> None:
    govern_policy(city, policy_document([one.key for one in witnesses], quorum, faults))


# --- arithmetic ---


def test_the_quorum_of_each_group_is_needed() -> None:
    keys = vkeys("a", "b", "c", "d", "w", "x")
    one = WitnessPolicy(policy_document(keys[:4], 3, 1))
    both = WitnessPolicy(policy_document(keys[:4], 3, 1, witnesses=(keys[4:], 1)))
    assert not is_final(one, keys[:2])
    assert is_final(one, keys[1:4])
    assert not is_final(one, [*keys[:2], *keys[4:]])
    assert not is_final(both, keys[1:4])
    assert not is_final(both, keys[4:])
    assert is_final(both, keys[1:5])


def test_offers_are_in_order_until_a_cosigner_is_far_behind() -> None:
    assert next_offer(4, 4) is None
    assert [next_offer(last, 40) for last in (-1, 8, 39)] == [0, 9, 40]
    assert next_offer(0, 1_000) == 16
    assert next_offer(0, 1_000, halt=3) == 3
    assert next_offer(3, 1_000, halt=3) == 16
    for newest in (63, 64, 500, 100_000):
        last, steps = -1, 0
        while (following := next_offer(last, newest)) is not None:
            assert last < following <= newest
            last, steps = following, steps + 1
        assert last == newest
        assert steps < 1_000


def test_two_that_are_behind_stop_at_the_same_heights() -> None:
    def stops(last: int) -> set[int]:
        found = set()
        while (following := next_offer(last, 5_000)) is not None:
            found.add(last := following)
        return found

    assert len(stops(17) & stops(400)) > 100


# --- asking one cosigner ---


def test_a_cosigner_is_told_the_size_that_it_knows(city: City) -> None:
    with cosigning("a-1") as witness:
        founded(city, [witness], 1, 0)
        of = Collecting(city.store)
        first = of.newest()
        assert first is not None
        cosigner = Cosigner(witness.key, witness.url)
        tree = city.store.published_tree()
        line = cosigner.ask(first.note, tree)
        assert signed_by(first.note, witness.key) is None
        # After a restart it is not known how far the cosigner is: it says so, and the same
        # checkpoint is cosigned again.
        again = Cosigner(witness.key, witness.url)
        assert again.ask(first.note, tree) == line
        ride(city, "ann")
        of.look()
        second = of.newest()
        assert second is not None
        late = Cosigner(witness.key, witness.url)
        late.ask(second.note, city.store.published_tree())
        with pytest.raises(Ahead) as ahead:
            cosigner.ask(first.note, tree)
        assert ahead.value.size == city.state.index
        for one in (cosigner, again, late):
            one.close()


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ((200, "text/plain", b""), VerificationError, "cosigner-answer"),
        ((200, "text/plain", b"x" * 100_000), VerificationError, "cosigner-answer"),
        ((404, "text/plain", b"no\n"), Conflict, "cosigner-refused"),
        ((409, "text/plain", b"7\n"), Conflict, "cosigner-refused"),
        ((409, "text/x.tlog.size", b"007\n"), Conflict, "cosigner-refused"),
        ((409, "text/x.tlog.size", b"0\n"), Conflict, "cosigner-refused"),
        ((409, "text/x.tlog.size", b"99999\n"), Ahead, "cosigner-ahead"),
        ((500, "text/plain", b""), Conflict, "cosigner-refused"),
    ],
)
def test_what_is_no_cosignature_is_an_error(
    city: City,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    error: type[TallyError],
    code: str,
) -> None:
    with cosigning("a-1") as witness:
        founded(city, [witness], 1, 0)
        offer = Collecting(city.store).newest()
        assert offer is not None
        monkeypatch.setattr(witness, "answer", lambda body: answer)
        cosigner = Cosigner(witness.key, witness.url)
        with pytest.raises(error) as raised:
            cosigner.ask(offer.note, city.store.published_tree())
        assert raised.value.code == code
        cosigner.close()


def test_a_cosignature_by_another_key_is_none(city: City) -> None:
    with all_cosigning("a-1", "a-2") as (one, two):
        founded(city, [one], 1, 0)
        offer = Collecting(city.store).newest()
        assert offer is not None
        cosigner = Cosigner(two.key, one.url)
        with pytest.raises(VerificationError):
            cosigner.ask(offer.note, city.store.published_tree())
        cosigner.close()


def test_nobody_at_the_address_is_an_error(city: City) -> None:
    with cosigning("a-1") as witness:
        founded(city, [witness], 1, 0)
    offer = Collecting(city.store).newest()
    assert offer is not None
    cosigner = Cosigner(witness.key, witness.url)
    with pytest.raises(Unreadable) as raised:
        cosigner.ask(offer.note, city.store.published_tree())
    assert raised.value.code == "cosigner-unreachable"
    cosigner.close()


# --- beside sealing ---


def test_blocks_become_final_and_who_is_slow_or_dead_stops_nobody(city: City) -> None:
    with all_cosigning(*NAMES) as witnesses:
        founded(city, witnesses)
        witnesses[0].is_dead = True
        witnesses[1].delay = 0.3
        with collecting(city, witnesses):
            until(lambda: final_height(city) == city.state.height, 10)
            ride(city, "ann")
            until(lambda: final_height(city) == city.state.height, 10)
            # With one more away there are two, and three are needed.
            witnesses[2].is_dead = True
            ride(city, "ben")
            until(lambda: witnesses[2].asked[-1] == city.state.index, 10)
            until(lambda: len(cosigned(city, city.state.height)) == 2, 10)
            assert final_height(city) == city.state.height - 1
            witnesses[2].is_dead = False
            until(lambda: final_height(city) == city.state.height, 10)
        note = parse_note(city.store.files.read(FINAL_CHECKPOINT))
        assert note == parse_note(city.store.files.read(CHECKPOINT))
        assert sum(signed_by(note, one.key) is not None for one in witnesses) == 3


def test_the_process_that_seals_collects(city: City) -> None:
    with all_cosigning(*NAMES) as witnesses:
        founded(city, witnesses)
        settings = Settings.model_validate({"cosigners": addresses(witnesses)})
        sealing = Sealing(city.store, [key("operator")], settings, lambda: city.now)
        thread = threading.Thread(target=sealing.run)
        thread.start()
        queue.submit(city.store, [city.admit([city.ride("ann", NOON)])])
        before = city.state.height
        until(lambda: final_height(city) == before + 1, 10)
        sealing.stop()
        thread.join()


def cosigned(city: City, height: int) -> set[str]:
    with city.store.snapshot() as snapshot:
        return {line.name for line in snapshot.cosignatures(height)}


def test_what_was_cosigned_before_a_restart_is_settled_after_it(city: City) -> None:
    with all_cosigning(*NAMES[:1]) as witnesses:
        founded(city, witnesses, 1, 0)
        offer = Collecting(city.store).newest()
        assert offer is not None
        cosigner = Cosigner(witnesses[0].key, witnesses[0].url)
        line = cosigner.ask(offer.note, city.store.published_tree())
        cosigner.close()
    city.store.enter_cosignatures([Cosigned(offer.height, line)])
    assert final_height(city) == -1
    Collecting(city.store)
    assert final_height(city) == offer.height
    assert city.store.files.exists(FINAL_CHECKPOINT)


def test_whoever_was_overtaken_enters_nothing(city: City) -> None:
    with cosigning("a-1") as witness:
        founded(city, [witness], 1, 0)
        lead = city.store.lead()
        assert lead is not None
        of = Collecting(city.store, lead)
        offer = of.newest()
        assert offer is not None
        cosigner = Cosigner(witness.key, witness.url)
        line = cosigner.ask(offer.note, city.store.published_tree())
        cosigner.close()
    lead.close()
    later = city.store.lead()
    assert later is not None
    with later, pytest.raises(Conflict) as overtaken:
        of.take([Cosigned(offer.height, line)])
    assert overtaken.value.code == "sequencer-overtaken"
    assert cosigned(city, offer.height) == set()


# --- a change of the policy ---


def links(city: City) -> list[Any]:
    with city.store.snapshot() as snapshot:
        return snapshot.links()


def test_a_policy_is_used_only_when_it_is_final_under_the_one_before(city: City) -> None:
    with all_cosigning("a-1", "b-1") as (old, new):
        founded(city, [old], 1, 0)
        with collecting(city, [old, new]):
            until(lambda: final_height(city) == city.state.height, 10)
            old.is_dead = True
            founded(city, [new], 1, 0)
            changed = city.state.height
            until(lambda: old.asked[-1] == city.state.index, 10)
            ride(city, "ann")
            until(lambda: old.asked[-1] == city.state.index, 10)
            assert new.asked == []
            assert links(city) == []
            old.is_dead = False
            until(lambda: links(city), 10)
            until(lambda: final_height(city) >= changed, 10)
            ride(city, "ben")
            until(lambda: final_height(city) == city.state.height, 10)
            assert cosigned(city, city.state.height) == {new.name}
        [link] = links(city)
        assert signed_by(parse_note(link["checkpoint"].encode()), old.key) is not None


def test_where_the_block_of_the_change_is_passed_over_a_later_one_is_the_link(city: City) -> None:
    founded(city, [Witness("a-1")], 1, 0)
    make_final(city, "a-1")
    policy = govern_policy(city, policy_document(vkeys("b-1"), 1))
    of = Collecting(city.store)
    ride(city, "ann")
    of.look()
    newest = of.newest()
    assert newest is not None
    line = cosign(newest.note.text, "a-1.example", key("a-1"), NOON)
    of.take([Cosigned(newest.height, line)])
    of.look()
    assert of.use is not None
    assert (of.use.policy.holder, of.use.since) == (policy.holder, newest.height)
    assert len(links(city)) == 1
    # Another process finds the same.
    other = Collecting(city.store).use
    assert other is not None
    assert (other.policy.holder, *other[1:]) == (policy.holder, *of.use[1:])


# --- answers ---


def test_answers_say_whether_they_are_final(city: City) -> None:
    settings = Settings(final_seconds=5)
    with all_cosigning(*NAMES) as witnesses, served(city, settings, sealing=False) as client:
        founded(city, witnesses)
        admitted = city.admit([city.ride("ann", NOON)])
        city.sequencer.submit([admitted])
        city.sequencer.seal_all(city.now)
        identity, height = admitted.entry.statement.id.hex(), city.state.height
        leaf = admitted.entry.reductions[0].leaf.hex()

        def said() -> list[bool]:
            return [
                client.get(path).json()["final"]
                for path in ("/v1/ledger", f"/v1/blocks/{height}", f"/v1/statements/{identity}")
            ]

        assert said() == [False, False, False]
        assert client.get("/checkpoint/final").status_code == 404
        assert client.get("/v1/ledger").json()["final_height"] is None
        proof = client.get(f"/v1/reductions/{leaf}/bundle", auth=client.by("metro-app")).json()
        answers: list[Any] = []
        path = f"/v1/reductions/{leaf}/bundle?final=true"
        waiting = threading.Thread(
            target=lambda: answers.append(client.get(path, auth=client.by("metro-app")))
        )
        waiting.start()
        with collecting(city, witnesses):
            until(lambda: said() == [True, True, True], 10)
            waiting.join()
            until(lambda: len(cosigned(city, height)) == 4)
        assert answers[0].status_code == 200
        final = client.get(f"/v1/blocks/{height}/checkpoint").text
        assert client.get("/v1/ledger").json()["final_height"] == height
        assert {**answers[0].json(), "checkpoint": proof["checkpoint"]} == proof
        note = parse_note(final.encode())
        assert sum(signed_by(note, one.key) is not None for one in witnesses) == 4
        got = parse_note(answers[0].json()["checkpoint"].encode())
        assert sum(signed_by(got, one.key) is not None for one in witnesses) >= 3
        until(lambda: client.get("/checkpoint/final").text == final)
        assert client.get("/checkpoint").text == client.get("/checkpoint.final").text == final


def test_a_proof_waits_for_the_quorum_and_no_longer(city: City) -> None:
    settings = Settings(final_seconds=0.3)
    answer = city.submit([city.ride("ann", NOON)])
    with city.store.snapshot() as snapshot:
        root = bytes.fromhex(snapshot.statement(answer.index).body["root"])
    leaf = city.store.reductions(root)[0].leaf.hex()
    with served(city, settings, sealing=False) as client:
        path = f"/v1/reductions/{leaf}/bundle?final=true"
        nobody = client.get(path, auth=client.by("metro-app"))
        assert (nobody.status_code, nobody.json()["code"]) == (409, "final-without-policy")
        founded(city, [Witness(name) for name in NAMES])
        late = client.get(path, auth=client.by("metro-app"))
        assert (late.status_code, late.json()["code"]) == (503, "final-not-yet")
        assert int(late.headers["Retry-After"]) > 0
