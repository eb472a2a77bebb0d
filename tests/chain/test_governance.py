"""Governance: by how many, from when on, and that all of it stands in the register."""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.city import (
    FIRST_DAY,
    NOON,
    TODAY,
    City,
    founding_actions,
    genesis,
    key,
    scenario_document,
)
from support.replay import Replayed, check_replay

from chain.effects import Entry
from chain.genesis import enrol, library, publish_methodology
from chain.governance import ACTIONS
from chain.proofs import check_held
from chain.rules import apply
from chain.sequencer import Sequencer
from chain.spans import FOREVER, Span, make_holder
from chain.state import RULES_VERSION, State, epoch_holder, rules_holder
from keys.errors import NotAllowed, Refusal
from keys.notes import NoteKey, parse_note, signed_by
from keys.participants import Role, key_holder, role_holder
from keys.signer import generate
from keys.statements import Statement, sign_statement
from keys.strict import dump_date, dump_json, parse_json
from keys.suites import PublicKey

pytestmark = pytest.mark.usefixtures("database")

Action = dict[str, Any]
GOVERNORS = ("governor", "gov-2", "gov-3")
# Said twice, a thing is one statement; each of these is to be one of its own.
NUMBERS = itertools.count()


@pytest.fixture
def city(tmp_path: Path) -> City:
    """One governor, who is enough."""
    return City.found(tmp_path)


@pytest.fixture
def council(tmp_path: Path) -> City:
    """Three governors, of whom two are needed."""
    return council_of(tmp_path, *GOVERNORS[1:], threshold=2)


def council_of(folder: Path, *names: str, **more: Any) -> City:
    """A city with further governors."""
    enrolled = [enrol(name, name, [Role.GOVERNOR], key(name).public) for name in names]
    return City.found(folder, actions=[*founding_actions(), *enrolled], **more)


def propose(city: City, *actions: Action, by: str = "governor", **more: Any) -> Statement:
    body = {"format": 1, "actions": list(actions)}
    return city.sign("proposal", by, body, str(next(NUMBERS)), **more)


def approving(proposal: Statement) -> dict[str, Any]:
    return {"format": 1, "proposal": proposal.id.hex()}


def approve(city: City, proposal: Statement, by: str = "governor") -> Statement:
    return city.sign("approval", by, approving(proposal), str(next(NUMBERS)))


def code(city: City, statement: Statement) -> str | None:
    """Post and seal; the code of the refusal, if it is refused."""
    city.post(statement)
    try:
        city.answer(statement)
    except Refusal as refusal:
        return refusal.code
    return None


def refused(city: City, *actions: Action) -> str | None:
    """The code with which the approval of ``actions`` is refused; nothing has changed then."""
    before = facts(city.state)
    proposal = propose(city, *actions)
    assert code(city, proposal) is None
    root = register_root(city)
    found = code(city, approve(city, proposal))
    assert found is not None
    assert facts(city.state) == before
    assert register_root(city) == root
    return found


def register_root(city: City) -> bytes:
    with city.store.snapshot() as snapshot:
        return snapshot.register().root()


def versions(state: State, of: str) -> dict[str, list[tuple[int, int, bytes]]]:
    return {
        name: [(v.start, v.end, v.document.document) for v in known]
        for name, known in getattr(state, of).items()
    }


def facts(state: State) -> tuple[object, ...]:
    return (
        dict(state.participants),
        versions(state, "methodologies"),
        versions(state, "scenarios"),
        state.classes.document,
        (state.threshold, state.rules, state.policy and state.policy.document, state.epochs),
    )


def plate(version: int = 2, **more: Any) -> bytes:
    """The clean plate's methodology in another version."""
    return dump_json({**parse_json(library()["clean-plate"]), "version": version, **more})


def publish(document: bytes, day: int, consumes: bytes | None = None) -> Action:
    action = publish_methodology(document, day)
    return action if consumes is None else {**action, "consumes": consumes.hex()}


def scenario(document: bytes, day: int | None = None, consumes: bytes | None = None) -> Action:
    action: Action = {"action": "scenario", "document": document.decode()}
    if day is not None:
        action["from"] = dump_date(day)
    return action if consumes is None else {**action, "consumes": consumes.hex()}


def in_force(city: City, name: str = "clean-plate", day: int = TODAY) -> bytes:
    methodology = city.state.methodology(name, day)
    assert methodology is not None
    return bytes(methodology.holder)


# --- what stands in the register ---


def expected_spans(state: State, closed: Sequence[Span] = ()) -> set[Span]:
    """Every span that governance has entered, from what the state says."""
    line = state.classes.line
    spans = set(closed)
    for participant in state.participants.values():
        for k in participant.keys:
            spans.add(Span(line("key", [participant.id]), k.start, k.end, key_holder(k.public)))
        for role, (start, end) in participant.roles.items():
            holder = role_holder(participant.id, role)
            spans.add(Span(line("role", [participant.id, role]), start, end, holder))
    for of in ("methodology", "scenario"):
        known = state.methodologies if of == "methodology" else state.scenarios
        for name, documents in known.items():
            for version in documents:
                holder = make_holder(of, version.document.document)
                spans.add(Span(line(of, [name]), version.start, version.end, holder))
    document = make_holder("classes", state.classes.document)
    spans.add(Span(line("classes", []), state.classes_since, FOREVER, document))
    spans.add(Span(line("rules", []), state.rules_since, FOREVER, rules_holder(state.rules)))
    for policy in state.policies:
        spans.add(Span(line("policy", []), policy.start, policy.end, policy.document.holder))
    ends = [*(epoch.start for epoch in state.epochs[1:]), FOREVER]
    for epoch, end in zip(state.epochs, ends, strict=False):
        spans.add(Span(line("pseudonyms", []), epoch.start, end, epoch_holder(epoch)))
    spans.add(Span(line("books", []), 0, state.closed_until, make_holder("books", b"")))
    return spans


