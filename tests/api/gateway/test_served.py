"""A gateway, the client and the service, in one process: as they meet in real life."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from support.city import NOON, City, founding_actions, key
from support.gateway import gateway_of, policy_of, ride, rows
from support.service import URL, Served, served

from api.client import Client
from api.gateway.gateway import Gateway
from api.pseudonymising import Evaluator
from keys.oprf import PrivateKey


class Way(httpx2.BaseTransport):
    """The way to the service; the answers to the first submissions are lost."""

    def __init__(self, service: Served) -> None:
        self._service = service._transport
        self.lost = 0
        self.sent: list[bytes] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        given = self._service.handle_request(request)
        if request.url.path == "/v1/submissions":
            self.sent.append(body)
            if len(self.sent) <= self.lost:
                raise httpx2.ReadTimeout("no answer", request=request)
        return httpx2.Response(given.status_code, headers=given.headers, content=given.read())


@pytest.fixture
def city(tmp_path: Path) -> City:
    private = PrivateKey(b"k" * 32)
    action = {"action": "pseudonym-key", "from": "2026-01-01", "key": private.public.hex()}
    return City.found(tmp_path / "city", actions=[*founding_actions(), action])


@pytest.fixture
def way(city: City) -> Iterator[Way]:
    with served(city) as service:
        service.service.evaluator = Evaluator([PrivateKey(b"k" * 32)])
        yield Way(service)


@pytest.fixture
def gateway(city: City, way: Way, tmp_path: Path) -> Iterator[Gateway]:
    with Client(
        URL,
        policy_of(city),
        participant="metro-app",
        signer=key("metro-app"),
        clock=lambda: city.now,
        transport=way,
        patience=0,
    ) as client:
        made = gateway_of(client, tmp_path / "queue", city=city, before=None)
        yield made
        made.queue.close()


def test_from_plain_identifiers_to_results_and_proofs(gateway: Gateway) -> None:
    gateway.take([ride("r-1", "ann"), ride("r-2", "a n n", NOON + 60), ride("r-3", "bob")])
    while gateway.queue.counts()["done"] < 3:
        gateway.step()
    found = {row["id"]: (row["status"], row.get("code")) for row in rows(gateway)}
    assert found == {
        "r-1": ("recorded", None),
        "r-2": ("refused", "span-taken"),
        "r-3": ("recorded", None),
    }
    for row in rows(gateway):
        if row["status"] == "recorded":
            _, report = gateway.proof(bytes.fromhex(row["leaf"]), disclose=True)
            assert report.verdict == "provisional"


def test_what_the_way_loses_is_sent_again(gateway: Gateway, way: Way) -> None:
    gateway.take([ride("r-1", "ann"), ride("r-2", "bob")])
    way.lost = 3
    while gateway.queue.counts()["done"] < 2:
        gateway.step()
    assert len(way.sent) == 4
    assert len(set(way.sent)) == 1
    assert [row["status"] for row in rows(gateway)] == ["recorded", "recorded"]
