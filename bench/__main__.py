"""`make bench`: what each stage costs with each kernel, best of some rounds, against bare SHA-256;
then the whole way in two processes, the register, audits, certificates, and the service.

    python -m bench [--spans 1000000] [--rounds 3] [--json]

Each kernel has a process of its own, on copies of the same ledgers; the tables are as
`docs/performance.md` has them.  Rates at an empty register and at a full one are taken in turns, so
that the noise of a shared machine falls on both alike; only ratios within one run mean anything.
"""

import argparse
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import chain.activities
import chain.merkle
import chain.pages
import chain.reductions
import chain.register
import chain.spans
from api.proving import prove_reduction
from bench import audits, certificates, limits, registers, service, ways
from bench.city import NOW, ORIGIN, RIDES, TRIPS, Batch, BenchCity, key
from bench.memory import most_memory
from bench.parts import measure_parts
from bench.tables import show_table
from chain import kernel
from chain.admission import admit
from keys.strict import dump_json
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import parse_policy
from verifier.reports import INVALID

SUBMISSION = 1_000
SUBMISSIONS = 40
#: About what gathers in a second, after which a block is made.
SUBMISSIONS_A_BLOCK = 10
ROUNDS = 3
SPANS = 1_000_000


def main() -> int:
    """Run the benchmarks and print their tables."""
    parser = argparse.ArgumentParser(prog="bench", description=main.__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--spans", type=int, default=SPANS, help="spans of the full register")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--reductions",
        type=int,
        default=certificates.REDUCTIONS,
        help="reductions behind the certificate",
    )
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        print(json.dumps(measure_here(given.here, given.spans, given.rounds)))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="tally-bench-"))
    try:
        result = run(folder, given.spans, given.rounds)
        result["ways"] = ways.measure(folder / "ways", (0, given.spans))
        result["registers"] = registers.measure((0, given.spans))
        made = audits.make(folder / "audit" / "ledger", audits.TRIPS_SUBMITTED)
        result["audit"] = [
            found
            for name in registers.kernels()
            for found in audits.measure(made, name, (False, True))
        ]
        result["certificate"] = certificates.measure(folder / "certificate", given.reductions)
        result["service"] = service.measure_at(folder / "service", (0, given.spans))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)
    return 0


def run(folder: Path, spans: int, rounds: int) -> dict[str, Any]:
    """The figures of one process; microseconds a reduction, unless a name says otherwise."""
    for workload in (TRIPS, RIDES):
        filled = BenchCity(folder / workload.name, workload, -1)
        filled.preload(spans)
        filled.close()
    measured = {}
    for name in registers.kernels():
        command = [sys.executable, "-m", "bench", "--here", str(folder)]
        done = subprocess.run(
            [*command, "--spans", str(spans), "--rounds", str(rounds)],
            env={**os.environ, "TALLY_KERNEL": name},
            stdout=subprocess.PIPE,
            check=True,
        )
        measured[name] = json.loads(done.stdout)
    return {
        "machine": f"{_cpu()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "limits_us": limits.measure(),
        "sha256_us": limits.measure_hash(),
        "submission": SUBMISSION,
        "submissions": SUBMISSIONS,
        "submissions_a_block": SUBMISSIONS_A_BLOCK,
        "rounds": rounds,
        "kernels": measured,
    }


def measure_here(folder: Path, spans: int, rounds: int) -> dict[str, Any]:
    """The figures of the kernel of this process.

    In each round the same submissions go into a fresh ledger and into a copy of a full one.
    """
    best: dict[str, dict[str, float]] = {}
    proofs: dict[str, float] = {}
    parts: dict[str, dict[str, float]] = {}
    hashes = 0.0
    with tempfile.TemporaryDirectory(prefix="rounds-", dir=folder) as place:
        for workload, number in product((TRIPS, RIDES), range(rounds)):
            at = Path(place) / f"{workload.name}-{number}"
            empty = BenchCity(at / "empty", workload, number)
            full = BenchCity(folder / workload.name, workload, -1).copy(at / "full", -2 - number)
            batches = empty.batches(SUBMISSIONS, SUBMISSION)
            names = f"{workload.name}, empty", f"{workload.name}, {spans:,} spans"
            for name, city in zip(names, (empty, full), strict=True):
                for stage, us in measure_run(city, batches).items():
                    known = best.setdefault(name, {})
                    known[stage] = min(us, known.get(stage, us))
            if number == 0:
                if kernel.name() == kernel.PYTHON:
                    hashes = hashes or count_hashes(empty)
                more = full.batches(SUBMISSIONS_A_BLOCK, SUBMISSION)
                parts[workload.name] = measure_parts(full, more, measure_run)
                proofs = proofs or measure_proofs(full)
            empty.close()
            full.close()
            shutil.rmtree(at)
    return {
        "stages_us": best,
        "hashes_a_reduction": hashes,
        "parts_us": parts,
        "proofs": proofs,
        "memory_mib": most_memory(os.getpid()) / 1024,
    }


