"""Succession: from an auditor's store a ledger goes on under another key, and nothing is lost."""

import copy
import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import chains
from support.auditors import make_final
from support.bundles import LOG_VKEY, PLAIN, check, dump, rotation
from support.certified import CertifiedCity
from support.city import NOON, ORIGIN, TODAY, City, key
from support.commands import Run, set_up
from support.dishonest import MemorySource, published
from support.offers import code, offer
from support.postgres import engine_of
from support.replay import check_held_by, check_replay

from api.proving import complete, prove_reduction
from api.succession import (
    Stored,
    bring_links,
    dump_statements,
    links_in,
    proposed,
    read_statements,
    read_store,
    take_over,
)
from chain.blocks import make_checkpoint, make_seal
from chain.genesis import enrol
from chain.merkle import Frontier, leaf_hashes
from chain.paths import CHECKPOINT, reductions_path
from chain.receipts import check_receipt
from chain.sequencer import Sequencer
from chain.store import tables
from chain.store.backup import back_up, restore
from chain.store.ledger import LedgerStore
from chain.tiles import new_tiles
from keys.errors import Conflict, Malformed, NotAllowed, VerificationError
from keys.notes import NoteKey
from keys.participants import Role
from keys.statements import Statement
from verifier.audit import Audit, AuditReport
from verifier.audit_state import AuditState
from verifier.auditor import Auditor
from verifier.cli import main
from verifier.monitor import Monitor, source_place
from verifier.policy import Policy, parse_policy
from verifier.sources import DirectorySource, Source

NEXT = key("operator/next")
NEXT_VKEY = NoteKey(ORIGIN, NEXT.public, cosigner=False).vkey
BOTH = parse_policy(f"log {LOG_VKEY}\nlog {NEXT_VKEY}\nquorum none\n".encode())
MONTH = 30 * 86_400


def stored(city: City, folder: Path, policy: Policy = PLAIN) -> Stored:
    """What an auditor has stored of a ledger: neither its database nor its activities."""
    for name in (CHECKPOINT, "tile", "submissions"):
        source = city.folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, _made(folder) / name)
    return read_store(DirectorySource(folder), policy)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def decision(city: City, before: str = "operator") -> list[Statement]:
    """What governance decides, without the ledger."""
    body = {"format": 1, "actions": [rotation("operator", key(before), NEXT)]}
    proposal = city.sign("proposal", "governor", body)
    approval = {"format": 1, "proposal": proposal.id.hex()}
    return [proposal, city.sign("approval", "governor", approval)]


def succeeded(
    old: City, of: Stored, folder: Path, statements: Sequence[Statement], later: int = MONTH
) -> City:
    """The ledger on another machine, after its next block."""
    store = LedgerStore(folder, engine_of(folder))
    store.prepare()
    sequencer = Sequencer(store, NEXT)
    take_over(of, store, sequencer, NEXT)
    sequencer.post(statements)
    sequencer.succeed(old.now + later)
    city = City(folder, store=store)
    city.sequencer, city.now, city._counter = sequencer, old.now + later, old._counter
    return city


def audit(source: Source, folder: Path, **more: Any) -> AuditReport:
    kept = AuditState(folder)
    try:
        return Audit(source, BOTH, kept, **more).run()
    finally:
        kept.close()


def failure(source: Source, folder: Path, **more: Any) -> tuple[str, int | None]:
    wrong = audit(source, folder, **more).wrong
    assert wrong is not None
    return wrong.error.code, wrong.index


def statements(city: City) -> list[Statement]:
    with city.store.snapshot() as snapshot:
        return [snapshot.statement(index) for index in range(snapshot.state().index)]


# --- the old key ---


@pytest.fixture
def old(tmp_path: Path) -> City:
    """A ledger whose operator is about to be succeeded."""
    city = City.found(tmp_path / "old")
    city.submit([city.ride(f"rider-{n}", NOON - 600 + n) for n in range(3)])
    return city


@pytest.fixture
def new(old: City, tmp_path: Path) -> City:
    """The same ledger, succeeded."""
    return succeeded(old, stored(old, tmp_path / "store"), tmp_path / "new", decision(old))


