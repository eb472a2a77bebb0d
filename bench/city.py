"""The ledgers that the benchmarks run on: one platform, reductions with two claims each.

All of it is synthetic, and every reduction has identifiers of its own, so that each is recorded.
Two workloads show the two ways in which claims meet a register that is full:

* *trips*: bike-share trips claim the bike's and the traveller's time, both on lines of their day.
  What is full is the 30 days before; most of what arrives is of today, which begins.
* *rides*: bus rides claim the traveller's time and the ticket, whose line has no day.  Here all
  that is there is of today, and every claim falls anywhere among it: the worst case.
"""

import gc
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chain.activities import parse_activities
from chain.admission import reduce_activities, sign_submission
from chain.calendar import DAY_SECONDS
from chain.genesis import default_classes, enrol, library, make_genesis, publish_methodology
from chain.reductions import Reduction
from chain.sequencer import Sequencer
from chain.spans import FOREVER
from chain.store.database import open_engine
from chain.store.ledger import LedgerStore, put_pages
from keys.errors import Refusal
from keys.participants import Role
from keys.signer import KeySigner, from_seed
from keys.statements import Statement, sign_statement
from keys.strict import dump_json, parse_date

ORIGIN = "ledger.example/bench"
OFFSET = 8 * 3600
TODAY = parse_date("2026-03-30")
NOW = TODAY * DAY_SECONDS + 20 * 3600 - OFFSET
PLATFORM = "platform"
#: How what arrives spreads over the days back from today, in percent.
ARRIVALS = ((0, 90), (1, 8), (7, 2))


@dataclass(frozen=True)
class Workload:
    """What a platform submits; ``history``: the days back from today over which what is there
    already spreads."""

    name: str
    methodology: str
    classes: tuple[int, int]
    seconds: int
    history: range


TRIPS = Workload("trips", "bike-share-trip", (2, 1), 900, range(1, 31))
RIDES = Workload("rides", "bus-ride-by-code", (1, 4), 0, range(1))
_TICKET = 4
_STEP, _STEPS_A_WRITE = 100_000, 10

Batch = tuple[Statement, list[bytes]]


def key(name: str) -> KeySigner:
    """A participant's key, the same in every run."""
    return from_seed(b"bench/" + name.encode())


class BenchCity:
    """A fresh ledger in ``folder``; ``seed`` decides on what is submitted to it.

    database: its URL, if it is not SQLite's file in the folder.
    """

    def __init__(
        self, folder: Path, workload: Workload, seed: int, database: str | None = None
    ) -> None:
        self.workload = workload
        self._folder = folder
        self._random = random.Random(seed)
        self.store = LedgerStore(folder, open_engine(database) if database else None)
        self.store.prepare()
        self.sequencer = Sequencer(self.store, key("operator"))
        with self.store.snapshot() as snapshot:
            if snapshot.head() is not None:
                return
        first = TODAY - 60
        scenario = {
            "format": 1,
            "id": "city",
            "title": {"en": "City", "zh": "城市"},
            "region": "city",
            "methodology": workload.methodology,
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
                publish_methodology(library()[workload.methodology], first),
                {"action": "scenario", "document": dump_json(scenario).decode()},
            ],
        )
        self.sequencer.post([genesis])
        self.sequencer.seal_all(NOW)

    def activities(self, count: int, today: int = TODAY) -> list[bytes]:
        """``count`` activities, as NDJSON lines, as they arrive on a day."""
        days, weights = zip(*ARRIVALS, strict=True)
        token = self._random.randbytes
        lines = []
        for back in self._random.choices(days, weights, k=count):
            start = (today - back) * DAY_SECONDS - OFFSET + self._random.randrange(600, 70_000)
            activity = {
                "format": 1,
                "id": token(6).hex(),
                "scenario": "city",
                "start": start,
                "end": start + self.workload.seconds,
                "subject": token(16).hex(),
                "evidence": {"tier": "platform-record", "digest": token(32).hex()},
                "authorisation": token(32).hex(),
                "nonce": token(16).hex(),
            }
            if _TICKET in self.workload.classes:
                activity["ticket"] = {"issuer": "bus", "number": token(16).hex()}
            else:
                activity["vehicle"] = token(16).hex()
            lines.append(dump_json(activity))
        return lines

    def batches(self, count: int, size: int, today: int = TODAY) -> list[Batch]:
        """Signed submissions of ``size`` activities each."""
        made = []
        for _ in range(count):
            lines = self.activities(size, today)
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

    def copy(self, folder: Path, seed: int) -> "BenchCity":
        """The same ledger in another folder, its register read into memory."""
        if hasattr(self, "store"):
            self.close()
        shutil.copytree(self._folder, folder)
        city = BenchCity(folder, self.workload, seed)
        register = city.sequencer._recall().register
        for _ in register.spans():
            pass
        register.drain()
        return city

    def recorded(self) -> int:
        """How many reductions the ledger has recorded."""
        with self.store.snapshot() as snapshot:
            head = snapshot.head()
        return head.recorded if head else 0

    def close(self) -> None:
        """Let the ledger go, and its memory; after this it can only be copied."""
        self.store.engine.dispose()
        del self.store, self.sequencer
        gc.unfreeze()
        gc.collect()

    def preload(self, spans: int) -> None:
        """Fill the register with spans of earlier reductions of the same kind.

        They go in beside the log: what is measured is the register at that size.
        """
        register = self.sequencer._recall().register
        for done in range(0, spans, _STEP):
            rows = b"".join(self._row() for _ in range(min(_STEP, spans - done)))
            register.change((), (), rows)
            # Of what many steps change, a page is written once.
            if done // _STEP % _STEPS_A_WRITE == _STEPS_A_WRITE - 1 or done + _STEP >= spans:
                with self.store.writing() as connection:
                    put_pages(connection, register.drain())
        # A block of its own seals what is there now.
        action = {"action": "grant", "participant": PLATFORM, "role": Role.AUDITOR.value}
        proposal = sign_statement(
            key("governor"),
            kind="proposal",
            issuer="governor",
            subject="bench",
            audience=self.sequencer.state.genesis.id,
            expires=NOW + 3600,
            payload={"format": 1, "actions": [action]},
        )
        self.sequencer.post([proposal])
        self.sequencer.seal_all(NOW)

    def _row(self) -> bytes:
        """A span as a row of the register's pages."""
        token = self._random.randbytes
        class_number = self._random.choice(self.workload.classes)
        if class_number == _TICKET:
            line, start, end = b"\0\0" + bytes((class_number,)) + token(21), 0, FOREVER
        else:
            day = TODAY - self._random.choice(self.workload.history)
            line = day.to_bytes(2) + bytes((class_number,)) + token(21)
            start = day * DAY_SECONDS - OFFSET + self._random.randrange(600, 70_000)
            end = start + 420
        return line + start.to_bytes(8) + end.to_bytes(8) + token(32)
