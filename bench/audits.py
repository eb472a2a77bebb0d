"""Audits by the command, with each kernel, with 1 and with 2 processes: seconds, reductions per
second, and the most memory of all processes together.

    python -m bench.audits [--trips 200000 1000000] [--a-day 200000] [--kernel native]
        [--activities] [--long-blocks] [--json]

The ledgers are made here, of trips, so many a day, of which the last is today.  In the worst case
for memory, ``--long-blocks``, a block is one submission of 65,536 reductions.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.city import NOW, ORIGIN, TODAY, TRIPS, BenchCity, key
from bench.memory import family, most_memory
from bench.registers import kernels
from bench.tables import show_table
from chain import kernel
from chain.admission import admit
from chain.reductions import SUBMISSION_COUNT_MAX
from verifier.policies import policy_text

TRIPS_SUBMITTED = 200_000
A_DAY = 200_000
SUBMISSION, SUBMISSIONS_A_BLOCK = 1_000, 10
LONG = SUBMISSION_COUNT_MAX, 1
PROCESSES = (1, 2)
_LOOK_SECONDS = 0.05


def measure(folder: Path, name: str, looks: Sequence[bool]) -> list[dict[str, Any]]:
    """Audit the ledger in a folder with a kernel, and with its activities or not."""
    return [audit(folder, count, activities, name) for activities in looks for count in PROCESSES]


def audit(
    folder: Path, processes: int, activities: bool, name: str | None = None
) -> dict[str, Any]:
    """Audit the ledger in ``folder``, from its beginning, with a state that is kept."""
    with tempfile.TemporaryDirectory(prefix="tally-audit-", dir=folder.parent) as place:
        policy = Path(place) / "policy"
        policy.write_text(policy_text(ORIGIN, key("operator").public, None), "utf-8")
        given = [str(folder), "--policy", str(policy), "--state", f"{place}/state", "--json"]
        given += ["--processes", str(processes), *(["--activities"] if activities else [])]
        began, used, memory = time.perf_counter(), _processor(), dict[int, int]()
        with subprocess.Popen(
            [sys.executable, "-m", "verifier.cli", "audit", *given],
            env={**os.environ, "TALLY_KERNEL": name or kernel.name()},
            stdout=subprocess.PIPE,
        ) as process:
            while process.poll() is None:
                for pid in family(process.pid):
                    memory[pid] = most_memory(pid) or memory.get(pid, 0)
                time.sleep(_LOOK_SECONDS)
            seconds = time.perf_counter() - began
            said = process.stdout.read() if process.stdout else b""
    if process.returncode:
        raise SystemExit("the benchmark's own ledger is not as the rules say")
    facts = json.loads(said)["facts"]
    reductions = facts["recorded"] + facts["refused"]
    return {
        "kernel": name or kernel.name(),
        "processes": processes,
        "activities": activities,
        "reductions": reductions,
        "s": seconds,
        "processor_us": (_processor() - used) / reductions * 1e6,
        "per_s": reductions / seconds,
        "memory_mib": sum(memory.values()) / 1024,
    }


def make(folder: Path, trips: int, a_day: int = A_DAY, form: tuple[int, int] | None = None) -> Path:
    """A ledger of trips, with their activities; form: reductions of a submission, submissions of
    a block."""
    city = BenchCity(folder, TRIPS, 1)
    size, count = form or (SUBMISSION, SUBMISSIONS_A_BLOCK)
    days = -(-trips // a_day)
    for number in range(max(trips // size // count, 1)):
        today = TODAY - days + 1 + number * size * count // a_day
        state = city.sequencer.state
        batches = city.batches(count, size, today)
        city.sequencer.submit([admit(state, statement, lines) for statement, lines in batches])
        city.sequencer.seal_all(NOW)
    city.close()
    return folder


def _processor() -> float:
    """The processor time of all processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(found: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    show_table(
        ["reductions", "kernel", "processes", "activities", "rate", "processor", "memory"],
        [
            [
                f"{of['reductions']:,}",
                of["kernel"],
                of["processes"],
                "computed again" if of["activities"] else "–",
                f"{of['per_s']:,.0f} /s",
                f"{of['processor_us']:.1f} µs",
                f"{of['memory_mib']:,.0f} MiB",
            ]
            for of in found
        ],
    )


def main() -> int:
    """Measure it alone."""
    parser = argparse.ArgumentParser(prog="bench.audits", description=__doc__)
    parser.add_argument("--trips", type=int, nargs="+", default=[TRIPS_SUBMITTED])
    parser.add_argument("--a-day", type=int, default=A_DAY)
    parser.add_argument("--kernel", choices=(kernel.PYTHON, kernel.NATIVE))
    parser.add_argument("--activities", action="store_true", help="also with the activities")
    parser.add_argument("--long-blocks", action="store_true")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="tally-bench-") as folder:
        for trips in given.trips:
            form = LONG if given.long_blocks else None
            made = make(Path(folder) / str(trips), trips, given.a_day, form)
            for name in [given.kernel] if given.kernel else kernels():
                looks = (False, True) if given.activities else (False,)
                found += measure(made, name, looks)
    if given.json:
        print(json.dumps(found))
    else:
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
