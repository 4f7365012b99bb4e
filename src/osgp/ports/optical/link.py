"""The packet layer of ANSI C12.18, the same for both roles: messages in, messages out, no loss.

Sending  IDLE --send--> AWAITING. Each packet waits for its ACK: then the next one goes (`next`),
         or the message is through (`through`). NAK and silence repeat the packet (`again`), three
         times; then the message is given up (`give up`).
Receiving A good packet is acknowledged, a damaged one is answered with NAK once the line is quiet.
         The same packet again (same toggle, same bytes) is acknowledged and dropped, until one of
         this side's own packets was acknowledged: from then on it cannot be a repetition.

Beyond the standard, as meters and hobby readers in the field need it:
- 00 counts as ACK;
- a message that arrives where ACK was due acknowledges the last packet; a peer that does so twice
  and never sent an ACK is taken to send none, and further packets follow each other after a pause;
- toggle bits may be anything: only identical packets are repetitions;
- packets without data are acknowledged and mean nothing;
- this side's own packet, coming back, is an echo and no answer; once seen, everything sent is
  expected to come back first, and taken away.

Sources: ANSI C12.18-1996 as public decoders know it (time-outs, retries, turn-around delay).
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

import msgspec

from osgp.errors import LocalProtocolError, RemoteProtocolError
from osgp.ports.line import Line
from osgp.security.machine import Machine, Transitions

from .assembly import DEFAULT_SIZE, Assembler, Size, split
from .packet import Damaged, Item, Packet, PacketParser, Signal


class Timing(msgspec.Struct, frozen=True):
    """Seconds, and how often; defaults are the standard's.

    `turn_around`: between the peer's last byte and the first of this side; none on a line without
    limit, where no head has to turn around. `quiet`: how long the line must be silent before a
    damaged packet is answered. `pause`: between packets to a peer that never acknowledges.
    `traffic`: silence that ends a session.
    """

    turn_around: float = 175e-6
    inter_character: float = 0.5
    response: float = 2.0
    traffic: float = 6.0
    retries: int = 3
    quiet: float = 0.05
    pause: float = 0.05


STANDARD: Final = Timing()


class Sending(Enum):
    IDLE = "idle"
    AWAITING = "awaiting ACK"


class Step(Enum):
    SEND = "send"
    NEXT = "next"
    AGAIN = "again"
    THROUGH = "through"
    GIVE_UP = "give up"


SENDING: Final[Transitions[Sending, Step]] = {
    (Sending.IDLE, Step.SEND): Sending.AWAITING,
    (Sending.AWAITING, Step.NEXT): Sending.AWAITING,
    (Sending.AWAITING, Step.AGAIN): Sending.AWAITING,
    (Sending.AWAITING, Step.THROUGH): Sending.IDLE,
    (Sending.AWAITING, Step.GIVE_UP): Sending.IDLE,
}


class Message(msgspec.Struct, frozen=True):
    """A whole message from the peer."""

    data: bytes


class Through(msgspec.Struct, frozen=True):
    """The peer has the message."""


class GivenUp(msgspec.Struct, frozen=True):
    """The peer does not acknowledge; `echo`: what was sent came back, and nothing else did."""

    echo: bool


class Incomplete(msgspec.Struct, frozen=True):
    """The peer's packets make no message."""

    reason: str


class Reflected(msgspec.Struct, frozen=True):
    """This side's own packet came back."""


class Switched(msgspec.Struct, frozen=True):
    """What is sent from now on goes at this speed, in bits a second."""

    speed: int


LinkEvent = Message | Through | GivenUp | Incomplete | Reflected | Switched

PREMATURE: Final = 0.5
"""A signal that comes before this share of a packet can have left is about an earlier one."""

SILENT_AFTER: Final = 2
"""Messages acknowledged by the next one, before a peer is taken to send no ACK at all."""


