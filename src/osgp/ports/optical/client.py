"""The asking side of the optical port: the port itself, and the session's conversations.

The port  IDLE --ask--> SENDING --acknowledged--> AWAITING --answered--> IDLE. A request that the
meter does not acknowledge, or does not answer in time, ends with Failed. While a session is open
and nothing is asked, the port keeps it alive by itself with the wait service (KEEPING, KEPT), so
that the meter does not fall back to base state within its six seconds.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from osgp.errors import LocalProtocolError, RemoteProtocolError, TransportError
from osgp.ports.events import (
    Answered,
    Broken,
    Echoed,
    Failed,
    PortEvent,
    SessionEnded,
    SpeedChanged,
    Unsolicited,
)
from osgp.ports.line import DEFAULT_SPEED, NORMAL, Line
from osgp.security.machine import Machine, Transitions

from . import psem
from .assembly import Size
from .link import STANDARD, GivenUp, Incomplete, Link, Message, Reflected, Switched, Through, Timing

ADVICE: Final = "no answer: check the head's position and polarity, the speed, and the device path"
LOOP: Final = "only an echo came back: the line is looped, or the head sees no meter"

DEFAULT_CAPACITY: Final = Size(1024, 32)
EXTRA_WAIT: Final = 4
"""Seconds that a keep-alive asks for beyond its own period."""


class Asking(Enum):
    IDLE = "idle"
    SENDING = "sending a request"
    AWAITING = "awaiting the answer"
    KEEPING = "sending a keep-alive"
    KEPT = "awaiting its answer"


class Step(Enum):
    ASK = "ask"
    KEEP = "keep alive"
    ACKNOWLEDGED = "acknowledged"
    ANSWERED = "answered"
    FAILED = "failed"


ASKING: Final[Transitions[Asking, Step]] = {
    (Asking.IDLE, Step.ASK): Asking.SENDING,
    (Asking.SENDING, Step.ACKNOWLEDGED): Asking.AWAITING,
    (Asking.SENDING, Step.FAILED): Asking.IDLE,
    (Asking.AWAITING, Step.ANSWERED): Asking.IDLE,
    (Asking.AWAITING, Step.FAILED): Asking.IDLE,
    (Asking.IDLE, Step.KEEP): Asking.KEEPING,
    (Asking.KEEPING, Step.ACKNOWLEDGED): Asking.KEPT,
    (Asking.KEEPING, Step.FAILED): Asking.IDLE,
    (Asking.KEPT, Step.ANSWERED): Asking.IDLE,
    (Asking.KEPT, Step.FAILED): Asking.IDLE,
}


class OpticalPort:
    """A client's optical port.

    `capacity`: what this side can receive. `keep_alive`: seconds of idleness after which an open
    session is kept alive, None to let it end. `patience`: seconds that an answer may take.
    """

    def __init__(
        self,
        line: Line = NORMAL,
        timing: Timing = STANDARD,
        *,
        capacity: Size = DEFAULT_CAPACITY,
        patience: float = 6.0,
        keep_alive: float | None = 4.0,
    ) -> None:
        self.capacity = capacity
        self._link = Link(capacity, line, timing)
        self._patience, self._keep_alive = patience, keep_alive
        self._machine = Machine(ASKING, Asking.IDLE)
        self._events: deque[PortEvent] = deque()
        self._pending: bytes | None = None
        self._deadline: float | None = None
        self._next_keep: float | None = None
        self._rested = 0.0
        self._credit = self._seen = 0
        self.open = False

    @property
    def largest(self) -> int:
        """Bytes of the largest message that may be sent now."""
        return self._link.size.message

    def request(self, message: bytes, now: float) -> None:
        """Asks; ends with Answered or Failed. LocalProtocolError while a request is under way."""
        if self._machine.state in _KEEPING and self._pending is None:
            self._pending = message
            return
        self._machine.fire(Step.ASK)
        self._send(message, now)

    def wake(self, data: bytes) -> None:
        """Bytes outside of packets, for meters that sleep."""
        self._link.raw(data)

    def adopt(self, size: Size, speed: int | None) -> None:
        """What was negotiated holds from now on."""
        self._link.size = size
        if speed is not None:
            self._link.change_speed(speed)

    def opened(self) -> None:
        """A session is open and is to be kept alive."""
        self.open = True
        self._plan()

    def closed(self) -> None:
        """The session is over: back to the defaults."""
        self.open, self._next_keep = False, None
        self._link.reset()
        self._link.change_speed(int(DEFAULT_SPEED))

    def receive(self, data: bytes, now: float) -> None:
        self._link.receive(data, now)
        self._digest(now)

    def data_to_send(self, now: float) -> bytes:
        data = self._link.data_to_send(now)
        self._digest(now)
        return data

    def next_timer(self) -> float | None:
        timers = (self._deadline, self._next_keep, self._link.next_timer())
        return min((t for t in timers if t is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self._link.handle_timer(now)
        self._digest(now)
        if self._deadline is not None and now >= self._deadline:
            self._fail(TransportError("the meter acknowledged, but did not answer"), now)
        if self._next_keep is not None and now >= self._next_keep:
            self._keep(now)

    def next_event(self) -> PortEvent | None:
        return self._events.popleft() if self._events else None

    def _send(self, message: bytes, now: float) -> None:
        self._next_keep = None
        self._credit, self._seen = self.capacity.packets, self._link.packets_received
        try:
            self._link.send(message, now)
        except LocalProtocolError:
            self._machine.fire(Step.FAILED)
            raise

    def _digest(self, now: float) -> None:
        while (event := self._link.next_event()) is not None:
            match event:
                case Through():
                    self._machine.fire(Step.ACKNOWLEDGED)
                    self._deadline = now + self._patience
                case Message(data):
                    self._message(data, now)
                case GivenUp(echo):
                    self._fail(_unanswered(echo), now)
                case Incomplete(reason):
                    self._incomplete(reason, now)
                case Reflected():
                    self._events.append(Echoed())
                case Switched(speed):
                    self._events.append(SpeedChanged(speed))
        self._extend(now)

    def _extend(self, now: float) -> None:
        """Each packet of a long answer gives it more time, as often as the longest may need."""
        if self._deadline is not None and self._link.packets_received != self._seen:
            self._seen = self._link.packets_received
            self._credit -= 1
            if self._credit >= 0:
                self._deadline = now + self._patience

    def _message(self, data: bytes, now: float) -> None:
        if self._machine.state not in _AWAITING:
            self._events.append(Unsolicited(data))
            return
        asked = self._machine.state is Asking.AWAITING
        self._machine.fire(Step.ANSWERED)
        if asked:
            self._events.append(Answered(data))
        self._rest(now)

    def _incomplete(self, reason: str, now: float) -> None:
        self._events.append(Broken(reason))
        if self._machine.state in _AWAITING:
            self._fail(RemoteProtocolError(reason), now)

    def _fail(self, error: TransportError | RemoteProtocolError, now: float) -> None:
        kept = self._machine.state in _KEEPING
        self._machine.fire(Step.FAILED)
        if not kept or self._pending is not None:
            self._events.append(Failed(error))
        if kept:
            self._pending = None
            self.closed()
            self._events.append(SessionEnded("the meter does not answer any more"))
        self._rest(now)

    def _rest(self, now: float) -> None:
        """Idle again: what was asked meanwhile goes now."""
        self._deadline, self._rested = None, now
        if self._pending is not None:
            message, self._pending = self._pending, None
            self.request(message, now)
        else:
            self._plan()

    def _plan(self) -> None:
        if self.open and self._keep_alive is not None:
            self._next_keep = self._rested + self._keep_alive

    def _keep(self, now: float) -> None:
        assert self._keep_alive is not None
        seconds = min(255, int(self._keep_alive) + EXTRA_WAIT)
        self._machine.fire(Step.KEEP)
        self._send(psem.WAIT.encode(psem.Wait(psem.Service.WAIT, seconds)), now)


_KEEPING: Final = frozenset({Asking.KEEPING, Asking.KEPT})
_AWAITING: Final = frozenset({Asking.AWAITING, Asking.KEPT})


def _unanswered(echo: bool) -> TransportError:
    error = TransportError("only an echo came back" if echo else "no answer", retryable=not echo)
    error.hint = LOOP if echo else ADVICE
    return error
