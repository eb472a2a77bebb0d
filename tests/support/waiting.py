"""Waiting for what another process does."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

SECONDS = 150
"""Longer than any machine takes; who waits in vain fails."""

T = TypeVar("T")


def until(found: Callable[[], T], seconds: float = SECONDS) -> T:
    """What ``found`` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (made := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return made


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"
