"""What a claim costs in the register, with each kernel: search, enter, hash, encode; and proofs.

    python -m bench.registers [--kernel native] [--spans 0 1000000 10000000] [--block 100000]

All of it is synthetic, and in memory: what a database adds is not in it.  Two workloads, as in
`bench.city`: *days* has the spans that are there spread over 30 days, and nine of ten claims on a
new one; *scattered* has claims that fall anywhere among all that is there, the worst case.
"""

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

from chain import kernel
from chain.pages import KEY_SIZE, LINE_SIZE
from chain.register import Register

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
    parser.add_argument("--json", action="store_true", help="measure here, and print JSON")
    given = parser.parse_args()
    if given.json:
        print(json.dumps([measure_here(w, n, given.block) for w in WORKLOADS for n in given.spans]))
    else:
        show(measure(given.spans, given.block, [given.kernel] if given.kernel else None))
    return 0


def kernels() -> list[str]:
    """The kernels that are here; the compiled one only where it was built (`make native`)."""
    is_there = find_spec("carbon_tally_native") is not None
    return [kernel.PYTHON, *[kernel.NATIVE] * is_there]


def measure(
    spans: Sequence[int] = SPANS, block: int = BLOCK, wanted: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """All figures, each kernel in a process of its own."""
    measured: list[dict[str, Any]] = []
    for name in wanted or kernels():
        command = [sys.executable, "-m", "bench.registers", "--json", "--block", str(block)]
        done = subprocess.run(
            [*command, "--spans", *map(str, spans)],
            env={**os.environ, "TALLY_KERNEL": name},
            stdout=subprocess.PIPE,
            check=True,
        )
        measured += json.loads(done.stdout)
    return measured


def measure_here(workload: str, spans: int, block: int) -> dict[str, Any]:
    """One register: microseconds of this thread a claim, of the median round; proofs in ms."""
    there, arriving = WORKLOADS[workload]
    choose = random.Random(1)
    register = Register(cached_max=2**40)
    gc.disable()
    for at in range(0, spans, _STEP):
        register.change((), (), b"".join(_rows(choose, min(_STEP, spans - at), there)))
        register.drain()
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
        "us_a_claim": {n: s / block * 1e6 for n, s in zip(STAGES, median, strict=True)},
        "bytes_a_claim": sum(len(page or b"") for page in pages.values()) / block,
        "held_ms": sorted(proofs)[len(proofs) // 2] * 1e3,
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
    """Print a line for each register."""
    for of in measured:
        us = of["us_a_claim"]
        stages = "  ".join(f"{name} {us[name]:5.2f}" for name in STAGES)
        print(
            f"register, {of['kernel']}, {of['workload']}, {of['spans']:,} spans, blocks of "
            f"{of['block']:,}: {sum(us.values()):5.2f} µs a claim ({stages}), "
            f"{of['bytes_a_claim']:,.0f} bytes of pages a claim, held in {of['held_ms']:.3f} ms"
        )


if __name__ == "__main__":
    sys.exit(main())
