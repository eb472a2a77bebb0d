"""Where a ledger is kept: the commands of its database and its backups, and sealing by turns."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import PASSPHRASE, Run, set_up
from support.postgres import connect, engine_of, url_of

from api import session
from chain.sequencer import Sequencer
from chain.store.leading import Lead
from chain.store.ledger import LedgerStore
from keys.signer import load

pytestmark = pytest.mark.usefixtures("database")

NOW = "2026-03-02T12:00:00+08:00"
INIT = ("init", "city", "--origin", "ledger.example/city", "--first-day", "2026-03-01")
ENROL = ("enrol", "city", "metro-app", "--role", "platform", "--by", "governor")
LATER = ("enrol", "city", "pay-app", "--role", "platform", "--by", "governor")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A ledger."""
    set_up(monkeypatch, tmp_path, NOW)
    made = Run(capsys)
    made(*INIT)
    return made


# --- another process leads ---


@pytest.fixture
def other(run: Run) -> Iterator[LedgerStore]:
    """The store of another process."""
    store = LedgerStore(Path("city"), engine_of(Path("city")))
    yield store
    store.engine.dispose()


def take_lead(store: LedgerStore) -> Lead:
    lead = store.lead()
    assert lead is not None
    return lead


def test_a_command_waits_until_the_process_that_leads_has_sealed(
    run: Run, other: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = load(Path("city-keys/operator.pem"), PASSPHRASE.encode())
    with take_lead(other) as lead:
        leader = Sequencer(other, operator, lead=lead)
        time = leader.state.time
        monkeypatch.setattr(session.time, "sleep", lambda _: leader.seal_all(time))
        assert run.json(*ENROL)["index"] is not None
        assert run.json("seal", "city")["blocks"] == []
        assert leader.state.height == run.json("status", "city")["height"]


def test_a_command_takes_the_lead_when_it_becomes_free(
    run: Run, other: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = take_lead(other)
    monkeypatch.setattr(session.time, "sleep", lambda _: lead.close())
    assert run.json(*ENROL)["index"] is not None
    with take_lead(other) as after:
        assert after.epoch > lead.epoch + 1


def test_what_the_process_that_leads_does_not_seal_is_kept(
    run: Run, other: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LEAD_SECONDS_MAX", 0)
    with take_lead(other):
        assert run.json(*ENROL, expected=2)["error"]["code"] == "lead-held"
        assert run.json("status", "city")["waiting"] == 2  # the proposal and its approval
    [block] = run.json("seal", "city")["blocks"]
    assert block["height"] == 1
    assert run.json("status", "city")["waiting"] == 0


# --- backup and restore ---


def test_a_ledger_is_backed_up_and_goes_on_elsewhere(run: Run, tmp_path: Path) -> None:
    run(*ENROL)
    before = run.json("status", "city")
    made = run.json("backup", "city", "--out", "backup")
    assert (made["height"], made["size"]) == (before["height"], before["size"])
    assert run.json("backup", "city", "--out", "backup", expected=2)["error"]["code"] == (
        "folder-not-empty"
    )
    url = url_of(tmp_path / "other")
    where = ["other", "--keys", "city-keys", *(["--database", url] if url else [])]
    run("restore", "backup", *where)
    assert "nobody has seen a later checkpoint" in run.out
    after = run.json("status", *where)
    assert {**after, "folder": ""} == {**before, "folder": ""}
    run(LATER[0], *where, *LATER[2:])
    assert run.json("status", *where)["height"] > before["height"]
    assert run.json("restore", "backup", *where, expected=2)["error"]["code"] == "folder-not-empty"
    assert run.json("restore", "none", "new", expected=3)["error"]["code"] == "backup-missing"


# --- the database ---


def test_the_tables_are_brought_up_to_date_by_a_command(run: Run) -> None:
    assert run.json("database", "upgrade", "city") == {"version": "0007"}


def test_a_role_of_postgresql_is_given_what_a_service_needs(run: Run, database: str) -> None:
    url = url_of(Path("city"))
    arguments = ("database", "grant", "city", "--role", "no-such-role")
    if url is None:
        error = run.json(*arguments, expected=2)["error"]
        assert error["code"] == "database-needs-postgresql"
        return
    assert run.json(*arguments, expected=2)["error"]["code"] == "database-role-unknown"
    with connect(url) as connection:
        connection.execute("CREATE ROLE service LOGIN")
        try:
            made = run.json("database", "grant", "city", "--role", "service")
            assert 'GRANT SELECT, INSERT ON "public".block TO "service"' in made["statements"]
            service = url.replace("postgres@", "service@")
            run(*LATER, "--database", service)
        finally:
            connection.execute("DROP OWNED BY service; DROP ROLE service")