def test_an_operator_that_goes_on_with_the_old_key_is_shown_to_fork(
    old: City, new: City, tmp_path: Path
) -> None:
    new.submit([new.ride("rider", new.now - 600)])
    assert audit(DirectorySource(new.folder), tmp_path / "state").verdict == "passed"
    at = old.state.index
    for _ in range(3):
        old.submit([old.ride("rider", old.now)])
        old.now += 600
        wrong = audit(DirectorySource(old.folder), tmp_path / "state").wrong
        assert wrong is not None and wrong.evidence is not None
        assert (wrong.error.code, wrong.index) == ("entry-rewritten", at)
        report = check(wrong.evidence, BOTH)
        assert (report.verdict, report.said) == ("proved", "evidence-fork-of-keys")
    places = [source_place(str(c.folder), DirectorySource(c.folder)) for c in (old, new)]
    look = Monitor(BOTH, places, tmp_path / "monitor", lambda: new.now).look()
    assert [alarm.report.said for alarm in look.alarms] == ["evidence-fork-of-keys"]


def test_the_old_key_adds_nothing_to_what_follows(old: City, new: City, tmp_path: Path) -> None:
    files, state = published(new), new.state
    with new.store.snapshot() as snapshot:
        root = snapshot.register().root()
        entries = [statement.data for statement in statements(new)]
    seal = make_seal(state, key("operator"), root, new.now + 60)
    forged = grown(files, entries, seal.data, key("operator"))
    assert failure(MemorySource(forged), tmp_path / "1") == ("signature-invalid", state.index)
    # Nor does it sign what the successor has sealed, or the successor what nobody approved.
    signed = {**files, CHECKPOINT: note(entries, key("operator"))}
    assert failure(MemorySource(signed), tmp_path / "2") == ("seal-signature", state.index - 1)
    early = succession_without(old, tmp_path / "store")
    assert failure(MemorySource(early), tmp_path / "3") == ("signature-invalid", old.state.index)


def grown(files: dict[str, bytes], entries: list[bytes], entry: bytes, signer: Any) -> Any:
    made = new_tiles(MemoryTiles(files), len(entries), [entry])
    return {**files, **made, CHECKPOINT: note([*entries, entry], signer)}


def succession_without(city: City, folder: Path) -> Any:
    """A successor that seals without a decision of governance."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    with city.store.snapshot() as snapshot:
        root = snapshot.register().root()
    entries = [statement.data for statement in statements(city)]
    seal = make_seal(city.state, NEXT, root, city.now + 60)
    return grown(files, entries, seal.data, NEXT)


class MemoryTiles:
    """Tiles among the files of a source."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        return self._files[path]


def note(entries: list[bytes], signer: Any) -> bytes:
    return make_checkpoint(ORIGIN, Frontier().append(leaf_hashes(entries)), signer)


def test_an_auditors_own_store_is_enough_and_the_auditor_follows(old: City, tmp_path: Path) -> None:
    folder = tmp_path / "auditor"

    def auditor(city: City) -> Any:
        source = DirectorySource(city.folder)
        made = Auditor(folder, PLAIN, key("auditor-1"), "auditor-1", source, lambda: city.now)
        return closing(made)

    with auditor(old) as before:
        assert before.add_checkpoint(offer(published(old), 0).dump()).status == 200
    size, of = old.state.index, read_store(DirectorySource(folder), PLAIN)
    new = succeeded(old, of, tmp_path / "new", decision(old))
    with auditor(new) as after:
        # Its policy knows the old key alone: the rules say whose the new one is.
        answer = after.add_checkpoint(offer(published(new), size).dump())
        assert answer.status == 200, answer.body
    for number in range(2):
        old.submit([old.ride(f"again-{number}", old.now)])
    assert old.state.index > new.state.index
    with auditor(old) as after:
        forked = after.add_checkpoint(offer(published(old), new.state.index).dump())
        assert (forked.status, code(forked)) == (403, "checkpoint-log-unknown")
    assert read_store(DirectorySource(folder), BOTH).state.index == new.state.index


def test_the_decision_is_used_once(old: City, new: City) -> None:
    back = {"format": 1, "actions": [rotation("operator", NEXT, key("operator"))]}
    proposal = new.sign("proposal", "governor", back)
    new.post(proposal)
    for statement in decision(old):
        new.sequencer.post([statement])
        new.sequencer.seal_all(new.now)
    assert new.state.participants["operator"].keys[-1].public == NEXT.public


# --- what waits, and what was never stored ---