def check_register(city: City, closed: Sequence[Span] = ()) -> None:
    """The register holds those spans and no others, and proves each of them held."""
    state = city.state
    with city.store.snapshot() as snapshot:
        register = snapshot.register()
        head = snapshot.head()
        assert head is not None
        spans = [
            span
            for span in register.spans()
            if state.classes.by_number[span.class_number].claimed_by != "reduction"
        ]
        assert set(spans) == expected_spans(state, closed)
        for span in spans:
            proof = register.held(span.line, span.start)
            assert proof.span == span
            check_held(head.register_root, proof, state.classes.allows)
    check_replay(city)


def test_the_founding_actions_are_in_the_register(city: City) -> None:
    assert city.state.closed_until == FIRST_DAY
    check_register(city)


def test_everything_that_governance_enters_is_in_the_register(city: City) -> None:
    issuers = parse_json(city.state.classes.document)
    issuers["issuers"]["ticket"].append("ferry")
    old_classes = city.state.classes.document
    metro = city.state.participants["metro-app"]
    city.govern(
        enrol("ferry-app", "Ferry", [Role.PLATFORM, Role.EXCHANGE], key("ferry-app").public),
        {
            "action": "rotate",
            "participant": "metro-app",
            "key": key("metro-app/2").public.as_json(),
            "consumes": key_holder(metro.keys[0].public).hex(),
        },
        {"action": "grant", "participant": "pay-app", "role": "exchange"},
        {
            "action": "withdraw",
            "participant": "verifier",
            "role": "verifier",
            "consumes": role_holder("verifier", "verifier").hex(),
        },
        publish(plate(), TODAY + 2, in_force(city)),
        scenario(
            scenario_document("city-bus", "bus-ride-by-code", ["metro-app"]),
            TODAY + 3,
            city.state.scenario("city-bus", TODAY).holder,
        ),
        {
            "action": "classes",
            "document": dump_json(issuers).decode(),
            "consumes": make_holder("classes", old_classes).hex(),
        },
    )
    since = city.state.classes_since
    line = city.state.classes.line("classes", [])
    check_register(city, [Span(line, 0, since, make_holder("classes", old_classes))])
    check_register(city.reopen(), [Span(line, 0, since, make_holder("classes", old_classes))])


# --- proposals and approvals ---


def test_one_of_one(city: City) -> None:
    proposal = propose(city, enrol("new-app", "New", [Role.PLATFORM], key("new-app").public))
    assert code(city, proposal) is None
    assert "new-app" not in city.state.participants
    assert list(city.state.proposals) == [proposal.id]
    approval = approve(city, proposal)
    assert code(city, approval) is None
    index = city.answer(approval).index
    assert not city.state.proposals
    added = city.state.participants["new-app"]
    assert [(k.start, k.end) for k in added.keys] == [(index + 1, FOREVER)]
    assert code(city, approve(city, proposal)) == "proposal-unknown"
    check_register(city.reopen())


def test_two_of_three(council: City) -> None:
    proposal = propose(
        council, enrol("new-app", "New", [Role.PLATFORM], key("new-app").public), by="gov-3"
    )
    assert code(council, proposal) is None
    assert code(council, approve(council, proposal, "gov-3")) is None
    assert "new-app" not in council.state.participants
    # Once more does not count, and neither does anyone else.
    assert code(council, approve(council, proposal, "gov-3")) == "approval-twice"
    assert code(council, approve(council, proposal, "verifier")) == "role-missing"
    assert code(council, approve(council, proposal, "operator")) == "role-missing"
    council = council.reopen()
    assert "new-app" not in council.state.participants
    assert code(council, approve(council, proposal, "gov-2")) is None
    assert "new-app" in council.state.participants
    assert code(council, approve(council, proposal, "governor")) == "proposal-unknown"
    check_register(council)


def test_a_proposal_is_not_an_approval(council: City) -> None:
    proposal = propose(council, enrol("new-app", "New", [], key("new-app").public))
    assert code(council, proposal) is None
    assert code(council, approve(council, proposal, "gov-2")) is None
    assert "new-app" not in council.state.participants


def test_a_governor_who_lost_the_role_does_not_count(council: City) -> None:
    proposal = propose(council, enrol("new-app", "New", [], key("new-app").public))
    assert code(council, proposal) is None
    assert code(council, approve(council, proposal, "gov-3")) is None
    withdrawal = propose(
        council,
        {
            "action": "withdraw",
            "participant": "gov-3",
            "role": "governor",
            "consumes": role_holder("gov-3", "governor").hex(),
        },
    )
    assert code(council, withdrawal) is None
    for name in ("governor", "gov-2"):
        assert code(council, approve(council, withdrawal, name)) is None
    assert code(council, approve(council, withdrawal, "gov-3")) == "role-missing"
    assert code(council, approve(council, proposal, "governor")) is None
    assert "new-app" not in council.state.participants
    assert code(council, approve(council, proposal, "gov-2")) is None
    assert "new-app" in council.state.participants
    check_register(council)


def test_the_second_at_which_a_proposal_expires(city: City) -> None:
    """The rules' clock is the last seal's: at ``exp`` itself it is over, a second before not."""
    action = enrol("new-app", "New", [], key("new-app").public)
    proposal = propose(city, action, expires=NOON + 100)
    other = propose(city, action, expires=NOON + 101)
    city.post(proposal, other)
    city.now = NOON + 100
    city.submit([city.ride("ann", NOON)])
    assert code(city, approve(city, proposal)) == "proposal-expired"
    assert code(city, approve(city, other)) is None


def test_expired_proposals_leave_the_state(city: City) -> None:
    """With the next statement of governance, so that a replay drops them at the same index."""
    action = enrol("new-app", "New", [], key("new-app").public)
    old = [propose(city, action, expires=NOON + 50 + n) for n in range(3)]
    city.post(*old)
    city.now = NOON + 51
    city.submit([city.ride("ann", NOON)])
    assert set(city.state.proposals) == {statement.id for statement in old}
    assert set(city.state.waiting) == {old[2].id}
    check_replay(city.reopen())
    new = propose(city, action)
    assert code(city, new) is None
    assert set(city.state.proposals) == {old[2].id, new.id}
    check_replay(city.reopen())
    assert code(city, approve(city, old[0])) == "proposal-unknown"
    # An approval drops them as well, whether it enacts anything or not.
    city.now = NOON + 52
    city.submit([city.ride("ben", NOON)])
    assert code(city, approve(city, new)) is None
    assert not city.state.proposals
    check_replay(city.reopen())


