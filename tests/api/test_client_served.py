"""Over a socket, to a real `tally serve`: both clients, `tally submit URL`, and the examples that
README.md and docs/integrating.md give, as they stand there."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.city import NOON, City, key
from support.commands import PASSPHRASE, Run, set_up
from support.serving import Serving, found, keys_of, policy_of, serving

from api.outcomes import LeftOut, Sent
from chain.blocks import log_key
from chain.receipts import check_receipt
from keys.strict import parse_base64

TOP = Path(__file__).resolve().parents[2]
EXAMPLES = {
    "README.md": "## Serving",
    "docs/integrating.md": "### Over HTTP",
}
EXAMPLE_URL = "http://127.0.0.1:8080"
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return found(tmp_path_factory.mktemp("served") / "city")


@pytest.fixture(scope="module")
def service(city: City) -> Iterator[Serving]:
    with serving(city.folder, workers=2) as made:
        yield made


@pytest.fixture
def run(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Commands in a folder with a policy, whose keys are the city's, by the system's clock."""
    set_up(monkeypatch, tmp_path, NOON)
    monkeypatch.delenv("TALLY_NOW")
    monkeypatch.setenv("TALLY_KEYS", str(keys_of(city.folder)))
    Path("policy").write_text(policy_of(), "utf-8")
    return Run(capsys)


