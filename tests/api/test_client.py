"""The client, sync and async: nothing is recorded twice, and nothing is said to be recorded that
the log has not receipted, whatever becomes of requests and answers on their way."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.city import NOON, TODAY, City, key, scenario_document
from support.service import URL, Served, served
from support.serving import policy_of

from api.client import AsyncClient, Client
from api.outcomes import LeftOut, Sent
from api.service.settings import Settings
from chain.genesis import library, publish_methodology
from chain.sequencer import Sequencer
from chain.state import State
from keys.errors import Busy, Conflict, Malformed, NotAllowed, Unreadable, Usage, VerificationError
from keys.participants import key_holder
from keys.strict import dump_base64, dump_date, dump_json, parse_base64, parse_json
from verifier.policy import Policy, parse_policy

DAY_SECONDS = 86_400
SUBMISSIONS = "/v1/submissions"
Send = Callable[[httpx2.Request], httpx2.Response]
Fault = Callable[[httpx2.Request, Send], httpx2.Response]


# --- what can happen on the way ---


def unreachable(request: httpx2.Request, send: Send) -> httpx2.Response:
    raise httpx2.ConnectError("refused", request=request)


def answer_lost(request: httpx2.Request, send: Send) -> httpx2.Response:
    send(request)
    raise httpx2.ReadTimeout("no answer", request=request)


def cut_off(request: httpx2.Request, send: Send) -> httpx2.Response:
    raise httpx2.RemoteProtocolError("the connection ended", request=request)


def twice(request: httpx2.Request, send: Send) -> httpx2.Response:
    send(request)
    return send(request)


def busy(request: httpx2.Request, send: Send) -> httpx2.Response:
    problem = {"code": "service-busy", "status": 503, "details": {"retry_after": "2"}}
    return httpx2.Response(503, headers={"Retry-After": "2"}, json=problem)


def too_many(request: httpx2.Request, send: Send) -> httpx2.Response:
    return httpx2.Response(429, headers={"Retry-After": "1"}, content=b"")


def proxy_failed_after(request: httpx2.Request, send: Send) -> httpx2.Response:
    send(request)
    return httpx2.Response(502, content=b"<html>Bad Gateway</html>")


def refused_after(request: httpx2.Request, send: Send) -> httpx2.Response:
    """It is recorded, and said to be refused."""
    send(request)
    problem = {"code": "submission-root", "status": 422, "details": {}}
    return httpx2.Response(422, json=problem)


PASSING = [unreachable, answer_lost, cut_off, twice, busy, too_many, proxy_failed_after]


class Wire(httpx2.BaseTransport):
    """The way to a service, on which submissions meet the ``faults``, each once, in their order."""

    def __init__(self, inner: httpx2.BaseTransport, at: str = SUBMISSIONS) -> None:
        self._inner = inner
        self._at = at
        self.faults: list[Fault] = []
        self.seen: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        if self.faults and request.url.path.startswith(self._at):
            return self.faults.pop(0)(request, self._send)
        return self._send(request)

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        given = self._inner.handle_request(request)
        return httpx2.Response(given.status_code, headers=given.headers, content=given.read())

    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.seen]


class AsyncWire(httpx2.AsyncBaseTransport):
    """The same for asyncio."""

    def __init__(self, wire: httpx2.BaseTransport) -> None:
        self._wire = wire

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return await asyncio.to_thread(self._wire.handle_request, request)


class Awaited:
    """An `AsyncClient` behind the face of `Client`, so that the same tests are for both."""

    def __init__(self, *given: Any, **more: Any) -> None:
        sleep, transport = more.pop("sleep"), more.pop("transport")

        async def pause(seconds: float) -> None:
            sleep(seconds)

        self._runner = asyncio.Runner()
        self._client = AsyncClient(*given, transport=AsyncWire(transport), sleep=pause, **more)

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def submit(self, lines: Iterable[bytes], batch: int = 1_000) -> Iterator[Sent | LeftOut]:
        made = self._client.submit(lines, batch)
        while (one := self._runner.run(anext(made, None))) is not None:
            yield one

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            return self._runner.run(getattr(self._client, name)(*given, **more))

        return call


class Setting:
    """A city behind its service, and clients of it whose requests go over a `Wire`."""

    def __init__(self, city: City, service: Served, kind: str) -> None:
        self.city = city
        self.wire = Wire(service._transport)
        self._plain = service._transport
        self.pauses: list[float] = []
        self.on_pause: Callable[[], object] = lambda: None
        self._made: list[Any] = []
        self._class = {"sync": Client, "async": Awaited}[kind]

    def client(self, participant: str | None = "metro-app", **more: Any) -> Any:
        """A `Client`, or what looks like one."""
        given = {
            "policy": POLICY,
            "clock": lambda: self.city.now,
            "transport": self.wire,
            "sleep": self._pause,
            **({"participant": participant, "signer": key(participant)} if participant else {}),
            **more,
        }
        self._made.append(self._class(URL, **given))
        return self._made[-1]

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.on_pause()

    def rides(self, count: int) -> list[bytes]:
        """So many rides that meet no others."""
        return [self.city.ride(f"person {self.city._counter}", NOON) for _ in range(count)]

    def before(self, lines: Sequence[bytes], platform: str) -> Sent:
        """A submission that nothing happens to."""
        client = self._as(platform)
        (made,) = sent(client.submit(lines))
        return made

    def govern(self, *actions: dict[str, Any]) -> None:
        """Propose and approve actions."""
        city, client = self.city, self._as("governor")
        proposal = city.sign("proposal", "governor", {"format": 1, "actions": list(actions)})
        client.post(proposal)
        body = {"format": 1, "proposal": proposal.id.hex()}
        client.post(city.sign("approval", "governor", body))

    def _as(self, name: str) -> Client:
        return Client(
            URL,
            POLICY,
            participant=name,
            signer=key(name),
            clock=lambda: self.city.now,
            transport=self._plain,
        )

    def state(self) -> State:
        """What the rules know now."""
        with self.city.store.snapshot() as snapshot:
            made = snapshot.state()
        assert made is not None
        return made

    def recorded(self) -> int:
        """How many reductions the ledger holds."""
        with self.city.store.snapshot() as snapshot:
            return snapshot.head().recorded

    def close(self) -> None:
        for client in self._made:
            client.close()


def read_policy(*names: str) -> Policy:
    """A policy that trusts logs of the city's origin with the keys of these."""
    logs = [policy_of(name).splitlines()[0] for name in names]
    return parse_policy("\n".join([*logs, "quorum none", ""]).encode())


