"""What real meters and hobby readers do on the optical port, one fake for each behaviour."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
import pytest

from osgp.errors import (
    DataNotReady,
    DeviceBusy,
    OperationNotPossible,
    RenegotiateRequest,
    ServiceError,
    TransportError,
)
from osgp.ports import Echoed, Unsolicited
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession, Size
from osgp.ports.optical.assembly import split
from osgp.ports.optical.packet import Packet, PacketParser, Signal
from osgp.ports.tables import BUSY_ATTEMPTS, BUSY_PAUSE

from .cable import Cable, Shelf, calling
from .test_optical import BIG, IDENTIFY, KEYS, LOGON, RK, secure, shelf

Shape = tuple[str, ...]


class Around:
    """A machine around another one; subclasses spoil what passes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def receive(self, data: bytes, now: float) -> None:
        self.inner.receive(data, now)

    def data_to_send(self, now: float) -> bytes:
        return bytes(self.inner.data_to_send(now))

    def next_timer(self) -> float | None:
        timer: float | None = self.inner.next_timer()
        return timer

    def handle_timer(self, now: float) -> None:
        self.inner.handle_timer(now)

    def next_event(self) -> Any:
        return self.inner.next_event()


class FirstAnswer(Around):
    """Answers the first bytes after idle with `answer` instead of understanding them."""

    def __init__(self, inner: Any, answer: bytes) -> None:
        super().__init__(inner)
        self._answer: bytes | None = answer
        self._out = b""

    def receive(self, data: bytes, now: float) -> None:
        if self._answer is not None and 0x20 in data:
            self._out, self._answer = self._answer, None
        elif self._answer is None:
            self.inner.receive(data, now)

    def data_to_send(self, now: float) -> bytes:
        out, self._out = self._out, b""
        return out or self.inner.data_to_send(now)


@pytest.mark.parametrize(
    "answer",
    ["15", "ff8040", "00", "06", "ee0000", "ee00000000fe", "0015ff", "eeeeeeeeeeee", ""],
)
def test_garbage_or_nak_to_the_first_identification(answer: str) -> None:
    port = OpticalPort()
    meter = FirstAnswer(OpticalServer(shelf(), KEYS), bytes.fromhex(answer))
    cable = calling(port, meter)
    session = OpticalSession(port, RK)
    cable.call(session.open())
    assert cable.call(session.tables.read(0, 0, 3)) == b"\0\1\2"


def test_a_meter_that_sleeps_is_woken_up() -> None:
    class Sleeper(Around):
        awake = False

        def receive(self, data: bytes, now: float) -> None:
            if self.awake:
                super().receive(data, now)
            self.awake = self.awake or 0x55 in data

    port = OpticalPort()
    cable = calling(port, Sleeper(OpticalServer(shelf(), KEYS)))
    started = cable.now
    cable.call(OpticalSession(port, RK, wake=b"\x55" * 4).open())
    assert cable.now - started < 2.0


