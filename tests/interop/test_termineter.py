"""Termineter's C12.18 library reads the optical port of our meter over a pseudo-terminal."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from osgp.ports.line import UNLIMITED
from osgp.ports.optical import OpticalServer, Timing
from osgp.transport import Driver, serve_pty
from tests.unit.ports.cable import Shelf
from tests.unit.ports.test_optical import BIG, KEYS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    connection = pytest.importorskip("c1218.connection", reason="needs termineter from PyPI")
    errors = pytest.importorskip("c1218.errors")

SERIAL: dict[str, Any] = {
    "parity": "N",
    "baudrate": 9600,
    "bytesize": 8,
    "xonxoff": False,
    "interCharTimeout": None,
    "rtscts": False,
    "timeout": 3,
    "stopbits": 1,
    "dsrdtr": False,
    "writeTimeout": None,
}


def against(shelf: Shelf, client: Callable[[Any], Any]) -> Any:
    """What `client` returns, given a connection of the library to a meter with these tables."""

    async def meet() -> Any:
        meter = OpticalServer(shelf, KEYS, line=UNLIMITED, timing=Timing(turn_around=0.0))
        pty = serve_pty(Driver(meter))
        try:
            return await asyncio.wait_for(asyncio.to_thread(talk, pty.path), 30.0)
        finally:
            pty.close()

    def talk(path: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = connection.Connection(path, serial_settings=SERIAL, enable_cache=False)
            try:
                return client(found)
            finally:
                found.close()

    return asyncio.run(meet())


def tables() -> Shelf:
    return Shelf({0: bytes(range(19)), 7: bytes(20), 64: BIG})


def test_reading_whole_and_in_part() -> None:
    shelf = tables()

    def client(meter: Any) -> tuple[bytes, bytes]:
        assert meter.start()
        assert meter.login("reader", 7, KEYS["RK"])
        return meter.get_table_data(0), meter.get_table_data(64, octetcount=900, offset=100)

    assert against(shelf, client) == (bytes(range(19)), BIG[100:1000])
    assert {key for *_, key in shelf.reads} == {"RK"}


def test_writing() -> None:
    shelf = tables()

    def client(meter: Any) -> None:
        assert meter.start()
        assert meter.login("writer", 7, KEYS["MK"])
        meter.set_table_data(7, b"\1\2\3", offset=4)
        meter.set_table_data(7, b"\x09")

    against(shelf, client)
    assert bytes(shelf.images[7][:8]) == bytes((9, 0, 0, 0, 1, 2, 3, 0))


def test_a_wrong_password_and_a_table_that_is_not_there() -> None:
    def client(meter: Any) -> int:
        assert meter.start()
        assert not meter.login("nobody", 7, b"wrong")
        with pytest.raises(errors.C1218ReadTableError) as caught:
            meter.get_table_data(99)
        code: int = caught.value.code
        return code

    assert against(tables(), client) == 4


def test_logging_off_and_beginning_anew() -> None:
    def client(meter: Any) -> bytes:
        assert meter.start()
        assert meter.login("reader", 7, KEYS["RK"])
        assert meter.stop()
        assert meter.start()
        assert meter.login("reader", 7, KEYS["RK"])
        data: bytes = meter.get_table_data(0)
        return data

    assert against(tables(), client) == bytes(range(19))
