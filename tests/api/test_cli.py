"""The command line, through its one entry: what it does, what it says, and how it ends."""

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from merkletools import MerkleTools
from support.commands import Run, copy_folder, set_up

from api import cli
from chain import kernel
from verifier.check import check_file
from verifier.policy import parse_policy

pytestmark = pytest.mark.usefixtures("database")

NOW = "2026-03-03T09:00:00+08:00"
LATER = "2026-03-03T12:00:00+08:00"
DAY = "2026-03-02"
NOON = "2026-03-02T12:00:00+08:00"
SCENARIOS = {
    "city-bus": "bus-ride-by-code",
    "city-bike": "bike-share-trip",
    "city-plate": "clean-plate",
}
PERSON = "ab" * 16


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    set_up(monkeypatch, tmp_path, NOW)
    return Run(capsys)


def write_scenario(name: str, **more: object) -> str:
    document = {
        "format": 1,
        "id": name,
        "title": {"en": name, "zh": name},
        "region": "city",
        "methodology": SCENARIOS[name],
        "owner": "governor",
        "platforms": ["metro-app", "pay-app"],
        "authority": "governor",
        "crediting": {"from": "2026-01-01", "to": "2030-12-31"},
        **more,
    }
    Path(f"{name}.json").write_text(json.dumps(document), "utf-8")
    return f"{name}.json"


def ride(number: int, start: int, ticket: int | None = None, **more: object) -> dict[str, Any]:
    return {
        "format": 1,
        "id": f"ride-{number}",
        "scenario": "city-bus",
        "start": start,
        "end": start,
        "subject": f"{number:032x}",
        "ticket": {"issuer": "city-bus", "number": f"{ticket or number:032x}"},
        "evidence": {"tier": "platform-record", "digest": "0" * 64},
        "authorisation": "0" * 64,
        "nonce": f"{number:032x}",
        **more,
    }


def write_lines(name: str, *activities: object) -> str:
    text = "".join(
        (item if isinstance(item, str) else json.dumps(item)) + "\n" for item in activities
    )
    Path(name).write_text(text, "utf-8")
    return name


MORNING = 1_772_413_200  # 2026-03-02 09:00 in the city


FOUND = (
    *("init", "city", "--origin", "ledger.example/city", "--first-day", "2026-03-01"),
    *("--issuer", "ticket=city-bus", "--issuer", "order=canteen"),
    *(option for name in SCENARIOS.values() for option in ("--methodology", name)),
)


