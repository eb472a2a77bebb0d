"""Sealing while the service runs: one process of all that serve a ledger leads, and makes blocks.

It waits for the lead (`chain.store.leading`), then makes a block as soon as statements have
gathered for a moment, or enough have come.  Whoever does not lead looks every second whether the
lead is free, so that another takes over within seconds of its end.  After any error it gives the
lead back and begins again from what the database says.
"""

import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from api.service.cosigning import Cosigning
from api.service.logs import LOG, reason_of
from api.service.metrics import BLOCKS, LEADING, stage
from api.service.settings import Settings
from chain.sequencer import Sequencer
from chain.store.leading import Lead
from chain.store.ledger import LedgerStore
from keys.errors import Conflict, TallyError
from keys.signer import Signer

LEAD_SECONDS = 1.0
"""How often it is asked for the lead."""
LOOK_SECONDS = 0.02
"""How often it is looked for what waits."""


class Sealing:
    """The sealing of one ledger, in one process; ``stop`` ends it after the block at hand."""

    def __init__(
        self,
        store: LedgerStore,
        signers: Sequence[Signer],
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._signers = signers
        self._settings = settings
        self._clock = clock
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End after the block at hand."""
        self._stopped.set()

    def run(self) -> None:
        """Seal until stopped."""
        while not self._stopped.is_set():
            try:
                lead = self._store.lead()
                if lead is not None:
                    with lead, Cosigning(self._store, self._settings.addresses, lead):
                        self._lead(lead)
            except Conflict as error:
                LOG.warning("overtaken", extra={"code": error.code})
            except (TallyError, SQLAlchemyError, OSError) as error:
                # It stops rather than go on wrong; a database that is away comes back.
                LOG.error("sealing", extra={"reason": reason_of(error)})
            finally:
                LEADING.set(0)
            self._stopped.wait(LEAD_SECONDS)

    def _lead(self, lead: Lead) -> None:
        pages = self._settings.register_pages
        sequencer = Sequencer(self._store, *self._signers, lead=lead, pages_cached=pages)
        LEADING.set(1)
        LOG.info("leading", extra={"epoch": lead.epoch})
        while not self._stopped.is_set():
            if not self._gather(lead):
                continue
            with stage("seal"):
                head = sequencer.seal(int(self._clock()))
            if head is not None:
                BLOCKS.inc()
                LOG.info("block", extra={"height": head.height, "size": head.size})

    def _gather(self, lead: Lead) -> bool:
        """Wait a moment for more, once something waits; whether anything does."""
        if not self._count():
            lead.check()
            self._stopped.wait(LOOK_SECONDS)
            return False
        until = time.monotonic() + self._settings.block_seconds
        while time.monotonic() < until and self._count() < self._settings.block_statements:
            self._stopped.wait(LOOK_SECONDS)
        return True

    def _count(self) -> int:
        with self._store.snapshot() as snapshot:
            return snapshot.pending_count()
