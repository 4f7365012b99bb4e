"""Drivers over memory, pseudo-terminals, TCP, RFC 2217 and UDP: loopback only."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from osgp.errors import LocalProtocolError, TransportError
from osgp.ports import Caller, SpeedChanged
from osgp.ports.line import UNLIMITED, Line
from osgp.ports.mep import UNHURRIED, MepPort, MepServer, oma_tables
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession, Timing
from osgp.session import Exchange, Send, Wait
from osgp.transport import (
    CallingDriver,
    Driver,
    FrameDriver,
    connect_memory,
    connect_serial,
    connect_tcp,
    open_udp,
    serve_pty,
    serve_tcp,
)
from tests.unit.ports.test_mep import KEYS as MEP_KEYS
from tests.unit.ports.test_mep import MAK
from tests.unit.ports.test_optical import BIG, KEYS, RK, shelf

from .telnet import TelnetCable

QUICK = Timing(turn_around=0.0)
needs_serialx = pytest.mark.skipif(
    importlib.util.find_spec("serialx") is None, reason="needs the extra osgp[serial]"
)


def running(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """An asynchronous test that may hang for ten seconds and no longer."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 10.0))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def optical_server(**kwargs: Any) -> OpticalServer:
    return OpticalServer(shelf(), KEYS, line=UNLIMITED, timing=QUICK, **kwargs)


def optical_client() -> tuple[CallingDriver, OpticalSession]:
    port = OpticalPort(UNLIMITED, QUICK)
    return CallingDriver(Caller(port)), OpticalSession(port, RK)


async def read_some(driver: CallingDriver, session: OpticalSession) -> None:
    await driver.call(session.open())
    assert await driver.call(session.tables.read(23, 0, 2000)) == BIG[:2000]
    await driver.call(session.close())


@running
async def test_memory() -> None:
    server, (driver, session) = Driver(optical_server()), optical_client()
    connect_memory(driver, server)
    await read_some(driver, session)
    driver.close()
    await driver.wait_closed()
    await server.wait_closed()
    assert not driver.connected
    assert not server.connected


@needs_serialx
@running
async def test_a_pty_and_a_serial_port() -> None:
    server = Driver(optical_server())
    pty = serve_pty(server)
    for _ in range(2):
        driver, session = optical_client()
        await connect_serial(driver, pty.path)
        await read_some(driver, session)
        driver.close()
        await driver.wait_closed()
    pty.close()
    await server.wait_closed()


@running
async def test_tcp_one_client_after_another() -> None:
    meter = Driver(optical_server())
    server = await serve_tcp(meter)
    for _ in range(2):
        driver, session = optical_client()
        await connect_tcp(driver, "127.0.0.1", server.port)
        await read_some(driver, session)
        driver.close()
        await meter.wait_closed()
    await server.close()


@running
async def test_tcp_a_second_client_is_turned_away() -> None:
    meter = MepServer(shelf(), MEP_KEYS, line=UNLIMITED, timing=UNHURRIED)
    server = await serve_tcp(Driver(meter))
    first, second = (CallingDriver(Caller(MepPort(UNLIMITED, UNHURRIED))) for _ in range(2))
    tables = oma_tables(MAK)
    await connect_tcp(first, "127.0.0.1", server.port)
    assert await first.call(tables.read(0, 0, 2)) == b"\0\1"
    await connect_tcp(second, "127.0.0.1", server.port)
    with pytest.raises(TransportError):
        await second.call(oma_tables(MAK).read(0, 0, 2))
    assert await first.call(tables.read(0, 1, 2)) == b"\1\2"
    first.close()
    await first.wait_closed()
    await server.close()


@running
async def test_a_port_in_use_and_a_port_without_server() -> None:
    server = await serve_tcp(Driver(optical_server()))
    with pytest.raises(TransportError, match="cannot listen"):
        await serve_tcp(Driver(optical_server()), port=server.port)
    port = server.port
    await server.close()
    with pytest.raises(TransportError, match="cannot connect"):
        await connect_tcp(optical_client()[0], "127.0.0.1", port)


@needs_serialx
@running
async def test_a_serial_port_that_does_not_exist() -> None:
    driver, _ = optical_client()
    with pytest.raises(TransportError) as caught:
        await connect_serial(driver, "/dev/no-such-port")
    assert "device path" in caught.value.hint


