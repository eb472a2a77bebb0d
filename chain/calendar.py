"""The ledger's days: numbered from 1970-01-01 at one fixed offset from UTC, named in the genesis.

No time zone database is involved: day ``d`` holds the unix seconds from ``86400 d - offset`` up to,
not including, ``86400 (d + 1) - offset``.
"""

import datetime
from dataclasses import dataclass

from keys.strict import dump_date

DAY_SECONDS = 86_400
OFFSET_SECONDS_MAX = 14 * 3600


@dataclass(frozen=True)
class Calendar:
    """Days at ``offset`` seconds east of UTC."""

    offset: int

    def day(self, time: int) -> int:
        """The day that holds the unix second ``time``."""
        return (time + self.offset) // DAY_SECONDS

    def start(self, day: int) -> int:
        """The first unix second of ``day``."""
        return day * DAY_SECONDS - self.offset

    def seconds(self, time: int) -> int:
        """The seconds since midnight at ``time``."""
        return (time + self.offset) % DAY_SECONDS

    def cut(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """``[start, end)`` cut at midnight: (day, start, end) for each day that it touches."""
        day = self.day(start)
        midnight = self.start(day + 1)
        if end <= midnight:
            return [(day, start, end)]
        pieces = []
        while start < end:
            pieces.append((day, start, min(end, midnight)))
            day, start, midnight = day + 1, midnight, midnight + DAY_SECONDS
        return pieces

    def period_end(self, day: int, period: str) -> int:
        """The last day of the day, month or year that holds ``day``."""
        if period == "day":
            return day
        date = datetime.date.fromisoformat(dump_date(day))
        if period == "month":
            year, month = (date.year, date.month + 1) if date.month < 12 else (date.year + 1, 1)
        else:
            year, month = date.year + 1, 1
        return day + (datetime.date(year, month, 1) - date).days - 1
