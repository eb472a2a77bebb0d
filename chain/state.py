"""What the rules know: everything that governance has decided, and where the log stands.

The state is small and is a fold over the statements of governance and the seals; the register,
which is large, is asked through a `View`.  A state never changes: a statement gives the next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from chain.calendar import Calendar
from chain.classes import Classes
from chain.lots import Lot
from chain.methodologies import Methodology
from chain.policies import WitnessPolicy
from chain.scenarios import Scenario
from chain.spans import FOREVER, Span, make_holder
from keys.participants import Participant, Role
from keys.pseudonyms import Epoch

RULES_VERSION = 3
"""The newest version of the rules (`chain.rules`); all from 1 to this one are known."""

Document = TypeVar("Document", Methodology, Scenario, WitnessPolicy)

FUTURE_DAYS_MAX = 1
"""A claim may lie at most this many days after the rules' clock, which an idle ledger's may lag."""


class View(Protocol):
    """What the rules may ask about the ledger as it stands before a statement."""

    def seen(self, identity: bytes) -> bool:
        """Whether a statement with this id is in the log."""

    def overlapping(
        self, wanted: Sequence[tuple[bytes, int, int]], most: int = FOREVER
    ) -> list[list[Span]]:
        """For each (line, start, end), the live spans that overlap, last one first, at most so
        many."""

    def root(self) -> bytes:
        """The root of the register."""

    def lots(self, first: int, until: int) -> Sequence[Lot]:
        """The lots of the days ``[first, until)``, sorted: of all that is recorded, not voided."""


@dataclass(frozen=True)
class Genesis:
    """What was fixed for ever when the ledger was opened."""

    id: bytes
    origin: str
    offset: int
    first_day: int
    acceptance_days: int
    unit_grams: int
    operator: str


@dataclass(frozen=True)
class InForce(Generic[Document]):
    """A version of a document, in force on the days ``[start, end)``; of a witness policy, at the
    log indices."""

    start: int
    end: int
    document: Document


@dataclass(frozen=True)
class Proposal:
    """A proposal that waits for approvals."""

    actions: Sequence[Mapping[str, Any]]
    expires: int
    approved_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class State:
    """The ledger's governed facts and the position of its log; see the module's text."""

    genesis: Genesis
    classes: Classes
    threshold: int
    """How many governors must approve a proposal."""
    rules: int
    """The version of the rules that judges the next statement."""
    classes_since: int = 0
    rules_since: int = 0
    """The log indices from which classes and rules are in force."""
    policies: tuple[InForce[WitnessPolicy], ...] = ()
    """The witness policies, one after the other without a gap; the last has no end."""
    participants: Mapping[str, Participant] = field(default_factory=dict)
    methodologies: Mapping[str, tuple[InForce[Methodology], ...]] = field(default_factory=dict)
    scenarios: Mapping[str, tuple[InForce[Scenario], ...]] = field(default_factory=dict)
    proposals: Mapping[bytes, Proposal] = field(default_factory=dict)
    epochs: tuple[Epoch, ...] = ()
    """The keys of pseudonyms, each from a day on, in their order (`keys.pseudonyms`)."""
    closed_until: int = 0
    """Days before this one are closed."""
    index: int = 0
    """The log index of the next statement."""
    height: int = -1
    """The height of the last block; -1 before the first."""
    time: int = 0
    """The rules' clock: the time of the last seal."""
    previous: bytes = bytes(32)
    """The id of the last seal's statement."""

    @property
    def policy(self) -> WitnessPolicy | None:
        """The witness policy in force."""
        return self.policies[-1].document if self.policies else None

    def policy_at(self, index: int) -> WitnessPolicy | None:
        """The witness policy in force at a log index."""
        return _on(self.policies, index)

    @property
    def calendar(self) -> Calendar:
        """The ledger's days."""
        return Calendar(self.genesis.offset)

    @property
    def today(self) -> int:
        """The day of the rules' clock."""
        return self.calendar.day(self.time)

    @property
    def waiting(self) -> Mapping[bytes, Proposal]:
        """The proposals that can be approved; those that expired leave the state with the next
        statement of governance."""
        return {name: p for name, p in self.proposals.items() if p.expires > self.time}

    @property
    def governors(self) -> list[str]:
        """Who can approve from here on: those with a key, and the role, that have no end."""
        return [
            name
            for name, participant in self.participants.items()
            if participant.key_at(FOREVER - 1) is not None
            and participant.has_role(Role.GOVERNOR, FOREVER - 1)
        ]

    @property
    def last_day(self) -> int:
        """The last day on which anything can have been recorded."""
        return self.today + FUTURE_DAYS_MAX

    def methodology(self, name: str, day: int) -> Methodology | None:
        """The version of a methodology in force on ``day``."""
        return _on(self.methodologies.get(name, ()), day)

    def scenario(self, name: str, day: int) -> Scenario | None:
        """The definition of a scenario in force on ``day``."""
        return _on(self.scenarios.get(name, ()), day)

    def epoch(self, day: int) -> Epoch | None:
        """The epoch that holds ``day``; None where no key makes its pseudonyms."""
        return next((epoch for epoch in reversed(self.epochs) if epoch.start <= day), None)

    def epoch_of(self, class_name: str, day: int) -> Epoch | None:
        """The epoch whose key makes pseudonyms of a class for activities that start on ``day``.

        On dated lines it is the day's.  On others it is that of the ledger's first day, whatever
        the activity's: the same ticket meets itself under every date.  Raises `Malformed`.
        """
        dated = self.classes.named(class_name).dated
        return self.epoch(day if dated else self.genesis.first_day)


def rules_holder(version: int) -> bytes:
    """What stands on the line "rules" while ``version`` is in force."""
    return make_holder("rules", version.to_bytes(8))


def epoch_holder(epoch: Epoch) -> bytes:
    """What stands on the line "pseudonyms" on the days of ``epoch``."""
    return make_holder("pseudonyms", epoch.public)


def _on(versions: Sequence[InForce[Document]], day: int) -> Document | None:
    for version in reversed(versions):
        if version.start <= day < version.end:
            return version.document
    return None
