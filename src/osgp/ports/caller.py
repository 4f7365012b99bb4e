"""Drives one conversation (see `osgp.session.exchange`) over a client's port.

The port asks and answers; the conversation decides what to ask. A `Caller` has the same five
verbs as a port, so whatever drives a port also drives a port with a conversation on top.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from osgp.errors import LocalProtocolError, OsgpError
from osgp.session import Exchange, Send, Wait

from .events import Answered, Failed, PortEvent

T = TypeVar("T")


class ClientPort(Protocol):
    """The asking side of a port: one request at a time."""

    def request(self, message: bytes, now: float) -> None: ...
    def receive(self, data: bytes, now: float) -> None: ...
    def data_to_send(self, now: float) -> bytes: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def next_event(self) -> PortEvent | None: ...


class Caller:
    """Runs conversations over `port`, one after another."""

    def __init__(self, port: ClientPort) -> None:
        self.port = port
        self._running: Exchange[Any] | None = None
        self._value: Any = None
        self._error: OsgpError | None = None
        self._wake: float | None = None
        self._awaiting = self._stale = False
        self._next: bytes | None = None
        self._events: deque[PortEvent] = deque()

    @property
    def finished(self) -> bool:
        """No conversation is under way."""
        return self._running is None

    def result(self) -> Any:
        """What the last conversation returned; raises the OsgpError that ended it."""
        if self._running is not None:
            raise LocalProtocolError("the conversation is still under way")
        if self._error is not None:
            raise self._error
        return self._value

    def start(self, exchange: Exchange[T], now: float) -> None:
        """Begins a conversation; LocalProtocolError while another is under way."""
        if self._running is not None:
            raise LocalProtocolError("one conversation at a time")
        self._running, self._value, self._error = exchange, None, None
        self._advance(lambda: next(exchange), now)
        self._digest(now)

    def cancel(self) -> None:
        """Drops the conversation. What it asked stays asked: the next one waits for that answer."""
        if self._running is not None:
            self._running.close()
        self._stale, self._next = self._awaiting, None
        self._finish(None, LocalProtocolError("the conversation was cancelled"))

    def receive(self, data: bytes, now: float) -> None:
        self.port.receive(data, now)
        self._digest(now)

    def data_to_send(self, now: float) -> bytes:
        return self.port.data_to_send(now)

    def next_timer(self) -> float | None:
        timers = [t for t in (self._wake, self.port.next_timer()) if t is not None]
        return min(timers, default=None)

    def handle_timer(self, now: float) -> None:
        self.port.handle_timer(now)
        self._digest(now)
        if self._wake is not None and now >= self._wake and self._running is not None:
            exchange, self._wake = self._running, None
            self._advance(lambda: exchange.send(b""), now)
            self._digest(now)

    def next_event(self) -> PortEvent | None:
        """What the port reports besides answers."""
        return self._events.popleft() if self._events else self.port.next_event()

    def _digest(self, now: float) -> None:
        while (event := self.port.next_event()) is not None:
            match event:
                case Answered() | Failed():
                    self._ended(event, now)
                case _:
                    self._events.append(event)

    def _ended(self, event: Answered | Failed, now: float) -> None:
        """The end of a request: of this conversation's, or of one that was dropped."""
        exchange, stale = self._running, self._stale
        self._awaiting = self._stale = False
        if stale and self._next is not None:
            message, self._next = self._next, None
            self._ask(message, now)
        elif not stale and exchange is not None and isinstance(event, Answered):
            self._advance(lambda: exchange.send(event.message), now)
        elif not stale and exchange is not None and isinstance(event, Failed):
            self._advance(lambda: exchange.throw(event.error), now)

    def _advance(self, resume: Callable[[], Send | Wait], now: float) -> None:
        try:
            step = resume()
        except StopIteration as end:
            self._finish(end.value, None)
        except OsgpError as error:
            self._finish(None, error)
        else:
            self._do(step, now)

    def _do(self, step: Send | Wait, now: float) -> None:
        if isinstance(step, Wait):
            self._wake = now + step.seconds
        elif self._awaiting:
            self._next = step.apdu
        else:
            self._ask(step.apdu, now)

    def _ask(self, message: bytes, now: float) -> None:
        exchange = self._running
        try:
            self.port.request(message, now)
        except LocalProtocolError as refusal:
            reason = refusal
            if exchange is not None:
                self._advance(lambda: exchange.throw(reason), now)
        else:
            self._awaiting = True

    def _finish(self, value: Any, error: OsgpError | None) -> None:
        self._running, self._wake = None, None
        self._value, self._error = value, error
