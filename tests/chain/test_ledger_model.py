"""The ledger against a plain model: lists of intervals, counts under caps, and nothing else."""

import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.city import FIRST_DAY, NOON, OFFSET, PLATFORMS, City, founding_actions
from support.postgres import Server
from support.replay import check_provable, check_replay

from chain.admission import Admitted
from chain.store.answers import Answer
from keys.errors import Refusal

DAY = 86_400
FOREVER = 2**63 - 1
FIRST_SECOND = FIRST_DAY * DAY - OFFSET
PEOPLE = ("ann", "ben", "cat")
BIKES = ("b1", "b2")
NUMBERS = ("1", "2", "3", "4")
GRAMS = {"city-bus": 80, "city-bike": 52, "city-plate": 144}
SLOTS = [(5 * 3600, 10.5 * 3600, "breakfast"), (10.5 * 3600, 16 * 3600, "lunch")]


@dataclass
class Wish:
    """One activity as the model sees it: intervals on named lines, or a seat on a cap."""

    scenario: str
    start: int
    spans: list[tuple[str, int, int]]
    cap: str | None = None


@dataclass
class Model:
    """What the ledger should hold."""

    taken: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    seats: set[str] = field(default_factory=set)
    clock: int = NOON
    recorded: int = 0
    refused: int = 0
    grams: int = 0

    def day(self, second: int) -> int:
        return (second + OFFSET) // DAY

    def judge(self, wish: Wish) -> str | None:
        """None if it is recorded, which is then entered; or why it is not."""
        why = self.why_not(wish)
        if why:
            self.refused += 1
            return why
        for line, start, end in wish.spans:
            self.taken.setdefault(line, []).append((start, end))
        if wish.cap:
            self.seats.add(wish.cap)
        self.recorded += 1
        self.grams += GRAMS[wish.scenario]
        return None

    def why_not(self, wish: Wish) -> str | None:
        today = self.day(self.clock)
        if self.day(wish.start) < FIRST_DAY:
            return "day-closed"
        if self.day(wish.start) > today + 1:
            return "day-not-begun"
        for line, start, end in wish.spans:
            timed = end != FOREVER
            # A span is judged a day at a time, in their order.
            pieces = self.days(start, end) if timed else [(0, start, end)]
            for day, low, high in pieces:
                if timed and day < FIRST_DAY:
                    return "day-closed"
                if timed and day > today + 1:
                    return "day-not-begun"
                if any(s < high and low < e for s, e in self.taken.get(line, ())):
                    return "span-taken"
        return "cap-full" if wish.cap in self.seats else None

    def touches_closed(self, wish: Wish) -> bool:
        timed = [start for _, start, end in wish.spans if end != FOREVER]
        return any(self.day(second) < FIRST_DAY for second in (wish.start, *timed))

    def days(self, start: int, end: int) -> list[tuple[int, int, int]]:
        first, last = self.day(start), self.day(end - 1)
        bounds = [start, *(d * DAY - OFFSET for d in range(first + 1, last + 1)), end]
        return [(first + n, low, high) for n, (low, high) in enumerate(pairwise(bounds))]

    def void(self, wish: Wish) -> None:
        for line, start, end in wish.spans:
            self.taken[line].remove((start, end))
        if wish.cap:
            self.seats.remove(wish.cap)
        self.recorded -= 1
        self.grams -= GRAMS[wish.scenario]


@dataclass(eq=False)
class Sent:
    """A submission, what each of its reductions is to the model, and what became of them."""

    admitted: Admitted
    lines: list[bytes]
    platform: str
    wishes: list[Wish]
    outcomes: list[str | None] | None = None
    answer: Answer | None = None


