"""The packet layer alone: signals that come at the wrong moment."""

from __future__ import annotations

import pytest

from osgp.errors import LocalProtocolError
from osgp.ports.line import Line
from osgp.ports.optical.assembly import Size
from osgp.ports.optical.link import GivenUp, Link, Message, Switched, Through
from osgp.ports.optical.packet import Packet

ACK, NAK = b"\x06", b"\x15"


def sending(message: bytes, now: float = 10.0) -> Link:
    link = Link(Size(64, 8), Line(9600))
    link.size = Size(64, 8)
    link.send(message, now)
    return link


def test_a_doubled_ack_does_not_acknowledge_the_next_packet() -> None:
    link = sending(bytes(100))
    assert len(link.data_to_send(10.0)) == 64
    link.receive(ACK, 10.1)
    assert len(link.data_to_send(10.101)) == 52
    link.receive(ACK, 10.102)
    assert link.next_event() is None
    link.receive(ACK, 10.2)
    assert link.next_event() == Through()


def test_a_fast_peer_is_not_too_early() -> None:
    # A UART may be some percent faster than it says.
    link = sending(bytes(50))
    size = len(link.data_to_send(10.0))
    link.receive(ACK, 10.0 + 0.95 * size * 10 / 9600)
    assert link.next_event() == Through()


def test_nak_repeats_the_same_bytes_three_times() -> None:
    link = sending(b"abc")
    first = link.data_to_send(10.0)
    for attempt in range(1, 4):
        link.receive(NAK, 10.0 + attempt)
        assert link.data_to_send(10.01 + attempt) == first
    link.receive(NAK, 15.0)
    assert link.next_event() == GivenUp(echo=False)
    assert link.idle


def test_silence_repeats_the_packet() -> None:
    link = sending(b"abc")
    first = link.data_to_send(10.0)
    due = link.next_timer()
    assert due == pytest.approx(10.0 + len(first) * 10 / 9600 + 2.0)
    link.handle_timer(due or 0.0)
    assert link.data_to_send(due or 0.0) == first


def test_signals_to_nobody_are_ignored() -> None:
    link = Link(Size(), Line(9600))
    link.receive(ACK + NAK + b"\x00", 1.0)
    assert link.data_to_send(2.0) == b""
    assert link.next_event() is None


def test_toggle_bits_alternate() -> None:
    link = sending(bytes(150))
    toggles = []
    for step in range(3):
        toggles.append(link.data_to_send(10.0 + step)[2] & 0x20)
        link.receive(ACK, 10.9 + step)
    assert toggles == [0x20, 0, 0x20]


def test_a_repetition_is_acknowledged_and_not_delivered_again() -> None:
    link = Link(Size(), Line(9600))
    packet = Packet(b"abc", toggle=True).encode()
    for now in (1.0, 2.0):
        link.receive(packet, now)
        assert link.data_to_send(now + 0.1) == ACK
    assert link.next_event() == Message(b"abc")
    assert link.next_event() is None


def test_the_speed_changes_between_what_waits_and_what_follows() -> None:
    link = Link(Size(), Line(9600))
    link.receive(Packet(b"abc").encode(), 1.0)
    link.next_event()
    link.change_speed(57600)
    link.send(b"next", 1.0)
    assert link.data_to_send(1.1) == ACK
    assert link.next_event() == Switched(57600)
    assert link.data_to_send(1.1) == b""
    due = link.next_timer()
    assert due == pytest.approx(1.1 + 10 / 9600)
    assert link.data_to_send(due or 0.0).endswith(Packet(b"next", toggle=True).encode())


def test_messages_too_long() -> None:
    link = Link(Size(), Line(9600))
    with pytest.raises(LocalProtocolError, match="57 bytes"):
        link.send(bytes(57), 1.0)
