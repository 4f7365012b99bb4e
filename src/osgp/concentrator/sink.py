"""What a concentrator hands to whoever keeps it: records, and the one interface of a store.

A `Reading` is the unit of durability: a store keeps all of it or nothing, and keeping it twice
changes nothing. Only after `Sink.store` has returned may a device's list pointers move.
Times are seconds since 1970-01-01 UTC. A device is named by its 6-byte neuron id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from osgp.topology import LinkRecord, RouteRecord


class Device(msgspec.Struct, frozen=True):
    """What the concentrator knows of a device and needs again after a restart."""

    neuron_id: bytes
    program_id: bytes
    state: str
    first_seen: float
    domain: bytes = b""
    subnet: int = 0
    node: int = 0
    commissioned_at: float | None = None
    last_contact: float | None = None
    sequence: int = 0
    """Next sequence number of the session; stored ahead of use, so that none is used twice."""
    identity: str = ""
    phase: int = 0
    """0 unknown, 1..6 for 0, 60, ... 300 degrees."""
    searched_at: float | None = None
    """When it last looked for devices that the concentrator cannot hear."""


class TableImage(msgspec.Struct, frozen=True):
    """Bytes of a table as received: `data` stood at `offset` of table number `table`."""

    table: int
    offset: int
    data: bytes
    read_at: float


class RegisterValue(msgspec.Struct, frozen=True):
    """One decoded register; `path` is the field path in its table, `source` its source id."""

    table: int
    path: str
    value: int
    unit: str
    read_at: float
    source: int | None = None


class ProfileChannels(msgspec.Struct, frozen=True):
    """What the channels of a load-profile data set measure (BT62) and how often (BT61)."""

    data_set: int
    sources: tuple[int, ...]
    units: tuple[str, ...]
    interval_minutes: int


class ProfileBlock(msgspec.Struct, frozen=True):
    """Raw bytes of (a part of) a load-profile block, by the block's sequence number."""

    data_set: int
    sequence: int
    offset: int
    data: bytes
    read_at: float


class Interval(msgspec.Struct, frozen=True):
    """One load-profile interval: `end` in UTC, a value and a status nibble for each channel."""

    data_set: int
    end: int
    values: tuple[int, ...]
    status: tuple[int, ...]
    common_status: int = 0


class LoggedEvent(msgspec.Struct, frozen=True):
    """One entry of the event log BT74; `sequence` counts all entries ever made by the device."""

    sequence: int
    at: int
    number: int
    argument: int
    user: int
    name: str = ""


class LinkSample(msgspec.Struct, frozen=True):
    """How talking to a device went since the last sample; `margin_db` of its answers."""

    at: float
    requests: int
    responses: int
    retries: int
    failures: int
    margin_db: float | None = None
    airtime: float = 0.0


class Cursor(msgspec.Struct, frozen=True):
    """How far a device's lists have been stored.

    `block_sequence` and `intervals` name the newest stored interval of data set 1: the block's
    sequence number and how many of its intervals are stored. `event_sequence` is the newest
    stored entry of BT74. None: nothing yet.
    """

    block_sequence: int | None = None
    intervals: int = 0
    event_sequence: int | None = None


class Reading(msgspec.Struct, frozen=True):
    """Everything one visit to a device brought; stored as one transaction."""

    neuron_id: bytes
    read_at: float
    images: tuple[TableImage, ...] = ()
    registers: tuple[RegisterValue, ...] = ()
    channels: tuple[ProfileChannels, ...] = ()
    blocks: tuple[ProfileBlock, ...] = ()
    intervals: tuple[Interval, ...] = ()
    events: tuple[LoggedEvent, ...] = ()
    link: LinkSample | None = None
    cursor: Cursor | None = None


class Sink(Protocol):
    """A store as the concentrator sees it. Every method may raise StoreError."""

    def devices(self) -> list[Device]: ...

    def save_device(self, device: Device) -> None: ...

    def cursor(self, neuron_id: bytes) -> Cursor: ...

    def store(self, reading: Reading) -> None: ...


class TopologyStore(Protocol):
    """Where a concentrator keeps what it learnt about its network. Methods may raise StoreError."""

    def links(self) -> list[LinkRecord]: ...

    def routes(self) -> list[RouteRecord]: ...

    def save_topology(self, links: Sequence[LinkRecord], routes: Sequence[RouteRecord]) -> None: ...
