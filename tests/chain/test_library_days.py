"""Days of a few people against a plain model: lists of intervals, counts, and nothing else."""

import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.activities import MIDNIGHT, examples, number
from support.city import PLATFORMS, pseudonym
from support.replay import check_replay
from support.town import found_town

from keys.strict import dump_json

DAY = 86_400
WHOLE = (0, 2**63 - 1)
METRO = ("metro-ride", 10)


@dataclass(frozen=True)
class Event:
    """What one platform reports: seconds from the first midnight, a length, and a number."""

    kind: str
    who: str
    start: int
    length: int
    number: int
    platform: str

    @property
    def times(self) -> tuple[int, int]:
        lengths = {"bus-ride-by-code": 0, "metro-entry": 0, "e-payment": 0, "utility-e-bill": 0}
        lengths |= {"car-free-day": DAY, "walking": DAY}
        start = MIDNIGHT - DAY + self.start
        return start, start + lengths.get(self.kind, self.length)


def activity(event: Event, place: int) -> dict[str, Any]:
    """As the platform sends it."""
    made = examples(event.who)[event.kind]
    start, end = event.times
    made |= {"id": str(place), "start": start, "end": end}
    made.pop("ticket", None)
    if event.kind == "bus-ride-by-code":
        made["ticket"] = number("ticket", "city-bus", f"{event.number}")
    elif event.kind == "e-payment":
        made["order"] = number("order", "pay-app", f"{event.number}")
    elif event.kind == "utility-e-bill":
        account = pseudonym("bill", f"{event.number}")
        made["bill"] = {"issuer": "grid", "account": account, "month": "2026-02"}
    return made


@dataclass
class Model:
    """What the ledger should hold."""

    taken: defaultdict[str, list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    seats: Counter[tuple[object, ...]] = field(default_factory=Counter)

    def record(self, event: Event) -> str | None:
        """None if it is recorded, or why it is not."""
        spans, (behaviour, most), period = self.claims(event)
        if any(s < end and start < e for line, start, end in spans for s, e in self.taken[line]):
            return "span-taken"
        if behaviour and self.seats[behaviour, event.who, period] == most:
            return "cap-full"
        for line, start, end in spans:
            self.taken[line].append((start, end))
        self.seats[behaviour, event.who, period] += 1
        return None

    def claims(self, event: Event) -> tuple[list[tuple[str, int, int]], tuple[str, int], int]:
        """Intervals on named lines; the cap, if there is one, and its period."""
        start, end = event.times
        day = event.start // DAY
        who, car = f"person {event.who}", f"car {event.who}"
        if event.kind == "bus-ride-by-code":
            return [(who, start - 60, start + 360), (f"t{event.number}", *WHOLE)], ("", 0), day
        if event.kind == "metro-ride":
            return [(who, start - 60, end + 60)], METRO, day
        if event.kind == "metro-entry":
            return [(who, start - 60, start + 360)], METRO, day
        if event.kind == "walking":
            return [(f"steps {event.who}", start, end)], ("walking", 1), day
        if event.kind == "e-payment":
            return [(f"o{event.number}", *WHOLE)], ("e-payment", 10), day
        if event.kind == "utility-e-bill":
            # Both days are of March.
            return [(f"b{event.number}", *WHOLE)], ("utility-e-bill", 10), 3
        return [(car, start, end), (who, start, end)], ("", 0), day


TIMED = ("bus-ride-by-code", "metro-ride", "metro-entry", "ev-driving", "car-free-day", "walking")
COUNTED = ("e-payment", "utility-e-bill")
WHO, PLATFORM = st.sampled_from(("ann", "ben")), st.sampled_from(PLATFORMS)
RIDES = st.builds(
    Event,
    st.sampled_from(TIMED),
    WHO,
    # 1 and 2 March: crowded, around the midnight between them, or anywhere.
    st.one_of(
        st.integers(0, 40).map(lambda n: DAY + 9 * 3600 + n * 150),
        st.integers(-9, 9).map(lambda n: DAY + n * 60),
        st.sampled_from([0, DAY, DAY // 2]),
        st.integers(0, 2 * DAY - 1),
    ),
    st.sampled_from([60, 150, 900, 7_200]),
    st.integers(1, 4),
    PLATFORM,
)
# Of one kind at a time, so that there are enough of it to fill a cap.
COUNTS = st.sampled_from(COUNTED).flatmap(
    lambda kind: st.lists(
        st.builds(
            Event,
            st.just(kind),
            st.just("ann"),
            st.integers(0, 5).map(lambda n: DAY + n * 3600),
            st.just(0),
            st.integers(1, 99),
            PLATFORM,
        ),
        min_size=5,
        max_size=30,
    )
)


@settings(max_examples=max(settings.default.max_examples // 2, 1))
@given(st.lists(RIDES, max_size=20), COUNTS, st.randoms(use_true_random=False))
def test_days_are_recorded_as_the_model_says(
    rides: list[Event], counts: list[Event], random: Any
) -> None:
    """Two platforms in a random order; the same recorded, refused for the same reason, replayed."""
    events = [*rides, *counts]
    random.shuffle(events)
    model = Model()
    expected = [model.record(event) for event in events]
    with tempfile.TemporaryDirectory() as folder:
        town = found_town(Path(folder))
        runs = groupby(enumerate(events), key=lambda item: (item[1].kind, item[1].platform))
        sent = [
            (
                [place for place, _ in run],
                town.admit([dump_json(activity(e, place)) for place, e in run], platform),
            )
            for (_, platform), items in runs
            for run in [list(items)]
        ]
        town.sequencer.submit([admitted for _, admitted in sent])
        town.sequencer.seal_all(town.now)
        outcomes: dict[int, str | None] = {}
        for places, admitted in sent:
            refusals = town.answer(admitted.entry.statement).refusals
            for n, place in enumerate(places):
                outcomes[place] = refusals[n].code if n in refusals else None
        assert [outcomes[place] for place in range(len(events))] == expected
        replayed = check_replay(town.reopen())
        assert replayed.recorded == expected.count(None)
