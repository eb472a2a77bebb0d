"""What a client does, without doing any of it: *flows*.

A flow is a generator.  It yields what it wants done, and is given the result: an `httpx2.Request`,
for which it is given the response, or the `httpx2.RequestError` for which there is none; a
`Pause`; or a computation, for which it is given what it gives.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx2
import zstandard

from api.client.answers import (
    check_settled,
    read_answer,
    read_error,
    read_json,
    read_problem,
    read_receipt,
    read_retry_after,
    reading,
)
from api.outcomes import Item, LeftOut, Sent, reduce_lines
from api.service import signatures
from api.values import STATEMENT_SECONDS
from chain.activities import parse_activities
from chain.admission import reduce_activities, sign_submission
from chain.reductions import Reduction
from chain.rules import GOVERNANCE_KINDS, check_submission, replay_governance
from chain.state import State
from keys.errors import Malformed, NotAllowed, Refusal, Usage, VerificationError
from keys.pseudonyms import Epoch
from keys.signer import Signer
from keys.statements import Statement, parse_statement
from keys.strict import dump_base64, dump_date, dump_json, parse_base64
from verifier.policy import Policy

PATIENCE_SECONDS = 60.0
COMPRESSED_FROM_BYTES = 16_384
"""A shorter body is sent as it is."""

_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.25, 10.0
_LOOK_SECONDS = 1.0
_AGAIN = frozenset({408, 429, 502, 503, 504})

T = TypeVar("T")


@dataclass(frozen=True)
class Pause:
    """A flow wants to wait."""

    seconds: float


Flow = Generator[httpx2.Request | Pause | Callable[[], Any], Any, T]
Query = Mapping[str, str | int | bool | None]


class Flows:
    """What a client does, without doing any of it; see the module's text."""

    def __init__(
        self,
        url: str,
        policy: Policy,
        participant: str | None,
        signer: Signer | None,
        ledger: bytes | None,
        clock: Callable[[], float],
        patience: float,
    ) -> None:
        self._url = _base(url)
        self._policy = policy
        self._participant = participant
        self._signer = signer
        self._ledger = ledger
        self._clock = clock
        self._patience = patience
        self._state: State | None = None

    # --- requests ---

    def _exchange(self, make: Callable[[], httpx2.Request]) -> Flow[httpx2.Response]:
        """Ask until there is an answer, but for so long only; ``make`` is called every time."""
        left = self._patience
        for attempt in count():
            reply = yield make()
            if isinstance(reply, httpx2.Response) and reply.status_code not in _AGAIN:
                return reply
            seconds = _pause(attempt, reply)
            if seconds > left:
                break
            left -= seconds
            yield Pause(seconds)
        raise read_error(reply)

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Request:
        asked = {
            name: _written(value) for name, value in (query or {}).items() if value is not None
        }
        url = f"{self._url}{path}" + (f"?{urlencode(asked)}" if asked else "")
        return httpx2.Request(method, url, content=body, headers=dict(headers or {}))

    def _ask(
        self, method: str, path: str, query: Query | None = None, body: object = None
    ) -> Flow[httpx2.Response]:
        """Ask for a route, in the participant's name where there is a signer."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        content = None if body is None else dump_json(body)
        ledger = (yield from self._known_state()).genesis.id if self._signer else b""

        def make() -> httpx2.Request:
            request = self._request(method, path, query=query, body=content, headers=headers)
            if self._signer:
                request.headers.update(self._signature(request, ledger))
            return request

        return (yield from self._exchange(make))

    def _signature(self, request: httpx2.Request, ledger: bytes) -> dict[str, str]:
        participant, signer = self._who()
        return signatures.sign(
            signatures.Request(
                request.method,
                request.url.raw_path.decode(),
                request.headers.multi_items(),
                request.content,
            ),
            signer,
            participant=participant,
            ledger=ledger,
            now=int(self._clock()),
        )

    def _who(self) -> tuple[str, Signer]:
        """In whose name, and with which key; raises `Usage`."""
        if self._participant is None or self._signer is None:
            raise Usage("client-without-key")
        return self._participant, self._signer

    def read(self, path: str, query: Query | None = None) -> Flow[Any]:
        """The JSON that a route gives."""
        return read_json((yield from self._ask("GET", path, query)))

    def bundle(self, leaf: bytes, disclose: bool, final: bool) -> Flow[bytes]:
        """The bytes of a bundle."""
        path = f"/v1/reductions/{leaf.hex()}/bundle"
        query = {"disclose": disclose or None, "final": final or None}
        reply = yield from self._ask("GET", path, query)
        if not reply.is_success:
            raise read_error(reply)
        return reply.content

    def evaluate(self, epoch: Epoch, elements: Sequence[bytes]) -> Flow[tuple[list[bytes], bytes]]:
        """What the service has evaluated, and its proof, which the caller checks."""
        body = {"from": dump_date(epoch.start), "elements": [dump_base64(one) for one in elements]}
        made = read_json((yield from self._ask("POST", "/v1/pseudonyms/evaluate", body=body)))
        with reading():
            return [parse_base64(one) for one in made["elements"]], parse_base64(made["proof"])

    # --- governance ---

    def _known_state(self) -> Flow[State]:
        return self._state or (yield from self.state())

    def state(self) -> Flow[State]:
        """What governance has decided, from where it was last known on."""
        state = self._state
        first: int | None = state.index if state else 0
        while first is not None:
            make = partial(self._request, "GET", "/v1/governance", query={"from": first})
            page = read_json((yield from self._exchange(make)))
            with reading():
                rows, following = list(page["items"]), page["next"]
                if following is not None and not (type(following) is int and following > first):
                    raise ValueError("next")
            for row in rows:
                state = self._fold(state, row)
            first = following
        if state is None:
            raise VerificationError("answer-invalid", reason="genesis")
        # Another thread may have gone further meanwhile.
        if self._state is None or self._state.index < state.index:
            self._state = state
        return self._state

    def _fold(self, state: State | None, row: Any) -> State:
        """The state after a statement of governance; its receipt says where it stands."""
        with reading():
            statement = parse_statement(parse_base64(row["statement"]))
            index = read_receipt(self._policy, parse_base64(row["receipt"]), statement)
            clock = row["clock"]
            if type(clock) is not int or statement.kind not in GOVERNANCE_KINDS:
                raise ValueError("items")
            if index < state.index if state else index > 0:
                raise ValueError("index")
            if state is None and self._ledger not in (None, statement.id):
                raise VerificationError("statement-other-ledger")
            return replay_governance(state, statement, index, clock)

    # --- statements ---

    def answer(self, statement: Statement) -> Flow[dict[str, Any] | None]:
        """What became of a statement."""
        reply = yield from self._ask("GET", f"/v1/statements/{statement.id.hex()}")
        try:
            return check_settled(self._policy, statement, read_json(reply))
        except Usage as error:
            if error.code != "statement-not-known":
                raise
            return None

    def post(self, statement: Statement) -> Flow[dict[str, Any]]:
        """Send a statement that is no submission."""
        headers = {"Content-Type": "application/cose"}
        return self._settled(statement, "/v1/statements", body=statement.data, headers=headers)

    def send(
        self,
        statement: Statement,
        lines: Sequence[bytes],
        reductions: Sequence[Reduction] | None,
    ) -> Flow[Sent]:
        """Send a submission that is signed already."""
        state = yield from self._known_state()
        items = yield partial(_items, state, statement, lines, reductions)
        return (yield from self._submit(statement, items))

    def _submit(self, statement: Statement, items: Sequence[Item]) -> Flow[Sent]:
        body, encoding = yield partial(_body, statement, items)
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": encoding}
        made = yield from self._settled(statement, "/v1/submissions", body=body, headers=headers)
        if made["status"] == "waiting":
            return Sent(statement, items, None)
        with reading():
            return Sent(statement, items, read_answer(statement, items, made))

    def _settled(
        self, statement: Statement, path: str, *, body: bytes, headers: Mapping[str, str]
    ) -> Flow[dict[str, Any]]:
        """Send, and ask until it is settled or patience ends; raises the `Refusal` of all of it."""
        make = partial(self._request, "POST", path, body=body, headers=headers)
        made, left = (yield from self._sent(statement, make)), self._patience
        while made["status"] == "waiting" and left >= _LOOK_SECONDS:
            left -= _LOOK_SECONDS
            yield Pause(_LOOK_SECONDS)
            # What it has lost, as a ledger that was restored may have, it is given again.
            found = yield from self.answer(statement)
            made = found or (yield from self._sent(statement, make))
        if made["status"] == "refused":
            raise read_problem(made["error"])
        return made

    def _sent(
        self, statement: Statement, make: Callable[[], httpx2.Request]
    ) -> Flow[dict[str, Any]]:
        reply = yield from self._exchange(make)
        try:
            return check_settled(self._policy, statement, read_json(reply))
        except Refusal:
            # An earlier attempt whose answer was lost may have been taken.
            found = yield from self.answer(statement)
            if found is None or found["status"] == "refused":
                raise
            return found

    # --- activities ---

    def batches(self, lines: Iterable[bytes], batch: int) -> Iterator[Flow[list[Sent | LeftOut]]]:
        """A flow for each batch of lines."""
        numbered = enumerate(lines, 1)
        while taken := list(islice(numbered, batch)):
            yield self._batch(taken)

    def _batch(self, lines: Sequence[tuple[int, bytes]]) -> Flow[list[Sent | LeftOut]]:
        state, left_out, by_scenario = yield from self._reduced(lines)
        made: list[Sent | LeftOut] = [*left_out]
        for items in by_scenario:
            try:
                made.append((yield from self._sign_and_send(state, items)))
            except Refusal:
                # Governance may have decided otherwise since: then it is computed anew, once.
                newer = yield from self.state()
                if newer.index == state.index:
                    raise
                again = [(item.number, item.activity.data) for item in items]
                newer, left_out, regrouped = yield from self._reduced(again)
                made += left_out
                for others in regrouped:
                    made.append((yield from self._sign_and_send(newer, others)))
        return made

    def _reduced(
        self, lines: Sequence[tuple[int, bytes]]
    ) -> Flow[tuple[State, list[LeftOut], list[list[Item]]]]:
        """What earns nothing, and the reductions of each scenario, by what is in force."""
        state, (platform, _) = (yield from self._known_state()), self._who()
        made = yield partial(reduce_lines, lines, state, platform)
        if any(isinstance(one, LeftOut) and isinstance(one.why, NotAllowed) for one in made):
            newer = yield from self.state()
            if newer.index != state.index:
                state = newer
                made = yield partial(reduce_lines, lines, state, platform)
        by_scenario: dict[str, list[Item]] = defaultdict(list)
        for one in made:
            if isinstance(one, Item):
                by_scenario[one.reduction.scenario].append(one)
        left_out = [one for one in made if isinstance(one, LeftOut)]
        return state, left_out, list(by_scenario.values())

    def _sign_and_send(self, state: State, items: Sequence[Item]) -> Flow[Sent]:
        platform, signer = self._who()
        statement = yield partial(
            sign_submission,
            signer,
            platform=platform,
            ledger=state.genesis.id,
            expires=max(int(self._clock()), state.time) + STATEMENT_SECONDS,
            reductions=[item.reduction for item in items],
        )
        sent = yield from self._submit(statement, items)
        if sent.answer is None:
            return sent
        own = (
            position
            for position, why in sent.answer.refusals.items()
            if why.met and why.met.holder == items[position].reduction.holder
        )
        return replace(sent, known=frozenset(own))


def _base(url: str) -> str:
    """A service's URL without what ends it; raises `Usage`."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise Usage("url-invalid", url=url[:200], reason=str(error)) from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise Usage("url-invalid", url=url[:200], reason="http(s)://HOST[:PORT][/PATH]")
    return str(parsed).rstrip("/")


