"""Hostile peers on the local ports: no hang, no growth, nothing delivered that was not checked."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from osgp.errors import OsgpError
from osgp.ports import Caller
from osgp.ports.mep import MepPort, MepServer, TlsPort, oma_tables, tls_tables
from osgp.ports.mep.frame import frame
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession, Size
from osgp.ports.optical.packet import Packet
from tests.unit.ports.cable import Cable, Shelf
from tests.unit.ports.test_mep import KEYS as MEP_KEYS
from tests.unit.ports.test_mep import MAK
from tests.unit.ports.test_optical import KEYS, RK, shelf
from tests.unit.ports.tls_psk import PskClient, PskServer


class Flood:
    """Sends `make()` whenever it is asked, `every` seconds, for as long as the test runs."""

    def __init__(self, make: Any, every: float = 0.05, start: float = 1000.0) -> None:
        self._make, self._every, self._due = make, every, start

    def receive(self, data: bytes, now: float) -> None:
        pass

    def data_to_send(self, now: float) -> bytes:
        if now < self._due:
            return b""
        self._due = now + self._every
        return bytes(self._make())

    def next_timer(self) -> float | None:
        return self._due

    def handle_timer(self, now: float) -> None:
        pass

    def next_event(self) -> None:
        return None


def endless(sequence: int) -> Any:
    toggles = iter(range(1 << 30))

    def make() -> bytes:
        toggle = next(toggles) % 2 == 1
        packet = Packet(bytes(56), sequence, multiple=True, first=True, toggle=toggle)
        return b"\x06" + packet.encode()

    return make


PEERS = {
    "noise": lambda: random.Random(7).randbytes(64),
    "packets that begin a message for ever": endless(5),
    "packets of a message too long": endless(200),
    "absurd length": lambda: b"\x06\xee\x00\x00\x00\xff\xff" + bytes(50),
    "half a packet": lambda: b"\x06\xee\x00\x00\x00\x00\x38" + bytes(3),
    "wrong CRC": lambda: b"\x06" + Packet(b"\0\1\2").encode()[:-1] + b"!",
    "acknowledgements only": lambda: b"\x06",
    "refusals only": lambda: b"\x15",
    "empty packets": lambda: Packet(b"").encode(),
    "the same packet": lambda: b"\x06" + Packet(b"\x00").encode(),
    "unknown codes": lambda: b"\x06" + Packet(b"\xc7").encode(),
}


@pytest.mark.parametrize("name", PEERS)
def test_an_optical_client_gives_up_on_any_peer(name: str) -> None:
    port = OpticalPort()
    session = OpticalSession(port, RK)
    cable = Cable(Caller(port), Flood(PEERS[name]), speed=None)

    def reading() -> Any:
        yield from session.open()
        return (yield from session.tables.read(0, 0, 300))

    with pytest.raises(OsgpError):
        cable.call(reading(), within=900.0)


@pytest.mark.parametrize("name", PEERS)
def test_an_optical_server_is_not_held_by_any_peer(name: str) -> None:
    tables = shelf()
    server = OpticalServer(tables, KEYS)
    cable = Cable(Flood(PEERS[name], every=0.2), server, speed=None)
    cable.run(1030.0)
    assert not tables.writes
    port = OpticalPort()
    fresh = Cable(Caller(port), server, speed=None, start=cable.now + 10)
    session = OpticalSession(port, RK)
    fresh.call(session.open())
    assert fresh.call(session.tables.read(0, 0, 2)) == b"\0\1"


MEP_PEERS = {
    "noise": lambda: random.Random(7).randbytes(64),
    "alerts without end": lambda: bytes(200),
    "absurd length": lambda: b"\xff\xff" + bytes(300),
    "half a message": lambda: b"\x01\xdc" + bytes(5),
    "wrong digests": lambda: frame(bytes.fromhex("0000020102") + bytes(8)),
    "refused digests": lambda: frame(b"\x0b"),
    "other sequence numbers": lambda: frame(bytes.fromhex("0c00000001") + bytes(8)),
    "success without anything": lambda: frame(b"\x00"),
    "longest messages": lambda: frame(bytes(476)),
    "byte by byte": lambda: b"\x01",
}


@pytest.mark.parametrize("name", MEP_PEERS)
@pytest.mark.parametrize("tls", [False, True], ids=["digest", "tls"])
def test_a_mep_client_gives_up_on_any_peer(name: str, tls: bool) -> None:
    if tls:
        key = PskClient(b"k" * 16, b"\0\0\0", bytes(32))
        port: Any = TlsPort(MepPort(), lambda: key)
    else:
        port = MepPort()
    tables = tls_tables() if tls else oma_tables(b"k" * 16)
    cable = Cable(Caller(port), Flood(MEP_PEERS[name]), speed=None)
    with pytest.raises(OsgpError):
        cable.call(tables.read(0, 0, 300), within=300.0)
    assert len(cable.sent[0]) <= 12


@pytest.mark.parametrize("name", MEP_PEERS)
def test_a_mep_server_is_not_held_by_any_peer(name: str) -> None:
    tables = shelf()
    server = MepServer(tables, MEP_KEYS, engine=lambda: PskServer(nobody, bytes(32), b""))
    cable = Cable(Flood(MEP_PEERS[name], every=0.2), server, speed=None)
    cable.run(1010.0)
    assert not tables.writes
    assert not tables.reads
    fresh = Cable(Caller(MepPort()), server, speed=None, start=cable.now + 1)
    assert fresh.call(oma_tables(MAK).read(0, 0, 2)) == b"\0\1"


def nobody(identity: bytes) -> None:
    """No identity has a key."""


def test_memory_stays_bounded() -> None:
    server = OpticalServer(Shelf({}), KEYS, largest=Size(8191, 255))
    tracemalloc.start()
    try:
        packet = Packet(bytes(8183), 250, multiple=True, first=True)
        for turn in range(60):
            server.receive(b"\xee\x00\x00\x00\x1f\xf0" + bytes(8000), float(turn))
            server.handle_timer(turn + 0.6)
            server.receive(packet.encode(), turn + 0.7)
            server.data_to_send(turn + 0.8)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_two_requests_at_once_are_no_way_to_upset_a_server() -> None:
    server = OpticalServer(shelf(), KEYS)
    burst = b"".join(Packet(b"\x20", toggle=n % 2 == 1).encode() for n in range(20))
    server.receive(burst, 1.0)
    assert server.data_to_send(2.0).count(b"\xee") == 1