def measure_run(city: BenchCity, batches: Sequence[Batch]) -> dict[str, float]:
    """Submissions from NDJSON to durable, published blocks, one block after the other."""
    stages = {"admission": 0.0, "queueing": 0.0, "sealing": 0.0}
    before = city.recorded()
    # As a server does once it has started: what is there is not searched for garbage again.
    gc.collect()
    gc.freeze()
    # Nor does what was copied to set this up wait to be written.
    os.sync()
    began = time.perf_counter()
    for at in range(0, len(batches), SUBMISSIONS_A_BLOCK):
        state = city.sequencer.state
        start = time.perf_counter()
        admitted = [
            admit(state, statement, lines)
            for statement, lines in batches[at : at + SUBMISSIONS_A_BLOCK]
        ]
        done = time.perf_counter()
        city.sequencer.submit(admitted)
        queued = time.perf_counter()
        city.sequencer.seal_all(NOW)
        stages["admission"] += done - start
        stages["queueing"] += queued - done
        stages["sealing"] += time.perf_counter() - queued
    stages["whole way"] = time.perf_counter() - began
    if city.recorded() - before != len(batches) * SUBMISSION:
        raise SystemExit("not every reduction was recorded")
    per = 1e6 / (len(batches) * SUBMISSION)
    return {stage: seconds * per for stage, seconds in stages.items()}


def count_hashes(city: BenchCity) -> float:
    """How many SHA-256 calls a reduction needs the whole way, counted, not timed."""
    count = 0

    def counted(data: bytes = b"") -> Any:
        nonlocal count
        count += 1
        return sha256(data)

    modules = (
        chain.activities,
        chain.merkle,
        chain.reductions,
        chain.pages,
        chain.register,
        chain.spans,
    )
    batches = city.batches(SUBMISSIONS_A_BLOCK, SUBMISSION)
    for module in modules:
        module.sha256 = counted  # type: ignore[attr-defined]
    try:
        measure_run(city, batches)
    finally:
        for module in modules:
            module.sha256 = sha256  # type: ignore[attr-defined]
    return count / (SUBMISSIONS_A_BLOCK * SUBMISSION)


def measure_proofs(city: BenchCity) -> dict[str, float]:
    """Proofs and bundles at a full register; times in milliseconds, sizes in bytes."""
    batches = city.batches(1, SUBMISSION)
    measure_run(city, batches)
    reductions = city.reduce(batches[0][1])[:200]
    with city.store.snapshot() as snapshot:
        register = snapshot.register()
        claims = [claim for reduction in reductions for claim in reduction.claims]
        held_times, free_times, sizes, free_sizes = [], [], [], []
        for claim in claims:
            began = time.perf_counter()
            held = register.held(claim.line, claim.start or 0)
            held_times.append(time.perf_counter() - began)
            sizes.append(len(dump_json(held.as_json())))
            line = claim.line[:3] + bytes(reversed(claim.line[3:]))
            start, end = claim.start or 0, claim.end or 1
            began = time.perf_counter()
            free = register.free(line, start, end)
            free_times.append(time.perf_counter() - began)
            free_sizes.append(len(dump_json(free.as_json())))
    policy = parse_policy(policy_text(ORIGIN, key("operator").public).encode())
    began = time.perf_counter()
    bundle = dump_json(prove_reduction(city.store, reductions[0].leaf))
    wrote = time.perf_counter() - began
    checks = []
    for _ in range(20):
        began = time.perf_counter()
        report = check_file(bundle, policy)
        checks.append(time.perf_counter() - began)
        if report.verdict == INVALID:
            raise SystemExit("the benchmark's own bundle is invalid")
    return {
        "held_ms": _median(held_times),
        "held_bytes": _median(sizes, 1),
        "free_ms": _median(free_times),
        "free_bytes": _median(free_sizes, 1),
        "bundle_write_ms": wrote * 1e3,
        "bundle_bytes": len(bundle),
        "bundle_check_ms": min(checks) * 1e3,
    }


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    hash_us, kernels = result["sha256_us"], result["kernels"]
    hashes = kernels[kernel.PYTHON]["hashes_a_reduction"]
    print(f"machine: {result['machine']}")
    print(
        f"bare SHA-256 of 100 bytes: {hash_us:.2f} µs; a reduction needs {hashes:.1f} of them the "
        f"whole way\n{result['submissions']} submissions of {result['submission']:,}, "
        f"{result['submissions_a_block']} to a block, two claims a reduction, "
        f"best of {result['rounds']}"
    )
    limits.show(result["limits_us"])
    rows, rate = [], 0.0
    for name, found in kernels.items():
        for register, us in found["stages_us"].items():
            whole = us["whole way"]
            rate = whole if "empty" in register else rate
            rows.append(
                [
                    register,
                    name,
                    *(f"{of:.1f} µs" for of in us.values()),
                    f"{1e6 / whole:,.0f} /s",
                    f"{rate / whole:.2f}",
                    f"{whole / (hashes * hash_us):.1f}",
                ]
            )
    stages = next(iter(kernels[kernel.PYTHON]["stages_us"].values()))
    show_table(
        ["register", "kernel", *stages, "rate", "of the empty rate", "× the bare hashing"], rows
    )
    columns = [(name, of) for of in (TRIPS.name, RIDES.name) for name in kernels]
    show_table(
        ["part", *(f"{of}, {name}" for name, of in columns)],
        [
            [part, *(f"{kernels[name]['parts_us'][of][part]:.1f}" for name, of in columns)]
            for part in kernels[kernel.PYTHON]["parts_us"][TRIPS.name]
        ],
    )
    show_table(
        ["proofs", *kernels],
        [
            [what.replace("_", " "), *(f"{of['proofs'][what]:,.2f}" for of in kernels.values())]
            for what in kernels[kernel.PYTHON]["proofs"]
        ],
    )
    ways.show(result["ways"])
    registers.show(result["registers"])
    audits.show(result["audit"])
    certificates.show(result["certificate"])
    service.show(result["service"])


def _median(values: list[Any], scale: float = 1e3) -> float:
    return float(sorted(values)[len(values) // 2] * scale)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
