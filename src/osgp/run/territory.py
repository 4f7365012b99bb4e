"""Several concentrators under one head-end: a device belongs to the one that registered it last.

A device that stands between two transformers may be found by both concentrators, or move from one
to the other. The head-end keeps one record of it; what a concentrator says of a device that another
has registered since is not kept, and that concentrator is told to forget the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from osgp.concentrator.sink import Cursor, Device, Reading, Sink, TopologyStore
from osgp.topology import LinkRecord, RouteRecord


class Keeper(Sink, TopologyStore, Protocol):
    """Keeps everything that concentrators bring."""


class Registry:
    """Who has registered which device, and when."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._owners = {device.neuron_id: _claim(device) for device in devices}

    def admits(self, device: Device) -> bool:
        """Whether what is said of the device comes from its owner, or from its new one."""
        domain, since = self._owners.get(device.neuron_id, (device.domain, 0.0))
        claim = _claim(device)
        if device.domain != domain and claim[1] <= since:
            return False
        self._owners[device.neuron_id] = claim
        return True


def _claim(device: Device) -> tuple[bytes, float]:
    return device.domain, device.commissioned_at or 0.0


class Territory:
    """The keeper as one concentrator sees it. `lost`: called with a device that is not its own."""

    def __init__(self, keeper: Keeper, registry: Registry, lost: Callable[[bytes], None]) -> None:
        self._keeper, self._registry, self._lost = keeper, registry, lost

    def devices(self) -> list[Device]:
        return self._keeper.devices()

    def save_device(self, device: Device) -> None:
        if self._registry.admits(device):
            self._keeper.save_device(device)
        elif device.commissioned_at is not None:
            self._lost(device.neuron_id)

    def cursor(self, neuron_id: bytes) -> Cursor:
        return self._keeper.cursor(neuron_id)

    def store(self, reading: Reading) -> None:
        self._keeper.store(reading)

    def links(self) -> list[LinkRecord]:
        return self._keeper.links()

    def routes(self) -> list[RouteRecord]:
        return self._keeper.routes()

    def save_topology(self, links: Sequence[LinkRecord], routes: Sequence[RouteRecord]) -> None:
        self._keeper.save_topology(links, routes)
