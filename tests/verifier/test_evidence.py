"""Evidence: what signatures alone prove, what is only stated, and what is refused."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import LOG_VKEY, PLAIN, QUORUM, Json, check, failure, ledger, world
from support.city import NOON, ORIGIN, key
from support.logs import Log, forked, seal

from chain.merkle import inclusion_path, leaf_hashes
from keys.catalogue import LANGUAGES
from keys.errors import VerificationError
from keys.notes import NoteKey, format_note, parse_note
from verifier import evidence
from verifier.cli import main
from verifier.policy import parse_policy
from verifier.reports import Report

LATER = parse_policy(
    f"log {LOG_VKEY}\nlog {NoteKey(ORIGIN, key('next').public, cosigner=False).vkey}\n"
    "quorum none\n".encode()
)
ONE = Log([b"a", b"b", b"c", b"d", b"e"])
OTHER = Log([b"a", b"b", b"x", b"d", b"e", b"f", b"g"])
FORK = forked(ONE.note(), OTHER.note(), OTHER)


def says(report: Report) -> tuple[str, str | None]:
    for lang in LANGUAGES:
        assert "{" not in report.text(lang)
        assert all("{" not in one.text(lang) for one in report.checks)
    return report.verdict, report.said


# --- two histories ---

LEAVES = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=20)


@given(LEAVES, LEAVES, LEAVES, st.data())
def test_two_trees_of_which_neither_begins_with_the_other_are_a_fork(
    common: list[bytes], one: list[bytes], other: list[bytes], data: st.DataObject
) -> None:
    smaller, larger = sorted((Log([*common, *one]), Log([*common, *other])), key=_size)
    size = data.draw(st.integers(0, _size(smaller)))
    report = check(forked(smaller.note(size=size), larger.note(), larger))
    forks = smaller.root(size) != larger.root(size)
    assert (report.verdict == "proved") == forks
    # One who changes the root, or the path, shows nothing.
    forged = forked(smaller.note(size=size), larger.note(), smaller)
    assert check(forged).verdict == ("proved" if forks and smaller is larger else "invalid")


def _size(log: Log) -> int:
    return len(log.entries)


def test_who_has_signed_both_is_named() -> None:
    one, other = ONE.note("auditor-1", "auditor-2"), OTHER.note("auditor-2", "auditor-3")
    report = check(forked(one, other, OTHER), QUORUM)
    assert says(report) == ("proved", "evidence-fork-proved")
    assert report.facts["cosigned_both"] == ["auditor-2"]
    assert (report.facts["first"], report.facts["second"]) == (5, 7)
    assert "auditor-2" in report.checks[-1].text("en")


def test_a_false_cosignature_spoils_no_evidence() -> None:
    """Whoever is accused has given the note away, perhaps with a line by no auditor."""
    note = parse_note(ONE.note("auditor-1"))
    log, line = note.signatures
    false = format_note(replace(note, signatures=(log, replace(line, signature=bytes(72)))))
    report = check(forked(false, OTHER.note("auditor-1"), OTHER), QUORUM)
    assert says(report) == ("proved", "evidence-fork-proved")
    assert report.facts["cosigned_both"] == []


def test_two_keys_of_one_log_are_told_apart() -> None:
    successor = Log(OTHER.entries, key("next"))
    report = check(forked(ONE.note(), successor.note(), successor), LATER)
    assert says(report) == ("proved", "evidence-fork-of-keys")


ELSEWHERE = Log(OTHER.entries, origin="other.example/log")
STRANGER = Log(OTHER.entries, key("stranger"))
BROKEN = ONE.note().replace("— ".encode() + ORIGIN.encode(), "— other.example/log".encode())
FORGED: dict[str, tuple[Json, str]] = {
    "a note of another log": (
        forked(ONE.note(), ELSEWHERE.note(), ELSEWHERE),
        "checkpoint: checkpoint-log-unknown",
    ),
    "a note that a stranger has signed": (
        forked(ONE.note(), STRANGER.note(), STRANGER),
        "checkpoint: checkpoint-log-unknown",
    ),
    "a note that the log has not signed": (
        {**FORK, "checkpoints": [BROKEN.decode(), FORK["checkpoints"][1]]},
        "checkpoint: checkpoint-log-unknown",
    ),
    "one root": (forked(ONE.note(), ONE.note(), ONE), "evidence-fork: evidence-one-history"),
    "sizes of one history": (
        forked(ONE.note(size=3), ONE.note(), ONE),
        "evidence-fork: evidence-one-history",
    ),
    "the empty log": (
        forked(ONE.note(size=0), OTHER.note(), OTHER),
        "evidence-fork: consistency-invalid",
    ),
    "a path that was changed": (
        {**FORK, "path": [*FORK["path"][:-1], "0" * 64]},
        "evidence-fork: consistency-invalid",
    ),
    "a path that is too long": (
        {**FORK, "path": [*FORK["path"], "0" * 64]},
        "evidence-fork: consistency-invalid",
    ),
    "a root that does not follow": (
        {**FORK, "root": "0" * 64},
        "evidence-fork: consistency-invalid",
    ),
    "the notes the other way round": (
        {**FORK, "checkpoints": FORK["checkpoints"][::-1]},
        "evidence-fork: consistency-invalid",
    ),
    "three notes": (
        {**FORK, "checkpoints": [*FORK["checkpoints"], FORK["checkpoints"][0]]},
        "form: field-type",
    ),
    "another kind": ({**FORK, "kind": "theft"}, "form: format-unknown"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_evidence_of_a_fork_is_refused(name: str) -> None:
    forged, reason = FORGED[name]
    assert failure(forged) == reason


# --- going back ---

HIGH = Log([b"a", seal(1, NOON), b"b", seal(2, NOON + 60)])
AGAIN = Log([b"a", seal(1, NOON), seal(2, NOON + 900)])
LOW = Log(HIGH.entries[:2])


def back(first: Log, later: Log, *cosigners: str, seals: bool = True, time: int = NOON) -> Json:
    ends = [log.logged(_size(log) - 1) if seals else None for log in (first, later)]
    return evidence.rollback(
        (first.note("auditor-1"), later.note(*cosigners, time=time)),
        (ends[0], ends[1]),
        (NOON + 60, NOON + 999),
    )


def test_a_later_seal_that_is_no_higher_proves_that_the_log_went_back() -> None:
    assert says(check(back(HIGH, AGAIN))) == ("proved", "evidence-rollback-proved")


def test_two_seals_by_two_keys_prove_of_nobody_that_it_went_back() -> None:
    """An operator that was succeeded had sealed more than was ever final."""
    old = Log([seal(height, NOON + height) for height in range(6)])
    new = Log([*old.entries[:3], seal(3, NOON + 600, key("next"))], key("next"))
    notes, seals = (old.note(), new.note()), (old.logged(5), new.logged(3))
    report = check(evidence.rollback(notes, seals, (NOON, NOON + 600)), LATER)
    assert says(report) == ("stated", "evidence-rollback-stated")


def test_a_cosigner_that_signs_less_at_a_later_time_went_back() -> None:
    report = check(back(HIGH, LOW, "auditor-1", "auditor-2", time=NOON + 1), QUORUM)
    assert says(report) == ("proved", "evidence-rollback-cosigned")
    assert report.facts["cosigners"] == "auditor-1"
    # Not one that did so before, or at the same time.
    earlier = check(back(HIGH, LOW, "auditor-1", time=NOON), QUORUM)
    assert says(earlier) == ("stated", "evidence-rollback-stated")


def test_that_less_was_shown_later_is_the_word_of_whoever_says_so() -> None:
    for seals in (True, False):
        report = check(back(HIGH, LOW, seals=seals))
        assert says(report) == ("stated", "evidence-rollback-stated")
        assert "2026-03-02T04:01:00Z" in report.text("en")


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        (back(LOW, HIGH), "evidence-rollback: evidence-one-history"),
        (back(HIGH, HIGH), "evidence-rollback: evidence-one-history"),
        ({**back(HIGH, LOW), "seen": [NOON]}, "form: field-type"),
        ({**back(HIGH, LOW), "seen": [NOON, None]}, "form: field-type"),
    ],
)
def test_forged_evidence_of_going_back_is_refused(forged: Json, reason: str) -> None:
    assert failure(forged) == reason


def test_another_seal_than_the_last_entry_shows_nothing() -> None:
    forged = back(HIGH, AGAIN)
    forged["seals"][1] = AGAIN.logged(1)
    assert check(forged).verdict == "invalid"
    forged["seals"][1] = HIGH.logged(3)
    assert failure(forged) == "evidence-entry: inclusion-invalid"


# --- standing still ---


def frozen(*cosigners: str, seen: int = NOON + 901, time: int = NOON) -> Json:
    return evidence.freeze(LOW.note(*cosigners, time=time), LOW.logged(1), seen, 900)


def test_that_nothing_newer_was_shown_is_stated() -> None:
    report = check(frozen("auditor-1"), QUORUM)
    assert says(report) == ("stated", "evidence-freeze-stated")
    assert "2026-03-02T04:15:01Z" in report.text("en")


def test_cosigners_date_what_they_were_given() -> None:
    report = check(frozen("auditor-1", time=NOON + 901), QUORUM)
    assert says(report) == ("stated", "evidence-freeze-cosigned")
    assert report.facts["names"] == "auditor-1"


@pytest.mark.parametrize("change", [{"seen": NOON + 900}, {"bound": 0}, {"bound": 10**6}])
def test_a_seal_that_is_not_too_old_is_no_freeze(change: Json) -> None:
    assert failure({**frozen(), **change}) == "evidence-freeze: evidence-fresh"


# --- an entry that is wrong ---


def wrong(code: str, log: Log, index: int, before: int | None, **more: Any) -> Json:
    return evidence.wrong_entry(
        VerificationError(code),
        log.note(),
        log.logged(index),
        seal=log.logged(_size(log) - 1),
        before=None if before is None else log.logged(before),
        seen=more.get("seen"),
    )


NEXT = seal(2, NOON - 1)
SKIPS = seal(3, NOON)
CHANGED = seal(2, register="1" * 64)
PROVED = {
    "seal-backdated": wrong("seal-backdated", Log([seal(1), b"", NEXT]), 2, 0),
    "seal-out-of-order": wrong("seal-out-of-order", Log([seal(1), SKIPS]), 1, 0),
    "seal-register": wrong("seal-register", Log([seal(1), CHANGED]), 1, 0),
    "seal-not-last": wrong("seal-not-last", Log([seal(1), world().statements[2].data]), 1, 0),
    "cbor-not-canonical": wrong("cbor-not-canonical", Log([seal(1), b"", seal(2)]), 1, 0),
}


@pytest.mark.parametrize("name", PROVED)
def test_what_the_entry_and_the_seal_before_show(name: str) -> None:
    assert says(check(PROVED[name])) == ("proved", "evidence-entry-proved")


STATED = {
    "entries between two seals": wrong("seal-register", Log([seal(1), b"", CHANGED]), 2, 0),
    "seals between two seals": wrong("seal-out-of-order", Log([seal(1), b"", SKIPS]), 2, 0),
    "no seal before": wrong("seal-backdated", Log([seal(1), NEXT]), 1, None),
    "a reason that only the rules know": wrong("role-missing", Log([seal(1), seal(2)]), 1, 0),
    "nothing at all": {**wrong("entry-differs", ONE, 1, None), "entry": None, "seal": None},
}


@pytest.mark.parametrize("name", STATED)
def test_what_only_a_replay_can_tell_is_stated(name: str) -> None:
    forged = STATED[name]
    if name == "nothing at all":
        assert forged["entry"] is None
    assert says(check(forged)) == ("stated", "evidence-entry-stated")


CODES = (
    *("seal-not-last", "seal-backdated", "seal-out-of-order", "seal-register"),
    *("statement-expired", "statement-other-ledger", "cbor-not-canonical"),
)


def _claims() -> Iterator[tuple[str, Json]]:
    """Everything that can be said against an honest ledger by its own entries."""
    with ledger().city.store.snapshot() as snapshot:
        statements = [snapshot.statement(index) for index in range(snapshot.state().index)]
    log = Log([statement.data for statement in statements])
    seals = [index for index, statement in enumerate(statements) if statement.kind == "seal"]
    for index in range(1, len(statements)):
        for before in (None, *seals):
            for code in CODES:
                yield code, wrong(code, log, index, before)


def test_an_honest_ledger_is_never_shown_to_have_done_anything() -> None:
    verdicts = {check(claim).verdict for _, claim in _claims()}
    assert verdicts == {"stated", "invalid"}


def test_what_was_seen_instead_shows_a_fork() -> None:
    path = inclusion_path(leaf_hashes(OTHER.entries), 2)
    seen = evidence.seen_instead(OTHER.note(), 2, OTHER.leaves[2], path)
    shown = wrong("entry-rewritten", ONE, 2, None, seen=seen)
    assert says(check(shown)) == ("proved", "evidence-fork-proved")
    same = evidence.seen_instead(ONE.note(), 2, ONE.leaves[2], inclusion_path(ONE.leaves, 2))
    assert failure({**shown, "seen": same}) == "evidence-rewritten: evidence-one-history"
    assert failure({**shown, "seen": {**seen, "index": 1}}) == (
        "evidence-rewritten: inclusion-invalid"
    )
    moved = evidence.seen_instead(OTHER.note(), 3, OTHER.leaves[3], inclusion_path(OTHER.leaves, 3))
    assert failure({**shown, "seen": moved}) == "evidence-rewritten: bundle-incomplete"


# --- whatever a file says ---

ODD: tuple[Any, ...] = (None, True, -1, 2**70, "", "x", "0" * 64, [], [None], {})
SOUND = {"fork": FORK, "back": back(HIGH, AGAIN), "freeze": frozen(), **PROVED}


def odd(value: Any) -> Iterator[Any]:
    """The value with something else in each place of it, one at a time."""
    yield from ODD
    if not isinstance(value, (dict, list)):
        return
    for name, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        for changed in odd(item):
            other = copy.copy(value)
            other[name] = changed
            yield other


@pytest.mark.parametrize("name", SOUND)
def test_a_file_with_anything_else_in_it_is_read_or_refused(name: str) -> None:
    free = ("error", "seen", "seal", "seals", "before", "bound")
    for forged in odd(SOUND[name]):
        report = check_any(forged)
        if report.verdict == "proved":
            # What it does not rest on may say anything.
            assert {n: v for n, v in forged.items() if n not in free} == {
                n: v for n, v in SOUND[name].items() if n not in free
            }


def check_any(value: Any) -> Report:
    return check(json.dumps(value).encode())


# --- the command ---


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [(FORK, 0, "PROVED."), (frozen(), 1, "STATED."), ({**FORK, "path": []}, 1, "INVALID.")],
)
def test_the_command(
    given: Json, status: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, policy = tmp_path / "evidence.json", tmp_path / "policy"
    file.write_text(json.dumps(given), "utf-8")
    policy.write_text(f"log {LOG_VKEY}\nquorum none\n", "utf-8")
    assert main(["check", str(file), "--policy", str(policy), "--lang", "en"]) == status
    assert capsys.readouterr().out.splitlines()[-1].startswith(says)
    assert main(["check", str(file), "--policy", str(policy), "--json"]) == status
    assert json.loads(capsys.readouterr().out)["text"]["zh"]
    assert PLAIN.quorum == "none"
