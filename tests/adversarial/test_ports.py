"""Hostile peers on the local ports: no hang, no growth, nothing delivered that was not checked."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from osgp.errors import OsgpError
from osgp.ports import Caller
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession, Size
from osgp.ports.optical.packet import Packet
from tests.unit.ports.cable import Cable, Shelf
from tests.unit.ports.test_optical import KEYS, RK, shelf


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
