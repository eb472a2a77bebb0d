"""The ledger that the benchmarks run on: one platform, bus rides with two claims each.

The rides are synthetic: a person and a ticket of its own for each, so that every one is recorded.
"""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert

from chain.activities import parse_activities
from chain.admission import reduce_activities, sign_submission
from chain.calendar import DAY_SECONDS
from chain.genesis import default_classes, enrol, library, make_genesis, publish_methodology
from chain.reductions import Reduction
from chain.sequencer import Sequencer
from chain.spans import FOREVER, Span
from chain.store import tables
from chain.store.ledger import LedgerStore
from keys.errors import Refusal
from keys.participants import Role
from keys.signer import KeySigner, from_seed
from keys.statements import Statement
from keys.strict import dump_json, parse_date

ORIGIN = "ledger.example/bench"
OFFSET = 8 * 3600
TODAY = parse_date("2026-03-30")
NOW = TODAY * DAY_SECONDS + 20 * 3600 - OFFSET
PLATFORM = "platform"
HISTORY_DAYS = 30
#: How the rides of one submission spread over the days back from today, in percent.
ARRIVALS = ((0, 90), (1, 8), (7, 2))

Batch = tuple[Statement, list[bytes]]


def key(name: str) -> KeySigner:
    """A participant's key, the same in every run."""
    return from_seed(b"bench/" + name.encode())


class BenchCity:
    """A fresh ledger in ``folder``; ``seed`` decides on its rides."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.store = LedgerStore(folder)
        self.store.prepare()
        self.sequencer = Sequencer(self.store, key("operator"))
        first = TODAY - 60
        scenario = {
            "format": 1,
            "id": "bus",
            "title": {"en": "Bus", "zh": "公交"},
            "region": "city",
            "methodology": "bus-ride-by-code",
            "owner": "governor",
            "platforms": [PLATFORM],
            "authority": "governor",
            "crediting": {"from": "2026-01-01", "to": "2026-12-31"},
        }
        genesis = make_genesis(
            key("operator"),
            operator="operator",
            origin=ORIGIN,
            time=NOW,
            utc_offset=OFFSET,
            first_day=first,
            classes=default_classes({"ticket": ["bus"]}),
            actions=[
                enrol("operator", "Operator", [Role.OPERATOR], key("operator").public),
                enrol("governor", "Governor", [Role.GOVERNOR], key("governor").public),
                enrol(PLATFORM, "Platform", [Role.PLATFORM], key(PLATFORM).public),
                publish_methodology(library()["bus-ride-by-code"], first),
                {"action": "scenario", "document": dump_json(scenario).decode()},
            ],
        )
        self.sequencer.post([genesis])
        self.sequencer.seal_all(NOW)
        self._random = random.Random(seed)

    def rides(self, count: int) -> list[bytes]:
        """``count`` rides, as NDJSON lines."""
        days, weights = zip(*ARRIVALS, strict=True)
        lines = []
        for back in self._random.choices(days, weights, k=count):
            start = (TODAY - back) * DAY_SECONDS - OFFSET + self._random.randrange(600, 80_000)
            if back == 0:
                start = min(start, NOW)
            name = self._random.randbytes(16).hex()
            lines.append(
                dump_json(
                    {
                        "format": 1,
                        "id": f"ride-{name[:12]}",
                        "scenario": "bus",
                        "start": start,
                        "end": start,
                        "subject": name,
                        "evidence": {
                            "tier": "platform-record",
                            "digest": hashlib.sha256(name.encode()).hexdigest(),
                        },
                        "ticket": {"issuer": "bus", "number": self._random.randbytes(16).hex()},
                        "authorisation": "ab" * 32,
                        "nonce": self._random.randbytes(16).hex(),
                    }
                )
            )
        return lines

    def batches(self, count: int, size: int) -> list[Batch]:
        """Signed submissions of ``size`` rides each."""
        made = []
        for _ in range(count):
            lines = self.rides(size)
            statement = sign_submission(
                key(PLATFORM),
                platform=PLATFORM,
                ledger=self.sequencer.state.genesis.id,
                expires=NOW + 3600,
                reductions=self.reduce(lines),
            )
            made.append((statement, lines))
        return made

    def reduce(self, lines: Sequence[bytes]) -> list[Reduction]:
        """What the platform computes before it signs."""
        made = []
        for item in reduce_activities(parse_activities(lines), self.sequencer.state, PLATFORM):
            if isinstance(item, Refusal):
                raise item
            made.append(item)
        return made

    def recorded(self) -> int:
        """How many reductions the ledger has recorded."""
        with self.store.snapshot() as snapshot:
            head = snapshot.head()
        return head.recorded if head else 0

    def close(self) -> None:
        """Let the ledger go, and its memory."""
        self.store.engine.dispose()

    def preload(self, spans: int, days: int) -> None:
        """Fill the register with spans of earlier rides, spread evenly over the last ``days``.

        They go in beside the log: what is measured is the register at that size.
        """
        register = self.sequencer._recall().register
        page = tables.page
        step = 100_000
        for done in range(0, spans, step):
            put = []
            for _ in range(min(step, spans - done) // 2):
                day = TODAY - self._random.randrange(days)
                start = day * DAY_SECONDS - OFFSET + self._random.randrange(600, 80_000)
                holder = self._random.randbytes(32)
                line_id = self._random.randbytes(21)
                put.append(Span(day.to_bytes(2) + b"\1" + line_id, start, start + 420, holder))
                put.append(Span(b"\0\0\4" + line_id[::-1], 0, FOREVER, holder))
            register.change(put)
            pages = register.drain()
            with self.store.engine.begin() as connection:
                rows = [{"number": n, "data": d} for n, d in pages.items() if d is not None]
                connection.execute(insert(page).prefix_with("OR REPLACE"), rows)
