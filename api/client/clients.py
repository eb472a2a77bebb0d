"""The two clients: one for programs that block, one for asyncio."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx2

from api.client.flows import PATIENCE_SECONDS, Flow, Flows, Pause, T
from api.outcomes import LeftOut, Sent
from chain.reductions import Reduction
from chain.state import State
from keys.pseudonyms import Epoch
from keys.signer import Signer
from keys.statements import Statement
from verifier.policy import Policy

BATCH = 1_000
"""Reductions in a submission, unless said otherwise."""
IN_FLIGHT = 4
"""So many batches of one `submit` are on their way at once."""
_TIMEOUT = httpx2.Timeout(10, read=60, write=60)


class Client:
    """The service at ``url``, for a program that blocks; several threads may use it.

    policy: whose log keys receipts are checked with.  participant, signer: in whose name and with
    which key submissions and reads are signed.  ledger: the genesis id that the service's ledger
    must have, if it is known.  clock: unix seconds.  transport: of httpx2, in the place of sockets.
    patience: the pauses of one call, in seconds.  sleep: how a pause is made.
    """

    def __init__(
        self,
        url: str,
        policy: Policy,
        *,
        participant: str | None = None,
        signer: Signer | None = None,
        ledger: bytes | None = None,
        clock: Callable[[], float] = time.time,
        transport: httpx2.BaseTransport | None = None,
        patience: float = PATIENCE_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._flows = Flows(url, policy, participant, signer, ledger, clock, patience)
        self._http = httpx2.Client(transport=transport, timeout=_TIMEOUT)
        self._sleep = sleep

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _run(self, flow: Flow[T]) -> T:
        result: Any = None
        while True:
            try:
                step = flow.send(result)
            except StopIteration as end:
                made: T = end.value
                return made
            if isinstance(step, httpx2.Request):
                try:
                    result = self._http.send(step)
                except httpx2.RequestError as error:
                    result = error
            elif isinstance(step, Pause):
                result = self._sleep(step.seconds)
            else:
                result = step()

    def ledger(self) -> dict[str, Any]:
        """The ledger's facts, as the service tells them."""
        return self._run(self._flows.read("/v1/ledger"))

    def state(self) -> State:
        """What governance has decided as of now.

        It is fetched from where it was last, each statement checked by its receipt and by the
        rules; only what the service leaves out cannot be seen.
        """
        return self._run(self._flows.state())

    def submit(self, lines: Iterable[bytes], batch: int = BATCH) -> Iterator[Sent | LeftOut]:
        """Submit activities, a line each: reduce them, sign and send them by scenario.

        So many lines are taken at once, and several such batches are on their way together; which
        of two that collide comes first is then open.  Yields what became of them, in their order.
        """
        self.state()
        on_way: deque[Future[list[Sent | LeftOut]]] = deque()
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            try:
                for flow in self._flows.batches(lines, batch):
                    on_way.append(pool.submit(self._run, flow))
                    if len(on_way) == IN_FLIGHT:
                        yield from on_way.popleft().result()
                while on_way:
                    yield from on_way.popleft().result()
            finally:
                for future in on_way:
                    future.cancel()

    def send(
        self,
        statement: Statement,
        lines: Sequence[bytes],
        reductions: Sequence[Reduction] | None = None,
    ) -> Sent:
        """Send a submission that is signed already, with all of its activities.

        reductions: those that it signs, where they are at hand; else they are computed again.

        To send it again is harmless, whatever became of it the first time.  If it is refused as
        "statement-expired", it is not in the log and never will be, and may be signed anew.
        """
        return self._run(self._flows.send(statement, lines, reductions))

    def post(self, statement: Statement) -> dict[str, Any]:
        """Send any other statement; the answer, its receipt verified, or that it waits."""
        return self._run(self._flows.post(statement))

    def answer(self, statement: Statement) -> dict[str, Any] | None:
        """What became of a statement: ``status`` is "recorded", its receipt verified, "waiting" or
        "refused" (with ``error``); None if the service does not know it."""
        return self._run(self._flows.answer(statement))

    def bundle(self, leaf: bytes, *, disclose: bool = False, final: bool = False) -> bytes:
        """The bundle of a reduction, for `verifier.check`; disclose: with its activity; final: once
        the quorum has cosigned its checkpoint."""
        return self._run(self._flows.bundle(leaf, disclose, final))

    def evaluate(self, epoch: Epoch, elements: Sequence[bytes]) -> tuple[list[bytes], bytes]:
        """Have the service evaluate blinded elements with an epoch's key: `keys.oprf.Evaluate`."""
        return self._run(self._flows.evaluate(epoch, elements))

    def get(self, path: str, **query: str | int | bool | None) -> Any:
        """Read a route, signed where there is a signer; the JSON that it gives."""
        return self._run(self._flows.read(path, query))


