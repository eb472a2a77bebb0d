"""An audit of a ledger that another benchmark has made, by the command and in a process of its own:
seconds, reductions per second, and the most memory that it had.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from api.proving import policy_text
from bench.city import ORIGIN, key


def measure(folder: Path) -> dict[str, Any]:
    """Audit the ledger in ``folder``, from its beginning, with a state that is kept."""
    policy = folder.with_name("audit-policy")
    policy.write_text(policy_text(ORIGIN, key("operator").public, None), "utf-8")
    given = [str(folder), "--policy", str(policy), "--state", str(folder.with_name("audit-state"))]
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "verifier.cli", "audit", *given, "--json"], stdout=subprocess.PIPE
    ) as process:
        said = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit("the benchmark's own ledger is not as the rules say")
    facts = json.loads(said)["facts"]
    reductions = facts["recorded"] + facts["refused"]
    return {
        "reductions": reductions,
        "s": seconds,
        "per_s": reductions / seconds,
        "memory_mib": usage.ru_maxrss / 1024,
    }


def show(measured: dict[str, Any]) -> None:
    """Print one line about it."""
    print(
        f"audit of {measured['reductions']:,} reductions: {measured['s']:.0f} s, "
        f"{measured['per_s']:,.0f} reductions/s, at most {measured['memory_mib']:,.0f} MiB"
    )
