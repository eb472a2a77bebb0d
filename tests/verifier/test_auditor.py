"""The auditor: what it asks before it cosigns, what it keeps, and what a crash leaves."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.bundles import PLAIN, rotation
from support.city import NOON, ORIGIN, City, key
from support.dishonest import ACTS, Files, MemorySource, Nothing, published
from support.offers import checkpoint_of, code, offer
from support.suites import ml_dsa

from chain.blocks import make_checkpoint
from chain.files import System
from chain.merkle import Frontier, leaf_hashes
from chain.paths import CHECKPOINT, SUBMISSIONS
from chain.sequencer import Sequencer
from chain.tiles import entries_path, new_tiles
from keys.errors import Unreadable
from keys.notes import Note, format_note, parse_note, sign_note, signed_by
from keys.signer import Signer
from keys.statements import parse_statement
from verifier.audit import Audit
from verifier.audit_state import AuditState
from verifier.auditor import (
    EVIDENCE,
    SEAL_AHEAD_SECONDS_MAX,
    SEAL_BEHIND_SECONDS_MAX,
    STATE,
    Auditor,
    Witness,
)
from verifier.check import check_file
from verifier.logs import Log
from verifier.sources import DirectorySource, Source
from verifier.witness import Answer


class Blocks:
    """A ledger as it was published after each of its blocks, and its forks from some of them."""

    def __init__(self, folder: Path) -> None:
        self.city = city = City.found(folder)
        self.files = [published(city)]
        for number in range(3):
            city.submit([city.ride(f"rider-{number}-{n}", NOON + 60 * n) for n in range(3)])
            self.files.append(published(city))

    def __iter__(self) -> Iterator[Files]:
        return iter(self.files)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Blocks:
    """Four blocks; the city goes no further."""
    return Blocks(tmp_path_factory.mktemp("auditor") / "ledger")


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Blocks:
    """Another history of the same ledger, from its second block on; the sizes are the same."""
    folder = tmp_path_factory.mktemp("auditor") / "fork"
    city = City.found(folder)
    made = object.__new__(Blocks)
    made.city, made.files = city, [published(city)]
    for number in range(3):
        city.submit([city.ride(f"other-{number}-{n}", NOON + 60 * n) for n in range(3)])
        made.files.append(published(city))
    return made


@contextmanager
def auditing(folder: Path, source: Source, **more: Any) -> Iterator[Auditor]:
    more.setdefault("clock", lambda: NOON)
    own: Signer = more.pop("signer", key("auditor-1"))
    with closing(Auditor(folder, PLAIN, own, "auditor", source, **more)) as auditor:
        yield auditor


def ask(auditor: Witness, files: Files) -> Answer:
    """Offer what is published, as a ledger that knows what was cosigned last."""
    old = auditor.latest.size if auditor.latest else 0
    return auditor.add_checkpoint(offer(files, old).dump())


def cosigns(auditor: Witness, files: Files) -> None:
    answer = ask(auditor, files)
    assert answer.status == 200, answer.body
    signed = parse_note(files[CHECKPOINT] + answer.body)
    assert signed_by(signed, auditor.key) == NOON
    assert auditor.latest == checkpoint_of(files)


def refuses(auditor: Witness, files: Files, why: str, status: int = 422) -> None:
    before = auditor.latest
    answer = ask(auditor, files)
    assert (answer.status, code(answer)) == (status, why)
    assert auditor.latest == before


# --- what it cosigns, and what it keeps ---


@pytest.mark.parametrize("own", [key("auditor-1"), ml_dsa("auditor-1")], ids=["ed25519", "ml-dsa"])
def test_every_block_is_cosigned_and_kept(blocks: Blocks, tmp_path: Path, own: Signer) -> None:
    source = MemorySource({})
    with auditing(tmp_path, source, signer=own) as auditor:
        for files in blocks:
            source.files = files
            cosigns(auditor, files)
            # At once, all of it is in the auditor's folder: whoever reads it needs no ledger.
            kept = DirectorySource(tmp_path)
            note = parse_note(kept.read(CHECKPOINT, 10_000))
            assert note.text == parse_note(files[CHECKPOINT]).text
            assert signed_by(note, auditor.key) == NOON
            for path in (path for path in files if path.startswith(SUBMISSIONS)):
                assert kept.read(path, 100_000) == files[path]
            with closing(AuditState(tmp_path / f"{auditor.latest}")) as state:
                assert Audit(kept, PLAIN, state).run().verdict == "passed"


def test_many_blocks_are_cosigned_at_once(
    blocks: Blocks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.mirror.ENTRIES_AT_ONCE", 2)
    monkeypatch.setattr("verifier.mirror.BYTES_AT_ONCE", 1)
    with auditing(tmp_path / "one", MemorySource(blocks.files[-1])) as auditor:
        cosigns(auditor, blocks.files[-1])
    # And a second auditor needs no ledger, but the first.
    own = published_by(tmp_path / "one")
    with auditing(tmp_path / "two", DirectorySource(tmp_path / "one")) as second:
        cosigns(second, own)


def published_by(folder: Path) -> Files:
    """The files that an auditor shows."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != STATE
    }


