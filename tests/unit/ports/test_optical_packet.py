"""Packets, the stream parser and message assembly of the optical port."""

from __future__ import annotations

import pytest

from osgp.errors import RemoteProtocolError
from osgp.ports.optical.assembly import Assembler, Size, split
from osgp.ports.optical.packet import Damaged, Packet, PacketParser, Signal, crc16

# The identification request as every description of C12.18 shows it.
IDENTIFY = bytes.fromhex("ee000000000120 1310")


def test_crc_check_value() -> None:
    # CRC catalogue: CRC-16/X-25 (also IBM-SDLC, HDLC), check value of "123456789".
    assert crc16(b"123456789") == 0x906E


def test_the_identification_request() -> None:
    assert Packet(b"\x20").encode() == IDENTIFY
    assert PacketParser(56).feed(IDENTIFY) == [Packet(b"\x20")]


def test_control_bits_and_order_of_bytes() -> None:
    packet = Packet(b"ab", sequence=3, multiple=True, first=True, toggle=True)
    encoded = packet.encode()
    assert encoded[:8].hex() == "ee00e00300026162"
    assert int.from_bytes(encoded[8:], "little") == crc16(encoded[:8])
    assert PacketParser(56).feed(encoded) == [packet]


def test_bytes_come_in_any_pieces() -> None:
    stream = b"\x06" + IDENTIFY + b"\x15\x00"
    parser = PacketParser(56)
    items = [item for at in range(len(stream)) for item in parser.feed(stream[at : at + 1])]
    assert items == [Signal.ACK, Packet(b"\x20"), Signal.NAK, Signal.ZERO]


def test_noise_between_packets_is_dropped() -> None:
    assert PacketParser(56).feed(b"\x55\xaa\xff" + IDENTIFY) == [Packet(b"\x20")]


def test_a_damaged_packet_makes_deaf_until_the_line_was_quiet() -> None:
    parser = PacketParser(56)
    damaged = IDENTIFY[:-1] + b"\xff"
    assert parser.feed(damaged + IDENTIFY) == [Damaged("a wrong CRC")]
    assert parser.feed(IDENTIFY) == []
    parser.listen()
    assert parser.feed(IDENTIFY) == [Packet(b"\x20")]


@pytest.mark.parametrize("length", ["ffff", "0039"])
def test_a_length_beyond_what_can_be_held(length: str) -> None:
    parser = PacketParser(56)
    items = parser.feed(bytes.fromhex(f"ee000000{length}") + bytes(1000))
    assert [type(item) for item in items] == [Damaged]
    assert not parser.inside


def test_messages_are_cut_and_put_together() -> None:
    message = bytes(range(250))
    packets = split(message, Size(64, 10))
    assert [p.sequence for p in packets] == [4, 3, 2, 1, 0]
    assert [p.first for p in packets] == [True, False, False, False, False]
    assert all(p.multiple for p in packets)
    assembler = Assembler(Size(64, 10))
    assert [assembler.add(p) for p in packets] == [None] * 4 + [message]


def test_a_short_message_is_one_plain_packet() -> None:
    assert split(b"x" * 56, Size()) == [Packet(b"x" * 56)]


def test_a_countdown_without_control_bits_is_understood() -> None:
    assembler = Assembler(Size(64, 10))
    plain = [Packet(p.data, sequence=p.sequence) for p in split(bytes(120), Size(64, 10))]
    assert [assembler.add(p) for p in plain] == [None, None, bytes(120)]


def test_a_new_message_ends_an_unfinished_one() -> None:
    assembler = Assembler(Size(64, 10))
    assembler.add(split(bytes(200), Size(64, 10))[0])
    assert assembler.add(Packet(b"new")) == b"new"


@pytest.mark.parametrize("wrong", [1, 3, 9])
def test_a_gap_in_the_countdown(wrong: int) -> None:
    assembler = Assembler(Size(64, 10))
    assembler.add(Packet(b"a", sequence=3, multiple=True, first=True))
    with pytest.raises(RemoteProtocolError, match="was due"):
        assembler.add(Packet(b"b", sequence=wrong, multiple=True))
    with pytest.raises(RemoteProtocolError, match="without beginning"):
        assembler.add(Packet(b"c", sequence=0, multiple=True))


def test_more_packets_than_can_be_held() -> None:
    with pytest.raises(RemoteProtocolError, match="11 packets"):
        Assembler(Size(64, 10)).add(Packet(b"a", sequence=10, multiple=True, first=True))