POLICY = read_policy("operator")


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path / "city")


@pytest.fixture(scope="module", params=["sync", "async"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setting]:
    """One city for many examples."""
    city = City.found(tmp_path_factory.mktemp("shared") / "city")
    with served(city) as service:
        made = Setting(city, service, request.param)
        made.govern(scenario("bus-2"))
        yield made
        made.close()


@pytest.fixture
def setting(city: City, kind: str) -> Iterator[Setting]:
    with served(city) as service:
        made = Setting(city, service, kind)
        yield made
        made.close()


@pytest.fixture
def unsealed(city: City, kind: str) -> Iterator[Setting]:
    """A service that has a block only when the test seals one."""
    with served(city, Settings(wait_seconds=0), sealing=False) as service:
        made = Setting(city, service, kind)
        yield made
        made.close()


def scenario(name: str) -> dict[str, Any]:
    """The action that opens a scenario of bus rides."""
    document = scenario_document(name, "bus-ride-by-code")
    return {"action": "scenario", "document": document.decode()}


def sent(outcomes: Iterable[Sent | LeftOut]) -> list[Sent]:
    return [one for one in outcomes if isinstance(one, Sent)]


def index_of(one: Sent) -> int:
    assert one.answer is not None
    return one.answer.index


# --- submitting ---


def test_activities_are_recorded_by_scenario_and_what_earns_nothing_is_left_out(
    setting: Setting,
) -> None:
    city = setting.city
    lines = [
        city.ride("ann", NOON),
        city.meal("ann", NOON),
        b"{}",
        city.ride("ben", NOON),
        city.ride("cat", NOON).replace(b"city-bus", b"city-car", 1),
    ]
    made = list(setting.client().submit(lines))
    left_out = {one.number: one.why.code for one in made if isinstance(one, LeftOut)}
    assert left_out == {3: "field-missing", 5: "scenario-not-in-force"}
    by_scenario = {one.statement.body["scenario"]: one for one in sent(made)}
    assert [item.number for item in by_scenario["city-bus"].items] == [1, 4]
    assert [item.number for item in by_scenario["city-plate"].items] == [2]
    assert {len(one.recorded()) for one in sent(made)} == {1, 2}
    assert setting.recorded() == 3


def test_batches_are_sent_together_and_answered_in_their_order(setting: Setting) -> None:
    city = setting.city
    lines = [city.ride(f"person {n}", NOON) for n in range(95)]
    made = sent(setting.client().submit(lines, batch=10))
    assert [item.number for one in made for item in one.items] == list(range(1, 96))
    assert len({index_of(one) for one in made}) == 10
    assert setting.recorded() == 95


def test_a_long_body_is_compressed(setting: Setting) -> None:
    city = setting.city
    made = sent(setting.client().submit([city.ride(f"p{n}", NOON) for n in range(100)]))
    assert len(made[0].recorded()) == 100
    assert setting.wire.seen[-1].headers["content-encoding"] == "zstd"
    assert len(setting.wire.seen[-1].content) < 30_000


def test_each_refusal_says_what_it_met(setting: Setting) -> None:
    city = setting.city
    setting.before([city.ride("ann", NOON)], "pay-app")
    (made,) = sent(setting.client().submit([city.ride("ann", NOON + 60), city.ride("bo", NOON)]))
    (refused,) = made.refused()
    assert (refused.item.number, refused.why.code, refused.platform) == (1, "span-taken", "pay-app")
    assert refused.why.met is not None
    assert refused.why.met.start == NOON - 60
    assert [item.number for item in made.recorded()] == [2]


def test_a_file_sent_again_is_known(setting: Setting) -> None:
    city = setting.city
    lines = [city.ride("ann", NOON), city.ride("ben", NOON)]
    list(setting.client().submit(lines))
    city.now += 60
    (again,) = sent(setting.client().submit([*lines, city.ride("cat", NOON)]))
    assert (again.known, [item.number for item in again.recorded()]) == ({0, 1}, [3])
    assert list(again.refused()) == []
    assert setting.recorded() == 3


def test_two_clients_that_race_record_each_ride_once(setting: Setting) -> None:
    city = setting.city
    first = [city.ride(f"p{n}", NOON) for n in range(60)]
    second = [city.ride(f"p{n}", NOON + 30, ticket=f"p{n}/{NOON}") for n in range(60)]
    one = setting.client("metro-app").submit(first, batch=5)
    other = setting.client("pay-app").submit(second, batch=7)
    outcomes: list[Sent | LeftOut] = []
    ways = [one, other]
    while ways:
        for way in list(ways):
            if (outcome := next(way, None)) is None:
                ways.remove(way)
            else:
                outcomes.append(outcome)
    assert sum(len(made.recorded()) for made in sent(outcomes)) == 60 == setting.recorded()
    assert sum(1 for made in sent(outcomes) for _ in made.refused()) == 60


def test_who_has_no_key_cannot_submit(setting: Setting) -> None:
    with pytest.raises(Usage) as error:
        list(setting.client(None).submit([setting.city.ride("ann", NOON)]))
    assert error.value.code == "client-without-key"


# --- what is sent again ---


@pytest.mark.parametrize("fault", [*PASSING, refused_after], ids=lambda fault: fault.__name__)
def test_what_fails_on_the_way_is_sent_again_and_recorded_once(
    fault: Fault, shared: Setting
) -> None:
    before = shared.recorded()
    shared.wire.faults, shared.wire.seen = [fault], []
    (made,) = sent(shared.client().submit(shared.rides(2)))
    assert (len(made.recorded()), made.known) == (2, frozenset())
    assert shared.recorded() == before + 2
    posted = [request for request in shared.wire.seen if request.url.path == SUBMISSIONS]
    assert len({request.content for request in posted}) == 1


@settings(max_examples=10)
@given(st.lists(st.lists(st.sampled_from(PASSING), max_size=4), min_size=1, max_size=4))
def test_no_order_of_failures_records_anything_twice_or_loses_it(
    shared: Setting, faults: Sequence[Sequence[Fault]]
) -> None:
    client, before = shared.client(), shared.recorded()
    for count, some in enumerate(faults, 1):
        shared.wire.faults = list(some)
        (made,) = sent(client.submit(shared.rides(3)))
        assert (len(made.recorded()), made.known) == (3, frozenset())
        assert shared.recorded() == before + 3 * count


@pytest.mark.parametrize(
    ("fault", "error"), [(unreachable, Unreadable), (answer_lost, Unreadable), (busy, Busy)]
)
def test_patience_ends(fault: Fault, error: type[Exception], setting: Setting) -> None:
    setting.wire.faults = [fault] * 1_000
    client = setting.client(patience=20)
    with pytest.raises(error):
        list(client.submit([setting.city.ride("ann", NOON)]))
    assert 10 < sum(setting.pauses) <= 20
    assert sorted(setting.pauses[:3]) == setting.pauses[:3]


def test_the_service_says_how_long_to_wait(setting: Setting) -> None:
    setting.wire.faults = [busy]
    list(setting.client().submit([setting.city.ride("ann", NOON)]))
    assert setting.pauses == [2]


def test_who_is_told_to_wait_for_longer_than_that_gives_up_at_once(setting: Setting) -> None:
    def tomorrow(request: httpx2.Request, send: Send) -> httpx2.Response:
        return httpx2.Response(503, headers={"Retry-After": "86400"})

    setting.wire.faults = [tomorrow]
    with pytest.raises(Unreadable) as error:
        list(setting.client().submit([setting.city.ride("ann", NOON)]))
    assert (error.value.code, setting.pauses) == ("service-failed", [])


def test_what_waits_for_a_block_is_asked_for(unsealed: Setting) -> None:
    city = unsealed.city
    unsealed.on_pause = lambda: len(unsealed.pauses) == 3 and city.sequencer.seal_all(city.now)
    (made,) = sent(unsealed.client().submit([city.ride("ann", NOON)]))
    assert len(made.recorded()) == 1
    assert len(unsealed.pauses) == 3


def test_what_still_waits_in_the_end_is_not_said_to_be_recorded(unsealed: Setting) -> None:
    city = unsealed.city
    line = city.ride("ann", NOON)
    (made,) = sent(unsealed.client(patience=5).submit([line]))
    assert (made.answer, made.recorded(), len(unsealed.pauses)) == (None, [], 5)
    city.sequencer.seal_all(city.now)
    assert len(unsealed.client().send(made.statement, [line]).recorded()) == 1


def test_what_the_ledger_has_lost_is_given_again(unsealed: Setting) -> None:
    """As when it was restored from a backup while a client waited."""
    city = unsealed.city
    wire = unsealed.wire

    def unknown(request: httpx2.Request, send: Send) -> httpx2.Response:
        problem = {"code": "statement-not-known", "status": 404, "details": {"id": "x"}}
        return httpx2.Response(404, json=problem)

    wire._at, wire.faults = "/v1/statements/", [unknown]
    unsealed.on_pause = lambda: len(unsealed.pauses) == 2 and city.sequencer.seal_all(city.now)
    (made,) = sent(unsealed.client().submit([city.ride("ann", NOON)]))
    assert len(made.recorded()) == 1
    assert wire.paths().count(f"POST {SUBMISSIONS}") == 2


def test_what_has_expired_is_refused_and_may_be_signed_anew(setting: Setting) -> None:
    city = setting.city
    line = city.ride("ann", NOON)
    statement = city.admit([line], expires=city.now + 60).entry.statement
    city.now += 120
    setting.before([city.ride("ben", NOON)], "pay-app")
    client = setting.client()
    with pytest.raises(NotAllowed) as error:
        client.send(statement, [line])
    assert error.value.code == "statement-expired"
    assert client.answer(statement) is None
    (made,) = sent(client.submit([line]))
    assert len(made.recorded()) == 1


def test_what_was_recorded_before_it_expired_is_recorded(setting: Setting) -> None:
    city = setting.city
    line = city.ride("ann", NOON)
    statement = city.admit([line], expires=city.now + 60).entry.statement
    setting.wire.faults = [answer_lost] * 1_000
    with pytest.raises(Unreadable):
        setting.client().send(statement, [line])
    setting.wire.faults = []
    city.now += DAY_SECONDS
    assert len(setting.client().send(statement, [line]).recorded()) == 1


# --- what is not believed ---


def changed(change: Callable[[dict[str, Any]], object]) -> Fault:
    """The service's answer, with a change."""

    def fault(request: httpx2.Request, send: Send) -> httpx2.Response:
        answer = send(request).json()
        change(answer)
        return httpx2.Response(200, json=answer)

    return fault


def with_receipt(made: bytes) -> Fault:
    return changed(lambda answer: answer.update(receipt=dump_base64(made)))


def other_statement(request: httpx2.Request, send: Send) -> httpx2.Response:
    """The answer about the statement that governs first, under this one's name."""
    answer = send(request).json()
    first = send(httpx2.Request("GET", f"{URL}/v1/governance")).json()["items"][0]
    return httpx2.Response(200, json={**answer, "receipt": first["receipt"], "index": 0})


def flipped_receipt(request: httpx2.Request, send: Send) -> httpx2.Response:
    answer = send(request).json()
    receipt = bytearray(parse_base64(answer["receipt"]))
    receipt[-1] ^= 1
    return httpx2.Response(200, json={**answer, "receipt": dump_base64(bytes(receipt))})


def raw(content: bytes) -> Fault:
    return lambda request, send: httpx2.Response(200, content=content)


REFUSED = {
    "code": "span-taken",
    "class": "traveller",
    "claim": 0,
    "day": dump_date(TODAY),
    "met": None,
    "platform": None,
}


def said_refused(**more: Any) -> Fault:
    """The first ride is said to be refused, with figures that agree."""

    def change(answer: dict[str, Any]) -> None:
        row = {**REFUSED, "position": 0, "leaf": "0" * 64, **more}
        answer.update(refused=[row], recorded=1, grams=80)

    return changed(change)


LIES: dict[str, Fault] = {
    "no receipt": changed(lambda answer: answer.pop("receipt")),
    "receipt of nothing": with_receipt(b""),
    "receipt of another statement": other_statement,
    "receipt, signature changed": flipped_receipt,
    "receipt no base64": changed(lambda answer: answer.update(receipt="!")),
    "another index": changed(lambda answer: answer.update(index=answer["index"] + 1)),
    "another kind": changed(lambda answer: answer.update(kind="void")),
    "another id": changed(lambda answer: answer.update(id="0" * 64)),
    "no id": changed(lambda answer: answer.pop("id")),
    "another count": changed(lambda answer: answer.update(count=3)),
    "too many recorded": changed(lambda answer: answer.update(recorded=3)),
    "too few recorded": changed(lambda answer: answer.update(recorded=1)),
    "another total": changed(lambda answer: answer.update(grams=answer["grams"] + 1)),
    "another scenario": changed(lambda answer: answer.update(scenario="city-bike")),
    "no height": changed(lambda answer: answer.update(height=None)),
    "no list of refusals": changed(lambda answer: answer.update(refused=None)),
    "another status": changed(lambda answer: answer.update(status="done")),
    "refused, of no such position": said_refused(position=2),
    "refused, another reduction": said_refused(),
    "not an object": raw(b"[]"),
    "not JSON": raw(b"<html>Please log in</html>"),
    "nested too deep": raw(b"[" * 100_000),
    "nothing": raw(b""),
}


@pytest.mark.parametrize("name", LIES)
def test_no_lie_is_believed(name: str, shared: Setting) -> None:
    lines, before = shared.rides(2), shared.recorded()
    statement = shared.city.admit(lines).entry.statement
    client = shared.client()
    client.state()
    shared.wire.faults = [LIES[name]]
    with pytest.raises(VerificationError) as error:
        client.send(statement, lines)
    assert "{" not in error.value.text()
    # Asked again, an honest service says what is so, once.
    made = client.send(statement, lines)
    assert (len(made.recorded()), shared.recorded()) == (2, before + 2)


@pytest.mark.parametrize(
    "met",
    [
        {"line": "00" * 24, "start": NOON, "end": NOON + 1, "holder": "11" * 32},
        {"start": NOON + 3_600, "end": NOON + 3_601},
        {"start": "0"},
        {"end": None},
        {"holder": "11"},
    ],
    ids=["another line", "another time", "start", "end", "holder"],
)
def test_a_refusal_that_its_reduction_does_not_meet_is_not_believed(
    met: dict[str, Any], setting: Setting
) -> None:
    city = setting.city
    setting.before([city.ride("ann", NOON)], "pay-app")
    lines = [city.ride("ann", NOON)]
    statement = city.admit(lines).entry.statement
    client = setting.client()
    client.state()
    setting.wire.faults = [changed(lambda answer: answer["refused"][0]["met"].update(met))]
    with pytest.raises(VerificationError):
        client.send(statement, lines)
    assert len(list(client.send(statement, lines).refused())) == 1


def test_another_log_s_receipt_is_not_believed(setting: Setting) -> None:
    city = setting.city
    lines = [city.ride("ann", NOON)]
    client = setting.client(policy=read_policy("pay-app"))
    with pytest.raises(VerificationError) as error:
        list(client.submit(lines))
    assert error.value.code == "receipt-malformed"
    assert setting.recorded() == 0
    with pytest.raises(VerificationError) as error:
        setting.client(policy=parse_policy(b"quorum none\n")).state()
    assert error.value.code == "policy-without-log"


def test_errors_that_nobody_explains_are_errors(setting: Setting) -> None:
    def failed(request: httpx2.Request, send: Send) -> httpx2.Response:
        return httpx2.Response(500, content=b"oh")

    def moved(request: httpx2.Request, send: Send) -> httpx2.Response:
        return httpx2.Response(302, headers={"Location": "https://elsewhere.example/"})

    for fault in (failed, moved):
        setting.wire.faults = [fault]
        with pytest.raises(Unreadable) as error:
            list(setting.client().submit([setting.city.ride("ann", NOON)]))
        assert error.value.code == "service-failed"


# --- governance ---


def test_the_state_is_that_of_the_ledger_and_is_gone_on_with(setting: Setting) -> None:
    city, client = setting.city, setting.client()
    before = client.state()
    assert before.genesis == city.state.genesis
    actions = [
        {
            "action": "scenario",
            "document": scenario_document(f"bus-{n}", "bus-ride-by-code").decode(),
        }
        for n in range(3)
    ]
    for action in actions:
        setting.govern(action)
    assert client.state().scenarios.keys() == setting.state().scenarios.keys()
    assert len(client.state().scenarios) == len(before.scenarios) + 3
    asked = [int(request.url.params["from"]) for request in setting.wire.seen]
    assert asked == [0, before.index, client.state().index]


def test_the_genesis_must_be_the_one_that_is_pinned(setting: Setting) -> None:
    own = setting.city.state.genesis.id
    assert setting.client(ledger=own).state().genesis.id == own
    with pytest.raises(VerificationError) as error:
        setting.client(ledger=bytes(32)).state()
    assert error.value.code == "statement-other-ledger"


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page["items"].reverse(),
        lambda page: page["items"].pop(0),
        lambda page: page["items"].clear(),
        lambda page: page["items"].append(page["items"][0]),
        lambda page: page["items"][0].update(receipt=page["items"][1]["receipt"]),
        lambda page: page["items"][0].update(statement=page["items"][1]["statement"]),
        lambda page: page["items"][0].update(clock="now"),
        lambda page: page["items"][0].pop("clock"),
        lambda page: page.update(next=0),
        lambda page: page.update(items=3),
        lambda page: page.pop("next"),
    ],
)
def test_governance_that_does_not_follow_is_not_believed(
    change: Callable[[dict[str, Any]], object], shared: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.wire, "_at", "/v1/governance")
    shared.wire.faults = [changed(change)]
    with pytest.raises(VerificationError):
        shared.client().state()


