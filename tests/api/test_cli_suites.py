"""Keys of every suite through the command line, from `tally key new` to `tally-verify`."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.commands import PASSPHRASE, set_up

from api import cli
from keys.notes import cosign, format_note, parse_note
from keys.signer import load
from verifier import cli as verifier

pytestmark = pytest.mark.usefixtures("database")

NOW = "2026-03-03T09:00:00+08:00"
MORNING = 1_772_413_200  # 2026-03-02 09:00 in the city
COSIGNED = MORNING + 86_400
BY = ("--by", "governor")


class Run:
    """Runs commands; gives the one JSON document that they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, expected: int = 0) -> Any:
        status = cli.main([*map(str, arguments), "--json"])
        out, err = self._capsys.readouterr()
        assert status == expected, out + err
        return json.loads(out)

    def refused(self, *arguments: object) -> str:
        """The code of the error with which a command ends."""
        status = cli.main([*map(str, arguments), "--json"])
        assert status != 0
        code: str = json.loads(self._capsys.readouterr().out)["error"]["code"]
        return code

    def verify(self, bundle: str, policy: str) -> tuple[int, str]:
        """The exit status and the verdict of tally-verify."""
        status = verifier.main(["check", bundle, "--policy", policy, "--json"])
        return status, json.loads(self._capsys.readouterr().out)["verdict"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    set_up(monkeypatch, tmp_path, NOW)
    return Run(capsys)


FOUND = (
    *("init", "city", "--origin", "ledger.example/city", "--first-day", "2026-03-01"),
    *("--issuer", "ticket=city-bus", "--methodology", "bus-ride-by-code"),
)


@pytest.fixture
def town(run: Run) -> Run:
    """A ledger whose platform metro-app has a P-256 key."""
    run(*FOUND)
    run("key", "new", "metro-app", "--suite", "es256", "--keys", "city-keys")
    run("enrol", "city", "metro-app", "--role", "platform", *BY)
    scenario = {
        "format": 1,
        "id": "city-bus",
        "title": {"en": "bus", "zh": "公交"},
        "region": "city",
        "methodology": "bus-ride-by-code",
        "owner": "governor",
        "platforms": ["metro-app"],
        "authority": "governor",
        "crediting": {"from": "2026-01-01", "to": "2030-12-31"},
    }
    Path("city-bus.json").write_text(json.dumps(scenario), "utf-8")
    run("publish", "scenario", "city", "city-bus.json", *BY)
    return run


def ride(run: Run, number: int) -> str:
    """Submit a ride, and write its bundle; the bundle's file."""
    activity = {
        "format": 1,
        "id": f"ride-{number}",
        "scenario": "city-bus",
        "start": MORNING,
        "end": MORNING,
        "subject": f"{number:032x}",
        "ticket": {"issuer": "city-bus", "number": f"{number:032x}"},
        "evidence": {"tier": "platform-record", "digest": "0" * 64},
        "authorisation": "0" * 64,
        "nonce": f"{number:032x}",
    }
    Path("rides").write_text(json.dumps(activity) + "\n", "utf-8")
    answers = Path(f"answers-{number}")
    assert (
        run("submit", "city", "rides", "--as", "metro-app", "--answers", answers)["recorded"] == 1
    )
    leaf = json.loads(answers.read_text("utf-8"))["leaf"]
    return prove(run, leaf, number)


def prove(run: Run, leaf: str, number: int) -> str:
    run("prove", "reduction", "city", leaf, "--out", f"bundle-{number}")
    return f"bundle-{number}"


def algorithm(run: Run, participant: str) -> int:
    alg: int = run("key", "show", participant, "--keys", "city-keys")["key"]["alg"]
    return alg


def test_a_platform_with_a_p256_key_enrols_submits_and_proves(town: Run) -> None:
    assert algorithm(town, "metro-app") == -7
    assert Path("city-keys/metro-app.pem").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE")
    assert town.verify(ride(town, 1), "city/policy") == (0, "provisional")


def test_its_bundles_survive_rotations_between_suites(town: Run) -> None:
    rotate = ("key", "rotate", "city", "metro-app", *BY)
    bundles = [ride(town, 1)]
    for number, (suite, alg) in enumerate([("ed25519", -8), ("es256", -7), ("ed25519", -8)], 2):
        town(*rotate, "--suite", suite)
        bundles.append(ride(town, number))
        assert algorithm(town, "metro-app") == alg
    for bundle in bundles:
        assert town.verify(bundle, "city/policy") == (0, "provisional")


def test_a_rotation_keeps_the_suite_unless_another_is_named(town: Run) -> None:
    town("key", "rotate", "city", "metro-app", *BY)
    assert algorithm(town, "metro-app") == -7
    town("key", "rotate", "city", "metro-app", "--suite", "ed25519", *BY)
    town("key", "rotate", "city", "metro-app", *BY)
    assert algorithm(town, "metro-app") == -8


def test_a_key_that_waits_is_not_taken_for_one_of_another_suite(run: Run) -> None:
    run(*FOUND, "--threshold", 2, "--governor", "first", "--governor", "second")
    rotate = ("key", "rotate", "city", "second", "--by", "first")
    assert not run(*rotate, "--suite", "es256")["enacted"]
    waiting = Path("city-keys/second.next.pem").read_bytes()
    assert run.refused(*rotate, "--suite", "ed25519") == "key-waits"
    assert run.refused(*rotate) == "key-waits"
    assert not run(*rotate, "--suite", "es256")["enacted"]
    assert Path("city-keys/second.next.pem").read_bytes() == waiting


def test_an_ml_dsa_key_is_no_participants(town: Run) -> None:
    town("key", "new", "tram-app", "--suite", "ml-dsa-44", "--keys", "city-keys")
    enrol = ("enrol", "city", "tram-app", "--role", "platform", *BY)
    assert town.refused(*enrol) == "suite-not-for-statements"
    shown = town("key", "show", "tram-app", "--keys", "city-keys")["key"]
    Path("public.json").write_text(json.dumps(shown), "utf-8")
    assert town.refused(*enrol, "--public", "public.json") == "suite-not-for-statements"


def test_the_operator_has_no_p256_key(town: Run) -> None:
    town("key", "new", "operator", "--suite", "es256", "--keys", "other-keys")
    found = (
        "init",
        "other",
        "--origin",
        "ledger.example/other",
        "--database",
        "sqlite:///other.db",
    )
    assert town.refused(*found) == "suite-not-for-notes"
    rotate = ("key", "rotate", "city", "operator", *BY, "--suite", "es256")
    assert town.refused(*rotate) == "suite-not-for-notes"
    assert not Path("city-keys/operator.next.pem").exists()
    assert town.verify(ride(town, 1), "city/policy") == (0, "provisional")


def test_an_unknown_suite_makes_no_key(run: Run) -> None:
    assert run.refused("key", "new", "a", "--suite", "rsa", "--keys", "keys") == "suite-unknown"
    assert not Path("keys").exists()


def test_a_key_is_shown_as_what_it_can_be(run: Run) -> None:
    for suite, as_log, as_cosigner in (
        ("ed25519", None, None),
        ("es256", "suite-not-for-notes", "suite-not-for-cosignatures"),
        ("ml-dsa-44", "suite-not-for-notes", None),
    ):
        run("key", "new", suite, "--suite", suite, "--keys", "keys")
        show = ("key", "show", suite, "--keys", "keys")
        assert {run(*show)[name] for name in ("vkey", "cosigner_vkey")} == {None}
        for option, field, code in (
            ("--origin", "vkey", as_log),
            ("--cosigner", "cosigner_vkey", as_cosigner),
        ):
            if code is None:
                assert run(*show, option, "a.example")[field].startswith("a.example+")
            else:
                assert run.refused(*show, option, "a.example") == code


def test_a_quorum_of_both_suites_is_reached_with_keys_from_the_command_line(town: Run) -> None:
    policy = Path("city/policy").read_text("utf-8").replace("quorum none\n", "")
    for suite in ("ed25519", "ml-dsa-44"):
        town("key", "new", suite, "--suite", suite, "--keys", "auditor")
        shown = town("key", "show", suite, "--keys", "auditor", "--cosigner", "auditor.example")
        policy += f"witness {suite} {shown['cosigner_vkey']}\n"
    Path("policy").write_text(f"{policy}group both all ed25519 ml-dsa-44\nquorum both\n", "utf-8")
    file = ride(town, 1)
    bundle = json.loads(Path(file).read_text("utf-8"))
    assert town.verify(file, "policy") == (1, "unwitnessed")
    for suite, expected in (("ed25519", (1, "unwitnessed")), ("ml-dsa-44", (0, "provisional"))):
        signer = load(Path("auditor") / f"{suite}.pem", PASSPHRASE.encode())
        note = parse_note(bundle["checkpoint"].encode())
        line = cosign(note.text, "auditor.example", signer, COSIGNED)
        made = format_note(type(note)(note.text, (*note.signatures, line)))
        bundle["checkpoint"] = made.decode()
        Path(file).write_text(json.dumps(bundle), "utf-8")
        assert town.verify(file, "policy") == expected