class ByHand:
    """A meter that answers reads of BT64 packet by packet, each as `shape` wants it.

    `acknowledge`: what it sends where ACK is due.
    """

    def __init__(self, shape: str, acknowledge: bytes = b"\x06", size: int = 64) -> None:
        self._parser = PacketParser(8000)
        self._shape, self._acknowledge, self._size = shape, acknowledge, size
        self._packets: deque[Packet] = deque()
        self._out = bytearray()

    def receive(self, data: bytes, now: float) -> None:
        for item in self._parser.feed(data):
            if isinstance(item, Packet):
                self._out += self._acknowledge
                self._packets = deque(self._cut(self._answer(item.data)))
                self._next()
            elif item is Signal.ACK:
                self._next()

    def data_to_send(self, now: float) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        raise AssertionError

    def next_event(self) -> None:
        return None

    def _answer(self, request: bytes) -> bytes:
        if request == IDENTIFY:
            return bytes.fromhex("0000010000")
        if request[0] == 0x3F:
            offset, count = int.from_bytes(request[3:6]), int.from_bytes(request[6:8])
            data = BIG[offset : offset + count]
            return b"\0" + count.to_bytes(2) + data + bytes((-sum(data) & 0xFF,))
        if request[0] & 0xF0 == 0x60:
            return b"\0" + self._size.to_bytes(2) + bytes((16, 6))
        return b"\0"

    def _cut(self, message: bytes) -> list[Packet]:
        packets = split(message, Size(self._size, 16))
        return [
            msgspec.structs.replace(packet, toggle=self._toggle(n), identity=n)
            for n, packet in enumerate(packets)
        ]

    def _toggle(self, n: int) -> bool:
        return {"alternating": n % 2 == 1, "stuck": False, "pairs": n // 2 % 2 == 1}[self._shape]

    def _next(self) -> None:
        if self._packets:
            self._out += self._packets.popleft().encode()


@pytest.mark.parametrize("shape", ["alternating", "stuck", "pairs"])
@pytest.mark.parametrize("acknowledge", [b"\x06", b"\x00", b""], ids=["06", "00", "nothing"])
def test_toggles_of_any_kind_and_any_acknowledgement(shape: str, acknowledge: bytes) -> None:
    port = OpticalPort()
    cable = calling(port, ByHand(shape, acknowledge))
    session = OpticalSession(port, RK)
    cable.call(session.open())
    assert cable.call(session.tables.read(64, 0, 700)) == BIG[:700]
    assert cable.call(session.tables.read(64, 9, 3)) == BIG[9:12]
    assert cable.call(session.tables.read(64, 9, 3)) == BIG[9:12]


def test_equal_packets_of_one_message_are_not_taken_for_repetitions() -> None:
    class Zeros(ByHand):
        def _answer(self, request: bytes) -> bytes:
            answer = super()._answer(request)
            return answer if request[0] != 0x3F else b"\0\x01\x00" + bytes(257)

    port = OpticalPort()
    cable = calling(port, Zeros("stuck"))
    session = OpticalSession(port, RK)
    cable.call(session.open())
    assert cable.call(session.tables.read(64, 0, 256)) == bytes(256)


@pytest.mark.parametrize("frame", [b"", b"\x00", b"\x70\x01"])
def test_short_frames_of_the_meter_every_few_minutes(frame: bytes) -> None:
    class Chatty(Around):
        next_frame = 1200.0

        def next_timer(self) -> float | None:
            return min(self.next_frame, super().next_timer() or self.next_frame)

        def handle_timer(self, now: float) -> None:
            if now >= self.next_frame:
                self.next_frame = now + 180.0
            super().handle_timer(now)

        def data_to_send(self, now: float) -> bytes:
            due = now < self.next_frame - 179.99 and self.next_frame > 1200.0
            extra = Packet(frame, toggle=True).encode() if due and not self.said else b""
            self.said = due
            return extra + super().data_to_send(now)

        said = False

    port = OpticalPort()
    cable = calling(port, Chatty(OpticalServer(shelf(), KEYS)))
    session = OpticalSession(port, RK)
    cable.call(session.open())
    for _ in range(20):
        cable.wait(50.3)
        assert cable.call(session.tables.read(0, 0, 3)) == b"\0\1\2"
    unsolicited = [e for e in cable.reported[0] if isinstance(e, Unsolicited)]
    assert bool(unsolicited) is bool(frame)


def test_a_refused_full_read_is_repeated_in_parts_and_remembered() -> None:
    tables = Shelf({23: BIG[:300]}, whole_refused=frozenset({23}))
    port = OpticalPort()
    cable = calling(port, OpticalServer(tables, KEYS))
    session = OpticalSession(port, RK)
    cable.call(session.open())
    with pytest.raises(OperationNotPossible):
        cable.call(session.tables.read_whole(23))
    assert cable.call(session.tables.whole(23, 300)) == BIG[:300]
    assert cable.call(session.tables.whole(23, 300)) == BIG[:300]
    assert [count for _, _, count, _ in tables.reads] == [None, None, 300, 300]


def test_a_table_given_as_a_whole_is_read_as_a_whole() -> None:
    tables = shelf()
    port = OpticalPort()
    cable = calling(port, OpticalServer(tables, KEYS))
    session = OpticalSession(port, RK)
    cable.call(session.open())
    assert cable.call(session.tables.whole(0, 19)) == bytes(range(19))
    assert tables.reads == [(0, 0, None, "RK")]


class NeverAcknowledges:
    """A hobby reader: sends requests, collects packets, never sends ACK."""

    def __init__(self, *requests: bytes) -> None:
        self._requests = deque(requests)
        self._parser = PacketParser(8000)
        self._toggle = False
        self.answers: list[bytes] = []
        self._parts: list[bytes] = []
        self._out = b""
        self._ask()

    def _ask(self) -> None:
        if self._requests:
            self._toggle = not self._toggle
            self._out = Packet(self._requests.popleft(), toggle=self._toggle).encode()

    def receive(self, data: bytes, now: float) -> None:
        for item in self._parser.feed(data):
            if isinstance(item, Packet):
                self._parts.append(item.data)
                if item.sequence == 0:
                    self.answers.append(b"".join(self._parts))
                    self._parts = []
                    self._ask()

    def data_to_send(self, now: float) -> bytes:
        out, self._out = self._out, b""
        return out

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        raise AssertionError

    def next_event(self) -> None:
        return None


def test_a_reader_that_never_acknowledges_is_served() -> None:
    long_read = bytes.fromhex("3f0040000000 0200")
    reader = NeverAcknowledges(
        IDENTIFY, bytes.fromhex("60004010"), LOGON, secure(RK), long_read, long_read
    )
    cable = Cable(reader, OpticalServer(shelf(), KEYS))
    cable.run(1060.0, lambda: len(reader.answers) == 6)
    expected = b"\0\x02\x00" + BIG[:512] + bytes((-sum(BIG[:512]) & 0xFF,))
    assert reader.answers[-2:] == [expected, expected]


def test_a_head_that_reflects_what_is_sent() -> None:
    class Reflecting(Around):
        def receive(self, data: bytes, now: float) -> None:
            self.echo += data
            super().receive(data, now)

        def data_to_send(self, now: float) -> bytes:
            echo, self.echo = self.echo, b""
            return echo + super().data_to_send(now)

        echo = b""

    port = OpticalPort()
    cable = calling(port, Reflecting(OpticalServer(shelf(), KEYS)))
    session = OpticalSession(port, RK)
    cable.call(session.open())
    assert cable.call(session.tables.read(64, 0, 700)) == BIG[:700]
    assert Echoed() in cable.reported[0]


def test_a_looped_line_is_recognised() -> None:
    class Loop(Around):
        def receive(self, data: bytes, now: float) -> None:
            self.echo += data

        def data_to_send(self, now: float) -> bytes:
            echo, self.echo = self.echo, b""
            return echo

        def next_timer(self) -> float | None:
            return None

        echo = b""

    port = OpticalPort()
    cable = calling(port, Loop(None))
    cable.ends = (cable.ends[0], _Mute(cable.ends[1]))
    session, began = OpticalSession(port, RK), cable.now
    with pytest.raises(TransportError, match="echo") as caught:
        cable.call(session.during(lambda: session.tables.read(0, 0, 1)))
    assert "looped" in caught.value.hint
    cable.call(session.close())
    assert cable.now - began < 9, "four identifications, and nobody to say goodbye to"


def test_a_reflecting_head_on_a_meter_that_is_not_ready_is_no_loop() -> None:
    """Nine packets are answered with NAK before the meter listens: more than one attempt's."""

    class Sleepy(Around):
        def __init__(self, inner: Any) -> None:
            super().__init__(inner)
            self.echo, self.refused = b"", 0

        def receive(self, data: bytes, now: float) -> None:
            self.echo += data
            if data.startswith(b"\xee") and self.refused < 9:
                self.refused += 1
                self.echo += b"\x15"
            else:
                super().receive(data, now)

        def data_to_send(self, now: float) -> bytes:
            echo, self.echo = self.echo, b""
            return echo + super().data_to_send(now)

    port = OpticalPort()
    cable = calling(port, Sleepy(OpticalServer(shelf(), KEYS)))
    cable.call(OpticalSession(port, RK).open())
    assert Echoed() in cable.reported[0]


class _Mute(Around):
    def next_event(self) -> None:
        return None

    def handle_timer(self, now: float) -> None:
        return None


class Busy(Shelf):
    """Says `refusal` to so many requests before it serves one."""

    def __init__(self, refusal: type[ServiceError], times: int) -> None:
        super().__init__({23: BIG, 7: bytes(4)})
        self._refusal, self._times = refusal, times

    def _refuse(self) -> None:
        self._times -= 1
        if self._times >= 0:
            raise self._refusal

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        self._refuse()
        return super().read(table, offset, count, key, now)

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        self._refuse()
        super().write(table, offset, data, key, now)


@pytest.mark.parametrize("refusal", [DeviceBusy, DataNotReady])
def test_a_busy_meter_is_asked_again(refusal: type[ServiceError]) -> None:
    tables = Busy(refusal, 3)
    port = OpticalPort()
    session = OpticalSession(port, KEYS["MK"])
    cable = calling(port, OpticalServer(tables, KEYS))
    cable.call(session.open())
    begun = cable.now
    cable.call(session.tables.write(7, b"\1"))
    assert cable.now - begun > 3 * BUSY_PAUSE
    assert len(tables.writes) == 1


def test_a_meter_that_stays_busy_says_so() -> None:
    tables = Busy(DeviceBusy, 1000)
    port = OpticalPort()
    session = OpticalSession(port, RK)
    cable = calling(port, OpticalServer(tables, KEYS))
    cable.call(session.open())
    with pytest.raises(DeviceBusy):
        cable.call(session.tables.read(23, 0, 4))
    assert tables._times == 1000 - BUSY_ATTEMPTS


def test_a_meter_that_wants_to_renegotiate_gets_a_new_session() -> None:
    port = OpticalPort()
    session = OpticalSession(port, RK)
    cable = calling(port, OpticalServer(Busy(RenegotiateRequest, 1), KEYS))
    read = session.during(lambda: session.tables.read(23, 0, 4))
    assert cable.call(read) == BIG[:4]
    assert b"".join(cable.sent[0]).count(RK) == 2