@needs_serialx
@running
async def test_rfc2217_carries_bytes_and_the_speed() -> None:
    # The line has a speed here, so that both sides follow what they negotiate.
    meter = OpticalServer(
        shelf(), KEYS, speeds=frozenset({9600, 57600}), timing=QUICK, line=Line(9600)
    )
    cables: list[TelnetCable] = []

    def plug() -> TelnetCable:
        cables.append(TelnetCable(Driver(meter)))
        return cables[-1]

    server = await asyncio.get_running_loop().create_server(plug, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    optical = OpticalPort(Line(9600), QUICK)
    driver = CallingDriver(Caller(optical))
    session = OpticalSession(optical, RK, speeds=(57600,))
    await connect_serial(driver, f"rfc2217://127.0.0.1:{port}")
    await driver.call(session.open())
    # FF is what Telnet escapes; the image has some.
    assert await driver.call(session.tables.read(23, 0, 600)) == BIG[:600]
    assert b"\xff" in BIG[:600]
    assert cables[0].speeds[-1] == 57600
    driver.close()
    await driver.wait_closed()
    await cables[0].closed.wait()
    server.close()
    await server.wait_closed()


@running
async def test_a_line_lost_in_the_middle_of_a_conversation() -> None:
    server, (driver, session) = Driver(optical_server()), optical_client()
    connect_memory(driver, server)

    def reading() -> Exchange[None]:
        yield from session.open()
        yield Wait(60.0)

    call = asyncio.ensure_future(driver.call(reading()))
    await asyncio.sleep(0.05)
    server.close()
    with pytest.raises(TransportError, match="closed") as caught:
        await call
    assert not caught.value.retryable
    with pytest.raises(TransportError, match="not open"):
        await driver.call(session.tables.read(0, 0, 1))


@running
async def test_a_cancelled_conversation_leaves_the_port_usable() -> None:
    server, (driver, session) = Driver(optical_server()), optical_client()
    connect_memory(driver, server)
    await driver.call(session.open())
    call = asyncio.ensure_future(driver.call(session.tables.read(23, 0, 2000)))
    await asyncio.sleep(0)
    with pytest.raises(LocalProtocolError):
        await driver.call(session.tables.read(0, 0, 1))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await driver.call(session.tables.read(0, 0, 2)) == b"\0\1"
    driver.close()


@running
async def test_nothing_is_sent_while_the_speed_changes() -> None:
    changed = asyncio.Event()
    speeds: list[int] = []

    async def set_speed(speed: int) -> None:
        await changed.wait()
        speeds.append(speed)

    port = MepPort(Line(9600), UNHURRIED)
    meter = MepServer(shelf(), MEP_KEYS, line=UNLIMITED, timing=UNHURRIED)
    seen: list[tuple[str, bytes]] = []
    events: list[Any] = []
    driver = CallingDriver(
        Caller(port), events.append, tap=lambda way, data, now: seen.append((way, data))
    )
    driver.set_speed = set_speed
    connect_memory(driver, Driver(meter))
    tables = oma_tables(MAK)
    await driver.call(tables.read(0, 0, 1))
    port.change_speed(115200)
    driver.pump()
    sent = len(seen)
    call = asyncio.ensure_future(driver.call(tables.read(0, 0, 2)))
    await asyncio.sleep(0.05)
    assert len(seen) == sent
    changed.set()
    assert await call == b"\0\1"
    assert (speeds, events) == ([115200], [SpeedChanged(115200)])
    assert {way for way, _ in seen} == {"in", "out"}
    driver.close()


class Counter:
    """Answers each frame by the next number, up to five; one begins on its timer."""

    def __init__(self, begins: bool, enough: asyncio.Event) -> None:
        self._enough = enough
        self.seen: list[int] = []
        self._out: list[int] = []
        self._begins = begins

    def receive_frame(self, frame: bytes, now: float) -> None:
        self.seen.append(frame[0])
        if frame[0] == 5:
            self._enough.set()
        else:
            self._out.append(frame[0] + 1)

    def frames_to_send(self, now: float) -> list[int]:
        out, self._out = self._out, []
        return out

    def next_timer(self) -> float | None:
        return 0.0 if self._begins else None

    def handle_timer(self, now: float) -> None:
        self._begins = False
        self._out.append(1)

    def next_event(self) -> None:
        return None


@running
async def test_udp_carries_frames() -> None:
    addresses: dict[int, tuple[str, int]] = {}
    enough = asyncio.Event()
    machines = Counter(True, enough), Counter(False, enough)

    def packing(to: int) -> Callable[[Any], tuple[bytes, tuple[str, int]] | None]:
        return lambda frame: (bytes((frame,)), addresses[to]) if to in addresses else None

    def unpack(data: bytes, sender: tuple[str, int]) -> bytes | None:
        return data if sender in addresses.values() else None

    second = FrameDriver(machines[1], packing(0), unpack)
    await open_udp(second)
    addresses[1] = second.address
    first = FrameDriver(machines[0], packing(1), unpack)
    await open_udp(first)
    addresses[0] = first.address
    await enough.wait()
    assert (machines[0].seen, machines[1].seen) == ([2, 4], [1, 3, 5])
    with pytest.raises(TransportError, match="cannot bind"):
        await open_udp(
            FrameDriver(Counter(False, enough), packing(0), unpack), port=first.address[1]
        )
    for driver in (first, second):
        driver.close()
    await asyncio.sleep(0)
    with pytest.raises(TransportError):
        _ = first.address


def whatever() -> Exchange[bytes]:
    return (yield Send(b"\x20"))


@running
async def test_a_driver_without_a_line() -> None:
    driver, _ = optical_client()
    driver.pump()
    driver.close()
    with pytest.raises(TransportError, match="not open"):
        await driver.call(whatever())


def test_waiting_is_bounded() -> None:
    async def forever() -> None:
        await asyncio.sleep(3600)

    async def soon(wait: Awaitable[None]) -> None:
        await asyncio.wait_for(wait, 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(soon(forever()))