def test_what_waited_is_sent_again_and_what_was_sealed_is_recognised(
    old: City, tmp_path: Path
) -> None:
    sealed = old.admit([old.ride("sealed", NOON - 1_200)])
    old.sequencer.submit([sealed])
    old.sequencer.seal_all(old.now)
    of = stored(old, tmp_path / "store")
    waiting = old.admit([old.ride("waiting", NOON - 1_200)], expires=old.now + 2 * MONTH)
    old.sequencer.submit([waiting])
    new = succeeded(old, of, tmp_path / "new", decision(old))
    size = new.state.index
    for _ in range(2):
        new.sequencer.submit([sealed, waiting])
        new.sequencer.seal_all(new.now)
        assert new.state.index == size + 2  # what waited, and the seal
        assert new.answer(sealed.entry.statement).index == old.answer(sealed.entry.statement).index
        assert new.answer(waiting.entry.statement).index == size
    check_replay(new)
    check_held_by(new, sealed.entry.reductions[0])


def test_activities_that_are_not_stored_are_missed_until_they_are_put_back(
    old: City, new: City, tmp_path: Path
) -> None:
    of = read_store(DirectorySource(tmp_path / "store"), PLAIN)
    store = LedgerStore(tmp_path / "again")
    store.prepare()
    assert take_over(of, store, Sequencer(store, NEXT), NEXT) == 3
    source = DirectorySource(new.folder)
    assert audit(source, tmp_path / "1").verdict == "passed"
    index = next(i for i, s in enumerate(statements(old)) if s.kind == "submission")
    assert failure(source, tmp_path / "2", activities=True) == ("activities-not-erased", index)
    shutil.copytree(old.folder / "activities", new.folder / "activities", dirs_exist_ok=True)
    assert audit(source, tmp_path / "3", activities=True).facts["activities"] == 3


def test_what_follows_is_backed_up_and_restored(old: City, new: City, tmp_path: Path) -> None:
    back_up(new.store, tmp_path / "backup")
    store = LedgerStore(tmp_path / "restored")
    restore(tmp_path / "backup", store)
    again = City(store.folder, store=store)
    again.sequencer, again.now = Sequencer(store, NEXT), new.now
    check_replay(again)
    assert again.answer(statements(old)[0]).index == 0
    # And the successor is succeeded in its turn.
    of = read_store(DirectorySource(new.folder), BOTH)
    assert (of.key, of.state.height) == (NEXT.public, new.state.height)


# --- what is refused ---


def tampered(files: Path, change: str, old: City) -> None:
    root = next(s.body["root"] for s in statements(old) if s.kind == "submission")
    path = files / reductions_path(bytes.fromhex(root))
    if change == "no reductions":
        path.unlink()
    elif change == "other reductions":
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    elif change == "no reductions at all":
        path.write_bytes(b"\0")
    elif change == "another checkpoint":
        entries = [statement.data for statement in statements(old)]
        (files / CHECKPOINT).write_bytes(note(entries[:-1], key("operator")))
    else:
        entries = [statement.data for statement in statements(old)]
        (files / CHECKPOINT).write_bytes(note(entries, NEXT))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("no reductions", "reductions-withheld"),
        ("other reductions", "reductions-withheld"),
        ("no reductions at all", "reductions-withheld"),
        ("another checkpoint", "seal-not-last"),
        ("a checkpoint by another key", "seal-signature"),
    ],
)
def test_a_store_that_is_not_whole_is_not_built_upon(
    old: City, tmp_path: Path, change: str, code: str
) -> None:
    stored(old, tmp_path / "store")
    tampered(tmp_path / "store", change, old)
    if change == "another checkpoint":  # its tiles are there as well
        tree = [statement.data for statement in statements(old)][:-1]
        for path, data in new_tiles(MemoryTiles({}), 0, tree).items():
            (tmp_path / "store" / path).write_bytes(data)
    with pytest.raises(VerificationError) as caught:
        of = read_store(DirectorySource(tmp_path / "store"), BOTH)
        succeeded(old, of, tmp_path / "new", decision(old))
    assert caught.value.code == code


def test_a_log_that_breaks_the_rules_is_not_taken_over(old: City, tmp_path: Path) -> None:
    stored(old, tmp_path / "store")
    entries = [statement.data for statement in statements(old)]
    seal = make_seal(old.state, key("operator"), bytes(32), old.now)
    folder = tmp_path / "store"
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for path, data in grown(files, entries, seal.data, key("operator")).items():
        (folder / path).write_bytes(data)
    of = read_store(DirectorySource(folder), BOTH)
    with pytest.raises(Conflict) as caught:
        succeeded(old, of, tmp_path / "new", decision(old))
    assert caught.value.code == "seal-register"


