"""What a ledger calls final is final for whoever holds a policy that was in use by then; and all of
it becomes final, whatever governance decided meanwhile."""

import copy
from collections.abc import Sequence
from pathlib import Path
from random import Random

import independent_checker as second
import pytest
from support import city as cities
from support.auditors import govern_policy, make_final, policy_document, vkeys
from support.bundles import Json, rotation
from support.chains import A, B, C, cosigned, document, rotate, trust
from support.city import NOON, ORIGIN, City, key

from api.cosigning import Collecting, Cosigned
from api.proving import Proving, complete, prove_free, prove_reduction
from chain.policies import WitnessPolicy
from chain.sequencer import Sequencer
from chain.spans import FOREVER
from keys.notes import cosign
from keys.strict import dump_json
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import parse_policy


def verdict(file: Json, policy: str) -> str:
    data = dump_json(file)
    found = check_file(data, parse_policy(policy.encode())).verdict
    assert second.check(data, second.Policy(policy.encode())) == found
    return found


def cosign_offer(collecting: Collecting, height: int, names: Sequence[str]) -> None:
    """Have the block of a height cosigned."""
    collecting.look()
    offer = collecting.offer(height - 1)
    assert offer is not None and offer.height == height
    lines = [cosign(offer.note.text, f"{name}.example", key(name), NOON) for name in names]
    collecting.take([Cosigned(height, line) for line in lines])


# --- what went wrong once ---


def test_another_ledger_of_the_same_auditors_is_not_the_one_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = trust(A)
    monkeypatch.setattr(cities, "ORIGIN", "other.example/city")
    others = {"operator": "other-operator"}
    monkeypatch.setattr(cities, "key", lambda name: key(others.get(name, name)))
    city = City.found(tmp_path / "city")
    govern_policy(city, document(A))
    line = city.ride("ann", NOON)
    city.submit([line])
    with city.store.snapshot() as snapshot:
        link = Proving(city.store, snapshot).link()
        link["checkpoint"] = snapshot.note(snapshot.block(city.state.height)).decode()
    made = prove_reduction(city.store, city.reduce([line])[0].leaf)
    made["policies"]["links"] = [{**link, "path": []}]
    for part in (made, made["policies"]["links"][0]):
        cosigned(part, *A[:3], signer="other-operator", origin="other.example/city")
    assert verdict(made, mine) == "invalid"
    named = mine.replace(
        mine.split("\n")[0], policy_text("other.example/city", key("other-operator").public)
    ).replace("quorum none\n", "")
    assert verdict(made, named) == "provisional"
    city.store.engine.dispose()


def test_a_link_that_passes_over_too_many_is_none(tmp_path: Path) -> None:
    city = City.found(tmp_path / "city")
    sets = [tuple(f"{letter}-{n}" for n in range(1, 5)) for letter in "abcdefghijk"]
    govern_policy(city, document(sets[0]))
    first = make_final(city, *sets[0])
    for names in sets[1:]:
        govern_policy(city, document(names))
    every = [name for names in sets for name in names[:3]]
    assert make_final(city, *every) == make_final(city, *every) == first
    with city.store.snapshot() as snapshot:
        assert snapshot.links() == []
    city.store.engine.dispose()


def test_a_note_has_room_for_the_cosignatures_that_a_link_needs(tmp_path: Path) -> None:
    """Of four policies of 32 each, all of whom are needed, a note cannot hold all lines."""

    def all_of(names: Sequence[str]) -> bytes:
        return policy_document(vkeys(*names), 32)

    sets = [[f"{letter}-{n:02}" for n in range(1, 33)] for letter in "abcd"]
    city = City.found(tmp_path / "city")
    govern_policy(city, all_of(sets[0]))
    make_final(city, *sets[0])
    for names in sets[1:]:
        govern_policy(city, all_of(names))
    for names in sets:
        make_final(city, *names)
    line = city.ride("ann", NOON)
    city.submit([line])
    made = prove_reduction(city.store, city.reduce([line])[0].leaf)
    for names in sets:
        make_final(city, *names)
    first = policy_text(ORIGIN, key("operator").public, WitnessPolicy(all_of(sets[0])))
    # What the link needs stands before what the others have signed.
    assert complete(city.store, made)
    assert verdict(made, first) == "provisional"
    city.store.engine.dispose()


