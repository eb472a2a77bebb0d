"""The audit of ledgers that are right: alone, again, in steps, and after a crash anywhere."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from support.bundles import PLAIN, PLAIN_TEXT, QUORUM_TEXT, ledger
from support.certificates import issued_city
from support.certified import CertifiedCity
from support.city import NOON, TODAY, City, key
from support.dishonest import MemorySource, Nothing, publish, published, world
from support.replay import replay

import verifier.audit
import verifier.cli
import verifier.replay
from chain import merkle
from chain.blocks import make_checkpoint
from chain.paths import CHECKPOINT, activities_path, reductions_path
from chain.tiles import decode_entries, encode_entries, entries_path, new_tiles, tile_path
from keys.errors import Fault, Refusal, TallyError, Unreadable, Usage, VerificationError
from keys.notes import Checkpoint
from keys.signer import Signer
from keys.statements import Statement, sign_statement
from verifier.audit import Audit, AuditReport, Progress
from verifier.audit_state import DATABASE, AuditState
from verifier.cli import main
from verifier.logs import Log
from verifier.replay import Replay
from verifier.sources import DirectorySource, Source

Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def _saved_at_every_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier.audit, "UNSAVED_MAX", 1)


def audit(source: Source, folder: Path, **more: Any) -> AuditReport:
    """One audit by the state in a folder."""
    kept = AuditState(folder)
    try:
        return Audit(source, PLAIN, kept, **more).run()
    finally:
        kept.close()


def failure(source: Source, folder: Path, **more: Any) -> tuple[str, int | None]:
    wrong = audit(source, folder, **more).wrong
    assert wrong is not None
    return wrong.error.code, wrong.index


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> CertifiedCity:
    """A ledger with voids, lots, a certification with an exclusion, issuances, an erasure."""
    city = CertifiedCity.open(tmp_path_factory.mktemp("audit") / "ledger")
    first = city.submit([city.ride(f"rider-{n}", NOON + 60 * n) for n in range(20)])
    again = [city.ride("rider-1", NOON + 60)]
    assert city.submit(again, "pay-app").refusals
    city.post(city.void(first, [1, 3], "governor"))
    city.submit(again, "pay-app")
    city.submit([city.trip("bike", NOON, NOON + 900), city.trip("bike", NOON + 900, NOON + 1800)])
    city.shut(TODAY + 1)
    leaves = [leaf for lot in city.lots(TODAY, TODAY + 1) for leaf in city.store.lot_tree(lot).keys]
    made = city.certify(TODAY, TODAY + 1, leaves[:1])
    city.correct(city.issue(made), 5)
    city.done(city.erasure(made, leaves[2:4]))
    city.submit([city.ride("rider-1", city.now - 86_400)])
    return city


# --- ledgers that are right ---


@pytest.mark.parametrize("activities", [pytest.param(False, marks=pytest.mark.long), True])
def test_ledgers_that_are_right_pass(
    erased: CertifiedCity, tmp_path: Path, activities: bool
) -> None:
    for number, city in enumerate((ledger().city, issued_city(), erased)):
        source = DirectorySource(city.folder)
        report = audit(source, tmp_path / str(number), activities=activities)
        assert report.verdict == "passed"
        facts, expected = report.facts, replay(city.folder)
        assert expected.state is not None
        assert facts["recorded"] - facts["voided"] == expected.recorded
        assert (facts["refused"], facts["grams"]) == (expected.refused, expected.grams)
        assert facts["register_root"] == expected.root().hex()
        assert facts["size"] == facts["replayed"] == sum(facts["kinds"].values())
        assert (facts["height"], facts["ledger"]) == (
            expected.state.height,
            expected.state.genesis.id.hex(),
        )
        missing = 2 if city is erased else 0
        assert facts["activities"] == activities * (facts["recorded"] + facts["refused"] - missing)


def test_it_says_whether_the_quorum_has_cosigned(tmp_path: Path) -> None:
    report = audit(DirectorySource(ledger().city.folder), tmp_path)
    assert report.facts["witnessed"]
    assert report.facts["cosigned_by"] == []


def test_progress_is_told(tmp_path: Path) -> None:
    kept = AuditState(tmp_path)
    told: list[Progress] = []
    Audit(DirectorySource(ledger().city.folder), PLAIN, kept).run(told.append)
    kept.close()
    assert [at.entry for at in told] == list(range(1, 20))
    assert told[-1] == Progress(0, 19, 19, 19)


# --- again, in steps, after a crash ---


class Blocks:
    """A ledger as it was published after each of its blocks."""

    def __init__(self, city: City) -> None:
        self.files = published(city)
        with city.store.snapshot() as snapshot:
            head = snapshot.head()
            assert head is not None
            self.notes = [snapshot.block(height).checkpoint for height in range(head.height + 1)]

    def __iter__(self) -> Iterator[Files]:
        for note in self.notes:
            yield {**self.files, CHECKPOINT: note}


class Recording(MemorySource):
    """A source that knows what was asked of it, and fails from one call on."""

    def __init__(self, files: Files, fails_at: int | None = None) -> None:
        super().__init__(files)
        self.asked: list[str] = []
        self._fails_at = fails_at

    def read(self, path: str, bytes_max: int) -> bytes:
        self.asked.append(path)
        if self._fails_at is not None and len(self.asked) >= self._fails_at:
            raise Unreadable("source-unreachable", path=path, reason="as the test wants")
        return super().read(path, bytes_max)


def same(one: AuditReport, other: AuditReport) -> bool:
    return (one.verdict, one.facts) == (other.verdict, other.facts)


@pytest.mark.long
def test_block_by_block_it_finds_the_same(erased: CertifiedCity, tmp_path: Path) -> None:
    whole = audit(MemorySource(published(erased)), tmp_path / "whole")
    kept = AuditState(tmp_path / "steps")
    source = MemorySource({})
    one = Audit(source, PLAIN, kept)
    for files in Blocks(erased):
        source.files = files
        report = one.run()
        assert report.verdict == "passed"
    kept.close()
    assert same(report, whole)
    # And by another process each time.
    for files in Blocks(erased):
        report = audit(MemorySource(files), tmp_path / "processes")
    assert same(report, whole)


def test_what_was_audited_is_not_read_again(erased: CertifiedCity, tmp_path: Path) -> None:
    *_, before, last = Blocks(erased)
    audit(MemorySource(before), tmp_path)
    source = Recording(last)
    assert audit(source, tmp_path).verdict == "passed"
    assert sum(path.startswith("submissions/") for path in source.asked) == 1
    again = Recording(last)
    assert audit(again, tmp_path).verdict == "passed"
    assert not any(path.startswith("submissions/") for path in again.asked)


@pytest.mark.parametrize("stride", [61, pytest.param(3, marks=pytest.mark.long)])
def test_a_source_that_fails_anywhere_delays_and_no_more(
    erased: CertifiedCity, tmp_path: Path, stride: int
) -> None:
    files = published(erased)
    source = Recording(files)
    whole = audit(source, tmp_path / "whole")
    for at in range(1, len(source.asked) + 1, stride):
        folder = tmp_path / str(at)
        with pytest.raises(Unreadable):
            audit(Recording(files, fails_at=at), folder)
        assert same(audit(MemorySource(files), folder), whole)


class Stopped(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("stride", [151, pytest.param(3, marks=pytest.mark.long)])
def test_a_crash_anywhere_goes_on_from_the_last_seal_that_was_saved(
    erased: CertifiedCity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    files = published(erased)
    whole = audit(MemorySource(files), tmp_path / "whole")
    calls = [
        name for name in vars(AuditState) if name.startswith(("keep", "drop", "save", "close_"))
    ]

    def run(folder: Path, stop_at: int) -> int:
        """Audit until a call to the state; the files are kept as they are at that moment."""
        count = 0

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def counting(state: AuditState, *arguments: Any) -> Any:
                nonlocal count
                count += 1
                if count == stop_at:
                    shutil.copytree(tmp_path / "running", folder)
                    raise Stopped
                return call(state, *arguments)

            return counting

        with monkeypatch.context() as patch:
            for name in calls:
                patch.setattr(AuditState, name, counted(getattr(AuditState, name)))
            with suppress(Stopped):
                audit(MemorySource(files), tmp_path / "running")
        shutil.rmtree(tmp_path / "running")
        return count

    total = run(tmp_path / "never", -1)
    assert total > 50
    for at in range(1, total + 1, stride):
        folder = tmp_path / f"crash-{at}"
        run(folder, at)
        assert same(audit(MemorySource(files), folder), whole)


def test_a_long_block_writes_pages_before_it_ends(
    erased: CertifiedCity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = audit(MemorySource(published(erased)), tmp_path / "whole")
    monkeypatch.setattr(verifier.replay, "SPANS_UNDRAINED_MAX", 1)
    monkeypatch.setattr(verifier.replay, "PAGES_KEPT_MAX", 1)
    assert same(audit(MemorySource(published(erased)), tmp_path / "small"), whole)


def test_reductions_of_closed_days_are_let_go(erased: CertifiedCity, tmp_path: Path) -> None:
    audit(MemorySource(published(erased)), tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        days = {day for (day,) in database.execute("SELECT day FROM live")}
    assert days and min(days) >= erased.state.closed_until


def test_what_is_recorded_again_after_its_void_is_in_the_lot(tmp_path: Path) -> None:
    city = CertifiedCity.open(tmp_path / "ledger")
    lines = [city.ride(f"rider-{n}", NOON + 60 * n) for n in range(4)]
    for voided in ([0, 1, 2], [1], []):
        answer = city.submit(lines)
        if voided:
            city.post(city.void(answer, voided, "metro-app"))
        # A submission of its own, not the same once more.
        lines = lines[:3] if len(lines) == 4 else lines[1:2]
    city.shut(TODAY + 1)
    report = audit(DirectorySource(city.folder), tmp_path / "audit")
    assert report.verdict == "passed" and report.facts["kinds"]["close"] == 1
    assert sum(lot.count for lot in city.lots(TODAY, TODAY + 1)) == 4


def test_one_audit_at_a_time_has_the_state(tmp_path: Path) -> None:
    kept = AuditState(tmp_path)
    with pytest.raises(Usage) as caught:
        AuditState(tmp_path)
    assert caught.value.code == "audit-state-busy"
    kept.close()
    AuditState(tmp_path).close()


def test_a_state_that_is_damaged_is_not_built_upon(tmp_path: Path) -> None:
    source = DirectorySource(ledger().city.folder)
    audit(source, tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database, database:
        database.execute("UPDATE head SET register = zeroblob(32)")
    with pytest.raises(Fault) as caught:
        audit(source, tmp_path)
    assert caught.value.code == "register-differs"
    for content in (b"no database at all" * 100, b""):
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / DATABASE).write_bytes(content)
        if content:
            with pytest.raises(Unreadable):
                AuditState(tmp_path / "other")
        else:
            AuditState(tmp_path / "other").close()


def test_the_state_of_another_ledger_shows_a_rewritten_genesis(tmp_path: Path) -> None:
    audit(DirectorySource(ledger().city.folder), tmp_path)
    other = City.found(tmp_path / "other", time=NOON + 1)
    assert failure(DirectorySource(other.folder), tmp_path) == ("entry-rewritten", 0)


# --- sources that give something else ---


@pytest.fixture(scope="module")
def small() -> Files:
    return publish(world().sealed(world().last))


def test_an_entry_that_the_checkpoint_does_not_sign(small: Files, tmp_path: Path) -> None:
    path = entries_path(0, 19)
    data = small[path].replace(b'"grams":560', b'"grams":561')
    assert failure(MemorySource({**small, path: data}), tmp_path) == ("entry-differs", 2)


def test_tiles_that_the_checkpoint_does_not_sign(small: Files, tmp_path: Path) -> None:
    path = tile_path(0, 0, 19)
    wrong = {**small, path: bytes(32) + small[path][32:]}
    assert failure(MemorySource(wrong), tmp_path) == ("log-root-differs", None)


@pytest.mark.parametrize("path", [entries_path(0, 19), tile_path(0, 0, 19)])
def test_tiles_that_are_not_there_decide_nothing(small: Files, tmp_path: Path, path: str) -> None:
    files = {name: data for name, data in small.items() if name != path}
    with pytest.raises(Unreadable):
        audit(MemorySource(files), tmp_path)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700, 1024, 1281])
def test_entries_are_proved_by_their_tiles(size: int) -> None:
    datas = [b"entry %d" % index for index in range(size)]
    leaves = merkle.leaf_hashes(datas)
    files = new_tiles(Nothing(), 0, datas)
    checkpoint = Checkpoint("log", size, merkle.root(leaves))
    log = Log(MemorySource(files), checkpoint)
    for start in {0, size // 2, size - 1}:
        assert list(log.entries(start)) == datas[start:]
        assert log.begins_with(start, merkle.root(leaves[:start]))
        assert not start or not log.begins_with(start, bytes(32))
        path = log.inclusion(start, datas[start])
        merkle.verify_inclusion(leaves[start], start, size, path, checkpoint.root)
    for index in {0, size // 3, size - 1}:
        wrong = [b"other" if place == index else data for place, data in enumerate(datas)]
        others = new_tiles(Nothing(), 0, wrong)
        bundles = {path: data for path, data in others.items() if "entries" in path}
        shown = Log(MemorySource({**files, **bundles}), checkpoint)
        given = shown.entries(0)
        assert [next(given) for _ in range(index)] == datas[:index]
        with pytest.raises(VerificationError) as caught:
            next(given)
        assert (caught.value.code, caught.value.details["index"]) == ("entry-differs", index)


def test_a_log_of_many_tiles(tmp_path: Path) -> None:
    city = City.found(tmp_path / "ledger")
    for _ in range(3):
        statements = [
            city.sign("proposal", "governor", {"format": 1, "actions": [action]}, f"{n}")
            for n in range(100)
            for action in [{"action": "threshold", "governors": 1, "instead_of": 1}]
        ]
        city.now += 1
        city.post(*statements)
    files = published(city)
    assert audit(MemorySource(files), tmp_path / "state").facts["size"] > 256
    path = entries_path(0)
    bundle = decode_entries(files[path])
    bundle[200] = bundle[199]
    changed = {**files, path: encode_entries(bundle)}
    assert failure(MemorySource(changed), tmp_path / "other") == ("entry-differs", 200)


@pytest.mark.parametrize("size", [0, 19])
def test_a_checkpoint_of_nothing(size: int, small: Files, tmp_path: Path) -> None:
    files = {CHECKPOINT: make_checkpoint(world().origin, merkle.Frontier(), key("operator"))}
    if size:
        assert audit(MemorySource(small), tmp_path).verdict == "passed"
        assert failure(MemorySource(files), tmp_path) == ("checkpoint-stale", None)
    else:
        assert failure(MemorySource(files), tmp_path) == ("bundle-genesis", None)


# --- activities ---


def submitted(city: City, position: int = 0) -> tuple[int, bytes]:
    """(index, root) of a submission of the city."""
    with city.store.snapshot() as snapshot:
        found = list(snapshot.logged(["submission"]))[position]
    return found.index, bytes.fromhex(found.statement.body["root"])


def test_an_activity_that_does_not_give_its_reduction(tmp_path: Path) -> None:
    files = published(ledger().city)
    index, root = submitted(ledger().city)
    path = activities_path(root)
    lines = files[path].split(b"\n")
    other = lines[1].replace(b'"id":"', b'"id":"x')
    changed = b"\n".join([lines[0], other, *lines[2:]])
    source = MemorySource({**files, path: changed})
    assert failure(source, tmp_path / "1", activities=True) == ("activity-other", index)
    assert audit(source, tmp_path / "2").verdict == "passed"
    less = MemorySource({**files, path: b"\n".join(lines[1:])})
    assert failure(less, tmp_path / "3", activities=True) == ("activities-withheld", index)
    none = MemorySource({name: data for name, data in files.items() if name != path})
    assert failure(none, tmp_path / "4", activities=True) == ("activities-withheld", index)


def test_an_activity_that_is_not_there_is_erased_by_the_log(
    erased: CertifiedCity, tmp_path: Path
) -> None:
    files = published(erased)
    index, root = submitted(erased)
    path = activities_path(root)
    lines = files[path].split(b"\n")
    assert lines.count(b"") == 3
    place = next(place for place, line in enumerate(lines) if line)
    lines[place] = b""
    source = MemorySource({**files, path: b"\n".join(lines)})
    assert failure(source, tmp_path, activities=True) == ("activities-not-erased", index)
    # What is wrong stays wrong.
    assert failure(source, tmp_path, activities=True) == ("activities-not-erased", index)


# --- replaying by hand, as an auditor does ---


def test_a_replay_takes_an_entry_at_a_time(small: Files, tmp_path: Path) -> None:
    kept = AuditState(tmp_path)
    one = Replay(kept, MemorySource(small))
    statements = world().statements
    for statement in statements[:3]:
        one.take(statement.data)
    assert one.size == 3 and not one.is_sealed
    with pytest.raises(Fault):
        one.save(b"")
    before = one.root()
    with pytest.raises(TallyError):
        one.take(statements[2].data)
    # What was refused has changed nothing.
    assert (one.size, one.root()) == (3, before)
    one.take(statements[3].data)
    assert one.is_sealed
    one.save(b"")
    kept.close()
    kept = AuditState(tmp_path)
    again = Replay(kept, MemorySource({}))
    assert (again.size, again.root(), again.state) == (4, one.root(), again.state)
    assert again.state is not None and one.state is not None
    assert again.state.previous == one.state.previous
    kept.close()


ODD: tuple[Any, ...] = (None, True, -1, 2**63 - 1, "", "x" * 65, "0" * 64, [], [None], [{}], {})


def odd(value: Any) -> Iterator[Any]:
    """The value with something else in each place of it, one at a time."""
    yield from ODD
    if isinstance(value, dict):
        for name in value:
            yield {other: value[other] for other in value if other != name}
            for changed in odd(value[name]):
                yield {**value, name: changed}
    elif isinstance(value, list) and value:
        for changed in odd(value[0]):
            yield [changed, *value[1:]]


@pytest.mark.parametrize("which", ["issued", "small"])
def test_whatever_a_signed_statement_says_the_audit_has_an_answer(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = issued_city() if which == "issued" else ledger().city
    kept = AuditState(tmp_path)
    one = Replay(kept, DirectorySource(city.folder))
    with city.store.snapshot() as snapshot:
        statements = [snapshot.statement(index) for index in range(snapshot.state().index)]
    tried = 0
    for statement in statements:
        signer = key(statement.issuer)
        if statement.kid == signer.public.kid:
            with monkeypatch.context() as patch:
                patch.setattr(Replay, "_enter", lambda *given: None)
                for body in odd(statement.body):
                    if isinstance(body, dict):
                        with suppress(Refusal, VerificationError):
                            one.take(resigned(statement, signer, body))
                        tried += 1
        one.take(statement.data)
    assert tried > 1_000
    kept.close()


def resigned(statement: Statement, signer: Signer, body: dict[str, Any]) -> bytes:
    """The statement with another payload."""
    return sign_statement(
        signer,
        kind=statement.kind,
        issuer=statement.issuer,
        subject=statement.subject,
        audience=statement.audience,
        expires=statement.expires,
        payload=body,
    ).data


# --- the command ---


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy"
    path.write_text(PLAIN_TEXT, "utf-8")
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["audit", *map(str, arguments)])
    return status, *capsys.readouterr()


def test_the_command_on_a_ledger_that_is_right(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ledger().city.folder
    status, out, err = run(capsys, folder, "--policy", policy, "--activities", "--lang", "en")
    assert (status, err) == (0, "")
    passed, activities = out.splitlines()
    assert passed.startswith("PASSED. All 19 entries of ledger.example/city")
    assert activities.startswith("19 reductions were computed again")
    policy.write_text(QUORUM_TEXT, "utf-8")
    status, out, _ = run(capsys, folder, "--policy", policy, "--lang", "zh")
    passed, unwitnessed = out.splitlines()
    assert status == 0 and passed.startswith("通过。") and "会签" in unwitnessed


def test_the_command_goes_on_from_its_state(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, state = ledger().city.folder, tmp_path / "state"
    for _ in range(2):
        status, out, _ = run(capsys, folder, "--policy", policy, "--state", state, "--json")
        report = json.loads(out)
        assert (status, report["format"], report["verdict"]) == (0, "tally-audit/1", "passed")
        assert report["wrong"] is None
    assert (state / DATABASE).is_file()


def _written(files: Files, folder: Path) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_the_command_on_a_ledger_that_is_wrong(
    small: Files, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, root = submitted(ledger().city)
    files = {name: data for name, data in small.items() if name != reductions_path(root)}
    folder, evidence = _written(files, tmp_path / "ledger"), tmp_path / "evidence.json"
    given = (folder, "--policy", policy, "--evidence", evidence, "--lang", "en")
    status, out, _ = run(capsys, *given)
    failed, where = out.splitlines()
    assert status == 1
    assert failed.startswith(f"FAILED at entry {index} (submission).")
    assert str(evidence) in where
    assert json.loads(evidence.read_text())["entry"]["index"] == index
    status, out, _ = run(capsys, *given, "--json")
    assert (status, json.loads(out)["wrong"]["index"]) == (1, index)


def test_the_command_when_nothing_can_be_decided(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ledger().city.folder
    assert run(capsys, tmp_path / "nowhere", "--policy", policy)[0] == 3
    assert run(capsys, tmp_path, "--policy", policy)[0] == 3
    assert run(capsys, "ftp://ledger.example", "--policy", policy)[0] == 2
    kept = AuditState(tmp_path / "state")
    assert run(capsys, folder, "--policy", policy, "--state", tmp_path / "state")[0] == 2
    kept.close()
    status, out, _ = run(capsys, folder, "--policy", policy, "--state", policy, "--json")
    assert (status, json.loads(out)["error"]["code"]) == (3, "audit-state-unreadable")


def test_on_a_terminal_progress_shows(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(verifier.cli, "_METER_SECONDS", -1)
    status, _, err = run(capsys, ledger().city.folder, "--policy", policy, "--lang", "en")
    assert status == 0
    *_, last, end = err.split("\r\x1b[K")
    assert last.startswith("entry 19 of 19 · 19 reductions · ") and last.endswith("0:00:00 left")
    assert end == ""


def test_the_verdict_stands_where_the_evidence_cannot_be_written(
    small: Files, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _written({CHECKPOINT: small[CHECKPOINT]}, tmp_path / "ledger")
    _written({name: small[name] for name in small if name.startswith("tile/")}, folder)
    given = (folder, "--policy", policy, "--evidence", tmp_path / "none" / "file", "--json")
    status, out, err = run(capsys, *given)
    assert status == 1 and str(tmp_path / "none") in err
    assert json.loads(out)["wrong"]["error"]["code"] == "reductions-withheld"
