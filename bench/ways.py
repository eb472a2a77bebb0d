"""The whole way as a deployment goes it: one process takes submissions in, another one seals.

    python -m bench.ways [--workload trips] [--spans 0 1000000] [--kernel native] [--count 200]

Both are the service's own (`api.service.intake`, `api.service.sealing`), without HTTP around them,
over one ledger on disk.  The clock runs from the first submission's bytes until the last block is
published.  What is submitted is made and signed before, once for all kernels.
"""

import argparse
import asyncio
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.service.admitting import Admitting
from api.service.intake import Intake
from api.service.limits import Rate
from api.service.sealing import Sealing
from api.service.settings import Settings
from bench.city import NOW, RIDES, TRIPS, BenchCity, key
from bench.memory import most_memory
from bench.registers import kernels
from bench.tables import show_table
from chain import kernel
from chain.store.ledger import LedgerStore, open_store
from keys.statements import Statement
from keys.strict import dump_base64, dump_json

SPANS = (0, 1_000_000)
SUBMISSION = 1_000
COUNT = 200
#: Submissions that are sent and not kept yet.
AT_ONCE = 128
BLOCK_SECONDS = 0.2
BLOCK_STATEMENTS = 64
WORKLOADS = {of.name: of for of in (TRIPS, RIDES)}
_LOOK_SECONDS = 0.01


