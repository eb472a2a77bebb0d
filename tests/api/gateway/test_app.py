"""The gateway over HTTP: what its own programs hand in, and read."""

import gzip
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from support.city import City
from support.gateway import Direct, Opened, policy_of, ride, work

from api.gateway.app import create_app
from api.gateway.gateway import Gateway
from keys.strict import parse_json
from verifier.check import check_file


@pytest.fixture
def ledger(tmp_path: Path) -> Direct:
    return Direct(City.found(tmp_path / "city"))


@pytest.fixture
def gateway(ledger: Direct, gateway_of: Opened, tmp_path: Path) -> Gateway:
    return gateway_of(ledger, tmp_path / "queue", open_max=5)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(create_app(gateway), raise_server_exceptions=False) as made:
        yield made


def body(*lines: bytes) -> bytes:
    return b"\n".join(lines) + b"\n"


def test_lines_are_taken_and_bad_ones_named(client: TestClient) -> None:
    given = body(ride("r-1", "ann"), b"{", ride("r-1", "ann"), ride("r-1", "bob"))
    response = client.post("/activities", content=given)
    assert response.status_code == 202
    answer = response.json()
    assert (answer["taken"], answer["known"]) == (1, 1)
    assert [(one["line"], one["code"]) for one in answer["refused"]] == [
        (2, "json-invalid"),
        (4, "line-id-taken"),
    ]
    assert all(one["text"].keys() == {"en", "zh"} for one in answer["refused"])


def test_results_are_read_by_cursor(client: TestClient, gateway: Gateway) -> None:
    client.post("/activities", content=body(*(ride(f"r-{n}", f"person {n}") for n in range(4))))
    assert client.get("/results").content == b""
    work(gateway)
    cursor, seen = 0, []
    while lines := client.get("/results", params={"after": cursor, "limit": 3}).text.splitlines():
        page = [parse_json(line.encode()) for line in lines]
        seen += [row["id"] for row in page]
        cursor = page[-1]["cursor"]
    assert sorted(seen) == ["r-0", "r-1", "r-2", "r-3"]
    assert client.get("/results").headers["content-type"].startswith("application/x-ndjson")


def test_a_line_is_asked_for_by_its_id(client: TestClient, gateway: Gateway) -> None:
    name = "2026/03/02 #1"
    assert client.get("/results/unknown").json()["code"] == "line-not-known"
    client.post("/activities", content=body(ride(name, "ann")))
    path = "/results/2026%2F03%2F02%20%231"
    assert client.get(path).json() == {"id": name, "status": "waiting"}
    work(gateway)
    found = client.get(path)
    assert (found.json()["id"], found.json()["status"]) == (name, "recorded")
    assert client.get("/results").content == found.content + b"\n"


def test_a_proof_is_checked_before_it_is_given(
    client: TestClient, gateway: Gateway, ledger: Direct
) -> None:
    client.post("/activities", content=body(ride("r-1", "ann"), ride("r-2", "ann")))
    assert client.get("/proof/r-1").json()["code"] == "line-not-recorded"
    work(gateway)
    response = client.get("/proof/r-1", params={"disclose": True})
    assert (response.status_code, response.headers["tally-verdict"]) == (200, "provisional")
    assert check_file(response.content, policy_of(ledger.city)).verdict == "provisional"
    assert parse_json(response.content)["activity"] is not None
    assert client.get("/proof/r-2").json()["code"] == "line-not-recorded"
    assert client.get("/proof/r-3").json()["code"] == "line-not-known"
    ledger.bundle = lambda *_, **__: b"{}"  # type: ignore[method-assign]
    assert client.get("/proof/r-1").json()["code"] == "proof-invalid"
    ledger.away = True
    del ledger.bundle
    assert client.get("/proof/r-1").status_code == 503


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", "/nothing", {}, 404, "route-unknown"),
        ("PUT", "/activities", {}, 405, "method-unknown"),
        ("GET", "/results?after=-1", {}, 422, "request-invalid"),
        ("GET", "/results?limit=100000", {}, 422, "request-invalid"),
        ("POST", "/activities", {"content": b"x" * (2**24 + 1)}, 413, "body-size"),
        (
            "POST",
            "/activities",
            {
                "content": gzip.compress(b"x" * (2**24 + 1)),
                "headers": {"Content-Encoding": "gzip"},
            },
            413,
            "inflated-size",
        ),
        (
            "POST",
            "/activities",
            {"content": body(*(ride(f"r-{n}", "ann") for n in range(6)))},
            503,
            "queue-full",
        ),
    ],
)
def test_errors_are_problem_details(
    client: TestClient, method: str, path: str, more: dict[str, object], status: int, code: str
) -> None:
    response = client.request(method, path, **more)  # type: ignore[arg-type]
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert client.get("/results").content == b""


def test_the_queue_out_of_order_is_told_and_ends(
    client: TestClient, gateway: Gateway, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "queue")
    other.execute("ALTER TABLE line RENAME TO gone")
    assert client.post("/activities", content=ride("r-1", "ann")).json()["code"] == "service-busy"
    assert client.get("/readyz").status_code == 503
    gateway.step()
    assert gateway.problem == "OperationalError"
    other.execute("ALTER TABLE gone RENAME TO line")
    other.close()
    assert client.post("/activities", content=ride("r-1", "ann")).status_code == 202
    work(gateway)
    assert gateway.problem is None


def test_how_it_stands(client: TestClient, gateway: Gateway, ledger: Direct) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    client.post("/activities", content=ride("r-1", "ann"))
    ledger.away = True
    gateway.step()
    ledger.city.now += 7
    ready = client.get("/readyz").json()
    assert (ready["status"], ready["problem"]) == ("ok", "service-unreachable")
    assert ready["lines"] == {"taken": 1, "made": 0, "signed": 0, "done": 0}
    told = client.get("/metrics").text
    assert 'tally_gateway_lines{state="taken"} 1.0' in told
    assert "tally_gateway_oldest_seconds 7.0" in told
    assert 'tally_gateway_stopped{code="service-unreachable"} 1.0' in told
