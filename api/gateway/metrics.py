"""What the gateway counts, for Prometheus: what its queue holds, read when it is asked."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily

from api.gateway.gateway import Gateway


class _Collector:
    """The measures of one gateway, as of now."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        gateway = self._gateway
        lines = GaugeMetricFamily(
            "tally_gateway_lines", "Lines in the queue, by state", labels=["state"]
        )
        for state, count in gateway.queue.counts().items():
            lines.add_metric([state], count)
        yield lines
        oldest = gateway.queue.oldest()
        age = 0 if oldest is None else max(0, gateway.now - oldest)
        yield GaugeMetricFamily(
            "tally_gateway_oldest_seconds", "How long the oldest line without a result waits", age
        )
        problem = GaugeMetricFamily(
            "tally_gateway_stopped", "1, with the code of what stops it", labels=["code"]
        )
        if gateway.problem is not None:
            problem.add_metric([gateway.problem], 1)
        yield problem


def measures(gateway: Gateway) -> bytes:
    """The measures in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Collector(gateway))
    return generate_latest(registry)