def measure(
    folder: Path,
    spans: Sequence[int] = SPANS,
    workload: str = TRIPS.name,
    count: int = COUNT,
    wanted: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """The whole way of ``count`` submissions at each size, with each kernel."""
    found = []
    for size in spans:
        made = folder / f"{workload}-{size}"
        raw = _prepare(made, workload, size, count)
        for name in wanted or kernels():
            at = folder / f"{workload}-{size}-{name}"
            shutil.copytree(made / "ledger", at)
            os.sync()
            before = _bytes_in(at)
            ran = _run(at, made / "sent", name)
            found.append(
                {
                    "workload": workload,
                    "spans": size,
                    **ran,
                    "disk_bytes": (_bytes_in(at) - before) / ran["reductions"],
                    "raw_bytes": raw / ran["reductions"],
                }
            )
            shutil.rmtree(at)
        shutil.rmtree(made)
    return found


def _prepare(folder: Path, workload: str, spans: int, count: int) -> int:
    """A ledger with so many spans, and what is sent to it; how many bytes of activities."""
    city = BenchCity(folder / "ledger", WORKLOADS[workload], 1)
    if spans:
        city.preload(spans)
    (folder / "sent").mkdir()
    raw = 0
    for number in range(count + 1):
        [(statement, lines)] = city.batches(1, SUBMISSION)
        # The first one alone is sealed before the clock starts.
        data = body(statement, lines)
        (folder / "sent" / f"{number:06}").write_bytes(data)
        raw += sum(len(line) + 1 for line in lines) if number else 0
    city.close()
    return raw


def body(statement: Statement, lines: Sequence[bytes]) -> bytes:
    """A submission as it is sent (`api.service.admitting`)."""
    first = dump_json({"statement": dump_base64(statement.data)})
    return b"\n".join([first, *lines]) + b"\n"


def _run(ledger: Path, sent: Path, name: str) -> dict[str, Any]:
    """Both processes at once; what they say of themselves."""
    environment = {**os.environ, "TALLY_KERNEL": name}
    command = [sys.executable, "-m", "bench.ways", "--ledger", str(ledger)]
    with subprocess.Popen(
        [*command, "--seal"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as sealing:
        taking = subprocess.run(
            [*command, "--take", str(sent)], env=environment, stdout=subprocess.PIPE, check=True
        )
        said, _ = sealing.communicate()
    return {**json.loads(taking.stdout), **json.loads(said)}


def seal(ledger: Path) -> dict[str, float]:
    """Seal until the input ends."""
    settings = Settings(block_seconds=BLOCK_SECONDS, block_statements=BLOCK_STATEMENTS)
    store = open_store(ledger)
    sealing = Sealing(store, [key("operator")], settings, lambda: NOW)
    threading.Thread(target=lambda: sys.stdin.read() or sealing.stop(), daemon=True).start()
    gc.freeze()
    began = time.process_time()
    sealing.run()
    used = time.process_time() - began
    # What is left in the database's log goes to its place, as in a ledger at rest.
    store.engine.dispose()
    return {
        "sealing_s": used,
        "sealing_mib": most_memory(os.getpid()) / 1024,
    }


def take(ledger: Path, sent: Path) -> dict[str, Any]:
    """Take in all that was sent, and wait for its blocks."""
    store = open_store(ledger, threads=2)
    rate = Rate(2**31)
    intake = Intake(store, Admitting(store, rate, time.monotonic), 2**31)
    intake.start()
    gc.freeze()
    first, *more = sorted(sent.iterdir())
    asyncio.run(_send(intake, [first]))
    _await(store, SUBMISSION)
    before = _height(store)
    used, began = time.process_time(), time.perf_counter()
    asyncio.run(_send(intake, more))
    kept, used = time.perf_counter() - began, time.process_time() - used
    _await(store, SUBMISSION * (len(more) + 1))
    seconds = time.perf_counter() - began
    intake.stop()
    count = SUBMISSION * len(more)
    return {
        "kernel": kernel.name(),
        "reductions": count,
        "blocks": _height(store) - before,
        "per_s": count / seconds,
        "taken_per_s": count / kept,
        "taking_s": used,
    }


async def _send(intake: Intake, paths: Sequence[Path]) -> None:
    waiting = iter(paths)

    async def one() -> None:
        for path in waiting:
            await intake.keep(path.read_bytes())

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


def _await(store: LedgerStore, recorded: int) -> None:
    """Wait until so many reductions are recorded, and published."""
    while True:
        with store.snapshot() as snapshot:
            head = snapshot.head()
        if head is not None and head.recorded >= recorded and store.published_size() == head.size:
            return
        time.sleep(_LOOK_SECONDS)


def _height(store: LedgerStore) -> int:
    with store.snapshot() as snapshot:
        return snapshot.height()


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def show(found: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    rows = []
    for of in found:
        us = 1e6 / of["reductions"]
        rows.append(
            [
                of["workload"],
                f"{of['spans']:,} spans",
                of["kernel"],
                f"{of['per_s']:,.0f} /s",
                f"{of['taking_s'] * us:.1f} µs",
                f"{of['sealing_s'] * us:.1f} µs",
                f"{of['reductions'] / of['blocks']:,.0f}",
                f"{of['sealing_mib']:,.0f} MiB",
                f"{of['disk_bytes']:,.0f} bytes",
                f"{of['raw_bytes']:,.0f} bytes",
            ]
        )
    show_table(
        [
            "workload",
            "register at the start",
            "kernel",
            "whole way",
            "taking in: processor",
            "sealing: processor",
            "reductions a block",
            "sealing: memory",
            "on disk",
            "raw activity",
        ],
        rows,
    )


def main() -> int:
    """Measure and print; or be one of the two processes."""
    parser = argparse.ArgumentParser(prog="bench.ways", description=main.__doc__)
    parser.add_argument("--workload", choices=WORKLOADS, default=TRIPS.name)
    parser.add_argument("--spans", type=int, nargs="+", default=SPANS)
    parser.add_argument("--kernel", choices=(kernel.PYTHON, kernel.NATIVE))
    parser.add_argument("--count", type=int, default=COUNT, help="submissions")
    parser.add_argument("--ledger", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seal", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--take", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ledger:
        print(json.dumps(seal(given.ledger) if given.seal else take(given.ledger, given.take)))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="tally-bench-"))
    try:
        wanted = [given.kernel] if given.kernel else None
        show(measure(folder, given.spans, given.workload, given.count, wanted))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
