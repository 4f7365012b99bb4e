"""pyserial's RFC 2217 server between our client and the pseudo-terminal of our meter."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest

from osgp.errors import TransportError
from osgp.ports import Caller, Line
from osgp.ports.line import UNLIMITED
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession
from osgp.transport import CallingDriver, Driver, connect_serial, serve_pty
from tests.unit.ports.test_optical import BIG, KEYS, RK, shelf

serial = pytest.importorskip("serial", reason="needs pyserial, which comes with termineter")
rfc2217 = pytest.importorskip("serial.rfc2217")
if importlib.util.find_spec("serialx") is None:
    pytest.skip("needs the extra osgp[serial]", allow_module_level=True)

PIECE = 1024
LIMIT = 10.0


Port: Any = serial.Serial


class Terminal(Port):  # type: ignore[misc]  # pyserial has no types
    """A pseudo-terminal as pyserial's server wants a port: it has no modem lines."""

    cts = dsr = ri = cd = True

    def _update_dtr_state(self) -> None:
        """Nothing to switch."""

    def _update_rts_state(self) -> None:
        """Nothing to switch."""


class Writer:
    """Where the server puts what goes back to the client."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock, suppress(OSError):
            self._connection.sendall(data)


class PortServer:
    """One client at a time; `speeds` are what the port was set to."""

    def __init__(self, path: str) -> None:
        self._port = Terminal(path, 9600, timeout=0.01)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.number: int = self._listener.getsockname()[1]
        self.speeds: list[int] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def close(self) -> None:
        self._ended.set()
        self._listener.close()
        for thread in self._threads:
            thread.join(LIMIT)
        self._port.close()

    def _serve(self) -> None:
        self._listener.settimeout(LIMIT)
        with suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(0.05)
                self._carry(connection)

    def _carry(self, connection: socket.socket) -> None:
        writer = Writer(connection)
        manager = rfc2217.PortManager(self._port, writer)
        back = threading.Thread(target=self._back, args=(manager, writer))
        self._threads.append(back)
        back.start()
        while not self._ended.is_set():
            with suppress(TimeoutError):
                data = connection.recv(PIECE)
                if not data:
                    return
                self._port.write(b"".join(manager.filter(data)))
                self._note_speed()

    def _note_speed(self) -> None:
        speed = self._port.baudrate
        if not self.speeds or self.speeds[-1] != speed:
            self.speeds.append(speed)

    def _back(self, manager: Any, writer: Writer) -> None:
        while not self._ended.is_set():
            data = self._port.read(self._port.in_waiting or 1)
            if data:
                writer.write(b"".join(manager.escape(data)))


async def _read(place: str, port: OpticalPort, session: OpticalSession) -> bytes:
    driver = CallingDriver(Caller(port))
    await connect_serial(driver, place)
    await driver.call(session.open())
    data: bytes = await driver.call(session.tables.read(23, 0, 600))
    await driver.call(session.close())
    await driver.aclose()
    return data


def test_bytes_and_speed_through_an_independent_server() -> None:
    async def meet() -> bytes:
        # A pseudo-terminal takes no time: a meter that counts on 9600 baud would hold an answer
        # that comes at once for one to something else.
        meter = OpticalServer(shelf(), KEYS, speeds=frozenset({9600, 57600}), line=UNLIMITED)
        pty = serve_pty(Driver(meter))
        server = await asyncio.to_thread(PortServer, pty.path)
        port = OpticalPort(Line(9600))
        session = OpticalSession(port, RK, speeds=(57600,))
        place = f"rfc2217://127.0.0.1:{server.number}"
        try:
            data = await asyncio.wait_for(_read(place, port, session), LIMIT)
        finally:
            await asyncio.to_thread(server.close)
            pty.close()
        assert 57600 in server.speeds
        return data

    # FF is what Telnet escapes; the image has some.
    assert b"\xff" in BIG[:600]
    assert asyncio.run(meet()) == BIG[:600]


def test_a_server_that_speaks_no_telnet() -> None:
    async def meet() -> None:
        def deaf(reader: Any, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)

        writers: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(deaf, "127.0.0.1", 0)
        number = server.sockets[0].getsockname()[1]
        driver = CallingDriver(Caller(OpticalPort(UNLIMITED)))
        try:
            with pytest.raises(TransportError, match="cannot open"):
                await asyncio.wait_for(
                    connect_serial(driver, f"rfc2217://127.0.0.1:{number}"), 30.0
                )
        finally:
            for writer in writers:
                writer.close()
            server.close()

    asyncio.run(meet())
