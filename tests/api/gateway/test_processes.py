"""Real processes: `tally gateway` to `tally serve`, killed and cut off; programs that use it."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx2
import pytest
from support.city import NOON, City
from support.gateway import ride
from support.replay import check_replay
from support.serving import environment, found, keys_of, policy_of, serving

from keys.strict import parse_json

# A busy machine takes its time to start so many processes.
pytestmark = pytest.mark.timeout(600)
HERE = Path(__file__).parent
NODE = Path(sys.executable).with_name("node")
WAITING_SECONDS = 120


class Process:
    """A running `tally gateway`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def hand_in(self, lines: Sequence[bytes]) -> None:
        answer = httpx2.post(f"{self.url}/activities", content=b"\n".join(lines), timeout=30)
        assert answer.status_code == 202, answer.text
        assert answer.json()["refused"] == []

    def results(self) -> list[dict[str, object]]:
        lines = httpx2.get(f"{self.url}/results", timeout=30).text.splitlines()
        return [parse_json(line.encode()) for line in lines]

    def problem(self) -> str | None:
        told: str | None = httpx2.get(f"{self.url}/readyz", timeout=30).json()["problem"]
        return told


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = found(tmp_path / "city")
    yield made
    made.store.engine.dispose()


@pytest.fixture
def start(city: City, tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    """Starts a gateway to a ledger's URL; the same queue and folder every time."""
    (tmp_path / "policy").write_text(policy_of())
    (tmp_path / "secret").write_text(secrets.token_hex(32))
    running: list[Process] = []
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context((tmp_path / "gateway.log").open("ab"))

        def start_one(url: str) -> Process:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "api.cli", "gateway", url, "--as", "metro-app"),
                    *("--policy", str(tmp_path / "policy"), "--queue", str(tmp_path / "queue")),
                    *("--secret-file", str(tmp_path / "secret"), "--listen", "127.0.0.1:0"),
                    *("--folder", str(tmp_path / "folder"), "--keys", str(keys_of(city.folder))),
                    *("--batch", "7", "--seconds", "0", "--now", str(NOON)),
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(city.folder),
            )
            assert process.stdout is not None
            said = process.stdout.readline()
            running.append(Process(process, said.removeprefix("Listening on ").strip()))
            assert said, (tmp_path / "gateway.log").read_text()
            return running[-1]

        yield start_one
        for one in running:
            one.kill()
            assert one.process.stdout is not None
            one.process.stdout.close()


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAITING_SECONDS
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_cut_off_and_killed_it_loses_and_duplicates_nothing(
    city: City, start: Callable[[str], Process], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    # The second ride of each person in the second batch meets the first.
    batches = [
        [ride(f"{batch}-{n}", f"person {n}", NOON + 3_600 * (batch % 2)) for n in range(20)]
        for batch in range(3)
    ]
    with serving(city.folder, port=port, now=NOON):
        gateway = start(url)
        gateway.hand_in(batches[0])
        gateway.kill()
        gateway = start(url)
        until(lambda: len(gateway.results()) > 0)
        gateway.hand_in(batches[1])
    # The service has ended; lines are taken all the same.
    until(lambda: gateway.problem() == "service-unreachable")
    gateway.hand_in(batches[2])
    gateway.kill()
    gateway = start(url)
    gateway.hand_in([*batches[2], *batches[0]])  # given again, they are the same lines
    with serving(city.folder, port=port, now=NOON):
        until(lambda: len(gateway.results()) == 60)
        results = gateway.results()
        recorded = [row for row in results if row["status"] == "recorded"]
        refused = {str(row["id"]): row["code"] for row in results if row["status"] != "recorded"}
        assert len({row["id"] for row in results}) == 60
        assert refused == {f"2-{n}": "span-taken" for n in range(20)}
        for row in recorded[::13]:
            proof = httpx2.get(f"{gateway.url}/proof/{row['id']}", timeout=30)
            assert proof.headers["tally-verdict"] == "provisional"
        gateway.process.terminate()
        assert gateway.process.wait(WAITING_SECONDS) == 0
    reopened = city.reopen()
    assert check_replay(reopened).recorded == len(recorded) == 40
    reopened.store.engine.dispose()


def test_programs_in_other_languages(
    city: City, start: Callable[[str], Process], tmp_path: Path
) -> None:
    with serving(city.folder, now=NOON) as service:
        gateway = start(service.url)
        done = subprocess.run(
            [NODE, HERE / "gateway.mjs", gateway.url, "20", str(NOON)],
            capture_output=True,
            text=True,
            timeout=WAITING_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        *lines, proof = done.stdout.splitlines()
        assert sorted(lines) == sorted(
            f"js-{n} refused span-taken" if n % 2 else f"js-{n} recorded -" for n in range(20)
        )
        assert proof == "proof 200 provisional"

        given = tmp_path / "rides.ndjson"
        given.write_bytes(ride("curl-1", "somebody") + b"\n")
        curl = subprocess.run(
            ["curl", "-sS", "--data-binary", f"@{given}", f"{gateway.url}/activities"],
            capture_output=True,
            timeout=WAITING_SECONDS,
            check=True,
        )
        assert parse_json(curl.stdout) == {"taken": 1, "known": 0, "refused": []}

        os.rename(given, tmp_path / "folder" / "in" / "rides.ndjson")
        results = tmp_path / "folder" / "out" / "rides.results.ndjson"
        until(results.exists)
        row = parse_json(results.read_bytes().removesuffix(b"\n"))
        assert (row["line"], row["id"], row["status"]) == (1, "curl-1", "recorded")
    log = (tmp_path / "gateway.log").read_text()
    assert "somebody" not in log
    assert "Person" not in log
