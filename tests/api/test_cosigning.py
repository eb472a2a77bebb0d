"""`tally cosign`, and what commands say of what is final."""

import os
from pathlib import Path
from typing import Any

import pytest
from support.auditors import Witness, all_cosigning, policy_document
from support.city import NOON
from support.commands import Run, set_up

import api.commands.proving
from chain.store.ledger import open_store
from verifier.check import check_file
from verifier.policy import parse_policy

pytestmark = pytest.mark.usefixtures("database")
NAMES = ("a-1", "a-2", "a-3", "a-4")
FREE = ("prove", "free", "city", "ticket", "city-bus", "0" * 32, "--out", "free.json")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    set_up(monkeypatch, tmp_path, NOON)
    monkeypatch.setattr(api.commands.proving, "FINAL_SECONDS", 0.1)
    run = Run(capsys)
    run("init", "city", "--origin", "a.example/city", "--issuer", "ticket=city-bus")
    return run


def publish(run: Run, witnesses: list[Witness]) -> list[str]:
    """Put the policy of these in force, three of four; the options that say where they are."""
    Path("policy.json").write_bytes(policy_document([one.key for one in witnesses], 3, 1))
    run("publish", "policy", "city", "policy.json", "--by", "governor")
    return [part for one in witnesses for part in ("--cosigner", f"{one.name}={one.url}")]


def error(run: Run, *arguments: object, expected: int) -> Any:
    return run.json(*arguments, expected=expected)["error"]["code"]


def test_a_ledger_that_is_not_served_is_made_final_by_a_command(run: Run) -> None:
    with all_cosigning(*NAMES) as witnesses:
        where = publish(run, witnesses)
        assert run.json("status", "city")["final"] is False
        assert "nothing yet" in run("status", "city")
        assert error(run, *FREE, "--final", expected=3) == "final-not-yet"
        witnesses[0].is_dead = True
        made = run.json("cosign", "city", *where)
        assert made["final"] is True
        failed = made["cosigners"].pop("a-1.example")
        assert failed["code"] == "cosigner-refused"
        assert set(made["cosigners"].values()) == {None}
    assert run.json("status", "city")["final_height"] == made["height"]
    assert f"all, up to block {made['height']}" in run("status", "city")
    run(*FREE, "--final")
    policy = parse_policy(Path("city/policy").read_bytes())
    assert policy.quorum == "auditors"
    assert check_file(Path("free.json").read_bytes(), policy).verdict == "provisional"
    assert (Path("city") / "checkpoint.final").read_bytes().count("—".encode()) == 4


def test_without_the_quorum_it_ends_with_1(run: Run) -> None:
    with all_cosigning(*NAMES) as witnesses:
        where = publish(run, witnesses)
        witnesses[0].is_dead = witnesses[1].is_dead = True
        said = run("cosign", "city", *where, expected=1)
        assert "a-3.example has cosigned" in said
        assert "a-1.example has not" in said
        assert "not final" in said
        # Those that have cosigned are not lost: one more makes the quorum.
        witnesses[0].is_dead = False
        assert run.json("cosign", "city", *where[:2])["final"] is True


def test_a_change_of_the_policy_is_final_by_both_in_one_go(run: Run) -> None:
    with all_cosigning(*NAMES, "b-1", "b-2", "b-3", "b-4") as witnesses:
        where = publish(run, witnesses[:4])
        run.json("cosign", "city", *where)
        held = Path("city/policy").read_bytes()
        where += publish(run, witnesses[4:])
        witnesses[7].is_dead = True
        made = run.json("cosign", "city", *where)
        assert made["final"] is True
        assert set(made["cosigners"]) == {one.name for one in witnesses}
    run(*FREE, "--final")
    for policy in (held, Path("city/policy").read_bytes()):
        assert check_file(Path("free.json").read_bytes(), parse_policy(policy)).verdict == (
            "provisional"
        )


def test_what_cannot_be_asked(run: Run) -> None:
    assert error(run, "cosign", "city", expected=1) == "final-without-policy"
    assert error(run, *FREE, "--final", expected=1) == "final-without-policy"
    assert "no witness policy is in force" in run("status", "city")
    with all_cosigning(*NAMES) as witnesses:
        where = publish(run, witnesses)
    stranger = ("--cosigner", "b-1.example=http://127.0.0.1:9")
    assert error(run, "cosign", "city", *stranger, expected=2) == "cosigner-unknown"
    assert error(run, "cosign", "city", "--cosigner", "a-1.example", expected=2) == "pair-invalid"
    made = run.json("cosign", "city", *where, expected=1)
    codes = {failed["code"] for failed in made["cosigners"].values()}
    assert codes == {"cosigner-unreachable"}
    store = open_store(Path("city"), os.environ.get("TALLY_DATABASE"))
    lead = store.lead()
    assert lead is not None
    with lead:
        assert error(run, "cosign", "city", *where, expected=2) == "cosigned-elsewhere"
    store.engine.dispose()