def write(*lines: bytes) -> None:
    Path("rides.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))


def test_both_clients_record_each_ride_once(city: City, service: Serving) -> None:
    lines = [city.ride(f"person {n}", NOON) for n in range(250)]
    with service.client(city, "metro-app") as client:
        made = [one for one in client.submit(lines, 50) if isinstance(one, Sent)]
    assert sum(len(one.recorded()) for one in made) == 250

    async def submit() -> list[Sent | LeftOut]:
        async with service.async_client(city, "pay-app") as client:
            return [one async for one in client.submit(lines, 100)]

    again = [one for one in asyncio.run(submit()) if isinstance(one, Sent)]
    refused = [item for one in again for item in one.refused()]
    assert len(refused) == 250
    assert {item.platform for item in refused} == {"metro-app"}


# --- tally submit URL ---


def test_the_command_reports_as_it_does_for_a_folder(
    city: City, service: Serving, run: Run
) -> None:
    write(city.ride("dan", NOON), b"{}", city.ride("eve", NOON), city.ride("dan", NOON + 60))
    answers = ("--answers", "answers.ndjson", "--policy", "policy")
    done = run.json("submit", service.url, "rides.ndjson", "--as", "metro-app", *answers)
    assert [done[name] for name in ("lines", "recorded", "refused", "grams", "known")] == [
        4,
        2,
        1,
        160,
        0,
    ]
    assert [left["line"] for left in done["left_out"]] == [2]
    (refusal,) = done["refusals"]
    assert (refusal["line"], refusal["code"], refusal["platform"]) == (4, "span-taken", "metro-app")
    (submission,) = done["submissions"]
    rows = [json.loads(line) for line in Path("answers.ndjson").read_bytes().splitlines()]
    assert [(row["line"], row["outcome"]) for row in rows] == [
        (1, "recorded"),
        (3, "recorded"),
        (4, "refused"),
    ]
    assert {row["index"] for row in rows} == {submission["index"]}

    # In other batches, since the same statement would only be answered again.
    other = ("--as", "metro-app", "--batch", "2")
    again = run.json("submit", service.url, "rides.ndjson", *other, *answers)
    assert [again[name] for name in ("recorded", "refused", "known")] == [0, 1, 2]
    rows = [json.loads(line) for line in Path("answers.ndjson").read_bytes().splitlines()]
    assert [row["outcome"] for row in rows] == ["recorded before", "recorded before", "refused"]
    assert "span" not in run("submit", service.url, "rides.ndjson", "--as", "metro-app", *answers)


def test_the_command_hands_over_what_was_signed_elsewhere(
    city: City, service: Serving, run: Run
) -> None:
    line = city.ride("fay", NOON)
    city.now = int(time.time())
    statement = city.admit([line], expires=city.now + 86_400).entry.statement
    Path("rides.cose").write_bytes(statement.data)
    write(line)
    handed = ("rides.ndjson", "--statement", "rides.cose", "--policy", "policy")
    done = run.json("submit", service.url, *handed)
    assert done["recorded"] == 1
    assert run.json("submit", service.url, *handed) == done
    (submission,) = done["submissions"]
    log = log_key(city.state.genesis.origin, key("operator").public)
    receipt = parse_base64(submission["receipt"])
    _, index, _ = check_receipt(receipt, statement.data, log.public, log.name)
    assert index == submission["index"]


def test_options_of_the_other_way_are_refused(city: City, service: Serving, run: Run) -> None:
    write(city.ride("gus", NOON))
    url = ("submit", service.url, "rides.ndjson", "--as", "metro-app")
    for arguments, code in (
        ((*url, "--no-seal", "--policy", "policy"), "url-option"),
        (url, "url-without-policy"),
        (("submit", city.folder, *url[2:], "--policy", "policy"), "folder-option"),
        (("submit", service.url, "rides.ndjson", "--policy", "policy"), "signed-by-whom"),
    ):
        assert run.json(*arguments, expected=2)["error"]["code"] == code


def test_the_command_believes_no_other_log(city: City, service: Serving, run: Run) -> None:
    write(city.ride("hal", NOON))
    Path("policy").write_text(policy_of("pay-app"), "utf-8")
    url = ("submit", service.url, "rides.ndjson", "--as", "metro-app", "--policy", "policy")
    assert run.json(*url, expected=1)["error"]["code"] == "receipt-malformed"


def test_an_address_without_a_service_is_unreadable(run: Run) -> None:
    write(b"{}")
    url = ("submit", "http://127.0.0.1:1/", "rides.ndjson", "--as", "metro-app")
    error = run.json(*url, "--policy", "policy", "--patience", "0", expected=3)["error"]
    assert error["code"] == "service-unreachable"


# --- the examples of the documents ---


def blocks(document: str) -> list[tuple[str, str]]:
    """The examples of a document's section: language and text."""
    text = (TOP / document).read_text("utf-8")
    heading = EXAMPLES[document]
    section = text.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    return _BLOCK.findall(section)


@pytest.mark.parametrize("document", EXAMPLES)
def test_the_examples_run_as_they_stand(
    document: str, city: City, service: Serving, run: Run, tmp_path: Path
) -> None:
    lines = [city.ride(f"{document} {n}", NOON) for n in range(3)]
    write(*lines)
    signed = [city.ride(f"{document} signed {n}", NOON) for n in range(2)]
    Path("signed.ndjson").write_bytes(b"\n".join(signed) + b"\n")
    statement = city.admit(signed, expires=int(time.time()) + 86_400).entry.statement
    Path("signed.cose").write_bytes(statement.data)
    Path("metro-app.pem").write_bytes((keys_of(city.folder) / "metro-app.pem").read_bytes())
    given = {
        **os.environ,
        "PYTHONPATH": str(TOP),
        "TALLY_PASSPHRASE": PASSPHRASE,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    tally = tmp_path / "tally"
    tally.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m api.cli "$@"\n', "utf-8")
    tally.chmod(0o755)
    examples = blocks(document)
    assert {language for language, _ in examples} == {"python", "sh"}
    for language, text in examples:
        program = text.replace(EXAMPLE_URL, service.url)
        assert program != text
        command = [sys.executable, "-c"] if language == "python" else ["sh", "-euc"]
        done = subprocess.run(
            [*command, program], env=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "recorded" in done.stdout or text.startswith("curl"), done.stdout
    with city.store.snapshot() as snapshot:
        holders = [one.holder for one in city.reduce([*lines, *signed])]
        assert len(snapshot.live(holders)) == 5
