"""Serial ports, local (`/dev/ttyUSB0`, `COM3`) and remote (`rfc2217://host:port`), by serialx.

Needs the extra `osgp[serial]`. Local ports are opened exclusively.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from osgp.errors import TransportError, UsageError

from .driver import Driver

RFC2217: Final = "rfc2217://"
ADVICE: Final = "check the device path, its permissions, and whether another program has it open"


async def connect_serial(driver: Driver, url: str, speed: int = 9600) -> None:
    """Opens a port with 8 data bits, no parity, 1 stop bit, and drives it.

    The driver changes the port's speed when its machine says so. Raises TransportError (no such
    port, no permission, in use, no answer of an RFC 2217 server), UsageError (no serialx).
    """
    try:
        import serialx
    except ImportError as error:
        raise UsageError("serial ports need the extra: pip install 'osgp[serial]'") from error
    try:
        transport, _ = await serialx.create_serial_connection(
            asyncio.get_running_loop(),
            lambda: driver,
            url,
            baudrate=speed,
            transport_cls=_transport_for(url),
        )
    except (OSError, ValueError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer"
        failure = TransportError(f"cannot open {url}: {reason}", retryable=False)
        failure.hint = ADVICE
        raise failure from error

    async def set_speed(bits_a_second: int) -> None:
        await transport.flush()
        await transport.reconfigure_port(baudrate=bits_a_second)

    driver.set_speed, driver.drain = set_speed, transport.flush


def _transport_for(url: str) -> Any:
    """serialx's own choice (None), but for RFC 2217."""
    if not url.startswith(RFC2217):
        return None
    from .rfc2217 import Rfc2217Transport

    return Rfc2217Transport
