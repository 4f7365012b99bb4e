"""A served virtual meter and a reader in one event loop; devices made of images."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from osgp.export.assign import assembled
from osgp.export.plain import Tree
from osgp.ports import UNLIMITED
from osgp.ports.optical import OpticalServer
from osgp.run.dumps import Dump, DumpedTable, DumpedTables
from osgp.run.reading.device import Access, Device, open_device
from osgp.run.serving.clock import WallClock
from osgp.run.serving.device import ServedMeter
from osgp.run.serving.profiles import ServedProfile, load_profile
from osgp.security.keys import Purpose, ReadKey, read_key
from osgp.session import Tables
from osgp.spec import tables
from osgp.transport import Driver, TcpServer, serve_tcp
from osgp.wire import Dims

T = TypeVar("T")

DAY = 86_400.0
NOON = datetime(2026, 6, 10, 12, 7, tzinfo=UTC)
RK = "read-only key, test!"
MK = "optical unique, test"
WITHIN = 20.0


def key(text: str = RK) -> ReadKey:
    return read_key(text, Purpose.OPTICAL)


def profile(days: float = 3.0) -> ServedProfile:
    return msgspec.structs.replace(load_profile("demo"), history=days * DAY)


def calm(name: str = "demo") -> ServedProfile:
    """A meter whose supply never fails, with an hour behind it."""
    found = load_profile(name)
    meter = msgspec.structs.replace(found.meter, feeder=None)
    return msgspec.structs.replace(found, meter=meter, history=3600.0)


def key_of(served: ServedProfile, name: str) -> ReadKey:
    """One of a served meter's keys."""
    purpose = Purpose.MEP if name in ("MAK", "MBK") else Purpose.OPTICAL
    return read_key("hex:" + served.keys[name].reveal().hex(), purpose)


class Counted:
    """Tables that note what is read and written."""

    def __init__(self, inner: Tables) -> None:
        self.inner = inner
        self.reads: list[tuple[int, int, int | None]] = []
        self.writes: list[tuple[int, int | None, bytes]] = []
        self.hook: Callable[[int], None] = lambda table: None

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        self.hook(table)
        self.reads.append((table, offset, count))
        return self.inner.read(table, offset, count, key, now)

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        self.writes.append((table, offset, data))
        self.inner.write(table, offset, data, key, now)

    @property
    def numbers(self) -> set[int]:
        return {table for table, _, _ in self.reads}


class Bench:
    """A meter on a TCP port."""

    def __init__(self, tables: Counted, server: TcpServer, driver: Driver, cache: Path | None):
        self.tables, self.server, self.driver, self._cache = tables, server, driver, cache

    @property
    def place(self) -> str:
        return f"tcp://127.0.0.1:{self.server.port}"

    def access(self, text: str = RK, **more: Any) -> Access:
        return Access(optical=self.place, key=key(text), cache=self._cache, **more)

    async def ask(self, make: Any, text: str = RK) -> Any:
        """What a conversation returns, in a session of its own."""
        async with self.device(text) as device:
            return await device.run(make)

    @asynccontextmanager
    async def device(self, text: str = RK) -> AsyncIterator[Device]:
        async with open_device(self.access(text)) as device:
            yield device
        await self._left()

    async def _left(self) -> None:
        """Until the meter's side has seen that its client is gone."""
        for _ in range(1000):
            if not self.driver.connected:
                return
            await asyncio.sleep(0.001)
        raise AssertionError("the client holds on to the port")


@asynccontextmanager
async def served(inner: Tables, cache: Path | None = None) -> AsyncIterator[Bench]:
    counted = Counted(inner)
    keys = {name: secret for name, secret in profile().keys.items() if name in ("RK", "PK", "MK")}
    driver = Driver(OpticalServer(counted, keys, line=UNLIMITED))
    server = await serve_tcp(driver)
    try:
        yield Bench(counted, server, driver, cache)
    finally:
        await server.close()


def virtual(days: float = 3.0, at: datetime = NOON) -> ServedMeter:
    """To be called inside a running loop."""
    clock = WallClock(asyncio.get_running_loop().time, at.timestamp())
    return ServedMeter(profile(days), clock)


def imagined(images: Mapping[int, bytes]) -> DumpedTables:
    """A device that is nothing but images. To be called inside a running loop."""
    named = {_name(number): DumpedTable(hex=image.hex()) for number, image in images.items()}
    clock = WallClock(asyncio.get_running_loop().time, NOON.timestamp())
    return DumpedTables(Dump(NOON, named), clock)


def _name(number: int) -> str:
    return tables[number].info.name


async def images_of(meter: ServedMeter) -> dict[int, bytes]:
    """Every image of a virtual meter."""
    now = asyncio.get_running_loop().time()
    found = {}
    for name in tables:
        number = tables[name].info.number
        try:
            found[number] = bytes(meter.meter.tables.image(number, meter.clock.unix(now))[:])
        except KeyError:
            continue
    return found


def made(name: str, tree: Tree, dims: Dims) -> bytes:
    """The image of a table of zeros, but for `tree`."""
    layout: Any = tables[name].bind(dims)
    image: bytes = layout.encode(assembled(layout, tree, ()))
    return image


def listing(image: bytes, names: Iterable[str]) -> bytes:
    """BT00 with more tables in it."""
    layout: Any = tables["BT00"].bind()
    record = layout.decode(image)
    numbers = [tables[name].info.number for name in names]
    basic = frozenset(number for number in numbers if number < 2048)
    extended = frozenset(number - 2048 for number in numbers if number >= 2048)
    longer: bytes = layout.encode(
        record.with_(
            basic_tables_used=record.basic_tables_used | basic,
            extended_tables_used=record.extended_tables_used | extended,
        )
    )
    return longer


def without(image: bytes, name: str) -> bytes:
    """BT00 without an extended table."""
    layout: Any = tables["BT00"].bind()
    record = layout.decode(image)
    gone = {tables[name].info.number - 2048}
    shorter: bytes = layout.encode(
        record.with_(extended_tables_used=record.extended_tables_used - gone)
    )
    return shorter


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Runs a test's coroutine; it must end in time."""

    async def limited() -> T:
        async with asyncio.timeout(WITHIN):
            return await work()

    return asyncio.run(limited())


__all__ = [
    "Bench",
    "Device",
    "images_of",
    "imagined",
    "listing",
    "made",
    "run",
    "served",
    "virtual",
    "without",
]
