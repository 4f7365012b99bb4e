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


class Checked(msgspec.Struct, frozen=True):
    """A newly commissioned device is set up, or another's clock was set, or cannot be: it was
    `clock_error` s off, None: unknown."""

    at: float
    neuron_id: bytes
    clock_error: float | None
    problems: tuple[str, ...] = ()


class Secured(msgspec.Struct, frozen=True):
    """From now on the device is read in OSGP-AES-128-PSK only."""

    at: float
    neuron_id: bytes


class Visited(msgspec.Struct, frozen=True):
    at: float
    neuron_id: bytes
    reading: Reading


class Failed(msgspec.Struct, frozen=True):
    at: float
    neuron_id: bytes
    reason: str


class Searched(msgspec.Struct, frozen=True):
    """A device has looked for others; `answers`: how many it heard."""

    at: float
    searcher: bytes
    answers: int


class DuplicateId(msgspec.Struct, frozen=True):
    """Two devices say that they have this id: the registered one, and another."""

    at: float
    neuron_id: bytes


class Broadcasted(msgspec.Struct, frozen=True):
    """A request was said to all; `chains`: branches behind repeaters, `broken`: those of them
    where it is not known. `reason`: why it was not said at all."""

    at: float
    request: bytes
    chains: int = 0
    broken: int = 0
    reason: str = ""


class Upgraded(msgspec.Struct, frozen=True):
    """The firmware image of the campaign runs in this device; `reason`: why it does not."""

    at: float
    neuron_id: bytes
    reason: str = ""


class Removed(msgspec.Struct, frozen=True):
    """Decommissioned, or registered with another concentrator."""

    at: float
    neuron_id: bytes


Notice = (
    QueryDone
    | Discovered
    | Commissioned
    | Checked
    | Secured
    | Visited
    | Failed
    | Searched
    | DuplicateId
    | Broadcasted
    | Upgraded
    | Removed
)