def test_an_approval_that_is_not_the_last_drops_what_expired(council: City) -> None:
    action = enrol("new-app", "New", [], key("new-app").public)
    old, new = propose(council, action, expires=NOON + 50), propose(council, action)
    council.post(old, new)
    council.now = NOON + 50
    council.submit([council.ride("ann", NOON)])
    assert code(council, approve(council, new)) is None
    assert set(council.state.proposals) == {new.id}
    check_replay(council.reopen())


def test_forms_of_proposals_and_approvals(city: City) -> None:
    good = enrol("new-app", "New", [], key("new-app").public)
    for actions, expected in (
        ([], "field-type"),
        ([good] * 65, "field-type"),
        ("enrol", "field-type"),
        (["enrol"], "action-unknown"),
        ([{"action": "abolish"}], "action-unknown"),
        ([{"action": ["enrol"]}], "action-unknown"),
        ([{}], "action-unknown"),
        ([{**good, "note": ""}], "field-unknown"),
        ([{**good, "roles": "platform"}], "field-type"),
        ([{k: v for k, v in good.items() if k != "key"}], "field-missing"),
    ):
        body = {"format": 1, "actions": actions}
        assert code(city, city.sign("proposal", "governor", body)) == expected
    for body, expected in (
        ({"format": 2, "actions": [good]}, "format-unknown"),
        ({"format": 1}, "field-missing"),
    ):
        assert code(city, city.sign("proposal", "governor", body)) == expected
    for body, expected in (
        ({"format": 1, "proposal": "0" * 64}, "proposal-unknown"),
        ({"format": 1, "proposal": "0"}, "hex-not-canonical"),
        ({"format": 2, "proposal": "0" * 64}, "format-unknown"),
        ({"format": 1}, "field-missing"),
    ):
        assert code(city, city.sign("approval", "governor", body)) == expected
    assert code(city, city.sign("proposal", "metro-app", {})) == "role-missing"


# --- by two of three, whatever the action ---


def policy(quorum: int = 3, *, names: Sequence[str] = "abcd") -> bytes:
    """Auditors, of whom one may lie."""
    keys = [NoteKey(f"{name}.example", key(name).public, cosigner=True).vkey for name in names]
    auditors = {"keys": keys, "quorum": quorum, "faults": 1}
    return dump_json({"format": 1, "auditors": auditors})


def to_rules(state: State, version: int = RULES_VERSION) -> Action:
    return {"action": "rules", "version": version, "consumes": rules_holder(state.rules).hex()}


def threshold(governors: int, instead_of: int) -> Action:
    return {"action": "threshold", "governors": governors, "instead_of": instead_of}


EVERY_ACTION: dict[str, Callable[[City], Action]] = {
    "enrol": lambda city: enrol("new-app", "New", [Role.PLATFORM], key("new-app").public),
    "rotate": lambda city: ending(city, "operator", "rotate"),
    "revoke": lambda city: ending(city, "pay-app"),
    "grant": lambda city: {"action": "grant", "participant": "verifier", "role": "auditor"},
    "withdraw": lambda city: withdrawal("verifier", "verifier"),
    "classes": lambda city: classes(city, lambda d: d["issuers"]["ticket"].append("ferry")),
    "methodology": lambda city: publish(plate(), TODAY + 2, in_force(city)),
    "scenario": lambda city: scenario(scenario_document("new", "clean-plate", ["metro-app"])),
    "policy": lambda city: {"action": "policy", "document": policy().decode()},
    "rules": lambda city: to_rules(city.state),
    "threshold": lambda city: threshold(3, 2),
    "pseudonym-key": lambda city: {"action": "pseudonym-key", "from": "2027-01-01", "key": ELEMENT},
}
# The generator of ristretto255 (RFC 9496, section 4).
ELEMENT = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"


def withdrawal(name: str, role: str, **more: Any) -> Action:
    holder = role_holder(name, role).hex()
    return {"action": "withdraw", "participant": name, "role": role, "consumes": holder, **more}


@pytest.mark.parametrize("name", EVERY_ACTION)
def test_two_of_three_are_needed_for_every_action(tmp_path: Path, name: str) -> None:
    rules = 1 if name == "rules" else RULES_VERSION
    city = council_of(tmp_path, *GOVERNORS[1:], threshold=2, rules=rules)
    # The operator's next key is at hand, so that no restart is needed.
    keys = key("operator"), key("operator/next")
    city.sequencer = Sequencer(city.store, *keys)
    before = facts(city.state)
    proposal = propose(city, EVERY_ACTION[name](city), by="gov-2")
    assert code(city, proposal) is None
    assert code(city, approve(city, proposal, "gov-2")) is None
    for by, expected in (
        ("gov-2", "approval-twice"),
        ("operator", "role-missing"),
        ("verifier", "role-missing"),
        ("metro-app", "role-missing"),
    ):
        assert code(city, approve(city, proposal, by)) == expected
    assert facts(city.state) == before
    assert code(city, approve(city, proposal, "gov-3")) is None
    assert facts(city.state) != before
    assert not city.state.proposals
    assert code(city, approve(city, proposal)) == "proposal-unknown"
    assert not city.submit([city.ride("ann", NOON)]).refusals
    city = city.reopen()
    city.sequencer = Sequencer(city.store, *keys)
    assert not city.submit([city.ride("ben", NOON)]).refusals
    check_replay(city)


def test_every_action_has_been_gone_through() -> None:
    assert EVERY_ACTION.keys() == ACTIONS.keys()


