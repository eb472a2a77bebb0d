"""Submissions over HTTP: the answer when sealed, the same answer again, refusals of all of it."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from support.city import NOON, City
from support.service import Served, body, served

from api.service.settings import Settings
from chain.blocks import log_key
from chain.receipts import check_receipt
from keys.strict import parse_base64


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path)


@pytest.fixture
def client(city: City) -> Iterator[Served]:
    with served(city) as client:
        yield client


def test_a_submission_is_answered_with_its_receipt(city: City, client: Served) -> None:
    admitted = city.admit([city.ride("ann", NOON), city.ride("bob", NOON)])
    response = client.submit(admitted)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["id"] == admitted.entry.statement.id.hex()
    assert (answer["status"], answer["count"], answer["recorded"]) == ("recorded", 2, 2)
    assert (answer["grams"], answer["refused"]) == (160, [])
    public = city.state.participants["operator"].keys[0].public
    log = log_key(city.state.genesis.origin, public)
    _, index, _ = check_receipt(
        parse_base64(answer["receipt"]), admitted.entry.statement.data, log.public, log.name
    )
    assert index == answer["index"]


def test_sent_again_it_gets_the_same_answer(city: City, client: Served) -> None:
    admitted = city.admit([city.ride("ann", NOON)])
    first = client.submit(admitted).json()
    assert client.submit(admitted).json() == first
    city.now += 2 * 86_400  # past its expiry
    assert client.submit(admitted).json() == first
    assert client.get(f"/v1/statements/{first['id']}").json() == first


def test_each_refusal_names_its_code_and_what_it_met(city: City, client: Served) -> None:
    client.submit(city.admit([city.ride("ann", NOON)]))
    second = city.admit([city.ride("ann", NOON + 60), city.ride("bob", NOON)], "pay-app")
    answer = client.submit(second, headers={"Accept-Language": "zh-CN, en;q=0.5"}).json()
    assert (answer["recorded"], answer["grams"]) == (1, 80)
    [refused] = answer["refused"]
    assert (refused["position"], refused["code"], refused["class"]) == (
        0,
        "span-taken",
        "traveller",
    )
    assert refused["platform"] == "metro-app"
    assert refused["met"]["start"] == NOON - 60
    assert "12:" in refused["text"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_may_be_compressed(city: City, client: Served, encoding: str) -> None:
    compress = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}[encoding]
    admitted = city.admit([city.ride("ann", NOON)])
    content = compress(body(admitted))
    response = client.post(
        "/v1/submissions", content=content, headers={"Content-Encoding": encoding}
    )
    assert response.json()["recorded"] == 1, response.text


def test_without_a_block_in_time_it_says_where_to_ask(city: City) -> None:
    with served(city, sealing=False) as client:
        admitted = city.admit([city.ride("ann", NOON)])
        response = client.submit(admitted, params={"wait": 0})
        assert response.status_code == 202
        assert response.json() == {"id": admitted.entry.statement.id.hex(), "status": "waiting"}
        where = response.headers["location"]
        assert client.get(where).json()["status"] == "waiting"
        city.sequencer.seal_all(city.now)
        assert client.get(where).json()["status"] == "recorded"


def test_what_the_rules_refuse_is_refused_whole_and_may_be_asked_for(city: City) -> None:
    with served(city, sealing=False) as client:
        admitted = city.admit([city.ride("ann", NOON)], expires=city.now + 60)
        client.submit(admitted, params={"wait": 0})
        city.submit([city.ride("carl", NOON)])
        city.now += 3_600
        city.sequencer.seal_all(city.now)
        answer = client.get(f"/v1/statements/{admitted.entry.statement.id.hex()}").json()
    assert answer["status"] == "recorded"


def test_a_full_service_asks_to_come_back(city: City) -> None:
    settings = Settings(bytes_in_flight=2**20)
    with served(city, settings) as client:
        response = client.post("/v1/submissions", content=b"x" * (2**20 + 1))
        assert (response.status_code, response.json()["code"]) == (503, "service-busy")
        assert int(response.headers["retry-after"]) >= 1
        assert client.submit(city.admit([city.ride("ann", NOON)])).status_code == 200
