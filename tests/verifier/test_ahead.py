"""Processes that read ahead of an audit: what it finds is what it finds alone, to the byte."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.bundles import PLAIN, PLAIN_TEXT, ledger
from support.certificates import issued_city
from support.certified import CertifiedCity
from support.city import NOON, SCENARIOS, TODAY, scenario_document
from support.dishonest import ACTS, Files, published

import verifier.ahead
from chain.paths import activities_path, reductions_path
from keys.errors import Unreadable
from keys.strict import dump_json
from verifier.ahead import Ahead
from verifier.audit import Audit, AuditReport, Progress
from verifier.audit_state import AuditState
from verifier.cli import main
from verifier.sources import DirectorySource

SHORT = {
    "withholds the reductions of a submission",
    "drops a statement that was seen, and seals anew",
    "closes a day early",
}


@pytest.fixture(autouse=True)
def _a_submission_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier.ahead, "TASK_REDUCTIONS", 1)


def laid(files: Files, folder: Path) -> Path:
    """The files of a source, in a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def audit(
    folders: list[Path],
    state: Path,
    workers: int,
    progress: Callable[[Progress], None] = lambda at: None,
    **more: Any,
) -> AuditReport:
    """Audits of sources in folders, one after the other, by one state; the last report."""
    with closing(AuditState(state)) as kept:
        for folder in folders:
            ahead = Ahead(partial(DirectorySource, folder), workers) if workers else None
            report = Audit(DirectorySource(folder), PLAIN, kept, ahead=ahead, **more).run(progress)
    assert not multiprocessing.active_children()
    return report


def whole(report: AuditReport) -> str:
    evidence = report.wrong.evidence if report.wrong else None
    return json.dumps([report.as_json(), evidence])


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in SHORT else pytest.mark.long) for n in ACTS]
)
def test_the_same_is_found_wrong_for_the_same_reason(name: str, tmp_path: Path) -> None:
    lie = ACTS[name]()
    shown = [files for files in (lie.before, lie.files) if files is not None]
    folders = [laid(files, tmp_path / str(number)) for number, files in enumerate(shown)]
    alone = audit(folders, tmp_path / "alone", 0)
    assert alone.verdict == "failed"
    assert whole(audit(folders, tmp_path / "ahead", 1)) == whole(alone)


@pytest.mark.parametrize("activities", [pytest.param(False, marks=pytest.mark.long), True])
def test_ledgers_that_are_right_pass_with_the_same_report(activities: bool, tmp_path: Path) -> None:
    city = CertifiedCity.open(tmp_path / "ledger")
    first = city.submit([city.ride(f"rider-{n}", NOON + 60 * n) for n in range(20)])
    city.post(city.void(first, [1, 3], "governor"))
    city.submit([city.trip("bike", NOON, NOON + 900), city.trip("bike", NOON + 900, NOON + 1800)])
    city.shut(TODAY + 1)
    leaves = [leaf for lot in city.lots(TODAY, TODAY + 1) for leaf in city.store.lot_tree(lot).keys]
    city.done(city.erasure(city.certify(TODAY, TODAY + 1, leaves[:1]), leaves[2:4]))
    # Rides count from here on under another name as well.
    document = scenario_document("city-night", SCENARIOS["city-bus"])
    city.govern({"action": "scenario", "document": document.decode()})
    ride = json.loads(city.ride("rider-1", city.now - 86_400))
    city.submit([dump_json({**ride, "scenario": "city-night"})])
    folders = [ledger().city.folder, issued_city().folder, city.folder]
    for number, folder in enumerate(folders):
        alone = audit([folder], tmp_path / f"alone-{number}", 0, activities=activities)
        ahead = audit([folder], tmp_path / f"ahead-{number}", 2, activities=activities)
        assert alone.verdict == "passed"
        assert whole(ahead) == whole(alone)
    # What is there is not looked at again.
    again = audit([city.folder], tmp_path / "ahead-2", 2, activities=activities)
    assert whole(again) == whole(ahead)


