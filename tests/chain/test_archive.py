"""Pages of closed days go to files: what the ledger says and proves stays the same."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from support.city import NOON, TODAY, City
from support.kernels import reference
from support.postgres import engine_of
from support.replay import check_replay

from chain import register
from chain.paths import PLACES, REGISTER
from chain.proofs import check_free, check_held
from chain.spans import FOREVER
from chain.store import archive, tables
from chain.store.backup import back_up, restore
from chain.store.ledger import LedgerStore
from keys.errors import Fault, Unreadable

pytestmark = pytest.mark.usefixtures("database")

DAY = 86_400
RAISE = {"action": "threshold", "governors": 1, "instead_of": 1}
ALL = 1_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three items, so that a few spans are a tree of them; a few of them in a block."""
    monkeypatch.setattr(register, "PAGE_ITEMS_MAX", 3)
    monkeypatch.setattr(archive, "PAGES_AT_ONCE", 4)
    monkeypatch.setattr(archive, "PLACES_AT_ONCE", 5)


def found(folder: Path) -> City:
    return City.found(folder, acceptance_days=0)


def lines(city: City, day: int, *people: str) -> list[bytes]:
    return [city.ride(person, NOON + day * DAY) for person in people]


def pass_days(city: City, days: int) -> None:
    city.now += days * DAY
    city.govern(RAISE)


def page_count(city: City) -> int:
    with city.store.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(tables.page)) or 0


def files(city: City, folder: str = REGISTER) -> list[str]:
    """The files that the database names; all are there."""
    table = {REGISTER: tables.page_file, PLACES: tables.place_file}[folder]
    with city.store.engine.connect() as connection:
        named = connection.scalars(sa.select(table.c.digest)).all()
    paths = sorted(f"{folder}{digest.hex()[:2]}/{digest.hex()}" for digest in named)
    assert set(paths) <= set(city.store.files.paths(folder))
    return paths


def closed(folder: Path) -> City:
    """A ledger of three days, of which two are closed and archived."""
    city = found(folder)
    for day in range(3):
        city.now = NOON + day * DAY
        city.submit(lines(city, day, *(f"{day}/{n}" for n in range(9))))
    pass_days(city, 1)
    city.post(city.close(TODAY + 2))
    for _ in range(12):
        city.govern(RAISE)
        city.now += 1
    return city


def test_pages_of_closed_days_leave_the_database_a_few_with_each_block(tmp_path: Path) -> None:
    city = found(tmp_path / "city")
    city.submit(lines(city, 0, *map(str, range(20))))
    pass_days(city, 2)
    before = page_count(city)
    assert not files(city)
    city.post(city.close(TODAY + 1))
    counts = [page_count(city)]
    while len(counts) < 40 and (len(counts) < 2 or counts[-1] < counts[-2]):
        city.now += 1
        city.govern(RAISE)
        counts.append(page_count(city))
    # A block takes four along, and an approval comes with one block or two.
    steps = [earlier - later for earlier, later in zip([before, *counts], counts, strict=False)]
    assert all(step <= 8 for step in steps)
    # Half of the spans are on tickets, which have no day.
    assert counts[-1] < before * 3 // 4
    assert len(files(city)) >= (before - counts[-1]) // 4
    check_replay(city)
    # Nothing more is moved, and nothing is lost when the ledger is opened again.
    again = city.reopen()
    kept = files(again)
    again.submit(lines(again, 2, "ann"))
    assert files(again) == kept
    check_replay(again)


def test_what_is_archived_is_searched_and_proved(tmp_path: Path) -> None:
    city = closed(tmp_path / "city").reopen()
    assert len(files(city)) > 3
    refused = city.unchecked(lines(city, 0, "0/1"), expires=city.now + 1000)
    city.sequencer.submit([refused])
    city.sequencer.seal_all(city.now)
    assert [why.code for why in city.answer(refused.entry.statement).refusals.values()] == [
        "day-closed"
    ]
    with city.store.snapshot() as snapshot:
        head, of = snapshot.head(), snapshot.register()
        assert head is not None
        allows = city.state.classes.allows
        spans = list(of.spans())
        assert {span.day for span in spans} > {TODAY, TODAY + 1, TODAY + 2}
        for span in spans:
            assert of.overlapping([span[:3]]) == [[span]]
            check_held(head.register_root, of.held(span.line, span.start), allows)
            if span.day:
                free = of.free(span.line, span.end, span.end + 1)
                check_free(head.register_root, free, allows)


