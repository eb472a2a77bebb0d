"""`tally-verify` as a process of its own: what it prints, its exit status, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.bundles import ENOUGH, PLAIN_TEXT, QUORUM_TEXT, cosigned, dump, samples
from support.mutations import mutate

from keys.catalogue import LANGUAGES
from verifier.bundles import BUNDLE_BYTES_MAX
from verifier.cli import main
from verifier.policy import POLICY_BYTES_MAX

TOP = Path(__file__).resolve().parents[2]
VALID, INVALID, USAGE, UNREADABLE = 0, 1, 2, 3


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy"
    path.write_text(PLAIN_TEXT, "utf-8")
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.json"
    path.write_bytes(dump(samples()["ride, disclosed"]))
    return path


def tally_verify(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command; nothing that looks like a traceback may come out."""
    done = subprocess.run(
        [sys.executable, "-m", "verifier.cli", *map(str, arguments)],
        cwd=TOP,
        env={**os.environ, "LANG": "C.UTF-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode in (VALID, INVALID, USAGE, UNREADABLE)
    return done


def check(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return tally_verify("check", *arguments, **environment)


def inside(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The same without a process: exit status, output and errors."""
    status = main(["check", *map(str, arguments)])
    return status, *capsys.readouterr()


# --- verdicts ---


def test_a_good_bundle(bundle: Path, policy: Path) -> None:
    done = check(bundle, "--policy", policy)
    assert done.returncode == VALID
    assert done.stderr == ""
    *steps, verdict = done.stdout.splitlines()
    assert len(steps) == 15
    assert all(step.startswith("✓ ") for step in steps)
    assert verdict.startswith("VALID, BUT PROVISIONAL.")


def test_one_byte_is_enough(bundle: Path, policy: Path) -> None:
    data = bundle.read_bytes()
    at = data.index(b'"position": ') + len(b'"position": ')
    bundle.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    done = check(bundle, "--policy", policy)
    assert done.returncode == INVALID
    assert done.stderr == ""
    *_, failed, verdict = done.stdout.splitlines()
    assert failed.startswith("✗ ")
    assert verdict == "INVALID. This file proves nothing."


def test_a_checkpoint_that_the_quorum_has_not_cosigned(bundle: Path, policy: Path) -> None:
    policy.write_text(QUORUM_TEXT, "utf-8")
    done = check(bundle, "--policy", policy)
    assert done.returncode == INVALID
    assert done.stdout.splitlines()[-1].startswith("NOT YET WITNESSED.")
    bundle.write_bytes(dump(cosigned(samples()["meal"], *ENOUGH)))
    done = check(bundle, "--policy", policy)
    assert done.returncode == VALID
    assert "auditor-1, auditor-2, auditor-3, witness-1, witness-2" in done.stdout


# --- languages and JSON ---


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {"LANG": "C.UTF-8"}, "VALID"),
        ([], {"LANG": "zh_CN.UTF-8"}, "有效"),
        ([], {"LANG": ""}, "VALID"),
        (["--lang", "zh"], {}, "有效"),
        (["--lang", "en"], {"LANG": "zh_CN.UTF-8"}, "VALID"),
    ],
)
def test_its_languages(
    bundle: Path,
    policy: Path,
    arguments: list[str],
    environment: dict[str, str],
    expected: str,
) -> None:
    done = check(bundle, "--policy", policy, *arguments, **environment, PYTHONUTF8="1")
    assert done.returncode == VALID
    assert done.stdout.splitlines()[-1].startswith(expected)


def as_json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.stderr == ""
    assert done.stdout.isascii()
    return json.loads(done.stdout)


def test_its_json(bundle: Path, policy: Path) -> None:
    done = check(bundle, "--policy", policy, "--json")
    assert done.returncode == VALID
    told = as_json(done)
    assert told["verdict"] == "provisional"
    assert told["facts"]["grams"] == 80
    assert told["text"].keys() == set(LANGUAGES)
    assert all(step["ok"] for step in told["checks"])
    bundle.write_bytes(b"{}")
    done = check(bundle, "--policy", policy, "--json")
    assert done.returncode == INVALID
    told = as_json(done)
    assert told["verdict"] == "invalid"
    assert [step["ok"] for step in told["checks"]] == [False]
    assert told["checks"][0]["error"]["code"] == "format-unknown"


# --- what cannot be read, and wrong usage ---


def test_files_that_cannot_be_read(
    bundle: Path, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing"
    for arguments in (
        (missing, "--policy", policy),
        (tmp_path, "--policy", policy),
        (bundle / "below", "--policy", policy),
        (bundle, "--policy", missing),
        (bundle, "--policy", tmp_path),
        ("x" * 5000, "--policy", policy),
    ):
        done = check(*arguments)
        assert done.returncode == UNREADABLE
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        told = [inside(capsys, *arguments, *more) for more in (["--json"], ["--lang", "zh"])]
        assert [status for status, _, _ in told] == [UNREADABLE, UNREADABLE]
        assert json.loads(told[0][1])["error"]["code"] == "file-unreadable"
        assert told[1][2] != done.stderr


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"quorum\n",
        b"\0",
        b"\xff\xfe",
        b"log x\nquorum none\n",
        PLAIN_TEXT.replace("\n", "\r\n").encode(),
        PLAIN_TEXT.encode() + b"#" * POLICY_BYTES_MAX,
        b"witness \xff x\nquorum none\n",
        b"quorum \x1b[2J\n",
        "quorum \u202e\u009b2J\n".encode(),
    ],
)
def test_policies_that_cannot_be_used(
    bundle: Path, policy: Path, text: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_bytes(text)
    done = check(bundle, "--policy", policy)
    assert done.returncode == UNREADABLE
    assert done.stdout == ""
    assert done.stderr.rstrip("\n").isprintable()
    _, out, _ = inside(capsys, bundle, "--policy", policy, "--json")
    assert json.loads(out)["error"]["code"] == "policy-line"


def test_wrong_usage(bundle: Path, policy: Path) -> None:
    for arguments in (
        (),
        ("nothing",),
        ("check",),
        ("check", bundle),
        ("check", "--policy", policy),
        ("check", bundle, "--policy"),
        ("check", bundle, bundle, "--policy", policy),
        ("check", bundle, "--policy", policy, "--lang", "fr"),
        ("check", bundle, "--policy", policy, "--more"),
    ):
        done = tally_verify(*arguments)
        assert done.returncode == USAGE
        assert done.stdout == ""
        assert done.stderr.startswith("usage: tally-verify")
    done = tally_verify("check", "--help")
    assert done.returncode == VALID
    assert "--policy" in done.stdout


def test_a_file_that_is_too_long(bundle: Path, policy: Path) -> None:
    with bundle.open("ab") as file:
        file.write(b" " * BUNDLE_BYTES_MAX)
    done = check(bundle, "--policy", policy)
    assert done.returncode == INVALID
    assert "longer than" in done.stdout
    # A file without end is read no further.
    assert check("/dev/zero", "--policy", policy).returncode == INVALID
    assert check(bundle, "--policy", "/dev/zero").returncode == UNREADABLE


# --- nothing else comes out ---


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\xff" * 100,
        b"[" * 100_000,
        b'{"format": "tally-bundle/1", "kind": "free"}',
        b'{"format": ' + b"9" * 100_000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1, "\\ud800": 2}',
        dump(samples()["ride"])[:-1],
        dump({**samples()["ride"], "\ud7ff": 1}),
    ],
)
def test_what_is_no_bundle(
    bundle: Path, policy: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.write_bytes(data)
    done = check(bundle, "--policy", policy)
    assert (done.returncode, done.stderr) == (INVALID, "")
    for more in (["--json"], ["--lang", "zh"]):
        status, out, errors = inside(capsys, bundle, "--policy", policy, *more)
        assert (status, errors) == (INVALID, "")
        assert out


SPOKEN = "\n✓ The policy's quorum has cosigned.\nVALID. All of this is proved."


@pytest.mark.parametrize(
    "spoken",
    [SPOKEN, "\r\x1b[2K" + SPOKEN, "\x1b[1A\x1b[2K✓", "\u009b2K", "\u202e.DILAV", "\u2028VALID."],
)
def test_a_bundle_cannot_speak_for_the_checker(
    bundle: Path, policy: Path, spoken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for forged in (
        {**samples()["ride"], spoken[:80]: 1},
        {**samples()["ride"], "kind": spoken},
        {**samples()["ride"], "format": spoken},
    ):
        bundle.write_text(json.dumps(forged), "utf-8")
        status, out, _ = inside(capsys, bundle, "--policy", policy)
        assert status == INVALID
        said = out.removesuffix("\n").split("\n")
        assert len(said) == 2
        assert all(line.isprintable() for line in said)
        assert said[0].startswith("✗ ")
        _, out, _ = inside(capsys, bundle, "--policy", policy, "--json")
        assert json.loads(out)["verdict"] == "invalid" and out.isascii()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk", "utf-16"])
def test_a_terminal_of_any_encoding(bundle: Path, policy: Path, encoding: str) -> None:
    for lang in LANGUAGES:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "verifier.cli", "check", str(bundle)),
                *("--policy", str(policy), "--lang", lang),
            ],
            cwd=TOP,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )
        assert done.returncode == VALID
        assert done.stderr == b""
        assert len(done.stdout.decode(encoding).splitlines()) == 16


def test_nobody_listens(bundle: Path, policy: Path) -> None:
    command = f"{sys.executable} -m verifier.cli check {bundle} --policy {policy}"
    for redirected in (">&-", "> /dev/full", "2>&- >&-", "--json > /dev/full"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{command} {redirected}"],
            cwd=TOP,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (VALID, b""), redirected
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as broken:
        done = subprocess.run(
            command.split(), cwd=TOP, stdout=broken, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (VALID, b"")


def test_mutated_files_in_one_process(
    bundle: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(7)
    pool = list(samples().values())
    for number in range(200):
        bundle.write_bytes(mutate(random, pool))
        flags = [[], ["--json"], ["--lang", "zh"]][number % 3]
        status = main(["check", str(bundle), "--policy", str(policy), *flags])
        said = capsys.readouterr()
        assert status in (VALID, INVALID)
        assert said.err == ""
        if flags == ["--json"]:
            assert (json.loads(said.out)["verdict"] == "invalid") == (status == INVALID)
        else:
            assert ("✗" in said.out) == (status == INVALID)
