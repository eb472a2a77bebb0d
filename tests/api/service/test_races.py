"""Two platforms race to submit the same rides: exactly one of each is recorded."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.city import NOON, PLATFORMS
from support.replay import check_replay
from support.serving import found, serving
from support.waiting import SECONDS

from api.client import Client
from api.outcomes import Sent

pytestmark = pytest.mark.usefixtures("database")

RIDES = 1_000
SENDERS = 8
"""Of each platform, each with connections of its own."""
BATCH = 25


def send(client: Client, lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The lines that were recorded, and those that were refused."""
    recorded, refused = [], []
    for sent in client.submit(lines, BATCH):
        assert isinstance(sent, Sent)
        assert sent.answer is not None
        for position, item in enumerate(sent.items):
            is_refused = position in sent.answer.refusals
            (refused if is_refused else recorded).append(item.activity.data)
    return recorded, refused


def test_of_the_same_rides_exactly_one_of_each_is_recorded(tmp_path: Path) -> None:
    city = found(tmp_path / "city")
    rides = [city.ride(f"person {number}", NOON) for number in range(RIDES)]
    size = RIDES // SENDERS
    slices = [rides[at : at + size] for at in range(0, RIDES, size)]
    with (
        serving(city.folder, workers=2, now=NOON) as service,
        ThreadPoolExecutor(len(PLATFORMS) * SENDERS) as pool,
        service.client(city, PLATFORMS[0], clock=lambda: NOON, patience=SECONDS) as one,
        service.client(city, PLATFORMS[1], clock=lambda: NOON, patience=SECONDS) as other,
    ):
        racing = [pool.submit(send, client, lines) for lines in slices for client in (one, other)]
        outcomes = [race.result() for race in racing]
    recorded = Counter(line for lines, _ in outcomes for line in lines)
    refused = Counter(line for _, lines in outcomes for line in lines)
    assert recorded == refused == Counter(rides)
    replayed = check_replay(city.reopen())
    assert (replayed.recorded, replayed.refused) == (RIDES, RIDES)
    digests = Counter(reduction.digest for reduction in replayed.live.values())
    assert digests == Counter(city.activity(line).digest for line in rides)
