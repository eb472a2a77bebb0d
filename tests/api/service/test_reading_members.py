"""What members and platforms read over HTTP: reductions, proofs; and whether a claim is free."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.city import NOON, TODAY, City, pseudonym
from support.service import Served, rows, served

from api.service.routes import reductions
from api.service.settings import Settings
from chain import merkle
from chain.reductions import Reduction
from chain.spans import FOREVER
from keys.strict import dump_date, dump_json, parse_base64
from verifier.check import check_file
from verifier.policy import parse_policy

DAY = 86_400


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City.found(tmp_path)


@pytest.fixture
def client(city: City) -> Iterator[Served]:
    with served(city, sealing=False) as client:
        yield client


def listed(client: Served, reader: str = "verifier", **wanted: Any) -> list[Any]:
    """All pages of the reductions, two at a time."""
    items: list[Any] = []
    cursor = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        params = {"limit": 2, **wanted, **more}
        page = client.get("/v1/reductions", params=params, auth=client.by(reader)).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


def verdict(client: Served, response: httpx2.Response) -> str:
    assert response.status_code == 200, response.text
    policy = parse_policy(client.get("/v1/policy").content)
    return check_file(response.content, policy).verdict


# --- reductions ---


def test_reductions_are_listed_in_the_order_of_the_log(city: City, client: Served) -> None:
    first = city.submit([city.ride("ann", NOON), city.ride("bob", NOON), city.ride("cat", NOON)])
    second = city.submit([city.ride("bob", NOON + 60), city.ride("dan", NOON - DAY)], "pay-app")
    city.submit([city.meal("ann", NOON)])
    assert list(second.refusals) == [0]
    items = listed(client)
    places = [(one["index"], one["position"]) for one in items]
    assert places == sorted(places)
    assert [one["grams"] for one in items] == [80, 80, 80, 80, 144]
    for one in items:
        data = parse_base64(one["data"])
        assert merkle.leaf_hash(data).hex() == one["leaf"]
        assert Reduction.parse(data).digest.hex() == one["digest"]
        assert client.get(f"/v1/reductions/{one['leaf']}", auth=client.by("verifier")).json() == one
    assert places[0] == (first.index, 0)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"platform": "pay-app"}, 1),
        ({"platform": "nobody"}, 0),
        ({"scenario": "city-plate"}, 1),
        ({"from": dump_date(TODAY)}, 2),
        ({"until": dump_date(TODAY)}, 1),
        ({"from": dump_date(TODAY), "until": dump_date(TODAY)}, 0),
        ({"from": dump_date(TODAY), "platform": "metro-app"}, 2),
    ],
)
def test_a_list_may_be_of_a_platform_a_scenario_and_days(
    city: City, client: Served, wanted: dict[str, str], count: int
) -> None:
    city.submit([city.ride("ann", NOON)])
    city.submit([city.meal("ann", NOON)])
    city.submit([city.ride("dan", NOON - DAY)], "pay-app")
    assert len(listed(client, **wanted)) == count


@pytest.mark.parametrize("day", ["2026-02-30", "2026-3-1", "yesterday", "1969-01-01"])
def test_what_is_no_date_is_refused(client: Served, day: str) -> None:
    response = client.get("/v1/reductions", params={"from": day}, auth=client.by("verifier"))
    assert response.status_code == 422


def test_pages_end_where_too_much_was_looked_at_and_go_on_from_there(
    city: City, client: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for person in ("ann", "bob", "cat"):
        city.submit([city.ride(person, NOON), city.ride(person, NOON + 7_200)])
    whole = listed(client)
    assert len(whole) == 6
    for name, least in (("SUBMISSIONS_MAX", 1), ("LOOKED_MAX", 1)):
        monkeypatch.setattr(reductions, name, least)
        assert listed(client) == whole


def test_a_list_goes_on_as_it_began_and_says_what_stands_now(city: City, client: Served) -> None:
    answer = city.submit([city.ride(person, NOON) for person in ("ann", "bob", "cat")])
    reader = client.by("verifier")
    page = client.get("/v1/reductions", params={"limit": 2}, auth=reader).json()
    city.post(city.void(answer, [2], "metro-app"))
    city.submit([city.ride("cat", NOON)], "pay-app")
    wanted = {"limit": 2, "cursor": page["next"]}
    [last] = rows(client.get("/v1/reductions", params=wanted, auth=reader))
    assert (last["position"], last["stands"]) == (2, False)
    assert [one["stands"] for one in listed(client)] == [True, True, False, True]
    bundle = f"/v1/reductions/{last['leaf']}/bundle"
    assert client.get(bundle, auth=reader).status_code == 404


# --- proofs ---


def test_bundles_are_what_a_checker_takes(city: City, client: Served) -> None:
    city.submit([city.ride("ann", NOON), city.ride("bob", NOON)])
    one = listed(client)[0]
    path = f"/v1/reductions/{one['leaf']}/bundle"
    reader = client.by("verifier")
    plain = client.get(path, auth=reader)
    assert verdict(client, plain) == "provisional"
    shown = client.get(path, params={"disclose": "true"}, auth=client.by("metro-app"))
    assert verdict(client, shown) == "provisional"
    assert (plain.json()["activity"], shown.json()["activity"] is None) == (None, False)
    line, start, end = (one["claims"][0][name] for name in ("line", "start", "end"))
    held = client.get("/v1/proofs/held", params={"line": line, "start": start}, auth=reader)
    assert verdict(client, held) == "provisional"
    after = {"line": line, "start": end, "end": end + 60}
    assert (
        verdict(client, client.get("/v1/proofs/free", params=after, auth=reader)) == "provisional"
    )
    taken = client.get("/v1/proofs/free", params={**after, "start": start}, auth=reader)
    assert (taken.status_code, taken.json()["code"]) == (409, "span-not-free")
    wrong = {**after, "end": FOREVER}
    assert client.get("/v1/proofs/free", params=wrong, auth=reader).status_code == 422


def test_a_platform_gets_the_proof_of_what_its_reduction_met(city: City, client: Served) -> None:
    first = city.submit([city.ride("ann", NOON)])
    answer = city.submit([city.ride("ann", NOON + 60), city.ride("bob", NOON)], "pay-app")
    with city.store.snapshot() as snapshot:
        identity = snapshot.statement(answer.index).id.hex()
    path = f"/v1/submissions/{identity}/refusals/0/bundle"
    reader = client.by("pay-app")
    response = client.get(path, auth=reader)
    assert verdict(client, response) == "provisional"
    assert "reduction" not in response.json()
    assert client.get(path.replace("/0/", "/1/"), auth=reader).status_code == 404
    city.post(city.void(first, [0], "metro-app"))
    assert client.get(path, auth=reader).json()["code"] == "span-not-held"
    city.submit([city.ride("ann", NOON, "another ticket")])
    assert client.get(path, auth=reader).json()["code"] == "span-not-held"


def test_the_spans_on_a_line_are_told_in_order(city: City, client: Served) -> None:
    starts = [NOON + 3_600 * number for number in range(5)]
    city.submit([city.ride("ann", start) for start in starts])
    line = listed(client)[0]["claims"][0]["line"]
    reader = client.by("verifier")

    def spans(**wanted: int) -> Any:
        return client.get(f"/v1/lines/{line}/spans", params=wanted, auth=reader).json()

    found = [one["start"] for one in spans()["items"]]
    assert found == [start - 60 for start in starts]
    assert {one["platform"] for one in spans()["items"]} == {"metro-app"}
    page, told = spans(limit=2), []
    while page["next"] is not None:
        told += page["items"]
        page = spans(limit=2, start=page["next"])
    assert [one["start"] for one in told + page["items"]] == found
    within = spans(start=starts[1], end=starts[2])
    assert [one["start"] for one in within["items"]] == found[1:3]
    assert client.get(f"/v1/lines/{'00' * 24}/spans", auth=reader).status_code == 422


def test_the_log_is_proved_to_anyone(city: City, client: Served) -> None:
    city.submit([city.ride("ann", NOON)])
    size = city.state.index
    entries = [merkle.leaf_hash(data) for data in entries_of(city, size)]
    for index in range(size):
        asked = {"index": index, "size": size}
        path = client.get("/v1/proofs/inclusion", params=asked).json()["path"]
        hashes = [bytes.fromhex(one) for one in path]
        merkle.verify_inclusion(entries[index], index, size, hashes, merkle.root(entries))
    asked = {"first": 2, "second": size}
    path = client.get("/v1/proofs/consistency", params=asked).json()["path"]
    hashes = [bytes.fromhex(one) for one in path]
    merkle.verify_consistency(2, merkle.root(entries[:2]), size, merkle.root(entries), hashes)
    beyond = {"index": 0, "size": size + 1}
    assert client.get("/v1/proofs/inclusion", params=beyond).status_code == 404


def entries_of(city: City, size: int) -> list[bytes]:
    with city.store.snapshot() as snapshot:
        return snapshot.entries(0, size)


# --- whether a claim is free ---


def free(client: Served, platform: str = "pay-app", **claim: Any) -> httpx2.Response:
    return client.post("/v1/claims/check", content=dump_json(claim), auth=client.by(platform))


def traveller(start: int, end: int, person: str = "ann") -> dict[str, Any]:
    parts = [pseudonym("traveller", person)]
    return {"class": "traveller", "parts": parts, "start": start, "end": end}


def test_a_claim_is_free_or_not_and_nothing_more_is_told(city: City, client: Served) -> None:
    city.submit([city.ride("ann", NOON, "a ticket"), city.ride("bob", NOON)])
    assert free(client, **traveller(NOON, NOON + 60)).json() == {"free": False}
    assert free(client, **traveller(NOON + 360, NOON + 400)).json() == {"free": True}
    # Over midnight, each day counts.
    assert free(client, **traveller(NOON - DAY, NOON)).json() == {"free": False}
    assert free(client, **traveller(NOON - 3 * DAY, NOON - DAY)).json() == {"free": True}
    for number, is_free in (("a ticket", False), ("another", True)):
        parts = ["city-bus", pseudonym("ticket", number)]
        assert free(client, **{"class": "ticket", "parts": parts}).json() == {"free": is_free}


def test_a_seat_is_free_while_one_is_left(city: City, client: Served) -> None:
    city.submit([city.meal("ann", NOON)])
    parts = ["clean-plate-lunch", "day", pseudonym("traveller", "ann")]

    def left(seats: int, day: int = TODAY) -> bool:
        asked = {"class": "cap", "parts": parts, "day": dump_date(day), "seats": seats}
        is_free: bool = free(client, **asked).json()["free"]
        return is_free

    assert (left(1), left(2), left(1, TODAY - 1)) == (False, True, True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"class": "nothing"}, "class-unknown"),
        ({"class": "key", "parts": ["operator"]}, "claim-not-asked"),
        ({"parts": []}, "line-parts"),
        ({"parts": ["ann"]}, "line-part"),
        ({"parts": [1]}, "line-part"),
        ({"parts": "ann"}, "field-type"),
        ({"day": "2026-03-02"}, "claim-stretch"),
        ({"start": "0"}, "field-type"),
        ({"start": 1.5}, "json-float"),
        ({"start": NOON + 60}, "range-invalid"),
        ({"start": 0}, "range-invalid"),
        ({"start": -(2**62), "end": -(2**62) + 1}, "range-invalid"),
        ({"start": 2**62, "end": 2**62 + 1}, "range-invalid"),
        ({"other": 1}, "field-unknown"),
    ],
)
def test_what_is_no_claim_is_refused(client: Served, change: dict[str, Any], code: str) -> None:
    response = client.post(
        "/v1/claims/check",
        json={**traveller(NOON, NOON + 60), **change},
        auth=client.by("pay-app"),
    )
    assert (response.status_code, response.json()["code"]) == (422, code)


def test_a_member_asks_about_one_line_a_few_times_and_about_others_still(city: City) -> None:
    settings = Settings(checks_per_subject=2, checks_per_minute=4)
    with served(city, settings, sealing=False) as client:
        codes = [free(client, **traveller(NOON, NOON + n)).status_code for n in (1, 2, 3)]
        assert codes == [200, 200, 429]
        assert free(client, "metro-app", **traveller(NOON, NOON + 1)).status_code == 200
        assert free(client, **traveller(NOON, NOON + 1, "bob")).status_code == 200
        assert free(client, **traveller(NOON, NOON + 1, "cat")).status_code == 429
        city.now += 60
        assert free(client, **traveller(NOON, NOON + 1)).status_code == 200