@pytest.fixture
def found(run: Run) -> Run:
    """A ledger with an operator and a governor."""
    run(*FOUND)
    return run


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, database: str) -> Path:
    """A folder with a ledger, two platforms and three scenarios, made once."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as monkeypatch:
        set_up(monkeypatch, folder, NOW)
        assert cli.main(FOUND) == 0
        for name in ("metro-app", "pay-app"):
            enrol = ("enrol", "city", name, "--role", "platform", "--by", "governor")
            assert cli.main(enrol) == 0
        for name in SCENARIOS:
            document = write_scenario(name)
            assert cli.main(("publish", "scenario", "city", document, "--by", "governor")) == 0
    return folder


@pytest.fixture
def town(run: Run, built: Path, tmp_path: Path) -> Run:
    """A ledger with two platforms and three scenarios."""
    copy_folder(built, tmp_path)
    return run


def verdict(bundle: str, policy: str = "city/policy") -> str:
    return check_file(Path(bundle).read_bytes(), parse_policy(Path(policy).read_bytes())).verdict


def answers(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text("utf-8").splitlines()]


# --- the way from a platform's activities to a proof ---


def test_two_platforms_report_and_what_is_reported_twice_is_refused(town: Run) -> None:
    town("key", "secret", "secret")
    made = town.json(
        *("convert", "synthetic", "--day", DAY, "--count", 120, "--seed", 3),
        *("--secret-file", "secret", "--out", "activities"),
    )
    assert made["synthetic"] is True
    first, second = made["counts"]["metro-app"], made["counts"]["pay-app"]
    one = town.json("submit", "city", "activities/metro-app.ndjson", "--as", "metro-app")
    assert (one["recorded"], one["refused"]) == (first, 0)
    two = town.json("submit", "city", "activities/pay-app.ndjson", "--as", "pay-app")
    assert made["shared"] > 0
    assert (two["recorded"], two["refused"]) == (second - made["shared"], made["shared"])
    assert {refusal["code"] for refusal in two["refusals"]} == {"span-taken"}
    assert {refusal["platform"] for refusal in two["refusals"]} == {"metro-app"}
    status = town.json("status", "city")
    assert (status["recorded"], status["refused"]) == (
        first + second - made["shared"],
        made["shared"],
    )
    met = two["refusals"][0]["met"]
    town(
        *("prove", "span", "city", "--line", met["line"], "--start", met["start"] + 5),
        *("--out", "held.json"),
    )
    assert verdict("held.json") == "provisional"


def test_a_refusal_names_the_local_time_and_the_platform(town: Run) -> None:
    town("submit", "city", write_lines("one", ride(1, MORNING)), "--as", "metro-app")
    again = write_lines("two", ride(1, MORNING + 20), ride(2, MORNING, ticket=1))
    out = town("submit", "city", again, "--as", "pay-app")
    assert "the stretch 08:59:00 to 09:06:00 is already claimed by a reduction of metro-app" in out
    assert "This ticket is already claimed by a reduction of metro-app." in out
    assert "tally prove span city --line" in out
    assert town.err == ""


def test_sending_a_file_again_makes_no_second_entry(town: Run) -> None:
    lines = write_lines("rides", *(ride(number, MORNING) for number in range(1, 8)))
    town("submit", "city", lines, "--as", "metro-app", "--batch", 3)
    size = town.json("status", "city")["size"]
    again = town.json("submit", "city", lines, "--as", "metro-app", "--answers", "answers")
    assert (again["recorded"], again["known"], again["submissions"]) == (0, 7, [])
    assert town.json("status", "city")["size"] == size
    assert {row["outcome"] for row in answers("answers")} == {"recorded before"}
    more = write_lines("more", *(ride(number, MORNING) for number in range(1, 10)))
    grown = town.json("submit", "city", more, "--as", "metro-app")
    assert (grown["recorded"], grown["known"]) == (2, 7)


def test_what_waits_is_sealed_later_and_not_sent_twice(town: Run) -> None:
    lines = write_lines("rides", ride(1, MORNING), ride(2, MORNING))
    sent = town.json("submit", "city", lines, "--as", "metro-app", "--no-seal")
    assert (sent["waiting"], sent["submissions"][0]["index"]) == (2, None)
    again = town.json("submit", "city", lines, "--as", "metro-app", "--no-seal")
    assert (again["known"], again["submissions"]) == (2, [])
    assert town.json("status", "city")["waiting"] == 1
    [block] = town.json("seal", "city")["blocks"]
    status = town.json("status", "city")
    assert (status["recorded"], status["waiting"]) == (2, 0)
    assert (status["height"], status["size"]) == (block["height"], block["size"])
    assert town.json("seal", "city")["blocks"] == []


def test_activities_that_earn_nothing_are_reported_and_left_out(town: Run) -> None:
    lines = write_lines(
        "rides",
        ride(1, MORNING),
        "{",
        ride(3, MORNING, scenario="no-such"),
        ride(4, MORNING, evidence={"tier": "hearsay", "digest": "0" * 64}),
        ride(5, MORNING),
    )
    done = town.json("submit", "city", lines, "--as", "metro-app", "--answers", "answers")
    assert (done["lines"], done["recorded"], done["refused"]) == (5, 2, 0)
    assert [(item["line"], item["error"]["code"]) for item in done["left_out"]] == [
        (2, "json-invalid"),
        (3, "scenario-not-in-force"),
        (4, "tier-not-counted"),
    ]
    assert [(row["line"], row["outcome"]) for row in answers("answers")] == [
        (1, "recorded"),
        (5, "recorded"),
    ]
    town("submit", "city", write_lines("none", "{"), "--as", "metro-app", expected=1)


def test_a_void_frees_the_stretch_for_anyone(town: Run) -> None:
    lines = write_lines("rides", ride(1, MORNING), ride(2, MORNING))
    town("submit", "city", lines, "--as", "metro-app", "--answers", "answers")
    leaf, kept = (row["leaf"] for row in answers("answers"))
    town("void", "city", leaf, "--as", "pay-app", "--reason", "not mine", expected=1)
    town("void", "city", leaf, "--as", "metro-app", "--reason", "a mistake")
    assert town.json("show", "reduction", "city", leaf)["voided"] is not None
    town("prove", "reduction", "city", leaf, expected=2)
    town("void", "city", leaf, "--as", "metro-app", "--reason", "once more", expected=1)
    other = town.json("submit", "city", lines, "--as", "pay-app")
    assert (other["recorded"], other["refused"]) == (1, 1)
    town("prove", "reduction", "city", kept, "--out", "bundle.json")
    assert verdict("bundle.json") == "provisional"


# --- proofs ---


@pytest.fixture
def recorded(town: Run) -> str:
    """The leaf hash of a recorded ride."""
    rides = [ride(number, MORNING) for number in range(1, 6)]
    town("submit", "city", write_lines("rides", *rides), "--as", "metro-app", "--answers", "out")
    leaf: str = answers("out")[2]["leaf"]
    return leaf


@pytest.mark.parametrize("more", [[], ["--disclose"]])
def test_a_bundle_is_valid_until_it_is_touched(run: Run, recorded: str, more: list[str]) -> None:
    run("prove", "reduction", "city", recorded, "--out", "bundle.json", *more)
    assert "tally-verify check bundle.json --policy city/policy" in run.out
    assert verdict("bundle.json") == "provisional"
    bundle = json.loads(Path("bundle.json").read_text("utf-8"))
    assert (bundle["activity"] is not None) == bool(more)
    bundle["reduction"]["position"] = 3
    Path("changed.json").write_text(json.dumps(bundle), "utf-8")
    assert verdict("changed.json") == "invalid"


def test_without_a_file_a_proof_stands_alone_on_standard_output(run: Run, recorded: str) -> None:
    assert json.loads(run("prove", "reduction", "city", recorded))["kind"] == "reduction"
    assert run.json("prove", "reduction", "city", recorded)["kind"] == "reduction"


def test_merkletools_accepts_its_proof(run: Run, recorded: str) -> None:
    made = run.json("prove", "reduction", "city", recorded, "--format", "merkletools")
    tools = MerkleTools()
    tools.hash_function = lambda data: sha256(b"\x01" + data)
    assert made["target"] == recorded
    assert tools.validate_proof(made["proof"], made["target"], made["root"])
    assert not tools.validate_proof(made["proof"], made["target"], "00" * 32)


def test_a_span_and_a_free_stretch_are_proved_by_class_and_parts(run: Run, recorded: str) -> None:
    line = ("city", "traveller", f"{3:032x}")
    run("prove", "span", *line, "--start", "2026-03-02T09:01", "--out", "held.json")
    assert verdict("held.json") == "provisional"
    run(
        *("prove", "free", *line, "--start", NOON, "--end", "2026-03-02T13:00"),
        *("--out", "free.json"),
    )
    assert verdict("free.json") == "provisional"
    run("prove", "span", *line, "--start", NOON, expected=2)
    run("prove", "free", *line, "--start", MORNING, "--end", MORNING + 60, expected=1)
    run("prove", "free", *line, "--start", MORNING, "--end", MORNING + 90_000, expected=2)
    run("prove", "free", "city", "ticket", "city-bus", f"{9:032x}", "--out", "ticket.json")
    assert verdict("ticket.json") == "provisional"


def test_identifiers_stand_in_for_pseudonyms_with_the_secret(town: Run) -> None:
    town("key", "secret", "secret")
    Path("trips.csv").write_text(
        "starttime,stoptime,bikeid\n3/2/2026 9:00,3/2/2026 9:20,4711\n", "utf-8"
    )
    town(
        *("convert", "citibike", "trips.csv", "--zone", "+08:00", "--scenario", "city-bike"),
        *("--secret-file", "secret", "--out", "trips.ndjson"),
    )
    town("submit", "city", "trips.ndjson", "--as", "metro-app")
    named = ("city", "vehicle", "4711", "--secret-file", "secret")
    [span] = town.json("show", "line", *named, "--day", DAY)["spans"]
    assert (span["start"], span["platform"]) == (MORNING, "metro-app")
    town("prove", "span", *named, "--start", MORNING, "--out", "held.json")
    assert verdict("held.json") == "provisional"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["span", "city"], "line-missing"),
        (["span", "city", "traveller", PERSON], "day-missing"),
        (["span", "city", "traveller", PERSON, "--day", DAY], "start-missing"),
        (["free", "city", "cap", "eating", "day", PERSON], "day-missing"),
        (["free", "city", "traveller", PERSON, "--start", "noon"], "time-invalid"),
        (["free", "city", "cap", "x", "day", PERSON, "--day", DAY, "--start", "a"],
         "number-invalid"),
        (["free", "city", "--line", f"{1:032x}"], "hex-not-canonical"),
        (["reduction", "city", "ab" * 32], "reduction-unknown"),
    ],
)  # fmt: skip
def test_what_cannot_be_proved_is_said(found: Run, arguments: list[str], code: str) -> None:
    status = 1 if code == "hex-not-canonical" else 2
    error = found.json("prove", *arguments, expected=status)["error"]
    assert error["code"] == code


# --- governance and keys ---


def test_a_proposal_waits_for_its_threshold(run: Run) -> None:
    run(
        *("init", "city", "--origin", "ledger.example/city", "--threshold", 2),
        *("--governor", "first", "--governor", "second"),
    )
    proposed = run.json("enrol", "city", "metro-app", "--role", "platform", "--by", "first")
    assert (proposed["enacted"], proposed["threshold"]) == (False, 2)
    one = run.json("approve", "city", proposed["proposal"], "--by", "first")
    assert (one["enacted"], one["approvals"]) == (False, 1)
    again = ("approve", "city", proposed["proposal"], "--by", "first", "--now", LATER)
    assert run.json(*again, expected=1)["error"]["code"] == "approval-twice"
    two = run.json("approve", "city", proposed["proposal"], "--by", "second")
    assert two["enacted"] is True
    assert run.json("status", "city")["participants"]["metro-app"] == ["platform"]


def test_actions_of_a_file_are_proposed_and_approved(found: Run) -> None:
    Path("actions.json").write_text(
        '[{"action": "grant", "participant": "governor", "role": "verifier"}]', "utf-8"
    )
    proposed = found.json("propose", "city", "actions.json", "--by", "governor")
    assert found.json("status", "city")["proposals"] == [proposed["proposal"]]
    found("approve", "city", proposed["proposal"], "--by", "governor")
    status = found.json("status", "city")
    assert status["participants"]["governor"] == ["governor", "verifier"]
    assert status["proposals"] == []


def test_founding_actions_come_from_a_file(run: Run) -> None:
    run("key", "new", "auditor-one", "--keys", "elsewhere")
    key = run.json("key", "show", "auditor-one", "--keys", "elsewhere")["key"]
    action = {
        "action": "enrol",
        "participant": "auditor-one",
        "name": "One",
        "roles": ["auditor"],
        "key": key,
    }
    Path("founding.json").write_text(json.dumps([action]), "utf-8")
    run(
        *("init", "city", "--origin", "ledger.example/city", "--founding", "founding.json"),
        *("--methodology", "clean-plate", "--operator", "both", "--governor", "both"),
    )
    status = run.json("status", "city")
    assert status["participants"] == {"auditor-one": ["auditor"], "both": ["governor", "operator"]}
    assert status["methodologies"] == ["clean-plate"]


def test_a_participant_is_enrolled_by_its_public_key_alone(found: Run) -> None:
    found("key", "new", "pay-app", "--keys", "elsewhere")
    key = found.json("key", "show", "pay-app", "--keys", "elsewhere")["key"]
    Path("pay-app.json").write_text(json.dumps(key), "utf-8")
    found(
        *("enrol", "city", "pay-app", "--role", "platform", "--public", "pay-app.json"),
        *("--by", "governor"),
    )
    assert not Path("city-keys/pay-app.pem").exists()


def test_a_new_version_of_a_document_ends_the_one_in_force(town: Run) -> None:
    from chain.genesis import library

    document = json.loads(library()["bus-ride-by-code"])
    document |= {"version": 2, "grams": "90"}
    Path("bus-2.json").write_text(json.dumps(document), "utf-8")
    publish = ("publish", "methodology", "city", "bus-2.json", "--by", "governor", "--from")
    town(*publish, DAY, expected=1)
    town(*publish, "2026-03-05")
    changed = write_scenario("city-bus", platforms=["metro-app"])
    publish = ("publish", "scenario", "city", changed, "--by", "governor")
    town(*publish, expected=1)
    town(*publish, "--from", "2026-03-05")
    assert town.json("status", "city")["methodologies"] == sorted(SCENARIOS.values())


def test_an_issuer_counts_from_its_publication(town: Run) -> None:
    other = {"issuer": "ferry", "number": f"{1:032x}"}
    lines = write_lines("rides", ride(1, MORNING, ticket=None) | {"ticket": other})
    left = town.json("submit", "city", lines, "--as", "metro-app", expected=1)["left_out"]
    assert left[0]["error"]["code"] == "issuer-unknown"
    town("publish", "issuer", "city", "ticket", "ferry", "--by", "governor")
    assert town.json("submit", "city", lines, "--as", "metro-app")["recorded"] == 1


def test_a_rotated_key_signs_from_then_on(town: Run) -> None:
    before = town.json("key", "show", "metro-app", "--keys", "city-keys")["kid"]
    town("key", "rotate", "city", "metro-app", "--by", "governor")
    after = town.json("key", "show", "metro-app", "--keys", "city-keys")["kid"]
    assert before != after
    files = {path.name for path in Path("city-keys").glob("metro-app*")}
    assert len(files) == 2 and "metro-app.pem" in files and "metro-app.next.pem" not in files
    lines = write_lines("rides", ride(1, MORNING))
    assert town.json("submit", "city", lines, "--as", "metro-app")["recorded"] == 1


@pytest.mark.parametrize("now", [NOW, LATER], ids=["at once", "after an idle while"])
def test_the_operator_s_key_rotates_and_the_policy_follows(
    town: Run, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    monkeypatch.setenv("TALLY_NOW", now)
    before = Path("city/policy").read_text("utf-8")
    town("key", "rotate", "city", "operator", "--by", "governor")
    assert Path("city/policy").read_text("utf-8") != before
    lines = write_lines("rides", ride(1, MORNING))
    town("submit", "city", lines, "--as", "metro-app", "--answers", "out")
    town("prove", "reduction", "city", answers("out")[0]["leaf"], "--out", "bundle.json")
    assert verdict("bundle.json") == "provisional"
    Path("before").write_text(before, "utf-8")
    assert verdict("bundle.json", "before") == "invalid"
    assert town("show", "policy", "city").strip() == Path("city/policy").read_text().strip()


def test_a_rotation_that_awaits_approval_takes_effect_with_it(run: Run) -> None:
    run(
        *("init", "city", "--origin", "ledger.example/city", "--threshold", 2),
        *("--governor", "first", "--governor", "second"),
    )
    proposed = run.json("key", "rotate", "city", "second", "--by", "first")
    assert Path("city-keys/second.next.pem").exists()
    run("approve", "city", proposed["proposal"], "--by", "first")
    run("approve", "city", proposed["proposal"], "--by", "second")
    run(
        "propose",
        "city",
        write_lines(
            "actions",
            "[" + json.dumps({"action": "grant", "participant": "first", "role": "verifier"}) + "]",
        ),
        "--by",
        "second",
    )
    assert not Path("city-keys/second.next.pem").exists()


def test_a_revoked_key_signs_no_more(town: Run) -> None:
    town("key", "revoke", "city", "pay-app", "--by", "governor")
    lines = write_lines("rides", ride(1, MORNING))
    town("submit", "city", lines, "--as", "pay-app", expected=1)
    error = town.json("key", "revoke", "city", "operator", "--by", "governor", expected=2)
    assert error["error"]["code"] == "operator-key-needed"


def test_key_files_are_encrypted_private_and_never_overwritten(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("key", "new", "metro-app", "--keys", "keys")
    path = Path("keys/metro-app.pem")
    before = path.read_bytes()
    assert before.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert path.stat().st_mode & 0o077 == 0
    run("key", "new", "metro-app", "--keys", "keys", expected=2)
    run("key", "secret", "secret")
    run("key", "secret", "secret", expected=2)
    assert path.read_bytes() == before
    shown = run.json("key", "show", "metro-app", "--keys", "keys", "--origin", "ledger.example/a")
    assert shown["vkey"].startswith("ledger.example/a+")
    run("key", "show", "metro-app", expected=2)
    monkeypatch.setenv("TALLY_PASSPHRASE", "another")
    run("key", "show", "metro-app", "--keys", "keys", expected=3)
    monkeypatch.delenv("TALLY_PASSPHRASE")
    error = run.json("key", "show", "metro-app", "--keys", "keys", expected=2)["error"]
    assert error["code"] == "passphrase-missing"


def test_a_passphrase_is_asked_for_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []

    def prompt(question: str, **options: object) -> str:
        assert options["hide_input"] is True
        asked.append(question)
        return "from the terminal"

    monkeypatch.delenv("TALLY_PASSPHRASE")
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("typer.prompt", prompt)
    run("key", "new", "metro-app", "--keys", "keys")
    run("key", "show", "metro-app", "--keys", "keys")
    assert asked == ["Passphrase of metro-app.pem"] * 2


# --- offline ---


def test_check_says_what_each_line_earns(run: Run) -> None:
    lines = write_lines(
        "rides", ride(1, MORNING), ride(2, MORNING, evidence={"tier": "x", "digest": "0" * 64})
    )
    done = run.json("check", lines, "--methodology", "city-bus=bus-ride-by-code", expected=1)
    assert done["total"] == {"count": 1, "refused": 1, "grams": 80, "points": 10}
    assert done["issuers"] == {"ticket": ["city-bus"]}
    first, second = done["lines"]
    assert (first["grams"], first["points"], len(first["claims"])) == (80, 10, 2)
    assert second["error"]["code"] == "tier-not-counted"
    out = run("check", write_lines("one", ride(1, MORNING)), "--methodology", "bus-ride-by-code")
    assert "2026-03-02 08:59:00 – 09:06:00+08:00" in out
    other = ("check", lines, "--methodology", "city-bike=bike-share-trip")
    error = run.json(*other, expected=1)["lines"][0]["error"]
    assert error["code"] == "scenario-without-methodology"


# --- how it speaks and how it ends ---


def every_command(leaf: str) -> list[list[object]]:
    line = ["city", "traveller", f"{3:032x}", "--day", DAY]
    return [
        ["status", "city"],
        ["show", "block", "city"],
        ["show", "block", "city", 0],
        ["show", "statement", "city", 0],
        ["show", "reduction", "city", leaf],
        ["show", "line", *line],
        ["show", "line", "city", "books"],
        ["show", "policy", "city"],
        ["prove", "reduction", "city", leaf],
        ["prove", "span", *line, "--start", MORNING],
        ["prove", "free", *line, "--start", NOON],
        ["seal", "city"],
        ["key", "new", "someone", "--keys", "keys"],
        ["key", "show", "someone", "--keys", "keys"],
        ["key", "secret", "secret"],
        ["check", "rides", "--methodology", "bus-ride-by-code"],
        ["convert", "synthetic", "--day", DAY, "--secret-file", "secret", "--out", "made"],
        ["submit", "city", "rides", "--as", "metro-app"],
        ["enrol", "city", "third-app", "--role", "platform", "--by", "governor"],
        ["publish", "issuer", "city", "ticket", "ferry", "--by", "governor"],
        ["key", "rotate", "city", "third-app", "--by", "governor"],
        ["key", "revoke", "city", "third-app", "--by", "governor"],
        ["void", "city", leaf, "--as", "metro-app", "--reason", "test"],
    ]


def test_with_json_every_command_prints_one_document_and_nothing_else(
    run: Run, recorded: str
) -> None:
    for arguments in every_command(recorded):
        run.json(*arguments)
        assert run.err == "", arguments


def test_every_command_speaks_both_languages(run: Run, recorded: str) -> None:
    for arguments in every_command(recorded):
        # A proof on standard output is the same in every language.
        if arguments[0] != "prove":
            out = run(*arguments, "--lang", "zh")
            is_policy = arguments[:2] == ["show", "policy"]
            assert is_policy or any("\u4e00" <= char <= "\u9fff" for char in out), arguments
            assert run.err == ""


@pytest.fixture
def embedded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ledger's database is the one in its folder."""
    monkeypatch.delenv("TALLY_DATABASE", raising=False)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["status", "nowhere"], 3, "There is no ledger in nowhere."),
        (["status", "nowhere", "--lang", "zh"], 3, "nowhere 中没有账本。"),
        (["status", "nowhere", "--lang=zh"], 3, "nowhere 中没有账本。"),
        (["show", "policy"], 2, "Missing argument"),
        (["no-such-command"], 2, "No such command"),
        (["status", "nowhere", "--lang", "fr"], 2, "fr"),
        (["key"], 2, "Usage: tally key"),
        (["key", "secret", "no/such/folder"], 2, "no/such/folder cannot be written"),
        (["check", "no-such-file", "--methodology", "clean-plate"], 3, "no-such-file"),
        (["status", "nowhere", "--now", "yesterday"], 2, "'yesterday' is not a time"),
        (["init", "x", "--origin", "o", "--utc-offset", "8"], 2, "'8' is not an offset"),
        (["init", "x", "--origin", "o", "--issuer", "ticket"], 2, "NAME=VALUE"),
        (["init", "x", "--origin", "o", "--first-day", "1 May"], 1, "is not a date"),
    ],
)
def test_errors_end_with_their_status_and_say_what_to_do(
    run: Run, embedded: None, arguments: list[str], status: int, words: str
) -> None:
    run(*arguments, expected=status)
    assert run.out == ""
    assert words in run.err
    assert "Traceback" not in run.err


