"""Places of ports as people write them, and how to open them.

/dev/ttyUSB0, COM3, /dev/pts/4    a serial port, or a pseudo-terminal
tcp://host:port                   a serial server's raw TCP port
rfc2217://host:port               a serial server that sets speed and parity
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from osgp.errors import UsageError
from osgp.transport import Driver, connect_serial, connect_tcp

TCP: Final = "tcp://"
UNLIMITED_SCHEMES: Final = (TCP, "/dev/pts/")
"""Places where nothing limits the speed."""


class Endpoint(msgspec.Struct, frozen=True):
    """A host (name or address) and a port."""

    host: str
    port: int


def endpoint(place: str) -> Endpoint:
    """Host and port of `scheme://host:port`. Raises UsageError."""
    try:
        parts = urlsplit(place)
        if parts.hostname is None or parts.port is None or parts.path.strip("/"):
            raise ValueError(place)
    except ValueError:
        raise UsageError(f"{place} is no place for a port: tcp://127.0.0.1:4096, pty") from None
    return Endpoint(parts.hostname, parts.port)


def is_unlimited(place: str) -> bool:
    """Whether bytes sent there have left at once."""
    return place.startswith(UNLIMITED_SCHEMES)


async def connect(driver: Driver, place: str, speed: int = 9600) -> None:
    """Opens a port and drives it. Raises TransportError, UsageError."""
    if place.startswith(TCP):
        found = endpoint(place)
        await connect_tcp(driver, found.host, found.port)
    else:
        await connect_serial(driver, place, speed)
