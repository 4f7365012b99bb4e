"""Just enough of an RFC 2217 server (Telnet, COM-PORT-OPTION) in front of a driver, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from osgp.transport import Driver

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
COM_PORT, BINARY, SUPPRESS_GO_AHEAD = 44, 0, 3
SET_BAUDRATE = 1
TO_CLIENT = 100
ANSWERS = {DO: (WILL, WONT), WILL: (DO, DONT)}


class TelnetCable(asyncio.Protocol, asyncio.WriteTransport):
    """A connection: Telnet on the outside, a plain line for the driver."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver
        self._buffer = bytearray()
        self._settled: set[tuple[int, int]] = set()
        self._outer: asyncio.WriteTransport | None = None
        self._free = [0.0, 0.0]
        self.closed = asyncio.Event()
        self.speeds: list[int] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._outer = transport
        self._driver.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._driver.connection_lost(exc)
        self.closed.set()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self._outer is not None
        self._later(1, len(data), self._outer.write, bytes(data).replace(b"\xff", b"\xff\xff"))

    def _later(self, way: int, count: int, act: Callable[[bytes], None], data: bytes) -> None:
        """What bytes on a serial line do: they take their time, one after the other."""
        loop = asyncio.get_running_loop()
        speed = self.speeds[-1] if self.speeds else 9600
        self._free[way] = max(loop.time(), self._free[way]) + count * 10 / speed
        loop.call_at(self._free[way], act, data)

    def close(self) -> None:
        if self._outer is not None:
            self._outer.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        plain = bytearray()
        while self._buffer and self._take(plain):
            pass
        if plain:
            self._later(0, len(plain), self._driver.data_received, bytes(plain))

    def _take(self, plain: bytearray) -> bool:
        """Takes a byte or a command from the buffer; False while a command is incomplete."""
        buffer = self._buffer
        if buffer[0] != IAC:
            plain.append(buffer.pop(0))
        elif len(buffer) < 2:
            return False
        elif buffer[1] == IAC:
            plain.append(IAC)
            del buffer[:2]
        elif buffer[1] == SB:
            return self._subnegotiation()
        elif len(buffer) < 3:
            return False
        else:
            self._negotiate(buffer[1], buffer[2])
            del buffer[:3]
        return True

    def _negotiate(self, command: int, option: int) -> None:
        if command not in ANSWERS or (command, option) in self._settled:
            return
        self._settled.add((command, option))
        yes, no = ANSWERS[command]
        known = option in (COM_PORT, BINARY, SUPPRESS_GO_AHEAD)
        self._command(yes if known else no, option)

    def _subnegotiation(self) -> bool:
        end = self._buffer.find(bytes((IAC, SE)))
        if end < 0:
            return False
        body = bytes(self._buffer[2:end]).replace(b"\xff\xff", b"\xff")
        del self._buffer[: end + 2]
        if body[0] == COM_PORT and len(body) > 1:
            if body[1] == SET_BAUDRATE:
                self.speeds.append(int.from_bytes(body[2:6]))
            answer = bytes((COM_PORT, body[1] + TO_CLIENT)) + body[2:]
            self._command(SB, *answer.replace(b"\xff", b"\xff\xff"), IAC, SE)
        return True

    def _command(self, *values: int) -> None:
        assert self._outer is not None
        self._outer.write(bytes((IAC, *values)))
