"""What becomes of a platform's activities: left out, recorded, refused, or waiting for a block."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chain.activities import Activity, parse_activity
from chain.admission import reduce_activities
from chain.effects import Refused
from chain.reductions import Reduction
from chain.state import State
from chain.store.answers import Answer
from chain.store.snapshot import Place
from keys.errors import Refusal
from keys.statements import Statement


@dataclass(frozen=True, slots=True)
class Item:
    """A reduction on its way: its line in the file, its activity, and itself."""

    number: int
    activity: Activity
    reduction: Reduction


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """A reduction that was not recorded, why, and the platform that holds what it met."""

    item: Item
    place: Place
    why: Refused
    platform: str | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line that earns nothing, and so was not sent: its number, and why."""

    number: int
    why: Refusal


def reduce_lines(
    lines: Iterable[tuple[int, bytes]], state: State, platform: str
) -> list[Item | LeftOut]:
    """The reductions of numbered lines, each an activity, as ``state`` has them made."""
    made: list[Item | LeftOut] = []
    read: list[tuple[int, Activity]] = []
    for number, line in lines:
        try:
            read.append((number, parse_activity(line)))
        except Refusal as refusal:
            made.append(LeftOut(number, refusal))
    reduced = reduce_activities([activity for _, activity in read], state, platform)
    for (number, activity), reduction in zip(read, reduced, strict=True):
        if isinstance(reduction, Refusal):
            made.append(LeftOut(number, reduction))
        else:
            made.append(Item(number, activity, reduction))
    return made


@dataclass(frozen=True)
class Known:
    """Reductions that were recorded before, and where, if that is known here; or wait already."""

    items: Sequence[tuple[Item, Place | None]]
    is_waiting: bool = False


@dataclass(frozen=True)
class Sent:
    """A submission, and what became of it: no answer while it waits for a block.

    known: the positions of those that were recorded before, and so meet their own spans.
    """

    statement: Statement
    items: Sequence[Item]
    answer: Answer | None
    known: frozenset[int] = frozenset()

    def refused(self) -> Iterator[RefusedItem]:
        """The reductions of it that were refused and are not known."""
        if self.answer is not None:
            for position, why in self.answer.refusals.items():
                if position not in self.known:
                    platform = self.answer.platforms.get(why.met.holder) if why.met else None
                    place = Place(self.answer.index, position, None)
                    yield RefusedItem(self.items[position], place, why, platform)

    def recorded(self) -> list[Item]:
        """The reductions of it that were recorded."""
        if self.answer is None:
            return []
        refusals = self.answer.refusals
        return [item for position, item in enumerate(self.items) if position not in refusals]


Outcome = LeftOut | Known | Sent


@dataclass
class Tally:
    """What came of a file."""

    lines: int = 0
    recorded: int = 0
    refused: int = 0
    grams: int = 0
    known: int = 0
    """Recorded, or waiting, before."""
    waiting: int = 0
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count it."""
        match outcome:
            case LeftOut():
                self.left_out.append(outcome)
            case Known():
                self.known += len(outcome.items)
            case Sent(answer=None):
                self.waiting += len(outcome.items)
            case Sent():
                taken = outcome.recorded()
                self.recorded += len(taken)
                self.known += len(outcome.known)
                self.refused += sum(1 for _ in outcome.refused())
                self.grams += sum(item.reduction.grams for item in taken)
