"""What anyone reads of closed days over HTTP: lots, certifications, issuances, units."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.books import DAY, REGISTRY
from support.certified import PLATFORM, SCENARIO, CertifiedCity
from support.city import NOON, TODAY
from support.service import Served, rows, served

from chain.holdings import moved
from chain.records import Record
from keys.strict import dump_date
from verifier.check import check_file
from verifier.policy import parse_policy

SERIES = f"{SCENARIO}_{PLATFORM}_2026"


@pytest.fixture
def city(tmp_path: Path) -> CertifiedCity:
    """Three closed days of rides, certified, and units issued: 3 of them."""
    city = CertifiedCity.open(tmp_path)
    for back in (3, 2, 1):
        city.submit([city.ride("ann", NOON - back * DAY + 3_600 * n) for n in range(6)])
        city.submit([city.ride("ann", NOON - back * DAY + 3_600 * n) for n in range(6, 8)])
        city.submit([city.ride("bob", NOON - back * DAY + 3_600 * n) for n in range(8)])
    city.shut(TODAY)
    return city


@pytest.fixture
def client(city: CertifiedCity) -> Iterator[Served]:
    with served(city, sealing=False) as client:
        yield client


def pages(client: Served, path: str, **wanted: Any) -> list[Any]:
    """All items, one page for each."""
    items: list[Any] = []
    cursor = None
    while True:
        params = {"limit": 1, **wanted, **({"cursor": cursor} if cursor else {})}
        page = client.get(path, params=params).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


def test_lots_are_told_by_platform_scenario_and_day(city: CertifiedCity, client: Served) -> None:
    with city.store.snapshot() as snapshot:
        lots = [lot.as_json() for lot in snapshot.lots()]
    assert [lot["day"] for lot in lots] == [dump_date(TODAY - back) for back in (3, 2, 1)]
    assert pages(client, "/v1/lots") == lots
    assert pages(client, "/v1/lots", platform="pay-app") == []
    path = f"/v1/lots/{PLATFORM}/{SCENARIO}/{dump_date(TODAY - 2)}"
    assert client.get(path).json() == lots[1]
    assert client.get(f"/v1/lots/{PLATFORM}/{SCENARIO}/{dump_date(TODAY)}").status_code == 404
    data = client.get(f"/lots/{lots[0]['root'][:2]}/{lots[0]['root']}", auth=client.by("verifier"))
    assert len(data.content) == lots[0]["count"] * 40
    written = client.get(f"{path}/file", auth=client.by("verifier"))
    policy = parse_policy(client.get("/v1/policy").content)
    assert check_file(written.content, policy).verdict == "valid"


def test_lots_closed_meanwhile_are_not_in_a_list_that_has_begun(
    city: CertifiedCity, client: Served
) -> None:
    first = client.get("/v1/lots", params={"limit": 2}).json()
    city.submit([city.ride("ann", city.now - city.now % DAY + 4 * 3_600)])
    city.shut(city.state.today + 1)
    rest = client.get("/v1/lots", params={"limit": 2, "cursor": first["next"]}).json()
    assert (len(rest["items"]), rest["next"], rest["size"]) == (1, None, first["size"])
    assert len(pages(client, "/v1/lots")) == 4


def test_certifications_say_whether_they_stand(city: CertifiedCity, client: Served) -> None:
    first = city.certify(TODAY - 3, TODAY - 2)
    second = city.certify(TODAY - 2, TODAY)
    body = {"format": 1, "certification": first.as_json(), "reason": "an error"}
    city.done(city.sign("withdrawal", "verifier", body))
    shown = pages(client, "/v1/certifications")
    assert [one["statement"] for one in shown] == [
        first.statement.hex(),
        second.statement.hex(),
    ]
    assert [one["stands"] for one in shown] == [False, True]
    assert second.as_json().items() <= shown[1].items()


def test_units_are_told_with_their_holders(city: CertifiedCity, client: Served) -> None:
    issuance = city.issue(city.certify(TODAY - 3, TODAY))
    [told] = pages(client, "/v1/issuances")
    assert (told["statement"], told["series"]) == (issuance.id.hex(), SERIES)
    units = told["units"]
    assert units >= 3
    [held] = pages(client, "/v1/holdings")
    assert held["units"] == {
        "registry": REGISTRY,
        "series": SERIES,
        "first": 1,
        "end": units + 1,
    }
    first = client.get("/v1/holdings", params={"limit": 1}).json()
    assert first["next"] is None
    record = transfer(city, held, 2, 3)
    shown = pages(client, "/v1/holdings")
    assert [(one["units"]["first"], one["units"]["end"]) for one in shown] == [
        (1, 2),
        (2, 3),
        (3, units + 1),
    ]
    assert shown[1]["holding"] == record.as_json()
    assert {one["holding"]["owner"] for one in shown} == {"holder-1", "holder-2"}


def test_each_unit_is_told_once_whatever_is_split_meanwhile(
    city: CertifiedCity, client: Served
) -> None:
    city.issue(city.certify(TODAY - 3, TODAY))
    [held] = rows(client.get("/v1/holdings"))
    transfer(city, held, 2, 3)
    page = client.get("/v1/holdings", params={"limit": 1}).json()
    told = page["items"]
    last = rows(client.get("/v1/holdings"))[-1]
    transfer(city, last, last["units"]["end"] - 1, last["units"]["end"])
    while page["next"]:
        page = client.get("/v1/holdings", params={"limit": 1, "cursor": page["next"]}).json()
        told += page["items"]
    ranges = [(one["units"]["first"], one["units"]["end"]) for one in told]
    assert [first for first, _ in ranges[1:]] == [end for _, end in ranges[:-1]]
    assert (ranges[0][0], ranges[-1][1]) == (1, held["units"]["end"])


def transfer(city: CertifiedCity, held: dict[str, Any], first: int, end: int) -> Record:
    """Give some of the units that are held to somebody else; the record that then stands."""
    body = {
        "format": 1,
        "units": {**held["units"], "first": first, "end": end},
        "holding": held["holding"],
        "to": "holder-2",
        "account": "",
    }
    return moved(city.done(city.sign("transfer", "holder-1", body)))


def test_certificates_are_what_a_checker_takes_and_a_few_are_written_in_a_minute(
    city: CertifiedCity, client: Served
) -> None:
    city.issue(city.certify(TODAY - 3, TODAY))
    asked = {"registry": REGISTRY, "series": SERIES, "first": 1, "end": 2}
    written = client.get("/v1/certificates", params=asked)
    policy = parse_policy(client.get("/v1/policy").content)
    assert written.json()["format"] == "tally-certificate/1"
    assert check_file(written.content, policy).verdict != "invalid"
    assert client.get("/v1/certificates", params={**asked, "end": 1}).status_code == 422
    unknown = {**asked, "first": 900, "end": 901}
    assert client.get("/v1/certificates", params=unknown).status_code == 404
    limit = client.service.settings.certificates_per_minute
    client.service.certificates.take("-", city.now, limit - 2)
    assert client.get("/v1/certificates", params=asked).status_code == 429
