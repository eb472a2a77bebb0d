"""Audits by the command, with 1 and with 2 processes: seconds, reductions per second, and the most
memory of all processes together.

    python -m bench.audits [--trips 200000] [--json]

One ledger is another benchmark's, and has no activities.  The other is made here, from activities:
it is audited without them, and with them.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.city import NOW, ORIGIN, TRIPS, BenchCity, key
from chain import kernel
from chain.admission import admit
from verifier.policies import policy_text

TRIPS_SUBMITTED = 200_000
SUBMISSION = 1_000
SUBMISSIONS_A_BLOCK = 10
PROCESSES = (1, 2)
_LOOK_SECONDS = 0.05


def measure(
    ledger: Path | None, folder: Path, trips: int = TRIPS_SUBMITTED
) -> list[dict[str, Any]]:
    """Audit the ledger in a folder, and one that is made in another."""
    found = [] if ledger is None else [audit(ledger, count, False) for count in PROCESSES]
    made = _make(folder / "ledger", trips)
    return found + [
        audit(made, count, activities) for activities in (False, True) for count in PROCESSES
    ]


def audit(folder: Path, processes: int, activities: bool) -> dict[str, Any]:
    """Audit the ledger in ``folder``, from its beginning, with a state that is kept."""
    with tempfile.TemporaryDirectory(prefix="tally-audit-", dir=folder.parent) as place:
        policy = Path(place) / "policy"
        policy.write_text(policy_text(ORIGIN, key("operator").public, None), "utf-8")
        given = [str(folder), "--policy", str(policy), "--state", f"{place}/state", "--json"]
        given += ["--processes", str(processes), *(["--activities"] if activities else [])]
        began, memory = time.perf_counter(), dict[int, int]()
        with subprocess.Popen(
            [sys.executable, "-m", "verifier.cli", "audit", *given], stdout=subprocess.PIPE
        ) as process:
            while process.poll() is None:
                for pid in _family(process.pid):
                    memory[pid] = most_memory(pid) or memory.get(pid, 0)
                time.sleep(_LOOK_SECONDS)
            seconds = time.perf_counter() - began
            said = process.stdout.read() if process.stdout else b""
    if process.returncode:
        raise SystemExit("the benchmark's own ledger is not as the rules say")
    facts = json.loads(said)["facts"]
    reductions = facts["recorded"] + facts["refused"]
    return {
        "kernel": kernel.name(),
        "processes": processes,
        "activities": activities,
        "reductions": reductions,
        "s": seconds,
        "per_s": reductions / seconds,
        "memory_mib": sum(memory.values()) / 1024,
    }


def _make(folder: Path, trips: int) -> Path:
    """A ledger of trips, with their activities."""
    city = BenchCity(folder, TRIPS, 1)
    for _ in range(trips // SUBMISSION // SUBMISSIONS_A_BLOCK):
        state = city.sequencer.state
        batches = city.batches(SUBMISSIONS_A_BLOCK, SUBMISSION)
        city.sequencer.submit([admit(state, statement, lines) for statement, lines in batches])
        city.sequencer.seal_all(NOW)
    city.close()
    return folder


def _family(pid: int) -> Iterator[int]:
    """A process and all that it has started (Linux)."""
    yield pid
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _family(int(child))


def most_memory(pid: int) -> int:
    """The most memory that a process had until now, in KiB; 0 if it has ended (Linux)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def show(found: list[dict[str, Any]]) -> None:
    """Print a line about each."""
    for one in found:
        print(
            f"audit of {one['reductions']:,} reductions, {one['kernel']} kernel, "
            f"{one['processes']} process{'es' if one['processes'] > 1 else ''}"
            f"{', with activities' if one['activities'] else ''}: {one['s']:.0f} s, "
            f"{one['per_s']:,.0f} reductions/s, at most {one['memory_mib']:,.0f} MiB"
        )


def main() -> int:
    """Measure it alone, on the ledger that is made here."""
    parser = argparse.ArgumentParser(prog="bench.audits", description=__doc__)
    parser.add_argument("--trips", type=int, default=TRIPS_SUBMITTED)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tally-bench-"))
    try:
        found = measure(None, folder, given.trips)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        print(json.dumps(found))
    else:
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
