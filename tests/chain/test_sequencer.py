"""The sequencer and the store: blocks, seals, checkpoints, tiles, answers; two writers."""

import inspect
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Semaphore
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from support.city import FIRST_DAY, NOON, ORIGIN, TODAY, City, genesis, key
from support.postgres import copy_database, copy_ledger, url_of
from support.replay import Replayed, check_provable, check_replay, replay

import chain.sequencer
from chain.batches import Batch
from chain.blocks import log_key, make_checkpoint, make_seal
from chain.effects import Entry
from chain.files import Files, System
from chain.merkle import Frontier, leaf_hashes
from chain.paths import CHECKPOINT
from chain.receipts import check_receipt
from chain.register import Register
from chain.rules import apply, seal_body
from chain.sequencer import CLOCK_LAG_SECONDS_MAX, Sequencer
from chain.spans import EMPTY_ROOT
from chain.store.ledger import Block, open_store
from chain.store.snapshot import Head
from chain.store.tables import metadata, page
from chain.tiles import DirectoryReader, TileTree, new_tiles
from keys.errors import (
    Conflict,
    Fault,
    NotAllowed,
    Refusal,
    Unreadable,
    Usage,
    VerificationError,
)
from keys.notes import parse_checkpoint, parse_note, signed_by
from keys.participants import key_holder
from keys.signer import from_seed
from keys.statements import Statement

pytestmark = pytest.mark.usefixtures("database")

DAY = 86_400


class Watching(System):
    """Keeps the content of every checkpoint that was ever put in place."""

    def __init__(self) -> None:
        self.checkpoints: list[bytes] = []

    def rename(self, source: Path, target: Path) -> None:
        if target.name == CHECKPOINT:
            self.checkpoints.append(source.read_bytes())
        super().rename(source, target)


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path / "city")


def head_of(city: City) -> Head:
    with city.store.snapshot() as snapshot:
        head = snapshot.head()
    assert head is not None
    return head


def blocks(city: City) -> Iterator[tuple[Head, list[Statement]]]:
    with city.store.snapshot() as snapshot:
        first = 0
        for height in range(head_of(city).height + 1):
            block = snapshot.block(height)
            yield block, [snapshot.statement(index) for index in range(first, block.size)]
            first = block.size


# --- blocks and seals ---


def test_blocks_are_chained_by_their_seals(city: City) -> None:
    for step in range(1, 5):
        city.now = NOON + 100 * step
        city.submit([city.ride("ann", NOON + 1_000 * step), city.ride("ann", NOON + 1_000 * step)])
    previous, hashes = bytes(32), list[bytes]()
    for height, (block, statements) in enumerate(blocks(city)):
        assert [statement.kind for statement in statements].count("seal") == 1
        body = seal_body(statements[-1])
        assert body == {
            "format": 1,
            "height": height,
            "time": NOON + 100 * height,
            "previous": previous.hex(),
            "register": block.register_root.hex(),
        }
        assert (block.height, block.time, block.seal) == (height, body["time"], statements[-1].id)
        previous = statements[-1].id
        hashes += leaf_hashes([statement.data for statement in statements])
        assert block.frontier == Frontier().append(hashes)
        assert block.checkpoint == make_checkpoint(ORIGIN, block.frontier, key("operator"))
        with city.store.snapshot() as snapshot:
            first = block.size - len(statements)
            assert snapshot.block_statements(height) == [
                (index, s.kind, s.issuer) for index, s in enumerate(statements, first)
            ]
            assert {snapshot.height_of(index) for index in range(first, block.size)} == {height}
    assert (head_of(city).recorded, head_of(city).refused) == (4, 4)
    check_replay(city)


def test_every_statement_has_a_receipt(city: City) -> None:
    city.submit([city.ride("ann", NOON)])
    for _, statements in blocks(city):
        for statement in statements:
            check_provable(city, statement)
            receipt = city.answer(statement).receipt
            with pytest.raises(VerificationError):
                check_receipt(receipt, statement.data + b"\0", key("operator").public, ORIGIN)