def test_the_language_is_that_of_the_environment(
    run: Run, embedded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    run("status", "nowhere", expected=3)
    assert "没有账本" in run.err


def test_errors_are_documents_too(run: Run, embedded: None) -> None:
    error = run.json("status", "nowhere", expected=3)["error"]
    assert (error["code"], error["details"]) == ("ledger-missing", {"path": "nowhere"})
    assert run.json("no-such-command", expected=2)["error"]["code"] == "usage"


def test_a_ledger_is_founded_once(found: Run) -> None:
    error = found.json("init", "city", "--origin", "ledger.example/other", expected=2)["error"]
    assert error["code"] == "ledger-exists"
    assert found.json("status", "city")["origin"] == "ledger.example/city"


def test_a_database_that_is_none_cannot_be_read(run: Run, embedded: None) -> None:
    Path("city").mkdir()
    Path("city/ledger.db").write_bytes(b"this is no database, however long it may be" * 50)
    error = run.json("status", "city", expected=3)["error"]
    assert error["code"] == "database-unreadable"


def test_a_refused_genesis_leaves_the_way_open(run: Run) -> None:
    run("init", "city", "--origin", "ledger.example/city", "--threshold", 5, expected=1)
    run("init", "city", "--origin", "ledger.example/city")
    assert run.json("status", "city")["height"] == 0


def test_status_tells_the_kernel_also_without_a_ledger(found: Run) -> None:
    assert found.json("status") == {"kernel": kernel.name()}
    assert found.json("status", "city")["kernel"] == kernel.name()
