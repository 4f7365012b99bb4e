"""Local ports: reads a second over a pseudo-terminal, and a week of load profile at 9600 baud.

Reads: `osgp meter serve` in a process of its own; this project's client, and the C12.18 library of
Termineter (PyPI), each read a table of it again and again in an open session. The MEP rows carry
OMA digests.

The week: virtual time, the virtual meter, four channels every 15 minutes; all that it takes from
logging on to logging off. The limit is what the bytes of the 672 intervals alone take at 9600 baud,
8N1; on MEP the meter pauses 25 ms after every 117 bytes by itself (MEP guide, 'Response timing'),
which is part of it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from osgp.ports import UNLIMITED, Caller, Line, PortTables
from osgp.ports.mep import UNHURRIED, MepPort, MepServer, oma_tables
from osgp.ports.mep.frame import STANDARD as MEP_TIMING
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession
from osgp.run.reading.profile import Period, read_profile
from osgp.run.serving.clock import WallClock
from osgp.run.serving.device import ServedMeter
from osgp.run.serving.profiles import TEST_KEYS, ServedProfile, load_profile
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.transport import CallingDriver, connect_serial

from .serial_line import SerialLine
from .table import Row, best

TITLE = "Local ports: BT23 of the virtual meter by pseudo-terminal; a week of load profile by wire"
READS, TIMES = 500, 3
TABLE, PART = 23, (16, 48)
RK, MAK = TEST_KEYS["RK"].encode(), TEST_KEYS["MAK"].encode()
SPEED = 9600.0
DAYS = 7
INTERVALS = DAYS * 96
NOON = datetime(2026, 1, 15, 12, 1, tzinfo=UTC)

Ask = Callable[[PortTables], Exchange[bytes]]
Read = Callable[[], object]


class Week(msgspec.Struct, frozen=True):
    """What reading a week took: intervals, bytes of data in them, bytes on the wire, seconds."""

    intervals: int
    data: int
    carried: int
    seconds: float


def run() -> list[Row]:
    return [*_reads(), *_weeks()]


# --- reads a second --------------------------------------------------------------------------


def _reads() -> list[Row]:
    def whole(tables: PortTables) -> Exchange[bytes]:
        return tables.read_whole(TABLE)

    def part(tables: PortTables) -> Exchange[bytes]:
        return tables.read(TABLE, *PART)

    with _meter() as places:
        size, *theirs = _termineter(places["optical"])
        ours = [asyncio.run(_optical(places["optical"], ask)) for ask in (whole, part)]
        mep = asyncio.run(_mep(places["mep"], part))
    return [
        Row(f"optical, {size} bytes", _rate(ours[0]), _ratio(ours[0], theirs[0]), ">= 3 x"),
        Row("  Termineter's client", _rate(theirs[0])),
        Row(f"optical, {PART[1]} bytes", _rate(ours[1]), _ratio(ours[1], theirs[1])),
        Row("  Termineter's client", _rate(theirs[1])),
        Row(f"MEP, {PART[1]} bytes, OMA digests", _rate(mep)),
    ]


def _rate(seconds: float) -> str:
    return f"{1 / seconds:,.0f} /s"


def _ratio(ours: float, theirs: float) -> str:
    return f"{theirs / ours:.1f} x Termineter's"


@contextmanager
def _meter() -> Iterator[dict[str, str]]:
    """`osgp meter serve`, and where its ports are."""
    command = [sys.executable, "-m", "osgp.cli.main", "meter", "serve", "demo", "--json"]
    with subprocess.Popen(
        [*command, "--optical", "pty", "--mep", "pty"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("}"):
                break
        try:
            yield json.loads("".join(lines))
        finally:
            process.terminate()


def _seconds(read: Read) -> float:
    def work() -> None:
        for _ in range(READS):
            read()

    return best(work, TIMES) / READS


def _termineter(place: str) -> tuple[int, float, float]:
    """Bytes of the table; seconds for the whole table and for a part of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from c1218.connection import Connection

        meter = Connection(place, serial_settings=_SERIAL, enable_cache=False)
        assert meter.start()
        assert meter.login("bench", 1, RK)
        size = len(meter.get_table_data(TABLE))
        whole = _seconds(lambda: meter.get_table_data(TABLE))
        offset, count = PART
        part = _seconds(lambda: meter.get_table_data(TABLE, octetcount=count, offset=offset))
        meter.close()
    return size, whole, part