def test_a_withdrawn_governor_does_not_count_from_the_very_next_entry(council: City) -> None:
    """All in one block: it is the index that decides."""
    proposal = propose(council, enrol("new-app", "New", [], key("new-app").public))
    ending_it = propose(council, withdrawal("gov-3", "governor"))
    late = approve(council, ending_it, "gov-3")
    council.post(
        proposal,
        ending_it,
        approve(council, proposal, "gov-3"),
        approve(council, ending_it, "governor"),
        approve(council, ending_it, "gov-2"),
        late,
        approve(council, proposal, "governor"),
    )
    with pytest.raises(Refusal) as refusal:
        council.answer(late)
    assert refusal.value.code == "role-missing"
    assert "new-app" not in council.state.participants
    # One who comes back has approved it already, and counts again.
    council.post(again := propose(council, grant("gov-3", "governor")))
    council.post(*(approve(council, again, name) for name in GOVERNORS[:2]))
    assert code(council, approve(council, proposal, "gov-3")) == "approval-twice"
    assert "new-app" not in council.state.participants
    assert code(council, approve(council, proposal, "gov-2")) is None
    assert "new-app" in council.state.participants
    check_replay(council)


def grant(name: str, role: str) -> Action:
    return {"action": "grant", "participant": name, "role": role}


def test_the_operator_s_key_is_rotated_without_a_restart(city: City) -> None:
    city.sequencer = Sequencer(city.store, key("operator"), key("operator/next"))
    rides = [city.unchecked([city.ride(name, NOON)]) for name in ("ann", "ben")]
    rotation = propose(city, ending(city, "operator", "rotate"))
    city.sequencer.submit(rides[:1])
    city.sequencer.post([rotation, approve(city, rotation)])
    city.sequencer.submit(rides[1:])
    (head,) = city.sequencer.seal_all(city.now)
    # The block in which it happens is sealed by the key that is in force at its end.
    origin = city.state.genesis.origin
    note = parse_note(head.checkpoint)
    assert signed_by(note, NoteKey(origin, key("operator/next").public, cosigner=False)) == 0
    assert signed_by(note, NoteKey(origin, key("operator").public, cosigner=False)) is None
    check_replay(city)
    # Who has the old key alone seals nothing, and breaks nothing.
    city.sequencer.submit([city.unchecked([city.ride("cat", NOON)])])
    with pytest.raises(NotAllowed) as refusal:
        Sequencer(city.store, key("operator")).seal(city.now)
    assert refusal.value.code == "seal-key-missing"
    assert city.sequencer.seal_all(city.now)


def test_the_operator_s_key_must_be_one_that_signs_checkpoints(city: City) -> None:
    other = generate("es256").public.as_json()
    rotation = ending(city, "operator", "rotate", key=other)
    assert refused(city, rotation) == "suite-not-for-notes"
    # Not even for a while.
    rotation["at"] = city.state.index + 10
    back = ending(city, "operator", "rotate", at=city.state.index + 20)
    back["consumes"] = key_holder(PublicKey.from_json(other)).hex()
    assert refused(city, rotation, back) == "suite-not-for-notes"
    city.govern(ending(city, "metro-app", "rotate", key=other))


# --- policies, rules, the threshold ---


def test_a_witness_policy_is_published_and_superseded(city: City) -> None:
    def publishing(document: bytes, consumes: bytes | None = None) -> Action:
        action: Action = {"action": "policy", "document": document.decode()}
        return action if consumes is None else {**action, "consumes": consumes.hex()}

    first, second = policy(), policy(names="abcdefg", quorum=5)
    assert city.state.policy is None
    assert refused(city, publishing(policy(quorum=2))) == "policy-quorum"
    index = city.answer(city.govern(publishing(first))).index
    assert city.state.policy.document == first
    assert city.state.policies[-1].start == index + 1
    check_register(city)
    assert refused(city, publishing(second)) == "consumes-differs"
    assert refused(city, publishing(second, bytes(32))) == "consumes-differs"
    holder = make_holder("policy", first)
    again = city.answer(city.govern(publishing(second, holder))).index
    assert city.state.policy.document == second
    check_register(city)
    restarted = city.reopen()
    assert [(of.start, of.end) for of in restarted.state.policies] == [
        (index + 1, again + 1),
        (again + 1, FOREVER),
    ]
    assert [of.document.document for of in restarted.state.policies] == [first, second]
    check_register(restarted)
    assert restarted.state.policy_at(index) is None
    assert restarted.state.policy_at(again).document == first


def test_the_genesis_may_carry_a_witness_policy(tmp_path: Path) -> None:
    action = {"action": "policy", "document": policy().decode()}
    city = City.found(tmp_path, actions=[*founding_actions(), action])
    assert city.state.policy.document == policy()
    assert city.state.policies[-1].start == 0
    check_register(city)


@pytest.mark.parametrize("version", range(1, RULES_VERSION + 1))
def test_a_genesis_names_any_version_of_the_rules_that_is_known(
    tmp_path: Path, version: int
) -> None:
    city = City.found(tmp_path, rules=version)
    assert city.state.rules == version
    check_register(city.reopen())


def test_a_version_of_the_rules_is_later_and_known(tmp_path: Path) -> None:
    city = City.found(tmp_path, rules=1)
    for version in (-1, 0, 1, RULES_VERSION + 1, FOREVER):
        assert refused(city, to_rules(city.state, version)) == "rules-version"
    action = to_rules(city.state)
    assert refused(city, {**action, "consumes": rules_holder(2).hex()}) == "consumes-differs"
    index = city.answer(city.govern(action)).index
    assert (city.state.rules, city.state.rules_since) == (RULES_VERSION, index + 1)
    assert refused(city, to_rules(city.state)) == "rules-version"
    first = Span(city.state.classes.line("rules", []), 0, index + 1, rules_holder(1))
    check_register(city, [first])
    check_register(city.reopen(), [first])