def test_without_a_decision_the_new_key_seals_nothing(old: City, tmp_path: Path) -> None:
    of = stored(old, tmp_path / "store")
    [proposal, _] = decision(old)
    for number, some in enumerate(([], [proposal])):
        with pytest.raises(NotAllowed) as caught:
            succeeded(old, of, tmp_path / str(number), some)
        assert caught.value.code == "seal-key-missing"


def test_a_file_of_statements_that_decides_something_else(old: City, tmp_path: Path) -> None:
    of = stored(old, tmp_path / "store")
    [proposal, approval] = decision(old)
    assert read_statements(dump_statements([proposal, approval])) == [proposal, approval]
    assert proposed(proposal, of) == NEXT.public
    for data in (
        b"",
        b"\xff",
        b"x\n",
        dump_statements([approval]),
        dump_statements([proposal])[:-1],
    ):
        with pytest.raises(Malformed):
            read_statements(data)
    rotate = rotation("operator", key("operator"), NEXT)
    for actions in (
        [],
        [rotate, {"action": "threshold", "governors": 1, "instead_of": 1}],
        [rotation("governor", key("governor"), NEXT)],
        [{**rotate, "at": 10**6}],
        [{**rotate, "consumes": "0" * 64}],
        [{**rotate, "key": 1}],
        "rotate",
    ):
        other = old.sign("proposal", "governor", {"format": 1, "actions": actions})
        with pytest.raises(Malformed):
            proposed(other, of)


# --- the commands ---