class Link:
    """One side of the packet layer.

    `capacity`: what this side can receive. `yields`: a new message of the peer ends an unfinished
    one of this side (servers do, clients do not).
    """

    def __init__(
        self, capacity: Size, line: Line, timing: Timing = STANDARD, *, yields: bool = False
    ) -> None:
        self.line, self.timing = line, timing
        self._turn_around = 0.0 if line.speed is None else timing.turn_around
        self._parser = PacketParser(capacity.data)
        self._assembler = Assembler(capacity)
        self._yields = yields
        self._events: deque[LinkEvent] = deque()
        self._out = bytearray()
        self._before = bytearray()
        self._next_speed: int | None = None
        self._reflects, self._alone = False, True
        self._reflection = bytearray()
        self._gate = self.heard = self.left = self._earliest = 0.0
        self.packets_received = 0
        self.reset()

    def reset(self) -> None:
        """Back to the state before anything was negotiated; what waits to be sent still goes."""
        self.size = DEFAULT_SIZE
        self._machine = Machine(SENDING, Sending.IDLE)
        self._packets: deque[Packet] = deque()
        self._current = b""
        self._last: Packet | None = None
        self._tries = self._implied = 0
        self._acks = self._silent = False
        self._deadline: float | None = None
        self._armed = False
        self._toggle = False
        self._expiry: float | None = None
        self._parser.listen()
        self._assembler.reset()

    @property
    def idle(self) -> bool:
        """Nothing waits for an ACK."""
        return self._machine.state is Sending.IDLE

    def change_speed(self, speed: int) -> None:
        """Another speed, once what waits to be sent has left; nothing on a line without limit."""
        if self.line.speed in (None, speed):
            return
        self._before += self._out
        self._out.clear()
        self._next_speed = speed
        if not self._before:
            self._switch()

    def _switch(self) -> None:
        assert self._next_speed is not None
        self.line = self.line.at(self._next_speed)
        self._events.append(Switched(self._next_speed))
        self._next_speed = None

    def raw(self, data: bytes) -> None:
        """Bytes outside of packets: to wake a meter up."""
        self._out += data

    def send(self, message: bytes, now: float) -> None:
        """Sends a message; LocalProtocolError while another is on its way or if it is too long."""
        if len(message) > self.size.message:
            raise LocalProtocolError(f"a message of {len(message)} bytes")
        self._machine.fire(Step.SEND)
        self._alone = True
        self._assembler.reset()
        self._packets.extend(split(message, self.size))
        self._transmit_next()

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the line."""
        self._gate = now + self._turn_around
        for item in self._parser.feed(self._without_echo(data)):
            self._handle(item, now)
        if self._parser.deaf:
            self._expiry = now + self.timing.quiet
        else:
            waits = self._parser.inside
            self._expiry = now + self.timing.inter_character if waits else None

    def data_to_send(self, now: float) -> bytes:
        """Bytes for the line; none before the turn-around delay is over."""
        waiting = self._before or self._out
        if not waiting or now < self._gate:
            return b""
        data = bytes(waiting)
        waiting.clear()
        self._departs(data, now)
        if self._next_speed is not None:
            self._switch()
            self._gate = self.left
        elif not self.idle and not self._armed:
            self._armed = True
            patience = self.timing.pause if self._silent else self.timing.response
            self._deadline = self.left + patience
        return data

    def _departs(self, data: bytes, now: float) -> None:
        airtime = self.line.airtime(len(data))
        begins = max(now, self.left)
        self.left, self._earliest = begins + airtime, begins + PREMATURE * airtime
        if self._reflects:
            self._reflection += data

    def next_timer(self) -> float | None:
        gate = self._gate if self._before or self._out else None
        timers = [t for t in (gate, self._deadline, self._expiry) if t is not None]
        return min(timers, default=None)

    def handle_timer(self, now: float) -> None:
        if self._expiry is not None and now >= self._expiry:
            self._expire()
        if self._deadline is not None and now >= self._deadline:
            if self._silent:
                self._proceed()
            else:
                self._again()

    def next_event(self) -> LinkEvent | None:
        return self._events.popleft() if self._events else None

    # --- receiving

    def _without_echo(self, data: bytes) -> bytes:
        """What is left of `data` when what was sent and comes back is taken away."""
        echo = self._reflection[: len(data)]
        if not data.startswith(bytes(echo)):
            echo.clear()
            self._reflection.clear()
        del self._reflection[: len(echo)]
        return data[len(echo) :]

    def _handle(self, item: Item, now: float) -> None:
        match item:
            case Packet():
                self._packet(item, now)
            case Signal.NAK:
                self._alone = False
                if self._on_the_way(now):
                    self._again()
            case Signal():
                self._acknowledged(item, now)
            case Damaged():
                self._alone = False

    def _packet(self, packet: Packet, now: float) -> None:
        if not self.idle and packet.encode() == self._current:
            self._reflects = True
            self._events.append(Reflected())
            return
        self._alone = False
        self.heard = now
        if self._repeated(packet) or not packet.data:
            self._out.append(Signal.ACK.value)
            return
        if not self.idle and not self._superseded():
            return
        self.packets_received += 1
        self._last = packet
        self._out.append(Signal.ACK.value)
        self._assemble(packet)

    def _repeated(self, packet: Packet) -> bool:
        """The packet before; a peer without ACKs gives the same answer to two requests as well."""
        answers = not self.idle and self._silent and self._armed
        return packet == self._last and not answers

    def _superseded(self) -> bool:
        """A message where ACK was due: may it stand for the ACK?"""
        if not self._packets and self._armed:
            self._implied += 1
            self._silent = not self._acks and self._implied >= SILENT_AFTER
            self._proceed()
            return True
        if self._yields:
            self._drop()
        return self._yields

    def _assemble(self, packet: Packet) -> None:
        try:
            message = self._assembler.add(packet)
        except RemoteProtocolError as error:
            self._events.append(Incomplete(str(error)))
            return
        if message is not None:
            self._events.append(Message(message))

    def _expire(self) -> None:
        """Silence in a packet, or after a damaged one."""
        self._parser.listen()
        self._expiry = None
        if self.idle:
            self._out.append(Signal.NAK.value)

    # --- sending

    def _on_the_way(self, now: float) -> bool:
        """The current packet has left, so a signal can be about it."""
        return not self.idle and self._armed and now >= self._earliest

    def _acknowledged(self, signal: Signal, now: float) -> None:
        if signal is Signal.ACK:
            self._acks, self._silent = True, False
        if self._on_the_way(now):
            self.heard = now
            self._proceed()

    def _proceed(self) -> None:
        """The current packet has arrived."""
        self._last = None
        if self._packets:
            self._machine.fire(Step.NEXT)
            self._transmit_next()
        else:
            self._end(Step.THROUGH)
            self._events.append(Through())

    def _again(self) -> None:
        if self._tries >= self.timing.retries:
            self._drop()
            return
        self._tries += 1
        self._machine.fire(Step.AGAIN)
        self._transmit()

    def _drop(self) -> None:
        self._end(Step.GIVE_UP)
        self._events.append(GivenUp(self._reflects and self._alone))

    def _end(self, step: Step) -> None:
        self._machine.fire(step)
        self._packets.clear()
        self._deadline = None

    def _transmit_next(self) -> None:
        self._toggle = not self._toggle
        packet = msgspec.structs.replace(self._packets.popleft(), toggle=self._toggle)
        self._current, self._tries = packet.encode(), 0
        self._transmit()

    def _transmit(self) -> None:
        self._armed, self._deadline = False, None
        self._out += self._current
