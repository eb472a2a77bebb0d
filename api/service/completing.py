"""Proofs that wait until the quorum has cosigned their block: ``?final=true``.

A proof is as of the last block, and when it is asked for nobody may have cosigned that one yet.  So
it is written first; then it waits, and the cosignatures are put under its checkpoint.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query
from fastapi.concurrency import run_in_threadpool

from api.proving import complete
from api.service.service import Service
from keys.errors import Busy

LOOK_SECONDS = 0.25
"""How often it is looked for the quorum."""
RETRY_SECONDS = 5

Final = Annotated[
    bool, Query(description="Wait until the quorum has cosigned its checkpoint, but for so long.")
]
"""A route's parameter: whether a proof is to be final."""


async def proved(of: Service, make: Callable[[], dict[str, Any]], final: bool) -> dict[str, Any]:
    """The proof that ``make`` writes; with ``final`` once its checkpoint is final.

    Raises `Busy` "final-not-yet" if that takes too long, "service-busy" if too many wait.
    """
    document = await run_in_threadpool(make)
    if not final:
        return document
    if of.finals.locked():
        raise Busy("service-busy", retry_after=RETRY_SECONDS)
    async with of.finals:
        until = time.monotonic() + of.settings.final_seconds
        while not await run_in_threadpool(complete, of.store, document):
            if time.monotonic() >= until:
                raise Busy("final-not-yet", retry_after=RETRY_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)
    return document
