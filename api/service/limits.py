"""How much one member may ask for, and how much the service takes in at once.

A rate is a bucket for each name that fills evenly and holds a minute's worth; the time is given.
Each worker counts for itself.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from api.service.metrics import IN_FLIGHT
from keys.errors import Busy

NAMES_MAX = 100_000
"""So many names a rate remembers; the one that was not heard of for longest goes first."""
MINUTE_SECONDS = 60


class Rate:
    """At most so many in a minute for each name."""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, time: float, count: int = 1) -> None:
        """Take ``count`` for ``name`` at ``time``, in seconds; raises `Busy` "request-rate"."""
        with self._lock:
            left, last = self._left.pop(name, (float(self._most), time))
            gained = max(0.0, time - last) * self._most / MINUTE_SECONDS
            left = min(float(self._most), left + gained)
            allowed = count <= left
            self._left[name] = (left - count if allowed else left, max(last, time))
            if len(self._left) > NAMES_MAX:
                self._left.popitem(last=False)
        if not allowed:
            # What no bucket ever holds is not to be asked again in this size.
            missing = min(count, self._most) - left
            seconds = max(1, math.ceil(missing * MINUTE_SECONDS / self._most))
            raise Busy("request-rate", retry_after=seconds, limit=self._most)


class InFlight:
    """The submissions that are being taken in, and their bytes."""

    def __init__(self, count: int, size: int) -> None:
        self._count_max, self._size_max = count, size
        self._count = self._size = 0
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator["Weight"]:
        """Take one in; raises `Busy` "service-busy" where there is no room."""
        with self._lock:
            if self._count >= self._count_max:
                raise Busy("service-busy", retry_after=1)
            self._count += 1
        IN_FLIGHT.inc()
        weight = Weight(self)
        try:
            yield weight
        finally:
            IN_FLIGHT.dec()
            with self._lock:
                self._count -= 1
                self._size -= weight.size

    def grow(self, by: int) -> None:
        """Take in so many bytes more; raises `Busy`."""
        with self._lock:
            if self._size + by > self._size_max:
                raise Busy("service-busy", retry_after=1)
            self._size += by


class Weight:
    """The bytes of one submission that is being taken in."""

    def __init__(self, of: InFlight) -> None:
        self._of = of
        self.size = 0

    def grow(self, by: int) -> None:
        """Take in so many bytes more; raises `Busy`."""
        self._of.grow(by)
        self.size += by


class Stall:
    """For how long statements have waited without a block, as far as it was looked for.

    The age of the last block does not say it: a ledger at rest has an old one.
    """

    def __init__(self) -> None:
        self._height, self._since = -1, math.inf

    def seconds(self, height: int, waiting: int, time: float) -> float:
        """For how long, where the last block and what waits are these at ``time``."""
        if not waiting:
            self._since = math.inf
        elif height != self._height or self._since > time:
            self._since = time
        self._height = height
        return max(0.0, time - self._since)
