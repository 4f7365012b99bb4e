"""A device as the concentrator knows it while it runs."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from osgp.lon import SubnetNode
from osgp.security.omak import PlcScope
from osgp.security.secret import KeyLike
from osgp.security.suite import OmaClient
from osgp.session.reader import DeviceReader
from osgp.topology import FieldClient, Happening, Life, after

from .conversation import Clock
from .sink import Cursor, Device, Sink
from .visit import Visit

_LIVES = {life.value: life for life in Life}
REMOVED = (Life.LEAVING, Life.DECOMMISSIONED)
"""What is not wanted in the network, whether it knows that or not."""
_AT_AN_ADDRESS = (Life.COMMISSIONED, Life.OPERATING, Life.LOST, Life.REFUSED)


class KnownDevice:
    """The stored `device` and its `cursor`, plus what only matters while running."""

    def __init__(self, device: Device, cursor: Cursor) -> None:
        self.device, self.cursor = device, cursor
        self.failures = 0
        self.due: float | None = None
        self.clock_at: float | None = None
        self.doubted = self.dropped = False
        self._client: FieldClient | None = None
        self._reader: DeviceReader | None = None

    @property
    def name(self) -> str:
        return self.device.neuron_id.hex()

    @property
    def life(self) -> Life:
        return _LIVES[self.device.state]

    @property
    def address(self) -> SubnetNode:
        return SubnetNode(self.device.subnet, self.device.node)

    @property
    def commissioned(self) -> bool:
        """Whether it is talked to at an address."""
        return self.life in _AT_AN_ADDRESS

    def happened(self, happening: Happening, sink: Sink, **changes: Any) -> None:
        """Moves it along its life, and stores that."""
        self._update(sink, state=after(self.life, happening).value, **changes)

    def assign(self, domain: bytes, address: SubnetNode, sink: Sink) -> None:
        """Stored before it is sent: after a power cut the same device gets the same address."""
        self.forget_session()
        self._update(sink, domain=domain, subnet=address.subnet, node=address.node)

    def save(self, sink: Sink) -> None:
        if not self.dropped:
            sink.save_device(self.device)

    def forget_session(self) -> None:
        """The next visit starts afresh: dimensions are read again."""
        self._reader = self._client = None

    def visit(self, client: FieldClient, clock: Clock) -> Visit:
        """A visit that begins where the last one stopped."""
        first = self._reader is None or self._reader.client is not client
        if self._reader is None or first:
            self._reader = DeviceReader(client)
        return Visit(self.device.neuron_id, self._reader, self.cursor, clock, identify=first)

    def client(self, key: KeyLike, sink: Sink) -> FieldClient:
        """The device's session in the old suite, begun if there is none."""
        if self._client is None:
            scope = PlcScope(self.device.subnet, self.device.node)
            stored = self.device.sequence.to_bytes(4, "big") if self.device.sequence else None
            security = OmaClient(key, scope, restore=stored)
            self._client = FieldClient(security, persist=partial(self._persist, sink))
        return self._client

    def searched(self, now: float, sink: Sink) -> None:
        """It has looked for others."""
        self._update(sink, searched_at=now)

    def _persist(self, sink: Sink, state: bytes) -> None:
        self._update(sink, sequence=int.from_bytes(state, "big"))

    def _update(self, sink: Sink, **changes: Any) -> None:
        self.device = msgspec.structs.replace(self.device, **changes)
        self.save(sink)