def test_each_entry_is_judged_by_the_version_at_its_index(tmp_path: Path) -> None:
    """Under rules 1 governance may lock itself out; under rules 2 it may not."""
    city = council_of(tmp_path, "gov-2", rules=1, threshold=1)

    def until(name: str, end: int) -> Statement:
        return propose(city, withdrawal(name, "governor", at=end))

    # A hundred entries later there is nobody left, and rules 1 do not mind.
    far = city.state.index + 100
    statements = [until("governor", far), until("gov-2", far)]
    city.post(*statements, *(approve(city, statement) for statement in statements))
    assert city.state.governors == []
    # In one block: the approval that changes the version is judged by rules 1 itself, and so is
    # what stands before it; what stands after it, by rules 2.
    metro = ending(city, "metro-app")
    change = propose(city, to_rules(city.state, 2))
    before, after = propose(city, grant("verifier", "auditor")), propose(city, metro)
    approvals = [approve(city, statement) for statement in (before, change, after)]
    city.post(before, change, after, *approvals)
    assert city.state.rules == 2
    assert city.state.participants["verifier"].has_role("auditor", city.state.index)
    with pytest.raises(Refusal) as refusal:
        city.answer(approvals[2])
    assert refusal.value.code == "governors-needed"
    # What brings governors back is enacted; then the rest is as well.
    city.govern(enrol("gov-4", "-", [Role.GOVERNOR], key("gov-4").public))
    assert city.state.governors == ["gov-4"]
    assert code(city, approve(city, after, "gov-2")) is None
    check_replay(city)
    restarted = city.reopen()
    assert (restarted.state.rules, restarted.state.governors) == (2, ["gov-4"])
    check_replay(restarted)


@pytest.mark.parametrize("rules", [1, 2])
def test_governance_locks_itself_out_under_rules_1_alone(tmp_path: Path, rules: int) -> None:
    city = council_of(tmp_path, "gov-2", "gov-3", rules=rules, threshold=2)

    def outcome(*actions: Action) -> str | None:
        proposal = propose(city, *actions)
        assert code(city, proposal) is None
        assert code(city, approve(city, proposal, "gov-2")) is None
        return code(city, approve(city, proposal, "gov-3"))

    # Two of three is enough; one without a key, or with an end to come, is none.
    assert outcome(ending(city, "gov-2", at=city.state.index + 1_000)) is None
    assert city.state.governors == ["governor", "gov-3"]
    more: tuple[tuple[Action, ...], ...] = (
        (ending(city, "gov-3"),),
        (withdrawal("gov-3", "governor"),),
        (withdrawal("governor", "governor", at=city.state.index + 1_000),),
        (ending(city, "gov-3", "rotate"), withdrawal("governor", "governor")),
    )
    if rules == 1:
        assert outcome(*more[3]) is None
        assert len(city.state.governors) < city.state.threshold
    else:
        assert {outcome(*actions) for actions in more} == {"governors-needed"}
        # The threshold may come down with them.
        assert outcome(threshold(1, 2), *more[0]) is None
    check_replay(city.reopen())


@pytest.mark.parametrize("rules", [1, 2])
def test_the_threshold_changes_within_its_bounds(tmp_path: Path, rules: int) -> None:
    city = council_of(tmp_path, "gov-2", "gov-3", rules=rules)
    for governors in (-1, 0, 4):
        assert refused(city, threshold(governors, 1)) == "threshold-bounds"
    assert refused(city, threshold(2, 2)) == "threshold-differs"
    city.govern(threshold(2, 1))
    city = city.reopen()
    assert city.state.threshold == 2
    check_replay(city)
    # The same words once more, by whoever finds them: the threshold is no longer that.
    again = propose(city, threshold(2, 1))
    back = propose(city, threshold(1, 2))
    city.post(again, back, *(approve(city, statement, "gov-2") for statement in (again, back)))
    assert city.state.threshold == 2
    assert code(city, approve(city, again, "gov-3")) == "threshold-differs"
    assert code(city, approve(city, back, "gov-3")) is None
    assert city.state.threshold == 1
    # A proposal that has as many as are needed by now is enacted by the next approval.
    city.govern(threshold(3, 1))
    waits = propose(city, enrol("new-app", "New", [], key("new-app").public))
    lower = propose(city, threshold(2, 3))
    city.post(waits, lower)
    city.post(*(approve(city, waits, name) for name in GOVERNORS[:2]))
    city.post(*(approve(city, lower, name) for name in GOVERNORS))
    assert "new-app" not in city.state.participants
    assert code(city, approve(city, waits, "gov-3")) is None
    assert "new-app" in city.state.participants
    check_register(city.reopen())


def test_governors_who_have_an_end_do_not_raise_the_threshold(tmp_path: Path) -> None:
    city = council_of(tmp_path, "gov-2", "gov-3")
    city.govern(withdrawal("gov-3", "governor", at=city.state.index + 1_000))
    assert refused(city, threshold(3, 1)) == "threshold-bounds"
    city.govern(threshold(2, 1))


def test_all_actions_or_none(city: City) -> None:
    good = enrol("new-app", "New", [Role.PLATFORM], key("new-app").public)
    bad: Action = {"action": "grant", "participant": "nobody", "role": "platform"}
    assert refused(city, good, bad) == "participant-unknown"
    assert refused(city, bad, good) == "participant-unknown"
    city.govern(good)
    assert "new-app" in city.state.participants
    check_register(city)


def test_actions_build_on_one_another(city: City) -> None:
    """In one proposal: a participant, their role, and a scenario that admits them."""
    city.govern(
        enrol("new-app", "New", [], key("new-app").public),
        {"action": "grant", "participant": "new-app", "role": "platform"},
        scenario(scenario_document("new", "clean-plate", ["new-app"])),
    )
    line = city.meal("ann", NOON).replace(b'"city-plate"', b'"new"')
    assert not city.submit([line], "new-app").refusals


# --- participants ---