def test_the_checkpoint_is_signed_and_ends_with_a_seal(tmp_path: Path) -> None:
    system = Watching()
    city = City.found(tmp_path, system)
    for number in range(6):
        for _ in range(number):
            city.sequencer.submit([city.admit([city.ride("ann", NOON + 1_000 * number)])])
        city.sequencer.seal_all(city.now + number)
    entries = list(
        TileTree(DirectoryReader(tmp_path), head_of(city).size).entries(0, head_of(city).size)
    )
    sizes = []
    for data in system.checkpoints:
        note = parse_note(data)
        assert signed_by(note, log_key(ORIGIN, key("operator").public)) == 0
        checkpoint = parse_checkpoint(note.text)
        assert checkpoint.origin == ORIGIN
        assert checkpoint.root == Frontier().append(leaf_hashes(entries[: checkpoint.size])).root()
        with city.store.snapshot() as snapshot:
            assert snapshot.statement(checkpoint.size - 1).kind == "seal"
        sizes.append(checkpoint.size)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == city.store.published_size() == head_of(city).size
    assert (tmp_path / CHECKPOINT).read_bytes() == system.checkpoints[-1]


def test_the_tiles_are_those_of_the_entries(city: City) -> None:
    """Every file is what a log of the same sizes has; the last sizes' files are all there."""
    for number in range(90):
        for rider in ("ann", "ben"):
            city.sequencer.submit([city.admit([city.ride(rider, NOON + 1_000 * number)])])
        city.sequencer.seal_all(city.now)
    sizes = [block.size for block, _ in blocks(city)]
    assert sizes[-1] > 256
    with city.store.snapshot() as snapshot:
        entries = snapshot.entries(0, sizes[-1])
    expected: dict[str, bytes] = {}

    class Kept:
        def read(self, path: str) -> bytes:
            if path not in expected:
                raise Unreadable("tile-missing", path=path)
            return expected[path]

    size = 0
    for until in sizes:
        expected |= new_tiles(Kept(), size, entries[size:until])
        size = until
    found = {
        path.relative_to(city.folder).as_posix(): path.read_bytes()
        for path in (city.folder / "tile").rglob("*")
        if path.is_file()
    }
    assert found == expected
    tree = TileTree(DirectoryReader(city.folder), size)
    assert tree.root(size) == head_of(city).frontier.root()
    assert list(tree.entries(0, size)) == entries


def test_nothing_to_seal_makes_no_block(city: City) -> None:
    before = head_of(city)
    assert city.sequencer.seal(NOON + 9) is None
    assert city.sequencer.seal_all(NOON + 9) == []
    assert head_of(city) == before


