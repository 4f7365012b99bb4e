"""Frames as datagrams. How a frame and an address become a datagram is the composer's business."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, cast

from osgp.errors import TransportError

from .machine import FrameMachine
from .timer import Timer

Address = tuple[str, int]
Pack = Callable[[Any], tuple[bytes, Address] | None]
"""A frame to send → payload and receiver; None drops it."""

Unpack = Callable[[bytes, Address], Any]
"""Payload and sender → the frame that arrived; None drops it."""


class FrameDriver(asyncio.DatagramProtocol):
    """Drives one machine of frames over a UDP socket. To be made inside a running loop."""

    def __init__(
        self,
        machine: FrameMachine,
        pack: Pack,
        unpack: Unpack,
        on_event: Callable[[Any], None] | None = None,
    ) -> None:
        self.machine = machine
        self._pack, self._unpack = pack, unpack
        self._on_event = on_event or (lambda event: None)
        self._timer = Timer(self._on_timer)
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> Address:
        """Where this side can be reached; TransportError when it is closed."""
        if self._transport is None:
            raise TransportError("the socket is closed", retryable=False)
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.pump()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        frame = self._unpack(data, (addr[0], addr[1]))
        if frame is not None:
            self.machine.receive_frame(frame, self._timer.now())
        self.pump()

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: on a medium, that is silence."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._timer.set(None)

    def close(self) -> None:
        """Closes the socket; harmless when it is closed."""
        self._timer.set(None)
        if self._transport is not None:
            self._transport.close()

    def pump(self) -> None:
        """To be called after anything was asked of the machine from outside."""
        if self._transport is None:
            return
        while frames := self.machine.frames_to_send(self._timer.now()):
            for frame in frames:
                self._send(self._transport, frame)
        while (event := self.machine.next_event()) is not None:
            self._on_event(event)
        self._timer.set(self.machine.next_timer())

    def _send(self, transport: asyncio.DatagramTransport, frame: Any) -> None:
        packed = self._pack(frame)
        if packed is not None:
            transport.sendto(*packed)

    def _on_timer(self, now: float) -> None:
        self.machine.handle_timer(now)
        self.pump()


async def open_udp(driver: FrameDriver, host: str = "127.0.0.1", port: int = 0) -> None:
    """Binds a socket for `driver` (port 0: any), whose multicast leaves by the interface of `host`.

    Raises TransportError if the port is in use.
    """
    try:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: driver, local_addr=(host, port)
        )
    except OSError as error:
        reason = f"cannot bind {host}:{port}: {error}"
        raise TransportError(reason, retryable=False) from error
    with contextlib.suppress(OSError):
        bound = transport.get_extra_info("socket")
        bound.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
