"""One UART for both ports, as meters before generation 4 have it.

MEP --start of a packet--> SWITCHED --good packet--> OPTICAL --session over--> MEP. The port
belongs to MEP. EE on the optical side switches it over, unless the optical port is held off after
an overlong session; the packet that did so is lost and answered with NAK, and if no session
follows the port goes back. Meanwhile the MEP side hears nothing. What the meter sends to MEP, its
alerts too, also appears on the optical side, which has to tell packets from MEP messages.
Source: optical guide v1.1, 'Sharing the Optical Port with the MEP Interface'; MEP guide v1.1,
'Using the MEP and Optical Ports concurrently'.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from osgp.security.machine import Machine, Transitions

from .events import PortEvent
from .mep.frame import LENGTH, MAX_MESSAGE
from .optical.packet import START, Signal
from .optical.server import OpticalServer

NAK: Final = bytes((Signal.NAK.value,))
SETTLE: Final = 0.05
"""Seconds from the switch-over to NAK: the rest of the lost packet passes."""


OVERHEARD: Final = LENGTH + MAX_MESSAGE
"""Bytes for the optical side that nobody took: more would be gone on a line."""


class Port(Protocol):
    """The meter's side of the MEP port."""

    def receive(self, data: bytes, now: float) -> None: ...
    def data_to_send(self, now: float) -> bytes: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def next_event(self) -> PortEvent | None: ...


class Owner(Enum):
    MEP = "MEP"
    SWITCHED = "switched over"
    OPTICAL = "optical session"


class Step(Enum):
    START = "start of a packet"
    SESSION = "session"
    BACK = "no session"


OWNERS: Final[Transitions[Owner, Step]] = {
    (Owner.MEP, Step.START): Owner.SWITCHED,
    (Owner.SWITCHED, Step.SESSION): Owner.OPTICAL,
    (Owner.SWITCHED, Step.BACK): Owner.MEP,
    (Owner.OPTICAL, Step.BACK): Owner.MEP,
}


class SharedUart:
    """The meter's one UART; `optical_side` and `mep_side` are its two connectors.

    `on_sent` is called when the optical side has bytes to send because MEP was sent some.
    """

    def __init__(
        self, optical: OpticalServer, mep: Port, on_sent: Callable[[], None] | None = None
    ) -> None:
        self.optical, self.mep = optical, mep
        self._on_sent = on_sent or (lambda: None)
        self.machine = Machine(OWNERS, Owner.MEP)
        self._nak_at: float | None = None
        self._back_at = 0.0
        self._overheard = bytearray()
        self.optical_side = OpticalSide(self)
        self.mep_side = MepSide(self)

    @property
    def with_mep(self) -> bool:
        return self.machine.state is Owner.MEP

    def from_optical(self, data: bytes, now: float) -> None:
        if self.with_mep:
            if START in data and not self.optical.held_off(now):
                self.machine.fire(Step.START)
                self._nak_at = now + SETTLE
                self._back_at = now + self.optical.timing.traffic
            return
        if self._nak_at is None:
            self.optical.receive(data, now)
            self.settle(now)

    def settle(self, now: float) -> None:
        """Follows the optical session."""
        if self.machine.state is Owner.SWITCHED and self.optical.active:
            self.machine.fire(Step.SESSION)
        over = self.machine.state is Owner.OPTICAL and not self.optical.active
        if over or (self.machine.state is Owner.SWITCHED and now >= self._back_at):
            self.machine.fire(Step.BACK)

    def to_optical(self, now: float) -> bytes:
        overheard = bytes(self._overheard)
        self._overheard.clear()
        if self._nak_at is not None and now >= self._nak_at:
            self._nak_at = None
            return overheard + NAK
        return overheard + self.optical.data_to_send(now)

    def to_mep(self, now: float) -> bytes:
        data = self.mep.data_to_send(now)
        if not self.with_mep:
            return b""
        if data:
            self._overheard = (self._overheard + data)[-OVERHEARD:]
            self._on_sent()
        return data

    def optical_timer(self) -> float | None:
        back = self._back_at if self.machine.state is Owner.SWITCHED else None
        timers = (self._nak_at, back, self.optical.next_timer())
        return min((t for t in timers if t is not None), default=None)


class OpticalSide:
    """The optical connector: the five verbs."""

    def __init__(self, uart: SharedUart) -> None:
        self._uart = uart

    def receive(self, data: bytes, now: float) -> None:
        self._uart.from_optical(data, now)

    def data_to_send(self, now: float) -> bytes:
        return self._uart.to_optical(now)

    def next_timer(self) -> float | None:
        return self._uart.optical_timer()

    def handle_timer(self, now: float) -> None:
        self._uart.optical.handle_timer(now)
        self._uart.settle(now)

    def next_event(self) -> PortEvent | None:
        return self._uart.optical.next_event()


class MepSide:
    """The MEP connector: the five verbs."""

    def __init__(self, uart: SharedUart) -> None:
        self._uart = uart

    def receive(self, data: bytes, now: float) -> None:
        if self._uart.with_mep:
            self._uart.mep.receive(data, now)

    def data_to_send(self, now: float) -> bytes:
        return self._uart.to_mep(now)

    def next_timer(self) -> float | None:
        return self._uart.mep.next_timer()

    def handle_timer(self, now: float) -> None:
        self._uart.mep.handle_timer(now)

    def next_event(self) -> PortEvent | None:
        return self._uart.mep.next_event()