def test_blocks_are_bounded(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    admitted = [
        city.admit([city.ride(f"p{number}", NOON), city.ride(f"p{number}", NOON + 999)])
        for number in range(7)
    ]
    city.sequencer.submit(admitted)
    monkeypatch.setattr(chain.sequencer, "BLOCK_STATEMENTS_MAX", 3)
    assert len(city.sequencer.seal_all(NOON)) == 3
    assert [city.answer(one.entry.statement).height for one in admitted] == [1, 1, 1, 2, 2, 2, 3]

    more = [city.admit([city.ride(f"q{number}", NOON)] * 2) for number in range(3)]
    city.sequencer.submit(more)
    monkeypatch.setattr(chain.sequencer, "BLOCK_REDUCTIONS_MAX", 3)
    assert len(city.sequencer.seal_all(NOON)) == 2
    assert [city.answer(one.entry.statement).height for one in more] == [4, 4, 5]
    check_replay(city)


# --- the clock ---


def test_the_rules_clock_is_the_last_seals(city: City) -> None:
    """What expires between the last seal and this one is still in time."""
    admitted = city.admit([city.ride("ann", NOON)], expires=NOON + 5)
    city.sequencer.submit([admitted])
    city.sequencer.seal_all(NOON + 10)
    assert not city.answer(admitted.entry.statement).refusals
    assert city.state.time == NOON + 10


def test_a_clock_that_went_back_is_the_last_seals(city: City) -> None:
    city.now = NOON + 50
    city.submit([city.ride("ann", NOON)])
    city.now = NOON - 7 * DAY
    admitted = city.admit([city.ride("ben", NOON)], expires=NOON + 99)
    city.sequencer.submit([admitted])
    (head,) = city.sequencer.seal_all(city.now)
    assert head.time == NOON + 50
    assert [block.time for block, _ in blocks(city)] == [NOON, NOON + 50, NOON + 50]
    check_replay(city.reopen())


@pytest.mark.parametrize(("idle_seconds", "made"), [(CLOCK_LAG_SECONDS_MAX, 1), (40 * DAY, 2)])
def test_an_idle_ledger_seals_an_empty_block_first(
    idle_seconds: int, made: int, city: City
) -> None:
    city.now = NOON + idle_seconds
    admitted = city.admit([city.ride("ann", city.now)])
    city.sequencer.submit([admitted])
    heads = city.sequencer.seal_all(city.now)
    answer = city.answer(admitted.entry.statement)
    # By the old clock, a ride forty days on would not have begun.
    assert not answer.refusals
    assert answer.height == made
    assert [head.time for head in heads] == [city.now]
    sealed = [[statement.kind for statement in statements] for _, statements in blocks(city)]
    assert sealed[1:] == [["seal"], ["submission", "seal"]][-made:]
    check_replay(city.reopen())


def test_an_idle_ledger_also_forgets_what_expired_meanwhile(city: City) -> None:
    admitted = city.admit([city.ride("ann", NOON)])
    city.sequencer.submit([admitted])
    city.now = NOON + 40 * DAY
    assert city.sequencer.seal_all(city.now) == []
    with pytest.raises(Refusal) as refused:
        city.sequencer.answer(admitted.entry.statement)
    assert refused.value.code == "statement-expired"
    assert head_of(city).height == 1


def test_a_genesis_may_lie_in_the_future_of_the_clock(tmp_path: Path) -> None:
    city = City(tmp_path)
    city.sequencer.post([genesis(time=NOON)])
    (head,) = city.sequencer.seal_all(NOON - 99)
    assert head.time == NOON


# --- seals by the rules ---


def test_seals_that_the_rules_refuse(city: City) -> None:
    replayed: Replayed = replay(city.folder)
    state = replayed.state
    assert state is not None
    operator, root = key("operator"), replayed.register.root()

    def code(seal: Statement) -> str | None:
        try:
            apply(state, Entry(seal), replayed)
        except Refusal as refusal:
            return refusal.code
        return None

    def changed(**more: Any) -> Statement:
        body = {**seal_body(make_seal(state, operator, root, NOON + 1)), **more}
        return city.sign("seal", "operator", body)

    assert code(make_seal(state, operator, root, NOON)) is None
    assert code(make_seal(state, operator, root, NOON - 1)) == "seal-backdated"
    assert code(make_seal(state, operator, EMPTY_ROOT, NOON)) == "seal-register"
    assert code(make_seal(state, from_seed(b"other"), root, NOON)) == "signature-invalid"
    assert code(make_seal(replace(state, height=5), operator, root, NOON)) == "seal-out-of-order"
    other = replace(state, previous=bytes(32))
    assert code(make_seal(other, operator, root, NOON)) == "seal-out-of-order"
    assert code(changed(format=2)) == "format-unknown"
    assert code(changed(time=2**63 - 1)) == "format-unknown"
    assert code(changed(note="")) == "field-unknown"
    assert code(changed(register="0")) == "hex-not-canonical"
    assert code(changed(height="1")) == "field-type"
    for name in seal_body(make_seal(state, operator, root, NOON)):
        body = dict(seal_body(make_seal(state, operator, root, NOON)))
        del body[name]
        assert code(city.sign("seal", "operator", body)) == "field-missing"
    # A platform's word is no seal, in whatever form.
    body = dict(seal_body(make_seal(state, operator, root, NOON)))
    assert code(city.sign("seal", "metro-app", body)) == "role-missing"


# --- two writers ---


def test_a_sequencer_that_was_overtaken_says_so_and_reads_again(city: City) -> None:
    other = City(city.folder)
    assert other.state.height == city.state.height == 0
    first = city.admit([city.trip("b1", NOON, NOON + 60)])
    city.sequencer.submit([first])
    city.sequencer.seal_all(city.now)

    second = other.unchecked([other.trip("b1", NOON + 30, NOON + 90)], "pay-app")
    other.sequencer.submit([second])
    with pytest.raises(Conflict) as overtaken:
        other.sequencer.seal(other.now)
    assert overtaken.value.code == "sequencer-overtaken"
    other.sequencer.seal_all(other.now)
    refusals = other.answer(second.entry.statement).refusals
    assert [refused.code for refused in refusals.values()] == ["span-taken"]
    assert city.answer(second.entry.statement).height == 2
    # And back: the first one has now been overtaken in turn.
    third = city.unchecked([city.trip("b2", NOON, NOON + 60)])
    city.sequencer.submit([third])
    with pytest.raises(Conflict):
        city.sequencer.seal(city.now)
    city.sequencer.seal_all(city.now)
    check_replay(city)


def test_of_two_that_seal_at_once_one_commits(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one's block is already made when the first commits: the database fences it."""
    other = City(city.folder)
    one = city.admit([city.trip("b1", NOON, NOON + 60)])
    two = other.admit([other.trip("b1", NOON, NOON + 60)], "pay-app")
    city.sequencer.submit([one])
    commit = other.store.commit

    def overtaken(block: Any, lead: None) -> None:
        city.sequencer.seal_all(city.now)
        other.sequencer.submit([two])
        commit(block, lead)

    monkeypatch.setattr(other.store, "commit", overtaken)
    with pytest.raises(Conflict) as conflict:
        other.sequencer.seal(other.now + 1)
    assert conflict.value.code == "sequencer-overtaken"
    monkeypatch.undo()
    assert head_of(city).time == NOON
    assert other.sequencer.seal_all(other.now)
    assert not city.answer(one.entry.statement).refusals
    assert len(city.answer(two.entry.statement).refusals) == 1
    assert check_replay(city.reopen()).recorded == 1


def test_an_idle_second_sequencer_is_not_in_the_way(city: City) -> None:
    other = City(city.folder)
    assert other.state.height == 0
    for number in range(3):
        city.submit([city.ride("ann", NOON + 1_000 * number)])
        assert other.sequencer.seal(NOON) is None


# --- drafting ahead ---


@pytest.fixture
def crowded(city: City, monkeypatch: pytest.MonkeyPatch) -> City:
    """A ledger with more waiting than fits in two blocks; each commit waits until the next block
    has been drafted, whose pages are then read from the one under way."""
    monkeypatch.setattr(chain.sequencer, "BLOCK_REDUCTIONS_MAX", 2)
    monkeypatch.setattr(
        chain.sequencer, "Register", lambda read, next_page, _: Register(read, next_page, 1)
    )
    for number in range(7):
        lines = [city.ride(f"p{number % 5}", NOON), city.ride(f"q{number}", NOON)]
        city.sequencer.submit([city.admit(lines[: 1 + number % 2])])
    return city.reopen()


def drafted_first(city: City, monkeypatch: pytest.MonkeyPatch, reads: Sequence[int]) -> None:
    """Let the commits go on only when so many files of reductions have been read in all."""
    commit, batch = city.store.commit, city.store.batch
    done, read = iter(reads), Semaphore(0)

    def reading(root: bytes) -> Batch:
        read.release()
        return batch(root)

    def waiting(block: Block, lead: None) -> None:
        for _ in range(next(done)):
            assert read.acquire(timeout=10)
        commit(block, lead)

    monkeypatch.setattr(city.store, "batch", reading)
    monkeypatch.setattr(city.store, "commit", waiting)


def test_the_next_block_is_drafted_while_one_is_committed(
    crowded: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Blocks of two, two, two and one submissions; each waits for the last one of the next.
    drafted_first(crowded, monkeypatch, [4, 2, 1, 0])
    heads = crowded.sequencer.seal_all(crowded.now)
    assert [(head.recorded, head.refused) for head in heads] == [(3, 0), (6, 0), (8, 1), (8, 2)]
    replayed = check_replay(crowded.reopen())
    refused = [why for outcomes in replayed.outcomes.values() for why in outcomes if why]
    assert [why.code for why in refused] == ["span-taken"] * 2


def test_what_is_no_submission_waits_until_the_block_before_is_there(
    crowded: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = crowded.sequencer.seal(crowded.now)
    assert first is not None
    with crowded.store.snapshot() as snapshot:
        answer = crowded.answer(snapshot.statement(first.size - 2))
    crowded.sequencer.post([crowded.void(answer, [0], "metro-app")])
    last = crowded.admit([crowded.ride("p1", NOON)])
    crowded.sequencer.submit([last])
    heads = crowded.sequencer.seal_all(crowded.now)
    assert heads[-1].recorded == 8 and heads[-1].height == first.height + len(heads)
    assert check_replay(crowded.reopen()).recorded == 8


def test_what_was_drafted_ahead_is_drafted_again_after_a_pause(crowded: City) -> None:
    first = crowded.sequencer.seal(crowded.now)
    assert first is not None
    crowded.now += 3_601
    # An empty block sets the clock, by which all that waits has expired.
    assert crowded.sequencer.seal_all(crowded.now) == []
    assert head_of(crowded)[:2] == (first.height + 1, first.size + 1)
    assert check_replay(crowded.reopen()).recorded == 3


@pytest.mark.parametrize("late", [False, True])
def test_what_was_drafted_ahead_goes_with_a_commit_that_failed(
    crowded: City, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    commit = crowded.store.commit

    def failing(block: Block, lead: None) -> None:
        if late:
            commit(block, lead)
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(crowded.store, "commit", failing)
        with pytest.raises(OSError):
            crowded.sequencer.seal(crowded.now)
    assert len(crowded.sequencer.seal_all(crowded.now)) == 4 - late
    assert check_replay(crowded).recorded == 8


def test_a_draft_that_fails_leaves_the_block_that_was_committed(
    crowded: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = iter([crowded.store.batch] * 2)  # of the first block

    def failing(root: bytes) -> Batch:
        return next(reads)(root)

    with monkeypatch.context() as patched:
        patched.setattr(crowded.store, "batch", failing)
        with pytest.raises(StopIteration):
            crowded.sequencer.seal(crowded.now)
    assert head_of(crowded).recorded == 3
    assert len(crowded.sequencer.seal_all(crowded.now)) == 3
    assert check_replay(crowded).recorded == 8


# --- pending statements and answers ---


def test_what_became_of_a_statement(city: City) -> None:
    admitted = city.admit([city.ride("ann", NOON)])
    statement = admitted.entry.statement
    with pytest.raises(Usage) as unknown:
        city.sequencer.answer(statement)
    assert unknown.value.code == "statement-not-known"
    city.sequencer.submit([admitted])
    for one in (city, city.reopen()):
        assert one.sequencer.answer(statement) is None
        with one.store.snapshot() as snapshot:
            assert snapshot.pending_count() == 1
    city.sequencer.seal_all(city.now)
    answer = city.answer(statement)
    assert (answer.index, answer.height, answer.refusals, answer.platforms) == (2, 1, {}, {})
    with city.store.snapshot() as snapshot:
        assert snapshot.pending_count() == 0
        assert not snapshot.waiting([statement.id])

    refused = city.unchecked([city.ride("ben", NOON)], signer=key("nobody"))
    city.sequencer.submit([refused])
    city.sequencer.seal_all(city.now)
    for one in (city, city.reopen()):
        with pytest.raises(Refusal) as refusal:
            one.sequencer.answer(refused.entry.statement)
        assert refusal.value.code == "signature-invalid"
        assert "metro-app" in refusal.value.text("en")
        assert "metro-app" in refusal.value.text("zh")


def test_a_refused_statement_does_not_hold_up_the_others(city: City) -> None:
    good = [city.admit([city.ride(name, NOON)]) for name in ("ann", "ben")]
    bad = [city.unchecked([city.ride(n, NOON)], signer=key("nobody")) for n in ("cat", "dan")]
    city.sequencer.submit([bad[0], good[0], bad[1], good[1]])
    (head,) = city.sequencer.seal_all(city.now)
    assert head.recorded == 2
    assert [city.answer(one.entry.statement).index for one in good] == [2, 3]


def test_a_statement_that_waits_although_it_is_in_the_log_is_taken_off(city: City) -> None:
    """Two processes can both find it new, and one of them may then be late to keep it."""
    admitted = city.admit([city.ride("ann", NOON)])
    city.sequencer.submit([admitted])
    city.sequencer.seal_all(city.now)
    before = head_of(city)
    city.store.enqueue([admitted.entry.statement], {})
    assert city.sequencer.seal_all(city.now) == []
    assert head_of(city) == before
    with city.store.snapshot() as snapshot:
        assert not snapshot.waiting([admitted.entry.statement.id])
    city.store.enqueue([admitted.entry.statement], {})
    city.submit([city.ride("ben", NOON)])
    assert head_of(city).recorded == 2


def test_before_the_genesis_there_is_nothing(tmp_path: Path) -> None:
    city = City(tmp_path)
    with pytest.raises(Usage) as missing:
        _ = city.state
    assert missing.value.code == "genesis-missing"
    void = City.found(tmp_path / "other").sign("void", "governor", {})
    city.sequencer.post([void])
    assert city.sequencer.seal_all(NOON) == []
    with city.store.snapshot() as snapshot:
        assert snapshot.head() is snapshot.state() is None
        assert snapshot.register().root() == EMPTY_ROOT
    assert city.store.published_size() == 0
    with pytest.raises(Refusal):
        city.sequencer.answer(void)
    city.sequencer.post([genesis()])
    assert city.sequencer.seal_all(NOON)
    with pytest.raises(Refusal):
        city.sequencer.answer(void)


def test_a_wrong_genesis_leaves_the_ledger_unopened(tmp_path: Path) -> None:
    city = City(tmp_path)
    wrong = genesis(threshold=2)
    city.sequencer.post([wrong])
    assert city.sequencer.seal_all(NOON) == []
    with pytest.raises(Refusal) as refused:
        city.sequencer.answer(wrong)
    assert refused.value.code == "genesis-threshold"
    city.sequencer.post([genesis()])
    assert city.sequencer.seal_all(NOON)[0].height == 0


def test_a_sequencer_with_another_key_seals_nothing(city: City) -> None:
    admitted = city.admit([city.ride("ann", NOON)])
    city.sequencer.submit([admitted])
    before = head_of(city)
    stranger = Sequencer(city.store, key("stranger"))
    with pytest.raises(NotAllowed) as refused:
        stranger.seal(NOON)
    assert refused.value.code == "seal-key-missing"
    assert head_of(city) == before
    assert city.sequencer.seal_all(NOON)


# --- the store ---


def test_the_migrations_make_the_tables(city: City) -> None:
    with city.store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == "0007"


SAFE = {
    "sqlite": {
        "PRAGMA journal_mode": "wal",
        "PRAGMA synchronous": 2,
        "PRAGMA foreign_keys": 1,
    },
    "postgresql": {"SHOW synchronous_commit": "on"},
}


def test_the_database_survives_a_loss_of_power(city: City, database: str) -> None:
    with city.store.engine.connect() as connection:
        settings = {ask: connection.execute(sa.text(ask)).scalar() for ask in SAFE[database]}
    assert settings == SAFE[database]


def test_a_register_that_is_not_the_sealed_one_is_not_built_upon(city: City) -> None:
    with city.store.engine.begin() as connection:
        connection.execute(sa.delete(page))
    restarted = city.reopen()
    with pytest.raises(Fault) as damaged:
        _ = restarted.state
    assert damaged.value.code == "register-differs"


def test_a_database_that_was_put_back_signs_no_second_log(city: City, tmp_path: Path) -> None:
    old = tmp_path / "old"
    city.store.engine.dispose()
    copy_ledger(city.folder, old)
    city.submit([city.ride("ann", NOON)])
    checkpoint = (city.folder / CHECKPOINT).read_bytes()
    city.store.engine.dispose()
    copy_database(old, city.folder)
    with pytest.raises(Fault) as behind:
        City(city.folder)
    assert behind.value.code == "published-differs"
    assert (city.folder / CHECKPOINT).read_bytes() == checkpoint


def test_a_folder_whose_flush_failed_is_flushed_again(tmp_path: Path) -> None:
    """That it is there does not say that it would survive."""

    class Failing(System):
        def __init__(self) -> None:
            self.fails = True
            self.flushed: set[tuple[int, int]] = set()

        def fsync(self, descriptor: int) -> None:
            if self.fails:
                raise OSError("no")
            found = os.fstat(descriptor)
            self.flushed.add((found.st_dev, found.st_ino))
            super().fsync(descriptor)

    system = Failing()
    files = Files(tmp_path, system)
    with pytest.raises(OSError, match="no"):
        files.write({"a/b/c": b"x"})
    for again in (files, Files(tmp_path, system)):
        system.fails, system.flushed = False, set()
        again.write({"a/b/c": b"x"})
        for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"):
            found = path.stat()
            assert (found.st_dev, found.st_ino) in system.flushed
    assert files.read("a/b/c") == b"x"
    assert files.exists("a/b/c")
    files.remove("a/b/c")
    files.remove("a/b/c")
    assert not files.exists("a/b/c")


def test_a_snapshot_does_not_move(city: City) -> None:
    with city.store.snapshot() as snapshot:
        before = snapshot.head()
        city.submit([city.ride("ann", NOON)])
        assert snapshot.head() == before
        state = snapshot.state()
        assert state is not None
        assert state.height == 0
        assert snapshot.register().root() == before.register_root if before else False
    assert head_of(city).height == 1


def test_what_the_store_does_not_have(city: City, tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as missing:
        open_store(tmp_path / "nowhere")
    assert missing.value.code == "ledger-missing"
    opened = open_store(city.folder, url_of(city.folder))
    assert opened.published_size() == head_of(city).size
    opened.engine.dispose()

    def code(ask: Any) -> str:
        with city.store.snapshot() as snapshot, pytest.raises(Usage) as error:
            ask(snapshot)
        return error.value.code

    asked: list[tuple[Any, str]] = [
        (lambda s: s.block(9), "block-unknown"),
        (lambda s: s.statement(9), "statement-unknown"),
        (lambda s: s.height_of(9), "statement-unknown"),
    ]
    for ask, expected in asked:
        assert code(ask) == expected
    with pytest.raises(Unreadable) as no_file:
        city.store.reductions(bytes(32))
    assert no_file.value.code == "file-unreadable"
    with city.store.snapshot() as snapshot:
        assert snapshot.find(bytes(32)) is snapshot.locate(bytes(32)) is None
        assert snapshot.known([bytes(32)] * 3) == set()
        assert snapshot.pages([]) == snapshot.pages([10**6]) == {}


def test_a_submissions_files(city: City) -> None:
    lines = [city.ride("ann", NOON), city.ride("ben", NOON)]
    admitted = city.admit(lines)
    city.sequencer.submit([admitted])
    assert city.store.reductions(admitted.root) == list(admitted.entry.reductions)
    assert city.store.activities(admitted.root) == lines
    assert not list(city.folder.rglob("*.new"))


def test_state_is_read_as_the_rules_left_it(city: City) -> None:
    """The fold over governance gives what sealing gave, wherever blocks fell."""
    city.govern({"action": "grant", "participant": "pay-app", "role": "exchange"})
    city.now += 500
    proposal = city.sign(
        "proposal",
        "governor",
        {
            "format": 1,
            "actions": [{"action": "grant", "participant": "metro-app", "role": "exchange"}],
        },
        expires=city.now + 60,
    )
    city.post(proposal)
    assert city.state.proposals
    check_replay(city.reopen())
    assert (city.state.closed_until, city.state.today) == (FIRST_DAY, TODAY)


# --- after what went wrong ---


def test_any_number_of_refusals_before_a_block(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain.sequencer, "BLOCK_STATEMENTS_MAX", 1)
    strangers = [
        city.sign("approval", "stranger", {"format": 1, "number": number}) for number in range(60)
    ]
    city.sequencer.post(strangers)
    calls: list[int] = []
    dismiss = city.store.dismiss

    def watched(*args: Any) -> None:
        calls.append(len(inspect.stack(0)))
        dismiss(*args)

    monkeypatch.setattr(city.store, "dismiss", watched)
    assert city.sequencer.seal(city.now) is None
    assert len(calls) == 60
    assert len(set(calls)) == 1


def test_a_strangers_void_reads_no_file(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = city.submit([city.ride("ann", NOON)])
    void = city.void(answer, [0], "metro-app")
    forged = city.sign("void", "metro-app", void.body, signer=key("stranger"))
    read: list[str] = []
    files = city.store.files
    read_file = files.read
    monkeypatch.setattr(files, "read", lambda path: read.append(path) or read_file(path))
    city.post(forged)
    with pytest.raises(Refusal) as refusal:
        city.sequencer.answer(forged)
    assert refusal.value.code == "signature-invalid"
    assert not any(path.startswith("submissions") for path in read)


def test_threads_may_write_one_file_at_once(city: City) -> None:
    files = city.store.files
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(files.write, {"same": b"x" * 4_096}) for _ in range(100)]:
            done.result()
    assert files.read("same") == b"x" * 4_096
    assert not list(city.folder.glob("*.new"))


def test_receipts_stand_after_the_operators_key_is_rotated(city: City) -> None:
    admitted = city.admit([city.ride("ann", NOON)])
    city.sequencer.submit([admitted])
    city.sequencer.seal_all(city.now)
    rotate = {
        "action": "rotate",
        "participant": "operator",
        "consumes": key_holder(key("operator").public).hex(),
        "key": key("operator-2").public.as_json(),
    }
    with pytest.raises(NotAllowed):  # the block is sealed by the new key already
        city.govern(rotate)
    city.sequencer = Sequencer(city.store, key("operator-2"))
    city.sequencer.seal_all(city.now)
    later = city.admit([city.ride("ben", NOON)])
    city.sequencer.submit([later])
    city.sequencer.seal_all(city.now)
    for of, signer in ((admitted, "operator"), (later, "operator-2")):
        statement = of.entry.statement
        receipt = city.answer(statement).receipt
        check_receipt(receipt, statement.data, key(signer).public, ORIGIN)
