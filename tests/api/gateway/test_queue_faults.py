"""Every write of the gateway fails once, early or late: nothing is lost, and nothing done twice.

A clean run counts the calls to the queue's database.  Then each of them fails in turn, on a queue
of its own.  Afterwards the gateway goes on, in the same process or from its file alone.
"""

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.city import NOON, City
from support.faults import Faults, Injected
from support.gateway import Direct, gateway_of, ride, rows, work
from support.replay import check_replay

from api.gateway.gateway import Gateway
from keys.errors import Refusal

LINES = [
    ride("r-1", "ann"),
    ride("r-2", "bob"),
    ride("r-3", "ann", NOON + 60),  # meets r-1
    ride("r-4", "carl", scenario="no-such"),
    ride("r-5", "dora"),
    b"{",
]
OUTCOMES = {
    "r-1": "recorded",
    "r-2": "recorded",
    "r-3": "refused",
    "r-4": "refused",
    "r-5": "recorded",
}


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city's folder, to be copied."""
    folder = tmp_path_factory.mktemp("founded") / "city"
    City.found(folder).store.engine.dispose()
    return folder


def ledger_in(folder: Path, founded: Path) -> Direct:
    """A ledger of its own."""
    shutil.copytree(founded, folder / "city")
    return Direct(City(folder / "city"))


def check(gateway: Gateway, ledger: Direct, outcomes: dict[str, str]) -> None:
    """Each line has one result; what is recorded is in the ledger, once, and provable."""
    found = rows(gateway)
    assert [row["cursor"] for row in found] == sorted({row["cursor"] for row in found})
    assert len(found) == len({row["id"] for row in found})
    assert {row["id"]: row["status"] for row in found} == outcomes
    recorded = [row for row in found if row["status"] == "recorded"]
    places = set()
    for row in recorded:
        leaf = bytes.fromhex(row["leaf"])
        _, report = gateway.proof(leaf)
        assert report.facts["index"] == row["index"]
        places.add((row["index"], row["position"]))
    assert len(places) == len(recorded)
    assert check_replay(ledger.city).recorded == len(recorded)
    assert gateway.queue.counts() == {
        "taken": 0,
        "made": 0,
        "signed": 0,
        "done": len(outcomes),
    }
    assert gateway.queue.first() is None


def hand_in(gateway: Gateway) -> None:
    """Hand lines in again until they are acknowledged, as a platform would."""
    try:
        found = gateway.take(LINES)
    except Injected:
        found = gateway.take(LINES)
    assert sum(isinstance(one, Refusal) for one in found) == 1


def run(
    ledger: Direct, path: Path, at: int, *, late: bool, anew: bool, silent: bool = False
) -> list[str]:
    """A run in which one call fails; the calls."""
    gateway = gateway_of(ledger, path)
    faults = Faults(at, late)
    faults.watch(gateway.queue.engine)
    hand_in(gateway)
    for _ in range(20):
        ledger.silent = silent and not ledger.silent
        gateway.step()
        if faults.struck and anew:
            gateway.queue.close()
            gateway = gateway_of(ledger, path)
            anew = False
    faults.disarm()
    ledger.silent = False
    work(gateway)
    check(gateway, ledger, OUTCOMES)
    gateway.queue.close()
    ledger.city.store.engine.dispose()
    return faults.calls


@pytest.mark.parametrize(
    ("late", "anew"),
    [
        pytest.param(False, False, marks=pytest.mark.long),
        (True, False),
        (False, True),
        pytest.param(True, True, marks=pytest.mark.long),
    ],
)
def test_each_call_fails_once(tmp_path: Path, founded: Path, late: bool, anew: bool) -> None:
    ledger = ledger_in(tmp_path, founded)
    calls = run(ledger, tmp_path / "queue", 0, late=late, anew=False)
    writes = [
        number
        for number, call in enumerate(calls, 1)
        if call.split()[1] in ("INSERT", "UPDATE", "DELETE", "COMMIT")
    ]
    assert len(writes) > 20
    for number in random.Random(5).sample(writes, len(writes) // 3):
        folder = tmp_path / str(number)
        ledger = ledger_in(folder, founded)
        run(ledger, folder / "queue", number, late=late, anew=anew)


def test_the_answers_are_lost_as_well(tmp_path: Path, founded: Path) -> None:
    ledger = ledger_in(tmp_path, founded)
    run(ledger, tmp_path / "queue", 0, late=False, anew=False, silent=True)


@given(
    st.lists(
        st.sampled_from(["take", "step", "away", "silent", "back", "kill", "later"]), max_size=40
    ),
    st.integers(0, 60),
    st.booleans(),
)
@settings(max_examples=25)
def test_whatever_happens_in_whatever_order(
    tmp_path_factory: pytest.TempPathFactory, founded: Path, moves: list[str], at: int, late: bool
) -> None:
    folder = tmp_path_factory.mktemp("gateway")
    ledger = ledger_in(folder, founded)
    faults = Faults(at, late)
    gateway = gateway_of(ledger, folder / "queue")
    faults.watch(gateway.queue.engine)
    given: dict[str, str] = {}
    for move in [*moves, "disarm", "back", "later"]:
        match move:
            case "take":
                name = f"r-{len(given)}"
                line = ride(name, f"person {len(given)}", ledger.city.now)
                try:
                    gateway.take([line])
                except Injected:
                    gateway.take([line])
                given[name] = "recorded"
            case "step":
                gateway.step()
            case "away":
                ledger.away = True
            case "silent":
                ledger.silent = True
            case "back":
                ledger.away = ledger.silent = False
            case "kill":
                gateway.queue.close()
                gateway = gateway_of(ledger, folder / "queue")
            case "later":
                # Past the expiry of what was signed.
                ledger.city.now += 100_000
                ledger.city.submit([ledger.city.ride(f"else {ledger.city.now}", NOON)], "pay-app")
            case "disarm":
                faults.disarm()
    work(gateway)
    found = rows(gateway)
    assert sorted(row["id"] for row in found) == sorted(given)
    assert {row["id"]: row["status"] for row in found} == given
    for row in found:
        gateway.proof(bytes.fromhex(row["leaf"]))
    gateway.queue.close()
    ledger.city.store.engine.dispose()