def test_who_reads_as_of_an_earlier_block_finds_its_pages(tmp_path: Path) -> None:
    city = found(tmp_path / "city")
    city.submit(lines(city, 0, *map(str, range(20))))
    pass_days(city, 2)
    with city.store.snapshot() as earlier:
        head = earlier.head()
        assert head is not None
        city.post(city.close(TODAY + 1))
        city.now += 1
        city.govern(RAISE)
        assert files(city)
        of = earlier.register()
        assert of.root() == head.register_root
        assert len([span for span in of.spans() if span.day == TODAY]) == 20


def test_a_backup_has_what_is_archived_and_what_is_restored_is_archived_again(
    tmp_path: Path, database: str
) -> None:
    city = closed(tmp_path / "city")
    back_up(city.store, tmp_path / "backup")
    store = LedgerStore(tmp_path / "other", engine_of(tmp_path / "other"))
    restore(tmp_path / "backup", store)
    other = City(store.folder, store=store)
    other.now = city.now
    assert files(other)
    assert page_count(other) <= page_count(city) + 2
    check_replay(other)
    more = lines(city, 3, "ann")
    for one in (city, other):
        one.submit(more)
    with city.store.snapshot() as mine, other.store.snapshot() as theirs:
        assert mine.register().root() == theirs.register().root()


def test_files_that_no_block_names_go_when_a_process_takes_the_lead(tmp_path: Path) -> None:
    city = closed(tmp_path / "city")
    kept = files(city)
    places = files(city, PLACES)
    city.store.files.write({f"{folder}00/{'00' * 32}": b"stray" for folder in (REGISTER, PLACES)})
    (city.folder / f"{kept[0]}.0123.new").write_bytes(b"half of a")
    lead = city.store.lead()
    assert lead is not None
    lead.close()
    assert sorted(city.store.files.paths(REGISTER)) == kept
    assert sorted(city.store.files.paths(PLACES)) == places
    check_replay(city)


def test_a_file_that_is_gone_or_cut_off_is_noticed(tmp_path: Path) -> None:
    city = closed(tmp_path / "city")
    path = city.folder / files(city)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with city.reopen().store.snapshot() as snapshot, pytest.raises(Fault, match="page-"):
        list(snapshot.register().spans())
    path.unlink()
    with city.reopen().store.snapshot() as snapshot, pytest.raises(Unreadable):
        list(snapshot.register().spans())
    for name in files(city, PLACES):
        (city.folder / name).unlink()
    (reduction,) = city.reduce(lines(city, 0, "x"))
    with city.reopen().store.snapshot() as snapshot, pytest.raises(Unreadable):
        snapshot.locate(reduction.holder)


def test_where_reductions_of_closed_days_stand_is_found_in_files(tmp_path: Path) -> None:
    """Recorded, voided, and recorded again; by their day, and without it."""
    city = found(tmp_path / "city")
    given = [lines(city, day, *(f"{day}/{n}" for n in range(9))) for day in range(3)]
    for day in range(3):
        city.now = NOON + day * DAY
        answer = city.submit(given[day])
        city.post(city.void(answer, [3, 4], "metro-app"))
        city.submit(given[day][4:5])
    holders = [(day, of.holder) for day in range(3) for of in city.reduce(given[day])]
    pass_days(city, 1)
    with city.store.snapshot() as snapshot:
        before = list(snapshot.reductions())
        places = {holder: snapshot.locate(holder) for _, holder in holders}
    assert [place and place.voided is not None for place in places.values()].count(True) == 3
    city.post(city.close(TODAY + 2))
    for _ in range(6):
        city.now += 1
        city.govern(RAISE)
    assert len(files(city, PLACES)) == 4
    with city.reopen().store.snapshot() as snapshot:
        assert {row.day for row in snapshot.rows(tables.reduction)} == {TODAY + 2}
        assert list(snapshot.reductions()) == before
        for day, holder in holders:
            assert snapshot.locate(holder) == places[holder]
            assert snapshot.places([holder], [TODAY + day]) == {holder: places[holder]}
            assert snapshot.places([holder], [TODAY + day + 1]) == {}
        assert snapshot.places([holder for _, holder in holders]) == places
        assert snapshot.locate(bytes(32)) is snapshot.locate(b"\xff" * 32) is None
    check_replay(city)


