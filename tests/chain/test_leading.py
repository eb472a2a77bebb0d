"""The lead: one process seals, another takes over, and one that was overtaken can do nothing."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.city import NOON, City
from support.postgres import connect, url_of
from support.replay import check_replay
from support.waiting import until

from chain.paths import CHECKPOINT
from chain.store.leading import LEAD_FILE, Lead
from chain.store.ledger import LedgerStore
from keys.errors import Conflict

pytestmark = pytest.mark.usefixtures("database")

LEADER = Path(__file__).resolve().parents[1] / "support" / "leader.py"


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path / "city")


def lead_of(store: LedgerStore) -> Lead:
    lead = store.lead()
    assert lead is not None
    return lead


def waited_for(store: LedgerStore) -> Lead:
    lead = until(store.lead)
    assert lead is not None
    return lead


def lose_lead(city: City) -> None:
    """Take the lock from whoever has it, without a word to it."""
    url = url_of(city.folder)
    if url is None:
        (city.folder / LEAD_FILE).unlink()
        return
    with connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


# --- within one process ---


def test_one_leads_at_a_time_and_each_in_an_epoch_of_its_own(city: City) -> None:
    other = City(city.folder)
    with lead_of(city.store) as first:
        assert other.store.lead() is None
        assert city.store.lead() is None
        first.check()
    with lead_of(other.store) as second:
        assert city.store.lead() is None
        assert second.epoch == first.epoch + 1


def test_who_was_overtaken_seals_nothing(city: City) -> None:
    city.sequencer.lead = lead_of(city.store)
    city.submit([city.ride("ann", NOON)])
    lose_lead(city)
    with pytest.raises(Conflict) as lost:
        city.sequencer.lead.check()
    assert lost.value.code == "sequencer-overtaken"
    before = city.state.index
    checkpoint = (city.folder / CHECKPOINT).read_bytes()
    other = City(city.folder)
    with lead_of(other.store) as lead:
        # The other one has sealed nothing yet: only the epoch says that it leads.
        for admitted in (
            city.admit([city.ride("ben", NOON)]),
            city.unchecked([city.ride("cat", NOON)], expires=city.now - 1),
        ):
            city.sequencer.submit([admitted])
            with pytest.raises(Conflict) as overtaken:
                city.sequencer.seal(city.now)
            assert overtaken.value.code == "sequencer-overtaken"
            assert city.sequencer.answer(admitted.entry.statement) is None
        assert city.state.index == before
        assert (city.folder / CHECKPOINT).read_bytes() == checkpoint
        other.sequencer.lead = lead
        other.sequencer.seal_all(other.now)
    city.sequencer.lead.close()
    assert check_replay(other).recorded == 2


def test_nobody_takes_over_within_a_transaction_of_the_leader(city: City) -> None:
    """Once another leads, no transaction of the one before is still to be committed."""
    other = City(city.folder)
    first = lead_of(city.store)
    taken: list[Lead] = []
    # The database's server notices a moment later that the leader's connection is closed.
    taking = threading.Thread(target=lambda: taken.append(waited_for(other.store)))
    with city.store.writing(first):
        first.close()
        taking.start()
        taking.join(0.3)
        assert not taken
    taking.join()
    assert taken[0].epoch == first.epoch + 1
    with pytest.raises(Conflict), city.store.writing(first):
        pass
    taken[0].close()


# --- processes ---


class Process:
    """A process of `support/leader.py`."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(LEADER), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """What it prints next."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def seal(self) -> str:
        """Have it seal; what came of it."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.line()

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start(city: City) -> Iterator[Callable[[], Process]]:
    """Starts processes that want the lead of the city's ledger."""
    with ExitStack() as stack:

        def one() -> Process:
            process = Process(city.folder)
            stack.callback(process.end)
            return process

        yield one


def test_the_next_one_takes_over_when_the_leader_is_killed(
    city: City, start: Callable[[], Process]
) -> None:
    first = start()
    assert first.line() == "lead 1"
    second = start()
    one, two = (city.admit([city.ride(name, NOON)]) for name in ("ann", "ben"))
    city.sequencer.submit([one])
    assert first.seal() == "sealed 1"
    city.sequencer.submit([two])
    first.send(signal.SIGKILL)
    assert second.line() == "lead 2"
    assert second.seal() == "sealed 2"
    for admitted in (one, two):
        city.answer(admitted.entry.statement)
    assert check_replay(city.reopen()).recorded == 2


def test_a_leader_that_was_stopped_and_overtaken_commits_and_publishes_nothing(
    city: City, start: Callable[[], Process]
) -> None:
    first = start()
    assert first.line() == "lead 1"
    first.send(signal.SIGSTOP)
    lose_lead(city)
    second = start()
    assert second.line() == "lead 2"
    one, two = (city.admit([city.ride(name, NOON)]) for name in ("ann", "ben"))
    city.sequencer.submit([one])
    checkpoint = (city.folder / CHECKPOINT).read_bytes()
    first.send(signal.SIGCONT)
    # Nothing has been sealed since it was stopped, and still it may not.
    assert first.seal() == "error sequencer-overtaken"
    assert (city.folder / CHECKPOINT).read_bytes() == checkpoint
    assert second.seal() == "sealed 1"
    checkpoint = (city.folder / CHECKPOINT).read_bytes()
    city.sequencer.submit([two])
    assert first.seal() == "error sequencer-overtaken"
    assert (city.folder / CHECKPOINT).read_bytes() == checkpoint
    assert second.seal() == "sealed 2"
    assert check_replay(city.reopen()).recorded == 2
