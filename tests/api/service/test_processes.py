"""The processes of `tally serve`: they end in order, are replaced when they die, and of two that
serve one ledger the second seals when the first is gone."""

import json
import os
import signal
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from socket import create_connection, socket

import httpx2
import pytest
from support.city import NOON, City
from support.replay import check_replay
from support.service import body
from support.serving import Serving, found, serving
from support.waiting import SECONDS, is_running, until

from chain.admission import Admitted

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def city(tmp_path: Path) -> City:
    return found(tmp_path / "city")


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    """A client without certificates to load, and without connections that are kept."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(verify=False, timeout=SECONDS, limits=limits) as made:
        yield made


def ride(city: City) -> Admitted:
    return city.admit([city.ride(f"person {city._counter}", NOON)])


def is_recorded(http: httpx2.Client, service: Serving, admitted: Admitted) -> bool:
    """Whether a submission is recorded when it is sent; it may be sent again and again."""
    try:
        answer = http.post(f"{service.url}/v1/submissions", content=body(admitted))
    except httpx2.TransportError:
        return False
    return answer.status_code == 200 and answer.json()["recorded"] == 1


def begun(service: Serving, content: bytes) -> socket:
    """A submission of which half is sent."""
    url = httpx2.URL(service.url)
    made = create_connection((url.host, url.port), SECONDS)
    head = b"POST /v1/submissions HTTP/1.1\r\nHost: ledger\r\nContent-Length: %d\r\n\r\n"
    made.sendall(head % len(content) + content[: len(content) // 2])
    return made


def test_what_is_taken_in_is_answered_before_it_stops(city: City, http: httpx2.Client) -> None:
    content = body(ride(city))
    with serving(city.folder, now=NOON, workers=2) as service:
        assert is_recorded(http, service, ride(city))
        children = service.children()
        assert len(children) == 3
        with begun(service, content) as connection:
            in_flight = f"{service.url}/metrics"
            until(lambda: "tally_submissions_in_flight 1.0" in http.get(in_flight).text)
            # As a terminal does, or a service manager: all of them are told.
            os.killpg(service.process.pid, signal.SIGTERM)
            until(lambda: _refuses(service))
            connection.sendall(content[len(content) // 2 :])
            response = HTTPResponse(connection)
            response.begin()
            assert json.loads(response.read())["status"] == "recorded"
        assert service.process.wait(SECONDS) == 0
        assert not any(map(is_running, children))
    assert check_replay(city.reopen()).recorded == 2


def _refuses(service: Serving) -> bool:
    url = httpx2.URL(service.url)
    try:
        create_connection((url.host, url.port), SECONDS).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_dies_is_replaced_and_dies_with_the_supervisor(
    city: City, http: httpx2.Client
) -> None:
    with serving(city.folder, now=NOON) as service:
        assert is_recorded(http, service, ride(city))
        # The oldest is the one that seals; when it was replaced, the worker.
        for _ in range(2):
            before = service.children()
            os.kill(before[0], signal.SIGKILL)
            admitted = ride(city)
            until(lambda admitted=admitted: is_recorded(http, service, admitted))
            after = until(lambda: len(now := service.children()) == 2 and now)
            assert len({*before, *after}) == 3
        # Of what lived in the dead ones nothing is left in the measures.
        measures = until(lambda: http.get(f"{service.url}/metrics").text)
        assert "tally_leading 1.0" in measures
        children = service.children()
        os.kill(service.process.pid, signal.SIGKILL)
        until(lambda: not any(map(is_running, children)))
        service.process.wait()
    assert check_replay(city.reopen()).recorded == 3


def test_the_second_takes_over_when_the_first_is_killed(city: City, http: httpx2.Client) -> None:
    with serving(city.folder, now=NOON) as first:
        assert is_recorded(http, first, ride(city))
        with serving(city.folder, now=NOON) as second:
            # One of them seals what the other takes in.
            assert is_recorded(http, second, ride(city))
            first.kill()
            admitted = ride(city)
            until(lambda: is_recorded(http, second, admitted))
    assert check_replay(city.reopen()).recorded == 3
