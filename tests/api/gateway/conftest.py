"""Gateways that are closed when their test ends."""

from collections.abc import Iterator

import pytest
from support import gateway

from api.gateway.gateway import Gateway


@pytest.fixture
def gateway_of() -> Iterator[gateway.Opened]:
    """Opens gateways (`support.gateway.gateway_of`)."""
    opened: list[Gateway] = []

    def open_one(*given: object, **more: object) -> Gateway:
        opened.append(gateway.gateway_of(*given, **more))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for one in opened:
        one.queue.close()
