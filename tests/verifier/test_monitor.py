"""The monitor: one history or an alarm, whatever single places show."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import LOG_VKEY, PLAIN, QUORUM, check, ledger
from support.city import NOON, key
from support.dishonest import ACTS, Files, MemorySource, published
from support.logs import Log, seal

import verifier.cli
from chain.paths import CHECKPOINT
from keys.catalogue import LANGUAGES
from keys.errors import Malformed, Unreadable, VerificationError
from keys.notes import NoteKey, NoteSignature, format_note, parse_note
from verifier.cli import main
from verifier.monitor import (
    OPEN_MAX,
    STATE,
    Look,
    Monitor,
    Place,
    bundle_place,
    note_place,
    source_place,
    witness_place,
)
from verifier.policy import parse_policy

LATER = NOON + 3_600


class Shown:
    """A monitor whose places a test fills with what they show."""

    def __init__(self, folder: Path, *names: str, **more: Any) -> None:
        self.folder = folder
        self.files: dict[str, Files] = {name: {} for name in names}
        self.more = {"policy": PLAIN, **more}
        self.now = LATER

    def places(self) -> Iterable[Place]:
        for name in self.files:
            source = MemorySource(self.files[name])
            yield (witness_place if "witness" in name else source_place)(name, source)

    def look(self, *more: Place, **files: Files) -> Look:
        """One look, by a process of its own."""
        self.files.update(files)
        given = dict(self.more)
        policy, places = given.pop("policy"), [*self.places(), *more]
        return Monitor(policy, places, self.folder, lambda: self.now, **given).look()


def kinds(look: Look) -> list[str]:
    """The alarms of a look, each with its verdict; all that they say is checked again."""
    for alarm in look.alarms:
        again = check(alarm.path.read_bytes(), QUORUM)
        assert (again.verdict, again.facts["evidence"]) == (
            alarm.report.verdict,
            alarm.report.facts["evidence"],
        )
        assert all("{" not in alarm.text(lang) for lang in LANGUAGES)
    assert json.loads(json.dumps(look.as_json()))["format"] == "tally-monitor/1"
    return [f"{alarm.report.facts['evidence']}: {alarm.report.verdict}" for alarm in look.alarms]


def troubles(look: Look) -> list[tuple[str, str]]:
    return [(trouble.place, trouble.error.code) for trouble in look.troubles]


def grown(count: int, tail: Iterable[bytes] = (), step: int = 60) -> Log:
    """A log of so many seals, and what comes after them."""
    return Log([*(seal(height, NOON + step * height) for height in range(count)), *tail])


# --- one history ---


def test_places_that_show_one_history(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "a", "b", "witness")
    look = shown.look(a=grown(5).files(), b=grown(3).files(), witness=grown(4).files())
    assert (kinds(look), troubles(look)) == ([], [])
    [line] = look.lines("en")
    assert line.startswith("One history of ledger.example/city, as far as 3 places show: up to 5")
    for size in (6, 300, 700):
        look = shown.look(a=grown(size).files(), b=grown(size - 1).files())
        assert (kinds(look), troubles(look)) == ([], [])


@pytest.mark.parametrize("count", [1, 2])
def test_a_place_that_is_away_or_broken_stops_no_other(count: int, tmp_path: Path) -> None:
    log = grown(300)
    broken = {path: bytes(len(data)) for path, data in log.files().items()}
    tiles = {**broken, CHECKPOINT: log.note()}
    other = Log(log.entries, origin="other.example/log")
    shown = Shown(tmp_path, "a", "away", "broken", "tiles", "other")
    for _ in range(count):
        look = shown.look(a=log.files(), broken=broken, tiles=tiles, other=other.files())
    assert kinds(look) == []
    assert troubles(look) == [
        ("away", "source-missing"),
        ("broken", "note-malformed"),
        ("tiles", "log-root-differs"),
        ("other", "checkpoint-log-unknown"),
    ]
    # The checkpoint counts also where the tiles are not its own.
    assert [one.place for one in look.seen] == ["a", "tiles"]
    assert len(look.lines("zh")) == 5


def test_where_nobody_shows_anything_nothing_is_decided(tmp_path: Path) -> None:
    look = Shown(tmp_path, "a").look()
    assert (look.seen, kinds(look)) == ([], [])
    assert "source-missing" in troubles(look)[0]


def test_a_policy_may_know_other_logs_and_a_monitor_follows_one(tmp_path: Path) -> None:
    other = Log(grown(3).entries, key("other"), "other.example/log")
    vkey = NoteKey(other.origin, other.signer.public, cosigner=False).vkey
    both = parse_policy(f"log {LOG_VKEY}\nlog {vkey}\nquorum none\n".encode())
    shown = Shown(tmp_path, "a", "other", policy=both)
    for _ in range(2):
        look = shown.look(a=grown(3).files(), other=other.files())
        assert (kinds(look), troubles(look)) == ([], [("other", "checkpoint-other-log")])


WALKS = st.lists(st.tuples(st.sampled_from(["a", "b", "witness"]), st.integers(0, 40)), max_size=12)


@given(WALKS)
def test_places_of_one_history_never_raise_an_alarm(
    tmp_path_factory: pytest.TempPathFactory, walks: list[tuple[str, int]]
) -> None:
    shown = Shown(tmp_path_factory.mktemp("monitor"), "a", "b", "witness")
    sizes = dict.fromkeys(shown.files, 0)
    for name, more in walks:
        sizes[name] += more
        # Now and then a place is away.
        look = shown.look(**{name: grown(sizes[name]).files() if more % 7 else {}})
        assert kinds(look) == []


# --- forks ---

TAILS = st.lists(st.sampled_from([b"a", b"b"]), max_size=4)


@given(TAILS, TAILS, st.booleans(), st.booleans(), st.integers(1, 300))
def test_two_histories_raise_an_alarm_wherever_they_are_shown(
    tmp_path_factory: pytest.TempPathFactory,
    one: list[bytes],
    other: list[bytes],
    at_once: bool,
    by_witness: bool,
    common: int,
) -> None:
    first, second = grown(common, one), grown(common, other)
    name = "witness" if by_witness else "b"
    shown = Shown(tmp_path_factory.mktemp("monitor"), "a", name)
    if not at_once:
        assert kinds(shown.look(a=first.files())) == []
    look = shown.look(a=first.files(), **{name: second.files()})
    size = min(len(first.entries), len(second.entries))
    forks = first.root(size) != second.root(size)
    assert kinds(look) == (["fork: proved"] if forks else [])
    if forks:
        assert look.alarms[0].places == ("a", name)


def test_lines_of_strangers_hide_no_fork(tmp_path: Path) -> None:
    """As many and as long as a note may have: the evidence of two such notes can be checked."""
    strangers = [NoteSignature("é" * 5_000, bytes([n]) * 4, b"x") for n in range(99)]
    shown = Shown(tmp_path, "a", "b")
    for place, tail in (("a", b"x"), ("b", b"y")):
        files = grown(4, [tail]).files()
        note = parse_note(files[CHECKPOINT])
        long = format_note(replace(note, signatures=(*note.signatures, *strangers)))
        shown.files[place] = {**files, CHECKPOINT: long}
    assert kinds(shown.look()) == ["fork: proved"]


def test_a_place_that_changes_its_history(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "a")
    assert kinds(shown.look(a=grown(5).files())) == []
    rewritten = grown(4, [b"x", *grown(9).entries[5:]])
    look = shown.look(a=rewritten.files())
    assert kinds(look) == ["fork: proved"]
    [first] = look.alarms
    # It stays an alarm, with the evidence that was found first, while the fork goes on.
    evidence = first.path.read_bytes()
    look = shown.look(a=grown(4, [b"x", *grown(12).entries[5:]]).files())
    assert kinds(look) == ["fork: proved"]
    assert look.alarms[0].path.read_bytes() == evidence
    assert len(list(tmp_path.glob("fork-*"))) == 1


def test_a_checkpoint_is_compared_when_a_source_comes_that_can(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "a", "witness")
    fork = grown(4, [b"x"])
    look = shown.look(witness=fork.files())
    assert kinds(look) == []
    # Until then nobody is told that there is one history.
    assert [place["compared"] for place in look.as_json()["places"]] == [False]
    assert look.lines("en")[-1] == "Not compared with any source's log yet: what witness shows."
    assert kinds(shown.look(witness=grown(3).files())) == ["rollback: stated"]
    # The witness shows something else by now; what it showed is not forgotten.
    look = shown.look(witness=grown(6).files(), a=grown(6).files())
    assert kinds(look) == ["fork: proved"]


def test_what_cannot_be_compared_is_bounded(tmp_path: Path) -> None:
    shown = Shown(tmp_path)
    notes = []
    for size in range(1, 4):
        (tmp_path / f"note-{size}").write_bytes(grown(size).note())
        notes.append(note_place(tmp_path / f"note-{size}"))
    assert kinds(shown.look(*notes)) == []
    assert len(json.loads((tmp_path / STATE).read_bytes())["open"]) == 3 <= OPEN_MAX
    shown.files["a"] = {}
    assert kinds(shown.look(a=grown(3).files())) == []
    assert json.loads((tmp_path / STATE).read_bytes())["open"] == []


def test_notes_and_bundles_that_somebody_was_given(tmp_path: Path) -> None:
    lie = ACTS["forks for one reader"]()
    assert lie.before is not None
    note, bundle = tmp_path / "note", tmp_path / "bundle.json"
    note.write_bytes(lie.files[CHECKPOINT])
    bundle.write_text(json.dumps(lie.bundle), "utf-8")
    for number, place in enumerate((note_place(note), bundle_place(bundle))):
        shown = Shown(tmp_path / str(number), "a")
        look = shown.look(place, a=lie.before)
        assert kinds(look) == ["fork: proved"]
        assert set(look.alarms[0].places) == {"a", place.name}
    bundle.write_text("{}", "utf-8")
    look = Shown(tmp_path / "2", "a").look(
        bundle_place(bundle), note_place(tmp_path / "none"), a=lie.before
    )
    assert [code for _, code in troubles(look)] == ["field-missing", "file-unreadable"]


def test_cosigners_of_both_branches_are_named(tmp_path: Path) -> None:
    one, other = grown(4, [b"x"]), grown(4, [b"y"])
    shown = Shown(tmp_path, "a", "b", policy=QUORUM)
    look = shown.look(a=one.files("auditor-1", "auditor-2"), b=other.files("auditor-2"))
    assert kinds(look) == ["fork: proved"]
    assert look.alarms[0].report.facts["cosigned_both"] == ["auditor-2"]


@pytest.mark.parametrize(
    "name",
    ["forks for one reader", "drops a statement that was seen, and seals anew"],
)
def test_a_dishonest_operators_fork(name: str, tmp_path: Path) -> None:
    lie = ACTS[name]()
    assert lie.before is not None
    # Shown to two, or first the one and then the other to one; with tiles of one branch alone.
    assert kinds(Shown(tmp_path / "1", "a", "b").look(a=lie.before, b=lie.files)) == [
        "fork: proved"
    ]
    shown = Shown(tmp_path / "2", "a")
    assert kinds(shown.look(a=lie.before)) == []
    assert kinds(shown.look(a=lie.files)) in (["fork: proved"], ["rollback: stated"])


# --- rollback and freeze ---


def test_a_place_that_shows_less_than_before(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "a")
    shown.look(a=grown(9).files())
    shown.now += 60
    look = shown.look(a=grown(4).files())
    assert kinds(look) == ["rollback: stated"]
    assert look.alarms[0].places == ("a",)
    shown.now += 60
    assert kinds(shown.look()) == ["rollback: stated"]
    assert len(list(tmp_path.glob("rollback-*"))) == 1
    # Once it has caught up, all is well.
    assert kinds(shown.look(a=grown(9).files())) == []


def test_a_log_that_went_back_and_on_again_is_proved_by_its_seals(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "a")
    shown.look(a=grown(9).files())
    again = Log([*grown(4).entries, seal(4, NOON + 9_000)])
    look = shown.look(a=again.files())
    assert kinds(look) == ["rollback: proved"]


def test_a_seal_that_is_too_old(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "a", "b", freeze=900)
    shown.now = NOON + 60 * 8 + 900
    assert kinds(shown.look(a=grown(9).files(), b=grown(9).files())) == []
    shown.now += 1
    look = shown.look(b=grown(10).files())
    assert kinds(look) == ["freeze: stated"]
    assert look.alarms[0].places == ("a",)
    shown.now += 600
    assert len(kinds(shown.look())) == 2
    assert len(list(tmp_path.glob("freeze-*"))) == 2
    assert kinds(shown.look(a=Log([b"no seal"]).files(), b={})) == ["rollback: stated"]


# --- with replay ---


def test_a_register_root_that_does_not_follow_raises_an_alarm(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "a", "b", replay=True)
    honest = published(ledger().city)
    lie = ACTS["seals a register with a span removed"]()
    for _ in range(2):
        look = shown.look(a=lie.files, b=honest)
        found = {alarm.places: alarm.report for alarm in look.alarms}
        entry = found["a",]
        assert (entry.verdict, entry.facts["error"]) == ("stated", "seal-register")
        assert ("b",) not in found
    without = Shown(tmp_path / "without", "a").look(a=lie.files)
    assert kinds(without) == []


def test_what_an_audit_cannot_show_is_trouble(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "a", replay=True)
    files = published(ledger().city)
    reduced = {path: data for path, data in files.items() if not path.startswith("tile/entries")}
    assert troubles(shown.look(a=reduced))
    look = shown.look(a=files)
    assert (kinds(look), troubles(look)) == ([], [])


# --- what is kept ---


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"format": 2}'])
def test_a_state_that_is_damaged_is_not_built_upon(content: bytes, tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(Malformed):
        Shown(tmp_path, "a").look()


def test_a_state_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unreadable):
        Shown(tmp_path / "file", "a").look()


def test_a_state_of_a_log_that_the_policy_does_not_trust(tmp_path: Path) -> None:
    Shown(tmp_path, "a").look(a=grown(3).files())
    stranger = Log(grown(3).entries, key("stranger"))
    state = json.loads((tmp_path / STATE).read_bytes())
    state["head"][0]["note"] = stranger.note().decode()
    (tmp_path / STATE).write_text(json.dumps(state), "utf-8")
    with pytest.raises(VerificationError):
        Shown(tmp_path, "a").look()


# --- the command ---


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy"
    path.write_text(f"log {LOG_VKEY}\nquorum none\n", "utf-8")
    return path


def written(files: Files, folder: Path) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def run(capsys: pytest.CaptureFixture[str], *given: object) -> tuple[int, list[str]]:
    status = main(["monitor", *map(str, given)])
    return status, capsys.readouterr().out.splitlines()


def test_the_command(policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = written(grown(5).files(), tmp_path / "a"), written(grown(4).files(), tmp_path / "b")
    given = ("--policy", policy, "--state", tmp_path / "state", "--lang", "en")
    status, lines = run(capsys, "--source", a, "--witness", b, *given)
    assert status == 0 and lines[0].startswith("One history")
    (b / CHECKPOINT).write_bytes(grown(3, [b"x"]).note())
    status, lines = run(capsys, "--source", a, "--witness", b, *given)
    assert status == 1
    # It contradicts what it has shown itself, and what the other shows.
    assert lines[0].startswith(f"ALARM from {b}. PROVED.")
    assert lines[1].startswith(f"ALARM from {a}, {b}. PROVED.")
    evidence = lines[1].rpartition(" ")[2].rstrip(".")
    assert main(["check", evidence, "--policy", str(policy)]) == 0
    capsys.readouterr()
    status, lines = run(capsys, "--source", a, "--witness", b, *given, "--json")
    assert (status, json.loads(lines[0])["alarms"][0]["kind"]) == (1, "fork")


def test_the_command_where_nothing_is_decided(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--policy", policy, "--state", tmp_path / "state", "--lang", "en")
    assert run(capsys, *given)[0] == 2
    for seconds in ("0", "-1", "x"):
        with pytest.raises(SystemExit):
            run(capsys, "--note", tmp_path / "none", *given, "--freeze", seconds)
    capsys.readouterr()
    status, lines = run(capsys, "--note", tmp_path / "none", *given)
    assert status == 3 and "shows nothing of use" in lines[0]
    assert run(capsys, "--source", tmp_path / "none", *given)[0] == 3
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").write_bytes(b"")
    assert run(capsys, "--note", tmp_path / "none", *given)[0] == 3


def test_the_command_again_and_again(
    policy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "a"
    shows = iter([grown(4), grown(4), grown(5), grown(4, [b"x", b"y"])])

    def sleep(seconds: float) -> None:
        assert seconds == 7
        log = next(shows, None)
        if log is None:
            raise KeyboardInterrupt
        written(log.files(), folder)

    monkeypatch.setattr(verifier.cli.time, "sleep", sleep)
    written(grown(3).files(), folder)
    given = ("--source", folder, "--policy", policy, "--state", tmp_path / "state", "--every", 7)
    status, lines = run(capsys, *given, "--lang", "en")
    assert status == 1
    assert [line.split()[0] for line in lines] == ["One", "One", "One", "ALARM"]
