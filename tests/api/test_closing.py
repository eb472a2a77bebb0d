"""`tally close`, `lots`, `export lot`: from open days to a file that proves a lot."""

import json
from pathlib import Path

import pytest
from support.city import pseudonym, scenario_document
from support.commands import Run, copy_folder, set_up

from api import cli
from verifier import cli as verify

pytestmark = pytest.mark.usefixtures("database")

DAY = "2026-03-02"
MORNING = 1_772_413_200  # 09:00 of that day in the city
NOW = "2026-03-03T09:00:00+08:00"
LATER = "2026-03-06T09:00:00+08:00"


def write_rides(name: str, *people: str) -> str:
    lines = [
        json.dumps(
            {
                "format": 1,
                "id": f"{name}-{number}",
                "scenario": "city-bus",
                "start": MORNING,
                "end": MORNING,
                "subject": pseudonym("traveller", person),
                "ticket": {"issuer": "city-bus", "number": pseudonym("ticket", person)},
                "evidence": {"tier": "platform-record", "digest": "0" * 64},
                "authorisation": "0" * 64,
                "nonce": f"{number:032x}",
            }
        )
        for number, person in enumerate(people)
    ]
    Path(name).write_text("\n".join(lines) + "\n", "utf-8")
    return name


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, database: str) -> Path:
    """A ledger whose days stay open for one day, with two rides of a platform."""
    folder = tmp_path_factory.mktemp("closing")
    with pytest.MonkeyPatch.context() as monkeypatch:
        set_up(monkeypatch, folder, NOW)
        scenario = scenario_document("city-bus", "bus-ride-by-code", ["metro-app"])
        Path("city-bus.json").write_bytes(scenario)
        lines = write_rides("rides.ndjson", "ann", "ben", "ann")
        for command in (
            "init city --origin ledger.example/city --first-day 2026-03-01 --issuer ticket=city-bus"
            " --methodology bus-ride-by-code --acceptance-days 1",
            "enrol city metro-app --role platform --by governor",
            "publish scenario city city-bus.json --by governor",
            f"submit city {lines} --as metro-app",
        ):
            assert cli.main(command.split()) == 0
    return folder


@pytest.fixture
def run(
    built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    set_up(monkeypatch, tmp_path, LATER)
    copy_folder(built, tmp_path)
    capsys.readouterr()
    return Run(capsys)


def test_a_day_is_closed_and_its_lot_is_proved_elsewhere(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = run.json("close", "city", "2026-03-03", "--by", "operator")
    assert (closed["until"], closed["count"], closed["grams"]) == ("2026-03-03", 2, 160)
    [lot] = closed["lots"]
    assert (lot["platform"], lot["scenario"], lot["day"]) == ("metro-app", "city-bus", DAY)

    listed = run.json("lots", "city")
    assert listed == {"until": "2026-03-03", "lots": [lot]}
    assert run.json("lots", "city", "--platform", "metro-app", "--scenario", "city-bus") == listed
    assert run.json("lots", "city", "--platform", "pay-app")["lots"] == []
    shown = run("lots", "city")
    assert "before 2026-03-03 are closed" in shown
    assert "city-bus" in shown

    run("export", "lot", "city", "metro-app", "city-bus", DAY, "--out", "lot.json")
    assert str(Path("lot.json").stat().st_size) in run.out
    assert verify.main(["check", "lot.json", "--policy", "city/policy", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "valid"
    assert (report["facts"]["count"], report["facts"]["grams"]) == (2, 160)
    assert verify.main(["check", "lot.json", "--policy", "city/policy", "--lang", "zh"]) == 0
    assert "整个批次" in capsys.readouterr().out


def test_the_bundle_of_a_reduction_of_a_closed_day_is_final(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    block = run.json("show", "block", "city")
    [index] = [item["index"] for item in block["statements"] if item["kind"] == "submission"]
    leaf = run.json("show", "statement", "city", index)["reductions"][0]["leaf"]
    run("prove", "reduction", "city", leaf, "--out", "before.json")
    run("close", "city", "2026-03-03", "--by", "governor")
    run("prove", "reduction", "city", leaf, "--out", "after.json")
    for name, verdict in (("before.json", "provisional"), ("after.json", "valid")):
        assert verify.main(["check", name, "--policy", "city/policy", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["verdict"] == verdict


def test_what_waits_is_sealed_before_the_books_are_closed(run: Run) -> None:
    lines = write_rides("late.ndjson", "cat")
    run("submit", "city", lines, "--as", "metro-app", "--no-seal")
    closed = run.json("close", "city", "2026-03-03", "--by", "operator")
    assert closed["count"] == 3


def test_what_cannot_be_closed_or_exported_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("close", "city", "2026-03-06", "--by", "operator", expected=1)
    assert "2026-03-05" in run.err
    run("close", "city", "2026-03-01", "--by", "operator", expected=1)
    run("close", "city", "2026-03-03", "--by", "metro-app", expected=1)
    run("close", "city", "yesterday", "--by", "operator", expected=1)
    run("close", "city", "2026-03-03", "--by", "operator")
    # At another time, or it would be the statement of before.
    monkeypatch.setenv("TALLY_NOW", "2026-03-06T09:00:01+08:00")
    refused = run.json("close", "city", "2026-03-03", "--by", "operator", expected=1)
    assert refused["error"]["code"] == "close-again"
    export = ("export", "lot", "city", "metro-app", "city-bus")
    refused = run.json(*export, "2026-03-01", "--out", "lot.json", expected=2)
    assert refused["error"]["code"] == "lot-unknown"
    assert not Path("lot.json").exists()
