"""A pseudo-terminal: a serial port that a program on the same machine can open."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import termios
import tty
from contextlib import suppress
from typing import Final

from osgp.errors import TransportError

from .driver import Driver

CHUNK: Final = 4096
LOOK_EVERY: Final = 0.005
"""Seconds between looks at what a program has read."""
TAKEN_WITHIN: Final = 0.5
"""Seconds that a program has to read what is written before the speed changes."""
OUTPUT_SPEED: Final = 5
"""Place in what `termios.tcgetattr` gives."""


class Pty(asyncio.WriteTransport):
    """The master side. `path` is what other programs open, one after another.

    As on a wire, who has set another speed is not understood, once the line has been given one.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        # The slave stays open here too: otherwise the first program that closes it ends the line.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._pending = bytearray()
        self._blocked = False
        self._closed = False
        self._speed: int | None = None
        self._loop.add_reader(self._master, self._readable)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._understood():
            self._pending += data
            self._flush()

    async def set_speed(self, bits_a_second: int) -> None:
        """Gives the line a speed, when a program has taken everything written before.

        One that terminals do not know goes unchecked.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_WITHIN):
                await self.drain()
        self._speed = getattr(termios, f"B{bits_a_second}", None)

    def _understood(self) -> bool:
        return self._speed is None or termios.tcgetattr(self._slave)[OUTPUT_SPEED] == self._speed

    async def drain(self) -> None:
        """Until a program has taken everything: what it did not, the last close throws away."""
        while True:
            if self._closed or not (self._pending or self._unread()):
                return
            await asyncio.sleep(LOOK_EVERY)

    def _unread(self) -> int:
        """Bytes that wait in the terminal."""
        count = fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    def abort(self) -> None:
        self.close()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        for descriptor in (self._master, self._slave):
            os.close(descriptor)
        self._loop.call_soon(self._driver.connection_lost, None)

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._master, CHUNK)
            if self._understood():
                self._driver.data_received(data)

    def _flush(self) -> None:
        """Writes what the terminal takes; a program that reads nothing loses the rest."""
        try:
            written = os.write(self._master, self._pending)
        except BlockingIOError:
            written = 0
        del self._pending[:written]
        if len(self._pending) > 16 * CHUNK:
            self._pending.clear()
        self._wait_for_room(bool(self._pending))

    def _wait_for_room(self, wanted: bool) -> None:
        if wanted == self._blocked:
            return
        self._blocked = wanted
        if wanted:
            self._loop.add_writer(self._master, self._flush)
        else:
            self._loop.remove_writer(self._master)


def serve_pty(driver: Driver, *, with_speed: bool = False) -> Pty:
    """Opens a pseudo-terminal and drives it. Raises TransportError where there is none.

    `with_speed`: when the machine changes its speed, programs have to follow.
    """
    try:
        pty = Pty(driver)
    except OSError as error:
        raise TransportError(f"no pseudo-terminal: {error}", retryable=False) from error
    driver.drain = pty.drain
    if with_speed:
        driver.set_speed = pty.set_speed
    driver.connection_made(pty)
    return pty
