"""The end of a connection: nothing that was written is lost, and nothing goes on running."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from osgp.errors import TransportError
from osgp.ports import Caller, Line, SpeedChanged
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession
from osgp.transport import CallingDriver, Driver, connect_memory, connect_tcp, serve_pty, serve_tcp
from tests.unit.ports.test_optical import KEYS, RK, shelf

from .test_transport import optical_client, optical_server, running

ACK = b"\x06"
LONG = bytes(range(256)) * 8


class Talker:
    """Sends what it is given and hears everything."""

    def __init__(self, *says: bytes) -> None:
        self.says, self.heard = list(says), b""
        self.events: list[Any] = []

    def receive(self, data: bytes, now: float) -> None:
        self.heard += data

    def data_to_send(self, now: float) -> bytes:
        return self.says.pop(0) if self.says else b""

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        raise AssertionError("it has no timer")

    def next_event(self) -> Any:
        return self.events.pop(0) if self.events else None


@running
async def test_without_a_connection() -> None:
    await Driver(Talker()).aclose()


@running
async def test_memory_carries_what_was_written_before_the_end() -> None:
    speaker, hearer = Driver(Talker(LONG)), Driver(Talker())
    connect_memory(speaker, hearer)
    await speaker.aclose()
    await hearer.wait_closed()
    assert hearer.machine.heard == LONG  # type: ignore[attr-defined]  # the test's machine


@running
async def test_a_pseudo_terminal_waits_for_its_reader() -> None:
    driver = Driver(Talker(LONG))
    pty = serve_pty(driver)
    reader = os.open(pty.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    closing = asyncio.ensure_future(driver.aclose())
    heard = b""
    while len(heard) < len(LONG):
        await asyncio.sleep(0.01)
        heard += os.read(reader, 500)
    assert not closing.done()
    await closing
    os.close(reader)
    assert heard == LONG
    assert not driver.connected


@running
async def test_a_pseudo_terminal_waits_no_longer_than_it_is_told() -> None:
    driver = Driver(Talker(LONG))
    serve_pty(driver)
    await driver.aclose(within=0.05)
    assert not driver.connected


@running
async def test_a_peer_that_reads_nothing_is_left_behind() -> None:
    deaf = socket.create_server(("127.0.0.1", 0))
    driver = Driver(Talker(*[LONG * 512] * 16))
    await connect_tcp(driver, "127.0.0.1", deaf.getsockname()[1])
    await driver.aclose(within=0.05)
    assert not driver.connected
    deaf.close()


@running
async def test_the_last_acknowledgement_leaves() -> None:
    line = Line(9600)
    meter = OpticalServer(shelf(), KEYS, line=line)
    heard: list[bytes] = []
    server = Driver(meter, tap=lambda way, data, now: heard.append(data) if way == "in" else None)
    port = OpticalPort(line)
    driver, session = CallingDriver(Caller(port)), OpticalSession(port, RK)
    connect_memory(driver, server)
    await driver.call(session.open())
    await driver.call(session.close())
    await driver.aclose()
    await server.wait_closed()
    assert heard[-1] == ACK
    assert not meter.active


@running
async def test_a_speed_that_is_never_set_does_not_outlive_the_connection() -> None:
    async def never(speed: int) -> None:
        await asyncio.Event().wait()

    machine = Talker()
    machine.events.append(SpeedChanged(300))
    driver, peer = Driver(machine), Driver(Talker())
    driver.set_speed = never
    before = asyncio.all_tasks()
    connect_memory(driver, peer)
    assert asyncio.all_tasks() != before
    await driver.aclose(within=0.05)
    assert asyncio.all_tasks() == before
    assert not driver.connected


@running
async def test_a_conversation_under_way_ends_with_the_connection() -> None:
    server, (driver, session) = Driver(optical_server()), optical_client()
    connect_memory(driver, server)
    call = asyncio.ensure_future(driver.call(forever(session)))
    await asyncio.sleep(0.01)
    await driver.aclose()
    with pytest.raises(TransportError, match="closed"):
        await call


def forever(session: OpticalSession) -> Any:
    while True:
        yield from session.during(lambda: session.tables.read(0, 0, 1))


@running
async def test_a_tcp_server_that_closes_has_said_everything() -> None:
    driver, client = Driver(Talker(LONG)), Driver(Talker())
    server = await serve_tcp(driver)
    await connect_tcp(client, "127.0.0.1", server.port)
    for _ in range(100):
        if not driver.connected:
            await asyncio.sleep(0.01)
    await server.close()
    await client.wait_closed()
    assert client.machine.heard == LONG  # type: ignore[attr-defined]  # the test's machine
