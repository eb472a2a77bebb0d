"""Every call to the disk and the database fails once: what was acknowledged is there, once.

A clean run counts the calls.  Then each of them fails in turn, on a ledger of its own, in two
ways: it is not done (of a file, half is written), or it is done and an error is reported.
Afterwards the ledger goes on, in the same process or opened anew; time has passed, so that a
block made again is another one.
"""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.city import NOON, TODAY, City
from support.faults import Faults, FaultySystem, Injected, note_checkpoint
from support.postgres import copy_ledger
from support.replay import check_provable, check_replay

from chain import register
from chain.admission import Admitted
from chain.paths import CHECKPOINT, PLACES, REGISTER, pages_path, places_path
from chain.spans import Span
from chain.store import tables
from keys.statements import Statement

pytestmark = pytest.mark.usefixtures("database")

LATER = 5


@dataclass
class Scene:
    """A ledger just before a step, and what was acknowledged on it so far."""

    folder: Path
    waiting: list[Statement]
    sealed: list[Statement]
    batch: Admitted


def act_one(folder: Path, fill: bool) -> Scene:
    """A ledger with a sealed submission; with ``fill``, more that waits for the next block."""
    city = City.found(folder)
    first = city.admit([city.trip("b1", NOON, NOON + 60), city.ride("ann", NOON)][:1])
    second = city.admit([city.ride("ann", NOON), city.ride("ann", NOON)])
    for admitted in (first, second):
        city.sequencer.submit([admitted])
        city.sequencer.seal_all(city.now)
    batch = city.admit(
        [city.trip("b1", NOON, NOON + 9), city.trip("b2", NOON, NOON + 9)], "pay-app"
    )
    waiting: list[Statement] = []
    if fill:
        void = city.void(city.answer(second.entry.statement), [0], "metro-app")
        action = {"action": "grant", "participant": "pay-app", "role": "exchange"}
        proposal = city.sign("proposal", "governor", {"format": 1, "actions": [action]})
        approval = city.sign("approval", "governor", {"format": 1, "proposal": proposal.id.hex()})
        city.sequencer.submit([batch])
        city.sequencer.post([void, proposal, approval])
        waiting = [batch.entry.statement, void, proposal, approval]
    city.store.engine.dispose()
    return Scene(folder, waiting, [first.entry.statement, second.entry.statement], batch)


def submit(city: City, scene: Scene) -> None:
    city.sequencer.submit([scene.batch])


def seal(city: City, scene: Scene) -> None:
    city.sequencer.seal_all(city.now)


STRIDES = {"sqlite": 3, "postgresql": 9}
"""On PostgreSQL, where each copy of a ledger takes its time, one call of three is made to fail."""
STEPS: dict[str, Callable[[City, Scene], None]] = {"submit": submit, "seal": seal}


def opened(scene: Scene, faults: Faults, checkpoints: dict[int, set[bytes]]) -> City:
    city = City(scene.folder, FaultySystem(faults, checkpoints))
    faults.watch(city.store.engine)
    return city


def copy(scene: Scene, folder: Path) -> Scene:
    copy_ledger(scene.folder, folder)
    return Scene(folder, scene.waiting, scene.sealed, scene.batch)


def finish(city: City, scene: Scene, checkpoints: dict[int, set[bytes]]) -> None:
    """Send again what was not acknowledged, seal, and look at everything."""
    city.now = NOON + LATER
    for statement in scene.sealed:
        check_provable(city, statement)
    if not scene.waiting:
        city.sequencer.submit([scene.batch])
    city.sequencer.seal_all(city.now)
    expected = [*scene.sealed, *(scene.waiting or [scene.batch.entry.statement])]
    for statement in expected:
        check_provable(city, statement)
    assert sorted(city.answer(scene.batch.entry.statement).refusals) == [0]

    replayed = check_replay(city)
    kinds = ("submission", "void", "proposal", "approval")
    entered = [statement.id for statement in replayed.statements if statement.kind in kinds]
    assert entered == [statement.id for statement in expected]
    assert replayed.recorded == (2 if scene.waiting else 3)
    held: list[Span] = list(replayed.register.spans())
    assert len({span.key for span in held}) == len(held)

    note_checkpoint(scene.folder / CHECKPOINT, checkpoints)
    assert all(len(roots) == 1 for roots in checkpoints.values())
    assert city.store.published_size() == max(checkpoints) == len(replayed.statements)


def reopen(city: City, scene: Scene, checkpoints: dict[int, set[bytes]]) -> City:
    """Open anew: a block that was staged is published by that alone."""
    city.store.engine.dispose()
    again = opened(scene, Faults(), checkpoints)
    with again.store.snapshot() as snapshot:
        head = snapshot.head()
        assert head is not None
        assert again.store.published_size() == head.size
        assert (scene.folder / CHECKPOINT).read_bytes() == head.checkpoint
    return again


def strike(
    scene: Scene, step: str, at: int, late: bool, checkpoints: dict[int, set[bytes]]
) -> City:
    """Take a step in which call ``at`` fails."""
    faults = Faults()
    city = opened(scene, faults, checkpoints)
    faults.calls.clear()
    faults.at, faults.late = at, late
    with pytest.raises(Injected):
        STEPS[step](city, scene)
    assert faults.struck
    faults.disarm()
    return city


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory, database: str) -> dict[str, Scene]:
    folder = tmp_path_factory.mktemp("scenes")
    return {"submit": act_one(folder / "a", False), "seal": act_one(folder / "b", True)}


