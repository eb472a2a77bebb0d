"""`make bench`: one table of what each stage costs, best of five, against bare SHA-256.

Rates at an empty register and at a million spans are taken in turns, so that the noise of a
shared machine falls on both alike; only their ratio in one run means anything.
"""

import argparse
import gc
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import chain.activities
import chain.merkle
import chain.pages
import chain.reductions
import chain.register
import chain.spans
from api.proving import prove_reduction
from bench import audits, certificates, registers, service
from bench.city import NOW, ORIGIN, RIDES, TRIPS, Batch, BenchCity, key
from bench.parts import measure_parts
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
ROUNDS = 5
SPANS = 1_000_000


def main() -> int:
    """Run the benchmarks and print their table."""
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
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tally-bench-"))
    try:
        result = run(folder, given.spans, given.rounds)
        result["certificate"] = certificates.measure(folder / "certificate", given.reductions)
        result["audit"] = audits.measure(folder / "certificate", folder / "audit")
        result["registers"] = registers.measure()
        result["service"] = service.measure_at(folder / "service", (0, given.spans))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)
    return 0


def run(folder: Path, spans: int, rounds: int) -> dict[str, Any]:
    """All figures; times in microseconds a reduction unless a name says otherwise.

    In each round the same submissions go into a fresh ledger and into a copy of a full one.
    """
    best: dict[str, dict[str, float]] = {}
    proofs: dict[str, float] = {}
    parts: dict[str, dict[str, float]] = {}
    hashes = 0.0
    for workload in (TRIPS, RIDES):
        filled = BenchCity(folder / workload.name, workload, -1)
        filled.preload(spans)
        names = f"{workload.name}, empty register", f"{workload.name}, {spans:,} spans"
        for number in range(rounds):
            at = folder / f"{workload.name}-{number}"
            empty = BenchCity(at / "empty", workload, number)
            full = filled.copy(at / "full", -2 - number)
            batches = empty.batches(SUBMISSIONS, SUBMISSION)
            for name, city in zip(names, (empty, full), strict=True):
                for stage, us in measure_run(city, batches).items():
                    known = best.setdefault(name, {})
                    known[stage] = min(us, known.get(stage, us))
            if number == 0:
                hashes = hashes or count_hashes(empty)
                more = full.batches(SUBMISSIONS_A_BLOCK, SUBMISSION)
                parts[workload.name] = measure_parts(full, more, measure_run)
                proofs = proofs or measure_proofs(full)
            empty.close()
            full.close()
            shutil.rmtree(at)
    return {
        "machine": f"{_cpu()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "sha256_us": measure_hash(),
        "submission": SUBMISSION,
        "submissions": SUBMISSIONS,
        "submissions_a_block": SUBMISSIONS_A_BLOCK,
        "rounds": rounds,
        "stages_us": best,
        "hashes_a_reduction": hashes,
        "parts_us": parts,
        "proofs": proofs,
    }


def measure_hash() -> float:
    """One SHA-256 of 100 bytes, as Python calls it, in microseconds."""
    data, count = bytes(100), 200_000

    def once() -> None:
        for _ in range(count):
            sha256(data).digest()

    return min(_seconds(once) for _ in range(5)) / count * 1e6


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
    """Print the table."""
    hash_us = result["sha256_us"]
    print(f"machine: {result['machine']}")
    print(
        f"bare SHA-256 of 100 bytes: {hash_us:.2f} µs; a reduction needs "
        f"{result['hashes_a_reduction']:.1f} of them the whole way"
    )
    print(
        f"{result['submissions']} submissions of {result['submission']:,}, "
        f"{result['submissions_a_block']} to a block, two claims a reduction, "
        f"best of {result['rounds']}\n"
    )
    need = result["hashes_a_reduction"] * hash_us
    base: dict[str, float] = {}
    for name, measured in result["stages_us"].items():
        base = measured if "empty" in name else base
        print(name)
        for stage, us in measured.items():
            print(
                f"  {stage:<10} {us:7.1f} µs  {1e6 / us:9,.0f} reductions/s  "
                f"{us / need:5.1f} × the hashing needed  {base[stage] / us:5.2f} of the empty rate"
            )
    for name, measured in result["parts_us"].items():
        print(f"{name}, full register, part by part (with a watch on each)")
        for part, us in measured.items():
            print(f"  {part:<46} {us:7.1f} µs")
    proofs = result["proofs"]
    print(
        f"held: {proofs['held_ms']:.2f} ms, {proofs['held_bytes']:,.0f} bytes   "
        f"free: {proofs['free_ms']:.2f} ms, {proofs['free_bytes']:,.0f} bytes   (medians, JSON)"
    )
    print(
        f"bundle of a reduction: written in {proofs['bundle_write_ms']:.1f} ms, "
        f"{proofs['bundle_bytes']:,} bytes, checked in {proofs['bundle_check_ms']:.1f} ms"
    )
    certificates.show(result["certificate"])
    audits.show(result["audit"])
    registers.show(result["registers"])
    service.show(result["service"])


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _median(values: list[Any], scale: float = 1e3) -> float:
    return float(sorted(values)[len(values) // 2] * scale)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
