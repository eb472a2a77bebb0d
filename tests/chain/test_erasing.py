"""Erasing activities: what the log says is erased is gone from the ledger, and nothing else is."""

import contextlib
import shutil
from pathlib import Path

import pytest
from support.books import DAY
from support.certified import CertifiedCity
from support.city import NOON, TODAY
from support.faults import Faults, FaultySystem, Injected
from support.postgres import copy_ledger
from support.replay import check_replay

from api.proving import prove_reduction
from chain.certifications import Certification
from chain.paths import activities_path
from keys.errors import Usage
from keys.statements import Statement

pytestmark = pytest.mark.usefixtures("database")

PEOPLE = ("ann", "ben", "cat")


@pytest.fixture
def city(tmp_path: Path) -> CertifiedCity:
    return CertifiedCity.open(tmp_path / "city")


def rides(city: CertifiedCity) -> list[bytes]:
    return [city.ride(person, NOON) for person in PEOPLE]


def root_of(city: CertifiedCity, lines: list[bytes], platform: str = "metro-app") -> bytes:
    return city.unchecked(lines, platform).root


def certified(city: CertifiedCity) -> Certification:
    city.shut(TODAY + 1)
    return city.certify(TODAY, TODAY + 1)


def test_an_erased_activity_is_gone_and_the_others_keep_their_places(city: CertifiedCity) -> None:
    lines = rides(city)
    city.submit(lines)
    root = root_of(city, lines)
    ann, ben, cat = (reduction.leaf for reduction in city.reduce(lines))
    of = certified(city)
    city.done(city.erasure(of, [ben]))
    assert city.store.activities(root) == [lines[0], b"", lines[2]]
    assert lines[1] not in (city.folder / activities_path(root)).read_bytes()
    assert prove_reduction(city.store, ben)["activity"] is None
    assert prove_reduction(city.store, cat, disclose=True)["activity"] == lines[2].decode()
    with pytest.raises(Usage, match="activity-erased"):
        prove_reduction(city.store, ben, disclose=True)
    city.done(city.erasure(of, [ann, ben]))
    assert city.store.activities(root) == [b"", b"", lines[2]]
    check_replay(city)


def test_before_its_days_are_certified_nothing_is_erased(city: CertifiedCity) -> None:
    lines = rides(city)
    city.submit(lines)
    other = [city.ride("ann", NOON + DAY)]
    city.submit(other)
    leaves = [reduction.leaf for reduction in city.reduce(lines + other)]
    city.shut(TODAY + 2)
    of = city.certify(TODAY, TODAY + 1)
    assert city.refusal(city.erasure(of, leaves[-1:])) == "reduction-elsewhere"
    assert city.refusal(city.erasure(of, leaves[:1], reason="")) == "text-empty"
    adverse = city.certify(TODAY + 1, TODAY + 2, opinion="adverse", count=0, grams=0)
    assert city.refusal(city.erasure(adverse, leaves[-1:])) == "certification-certifies-nothing"
    assert city.store.activities(root_of(city, lines)) == lines
    assert city.store.activities(root_of(city, other)) == other


def test_every_copy_that_the_platform_has_submitted_is_erased(city: CertifiedCity) -> None:
    lines = rides(city)
    first = city.submit(lines)
    city.post(city.void(first, [1], "metro-app"))
    again = [*lines[1:], city.ride("dan", NOON)]
    city.submit(again)
    ben = city.reduce(lines)[1].leaf
    of = certified(city)
    city.done(city.erasure(of, [ben]))
    assert city.store.activities(root_of(city, lines)) == [lines[0], b"", lines[2]]
    assert city.store.activities(root_of(city, again)) == [b"", *again[1:]]


def test_the_same_line_of_another_platform_stays(city: CertifiedCity) -> None:
    lines = rides(city)
    city.submit(lines)
    city.submit(lines[:1], "pay-app")
    of = certified(city)
    city.done(city.erasure(of, [city.reduce(lines)[0].leaf]))
    assert city.store.activities(root_of(city, lines)) == [b"", *lines[1:]]
    assert city.store.activities(root_of(city, lines[:1], "pay-app")) == lines[:1]


def test_what_was_erased_does_not_come_back_with_the_same_submission(city: CertifiedCity) -> None:
    lines = rides(city)
    city.submit(lines)
    of = certified(city)
    city.done(city.erasure(of, [city.reduce(lines)[0].leaf]))
    city.submit(lines)
    assert city.store.activities(root_of(city, lines)) == [b"", *lines[1:]]


def test_activities_put_back_from_a_copy_are_erased_again(city: CertifiedCity) -> None:
    lines = rides(city)
    city.submit(lines)
    path = city.folder / activities_path(root_of(city, lines))
    copy = path.read_bytes()
    of = certified(city)
    city.done(city.erasure(of, [city.reduce(lines)[0].leaf]))
    city.done(city.erasure(of, [city.reduce(lines)[2].leaf]))
    erased = path.read_bytes()
    path.write_bytes(copy)
    assert city.store.erase_again() == 2
    assert path.read_bytes() == erased
    assert city.store.erase_again() == 0
    assert path.read_bytes() == erased
    path.unlink()
    assert city.store.erase_again() == 0


def waiting_erasure(folder: Path) -> tuple[CertifiedCity, list[bytes], Statement]:
    """A city in which an erasure waits for its block."""
    city = CertifiedCity.open(folder)
    lines = rides(city)
    city.submit(lines)
    second = [city.ride("dan", NOON), lines[0]]
    city.submit(second)
    of = certified(city)
    statement = city.erasure(of, [reduction.leaf for reduction in city.reduce(lines)[:2]])
    city.sequencer.post([statement])
    return city, lines, statement


@pytest.mark.parametrize("late", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_call_that_fails_leaves_the_erasure_to_be_done(tmp_path: Path, late: bool) -> None:
    city, lines, statement = waiting_erasure(tmp_path / "city")
    root = root_of(city, lines)
    city.store.engine.dispose()
    at, faults = 0, Faults()
    while at == 0 or faults.struck:
        at += 1
        folder = tmp_path / f"{at}"
        copy_ledger(city.folder, folder)
        faults = Faults(at, late)
        faulty = CertifiedCity(folder, FaultySystem(faults, {}))
        faults.watch(faulty.store.engine)
        with contextlib.suppress(Injected):
            faulty.sequencer.seal_all(city.now)
        faulty.store.engine.dispose()
        after = CertifiedCity(folder)
        after.sequencer.seal_all(city.now)
        after.answer(statement)
        assert after.store.activities(root) == [b"", b"", lines[2]]
        after.store.engine.dispose()
        shutil.rmtree(folder)
    assert {"write", "rename", "fsync", "database COMMIT"} <= set(faults.calls)
