"""What nothing here can go below: hashing, JSON, signatures and flushing, each by itself.

python -m bench.limits
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from bench.city import TRIPS, BenchCity, key
from bench.tables import show_table
from chain import merkle

_LEAVES, _LINES, _CHECKS, _FLUSHES = 2**16, 2_000, 200, 20
FLUSHED = 2**20


def measure() -> dict[str, float]:
    """Microseconds of each, best of five."""
    leaves = [sha256(number.to_bytes(4)).digest() for number in range(_LEAVES)]
    signed = key("operator").sign(b"checkpoint")
    public = key("operator").public
    data = os.urandom(FLUSHED)
    with tempfile.TemporaryDirectory(prefix="tally-bench-") as folder:
        city = BenchCity(Path(folder) / "city", TRIPS, 1)
        lines = city.activities(_LINES)
        city.close()

        def flush() -> None:
            for number in range(_FLUSHES):
                with open(Path(folder) / str(number), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())

        return {
            "SHA-256 of 100 bytes, from Python": measure_hash(),
            "SHA-256 of a node of the log, in the kernel in use": _us(
                lambda: merkle.root(leaves), _LEAVES - 1
            ),
            "JSON: an activity, by Python's own reader": _us(
                lambda: [json.loads(line) for line in lines], _LINES
            ),
            "signature: one checked": _us(
                lambda: [public.verify(signed, b"checkpoint") for _ in range(_CHECKS)], _CHECKS
            ),
            "disk: a file of 1 MiB written and flushed": _us(flush, _FLUSHES),
        }


def measure_hash() -> float:
    """One SHA-256 of 100 bytes, as Python calls it, in microseconds."""
    data, count = bytes(100), 200_000
    return _us(lambda: [sha256(data).digest() for _ in range(count)], count)


def _us(work: Callable[[], object], count: int) -> float:
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best / count * 1e6


def show(measured: dict[str, float]) -> None:
    """Print the table."""
    show_table(["by itself", "µs"], [[what, f"{us:,.2f}"] for what, us in measured.items()])


if __name__ == "__main__":
    show(measure())