async def _optical(place: str, ask: Ask) -> float:
    port = OpticalPort(UNLIMITED)
    session = OpticalSession(port, RK)
    driver = CallingDriver(Caller(port))
    await connect_serial(driver, place)
    await driver.call(session.open())
    seconds = await _repeated(driver, session.tables, ask)
    await driver.call(session.close())
    driver.close()
    await driver.wait_closed()
    return seconds


async def _mep(place: str, ask: Ask) -> float:
    driver = CallingDriver(Caller(MepPort(UNLIMITED, UNHURRIED)))
    await connect_serial(driver, place)
    seconds = await _repeated(driver, oma_tables(MAK), ask)
    driver.close()
    await driver.wait_closed()
    return seconds


async def _repeated(driver: CallingDriver, tables: PortTables, ask: Ask) -> float:
    """Seconds of one read, in the fastest of several runs."""

    def many() -> Exchange[None]:
        for _ in range(READS):
            yield from ask(tables)

    fastest = float("inf")
    for _ in range(TIMES):
        start = time.perf_counter()
        await driver.call(many())
        fastest = min(fastest, time.perf_counter() - start)
    return fastest / READS


_SERIAL = {
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
"""What the library wants to be told; a pseudo-terminal ignores it."""


# --- a week of load profile ------------------------------------------------------------------


def _weeks() -> list[Row]:
    optical, mep = _optical_week(), _mep_week()
    line = Line(SPEED)
    segments = -(-mep.data // MEP_TIMING.segment)
    pauses = segments * MEP_TIMING.segment_pause
    return [
        *_week_rows("optical", optical, line.airtime(optical.data)),
        *_week_rows("MEP", mep, line.airtime(mep.data) + pauses),
    ]


def _week_rows(name: str, week: Week, limit: float) -> list[Row]:
    if week.intervals != INTERVALS:
        raise RuntimeError(f"{week.intervals} intervals instead of {INTERVALS}")
    share = f"{week.carried / week.data:.2f} x the data"
    return [
        Row(f"{name}, {DAYS} days: bytes on the wire", f"{week.carried:,}", share),
        Row(
            f"{name}, {DAYS} days: time at 9600 baud",
            f"{week.seconds:.1f} s",
            f"{week.seconds / limit:.2f} x the limit of {limit:.1f} s",
            "<= 1.15 x",
        ),
    ]


def _served() -> tuple[ServedProfile, ServedMeter]:
    """A meter with four channels, under virtual time that is unix time."""
    profile, now = load_profile("demo"), NOON.timestamp()
    return profile, ServedMeter(profile, WallClock(lambda: now, now))


def _profile(tables: PortTables) -> Exchange[tuple[int, int]]:
    """Intervals read, and bytes of data in them."""
    reader = DeviceReader(tables)
    period = Period(NOON - timedelta(days=DAYS), NOON)
    profile = yield from read_profile(reader, period)
    layout: Any = yield from reader.layout("BT64")
    size = layout.element("blocks[0].intervals[0]").size
    return len(profile.intervals), len(profile.intervals) * size


def _week(wire: SerialLine, exchange: Exchange[tuple[int, int]]) -> Week:
    began = wire.now
    intervals, data = wire.call(exchange)
    return Week(intervals, data, wire.carried, wire.now - began)


def _optical_week() -> Week:
    served, meter = _served()
    line = Line(SPEED)
    port = OpticalPort(line)
    session = OpticalSession(port, served.keys["MK"])
    server = OpticalServer(meter, {**served.of("RK", "MK")}, line=line)

    def visit() -> Exchange[tuple[int, int]]:
        yield from session.open()
        read = yield from _profile(session.tables)
        yield from session.close()
        return read

    return _week(SerialLine(Caller(port), server, line, NOON.timestamp()), visit())


def _mep_week() -> Week:
    served, meter = _served()
    line = Line(SPEED)
    server = MepServer(meter, {**served.of("MAK", "MBK")}, line=line)
    wire = SerialLine(Caller(MepPort(line)), server, line, NOON.timestamp())
    return _week(wire, _profile(oma_tables(served.keys["MAK"])))
