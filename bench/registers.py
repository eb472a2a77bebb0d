"""What a claim costs in the register, with each kernel: search, enter, hash, encode; and proofs.

    python -m bench.registers [--kernel native] [--spans 0 1000000 10000000] [--block 100000]
        [--workload days] [--disk]

All of it is synthetic, and in memory: what a database adds is not in it.  Two workloads, as in
`bench.city`: *days* has the spans that are there spread over 30 days, and nine of ten claims on a
new one; *scattered* has claims that fall anywhere among all that is there, the worst case.

With ``--disk`` the pages go to an SQLite file in a temporary folder, and but for those that a
register keeps in memory by itself, they are read again from there, which then is in the figures.
"""

import argparse
import gc
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from bench.memory import most_memory
from bench.tables import show_table
from chain import kernel
from chain.pages import KEY_SIZE, LINE_SIZE
from chain.register import PAGES_CACHED_MAX, Register

SPANS = (0, 1_000_000)
BLOCK = 100_000
ROUNDS = 3
_STEP = 100_000
_TODAY = 20_000
WORKLOADS = {
    "days": (range(1, 31), (*[0] * 45, *[1] * 4, 7)),
    "scattered": (range(1), range(1)),
}
STAGES = ("search", "enter", "hash", "encode")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.registers", description=main.__doc__)
    parser.add_argument("--kernel", choices=(kernel.PYTHON, kernel.NATIVE))
    parser.add_argument("--spans", type=int, nargs="+", default=SPANS)
    parser.add_argument("--block", type=int, default=BLOCK)
    parser.add_argument("--workload", choices=WORKLOADS, nargs="+", default=list(WORKLOADS))
    parser.add_argument("--disk", action="store_true", help="keep pages in a file")
    parser.add_argument("--json", action="store_true", help="measure here, and print JSON")
    given = parser.parse_args()
    if given.json:
        [workload], [spans] = given.workload, given.spans
        print(json.dumps(measure_here(workload, spans, given.block, given.disk)))
    else:
        wanted = [given.kernel] if given.kernel else None
        show(measure(given.spans, given.block, wanted, given.workload, disk=given.disk))
    return 0


def kernels() -> list[str]:
    """The kernels that are here; the compiled one only where it was built (`make native`)."""
    is_there = find_spec("carbon_tally_native") is not None
    return [kernel.PYTHON, *[kernel.NATIVE] * is_there]


def measure(
    spans: Sequence[int] = SPANS,
    block: int = BLOCK,
    wanted: Sequence[str] | None = None,
    workloads: Sequence[str] = tuple(WORKLOADS),
    *,
    disk: bool = False,
) -> list[dict[str, Any]]:
    """All figures, each in a process of its own."""
    measured = []
    for workload, size, name in product(workloads, spans, wanted or kernels()):
        command = [sys.executable, "-m", "bench.registers", "--json", "--block", str(block)]
        command += ["--workload", workload, "--spans", str(size), *["--disk"] * disk]
        done = subprocess.run(
            command,
            env={**os.environ, "TALLY_KERNEL": name},
            stdout=subprocess.PIPE,
            check=True,
        )
        measured.append(json.loads(done.stdout))
    return measured


def measure_here(workload: str, spans: int, block: int, disk: bool = False) -> dict[str, Any]:
    """One register: microseconds of this thread a claim, of the median round; proofs in ms."""
    with tempfile.TemporaryDirectory(prefix="tally-bench-") as folder:
        pages = _Stored(Path(folder) / "pages") if disk else _Kept()
        return _measure(workload, spans, block, pages)


class _Kept:
    """Pages that all stay in the register's memory."""

    cached_max = 2**40

    def read(self, numbers: Sequence[int]) -> dict[int, bytes]:
        return {}

    def put(self, pages: Mapping[int, bytes | None]) -> None:
        pass