def _written(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body(statement: Statement, items: Sequence[Item]) -> tuple[bytes, str]:
    """A submission as it is sent, and its content coding."""
    first = dump_json({"statement": dump_base64(statement.data)})
    body = b"\n".join([first, *(item.activity.data for item in items), b""])
    if len(body) < COMPRESSED_FROM_BYTES:
        return body, "identity"
    return zstandard.ZstdCompressor().compress(body), "zstd"


def _items(
    state: State,
    statement: Statement,
    lines: Sequence[bytes],
    reductions: Sequence[Reduction] | None,
) -> list[Item]:
    """The reductions that a submission signs, with their activities; raises `Malformed`."""
    activities = parse_activities(lines)
    if reductions is None:
        made = reduce_activities(activities, state, statement.issuer)
        for number, one in enumerate(made, 1):
            if isinstance(one, Refusal):
                raise Malformed("activity-invalid", line=number, reason=one.text()) from one
        reductions = [one for one in made if isinstance(one, Reduction)]
    check_submission(state, statement, reductions)
    if [activity.digest for activity in activities] != [one.digest for one in reductions]:
        raise Malformed("submission-root")
    return [
        Item(number, activity, reduction)
        for number, (activity, reduction) in enumerate(zip(activities, reductions, strict=True), 1)
    ]


def _pause(attempt: int, reply: httpx2.Response | httpx2.RequestError) -> float:
    """How long to wait before the next attempt, in seconds."""
    # Spread, so that many who were cut off together do not come back together.
    spread = random.uniform(0.5, 1)  # noqa: S311  (no secret)
    seconds: float = min(_PAUSE_SECONDS * 2**attempt, _PAUSE_SECONDS_MAX) * spread
    if isinstance(reply, httpx2.Response):
        return max(seconds, read_retry_after(reply))
    return seconds