class AsyncClient:
    """The same for a program on asyncio: every method is awaited, `submit` is for ``async for``.

    transport: an httpx2.AsyncBaseTransport.  sleep: how a pause is made, awaited.
    """

    def __init__(
        self,
        url: str,
        policy: Policy,
        *,
        participant: str | None = None,
        signer: Signer | None = None,
        ledger: bytes | None = None,
        clock: Callable[[], float] = time.time,
        transport: httpx2.AsyncBaseTransport | None = None,
        patience: float = PATIENCE_SECONDS,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._flows = Flows(url, policy, participant, signer, ledger, clock, patience)
        self._http = httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT)
        self._sleep = sleep

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def _run(self, flow: Flow[T]) -> T:
        result: Any = None
        while True:
            try:
                step = flow.send(result)
            except StopIteration as end:
                made: T = end.value
                return made
            if isinstance(step, httpx2.Request):
                try:
                    result = await self._http.send(step)
                except httpx2.RequestError as error:
                    result = error
            elif isinstance(step, Pause):
                result = await self._sleep(step.seconds)
            else:
                result = await asyncio.to_thread(step)

    async def ledger(self) -> dict[str, Any]:
        """See `Client.ledger`."""
        return await self._run(self._flows.read("/v1/ledger"))

    async def state(self) -> State:
        """See `Client.state`."""
        return await self._run(self._flows.state())

    async def submit(
        self, lines: Iterable[bytes], batch: int = BATCH
    ) -> AsyncIterator[Sent | LeftOut]:
        """See `Client.submit`."""
        await self.state()
        on_way: deque[asyncio.Task[list[Sent | LeftOut]]] = deque()
        try:
            for flow in self._flows.batches(lines, batch):
                on_way.append(asyncio.create_task(self._run(flow)))
                if len(on_way) == IN_FLIGHT:
                    for outcome in await on_way.popleft():
                        yield outcome
            while on_way:
                for outcome in await on_way.popleft():
                    yield outcome
        finally:
            for task in on_way:
                task.cancel()

    async def send(
        self,
        statement: Statement,
        lines: Sequence[bytes],
        reductions: Sequence[Reduction] | None = None,
    ) -> Sent:
        """See `Client.send`."""
        return await self._run(self._flows.send(statement, lines, reductions))

    async def post(self, statement: Statement) -> dict[str, Any]:
        """See `Client.post`."""
        return await self._run(self._flows.post(statement))

    async def answer(self, statement: Statement) -> dict[str, Any] | None:
        """See `Client.answer`."""
        return await self._run(self._flows.answer(statement))

    async def bundle(self, leaf: bytes, *, disclose: bool = False, final: bool = False) -> bytes:
        """See `Client.bundle`."""
        return await self._run(self._flows.bundle(leaf, disclose, final))

    async def evaluate(self, epoch: Epoch, elements: Sequence[bytes]) -> tuple[list[bytes], bytes]:
        """See `Client.evaluate`."""
        return await self._run(self._flows.evaluate(epoch, elements))

    async def get(self, path: str, **query: str | int | bool | None) -> Any:
        """See `Client.get`."""
        return await self._run(self._flows.read(path, query))
