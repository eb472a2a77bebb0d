"""Governance: the actions by which participants, documents and rights come and go.

A proposal lists actions; when enough governors have approved it, all of them take effect at the
index of the last approval, or none does.  The genesis carries the founding actions.  An action is
a JSON object with the field ``action``::

    enrol        participant, name, roles, key        a new participant
    rotate       participant, key, consumes, [at]     its key ends (or has), another begins
    revoke       participant, consumes, [at]          its key ends
    grant        participant, role
    withdraw     participant, role, consumes, [at]
    classes      document, consumes                   the registry of classes, or its issuers
    methodology  document, from, [consumes]           a version, in force from a day on
    scenario     document, [from], [consumes]         a definition, for its crediting period
    policy       document, [consumes]                 whose cosignatures make a checkpoint final
    rules        version, consumes                    a later version of the rules
    threshold    governors, instead_of                how many governors must approve
    pseudonym-key  from, key, [consumes]              the key of pseudonyms, from a day on

``consumes`` names the holder of the span that the action changes; ``at`` is the log index at which
a span ends, by default the one after the enacting statement, never one before it.  The threshold
stands on no line, since no bundle speaks of it; ``instead_of`` names the one that it replaces.
Documents stand in the JSON as text, so that their bytes are what was signed.  Classes, policy and
rules are in force from the next index.  A methodology is in force from a day after its publication,
except in the genesis, before which nothing can have been recorded; no document changes for a day on
which something can have been recorded (`State.last_day`).

An epoch of pseudonyms begins on 1 January, so that no period of a cap lies in two; the first one,
in the genesis, on any day up to the ledger's first.  Until it can have begun, another key may take
its place.  From version 3 of the rules on, no methodology names an undated line by a person, a
vehicle or a meter: its pseudonym changes with the epoch, and the line would with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from chain.classes import Classes, LineClass
from chain.methodologies import Methodology
from chain.policies import WitnessPolicy
from chain.scenarios import Scenario
from chain.spans import FOREVER, Span, make_holder
from chain.state import RULES_VERSION, InForce, State, epoch_holder, rules_holder
from keys.errors import Conflict, Malformed, NotAllowed
from keys.participants import Participant, Role, key_holder, role_holder
from keys.pseudonyms import Epoch
from keys.ristretto import ELEMENT_BYTES, is_element
from keys.strict import FieldTypes, fields, parse_date, parse_hex
from keys.suites import PublicKey

ACTIONS_MAX = 64
_DATED_FIELDS = ("{subject}", "{vehicle}", "{meter}")
"""What stands for pseudonyms of dated classes, which change with the epoch."""


@dataclass
class Draft:
    """A state in the making: the actions change it one after the other."""

    state: State
    founding: bool
    put: dict[bytes, Span]

    @property
    def next_index(self) -> int:
        """The first index at which what an action opens is valid."""
        return 0 if self.founding else self.state.index + 1

    def claim(self, name: str, parts: Sequence[str], start: int, end: int, holder: bytes) -> None:
        """Enter a span, or move the end of the one that starts there."""
        span = Span(self.state.classes.line(name, parts), start, end, holder)
        self.put[span.key] = span

    def succeed(self, name: str, since: int, old: bytes, new: bytes) -> None:
        """On a line without parts, end what is in force at the next index, where ``new`` begins."""
        self.claim(name, [], since, self.next_index, old)
        self.claim(name, [], self.next_index, FOREVER, new)

    def participant(self, name: str) -> Participant:
        """An enrolled participant; raises `NotAllowed`."""
        if name not in self.state.participants:
            raise NotAllowed("participant-unknown", participant=name)
        return self.state.participants[name]

    def keep(self, participant: Participant) -> None:
        """Take a participant into the state."""
        known = {**self.state.participants, participant.id: participant}
        self.state = replace(self.state, participants=known)


def enact(
    state: State, actions: Sequence[Mapping[str, Any]], *, founding: bool = False
) -> tuple[State, list[Span]]:
    """The state after ``actions``, and the spans that they enter or whose ends they move.

    Raises `Refusal` if any of them is not possible; then none takes effect.
    """
    draft = Draft(state, founding, {})
    for action in actions:
        of = ACTIONS[action["action"]]
        of.perform(draft, fields(action, action["action"], of.required, of.optional))
    return draft.state, list(draft.put.values())


def read_actions(value: object, rules: int) -> list[Mapping[str, Any]]:
    """The actions of a proposal, their form checked, as far as version ``rules`` of the rules
    knows them; raises `Malformed`."""
    if not isinstance(value, list) or not 1 <= len(value) <= ACTIONS_MAX:
        raise Malformed("field-type", where="proposal", field="actions", expected="1 to 64")
    for action in value:
        name = action.get("action") if isinstance(action, dict) else None
        of = ACTIONS.get(name) if isinstance(name, str) else None
        if of is None or rules < of.since:
            raise Malformed("action-unknown", action=str(name)[:40])
        fields(action, str(name), of.required, of.optional)
    return value


def _enrol(draft: Draft, given: Mapping[str, Any]) -> None:
    name = given["participant"]
    if name in draft.state.participants:
        raise Conflict("participant-known", participant=name)
    public = PublicKey.from_json(given["key"])
    made = Participant(id=name, name=given["name"]).with_key(public, draft.next_index)
    draft.claim("key", [name], draft.next_index, FOREVER, key_holder(public))
    draft.keep(made)
    for role in given["roles"]:
        _grant(draft, {"participant": name, "role": role})


def _rotate(draft: Draft, given: Mapping[str, Any]) -> None:
    before = draft.participant(given["participant"])
    if before.keys[-1].end < FOREVER and "at" not in given:
        # One whose key was revoked begins again with another.
        _consumes(given, key_holder(before.keys[-1].public))
    else:
        _revoke(draft, given)
    public = PublicKey.from_json(given["key"])
    participant = draft.participant(given["participant"])
    start = max(participant.keys[-1].end, draft.next_index)
    draft.claim("key", [participant.id], start, FOREVER, key_holder(public))
    draft.keep(participant.with_key(public, start))


def _revoke(draft: Draft, given: Mapping[str, Any]) -> None:
    participant = draft.participant(given["participant"])
    at = given.get("at", draft.next_index)
    old = participant.keys[-1]
    _consumes(given, key_holder(old.public))
    ended = participant.end_key(at, draft.state.index)
    draft.claim("key", [participant.id], old.start, at, key_holder(old.public))
    draft.keep(ended)


def _grant(draft: Draft, given: Mapping[str, Any]) -> None:
    participant, role = draft.participant(given["participant"]), _role(given["role"])
    granted = participant.with_role(role, draft.next_index)
    holder = role_holder(participant.id, role)
    draft.claim("role", [participant.id, role.value], draft.next_index, FOREVER, holder)
    draft.keep(granted)


def _withdraw(draft: Draft, given: Mapping[str, Any]) -> None:
    participant, role = draft.participant(given["participant"]), _role(given["role"])
    at = given.get("at", draft.next_index)
    holder = role_holder(participant.id, role)
    _consumes(given, holder)
    start = participant.roles.get(role, (0, 0))[0]
    ended = participant.end_role(role, at, draft.state.index)
    draft.claim("role", [participant.id, role.value], start, at, holder)
    draft.keep(ended)


def _classes(draft: Draft, given: Mapping[str, Any]) -> None:
    old = draft.state.classes
    new = Classes(given["document"].encode(), draft.state.calendar)
    holder = make_holder("classes", old.document)
    _consumes(given, holder)
    for known in old.all:
        kept = new.by_number.get(known.number)
        # What was recorded stays possible: the longest span may grow, and not shrink.
        if kept is None or _fixed(kept) != _fixed(known) or kept.longest < known.longest:
            raise Conflict("class-changed", name=known.name)
        if not new.issuers.get(known.name, frozenset()) >= old.issuers.get(known.name, frozenset()):
            raise Conflict("class-changed", name=known.name)
    since = draft.state.classes_since
    draft.succeed("classes", since, holder, make_holder("classes", new.document))
    # What is in force is read again, so that an issuer who was added counts from here on.
    methodologies = {
        name: tuple(
            replace(known, document=Methodology(known.document.document, new)) for known in versions
        )
        for name, versions in draft.state.methodologies.items()
    }
    draft.state = replace(
        draft.state, classes=new, classes_since=draft.next_index, methodologies=methodologies
    )


def _fixed(of: LineClass) -> tuple[object, ...]:
    """What may not change about a class, since lines that were claimed rest on it."""
    return of.name, of.axis, of.dated, of.parts, of.claimed_by


def _methodology(draft: Draft, given: Mapping[str, Any]) -> None:
    state = draft.state
    made = Methodology(given["document"].encode(), state.classes)
    start = parse_date(given["from"])
    if state.rules >= 3:
        for template in made.templates:
            named = any(field in part for part in template.parts for field in _DATED_FIELDS)
            if named and not template.line_class.dated:
                raise Malformed("methodology-undated", id=made.id, name=template.line_class.name)
    if not draft.founding and start <= state.today:
        raise NotAllowed("methodology-retroactive", id=made.id)
    versions = state.methodologies.get(made.id, ())
    if made.version != len(versions) + 1:
        raise Conflict("methodology-version", id=made.id, expected=len(versions) + 1)
    kept = _supersede(draft, "methodology", made.id, versions, start, FOREVER, made, given)
    draft.state = replace(state, methodologies={**state.methodologies, made.id: kept})


def _scenario(draft: Draft, given: Mapping[str, Any]) -> None:
    state = draft.state
    made = Scenario(given["document"].encode())
    for name in (made.owner, made.authority, *made.platforms):
        draft.participant(name)
    if made.methodology not in state.methodologies:
        raise Conflict("methodology-unknown", id=made.methodology)
    start = parse_date(given["from"]) if "from" in given else made.days[0]
    if not made.days[0] <= start < made.days[1]:
        raise Malformed("scenario-period", id=made.id)
    versions = state.scenarios.get(made.id, ())
    kept = _supersede(draft, "scenario", made.id, versions, start, made.days[1], made, given)
    draft.state = replace(state, scenarios={**state.scenarios, made.id: kept})


def _supersede(
    draft: Draft,
    line: str,
    name: str,
    versions: tuple[InForce[Any], ...],
    start: int,
    end: int,
    made: Methodology | Scenario,
    given: Mapping[str, Any],
) -> tuple[InForce[Any], ...]:
    """Put a version in force on ``[start, end)``; the one before it ends where it begins."""
    if versions and versions[-1].end > start:
        old = versions[-1]
        if not old.start < start or start <= draft.state.last_day:
            raise NotAllowed("document-retroactive", id=name)
        _consumes(given, old.document.holder)
        draft.claim(line, [name], old.start, start, old.document.holder)
        versions = (*versions[:-1], InForce(old.start, start, old.document))
    draft.claim(line, [name], start, end, made.holder)
    return (*versions, InForce(start, end, made))


def _policy(draft: Draft, given: Mapping[str, Any]) -> None:
    state = draft.state
    new = WitnessPolicy(given["document"].encode())
    kept, start = state.policies, draft.next_index
    if not kept:
        draft.claim("policy", [], start, FOREVER, new.holder)
    else:
        old = kept[-1]
        _consumes(given, old.document.holder)
        draft.succeed("policy", old.start, old.document.holder, new.holder)
        # One that is replaced by its own proposal, before it was in force, never was.
        kept = kept[:-1] if old.start == start else (*kept[:-1], replace(old, end=start))
    draft.state = replace(state, policies=(*kept, InForce(start, FOREVER, new)))


def _rules(draft: Draft, given: Mapping[str, Any]) -> None:
    state, version = draft.state, given["version"]
    if not state.rules < version <= RULES_VERSION:
        raise NotAllowed("rules-version", version=version, last=state.rules, newest=RULES_VERSION)
    holder = rules_holder(state.rules)
    _consumes(given, holder)
    draft.succeed("rules", state.rules_since, holder, rules_holder(version))
    draft.state = replace(state, rules=version, rules_since=draft.next_index)


def _threshold(draft: Draft, given: Mapping[str, Any]) -> None:
    state, governors = draft.state, given["governors"]
    if given["instead_of"] != state.threshold:
        raise Conflict("threshold-differs", expected=state.threshold)
    if not 1 <= governors <= len(state.governors):
        raise NotAllowed("threshold-bounds", threshold=governors, most=len(state.governors))
    draft.state = replace(state, threshold=governors)


def _pseudonym_key(draft: Draft, given: Mapping[str, Any]) -> None:
    state, epochs = draft.state, draft.state.epochs
    epoch = Epoch(parse_date(given["from"]), parse_hex(given["key"], ELEMENT_BYTES))
    if not is_element(epoch.public):
        raise Malformed("key-invalid")
    if any(known.public == epoch.public for known in epochs):
        raise Conflict("epoch-key-known", key=given["key"])
    opens = draft.founding and not epochs and epoch.start <= state.genesis.first_day
    if not opens and not given["from"].endswith("-01-01"):
        raise Malformed("epoch-not-new-year", day=given["from"])
    if not draft.founding and epoch.start <= state.last_day:
        raise NotAllowed("epoch-retroactive", day=given["from"])
    if epochs:
        last = epochs[-1]
        _consumes(given, epoch_holder(last))
        if epoch.start < last.start:
            raise NotAllowed("epoch-retroactive", day=given["from"])
        if epoch.start == last.start:
            epochs = epochs[:-1]
        else:
            draft.claim("pseudonyms", [], last.start, epoch.start, epoch_holder(last))
    draft.claim("pseudonyms", [], epoch.start, FOREVER, epoch_holder(epoch))
    draft.state = replace(state, epochs=(*epochs, epoch))


def _consumes(given: Mapping[str, Any], holder: bytes) -> None:
    """An action names the holder whose span it changes, so that it cannot be replayed later."""
    named = given.get("consumes")
    if named is None or parse_hex(named, 32) != holder:
        raise Conflict("consumes-differs", expected=holder.hex())


def _role(value: object) -> Role:
    try:
        return Role(str(value))
    except ValueError:
        raise Malformed("role-unknown", role=str(value)[:40]) from None


class Action(NamedTuple):
    """An action: what it does, its fields, and the version of the rules from which it is known."""

    perform: Callable[[Draft, Mapping[str, Any]], None]
    required: FieldTypes
    optional: FieldTypes
    since: int = 1


ACTIONS: Mapping[str, Action] = {
    "enrol": Action(
        _enrol,
        {"action": str, "participant": str, "name": str, "roles": list, "key": dict},
        {},
    ),
    "rotate": Action(
        _rotate,
        {"action": str, "participant": str, "key": dict, "consumes": str},
        {"at": int},
    ),
    "revoke": Action(_revoke, {"action": str, "participant": str, "consumes": str}, {"at": int}),
    "grant": Action(_grant, {"action": str, "participant": str, "role": str}, {}),
    "withdraw": Action(
        _withdraw,
        {"action": str, "participant": str, "role": str, "consumes": str},
        {"at": int},
    ),
    "classes": Action(_classes, {"action": str, "document": str, "consumes": str}, {}),
    "methodology": Action(
        _methodology, {"action": str, "document": str, "from": str}, {"consumes": str}
    ),
    "scenario": Action(_scenario, {"action": str, "document": str}, {"from": str, "consumes": str}),
    "policy": Action(_policy, {"action": str, "document": str}, {"consumes": str}),
    "rules": Action(_rules, {"action": str, "version": int, "consumes": str}, {}),
    "threshold": Action(_threshold, {"action": str, "governors": int, "instead_of": int}, {}),
    "pseudonym-key": Action(
        _pseudonym_key, {"action": str, "from": str, "key": str}, {"consumes": str}, since=3
    ),
}
