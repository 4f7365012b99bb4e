"""Prometheus: every value of the last reading, and how reading goes (extra `osgp[mqtt]`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final

from osgp.errors import TransportError, UsageError

from .config import ListenSection
from .poller import Poller
from .sensors import COUNTED

VALUE, TOTAL = "osgp_value", "osgp_total"
LABELS: Final = ("meter", "key", "obis", "unit")


class Exporter:
    """A collector over pollers: nothing is kept besides what they know."""

    def __init__(self, pollers: Sequence[Poller]) -> None:
        self._pollers = pollers
        self._core = _library("prometheus_client.core")

    def collect(self) -> Iterator[Any]:
        """Metrics, fresh at each scrape; values only while they are not stale."""
        gauge = self._core.GaugeMetricFamily(VALUE, "last value read", labels=LABELS)
        counter = self._core.CounterMetricFamily(TOTAL, "last register read", labels=LABELS)
        for poller in self._pollers:
            last = poller.status.last
            if last is None or not poller.is_fresh():
                continue
            for one in last.values:
                if one.number is not None:
                    sensor = one.sensor
                    unit = sensor.kind.unit or ""
                    labels = (poller.section.id, sensor.key, sensor.obis or "", unit)
                    counted = sensor.kind.state_class == COUNTED
                    (counter if counted else gauge).add_metric(labels, one.number)
        yield gauge
        yield counter
        yield from self._going()

    def _going(self) -> Iterator[Any]:
        core = self._core
        counts: dict[str, tuple[str, Callable[[Poller], float | None]]] = {
            "osgp_readings": ("good readings", lambda poller: poller.status.readings),
            "osgp_failures": ("readings that failed", lambda poller: poller.status.failures),
            "osgp_withheld": ("implausible values", lambda poller: poller.status.withheld),
        }
        for name, (meaning, of) in counts.items():
            family = core.CounterMetricFamily(name, meaning, labels=("meter",))
            for poller in self._pollers:
                family.add_metric((poller.section.id,), of(poller))
            yield family
        age = core.GaugeMetricFamily("osgp_age_seconds", "age of the reading", labels=("meter",))
        for poller in self._pollers:
            seconds = poller.status.age(time.time())
            if seconds is not None:
                age.add_metric((poller.section.id,), seconds)
        yield age


def serve_metrics(listen: ListenSection, pollers: Sequence[Poller]) -> Callable[[], None]:
    """Serves /metrics; what is returned stops it. Raises TransportError (port in use)."""
    client = _library("prometheus_client")
    registry = client.CollectorRegistry()
    registry.register(Exporter(pollers))
    try:
        server, thread = client.start_http_server(listen.port, listen.host, registry)
    except OSError as error:
        raise TransportError(f"cannot listen on {listen.host}:{listen.port}: {error}") from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UsageError("Prometheus needs the extra: pip install 'osgp[mqtt]'") from None
