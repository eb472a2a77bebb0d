"""What anyone reads of a ledger over HTTP: governance, blocks; and how lists are told in pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.city import NOON, City
from support.service import Served, rows, served

from chain.blocks import log_key
from chain.receipts import check_receipt
from chain.rules import replay_governance
from chain.state import State
from keys.statements import parse_statement
from keys.strict import dump_cbor, parse_base64


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path)


@pytest.fixture
def client(city: City) -> Iterator[Served]:
    with served(city, sealing=False) as client:
        yield client


def test_the_state_follows_from_the_statements_of_governance(city: City, client: Served) -> None:
    city.submit([city.ride("ann", NOON)])
    city.govern({"action": "grant", "participant": "metro-app", "role": "verifier"})
    city.submit([city.ride("bob", NOON)])
    public = city.state.participants["operator"].keys[0].public
    log = log_key(city.state.genesis.origin, public)
    state: State | None = None
    index: int | None = 0
    seen = 0
    while index is not None:
        answer = client.get("/v1/governance", params={"from": index, "limit": 2}).json()
        assert answer["size"] == city.state.index
        for item in answer["items"]:
            statement = parse_statement(parse_base64(item["statement"]))
            receipt = parse_base64(item["receipt"])
            _, at, _ = check_receipt(receipt, statement.data, log.public, log.name)
            assert at == item["index"]
            state = replay_governance(state, statement, item["index"], item["clock"])
            seen += 1
        index = answer["next"]
    assert seen == 3
    assert state is not None
    assert state.participants == city.state.participants
    assert state.scenarios.keys() == city.state.scenarios.keys()


def test_blocks_are_listed_from_the_first_and_shown_with_their_statements(
    city: City, client: Served
) -> None:
    answer = city.submit([city.ride("ann", NOON)])
    first, last = rows(client.get("/v1/blocks"))
    shown = client.get(f"/v1/blocks/{answer.height}").json()
    assert [first["height"], last["height"]] == [0, 1]
    assert last.items() <= shown.items()
    assert [one["kind"] for one in shown["statements"]] == ["submission", "seal"]
    assert shown["checkpoint"] == client.get("/checkpoint").text
    assert client.get("/v1/blocks/2").status_code == 404


def test_pages_tell_one_list_whatever_is_sealed_meanwhile(city: City, client: Served) -> None:
    for person in ("ann", "bob", "carl"):
        city.submit([city.ride(person, NOON)])
    page = client.get("/v1/blocks", params={"limit": 2}).json()
    heights = [one["height"] for one in page["items"]]
    pinned = page["size"]
    while page["next"]:
        city.submit([city.ride("dora", NOON + 3_600 * len(heights))])
        page = client.get("/v1/blocks", params={"limit": 2, "cursor": page["next"]}).json()
        assert page["size"] == pinned
        heights += [one["height"] for one in page["items"]]
    assert heights == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "zz",
        "00",
        "8",
        dump_cbor([]).hex(),
        dump_cbor([10**6, 1]).hex(),
        dump_cbor([2]).hex(),
        dump_cbor([2, "1"]).hex(),
        dump_cbor([2, -1]).hex(),
        dump_cbor([2, True]).hex(),
        dump_cbor([True, 1]).hex(),
        dump_cbor([2, 2**63]).hex(),
        dump_cbor([2, 1, 1]).hex(),
        dump_cbor({2: 1}).hex(),
        dump_cbor([2, [1]]).hex(),
        dump_cbor([2, 10]).hex().upper(),
        dump_cbor([2, 1]).hex() + "00",
        "9802" + "0201",
        "82" * 400,
    ],
)
def test_a_cursor_that_the_list_did_not_give_is_refused(client: Served, cursor: str) -> None:
    response = client.get("/v1/blocks", params={"cursor": cursor})
    assert response.status_code == 422, response.text


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("/v1/blocks", [int]),
        ("/v1/certifications", [int]),
        ("/v1/issuances", [int]),
        ("/v1/lots", [int, str, str, int]),
        ("/v1/holdings", [str, str, int]),
        ("/v1/reductions", [int, int]),
        ("/v1/statistics", [int]),
    ],
)
def test_a_made_up_cursor_does_no_harm(client: Served, path: str, types: list[type]) -> None:
    for number, text in ((0, ""), (1, "z" * 60), (2**63 - 1, "光")):
        values = [number if of is int else text for of in types]
        params = {"cursor": dump_cbor([2, *values]).hex()}
        response = client.get(path, params=params, auth=client.by("verifier"))
        assert response.status_code == 200, response.text


def test_a_page_has_a_bounded_number_of_items(client: Served) -> None:
    assert client.get("/v1/blocks", params={"limit": 1_000}).status_code == 200
    for limit in ("1001", "0", "-1", "x", "9" * 30):
        assert client.get("/v1/blocks", params={"limit": limit}).status_code == 422


def test_files_are_under_the_paths_that_they_have_in_the_folder(city: City, client: Served) -> None:
    answer = city.submit([city.ride("ann", NOON)])
    with city.store.snapshot() as snapshot:
        root = snapshot.statement(answer.index).body["root"]
    for path in (f"submissions/{root[:2]}/{root}", f"activities/{root[:2]}/{root}.ndjson"):
        response = client.get(f"/{path}", auth=client.by("metro-app"))
        assert response.content == (city.folder / path).read_bytes()
        kept = "immutable" in response.headers["cache-control"]
        assert kept == path.startswith("submissions")
        assert client.get(f"/0{path}", auth=client.by("metro-app")).status_code == 404