def test_blocks_by_a_new_key_are_final_with_the_link_that_shows_it(tmp_path: Path) -> None:
    city = City.found(tmp_path / "city")
    govern_policy(city, document(A))
    make_final(city, *A)
    collecting = Collecting(city.store)
    rotate(city)
    rotated = city.state.height
    collecting.look()
    cosign_offer(collecting, rotated, A[:2])  # the third one is late, and passes over it
    line = city.ride("ann", NOON)
    city.submit([line])
    collecting.look()
    made = prove_reduction(city.store, city.reduce([line])[0].leaf)
    city.submit([city.ride("bob", NOON + 100)])
    cosign_offer(collecting, rotated + 1, A[:3])
    collecting.look()
    for _ in range(2):
        is_final = complete(city.store, made)
        assert is_final == (verdict(made, trust(A)) == "provisional")
        cosign_offer(collecting, city.state.height, A[:3])
    with city.store.snapshot() as snapshot:
        assert snapshot.final_height() == city.state.height
    city.store.engine.dispose()


# --- any history ---

SETS = (A, B, C, (*A[:3], "b-1"), (*B[:2], *C[:2]))
AT_ONCE = 4


class History:
    """A ledger whose governance decides at random, and whose cosigners come and go."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.city = City.found(folder)
        self.operator = 0
        self.files: dict[int, Json] = {}
        self.used: dict[str, int] = {}
        govern_policy(self.city, document(A))
        self.collecting = Collecting(self.city.store)
        self.note()

    def note(self) -> None:
        """Keep a file of the last block, and the policy in use."""
        line = self.city.state.classes.line("ticket", ["city-bus", "0" * 32])
        height = self.city.state.height
        if height not in self.files:
            self.files[height] = prove_free(self.city.store, line, 0, FOREVER)
        if use := self.collecting.use:
            self.used.setdefault(policy_text(ORIGIN, use.key, use.policy), use.since)

    def decide(self, *, policy: bool, rotation_too: bool) -> None:
        """Have governance put another policy or another key of the operator in force, or both."""
        actions, names = [], self.random.choice(SETS)
        if policy:
            consumes = self.city.state.policy.holder.hex()
            made = {"action": "policy", "document": document(names).decode()}
            actions.append({**made, "consumes": consumes})
        if rotation_too:
            old, new = (self.key_of(self.operator + n) for n in range(2))
            self.operator += 1
            self.city.sequencer = Sequencer(self.city.store, old, new)
            actions.append(rotation("operator", old, new))
        self.city.govern(*actions)

    def key_of(self, number: int) -> object:
        return key(f"operator/{number + 1}" if number else "operator")

    def cosign(self, count: int) -> None:
        """Have some of those who are asked sign what is offered to them."""
        for _ in range(count):
            use = self.collecting.use
            assert use is not None
            of = self.random.choice(list(use.keys))
            self.cosign_by(of)

    def cosign_by(self, of: object) -> None:
        offer = self.collecting.offer(self.collecting.last_cosigned(of))
        if offer is not None:
            signer = key(of.name.removesuffix(".example"))
            line = cosign(offer.note.text, of.name, signer, NOON)
            self.collecting.take([Cosigned(offer.height, line)])

    def step(self) -> None:
        """Do something."""
        chance = self.random.random()
        if chance < 0.12:
            self.decide(policy=True, rotation_too=False)
        elif chance < 0.20:
            self.decide(policy=False, rotation_too=True)
        elif chance < 0.24:
            self.decide(policy=True, rotation_too=True)
        elif chance < 0.36:
            self.city.submit([self.city.ride(f"rider-{len(self.files)}", NOON)])
        elif chance < 0.46:
            self.collecting.look()
        elif chance < 0.52:
            self.collecting = Collecting(self.city.store)
        else:
            self.cosign(self.random.randint(1, AT_ONCE))
        self.note()

    def check(self) -> None:
        """What the ledger calls final is so for whoever holds a policy that was in use by then."""
        for height, file in self.files.items():
            made = copy.deepcopy(file)
            if complete(self.city.store, made):
                for policy, since in self.used.items():
                    if since <= height:
                        assert verdict(made, policy) == "provisional"

    def finish(self) -> None:
        """Have all be cosigned, and see that all is final then."""
        for _ in range(400):
            self.collecting.look()
            self.note()
            with self.city.store.snapshot() as snapshot:
                if snapshot.has_quorum(self.city.state.height):
                    return
            use = self.collecting.use
            assert use is not None
            for of in use.keys:
                self.cosign_by(of)
        raise AssertionError("it does not become final")


def check_history(folder: Path, seed: int) -> None:
    history = History(folder / str(seed), seed)
    for _ in range(history.random.randint(10, 30)):
        history.step()
    history.check()
    history.finish()
    history.check()
    history.city.store.engine.dispose()


@pytest.mark.parametrize("seed", range(3))
def test_what_a_ledger_calls_final_is_final_for_everybody(tmp_path: Path, seed: int) -> None:
    check_history(tmp_path, seed)


@pytest.mark.long
def test_what_many_ledgers_call_final_is_final_for_everybody(tmp_path: Path) -> None:
    for seed in range(3, 60):
        check_history(tmp_path, seed)