def test_enrolments_that_are_refused(city: City) -> None:
    public = key("new-app").public
    good = enrol("new-app", "New", [Role.PLATFORM], public)
    assert refused(city, {**good, "participant": "metro-app"}) == "participant-known"
    assert refused(city, good, good) == "participant-known"
    assert refused(city, {**good, "participant": "New App"}) == "participant-id-invalid"
    assert refused(city, {**good, "roles": ["platform", "platform"]}) == "role-still-valid"
    assert refused(city, {**good, "roles": ["emperor"]}) == "role-unknown"
    assert refused(city, {**good, "roles": [["platform"]]}) == "role-unknown"
    assert refused(city, {**good, "key": {"alg": -8, "public": ""}}) == "key-invalid"
    assert refused(city, {**good, "key": {**public.as_json(), "alg": -9}}) == "suite-unknown"
    small_order = {"alg": -8, "public": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    assert refused(city, {**good, "key": small_order}) == "key-invalid"


def ending(city: City, name: str, kind: str = "revoke", **more: Any) -> Action:
    holder = key_holder(city.state.participants[name].keys[-1].public)
    action: Action = {"action": kind, "participant": name, "consumes": holder.hex()}
    if kind == "rotate":
        action["key"] = key(f"{name}/next").public.as_json()
    return {**action, **more}


@pytest.mark.parametrize("kind", ["rotate", "revoke"])
def test_from_when_a_key_ends(kind: str, city: City) -> None:
    """An end lies at or after the statement that enacts it, and moves only once."""
    # Proposal and seal come before the approval, which alone has no block of its own yet.
    for at in (-1, 0, 1, city.state.index, FOREVER):
        assert refused(city, ending(city, "metro-app", kind, at=at)) == "key-end-refused"
    assert refused(city, ending(city, "metro-app", kind, consumes="0" * 64)) == "consumes-differs"
    assert refused(city, ending(city, "pay-app", kind, participant="x")) == "participant-unknown"

    approval = city.govern(ending(city, "metro-app", kind))
    index = city.answer(approval).index
    keys = city.state.participants["metro-app"].keys
    assert (keys[0].start, keys[0].end) == (0, index + 1)
    assert [k.start for k in keys[1:]] == ([index + 1] if kind == "rotate" else [])

    later = city.state.index + 40
    city.govern(ending(city, "pay-app", kind, at=later))
    keys = city.state.participants["pay-app"].keys
    assert keys[0].end == later
    assert not city.submit([city.ride("ann", NOON)], "pay-app").refusals
    # What has an end keeps it; and the next key must have begun before it can end.
    assert refused(city, ending(city, "pay-app", kind)) == "key-end-refused"
    check_register(city.reopen())


def test_a_key_may_end_at_the_very_statement_that_ends_it(city: City) -> None:
    proposal_index = city.state.index
    # Proposal, approval and seal: the approval stands at the next index but one.
    city.govern(ending(city, "metro-app", at=proposal_index + 1))
    assert city.state.participants["metro-app"].keys[0].end == proposal_index + 1


def test_a_key_that_ended_never_returns(city: City) -> None:
    old = key("metro-app").public
    city.govern(ending(city, "metro-app", "rotate"))
    back = ending(city, "metro-app", "rotate", key=old.as_json())
    assert refused(city, back) == "key-used-before"
    same = ending(city, "pay-app", "rotate", key=key("pay-app").public.as_json())
    assert refused(city, same) == "key-used-before"


def test_the_operator_stays_able_to_seal(city: City) -> None:
    """Or no block could ever hold the decision that undoes it."""
    for end in ({}, {"at": city.state.index + 500}):
        assert refused(city, ending(city, "operator", **end)) == "operator-needed"
    withdraw: Action = {
        "action": "withdraw",
        "participant": "operator",
        "role": "operator",
        "consumes": role_holder("operator", "operator").hex(),
    }
    assert refused(city, withdraw) == "operator-needed"
    assert not city.submit([city.ride("ann", NOON)]).refusals


def test_roles_come_and_go(city: City) -> None:
    withdraw: Action = {
        "action": "withdraw",
        "participant": "metro-app",
        "role": "platform",
        "consumes": role_holder("metro-app", "platform").hex(),
    }
    grant: Action = {"action": "grant", "participant": "metro-app", "role": "platform"}
    assert refused(city, grant) == "role-still-valid"
    assert refused(city, {**withdraw, "consumes": "0" * 64}) == "consumes-differs"
    other = {**withdraw, "role": "verifier"}
    other["consumes"] = role_holder("metro-app", "verifier").hex()
    assert refused(city, other) == "role-end-refused"
    assert refused(city, {**withdraw, "at": 0}) == "role-end-refused"
    approval = city.govern(withdraw)
    end = city.answer(approval).index + 1
    ended = Span(
        city.state.classes.line("role", ["metro-app", "platform"]),
        0,
        end,
        role_holder("metro-app", "platform"),
    )
    assert not city.state.participants["metro-app"].has_role("platform", end)
    assert refused(city, withdraw) == "role-end-refused"
    city.govern(grant)
    assert city.state.participants["metro-app"].has_role("platform", city.state.index)
    check_register(city, [ended])


# --- methodologies and scenarios ---


def test_a_methodology_comes_into_force_on_a_later_day(city: City) -> None:
    old, new = in_force(city), plate(grams="150", points=6)
    for day in (TODAY, TODAY - 1, FIRST_DAY):
        assert refused(city, publish(new, day, old)) == "methodology-retroactive"
    # Reductions of tomorrow can be recorded already, for clocks that differ.
    assert refused(city, publish(new, TODAY + 1, old)) == "document-retroactive"
    assert refused(city, publish(new, TODAY + 2)) == "consumes-differs"
    assert refused(city, publish(new, TODAY + 2, bytes(32))) == "consumes-differs"
    wrong = [plate(1, grams="150"), plate(3)]
    assert {refused(city, publish(d, TODAY + 2, old)) for d in wrong} == {"methodology-version"}
    assert refused(city, publish(plate(grams="1.50"), TODAY + 2, old)) == "decimal-not-canonical"
    assert refused(city, {**publish(new, TODAY + 2, old), "from": "soon"}) == "date-invalid"

    city.govern(publish(new, TODAY + 2, old))
    assert versions(city.state, "methodologies")["clean-plate"] == [
        (FIRST_DAY, TODAY + 2, library()["clean-plate"]),
        (TODAY + 2, FOREVER, new),
    ]
    before, after = (city.reduce([city.meal("ann", NOON + days * 86_400)])[0] for days in (1, 2))
    assert (before.version, before.grams) == (1, 144)
    assert (after.version, after.grams) == (2, 150)
    # Late reports on today still go by the first version, and never by the second.
    city.now += 2 * 86_400
    lines = [city.meal("ben", NOON), city.meal("ben", city.now)]
    assert not city.submit(lines).refusals
    second = city.state.methodology("clean-plate", TODAY + 2)
    early = second.reduce(city.activity(city.meal("cat", NOON)), "metro-app")
    late = city.unchecked([], reductions=[early])
    city.sequencer.submit([late])
    city.sequencer.seal_all(city.now)
    with pytest.raises(Refusal) as not_allowed:
        city.sequencer.answer(late.entry.statement)
    assert not_allowed.value.code == "reduction-not-allowed"
    check_replay(city.reopen())


def test_the_version_that_is_to_come_can_be_superseded_too(city: City) -> None:
    second, third = plate(grams="150"), plate(3, grams="160")
    city.govern(publish(second, TODAY + 10, in_force(city)))
    latest = in_force(city, day=TODAY + 10)
    assert refused(city, publish(third, TODAY + 20, in_force(city))) == "consumes-differs"
    for day in (TODAY + 5, TODAY + 10):
        assert refused(city, publish(third, day, latest)) == "document-retroactive"
    city.govern(publish(third, TODAY + 11, latest))
    found = [city.state.methodology("clean-plate", TODAY + day).version for day in (9, 10, 11)]
    assert found == [1, 2, 3]
    check_register(city)


def test_a_new_methodology_starts_with_version_one(city: City) -> None:
    document = parse_json(library()["clean-plate"])
    new = dump_json({**document, "id": "cleaner-plate"})
    second = dump_json({**document, "id": "cleaner-plate", "version": 2})
    assert refused(city, publish(second, TODAY + 1)) == "methodology-version"
    assert refused(city, publish(new, TODAY)) == "methodology-retroactive"
    use = scenario(scenario_document("cleaner", "cleaner-plate"))
    assert refused(city, use, publish(new, TODAY + 1)) == "methodology-unknown"
    city.govern(publish(new, TODAY + 1), use)
    lines = [
        city.meal("ann", NOON + days * 86_400).replace(b'"city-plate"', b'"cleaner"')
        for days in (0, 1)
    ]
    with pytest.raises(Refusal) as early:
        city.reduce(lines[:1])
    assert early.value.code == "methodology-not-in-force"
    assert not city.submit(lines[1:]).refusals
    check_replay(city)


def test_a_scenario_changes_from_a_later_day(city: City) -> None:
    old = city.state.scenario("city-bus", TODAY)
    without = scenario_document("city-bus", "bus-ride-by-code", ["metro-app"])
    for day in (TODAY + 1, TODAY, TODAY - 1, None):
        assert refused(city, scenario(without, day, old.holder)) == "document-retroactive"
    assert refused(city, scenario(without, TODAY + 2)) == "consumes-differs"
    city.govern(scenario(without, TODAY + 2, old.holder))
    assert not city.submit([city.ride("ann", NOON)], "pay-app").refusals
    city.now += 2 * 86_400
    later = city.ride("ann", city.now)
    with pytest.raises(Refusal) as refusal:
        city.reduce([later], "pay-app")
    assert refusal.value.code == "platform-not-admitted"
    assert not city.submit([later]).refusals
    kept = versions(city.state, "scenarios")["city-bus"]
    assert [(start, end) for start, end, _ in kept] == [
        (old.days[0], TODAY + 2),
        (TODAY + 2, old.days[1]),
    ]
    check_replay(city.reopen())


def test_scenarios_that_are_refused(city: City) -> None:
    def changed(**more: Any) -> Action:
        document = parse_json(scenario_document("new", "clean-plate"))
        return scenario(dump_json({**document, **more}))

    for action, expected in (
        (changed(platforms=["metro-app", "nobody"]), "participant-unknown"),
        (changed(owner="nobody"), "participant-unknown"),
        (changed(authority="nobody"), "participant-unknown"),
        (changed(methodology="no-such"), "methodology-unknown"),
        (changed(crediting={"from": "2026-01-02", "to": "2026-01-01"}), "scenario-period"),
        ({**changed(), "from": "2031-01-01"}, "scenario-period"),
        ({**changed(), "from": "2015-12-31"}, "scenario-period"),
        (changed(id="New"), "field-type"),
        (changed(platforms=[["metro-app"]]), "field-type"),
        (changed(title={"en": "New"}), "field-missing"),
        (changed(format=2), "format-unknown"),
        (changed(note=""), "field-unknown"),
        ({"action": "scenario", "document": "{"}, "json-invalid"),
    ):
        assert refused(city, action) == expected
    city.govern(changed(platforms=[]))


def test_outside_its_crediting_period_a_scenario_is_not_in_force(city: City) -> None:
    document = parse_json(scenario_document("short", "clean-plate"))
    day = dump_date(TODAY)
    document["crediting"] = {"from": day, "to": day}
    city.govern(scenario(dump_json(document)))
    for days, expected in ((-1, "scenario-not-in-force"), (0, None), (1, "scenario-not-in-force")):
        line = city.meal("ann", NOON + days * 86_400).replace(b'"city-plate"', b'"short"')
        if expected is None:
            assert not city.submit([line]).refusals
        else:
            with pytest.raises(Refusal) as refusal:
                city.reduce([line])
            assert refusal.value.code == expected


# --- classes ---


def classes(city: City, change: Any, consumes: bytes | None = None) -> Action:
    document = json.loads(city.state.classes.document)
    change(document)
    return {
        "action": "classes",
        "document": dump_json(document).decode(),
        "consumes": (consumes or make_holder("classes", city.state.classes.document)).hex(),
    }


def test_an_issuer_is_added(city: City) -> None:
    ride = city.ride("ann", NOON).replace(b'"issuer":"city-bus"', b'"issuer":"ferry"')
    with pytest.raises(Refusal) as unknown:
        city.reduce([ride])
    assert unknown.value.code == "issuer-unknown"
    action = classes(city, lambda document: document["issuers"]["ticket"].append("ferry"))
    assert refused(city, {**action, "consumes": "0" * 64}) == "consumes-differs"
    city.govern(action)
    # The methodologies in force read it from here on; on replay too.
    assert not city.submit([ride]).refusals
    assert not city.submit([city.ride("ben", NOON)]).refusals
    restarted = city.reopen()
    assert restarted.submit([ride.replace(b'"a-1"', b'"a-2"')], "pay-app").refusals
    check_replay(restarted)


def test_an_issuer_is_never_taken_off(city: City) -> None:
    # A bundle that discloses an activity of that issuer must go on being checked.
    action = classes(city, lambda document: document["issuers"]["ticket"].remove("city-bus"))
    assert refused(city, action) == "class-changed"


def test_a_participant_begins_again_after_its_key_was_revoked(city: City) -> None:
    old, new = key("pay-app").public, key("pay-app/2")
    consumes = key_holder(old).hex()
    revoke = {"action": "revoke", "participant": "pay-app", "consumes": consumes}
    city.govern(revoke)
    rotate = {**revoke, "action": "rotate", "key": new.public.as_json()}
    assert refused(city, {**rotate, "consumes": "0" * 64}) == "consumes-differs"
    assert refused(city, {**rotate, "key": old.as_json()}) == "key-used-before"
    city.govern(rotate)
    participant = city.state.participants["pay-app"]
    assert participant.key_at(city.state.index).public == new.public
    ended, begun = participant.keys
    assert ended.end < begun.start
    assert participant.key_at(ended.end) is None
    check_replay(city)


def test_a_class_is_added_and_none_changes(city: City) -> None:
    def add(document: Any) -> None:
        document["classes"].append({**document["classes"][2], "number": 30, "name": "boiler"})

    def change(place: int, **more: Any) -> Any:
        return lambda document: document["classes"][place].update(more)

    for refusing, expected in (
        (lambda document: document["classes"].pop(2), "class-changed"),
        (change(2, name="boiler"), "class-changed"),
        (change(2, number=30), "class-changed"),
        (change(2, axis="seats"), "field-type"),
        (change(2, dated=False), "field-type"),
        (change(2, claimed_by="holding"), "class-changed"),
        (change(3, axis="days"), "class-changed"),
        (change(3, dated=True), "field-type"),
        (change(3, parts=[]), "class-unknown"),
        (change(4, parts=[]), "class-unknown"),
        (change(7, parts=[]), "field-type"),
        (change(2, number=1), "class-twice"),
        (change(2, number=256), "field-type"),
        (change(2, longest=0), "field-type"),
        (change(2, stops={"en": "x"}), "field-missing"),
        (change(2, stops={"en": 1, "zh": "x"}), "field-type"),
        (change(0, longest=2_678_399), "class-changed"),
        (lambda document: document["issuers"].update(traveller=["x"]), "class-unknown"),
        (lambda document: document["issuers"].update(ticket=["A B"]), "field-type"),
        (lambda document: document.update(format=2), "format-unknown"),
    ):
        assert refused(city, classes(city, refusing)) == expected
    city.govern(classes(city, add))
    document = parse_json(library()["clean-plate"])
    document |= {"id": "boiler", "claims": [{"class": "boiler", "parts": ["{meter}"]}]}
    document |= {"duration": {"min": 1, "max": 60}}
    del document["slots"]
    city.govern(
        publish(dump_json(document), TODAY + 1), scenario(scenario_document("boil", "boiler"))
    )
    assert city.state.classes.named("boiler").number == 30
    check_replay(city.reopen())


# --- the genesis ---


def test_geneses_that_are_refused() -> None:
    def found(**more: Any) -> str | None:
        statement = genesis(**more)
        try:
            apply(None, Entry(statement), Replayed())
        except Refusal as refusal:
            return refusal.code
        return None

    actions = founding_actions()
    assert found() is None
    assert found(actions=[]) == "field-type"
    assert found(actions=actions[1:]) == "participant-unknown"
    assert found(actions=[a for a in actions if a.get("participant") != "governor"]) == (
        "participant-unknown"
    )
    assert found(actions=actions[:1]) == "genesis-threshold"
    assert found(threshold=2) == "genesis-threshold"
    for more in (
        {"threshold": 0},
        {"unit_grams": 0},
        {"acceptance_days": -1},
        {"offset": 14 * 3600 + 1},
        {"offset": -14 * 3600 - 1},
        {"time": -1},
    ):
        assert found(**more) == "genesis-bounds", more
    for version in (0, RULES_VERSION + 1):
        assert found(rules=version) == "rules-version"
    no_operator = [enrol("operator", "-", [Role.GOVERNOR], key("operator").public)]
    assert found(actions=no_operator) == "role-missing"
    other_key = [enrol("operator", "-", [Role.OPERATOR, Role.GOVERNOR], key("other").public)]
    assert found(actions=other_key) == "signature-invalid"


def test_the_origin_can_stand_in_a_signed_note() -> None:
    body = genesis().body
    for origin in ("two words", "", "a+b", "a\nb"):
        statement = sign_statement(
            key("operator"),
            kind="genesis",
            issuer="operator",
            subject="-",
            audience=None,
            expires=NOON,
            payload={**body, "origin": origin},
        )
        with pytest.raises(Refusal) as refusal:
            apply(None, Entry(statement), Replayed())
        assert refusal.value.code == "note-key-name"


def test_classes_may_change_in_the_genesis_itself(tmp_path: Path) -> None:
    """Odd, but the register must then name the registry that is in force."""
    city = City.found(tmp_path / "one")
    action = classes(city, lambda document: document["issuers"]["ticket"].append("ferry"))
    odd = City.found(tmp_path / "two", actions=[*founding_actions(), action])
    check_register(odd)
