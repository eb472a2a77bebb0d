"""The service under load, over loopback: real server processes, and clients in a process of theirs.

What the clients send is signed before the clock starts; what is measured is the way from the
first byte sent to the receipt in hand.  All of it shares the machine's cores, and on PostgreSQL
with a server that flushes what it commits.

    python -m bench.service [--spans N …]

measures it alone.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from support import postgres

from api.service import signatures
from bench.city import NOW, TRIPS, BenchCity, key
from bench.tables import show_table
from keys import signer
from keys.strict import dump_base64, dump_json

LARGE, LARGE_COUNT, LARGE_CLIENTS = 1_000, 40, 4
SINGLE_COUNT, SINGLE_CLIENTS = 4_000, 192
PROOF_COUNT = 1_000
PASSPHRASE = b"bench"

Sent = tuple[str, bytes]
"""A path, and the body to post to it; or no body, to get it."""


def measure_at(folder: Path, sizes: Sequence[int]) -> dict[str, dict[str, float]]:
    """The service of a ledger with so many spans, for each of ``sizes``, on both databases."""
    made = {}
    with postgres.running(postgres.MEASURED) as server, server.use():
        for spans in sizes:
            for name in ("SQLite", "PostgreSQL"):
                at = folder / f"{name}-{spans}"
                database = postgres.url_of(at) if name == "PostgreSQL" else None
                city = BenchCity(at, TRIPS, 1, database)
                if spans:
                    city.preload(spans)
                made[f"{name}, {spans:,} spans"] = measure(city, at, database)
    return made


def measure(city: BenchCity, folder: Path, database: str | None = None) -> dict[str, float]:
    """Rates and times of the service of a ledger, which is closed here and served from there."""
    large = [_body(*batch) for batch in city.batches(LARGE_COUNT, LARGE)]
    single = [_body(*batch) for batch in city.batches(SINGLE_COUNT, 1)]
    known = city.batches(1, LARGE)
    leaves = [reduction.leaf.hex() for reduction in city.reduce(known[0][1])]
    ledger = city.sequencer.state.genesis.id
    city.close()
    keys = folder.with_name(f"{folder.name}-keys")
    keys.mkdir()
    signer.save(key("operator"), keys / "operator.pem", PASSPHRASE)
    made: dict[str, float] = {}
    with serve(folder, database) as url:
        run(url, [("/v1/submissions", _body(*known[0]))], 1)
        paths: list[Sent] = [
            (f"/v1/reductions/{leaves[n % len(leaves)]}/bundle", b"") for n in range(PROOF_COUNT)
        ]
        seconds, times = run(url, paths, 1, ledger)
        made |= {"proofs_a_second": PROOF_COUNT / seconds, **_times("proof", times)}
        seconds, times = run(url, [("/v1/submissions", body) for body in large], LARGE_CLIENTS)
        made |= {"large_a_second": LARGE * LARGE_COUNT / seconds, **_times("large", times)}
        seconds, times = run(url, [("/v1/submissions", body) for body in single], SINGLE_CLIENTS)
        made |= {"single_a_second": SINGLE_COUNT / seconds, **_times("single", times)}
        made |= _stages(url)
    return made


@contextmanager
def serve(folder: Path, database: str | None = None, workers: int = 1) -> Iterator[str]:
    """`tally serve`, in processes of its own; gives its URL."""
    command = [sys.executable, "-m", "api.cli", "serve", str(folder), "--port", "0", "--json"]
    command += ["--now", str(NOW), "--workers", str(workers)]
    command += ["--database", database] if database else []
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TALLY_PASSPHRASE": PASSPHRASE.decode()},
        text=True,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no output to read")
        told = "".join(iter(process.stdout.readline, "}\n"))
        url = str(json.loads(told + "}")["url"])
        _await(url)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def run(
    url: str, sent: Sequence[Sent], clients: int, ledger: bytes | None = None
) -> tuple[float, list[float]]:
    """Seconds in all, and of each request, of so many clients at once in another process.

    ledger: requests are signed for it, by the operator.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_clients, (url, sent, clients, ledger))


def _clients(
    url: str, sent: Sequence[Sent], clients: int, ledger: bytes | None
) -> tuple[float, list[float]]:
    return asyncio.run(_all(url, sent, clients, ledger))


async def _all(
    url: str, sent: Sequence[Sent], clients: int, ledger: bytes | None
) -> tuple[float, list[float]]:
    host = url.removeprefix("http://")
    waiting = iter([_request(host, path, body, ledger) for path, body in sent])
    times: list[float] = []

    async def one() -> None:
        # A client that costs little itself: it shares the machine with what it measures.
        name, _, port = host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"content-length: (\d+)", head)
            body = await reader.readexactly(int(found[1]) if found else 0)
            times.append(time.perf_counter() - began)
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{head[:40]!r}: {body[:300]!r}")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    return time.perf_counter() - began, times


def _request(host: str, path: str, body: bytes, ledger: bytes | None) -> bytes:
    """A request as it goes over the wire, signed for a ledger if one is named."""
    headers = {"Host": host}
    if body:
        headers["Content-Length"] = str(len(body))
    if ledger is not None:
        of = signatures.Request("GET", path, list(headers.items()))
        signer = key("operator")
        headers |= signatures.sign(of, signer, participant="operator", ledger=ledger, now=NOW)
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _body(statement: Any, lines: Sequence[bytes]) -> bytes:
    first = dump_json({"statement": dump_base64(statement.data)})
    return b"\n".join([first, *lines]) + b"\n"


def _await(url: str) -> None:
    while True:
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)


def _times(name: str, times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        f"{name}_p50_ms": ordered[len(ordered) // 2] * 1e3,
        f"{name}_p99_ms": ordered[len(ordered) * 99 // 100] * 1e3,
    }


def _stages(url: str) -> dict[str, float]:
    """Seconds that the service spent in each stage, by its own measures."""
    lines = httpx2.get(f"{url}/metrics").text.splitlines()
    found = [line.split() for line in lines if line.startswith("tally_stage_seconds_sum")]
    return {f"stage_{name.split(chr(34))[1]}_s": float(value) for name, value in found}


def show(result: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    names = list(result)
    show_table(
        ["service, over loopback", *names],
        [
            [row.replace("_", " "), *(f"{result[name][row]:,.1f}" for name in names)]
            for row in next(iter(result.values()))
        ],
    )


def main() -> None:
    """Measure the service alone."""
    parser = argparse.ArgumentParser(prog="bench.service", description=main.__doc__)
    parser.add_argument("--spans", type=int, nargs="*", default=[0, 1_000_000])
    with tempfile.TemporaryDirectory(prefix="tally-bench-") as folder:
        show(measure_at(Path(folder), parser.parse_args().spans))


if __name__ == "__main__":
    main()