def submissions() -> list[tuple[int, bytes]]:
    """(index, root) of each submission of the shared ledger."""
    with ledger().city.store.snapshot() as snapshot:
        found = list(snapshot.logged(["submission"]))
    return [(one.index, bytes.fromhex(one.statement.body["root"])) for one in found]


@pytest.mark.parametrize("reductions", [1, 1_024])
def test_what_is_wrong_later_and_seen_sooner_waits_for_its_turn(
    reductions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier.ahead, "TASK_REDUCTIONS", reductions)
    files = published(ledger().city)
    [(first, early), *_, (last, late)] = submissions()
    path = activities_path(early)
    changed = {path: files[path].replace(b'"id":"', b'"id":"x', 1)}
    lacking = {name: data for name, data in files.items() if name != reductions_path(late)}
    for number, (shown, code, index) in enumerate(
        [
            ({**lacking, **changed}, "activity-other", first),
            (lacking, "reductions-withheld", last),
        ]
    ):
        folder = laid(shown, tmp_path / str(number))
        alone = audit([folder], tmp_path / f"alone-{number}", 0, activities=True)
        ahead = audit([folder], tmp_path / f"ahead-{number}", 1, activities=True)
        assert alone.wrong is not None
        assert (alone.wrong.error.code, alone.wrong.index) == (code, index)
        assert whole(ahead) == whole(alone)


def test_a_source_that_cannot_be_read_decides_nothing(tmp_path: Path) -> None:
    files = published(ledger().city)
    last, late = submissions()[-1]
    folder = laid(files, tmp_path / "files")
    (folder / reductions_path(late)).unlink()
    (folder / reductions_path(late)).mkdir()
    told: list[Progress] = []
    with pytest.raises(Unreadable) as raised:
        audit([folder], tmp_path / "state", 1, told.append)
    assert raised.value.code == "source-not-a-file"
    assert told[-1].entry == last


# --- ends ---


def test_a_process_that_ends_ends_the_audit_and_decides_nothing(tmp_path: Path) -> None:
    folder = ledger().city.folder
    source = DirectorySource(folder)
    with closing(AuditState(tmp_path / "1")) as kept, pytest.raises(Unreadable) as raised:
        Audit(source, PLAIN, kept, ahead=Ahead(partial(os._exit, 7), 1)).run()  # type: ignore[arg-type]
    assert (raised.value.code, raised.value.details) == ("audit-process-ended", {"status": 7})

    def kill(at: Progress) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    with pytest.raises(Unreadable) as raised:
        audit([folder], tmp_path / "2", 1, kill)
    assert (raised.value.code, raised.value.details) == ("audit-process-ended", {"status": -9})
    assert not multiprocessing.active_children()
    assert audit([folder], tmp_path / "2", 0).verdict == "passed"


def test_an_interrupt_is_for_the_process_that_decides(tmp_path: Path) -> None:
    folder = ledger().city.folder
    told = []

    def interrupt(at: Progress) -> None:
        told.append(at)
        if len(told) == 12:
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGINT)

    assert audit([folder], tmp_path / "1", 1, interrupt).verdict == "passed"

    def interrupted(at: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit([folder], tmp_path / "2", 1, interrupted)
    assert not multiprocessing.active_children()


# --- the command ---


def test_the_command_says_the_same_with_any_number_of_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy"
    policy.write_text(PLAIN_TEXT, "utf-8")
    given = ["audit", str(ledger().city.folder), "--policy", str(policy), "--activities", "--json"]
    assert main(given) == 0
    alone = capsys.readouterr().out
    assert main([*given, "--processes", "2"]) == 0
    assert capsys.readouterr().out == alone
    for wrong in ("0", "two", "-1"):
        with pytest.raises(SystemExit):
            main([*given, "--processes", wrong])
