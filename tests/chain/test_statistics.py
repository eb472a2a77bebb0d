"""Statistics and books in the database: after voids, refusals, erasures, and from the files."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from support.books import DAY
from support.certified import CertifiedCity
from support.city import NOON, TODAY, City, pseudonym
from support.older import take_back
from support.replay import EVER, check_replay

from chain.store.ledger import LedgerStore
from chain.store.snapshot import Booked, Place, Statistic

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path / "city")


def statistics(city: City, by: str, **more: str) -> list[tuple[int | str, int, int]]:
    with city.store.snapshot() as snapshot:
        found = snapshot.statistics(by, EVER, **more)
    return [(one.of, one.count, one.grams) for one in found]


def subject(person: str) -> bytes:
    return bytes.fromhex(pseudonym("traveller", person))


def book(
    city: City,
    *people: str,
    platform: str = "metro-app",
    days: tuple[int, int] = EVER,
    limit: int = 100,
) -> list[Booked]:
    with city.store.snapshot() as snapshot:
        whose = [subject(person) for person in people]
        return snapshot.book(whose, platform, days, limit=limit)


# --- statistics ---


def test_what_is_recorded_is_counted_by_day_platform_and_scenario(city: City) -> None:
    city.submit([city.ride("ann", NOON), city.ride("ben", NOON), city.ride("ann", NOON + DAY)])
    city.submit([city.meal("ann", NOON)])
    city.submit([city.ride("cat", NOON)], "pay-app")
    assert statistics(city, "day") == [(TODAY, 4, 3 * 80 + 144), (TODAY + 1, 1, 80)]
    assert statistics(city, "platform") == [("metro-app", 4, 384), ("pay-app", 1, 80)]
    assert statistics(city, "scenario") == [("city-bus", 4, 320), ("city-plate", 1, 144)]
    assert statistics(city, "day", platform="pay-app") == [(TODAY, 1, 80)]
    assert statistics(city, "platform", scenario="city-plate") == [("metro-app", 1, 144)]
    with city.store.snapshot() as snapshot:
        assert snapshot.statistics("scenario", (TODAY + 1, TODAY + 2)) == [
            Statistic("city-bus", 1, 80)
        ]
        assert snapshot.statistics("day", (TODAY + 2, TODAY + 9)) == []
    check_replay(city)


def test_what_is_refused_is_not_counted(city: City) -> None:
    city.submit([city.ride("ann", NOON)])
    answer = city.submit([city.ride("ann", NOON), city.ride("ben", NOON)])
    assert len(answer.refusals) == 1
    assert statistics(city, "day") == [(TODAY, 2, 160)]
    check_replay(city)


def test_a_void_takes_off_what_it_voids_and_what_is_recorded_again_counts_again(city: City) -> None:
    lines = [city.ride("ann", NOON)]
    answer = city.submit(lines)
    city.post(city.void(answer, [0], "metro-app"))
    assert statistics(city, "day") == []
    city.now += 60
    city.submit(lines)
    assert statistics(city, "day") == [(TODAY, 1, 80)]
    assert check_replay(city).recorded == 1


def test_a_void_and_what_takes_its_place_in_one_block(city: City) -> None:
    lines = [city.ride("ann", NOON), city.ride("ben", NOON)]
    answer = city.submit(lines)
    city.now += 60
    city.sequencer.post([city.void(answer, [0, 1], "metro-app")])
    city.sequencer.submit([city.admit(lines[:1])])
    city.sequencer.seal_all(city.now)
    assert statistics(city, "platform") == [("metro-app", 1, 80)]
    check_replay(city)


# --- books ---


def test_a_book_holds_what_was_recorded_for_its_subjects_by_that_platform(city: City) -> None:
    first = city.submit([city.ride("ann", NOON), city.ride("ben", NOON)])
    second = city.submit([city.ride("ann", NOON + DAY)])
    city.submit([city.ride("ann", NOON + 3600)], "pay-app")
    ann = book(city, "ann")
    assert [(row.day, row.place) for row in ann] == [
        (TODAY, Place(first.index, 0, None)),
        (TODAY + 1, Place(second.index, 0, None)),
    ]
    assert len(book(city, "ann", "ben")) == 3
    assert len(book(city, "ann", platform="pay-app")) == 1
    assert book(city, "ann", days=(TODAY + 1, TODAY + 2)) == ann[1:]
    assert book(city, "cat") == []
    check_replay(city)


def test_a_book_stands_by_day_and_holder_and_stops_where_it_is_told(city: City) -> None:
    city.submit([city.ride("ann", NOON + 3600 * hour) for hour in range(5)])
    city.submit([city.ride("ann", NOON + DAY)])
    every = book(city, "ann")
    assert len(every) == 6 and every == sorted(every, key=lambda row: (row.day, row.holder))
    assert book(city, "ann", limit=4) == every[:4]


def test_what_is_refused_or_waits_is_in_no_book_and_what_is_voided_says_so(city: City) -> None:
    answer = city.submit([city.ride("ann", NOON)])
    city.submit([city.ride("ann", NOON)], "pay-app")
    assert book(city, "ann", platform="pay-app") == []
    waiting = city.admit([city.ride("ann", NOON + 3600)])
    city.sequencer.submit([waiting])
    assert len(book(city, "ann")) == 1
    city.sequencer.seal_all(city.now)
    assert len(book(city, "ann")) == 2
    void = city.void(answer, [0], "metro-app")
    city.post(void)
    voided = city.answer(void).index
    assert Place(answer.index, 0, voided) in [row.place for row in book(city, "ann")]
    check_replay(city)


def test_what_is_submitted_again_after_a_void_stands_where_it_was_recorded_last(city: City) -> None:
    lines = [city.ride("ann", NOON)]
    city.post(city.void(city.submit(lines), [0], "metro-app"))
    city.now += 60
    again = city.submit(lines)
    assert [row.place for row in book(city, "ann")] == [Place(again.index, 0, None)]


def test_an_activity_without_a_pseudonym_is_in_no_book(city: City) -> None:
    city.submit([city.trip("b1", NOON, NOON + 600), city.trip("b2", NOON, NOON + 600, "ann")])
    assert [row.place.position for row in book(city, "ann")] == [1]
    check_replay(city)


def test_what_is_erased_is_in_no_book_and_does_not_come_back(tmp_path: Path) -> None:
    city = CertifiedCity.open(tmp_path / "certified")
    lines = [city.ride(person, NOON) for person in ("ann", "ben")]
    city.submit(lines)
    city.shut(TODAY + 1)
    of = city.certify(TODAY, TODAY + 1)
    city.done(city.erasure(of, [city.reduce(lines)[0].leaf]))
    assert book(city, "ann") == []
    assert len(book(city, "ben")) == 1
    city.submit(lines)
    assert book(city, "ann") == []
    assert statistics(city, "day") == [(TODAY, 2, 160)]
    check_replay(city)


# --- from the files ---


def test_an_older_ledger_learns_its_books_and_statistics_from_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LedgerStore, "archive", lambda *_: None)  # there was none
    city = CertifiedCity.open(tmp_path / "certified")
    lines = [city.ride(person, NOON) for person in ("ann", "ben", "cat")]
    answer = city.submit(lines)
    city.post(city.void(answer, [1], "metro-app"))
    city.post(city.void(city.submit([city.ride("ann", NOON + DAY)]), [0], "metro-app"))
    city.now += 60
    city.submit(lines[:2])
    city.shut(TODAY + 1)
    of = city.certify(TODAY, TODAY + 1)
    city.done(city.erasure(of, [city.reduce(lines)[2].leaf]))
    waiting = city.admit([city.ride("ann", city.now)])
    city.sequencer.submit([waiting])
    before = _rows(city.store)
    with city.store.snapshot() as snapshot:
        places = list(snapshot.reductions())
    take_back(city.store, "0003")
    again = CertifiedCity(city.folder)
    assert _rows(again.store) == before
    assert [len(rows) for rows in before] == [4, 2]
    with again.store.snapshot() as snapshot:
        assert list(snapshot.reductions()) == places
    again.sequencer.seal_all(city.now)
    check_replay(again)


def _rows(store: LedgerStore) -> list[list[tuple[object, ...]]]:
    with store.engine.connect() as connection:
        return [
            sorted(tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {table}")))
            for table in ("subject", "statistic")
        ]
