"""TCP as a serial line: one connection at a time, as a port has one cable."""

from __future__ import annotations

import asyncio
import os

from osgp.errors import TransportError

from .driver import Driver


class TcpServer:
    """Listens for clients of one driver; a second one at a time is turned away."""

    def __init__(self, server: asyncio.Server, driver: Driver) -> None:
        self._server, self._driver = server, driver

    @property
    def port(self) -> int:
        """The port that it listens on."""
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        return address[1]

    async def close(self) -> None:
        """Stops listening and ends the connection."""
        self._server.close()
        await self._driver.aclose()
        await self._server.wait_closed()


class _Cable(asyncio.Protocol):
    """One connection; it reaches the driver if that has no other."""

    def __init__(self, driver: Driver) -> None:
        self._driver: Driver | None = None if driver.connected else driver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._driver is None or self._driver.connected:
            self._driver = None
            transport.close()
        else:
            self._driver.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._driver is not None:
            self._driver.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._driver is not None:
            self._driver.connection_lost(exc)


async def serve_tcp(driver: Driver, host: str = "127.0.0.1", port: int = 0) -> TcpServer:
    """Listens on `host`:`port` (0: any). Raises TransportError if the port is in use."""
    try:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Cable(driver), host, port)
    except OSError as error:
        reason = _reason(error)
        raise TransportError(
            f"cannot listen on {host}:{port}: {reason}", retryable=False
        ) from error
    return TcpServer(server, driver)


async def connect_tcp(driver: Driver, host: str, port: int) -> None:
    """Connects to a serial server's raw TCP port. Raises TransportError."""
    try:
        await asyncio.get_running_loop().create_connection(lambda: driver, host, port)
    except OSError as error:
        raise TransportError(f"cannot connect to {host}:{port}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    """What the system says; asyncio puts places around it that are known already."""
    number = error.errno or 0
    return os.strerror(number).lower() if number > 0 else str(error)