def test_a_scenario_that_is_new_is_learned_of(setting: Setting) -> None:
    city = setting.city

    def lines() -> Iterator[bytes]:
        yield city.ride("ann", NOON)
        setting.govern(
            {
                "action": "scenario",
                "document": scenario_document("new", "bus-ride-by-code").decode(),
            }
        )
        yield dump_json({**parse_json(city.ride("ben", NOON)), "scenario": "new"})

    made = sent(setting.client().submit(lines(), batch=1))
    assert [one.statement.body["scenario"] for one in made] == ["city-bus", "new"]
    assert all(len(one.recorded()) == 1 for one in made)


def test_a_methodology_that_has_changed_is_learned_of_once(setting: Setting) -> None:
    city = setting.city
    old = library()["bus-ride-by-code"]
    document = parse_json(old)
    document.update(version=2, grams="90")
    later = NOON + 2 * DAY_SECONDS

    def lines() -> Iterator[bytes]:
        yield city.ride("ann", NOON)
        in_force = city.state.methodology("bus-ride-by-code", TODAY)
        setting.govern(
            {
                **publish_methodology(dump_json(document), TODAY + 2),
                "consumes": in_force.holder.hex(),
            }
        )
        city.now = later
        yield city.ride("ben", later)

    before, after = sent(setting.client().submit(lines(), batch=1))
    assert [item.reduction.grams for item in (*before.recorded(), *after.recorded())] == [80, 90]
    assert setting.wire.paths().count(f"POST {SUBMISSIONS}") == 3
    assert setting.recorded() == 2


