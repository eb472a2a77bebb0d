"""Books and statistics over HTTP: who may read them, and what they say."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from support.city import NOON, ORIGIN, TODAY, City, key, pseudonym
from support.service import Served, rows, served

from api.access_tokens import Access, make_token
from api.service.settings import Settings
from verifier.check import check_file
from verifier.policies import policy_text
from verifier.policy import parse_policy
from verifier.reports import PROVISIONAL

DAY = 86_400
ANN, BEN = (pseudonym("traveller", name) for name in ("ann", "ben"))
POLICY = parse_policy(policy_text(ORIGIN, key("operator").public).encode())
PATHS = ("/v1/book", "/v1/book/file")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    city = City.found(tmp_path_factory.mktemp("city") / "city")
    city.submit([city.ride("ann", NOON + hour * 3_600) for hour in range(4)])
    city.submit([city.meal("ann", NOON), city.meal("ben", NOON)])
    city.submit([city.ride("ann", NOON + DAY)])
    city.submit([city.ride("ann", NOON - DAY)], "pay-app")
    return city


@pytest.fixture
def client(city: City) -> Iterator[Served]:
    with served(city, sealing=False) as client:
        yield client


def token(city: City, access: Access, seconds: int = 600) -> dict[str, str]:
    ledger = city.state.genesis.id
    made = make_token(key(access.platform), access, ledger=ledger, expires=city.now + seconds)
    return {"Authorization": f"Bearer {made}"}


def of(city: City, *subjects: str, platform: str = "metro-app", **more: Any) -> dict[str, str]:
    return token(city, Access(platform, subjects=tuple(sorted(subjects)), **more))


def code(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


# --- books ---


def test_the_bearer_of_a_token_reads_the_book_page_by_page(city: City, client: Served) -> None:
    headers = of(city, ANN)
    first = client.get("/v1/book", headers=headers, params={"limit": 4}).json()
    assert (first["size"], len(first["items"])) == (city.state.index, 4)
    assert (first["totals"]["count"], first["totals"]["grams"]) == (6, 5 * 80 + 144)
    last = client.get(
        "/v1/book", headers=headers, params={"limit": 4, "cursor": first["next"]}
    ).json()
    assert (last["next"], last["totals"], len(last["items"])) == (None, None, 2)
    leaves = [item["leaf"] for item in first["items"] + last["items"]]
    assert len(set(leaves)) == 6


def test_the_file_is_one_that_tally_verify_takes(city: City, client: Served) -> None:
    answer = client.get("/v1/book/file", headers=of(city, ANN))
    assert answer.headers["cache-control"] == "no-store"
    report = check_file(answer.content, POLICY)
    assert report.verdict == PROVISIONAL
    page = client.get("/v1/book", headers=of(city, ANN)).json()
    assert {name: report.facts[name] for name in page["totals"]} == page["totals"]
    assert {row["leaf"] for row in report.facts["reductions"]} == {
        item["leaf"] for item in page["items"]
    }


def test_a_token_opens_what_it_names_and_nothing_else(city: City, client: Served) -> None:
    def counts(headers: dict[str, str], **params: str) -> tuple[int, int]:
        page = client.get("/v1/book", headers=headers, params=params).json()
        file = client.get("/v1/book/file", headers=headers, params=params)
        shown = sum(len(one["reductions"]) for one in file.json().get("submissions", []))
        return page["totals"]["count"], shown

    assert counts(of(city, ANN)) == (6, 6)
    assert counts(of(city, BEN)) == (1, 1)
    assert counts(of(city, ANN, BEN)) == (7, 7)
    assert counts(of(city, ANN, platform="pay-app")) == (1, 1)
    assert counts(of(city, BEN, platform="pay-app")) == (0, 0)
    assert counts(of(city, ANN, scenario="city-plate")) == (1, 1)
    assert counts(of(city, ANN, start=TODAY + 1)) == (1, 1)
    assert counts(of(city, ANN, until=TODAY + 1)) == (5, 5)
    # What is asked for narrows what is opened, and never widens it.
    assert counts(of(city, ANN), **{"from": "2026-03-03"}) == (1, 1)
    narrow = of(city, ANN, start=TODAY + 1, until=TODAY + 2)
    assert counts(narrow, **{"from": "2026-03-01", "until": "2026-03-09"}) == (1, 1)
    assert counts(narrow, until="2026-03-03") == (0, 0)


@pytest.mark.parametrize("path", PATHS)
def test_nobody_else_opens_a_book(path: str, city: City, client: Served) -> None:
    assert code(client.get(path)) == (401, "token-missing")
    for reader in ("metro-app", "pay-app", "verifier", "governor", "operator"):
        assert code(client.get(path, auth=client.by(reader))) == (401, "token-missing")
    for_verifier = token(city, Access("metro-app", reader="verifier"))
    answer = client.get(path, headers=for_verifier, auth=client.by("verifier"))
    assert code(answer) == (403, "token-without-subjects")
    named = token(city, Access("metro-app", reader="verifier", subjects=(ANN,)))
    assert code(client.get(path, headers=named)) == (403, "token-other-reader")
    answer = client.get(path, headers=named, auth=client.by("pay-app"))
    assert code(answer) == (403, "token-other-reader")
    assert client.get(path, headers=named, auth=client.by("verifier")).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_token_that_is_none_opens_nothing(path: str, city: City, client: Served) -> None:
    ledger = city.state.genesis.id
    access = Access("metro-app", subjects=(ANN,))
    good = make_token(key("metro-app"), access, ledger=ledger, expires=city.now + 600)
    stolen = make_token(key("pay-app"), access, ledger=ledger, expires=city.now + 600)
    other = make_token(key("metro-app"), access, ledger=bytes(32), expires=city.now + 600)
    late = make_token(key("metro-app"), access, ledger=ledger, expires=city.now)
    for given, expected in (
        (f"Bearer {good[:-8]}", (422, None)),
        (f"Bearer {stolen}", (403, "signature-invalid")),
        (f"Bearer {other}", (403, "statement-other-ledger")),
        (f"Bearer {late}", (403, "token-expired")),
        (f"Basic {good}", (422, "token-malformed")),
        ("Bearer", (422, "token-malformed")),
    ):
        answer = client.get(path, headers={"Authorization": given})
        assert answer.status_code in (expected[0], 403)
        assert expected[1] in (None, answer.json()["code"])
        assert ANN not in answer.text and "leaf" not in answer.text


def test_a_book_of_nothing_and_wrong_parameters_are_told(city: City, client: Served) -> None:
    nobody = of(city, "00" * 16)
    assert rows(client.get("/v1/book", headers=nobody)) == []
    assert code(client.get("/v1/book/file", headers=nobody)) == (404, "book-empty")
    headers = of(city, ANN)
    for params in ({"from": "march"}, {"until": "2026-02-30"}, {"cursor": "00"}, {"limit": "0"}):
        assert client.get("/v1/book", headers=headers, params=params).status_code == 422


def test_books_of_one_person_are_limited(city: City) -> None:
    with served(city, Settings(books_per_minute=2), sealing=False) as client:
        answers = [client.get("/v1/book", headers=of(city, ANN)) for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert client.get("/v1/book", headers=of(city, BEN)).status_code == 200


# --- statistics ---


def test_anyone_reads_the_statistics(city: City, client: Served) -> None:
    answer = client.get("/v1/statistics").json()
    assert answer["size"] == city.state.index
    assert answer["items"] == [
        {"key": "2026-03-01", "count": 1, "grams": 80},
        {"key": "2026-03-02", "count": 6, "grams": 4 * 80 + 2 * 144},
        {"key": "2026-03-03", "count": 1, "grams": 80},
    ]
    assert rows(client.get("/v1/statistics", params={"by": "platform"})) == [
        {"key": "metro-app", "count": 7, "grams": 688},
        {"key": "pay-app", "count": 1, "grams": 80},
    ]
    one = {"by": "scenario", "platform": "metro-app", "from": "2026-03-02", "until": "2026-03-03"}
    assert rows(client.get("/v1/statistics", params=one)) == [
        {"key": "city-bus", "count": 4, "grams": 320},
        {"key": "city-plate", "count": 2, "grams": 288},
    ]
    assert rows(client.get("/v1/statistics", params={"scenario": "nothing"})) == []


@pytest.mark.parametrize("by", ["day", "platform", "scenario"])
def test_statistics_come_in_pages(by: str, client: Served) -> None:
    every = rows(client.get("/v1/statistics", params={"by": by}))
    found: list[Any] = []
    cursor = None
    while True:
        params = {"by": by, "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/statistics", params=params).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == every and len(every) > 1


def test_wrong_statistics_are_told(client: Served) -> None:
    assert client.get("/v1/statistics", params={"by": "subject"}).status_code == 422
    cursor = client.get("/v1/statistics", params={"limit": 1}).json()["next"]
    answer = client.get("/v1/statistics", params={"by": "platform", "cursor": cursor})
    assert code(answer) == (422, "cursor-invalid")
    assert json.loads(answer.text)["status"] == 422
