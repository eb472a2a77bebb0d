"""The service of pseudonyms over HTTP: who may ask, for how much, and what the answer proves."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.city import City, founding_actions
from support.service import Served, served

from api.pseudonymising import Evaluator
from api.service.settings import Settings
from chain.state import epoch_holder
from keys.oprf import ELEMENTS_MAX, Blinded, ObliviousPseudonyms, PrivateKey
from keys.pseudonyms import Epoch
from keys.strict import dump_base64, dump_date, dump_json, parse_base64, parse_date

KEY, OTHER = PrivateKey(b"1" * 32), PrivateKey(b"2" * 32)
OPENS = "2026-01-01"
LIMIT = 2_000


@pytest.fixture
def city(tmp_path: Path) -> City:
    action = {"action": "pseudonym-key", "from": OPENS, "key": KEY.public.hex()}
    return City.found(tmp_path, actions=[*founding_actions(), action])


@pytest.fixture
def client(city: City) -> Iterator[Served]:
    with served(city, Settings(pseudonyms_per_minute=LIMIT), sealing=False) as client:
        client.service.evaluator = Evaluator([KEY])
        yield client


def asked(count: int = 1, day: str = OPENS) -> bytes:
    [element] = Blinded([b"a"]).elements
    return dump_json({"from": day, "elements": [dump_base64(element)] * count})


def post(client: Served, body: bytes, by: str | None = "metro-app") -> Any:
    auth = None if by is None else client.by(by)
    return client.post("/v1/pseudonyms/evaluate", content=body, auth=auth)


def over_http(client: Served, by: str = "metro-app") -> Any:
    def evaluate(epoch: Epoch, blinded: Sequence[bytes]) -> tuple[Sequence[bytes], bytes]:
        elements = [dump_base64(element) for element in blinded]
        body = dump_json({"from": dump_date(epoch.start), "elements": elements})
        answer = post(client, body, by).json()
        return [parse_base64(one) for one in answer["elements"]], parse_base64(answer["proof"])

    return evaluate


def test_anyone_reads_the_public_keys(city: City, client: Served) -> None:
    expected = {"keys": [{"from": OPENS, "key": KEY.public.hex()}]}
    assert client.get("/v1/pseudonyms/keys").json() == expected
    key = OTHER.public.hex()
    [epoch] = city.state.epochs
    action = {"action": "pseudonym-key", "from": "2027-01-01", "key": key}
    city.govern({**action, "consumes": epoch_holder(epoch).hex()})
    assert client.get("/v1/pseudonyms/keys").json()["keys"][1:] == [
        {"from": "2027-01-01", "key": key}
    ]


def test_two_platforms_get_the_same_pseudonyms(city: City, client: Served) -> None:
    day = parse_date("2026-03-02")
    made = [
        ObliviousPseudonyms(city.state.epoch_of, over_http(client, by)).pseudonyms(
            "traveller", day, ["ann", "bob"]
        )
        for by in ("metro-app", "pay-app")
    ]
    assert made[0] == made[1]
    direct = ObliviousPseudonyms(city.state.epoch_of, lambda _, blinded: KEY.evaluate(blinded))
    assert made[0] == direct.pseudonyms("traveller", day, ["ann", "bob"])


@pytest.mark.parametrize(
    ("by", "status", "code"),
    [
        (None, 401, "request-unsigned"),
        ("verifier", 403, "read-not-allowed"),
        ("operator", 403, "read-not-allowed"),
        ("governor", 403, "read-not-allowed"),
    ],
)
def test_only_platforms_may_ask(client: Served, by: str | None, status: int, code: str) -> None:
    response = post(client, asked(), by)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "elements" not in response.json()


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        (422, "json-invalid", b"{"),
        (422, "field-missing", b"{}"),
        (422, "date-invalid", asked(day="today")),
        (422, "oprf-batch", asked(0)),
        (422, "oprf-batch", asked(ELEMENTS_MAX + 1)),
        (422, "oprf-element", dump_json({"from": OPENS, "elements": [dump_base64(bytes(32))]})),
        (404, "epoch-unknown", asked(day="2027-01-01")),
    ],
    # The elements are blinded anew in each process.
    ids=["json", "fields", "date", "none", "too many", "element", "epoch"],
)
def test_requests_that_are_refused(client: Served, status: int, code: str, body: bytes) -> None:
    response = post(client, body)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text


def test_a_platform_is_limited_by_elements_and_for_itself(city: City, client: Served) -> None:
    assert post(client, asked(ELEMENTS_MAX)).status_code == 200
    refused = post(client, asked(ELEMENTS_MAX))
    assert (refused.status_code, refused.json()["code"]) == (429, "request-rate")
    assert int(refused.headers["Retry-After"]) >= 1
    assert post(client, asked(ELEMENTS_MAX), "pay-app").status_code == 200
    city.now += 60
    assert post(client, asked(ELEMENTS_MAX)).status_code == 200


def test_a_service_without_the_private_key_says_so(client: Served) -> None:
    for evaluator in (Evaluator(), Evaluator([OTHER])):
        client.service.evaluator = evaluator
        response = post(client, asked())
        assert (response.status_code, response.json()["code"]) == (404, "epoch-unknown")


def test_a_request_that_was_changed_on_the_way_is_refused(client: Served) -> None:
    request = client.build_request("POST", "/v1/pseudonyms/evaluate", content=asked())
    signed = next(client.by("metro-app").auth_flow(request))
    other = client.build_request(
        "POST", "/v1/pseudonyms/evaluate", content=asked(), headers=signed.headers
    )
    assert client.send(other).status_code in (401, 403, 422)