def test_what_is_refused_for_another_reason_is_not_tried_again(setting: Setting) -> None:
    city = setting.city
    lines = [city.ride("ann", NOON), city.ride("ben", NOON)]
    signed = city.admit(lines).entry
    client = setting.client()
    with pytest.raises(Malformed) as error:
        client.send(signed.statement, lines[:1], signed.reductions)
    assert error.value.code == "submission-root"
    forged = city.unchecked(lines, signer=key("pay-app"))
    with pytest.raises(NotAllowed) as refusal:
        client.send(forged.entry.statement, lines)
    assert refusal.value.code == "signature-invalid"
    assert refusal.value.details["participant"] == "metro-app"
    assert setting.wire.paths().count(f"POST {SUBMISSIONS}") == 1


def test_a_policy_goes_over_the_rotation_of_the_log_s_key(city: City, kind: str) -> None:
    (first,) = city.state.participants["operator"].keys
    before = city.admit([city.ride("ann", NOON)])
    city.sequencer.submit([before])
    city.sequencer.seal_all(city.now)
    city.sequencer = Sequencer(city.store, key("operator"), key("operator/next"))
    city.govern(
        {
            "action": "rotate",
            "participant": "operator",
            "key": key("operator/next").public.as_json(),
            "consumes": key_holder(first.public).hex(),
        }
    )
    with served(city, Settings(wait_seconds=0), sealing=False) as service:
        setting = Setting(city, service, kind)
        setting.on_pause = lambda: city.sequencer.seal_all(city.now)
        for number, names in enumerate((["operator/next"], ["operator", "operator/next"])):
            client = setting.client(policy=read_policy(*names))
            assert client.state().index < city.state.index
            (made,) = sent(client.submit([city.ride(f"person {number}", NOON)]))
            assert len(made.recorded()) == 1
        # What was receipted under the old key stays so.
        assert client.answer(before.entry.statement)["status"] == "recorded"
        with pytest.raises(VerificationError):
            setting.client(policy=read_policy("operator")).state()
        setting.close()


