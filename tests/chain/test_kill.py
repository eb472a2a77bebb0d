"""A real process is killed at random moments: what it had acknowledged is there and provable."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.city import City
from support.faults import note_checkpoint
from support.replay import check_provable, check_replay

from chain.paths import CHECKPOINT, PLACES, REGISTER, pages_path, places_path
from chain.store import tables

pytestmark = pytest.mark.usefixtures("database")

SUPPORT = Path(__file__).resolve().parents[1] / "support"
STARTING_SECONDS = 0.6
"""About how long the process takes to begin; some are killed before they have."""


def run_and_kill(
    script: str, folder: Path, generation: int, choice: random.Random
) -> list[list[str]]:
    """The lines that the process had printed when it was killed, split in words."""
    process = subprocess.Popen(
        [sys.executable, str(SUPPORT / script), str(folder), str(generation)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        early = choice.random() < 0.15
        printed = [] if early else [process.stdout.readline() for _ in range(choice.randint(1, 30))]
        # Which moment it is decides nothing: all of them must be survived.
        time.sleep(choice.random() * (STARTING_SECONDS if early else 0.03))
    finally:
        process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -9, "it ended by itself"
    lines = ("".join(printed) + rest).split("\n")
    return [line.split() for line in lines[:-1]]  # the last one may be cut off


def kill_again_and_again(
    folder: Path, kills: int, seed: int, script: str = "endless.py"
) -> tuple[int, int]:
    """(statements acknowledged, blocks) after so many kills; raises if any promise was broken."""
    choice = random.Random(seed)
    City.found(folder, acceptance_days=0).store.engine.dispose()
    checkpoints: dict[int, set[bytes]] = {}
    places: dict[bytes, int] = {}
    for generation in range(1, kills + 1):
        lines = run_and_kill(script, folder, generation, choice)
        note_checkpoint(folder / CHECKPOINT, checkpoints)
        city = City(folder)
        note_checkpoint(folder / CHECKPOINT, checkpoints)
        with city.store.snapshot() as snapshot:
            head = snapshot.head()
            assert head is not None
            # Whatever was staged is published by opening alone.
            assert city.store.published_size() == head.size
            for word, name, *more in lines:
                found = snapshot.find(bytes.fromhex(name))
                if word == "sealed":
                    index, size = int(more[0]), int(more[1])
                    assert found is not None
                    assert found[0] == index
                    checkpoints.setdefault(size, set()).add(bytes.fromhex(more[2]))
                else:
                    waiting = {bytes.fromhex(name): None}
                    assert found is not None or snapshot.waiting(list(waiting)) == waiting
        city.now += 1_000 * generation + 999
        city.sequencer.seal_all(city.now)
        note_checkpoint(folder / CHECKPOINT, checkpoints)
        for name in {bytes.fromhex(name) for _, name, *_ in lines}:
            with city.store.snapshot() as snapshot:
                found = snapshot.find(name)
                assert found is not None
                places[name] = found[0]
                statement = snapshot.statement(found[0])
            check_provable(city, statement)
        assert all(len(roots) == 1 for roots in checkpoints.values())
        city.store.engine.dispose()
    assert len(set(places.values())) == len(places)
    city = City(folder)
    replayed = check_replay(city)
    for name, index in places.items():
        assert replayed.statements[index].id == name
    assert max(checkpoints) == len(replayed.statements)
    return len(places), city.state.height + 1


def test_kills(tmp_path: Path, database: str) -> None:
    kills = {"sqlite": 10, "postgresql": 8}[database]
    acknowledged, blocks = kill_again_and_again(tmp_path, kills, seed=7)
    assert acknowledged > kills
    assert blocks >= kills


def kill_while_closing(folder: Path, kills: int, seed: int) -> int:
    """How many files were archived; each of them is there, and no other."""
    kill_again_and_again(folder, kills, seed, "closing.py")
    city = City(folder)
    lead = city.store.lead()
    assert lead is not None
    lead.close()
    with city.store.snapshot() as snapshot:
        named = [pages_path(row.digest) for row in snapshot.rows(tables.page_file)]
        named += [places_path(row.digest) for row in snapshot.rows(tables.place_file)]
    found = [path for folder in (REGISTER, PLACES) for path in city.store.files.paths(folder)]
    assert sorted(found) == sorted(named)
    return len(named)


def test_kills_while_days_are_closed_and_archived(tmp_path: Path) -> None:
    assert kill_while_closing(tmp_path, 4, seed=11) > 4


@pytest.mark.long
def test_a_hundred_kills_while_days_are_closed_and_archived(tmp_path: Path) -> None:
    assert kill_while_closing(tmp_path, 100, seed=2027) > 100


@pytest.mark.long
def test_two_hundred_kills(tmp_path: Path) -> None:
    acknowledged, blocks = kill_again_and_again(tmp_path, 200, seed=2026)
    print(f"200 kills: {acknowledged} statements acknowledged and provable, in {blocks} blocks")
    assert acknowledged > 200
