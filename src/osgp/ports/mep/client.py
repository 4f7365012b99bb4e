"""The asking side of the MEP port: one framed request, one framed response.

IDLE --ask--> AWAITING --answered--> IDLE, or --silence--> IDLE. After silence whoever asks sends
the same bytes again; the meter then repeats its response, and of two equal responses one is
dropped. Source: MEP guide v1.1, 'MEP Protocol Timing'.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from osgp.errors import TransportError
from osgp.ports.events import Alert, Answered, Broken, Failed, PortEvent, SpeedChanged, Unsolicited
from osgp.ports.line import NORMAL, Line
from osgp.security.machine import Machine, Transitions

from .frame import LENGTH, MAX_MESSAGE, STANDARD, FrameParser, Item, Mark, MepTiming, frame

ADVICE: Final = (
    "no answer: check wiring and supply of the MEP port, its speed (ET13), the path, and before "
    "firmware 4.0 that nobody uses the optical port"
)


class Asking(Enum):
    IDLE = "idle"
    AWAITING = "awaiting the response"


class Step(Enum):
    ASK = "ask"
    ANSWERED = "answered"
    SILENCE = "silence"


ASKING: Final[Transitions[Asking, Step]] = {
    (Asking.IDLE, Step.ASK): Asking.AWAITING,
    (Asking.AWAITING, Step.ANSWERED): Asking.IDLE,
    (Asking.AWAITING, Step.SILENCE): Asking.IDLE,
}


class MepPort:
    """A client's MEP port: carries messages, knows nothing of their security."""

    def __init__(self, line: Line = NORMAL, timing: MepTiming = STANDARD) -> None:
        self.line, self.timing = line, timing
        self._parser = FrameParser()
        self._machine = Machine(ASKING, Asking.IDLE)
        self._events: deque[PortEvent] = deque()
        self._out = b""
        self._gate = 0.0
        self._deadline: float | None = None
        self._limit = float("inf")
        self._asked: bytes | None = None
        self._answered = b""
        self._unanswered: bytes | None = None
        self._surplus = 0

    @property
    def idle(self) -> bool:
        return self._machine.state is Asking.IDLE

    def request(self, message: bytes, now: float) -> None:
        """Sends a message of at most 476 bytes; ends with Answered or Failed.

        LocalProtocolError while another is under way, or if it is too long.
        """
        framed = frame(message)
        self._machine.fire(Step.ASK)
        self._surplus += message == self._unanswered
        self._asked, self._unanswered, self._out = message, None, framed
        if not self._parser.deaf:
            self._parser.listen()

    def change_speed(self, speed: int) -> None:
        """ET13 was written and answered: the line goes on at `speed` bits a second."""
        self.line = self.line.at(speed)
        self._events.append(SpeedChanged(speed))

    def receive(self, data: bytes, now: float) -> None:
        for item in self._parser.feed(data):
            self._item(item, now)
        if self._parser.begun or self._parser.deaf:
            self._deadline = min(now + self.timing.gap, self._limit)

    def data_to_send(self, now: float) -> bytes:
        if not self._out or now < self._gate:
            return b""
        out, self._out = self._out, b""
        left = now + self.line.airtime(len(out))
        self._gate = now + self.timing.spacing
        self._deadline = left + self.timing.response
        airtime = self.line.airtime(LENGTH + MAX_MESSAGE)
        self._limit = self._deadline + airtime + self.timing.longest
        return out

    def next_timer(self) -> float | None:
        gate = self._gate if self._out else None
        return min((t for t in (gate, self._deadline) if t is not None), default=None)

    def handle_timer(self, now: float) -> None:
        if self._deadline is None or now < self._deadline:
            return
        self._deadline, self._limit = None, float("inf")
        self._parser.listen()
        if not self.idle:
            self._machine.fire(Step.SILENCE)
            self._unanswered = self._asked
            error = TransportError("no answer from the MEP port")
            error.hint = ADVICE
            self._events.append(Failed(error))

    def next_event(self) -> PortEvent | None:
        return self._events.popleft() if self._events else None

    def _item(self, item: Item, now: float) -> None:
        if item is Mark.ALERT:
            self._events.append(Alert())
        elif isinstance(item, Mark):
            self._events.append(Broken(item.value))
        elif self._surplus and item == self._answered:
            self._surplus -= 1
        elif self.idle or self._out:
            self._events.append(Unsolicited(item))
        else:
            self._machine.fire(Step.ANSWERED)
            self._answered, self._deadline = item, None
            self._events.append(Answered(item))