# --- other statements, reading ---


def test_other_statements_are_posted_and_asked_for(setting: Setting) -> None:
    city, client = setting.city, setting.client()
    ride = city.ride("ann", NOON)
    answer = setting.before([ride], "metro-app").answer
    assert answer is not None
    void = city.void(answer, [0], "metro-app")
    assert client.answer(void) is None
    setting.wire._at, setting.wire.faults = "/v1/statements", [answer_lost, twice]
    made = client.post(void)
    assert (made["status"], made["kind"]) == ("recorded", "void")
    assert client.answer(void) == made == client.post(void)
    city.now += 1
    (again,) = sent(client.submit([ride]))
    assert len(again.recorded()) == 1


def test_a_statement_that_the_rules_refuse_is_refused(setting: Setting) -> None:
    city, client = setting.city, setting.client()
    answer = setting.before([city.ride("ann", NOON)], "metro-app").answer
    assert answer is not None
    client.post(city.void(answer, [0], "metro-app"))
    city.now += 1
    again = city.void(answer, [0], "metro-app")
    with pytest.raises(Conflict) as error:
        client.post(again)
    assert error.value.code == client.answer(again)["error"]["code"]


def test_reads_are_signed_where_there_is_a_key(setting: Setting) -> None:
    facts = setting.client(None).ledger()
    assert facts["id"] == setting.city.state.genesis.id.hex()
    assert "signature" not in setting.wire.seen[-1].headers
    assert setting.client("verifier").get("/v1/blocks", limit=1)["items"]
    assert "signature" in setting.wire.seen[-1].headers


def test_a_bundle_is_fetched_by_its_platform(setting: Setting) -> None:
    client = setting.client()
    (made,) = sent(client.submit([setting.city.ride("ann", NOON)]))
    bundle = client.bundle(made.items[0].reduction.leaf, disclose=True)
    assert json.loads(bundle)["format"].startswith("tally-bundle/")
    with pytest.raises(Usage):
        client.bundle(bytes(32))


@pytest.mark.parametrize("url", ["", "ledger", "ftp://x", "http://", "http://x?y", "http://[::"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Usage) as error:
        Client(url, POLICY)
    assert error.value.code == "url-invalid"
