"""Drives one machine over one asyncio transport."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, cast

from osgp.errors import LocalProtocolError, TransportError

from .machine import Conversing, Machine, SpeedChange
from .timer import Timer

Tap = Callable[[str, bytes, float], None]
"""Sees every piece on the line: "in" or "out", the bytes, the loop's time."""

SetSpeed = Callable[[int], Awaitable[None]]
"""Changes a line's speed once everything written so far has left."""

Drain = Callable[[], Awaitable[None]]
"""Returns when everything written so far has left."""

CLOSING: Final = 1.0
"""Seconds that the last bytes have to leave when a connection ends."""

LINGER: Final = 0.01
"""What the machine is going to send within so many seconds still belongs to the connection: an
optical port's last ACK waits for the turn-around delay."""


class Driver(asyncio.Protocol):
    """A machine and its line. To be made inside a running loop.

    `on_event` gets what the machine reports. A server outlives its connections: after one is lost,
    the driver may be connected anew. A client's port begins anew with each connection.
    """

    def __init__(
        self,
        machine: Machine,
        on_event: Callable[[Any], None] | None = None,
        *,
        tap: Tap | None = None,
    ) -> None:
        self.machine = machine
        self.set_speed: SetSpeed | None = None
        self.drain: Drain | None = None
        self._on_event = on_event or (lambda event: None)
        self._tap = tap or (lambda direction, data, now: None)
        self._timer = Timer(self._on_timer)
        self._transport: asyncio.WriteTransport | None = None
        self._changing: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._lost.set()

    @property
    def connected(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._lost.clear()
        self.pump()

    def data_received(self, data: bytes) -> None:
        now = self._timer.now()
        self._tap("in", data, now)
        self.machine.receive(data, now)
        self.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._timer.set(None)
        self._lost.set()

    async def wait_closed(self) -> None:
        """Until there is no connection."""
        await self._lost.wait()

    async def aclose(self, within: float = CLOSING) -> None:
        """Ends the connection when its last bytes have left, and returns when it is gone.

        What has not left after `within` seconds is dropped. Harmless without a connection.
        """
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(within):
                await self._leave()
        changing = self._changing
        self.close()
        if changing is not None:
            await asyncio.gather(changing, return_exceptions=True)
        self._timer.set(None)
        try:
            async with asyncio.timeout(within):
                await self.wait_closed()
        except TimeoutError:
            await self._abort()

    async def _leave(self) -> None:
        """Lets the machine and the line have their last bytes."""
        due = self.machine.next_timer()
        if self.connected and due is not None and due <= self._timer.now() + LINGER:
            await asyncio.sleep(LINGER)
        if self._changing is not None:
            await asyncio.shield(self._changing)
        if self.connected and self.drain is not None:
            await self.drain()

    async def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            await self.wait_closed()

    def close(self) -> None:
        """Ends the connection at once; harmless without one. `aclose` loses no bytes."""
        self._timer.set(None)
        if self._changing is not None:
            self._changing.cancel()
        if self._transport is not None:
            self._transport.close()

    def pump(self) -> None:
        """To be called after anything was asked of the machine from outside."""
        transport = self._transport
        if transport is None:
            return
        while self._changing is None and (data := self._outgoing()):
            transport.write(data)
            self._report()
        self._report()
        if self._changing is None:
            self._timer.set(self.machine.next_timer())

    def _report(self) -> None:
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, SpeedChange) and self.set_speed is not None:
                self._change(event.line_speed)
            self._on_event(event)

    def _outgoing(self) -> bytes:
        now = self._timer.now()
        data = self.machine.data_to_send(now)
        if data:
            self._tap("out", data, now)
        return data

    def _on_timer(self, now: float) -> None:
        self.machine.handle_timer(now)
        self.pump()

    def _change(self, speed: int) -> None:
        """Nothing is sent while the line changes its speed."""
        assert self.set_speed is not None
        change = self._changed(self._changing, self.set_speed(speed))
        self._changing = asyncio.ensure_future(change)

    async def _changed(self, before: asyncio.Task[None] | None, change: Awaitable[None]) -> None:
        if before is not None:
            await before
        try:
            await change
        except OSError:
            self.close()
        if self._changing is asyncio.current_task():
            self._changing = None
            self.pump()


class CallingDriver(Driver):
    """A driver whose machine runs conversations."""

    machine: Conversing

    def __init__(
        self,
        machine: Conversing,
        on_event: Callable[[Any], None] | None = None,
        *,
        tap: Tap | None = None,
    ) -> None:
        super().__init__(machine, on_event, tap=tap)
        self._waiting: asyncio.Future[None] | None = None

    async def call(self, exchange: Any) -> Any:
        """What the conversation returns; raises what ends it.

        TransportError, not to be retried on this connection, if the line is lost meanwhile.
        """
        if not self.connected:
            raise TransportError("the port is not open", retryable=False)
        if self._waiting is not None:
            raise LocalProtocolError("one conversation at a time")
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            self.machine.start(exchange, self._timer.now())
            self.pump()
            await self._waiting
        finally:
            self._waiting = None
            if not self.machine.finished:
                self.machine.cancel()
        return self.machine.result()

    def pump(self) -> None:
        super().pump()
        waiting = self._waiting
        if waiting is not None and not waiting.done() and self.machine.finished:
            waiting.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._waiting is not None and not self._waiting.done():
            reason = f"the port was lost: {exc}" if exc else "the port was closed"
            self._waiting.set_exception(TransportError(reason, retryable=False))