class _Stored(_Kept):
    """Pages in a file."""

    cached_max = PAGES_CACHED_MAX

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        # What it would take to survive a crash is not what is measured.
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE page(number INTEGER PRIMARY KEY, data BLOB)")

    def read(self, numbers: Sequence[int]) -> dict[int, bytes]:
        asked = "SELECT number, data FROM page WHERE number = ?"
        run = self._database.execute
        return dict(row for number in numbers for row in run(asked, (number,)))

    def put(self, pages: Mapping[int, bytes | None]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT OR REPLACE INTO page VALUES (?, ?)", sorted(pages.items())
        )
        self._database.execute("COMMIT")


def _measure(workload: str, spans: int, block: int, stored: _Kept) -> dict[str, Any]:
    there, arriving = WORKLOADS[workload]
    choose = random.Random(1)
    began = time.perf_counter()
    register = Register(stored.read, cached_max=stored.cached_max)
    gc.disable()
    # Day by day, as they came.
    for number, day in enumerate(sorted(there, reverse=True)):
        until = spans * (number + 1) // len(there)
        for at in range(spans * number // len(there), until, _STEP):
            register.change((), (), b"".join(_rows(choose, min(_STEP, until - at), [day])))
        stored.put(register.drain())
    made = time.perf_counter() - began
    rounds = []
    for _ in range(ROUNDS):
        rows = _rows(choose, block, arriving)
        wanted = [(row[:LINE_SIZE], _number(row[24:32]), _number(row[32:40])) for row in rows]
        times = [time.thread_time()]
        register.overlapping(wanted, 1)
        times.append(time.thread_time())
        register.change((), (), b"".join(rows))
        times.append(time.thread_time())
        register.root()
        times.append(time.thread_time())
        pages = register.drain()
        times.append(time.thread_time())
        stored.put(pages)
        rounds.append([after - before for before, after in pairwise(times)])
    median = sorted(rounds, key=sum)[ROUNDS // 2]
    proofs = []
    for line, start, _ in wanted[:200]:
        began = time.thread_time()
        register.held(line, start)
        proofs.append(time.thread_time() - began)
    return {
        "kernel": kernel.name(),
        "workload": workload,
        "spans": spans,
        "block": block,
        "made_s": made,
        "us_a_claim": {n: s / block * 1e6 for n, s in zip(STAGES, median, strict=True)},
        "bytes_a_claim": sum(len(page or b"") for page in pages.values()) / block,
        "held_ms": sorted(proofs)[len(proofs) // 2] * 1e3,
        "memory_mib": most_memory(os.getpid()) / 1024,
    }


def _rows(choose: random.Random, count: int, days: Sequence[int]) -> list[bytes]:
    """Spans as rows of the register: 900 seconds of a day, each on a line of its own."""
    made = []
    for _ in range(count):
        day = _TODAY - choose.choice(days)
        start = day * 86_400 + choose.randrange(80_000)
        line = day.to_bytes(2) + b"\x01" + choose.randbytes(LINE_SIZE - 3)
        key = line + start.to_bytes(KEY_SIZE - LINE_SIZE)
        made.append(key + (start + 900).to_bytes(8) + choose.randbytes(32))
    return made


def _number(data: bytes) -> int:
    return int.from_bytes(data)


def show(measured: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    show_table(
        [
            "spans",
            "there",
            "kernel",
            *STAGES,
            "a claim",
            "pages written a claim",
            "`held`",
            "memory",
            "made in",
        ],
        [
            [
                of["workload"],
                f"{of['spans']:,}",
                of["kernel"],
                *[f"{of['us_a_claim'][stage]:.2f}" for stage in STAGES],
                f"{sum(of['us_a_claim'].values()):.2f} µs",
                f"{of['bytes_a_claim']:,.0f} bytes",
                f"{of['held_ms']:.3f} ms",
                f"{of['memory_mib']:,.0f} MiB",
                f"{of['made_s']:,.0f} s",
            ]
            for of in measured
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
