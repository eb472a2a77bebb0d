"""What every route has at hand: one ledger's store, the settings, the clock, the limits."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request

from api.pseudonymising import Evaluator
from api.records import Origins
from api.service.admitting import Admitting
from api.service.intake import Intake
from api.service.limits import InFlight, Rate, Stall
from api.service.settings import Settings
from chain.state import State
from chain.store.ledger import LedgerStore
from chain.store.snapshot import Snapshot
from keys.errors import Usage


class Service:
    """The service of one ledger, in one process.

    clock: unix seconds, by which signed reads and tokens are judged.  sealed_by: the ids of the
    keys with which this service can seal, if it says.  evaluator: the private keys of pseudonyms
    that it has.
    """

    def __init__(
        self,
        store: LedgerStore,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
        sealed_by: frozenset[bytes] | None = None,
        evaluator: Evaluator | None = None,
    ) -> None:
        self.store = store
        self.sealed_by = sealed_by
        self.settings = settings or Settings()
        self.clock = clock
        self.origins = Origins()
        self.evaluator = evaluator or Evaluator()
        self.in_flight = InFlight(
            self.settings.submissions_in_flight, self.settings.bytes_in_flight
        )
        self.finals = asyncio.Semaphore(self.settings.finals_waiting)
        self.stall = Stall()
        admitting = Admitting(store, Rate(self.settings.statements_per_minute), clock)
        self.intake = Intake(store, admitting, self.settings.statements_waiting)
        self.reads = Rate(self.settings.requests_per_minute)
        self.checks = Rate(self.settings.checks_per_minute)
        self.subject_checks = Rate(self.settings.checks_per_subject)
        self.certificates = Rate(self.settings.certificates_per_minute)
        self.books = Rate(self.settings.books_per_minute)
        self.pseudonyms = Rate(self.settings.pseudonyms_per_minute)

    @contextmanager
    def reading(self) -> Iterator[tuple[Snapshot, State]]:
        """A snapshot, and what governance has decided as of it; raises `Usage` before the
        genesis."""
        with self.store.snapshot() as snapshot:
            state = snapshot.state()
            if state is None:
                raise Usage("genesis-missing")
            yield snapshot, state

    def state(self) -> State:
        """What governance has decided as of now."""
        with self.reading() as (_, state):
            return state


async def service(request: Request) -> Service:
    """The service that a request reached."""
    of: Service = request.app.state.service
    return of


Of = Annotated[Service, Depends(service)]
"""A route's parameter: the service."""
