"""Properties of the local ports' framings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from osgp.ports.mep.frame import FrameParser, Mark, frame
from osgp.ports.optical.assembly import Assembler, Size, split
from osgp.ports.optical.checksum import ChecksumClient, ChecksumServer
from osgp.ports.optical.packet import Damaged, Packet, PacketParser
from osgp.security.suite import Outcome

packets = st.builds(
    Packet,
    data=st.binary(max_size=56),
    sequence=st.integers(0, 255),
    multiple=st.booleans(),
    first=st.booleans(),
    toggle=st.booleans(),
    identity=st.integers(0, 255),
)


@given(st.lists(packets, max_size=5), st.data())
def test_packets_survive_any_cutting(sent: list[Packet], data: st.DataObject) -> None:
    stream = b"".join(packet.encode() for packet in sent)
    parser, found, at = PacketParser(56), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, 40))
        found += parser.feed(stream[at : at + step])
        at += step
    assert found == sent


@given(packets, st.data())
def test_no_flipped_bit_goes_unnoticed(packet: Packet, data: st.DataObject) -> None:
    encoded = bytearray(packet.encode())
    bit = data.draw(st.integers(8, len(encoded) * 8 - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    assert not any(isinstance(item, Packet) for item in PacketParser(56).feed(bytes(encoded)))


@given(st.binary(max_size=400))
def test_a_parser_holds_no_more_than_one_packet(noise: bytes) -> None:
    parser = PacketParser(56)
    for item in parser.feed(noise):
        assert not isinstance(item, Damaged) or parser.deaf
    assert len(parser._buffer) <= 64


@given(st.binary(min_size=1, max_size=2000), st.integers(9, 200))
def test_messages_are_what_they_were(message: bytes, packet_size: int) -> None:
    size = Size(packet_size, 255)
    if len(message) > size.message:
        return
    assembler = Assembler(size)
    assert [assembler.add(p) for p in split(message, size)][-1] == message


@given(st.binary(max_size=200), st.integers(0, 0xFFFFFF))
def test_checksummed_writes_arrive_and_damaged_ones_do_not(data: bytes, offset: int) -> None:
    apdu = b"\x4f\0\7" + offset.to_bytes(3) + len(data).to_bytes(2) + data
    sealed = ChecksumClient().seal_request(apdu)
    opened = ChecksumServer("MK").open_request(sealed)
    assert (opened.outcome, opened.apdu, opened.key) == (Outcome.ACCEPTED, apdu, "MK")
    damaged = sealed[:-1] + bytes((sealed[-1] ^ 1,))
    assert ChecksumServer("MK").open_request(damaged).reply == b"\x01"


@given(st.binary(max_size=200))
def test_checksummed_reads_arrive(data: bytes) -> None:
    request = bytes.fromhex("300000")
    server = ChecksumServer("RK")
    body = b"\0" + len(data).to_bytes(2) + data
    sealed = server.seal_response(server.open_request(request), body)
    assert ChecksumClient().open_response(request, sealed) == body


@given(st.lists(st.binary(max_size=476), max_size=6), st.data())
def test_mep_messages_survive_any_cutting(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame(message) if message else b"\0\0" for message in sent)
    parser, found, at = FrameParser(), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, 200))
        found += parser.feed(stream[at : at + step])
        at += step
    assert found == [message or Mark.ALERT for message in sent]
    assert not parser.inside


@given(st.binary(max_size=1500))
def test_a_mep_parser_holds_no_more_than_one_message(noise: bytes) -> None:
    parser = FrameParser()
    parser.feed(noise)
    assert len(parser._buffer) < 478