LATER = "2026-05-01T12:00:00+08:00"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A ledger with two of three governors, and what an auditor has stored of it."""
    set_up(monkeypatch, tmp_path, "2026-03-02T12:00:00+08:00")
    run = Run(capsys)
    governors = [word for n in (1, 2, 3) for word in ("--governor", f"governor-{n}")]
    run("init", "city", "--origin", ORIGIN, "--threshold", 2, *governors)
    for name in (CHECKPOINT, "tile"):
        source = Path("city") / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, _made(Path("store")) / name)
    run("key", "new", "operator", "--keys", "city-2-keys")
    made = run.json("key", "show", "operator", "--keys", "city-2-keys")["key"]
    Path("successor.json").write_text(json.dumps(made))
    shutil.copy("city/policy", "policy")
    monkeypatch.setenv("TALLY_NOW", LATER)
    return run


PROPOSE = ("succession", "propose", "store", "decision", "--policy", "policy")
APPROVE = ("succession", "approve", "store", "decision", "--policy", "policy")
SUCCEED = ("succeed", "store", "city-2", "decision", "--policy", "policy")
BY_ONE = ("--public", "successor.json", "--by", "governor-1", "--keys", "city-keys")


def test_governors_decide_and_the_successor_goes_on(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run.json("status", "city")
    shutil.move("city", "gone")
    run(*PROPOSE, *BY_ONE)
    assert "1 more governors have to approve it" in run.out
    assert run.json(*SUCCEED, expected=1)["error"]["code"] == "succession-not-approved"
    twice = run.json(*APPROVE, "--by", "governor-1", "--keys", "city-keys", expected=1)
    assert twice["error"]["code"] == "approval-twice"
    made = run.json(*APPROVE, "--by", "governor-3", "--keys", "city-keys")
    assert (made["approvals"], made["threshold"]) == (2, 2)
    cosigner = NoteKey("auditor", key("auditor").public, cosigner=True).vkey
    asks = Path("policy").read_text().replace("quorum none", f"witness a {cosigner}\nquorum a")
    Path("policy").write_text(asks)
    run(*SUCCEED)
    assert "Taken over: 2 entries" in run.out and "quorum has not cosigned" in run.out
    after = run.json("status", "city-2")
    assert after["height"] == before["height"] + 1
    # Its own policy trusts the new key, and what it says is proved.
    audited = tmp_path / "audited"
    assert audit_by_command("city-2", "city-2/policy", audited, capsys) == 0
    assert audit_by_command("city-2", "policy", audited, capsys) == 1
    for name in ("governor-1", "governor-2"):
        shutil.copy(f"city-keys/{name}.pem", "city-2-keys")
    made = run.json("propose", "city-2", _actions(), "--by", "governor-1")
    run("approve", "city-2", made["proposal"], "--by", "governor-1")
    assert run.json("approve", "city-2", made["proposal"], "--by", "governor-2")["enacted"]
    assert audit_by_command("city-2", "city-2/policy", audited, capsys) == 0
    assert run.json(*SUCCEED, expected=2)["error"]["code"] == "folder-not-empty"


def _actions() -> Path:
    path = Path("actions.json")
    actions = [enrol("platform", "platform", [Role.PLATFORM], key("platform").public)]
    path.write_text(json.dumps(actions))
    return path


def audit_by_command(
    folder: str, policy: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> int:
    status = main(["audit", folder, "--policy", policy, "--state", str(state)])
    capsys.readouterr()
    return status


def test_the_commands_refuse_what_they_cannot_stand_for(run: Run) -> None:
    shutil.copytree("city-keys", "other-keys")
    Path("other-keys/operator.pem").rename("other-keys/other.pem")
    assert run.json(*PROPOSE, *BY_ONE[:4], expected=2)["error"]["code"] == "keys-folder-missing"
    stranger = (*BY_ONE[:2], "--by", "operator", "--keys", "city-keys")
    assert run.json(*PROPOSE, *stranger, expected=1)["error"]["code"] == "role-missing"
    assert not Path("decision").exists()
    run(*PROPOSE, *BY_ONE)
    run(*APPROVE, "--by", "governor-2", "--keys", "city-keys")
    wrong = run.json(*SUCCEED, "--keys", "city-keys", expected=1)
    assert wrong["error"]["code"] == "seal-key-missing"
    assert run.json(*SUCCEED, "--keys", "none", expected=3)["error"]["code"] == "key-missing"
    assert not Path("city-2").exists()
    Path("store/checkpoint").write_bytes(b"x")
    assert run.json(*SUCCEED, expected=1)["error"]["code"]


# --- the chain of policies ---


def test_the_chain_of_policies_goes_on_from_a_file_that_shows_it(tmp_path: Path) -> None:
    chain = chains.build(tmp_path / "old")
    first, last = (
        parse_policy(chains.trust(names, operator).encode())
        for names, operator in ((chains.A, "operator"), (chains.C, "operator/2"))
    )
    of = stored(chain.city, tmp_path / "store", last)
    statements = decision(chain.city, "operator/2")
    city = succeeded(chain.city, of, tmp_path / "new", statements)
    bring_links(city.store, links_in(dump(chain.bundles[-1]), first, of))
    # Those of the policy in use make the next block final, and with it who has the key now.
    assert make_final(city, *chains.A) < city.state.height
    assert make_final(city, *chains.C[:3]) == city.state.height
    with city.store.snapshot() as snapshot:
        assert snapshot.taken_over() == chain.city.state.height
    leaf = bytes.fromhex(check(dump(chain.bundles[-1]), first).facts["leaf"])
    bundle = prove_reduction(city.store, leaf)
    assert complete(city.store, bundle)
    for policy in (first, last):
        assert check(bundle, policy).verdict == "provisional"
    links = [len(made["policies"]["links"]) for made in (chain.bundles[-1], bundle)]
    assert links == [3, 4]


def test_a_chain_of_another_history_is_not_brought(tmp_path: Path, old: City) -> None:
    chain = chains.build(tmp_path / "chain")
    first = parse_policy(chains.trust(chains.A).encode())
    of = stored(old, tmp_path / "store")
    with pytest.raises(VerificationError) as caught:
        links_in(dump(chain.bundles[-1]), first, of)
    assert caught.value.code == "link-order"
    forged = chains.changed(chain, lambda links: links.pop(0))
    with pytest.raises(VerificationError):
        links_in(dump(forged), first, of)


def test_links_that_nobody_has_checked_are_not_brought(tmp_path: Path) -> None:
    chain = chains.build(tmp_path / "old")
    last = parse_policy(chains.trust(chains.C, "operator/2").encode())
    of = stored(chain.city, tmp_path / "store", last)
    assert len(links_in(dump(chain.bundles[-1]), last, of)) == 3
    # Who trusts the last policy passes the first links over, whatever they say.
    for place in range(2):
        made = copy.deepcopy(chain.bundles[-1])
        links = made["policies"]["links"]
        links[place]["policy"]["path"] = links[place]["policy"]["path"][1:]
        assert check(made, last).verdict == "provisional"
        with pytest.raises(VerificationError):
            links_in(dump(made), last, of)


def test_no_link_is_brought_without_its_cosignatures(tmp_path: Path) -> None:
    chain = chains.build(tmp_path / "old")
    last = parse_policy(chains.trust(chains.C, "operator/2").encode())
    of = stored(chain.city, tmp_path / "store", last)
    made = copy.deepcopy(chain.bundles[-1])
    chains.cosigned(made["policies"]["links"][0])
    with pytest.raises(VerificationError) as caught:
        links_in(dump(made), last, of)
    assert caught.value.code == "policy-later"


def test_after_succession_nothing_is_called_final_without_its_quorum(tmp_path: Path) -> None:
    chain = chains.build(tmp_path / "old")
    last = parse_policy(chains.trust(chains.C, "operator/2").encode())
    of = stored(chain.city, tmp_path / "store", last)
    links = links_in(dump(chain.bundles[-1]), last, of)
    city = succeeded(chain.city, of, tmp_path / "new", decision(chain.city, "operator/2"))
    bring_links(city.store, links)
    city.store.publish_cosigned()
    assert not (city.folder / "checkpoint.final").exists()


# --- a ledger with one of everything, on both databases: last, since the server stays ---


def rich(folder: Path) -> CertifiedCity:
    """A ledger with refusals, a void, lots, a certification, issuances, an erasure."""
    city = CertifiedCity.open(folder)
    first = city.submit([city.ride(f"rider-{n}", NOON + 60 * n) for n in range(8)])
    again = [city.ride("rider-1", NOON + 60)]
    assert city.submit(again, "pay-app").refusals
    city.post(city.void(first, [1, 3], "governor"))
    city.submit(again, "pay-app")
    city.shut(TODAY + 1)
    leaves = [leaf for lot in city.lots(TODAY, TODAY + 1) for leaf in city.store.lot_tree(lot).keys]
    made = city.certify(TODAY, TODAY + 1, leaves[:1])
    city.correct(city.issue(made), 5)
    city.done(city.erasure(made, leaves[2:4]))
    city.submit([city.ride("rider-1", city.now - 86_400)])
    return city


@pytest.mark.usefixtures("database")
def test_nothing_that_was_sealed_is_lost(tmp_path: Path) -> None:
    old = rich(tmp_path / "old")
    audit(DirectorySource(old.folder), tmp_path / "state")
    of = stored(old, tmp_path / "store")
    city = succeeded(old, of, tmp_path / "new", decision(old))
    assert rows(city, old.state.index) == rows(old, old.state.index)
    check_replay(city)
    # An auditor that has come so far goes on.
    report = audit(DirectorySource(city.folder), tmp_path / "state")
    assert (report.verdict, report.facts["size"]) == ("passed", old.state.index + 3)
    for statement in statements(old):
        answer = city.answer(statement)
        assert (answer.index, answer.height) == (old.answer(statement).index, answer.height)
        index = check_receipt(answer.receipt, statement.data, NEXT.public, ORIGIN)[1]
        assert index == answer.index
    # And the ledger goes on as if nothing had been.
    city.submit([city.ride("rider-1", city.now - 3_600)])
    assert city.submit([city.ride("rider-1", city.now - 3_600)]).refusals
    assert audit(DirectorySource(city.folder), tmp_path / "state").verdict == "passed"
    bundle = prove_reduction(city.store, _recorded(city))
    assert check(bundle, BOTH).verdict == "valid"


def rows(city: City, size: int) -> dict[str, list[Any]]:
    """All that the database says of the log up to a size; not who signs its checkpoints."""
    left_out = {"checkpoint", "receipt_signature", "next_page"}
    found: dict[str, list[Any]] = {}
    with city.store.snapshot() as snapshot:
        for table in (tables.block, tables.statement, *_ABOUT_REDUCTIONS):
            made = [row._mapping for row in snapshot.rows(table)]
            found[table.name] = [
                {name: value for name, value in row.items() if name not in left_out}
                for row in made
                if row.get("size", 0) <= size and row.get("index", 0) < size
            ]
    return found


_ABOUT_REDUCTIONS = (
    tables.reduction,
    tables.refusal,
    tables.submission_day,
    tables.statistic,
    tables.lot,
)


def _recorded(city: City) -> bytes:
    """The leaf hash of a reduction that is in a lot."""
    with city.store.snapshot() as snapshot:
        [lot, *_] = snapshot.lots()
    return city.store.lot_tree(lot).keys[0]
