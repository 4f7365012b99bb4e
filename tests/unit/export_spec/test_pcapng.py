"""Captures: written for Wireshark, read from anywhere."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError
from osgp.export.cnip import CNIP_HEADER, addresses, unwrap, wrap
from osgp.export.pcapng import Captured, Frame, Writer, capture, read
from tests.support.tshark import check_with_tshark, needs_tshark

VECTORS = Path(__file__).parents[2] / "vectors" / "en14908.json"
LPDUS = [
    bytes.fromhex(one["lpdu"]) for one in json.loads(VECTORS.read_text(encoding="utf-8"))["lpdu"]
]
SHORT = bytes.fromhex("0119018101820a024d010103252c24010405aabb7565")


def frames() -> list[Frame]:
    return [Frame(1.7e9 + place / 8, lpdu, f"#{place}") for place, lpdu in enumerate(LPDUS)]


def test_what_is_written_is_read() -> None:
    found = list(read(capture(frames())))
    assert [one.lpdu for one in found] == LPDUS
    assert [one.time for one in found] == [frame.time for frame in frames()]
    assert [one.number for one in found][:3] == [1, 2, 3]
    assert found[2].comment == "#2"


def test_a_capture_grows_frame_by_frame() -> None:
    writer = Writer()
    pieces = [writer.header(), *(writer.frame(frame) for frame in frames()[:3])]
    assert b"".join(pieces) == capture(frames()[:3])
    assert len(list(read(b"".join(pieces[:2])))) == 1


def test_the_packet_byte_for_byte() -> None:
    packet = wrap(SHORT, 7, 1000)
    assert packet[:2] == b"\x45\x00"
    assert struct.unpack(">H", packet[2:4])[0] == len(packet) == 20 + 8 + 20 + len(SHORT)
    words = struct.unpack(">10H", packet[:20])
    total = sum(words)
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
    header = CNIP_HEADER.unpack_from(packet, 28)
    assert header == (20 + len(SHORT), 1, 1, 0, 0, 0, 0, 7, 1000)
    assert packet[48:] == SHORT
    assert addresses(SHORT) == (bytes((192, 168, 1, 1)), bytes((192, 168, 1, 2)))


def test_priority_uses_the_urgent_port() -> None:
    datagram = unwrap(wrap(b"\x80" + SHORT[1:], 0, 0))
    assert datagram is not None
    assert datagram.port == 1629


def pcap(link: int, packet: bytes, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    header = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return header + struct.pack(f"{order}IIII", 5, 250_000, len(packet), len(packet)) + packet


IP = wrap(SHORT, 0, 0)


@pytest.mark.parametrize(
    ("link", "front"),
    [
        (101, b""),
        (228, b""),
        (1, bytes(12) + b"\x08\x00"),
        (1, bytes(12) + b"\x81\x00\x00\x05\x08\x00"),
        (113, bytes(14) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_captures_of_other_programs(link: int, front: bytes, order: str) -> None:
    (found,) = read(pcap(link, front + IP, order))
    assert (found.lpdu, found.time) == (SHORT, 5.25)


def test_nanoseconds_and_big_endian_pcapng() -> None:
    (fine,) = read(pcap(228, IP, magic=0xA1B23C4D))
    assert fine.time == 5 + 250_000 / 1e9
    body = struct.pack(">HHI", 228, 0, 0) + struct.pack(">HHB3xHH", 9, 1, 3, 0, 0)
    parts = [
        (0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1)),
        (1, body),
        (5, bytes(8)),
        (6, struct.pack(">IIIII", 0, 0, 2500, len(IP), len(IP)) + IP + bytes(-len(IP) % 4)),
        (3, struct.pack(">I", len(IP)) + IP + bytes(-len(IP) % 4)),
    ]
    data = b"".join(
        struct.pack(">II", kind, 12 + len(part)) + part + struct.pack(">I", 12 + len(part))
        for kind, part in parts
    )
    assert [(one.lpdu, one.time) for one in read(data)] == [(SHORT, 2.5), (SHORT, 0.0)]


def test_lon_ip_is_handed_on() -> None:
    payload = bytes.fromhex("00110105a1b2")
    udp = struct.pack(">HHHH", 40000, 2541, 8 + len(payload), 0) + payload
    packet = IP[:2] + struct.pack(">H", 20 + len(udp)) + IP[4:20] + udp
    (found,) = read(pcap(228, packet))
    assert found.lpdu is None
    assert (found.datagram.port, found.datagram.payload) == (2541, payload)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        IP[:19],
        b"\x60" + IP[1:],
        IP[:9] + b"\x06" + IP[10:],
        IP[:6] + b"\x20\x00" + IP[8:],
        IP[:22] + b"\x00\x35" + IP[24:],
        IP[:31] + b"\x03" + IP[32:],
        IP[:33] + b"\x01" + IP[34:],
    ],
)
def test_other_packets_are_passed_over(packet: bytes) -> None:
    broken = packet[:20] + b"\x00\x35" + packet[22:] if packet[22:24] == b"\x00\x35" else packet
    assert list(read(pcap(228, broken))) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing of the kind",
        capture(frames()[:1])[:-5],
        b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00" + bytes(20),
        pcap(228, IP)[:20],
        pcap(228, IP)[:-1],
        pcap(228, IP) + b"\x00",
    ],
)
def test_damaged_files_are_refused(data: bytes) -> None:
    if not data:
        assert list(read(data)) == []
        return
    with pytest.raises(DecodeError):
        list(read(data))


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_no_file_breaks_the_reader(noise: bytes, place: int, classic: bool) -> None:
    whole = pcap(228, IP) if classic else capture(frames()[:2])
    data = whole[:place] + noise + whole[place + len(noise) :]
    try:
        found = list(read(data))
    except DecodeError:
        return
    assert all(isinstance(one, Captured) for one in found)


@needs_tshark
def test_wireshark_reads_the_same_fields(tmp_path: Path) -> None:
    """Whole runs over repeaters, so that every frame is sound down to its APDU."""
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    sent = [
        bytes.fromhex(step["lpdu"])
        for kind in ("proxy_runs", "auth_runs")
        for run in vectors[kind]["runs"].values()
        for step in run
    ]
    path = tmp_path / "runs.pcapng"
    path.write_bytes(capture(Frame(1.7e9 + n, lpdu) for n, lpdu in enumerate(sent)))
    assert len(sent) > 20
    check_with_tshark(path, sent)