def test_it_goes_on_after_a_start(blocks: Blocks, tmp_path: Path) -> None:
    for files in blocks:
        with auditing(tmp_path, MemorySource(files)) as auditor:
            cosigns(auditor, files)
            cosigns(auditor, files)


def test_what_was_audited_cannot_be_withheld(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    first = city.submit([city.ride(f"rider-{n}", NOON + 60 * n) for n in range(3)])
    with auditing(tmp_path / "auditor", MemorySource(published(city))) as auditor:
        cosigns(auditor, published(city))
    before = set(published(city))
    city.post(city.void(first, [1], "governor"))
    # The void names reductions whose file the ledger shows no more.
    files = {
        path: data
        for path, data in published(city).items()
        if path not in before or not path.startswith(SUBMISSIONS)
    }
    with auditing(tmp_path / "auditor", MemorySource(files)) as auditor:
        cosigns(auditor, files)


def test_a_witness_that_begins_to_audit(blocks: Blocks, tmp_path: Path) -> None:
    with closing(Witness(tmp_path, PLAIN, key("auditor-1"), "auditor", lambda: NOON)) as witness:
        cosigns(witness, blocks.files[1])
    with auditing(tmp_path, MemorySource(blocks.files[2])) as auditor:
        cosigns(auditor, blocks.files[2])
    with closing(AuditState(tmp_path / "other")) as state:
        assert Audit(DirectorySource(tmp_path), PLAIN, state).run().verdict == "passed"


# --- what it does not cosign ---


@pytest.mark.parametrize(
    ("ahead", "is_cosigned"),
    [
        (SEAL_AHEAD_SECONDS_MAX, True),
        (SEAL_AHEAD_SECONDS_MAX + 1, False),
        (-SEAL_BEHIND_SECONDS_MAX, True),
        (-SEAL_BEHIND_SECONDS_MAX - 1, False),
    ],
)
def test_a_seal_far_from_its_clock(
    blocks: Blocks, tmp_path: Path, ahead: int, is_cosigned: bool
) -> None:
    files = blocks.files[1]
    now = NOON - ahead
    with auditing(tmp_path, MemorySource(files), clock=lambda: now) as auditor:
        answer = ask(auditor, files)
        assert (answer.status, code(answer)) == (
            (200, None) if is_cosigned else (422, "auditor-seal-time")
        )
        assert (auditor.latest is None, auditor.refuses) == (not is_cosigned, None)
        assert Path(tmp_path / CHECKPOINT).exists() == is_cosigned
    # It is nothing that is wrong for ever; but no cosignature is dated before the last.
    with auditing(tmp_path, MemorySource(files)) as auditor:
        answer = ask(auditor, files)
        signed = parse_note(files[CHECKPOINT] + answer.body)
        assert signed_by(signed, auditor.key) == (max(now, NOON) if is_cosigned else NOON)


def test_what_is_withheld_is_asked_for_again(blocks: Blocks, tmp_path: Path) -> None:
    whole = blocks.files[2]
    [path] = (
        set(whole)
        - set(blocks.files[1])
        - {p for p in whole if p.startswith("tile")}
        - {p for p in whole if not p.startswith(SUBMISSIONS)}
    )
    source = MemorySource({**whole, path: whole[path][:-1]})
    with auditing(tmp_path, source) as auditor:
        refuses(auditor, whole, "reductions-withheld")
        assert not (tmp_path / path).exists()
        del source.files[path]
        refuses(auditor, whole, "reductions-withheld")
        assert not (tmp_path / STATE / EVIDENCE).exists()
        source.files = whole
        cosigns(auditor, whole)


class Failing(MemorySource):
    """A source that cannot be reached from one call on."""

    def __init__(self, files: Files, fails_at: int) -> None:
        super().__init__(files)
        self.left = fails_at

    def read(self, path: str, bytes_max: int) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise Unreadable("source-unreachable", path=path, reason="as the test wants")
        return super().read(path, bytes_max)


def test_a_source_that_fails_delays_and_no_more(blocks: Blocks, tmp_path: Path) -> None:
    files, is_done, fails_at = blocks.files[-1], False, 0
    while not is_done:
        source = Failing(files, fails_at)
        with auditing(tmp_path / str(fails_at), source) as auditor:
            answer = ask(auditor, files)
            is_done = answer.status == 200
            if not is_done:
                assert answer.status == 503
                assert code(answer) in ("source-unreachable", "tile-missing")
                assert answer.headers["Retry-After"]
                source.left = 1_000
                cosigns(auditor, files)
        fails_at += 1
    assert fails_at > 5


def test_tiles_that_prove_nothing_condemn_nobody(blocks: Blocks, tmp_path: Path) -> None:
    files = blocks.files[1]
    [entries] = [p for p in files if p.startswith("tile/entries") and p not in blocks.files[0]]
    source = MemorySource({**files, entries: files[entries].replace(b"metro-app", b"metro-apq")})
    with auditing(tmp_path, source) as auditor:
        refuses(auditor, files, "entry-differs")
        [tile] = [p for p in files if p.startswith("tile/0/") and p not in blocks.files[0]]
        source.files = {**files, tile: bytes(len(files[tile]))}
        refuses(auditor, files, "log-root-differs")
        assert auditor.refuses is None
        source.files = files
        cosigns(auditor, files)


def test_it_ends_what_it_is_at_when_it_is_stopped(blocks: Blocks, tmp_path: Path) -> None:
    with auditing(tmp_path, MemorySource(blocks.files[2])) as auditor:
        auditor.stop()
        refuses(auditor, blocks.files[2], "auditor-stopping", 503)


# --- forks ---


def test_a_fork_of_the_same_size_is_kept(blocks: Blocks, fork: Blocks, tmp_path: Path) -> None:
    with auditing(tmp_path, MemorySource(blocks.files[2])) as auditor:
        cosigns(auditor, blocks.files[2])
        refuses(auditor, fork.files[2], "checkpoint-forked", 409)
        assert auditor.refuses == "checkpoint-forked"
        refuses(auditor, blocks.files[2], "auditor-refuses")
    evidence = (tmp_path / STATE / EVIDENCE).read_bytes()
    assert check_file(evidence, PLAIN).verdict == "proved"


def test_a_longer_fork_is_kept_if_the_source_shows_it(
    blocks: Blocks, fork: Blocks, tmp_path: Path
) -> None:
    source = MemorySource(blocks.files[2])
    with auditing(tmp_path, source) as auditor:
        cosigns(auditor, blocks.files[2])
        # A source that hides it shows nothing, and proves nothing.
        refuses(auditor, fork.files[3], "consistency-invalid")
        assert auditor.refuses is None
        source.files = fork.files[3]
        refuses(auditor, fork.files[3], "consistency-invalid")
        assert auditor.refuses == "checkpoint-forked"
    evidence = (tmp_path / STATE / EVIDENCE).read_bytes()
    assert check_file(evidence, PLAIN).verdict == "proved"


def test_a_wrong_proof_is_no_fork(blocks: Blocks, tmp_path: Path) -> None:
    source = MemorySource(blocks.files[1])
    with auditing(tmp_path, source) as auditor:
        cosigns(auditor, blocks.files[1])
        source.files = blocks.files[3]
        made = offer(blocks.files[3], checkpoint_of(blocks.files[1]).size)
        wrong = replace(made, proof=(bytes(32), *made.proof[1:]))
        assert auditor.add_checkpoint(wrong.dump()).status == 422
        assert auditor.refuses is None
        cosigns(auditor, blocks.files[3])


class Changing(MemorySource):
    """Shows something else in the place of some files, once; or nothing true after some reads."""

    def __init__(self, files: Files, once: Files | None = None, after: int = 10_000) -> None:
        super().__init__(files)
        self.once = once or {}
        self.left = after

    def read(self, path: str, bytes_max: int) -> bytes:
        data = self.once.pop(path, super().read(path, bytes_max))
        self.left -= 1
        return data if self.left >= 0 else bytes(len(data))


@pytest.mark.parametrize("change", [lambda data: data[:-1] + b"?", lambda data: data + b"?"])
def test_what_a_source_shows_once_condemns_nobody(
    blocks: Blocks, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    files = blocks.files[1]
    path = entries_path(0, checkpoint_of(files).size)
    with auditing(tmp_path, Changing(files, {path: change(files[path])})) as auditor:
        answer = ask(auditor, files)
        assert (answer.status, auditor.refuses) == (422, None)
        # What it shows the next time is right, and was right when the evidence would be written.
        cosigns(auditor, files)


@pytest.mark.parametrize("after", range(4))
def test_tiles_that_change_show_no_fork(
    blocks: Blocks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr("chain.tiles.TILES_CACHED_MAX", 0)
    with auditing(tmp_path, MemorySource(blocks.files[1])) as auditor:
        cosigns(auditor, blocks.files[1])
    with auditing(tmp_path, Changing(blocks.files[3], after=after)) as auditor:
        made = offer(blocks.files[3], checkpoint_of(blocks.files[1]).size)
        wrong = replace(made, proof=(bytes(32), *made.proof[1:]))
        assert auditor.add_checkpoint(wrong.dump()).status == 422
        assert auditor.refuses is None


def test_a_shorter_history_is_not_gone_back_to(blocks: Blocks, tmp_path: Path) -> None:
    with auditing(tmp_path, MemorySource(blocks.files[3])) as auditor:
        cosigns(auditor, blocks.files[3])
        for old in (0, checkpoint_of(blocks.files[1]).size):
            answer = auditor.add_checkpoint(offer(blocks.files[1], old).dump())
            assert (answer.status, answer.kind) == (409, "text/x.tlog.size")
        assert ask(auditor, blocks.files[1]).status == 400


# --- the log's key ---


def rotated(folder: Path) -> tuple[City, list[Files]]:
    """A ledger whose operator gets another key: before, with it, and after."""
    city = City.found(folder)
    shown = [published(city)]
    city.sequencer = Sequencer(city.store, key("operator"), key("operator/2"))
    city.govern(rotation("operator", key("operator"), key("operator/2")))
    shown.append(published(city))
    city.submit([city.ride("rider", NOON)])
    shown.append(published(city))
    return city, shown


def test_the_key_that_the_rules_bring_into_force_is_followed(tmp_path: Path) -> None:
    _, shown = rotated(tmp_path / "ledger")
    source = MemorySource({})
    with auditing(tmp_path / "auditor", source) as auditor:
        for files in shown[:2]:
            source.files = files
            cosigns(auditor, files)
    with auditing(tmp_path / "auditor", source) as auditor:
        source.files = shown[2]
        cosigns(auditor, shown[2])
    # An ordinary witness knows no rules: its policy must name the key.
    with closing(Witness(tmp_path / "witness", PLAIN, key("witness-1"), "witness")) as witness:
        assert ask(witness, shown[0]).status == 200
        assert ask(witness, shown[1]).status == 403


def resigned(files: Files, signer: Signer) -> Files:
    """The same, with a checkpoint by another key."""
    text = parse_note(files[CHECKPOINT]).text
    note = format_note(Note(text, (sign_note(text, ORIGIN, signer),)))
    return {**files, CHECKPOINT: note}


def test_the_key_that_has_ended_signs_nothing_more(tmp_path: Path) -> None:
    _, shown = rotated(tmp_path / "ledger")
    source = MemorySource(shown[1])
    with auditing(tmp_path / "auditor", source) as auditor:
        source.files = shown[0]
        cosigns(auditor, shown[0])
        source.files = shown[1]
        cosigns(auditor, shown[1])
    source.files = shown[2]
    for _ in range(2):  # the second time after a start
        with auditing(tmp_path / "auditor", source) as auditor:
            for signer in (key("operator"), key("stranger")):
                refuses(auditor, resigned(shown[2], signer), "checkpoint-log-unknown", 403)
                assert auditor.refuses is None
    with auditing(tmp_path / "auditor", source) as auditor:
        cosigns(auditor, shown[2])
        refuses(auditor, resigned(shown[2], key("operator")), "checkpoint-log-unknown", 403)


def test_by_a_key_that_is_not_audited_yet_nothing_is_held_against_the_log(tmp_path: Path) -> None:
    city, shown = rotated(tmp_path / "ledger")
    *before, last = Log(MemorySource(shown[1]), checkpoint_of(shown[1])).entries(0)
    body = {**parse_statement(last).body, "register": "00" * 32}
    forged = city.sign("seal", "operator", body, signer=key("operator/2"))
    datas = [*before, forged.data]
    frontier = Frontier().append(leaf_hashes(datas))
    lie = {
        **shown[1],
        **new_tiles(Nothing(), 0, datas),
        CHECKPOINT: make_checkpoint(ORIGIN, frontier, key("operator/2")),
    }
    source = MemorySource(shown[0])
    with auditing(tmp_path / "auditor", source) as auditor:
        cosigns(auditor, shown[0])
        source.files = lie
        refuses(auditor, lie, "seal-register")
        assert auditor.refuses is None
        source.files = shown[1]
        cosigns(auditor, shown[1])


def test_the_key_that_has_ended_halts_nobody_who_has_not_seen_it_end(tmp_path: Path) -> None:
    """It signs what its successor has sealed, and offers it first."""
    _, shown = rotated(tmp_path / "ledger")
    source = MemorySource(shown[0])
    with auditing(tmp_path / "auditor", source) as auditor:
        cosigns(auditor, shown[0])
        source.files = shown[1]
        refuses(auditor, resigned(shown[1], key("operator")), "seal-signature")
        assert auditor.refuses is None
        cosigns(auditor, shown[1])


def test_what_was_audited_under_a_new_key_is_known_under_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.audit.UNSAVED_MAX", 1)
    city = City.found(tmp_path / "ledger")
    shown = [published(city)]
    city.submit([city.ride("rider-1", NOON)])
    shown.append(published(city))
    city.sequencer = Sequencer(city.store, key("operator"), key("operator/2"))
    city.govern(rotation("operator", key("operator"), key("operator/2")))
    city.submit([city.ride("rider-2", NOON)])
    shown.append(published(city))
    [path] = (path for path in shown[2].keys() - shown[1].keys() if path.startswith(SUBMISSIONS))
    source = MemorySource(shown[0])
    with auditing(tmp_path / "auditor", source) as auditor:
        cosigns(auditor, shown[0])
        # Of what the new key has signed all is right and saved, but the last block.
        source.files = {**shown[2], path: b""}
        refuses(auditor, shown[2], "reductions-withheld")
        refuses(auditor, shown[1], "checkpoint-stale")
        source.files = shown[2]
        cosigns(auditor, shown[2])


def test_a_new_key_is_nobody_s_before_it_is_in_the_log(blocks: Blocks, tmp_path: Path) -> None:
    source = MemorySource(blocks.files[1])
    with auditing(tmp_path, source) as auditor:
        stranger = resigned(blocks.files[1], key("stranger"))
        refuses(auditor, stranger, "checkpoint-log-unknown", 403)
        cosigns(auditor, blocks.files[1])
        source.files = blocks.files[2]
        stranger = resigned(blocks.files[2], key("stranger"))
        refuses(auditor, stranger, "checkpoint-log-unknown", 403)


# --- crashes ---


class Killed(BaseException):
    """The process ends here."""


class Dying:
    """Lets the process end at one of the calls that make something durable, before it or after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 0.0
        self.calls = 0
        for owner, name in ((System, "write"), (System, "rename"), (AuditState, "save")):
            monkeypatch.setattr(owner, name, self._dying(getattr(owner, name), name))

    def _dying(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def made(*given: Any) -> Any:
            self.calls = number = self.calls + 1
            if number == self.at:
                if name == "write":
                    _, path, data = given
                    path.write_bytes(data[: len(data) // 2])
                raise Killed
            done = call(*given)
            if number == self.at - 0.5:
                raise Killed
            return done

        return made


Opened = Callable[[Path, MemorySource], AbstractContextManager[Witness]]


def witnessing(folder: Path, source: MemorySource) -> AbstractContextManager[Witness]:
    """An ordinary witness, which reads no source."""
    return closing(Witness(folder, PLAIN, key("auditor-1"), "auditor", lambda: NOON))


@pytest.mark.parametrize(("opened", "least"), [(auditing, 8), (witnessing, 2)])
def test_a_crash_anywhere_leads_to_no_second_root(
    blocks: Blocks,
    fork: Blocks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opened: Opened,
    least: int,
) -> None:
    dying = Dying(monkeypatch)
    first, true, other = blocks.files[0], blocks.files[2], fork.files[2]
    assert checkpoint_of(true).size == checkpoint_of(other).size
    is_done, half = False, 1
    while not is_done:
        half += 1
        folder, source = tmp_path / str(half), MemorySource(first)
        with opened(folder, source) as witness:
            cosigns(witness, first)
            source.files = true
            dying.calls, dying.at = 0, half / 2
            with suppress(Killed):
                is_done = ask(witness, true).status == 200
        dying.at = 0
        shown = checkpoint_of({CHECKPOINT: (folder / CHECKPOINT).read_bytes()})
        assert shown in (checkpoint_of(first), checkpoint_of(true))
        with opened(folder, MemorySource(other)) as witness:
            is_other = ask(witness, other).status == 200
        if is_other:
            # It had neither cosigned anything else of this size, nor audited it.
            assert shown == checkpoint_of(first)
            continue
        (folder / STATE / EVIDENCE).unlink(missing_ok=True)
        with opened(folder, MemorySource(true)) as witness:
            cosigns(witness, true)
        if opened is auditing:
            with closing(AuditState(folder / "again")) as state:
                assert Audit(DirectorySource(folder), PLAIN, state).run().verdict == "passed"
    assert half >= 2 * least


def test_what_a_crash_left_out_of_the_copy_is_read_again(blocks: Blocks, tmp_path: Path) -> None:
    files = blocks.files[2]
    with auditing(tmp_path, MemorySource(files), clock=lambda: 0) as auditor:
        # Audited, and not in the copy, since it was not cosigned.
        refuses(auditor, files, "auditor-seal-time")
    paths = [path for path in files if path.startswith(SUBMISSIONS)]
    assert not any((tmp_path / path).exists() for path in paths)
    source = MemorySource({**files, paths[0]: b""})
    with auditing(tmp_path, source) as auditor:
        refuses(auditor, files, "reductions-withheld")
        assert auditor.refuses is None
        source.files = files
        cosigns(auditor, files)
    assert all((tmp_path / path).read_bytes() == files[path] for path in paths)


# --- evidence ---


def test_the_evidence_speaks_of_what_the_log_signed(tmp_path: Path) -> None:
    lie = ACTS["accepts what has expired"]()
    with auditing(tmp_path, MemorySource(lie.files)) as auditor:
        refuses(auditor, lie.files, "statement-expired")
        assert auditor.refuses == "statement-expired"
        assert auditor.status()["refuses"] == "statement-expired"
    evidence = json.loads((tmp_path / STATE / EVIDENCE).read_bytes())
    assert evidence["kind"] == "entry"
    assert evidence["error"]["code"] == "statement-expired"
    assert check_file((tmp_path / STATE / EVIDENCE).read_bytes(), PLAIN).verdict == "proved"
