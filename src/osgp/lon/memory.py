"""The parts of a node's memory that network management can read.

Layouts of the read-only data and of the configuration data as public headers of lon-stack-dx
give them; buffer sizes, which do not exist here, read as zero. The transceiver bytes are those
of the A-band power-line channel (PL-20A).
"""

from __future__ import annotations

from collections.abc import Callable

from osgp.lon.config import NodeConfig
from osgp.lon.events import Statistics

NEURON_ID_AT = 0
"""Offset in the read-only data, for memory matches."""
PROGRAM_ID_AT = 13

_READ_ONLY_LENGTH = 36
_TWO_DOMAINS = 0x40
_EXPLICIT_MESSAGES = 0x08
_STATE_BITS = 0x07
_NM_AUTH = 0x08
_PACKET_TIMING = bytes.fromhex("005ae6a978")
_TRANSCEIVER = bytes.fromhex("0e010010000100")


def counters(statistics: Statistics) -> bytes:
    """The five 16-bit counters of query status; each stops at its maximum.

    Damaged frames, messages given up, receive transactions refused, messages lost, messages
    missed for want of a buffer (never happens here).
    """
    damaged = statistics.crc_errors + statistics.malformed
    values = (damaged, statistics.failures, statistics.receive_full, statistics.lost, 0)
    return b"".join(min(value, 0xFFFF).to_bytes(2, "big") for value in values)


def read_only_data(config: NodeConfig) -> bytes:
    """Neuron ID at offset 0, program ID at 13, domain count and state at 21."""
    data = config.neuron_id + bytes(5) + b"\xff\xff" + config.program_id
    domains = _TWO_DOMAINS if len(config.domains) > 1 else 0
    flags = domains | _EXPLICIT_MESSAGES | config.state & _STATE_BITS
    data += bytes((flags, len(config.addresses) << 4 & 0xFF))
    return data.ljust(_READ_ONLY_LENGTH, b"\0")


def configuration_data(config: NodeConfig) -> bytes:
    """Channel, location, channel timing, priority slots, timers: 25 bytes."""
    timers = config.receive_timer << 4 | (_NM_AUTH if config.nm_auth else 0)
    return (
        config.channel_id.to_bytes(2, "big")
        + config.location.ljust(6, b"\0")[:6]
        + bytes(2)
        + _PACKET_TIMING
        + bytes((config.priority_slot, config.priority_slots))
        + _TRANSCEIVER
        + bytes((timers,))
    )


_IMAGES: dict[int, Callable[[NodeConfig, Statistics], bytes]] = {
    1: lambda config, statistics: read_only_data(config),
    2: lambda config, statistics: configuration_data(config),
    3: lambda config, statistics: counters(statistics),
}


def image(mode: int, config: NodeConfig, statistics: Statistics) -> bytes:
    """The memory that an offset of `mode` (see `nm.Memory`) counts in; empty for the others."""
    build = _IMAGES.get(mode)
    return build(config, statistics) if build else b""