STARTS = st.one_of(
    st.integers(0, 40).map(lambda n: NOON + n * 150),  # crowded
    st.integers(-4, 4).map(lambda n: NOON + DAY // 2 + n * 100),  # around midnight
    st.integers(-2, 12).map(lambda n: FIRST_SECOND + n * 20),  # around the first day's start
    st.integers(0, 5).map(lambda n: NOON + n * DAY),  # days ahead
)
LENGTHS = st.sampled_from([1, 60, 150, 400, 900, 2 * DAY])


class LedgerMachine(RuleBasedStateMachine):
    """Platforms submit, void and resend; time passes; the process restarts."""

    @initialize()
    def found(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        # Documents are in force before the first day, so that the days alone decide.
        self.city = City.found(Path(self.folder.name), actions=founding_actions(FIRST_DAY - 5))
        self.model = Model()
        self.sent: list[Sent] = []
        self.waiting: list[Sent] = []
        self.answered: list[Sent] = []
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "city"):
            self.seal_all()
            check_replay(self.city.reopen())
            self.folder.cleanup()

    # --- what happens ---

    def wish(self, kind: str, who: str, bike: str, number: str, start: int, length: int) -> None:
        """Note an activity for the next batch."""
        person = [(f"person {who}", start - 60, start + 360)]
        if kind == "ride":
            line = self.city.ride(who, start, number)
            made = Wish("city-bus", start, [*person, (f"ticket {number}", 0, FOREVER)])
        elif kind == "meal":
            seconds = 5 * 3600 + start % (18 * 3600)  # within the slots of the day
            start += seconds - (start + OFFSET) % DAY
            slot = next((name for low, high, name in SLOTS if low <= seconds < high), "dinner")
            line = self.city.meal(who, start, number)
            cap = f"{who} {self.model.day(start)} {slot}"
            made = Wish("city-plate", start, [(f"order {number}", 0, FOREVER)], cap)
        else:
            line = self.city.trip(bike, start, start + length, who)
            spans = [
                (f"bike {bike}", start, start + length),
                (f"person {who}", start, start + length),
            ]
            made = Wish("city-bike", start, spans)
        self.batch.append((line, made))

    @rule(
        platform=st.sampled_from(PLATFORMS),
        kind=st.sampled_from(["ride", "meal", "trip"]),
        items=st.lists(
            st.tuples(
                st.sampled_from(PEOPLE),
                st.sampled_from(BIKES),
                st.sampled_from(NUMBERS),
                STARTS,
                LENGTHS,
            ),
            min_size=1,
            max_size=6,
        ),
    )
    def submit(self, platform: str, kind: str, items: list[tuple[str, str, str, int, int]]) -> None:
        self.batch: list[tuple[bytes, Wish]] = []
        for item in items:
            self.wish(kind, *item)
        lines = [line for line, _ in self.batch]
        self.report(lines, [made for _, made in self.batch], platform)

    def report(self, lines: list[bytes], wishes: list[Wish], platform: str) -> None:
        # Each expires at its own second, so that the same activities make another statement.
        self.number += 1
        expires = self.model.clock + 100 * DAY + self.number
        self.sent.append(Sent(self.city.admit(lines, platform, expires), lines, platform, wishes))
        self.send(self.sent[-1])

    def send(self, one: Sent) -> None:
        self.city.sequencer.submit([one.admitted])
        if one.outcomes is None and one not in self.waiting:
            self.waiting.append(one)

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 99))
    def resend(self, which: int) -> None:
        """The same statement: never a second entry, and the same answer."""
        one = self.sent[which % len(self.sent)]
        self.send(one)
        if one.answer is not None:
            assert self.city.answer(one.admitted.entry.statement) == one.answer

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 99), platform=st.sampled_from(PLATFORMS))
    def report_again(self, which: int, platform: str) -> None:
        """The same activities in a new statement, by either platform: each is tried again."""
        one = self.sent[which % len(self.sent)]
        self.report(one.lines, one.wishes, platform)

    @rule(later_seconds=st.sampled_from([0, 1, 3_600, 3_601, DAY, 3 * DAY, -500]))
    def seal(self, later_seconds: int) -> None:
        self.city.now = max(self.city.now + later_seconds, NOON)
        self.seal_all()

    def seal_all(self) -> None:
        if not self.waiting:
            assert self.city.sequencer.seal_all(self.city.now) == []
            return
        # The rules' clock is the last seal's, unless it lags by more than an hour.
        if self.city.now - self.model.clock > 3_600:
            self.model.clock = self.city.now
        for one in self.waiting:
            one.outcomes = [self.model.judge(wish) for wish in one.wishes]
        self.city.sequencer.seal_all(self.city.now)
        self.model.clock = max(self.model.clock, self.city.now)
        for one in self.waiting:
            one.answer = self.city.answer(one.admitted.entry.statement)
            found = [
                refused.code if (refused := one.answer.refusals.get(place)) else None
                for place in range(len(one.wishes))
            ]
            assert found == one.outcomes
            check_provable(self.city, one.admitted.entry.statement)
        self.answered += self.waiting
        self.waiting = []

    @precondition(lambda self: self.answered)
    @rule(
        which=st.integers(0, 99),
        place=st.integers(0, 5),
        by=st.sampled_from([*PLATFORMS, "governor", "verifier", None]),
    )
    def void(self, which: int, place: int, by: str | None) -> None:
        one = self.answered[which % len(self.answered)]
        by = by or one.platform
        if one.answer is None:
            raise AssertionError("it was answered")
        self.seal_all()
        place %= len(one.wishes)
        self.number += 1
        void = self.city.void(one.answer, [place], by)
        void = self.city.sign(
            "void", by, void.body, str(self.number), expires=self.model.clock + 100 * DAY
        )
        holder = one.admitted.entry.reductions[place].holder
        with self.city.store.snapshot() as snapshot:
            at = snapshot.locate(holder)
        self.city.sequencer.post([void])
        self.city.sequencer.seal_all(self.city.now)
        try:
            self.city.answer(void)
        except Refusal as refusal:
            code: str | None = refusal.code
        else:
            code = None
            self.model.clock = max(self.model.clock, self.city.now)
        if by in PLATFORMS and by != one.platform:
            assert code == "void-not-own"
        elif self.model.touches_closed(one.wishes[place]):
            assert code == "void-day-closed"
        elif at is None or at.voided is not None:
            assert code == "void-not-held"
        else:
            # It may be held through another statement over the same reduction.
            assert code is None
            self.model.void(one.wishes[place])
        if code is not None and self.city.now - self.model.clock > 3_600:
            self.model.clock = self.city.now

    @rule()
    def restart(self) -> None:
        self.city = self.city.reopen()

    # --- what always holds ---

    @invariant()
    def counts_agree(self) -> None:
        if not hasattr(self, "city"):
            return
        with self.city.store.snapshot() as snapshot:
            head = snapshot.head()
            assert head is not None
            assert snapshot.pending_count() == len(self.waiting)
        assert (head.recorded, head.refused, head.grams) == (
            self.model.recorded,
            self.model.refused,
            self.model.grams,
        )


TestLedger = LedgerMachine.TestCase
# Each of these is some hundred blocks with their proofs.
TestLedger.settings = settings(max_examples=max(settings.default.max_examples // 2, 1))


def test_the_machine_on_postgresql(postgres_server: Server) -> None:
    shorter = settings(max_examples=max(settings.default.max_examples // 10, 1))
    with postgres_server.use():
        run_state_machine_as_test(LedgerMachine, settings=shorter)