def calls_of(scene: Scene, step: str, folder: Path) -> list[str]:
    """The calls of a clean run."""
    faults = Faults()
    copied = copy(scene, folder)
    city = opened(copied, faults, {})
    faults.calls.clear()
    STEPS[step](city, copied)
    calls = list(faults.calls)
    finish(city, copied, {})
    return calls


@pytest.mark.parametrize("step", STEPS)
def test_the_calls_that_can_fail(step: str, scenes: dict[str, Scene], tmp_path: Path) -> None:
    """So that a change which hides some of them from these tests is seen."""
    calls = calls_of(scenes[step], step, tmp_path / "clean")
    counts = {name: calls.count(name) for name in sorted(set(calls))}
    assert counts["write"] == counts["rename"] == {"submit": 2, "seal": 3}[step]
    assert counts["fsync"] >= counts["write"] + {"submit": 2, "seal": 2}[step]
    assert counts["database COMMIT"] == 1
    assert counts["database INSERT"] >= {"submit": 1, "seal": 4}[step]


@pytest.mark.parametrize("anew", [False, True], ids=["same-process", "opened-anew"])
@pytest.mark.parametrize("late", [False, True], ids=["not-done", "done"])
@pytest.mark.parametrize("step", STEPS)
def test_a_call_that_fails_loses_nothing_and_enters_nothing_twice(
    step: str, late: bool, anew: bool, scenes: dict[str, Scene], tmp_path: Path, database: str
) -> None:
    count = len(calls_of(scenes[step], step, tmp_path / "clean"))
    stride = STRIDES[database]
    for at in range(1 + (2 * anew + late) % stride, count + 1, stride):
        scene = copy(scenes[step], tmp_path / str(at))
        checkpoints: dict[int, set[bytes]] = {}
        note_checkpoint(scene.folder / CHECKPOINT, checkpoints)
        city = strike(scene, step, at, late, checkpoints)
        if anew:
            city = reopen(city, scene, checkpoints)
        finish(city, scene, checkpoints)
        city.store.engine.dispose()
        shutil.rmtree(scene.folder)


def test_faults_upon_faults(scenes: dict[str, Scene], tmp_path: Path) -> None:
    """A seeded sample: the step fails, and so does what would have put it right, several times."""
    choice = random.Random(2026)
    for number in range(25):
        step = choice.choice(sorted(STEPS))
        scene = copy(scenes[step], tmp_path / str(number))
        checkpoints: dict[int, set[bytes]] = {}
        note_checkpoint(scene.folder / CHECKPOINT, checkpoints)
        for _ in range(choice.randint(2, 4)):
            faults = Faults(choice.randint(1, 60), choice.random() < 0.5)
            try:
                city = opened(scene, faults, checkpoints)
                STEPS[step](city, scene)
                city.now = NOON + choice.randint(0, LATER)
                city.sequencer.seal_all(city.now)
            except Injected:
                pass
        finish(reopen(city, scene, checkpoints), scene, checkpoints)


# --- closing the books ---


def closing(folder: Path) -> Statement:
    """A ledger on which a submission waits, and after it a close of its day; pages of two items."""
    city = City.found(folder, acceptance_days=0)
    city.submit([city.ride(person, NOON) for person in ("ann", "ben", "dan", "eva", "fay")])
    city.now += 2 * 86_400
    city.post(city.sign("proposal", "governor", {"format": 1, "actions": [RAISE]}))
    close = city.close(TODAY + 1)
    city.sequencer.submit([city.admit([city.ride("cat", city.now)])])
    city.sequencer.post([close])
    city.store.engine.dispose()
    return close


RAISE = {"action": "threshold", "governors": 1, "instead_of": 1}


@pytest.mark.parametrize(
    ("late", "every"),
    [
        (False, 3),
        pytest.param(False, 1, marks=pytest.mark.long),
        pytest.param(True, 1, marks=pytest.mark.long),
    ],
    ids=["not-done", "not-done-all", "done"],
)
def test_a_close_that_fails_makes_its_lots_once(
    late: bool, every: int, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "PAGE_ITEMS_MAX", 2)
    close = closing(tmp_path / "first")
    stride = STRIDES[database] * every

    def opened_copy(name: str, faults: Faults) -> City:
        copy_ledger(tmp_path / "first", tmp_path / name)
        city = City(tmp_path / name, FaultySystem(faults, {}))
        faults.watch(city.store.engine)
        faults.calls.clear()
        city.now = NOON + 2 * 86_400
        return city

    faults = Faults()
    opened_copy("clean", faults).sequencer.seal_all(NOON + 2 * 86_400)
    calls = list(faults.calls)
    # Two blocks: of what waited before the close, and of the close with its lot and its pages.
    assert calls.count("database COMMIT") == 2
    assert calls.count("rename") == 2 * 3 + 3
    for at in range(1 + late % stride, len(calls) + 1, stride):
        faults = Faults(at, late)
        city = opened_copy(str(at), faults)
        with pytest.raises(Injected):
            city.sequencer.seal_all(city.now)
        faults.disarm()
        city = city.reopen()
        city.now += LATER
        city.sequencer.seal_all(city.now)
        city.answer(close)
        check_replay(city)
        with city.store.snapshot() as snapshot:
            [lot] = snapshot.lots()
            [(_, digest)] = snapshot.rows(tables.page_file)
            [place_file] = snapshot.rows(tables.place_file)
        assert city.store.lot_tree(lot).count == lot.count == 5
        # What a block that failed had archived is of another block, or goes.
        lead = city.store.lead()
        assert lead is not None
        lead.close()
        assert city.store.files.paths(REGISTER) == [pages_path(digest)]
        assert city.store.files.paths(PLACES) == [places_path(place_file.digest)]
        city.store.engine.dispose()
        shutil.rmtree(tmp_path / str(at))
