"""What a concentrator tells whoever watches it. Times in seconds UTC."""

from __future__ import annotations

import msgspec

from osgp.lon import SubnetNode
from osgp.topology.atm import HashRange

from .sink import Reading


class QueryDone(msgspec.Struct, frozen=True):
    at: float
    range: HashRange
    answers: int


class Discovered(msgspec.Struct, frozen=True):
    at: float
    neuron_id: bytes
    downlink_db: float
    uplink_db: float


class Commissioned(msgspec.Struct, frozen=True):
    at: float
    neuron_id: bytes
    address: SubnetNode


class Visited(msgspec.Struct, frozen=True):
    at: float
    neuron_id: bytes
    reading: Reading


class Failed(msgspec.Struct, frozen=True):
    at: float
    neuron_id: bytes
    reason: str


Notice = QueryDone | Discovered | Commissioned | Visited | Failed