# --- with and without ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ride"), st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8)),
        st.tuples(st.just("void"), st.none()),
        st.tuples(st.just("close"), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.integers(1, 2)),
        st.tuples(st.just("reopen"), st.none()),
    ),
    min_size=4,
    max_size=14,
)


class Both:
    """The same happens to a ledger that archives and to one that does not."""

    def __init__(self, folder: Path) -> None:
        self.plain = found(folder / "plain")
        self.cities = [found(folder / "archiving"), self.plain]
        self.answers: list[list[Any]] = [[], []]

    def do(self, step: tuple[str, Any]) -> None:
        kind, what = step
        for place, city in enumerate(self.cities):
            if city is self.plain:
                city.store.archive = lambda *_: None  # type: ignore[method-assign]
            city.now += 1
            if kind == "reopen":
                self.cities[place] = city.reopen()
                self.plain = self.cities[1]
            elif kind == "wait":
                pass_days(city, what)
            elif kind == "close":
                city.sequencer.post([city.close(city.state.today - what)])
                city.sequencer.seal_all(city.now)
            elif kind == "void" and self.answers[place]:
                answer = self.answers[place][-1]
                city.sequencer.post([city.void(answer, [0], "metro-app")])
                city.sequencer.seal_all(city.now)
            elif kind == "ride":
                # Of an hour, so that they meet one another.
                start = city.now - city.now % 3_600
                admitted = city.admit([city.ride(person, start) for person in what])
                city.sequencer.submit([admitted])
                city.sequencer.seal_all(city.now)
                self.answers[place].append(city.answer(admitted.entry.statement))

    def said(self, place: int) -> list[Any]:
        with self.cities[place].store.snapshot() as snapshot:
            of = snapshot.register()
            spans = list(of.spans())
            held = [of.held(span.line, span.start) for span in spans]
            last = [span for span in spans if span.end < FOREVER]
            return [
                [snapshot.block(height).register_root for height in range(snapshot.height() + 1)],
                [sorted(answer.refusals.items()) for answer in self.answers[place]],
                spans,
                held,
                [of.free(span.line, span.end, span.end + 1) for span in last if span.day],
                of.held_many(spans[:5]),
                snapshot.lots(),
            ]


@pytest.mark.parametrize("examples", [2, pytest.param(50, marks=pytest.mark.long)])
@pytest.mark.parametrize("kernel", ["in use", "python"])
def test_a_ledger_that_archives_says_what_one_that_does_not_says(
    kernel: str,
    examples: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kernel == "python":
        monkeypatch.setattr(register, "Pages", reference("chain.pages").Pages)
    archived = []

    @settings(max_examples=examples)
    @given(steps=STEPS)
    def compare(steps: list[tuple[str, Any]]) -> None:
        folder = tmp_path_factory.mktemp("both")
        both = Both(folder)
        for step in (("ride", "abcdefgh"), *steps, ("wait", 2), ("close", 0), ("wait", 1)):
            both.do(step)
        assert both.said(0) == both.said(1)
        archived.append(len(files(both.cities[0])))
        assert not files(both.cities[1])
        check_replay(both.cities[0])
        for city in both.cities:
            city.store.engine.dispose()
        shutil.rmtree(folder)

    compare()
    assert all(archived)
