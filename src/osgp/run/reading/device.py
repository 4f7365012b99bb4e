"""An open port with a meter behind it, ready for conversations.

    async with open_device(access) as device:
        record = await device.run(lambda reader: reader.table("BT23"))

The session is ended when the context ends, whatever happened: a utility's own session must find
the port free.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from osgp.errors import (
    DecodeError,
    InsufficientSecurityClearance,
    InterfaceChangeAlarm,
    OsgpError,
    SecurityError,
    TransportError,
    UsageError,
)
from osgp.ports import UNLIMITED, Alert, Broken, Caller, Echoed, Line, PortEvent, PortTables
from osgp.ports.mep import (
    TERMINATE,
    KeyId,
    MepPort,
    OmaTables,
    TlsPort,
    oma_tables,
    tls_tables,
)
from osgp.ports.optical import OpticalPort, OpticalSession
from osgp.run.framelog import FrameLog
from osgp.run.lines import connect, is_unlimited
from osgp.security.keys import ReadKey
from osgp.security.secret import Secret
from osgp.session import Exchange, Send
from osgp.session.reader import DeviceReader
from osgp.spec import table_name
from osgp.transport import CallingDriver

from .alerts import Alerts
from .cache import (
    DIMENSION_TABLES,
    DimensionCache,
    Interface,
    dims_from,
    interface_of,
    whole_images,
)
from .patience import Patience
from .said import fields_of
from .sequences import SequenceFile

T = TypeVar("T")
Make = Callable[[DeviceReader], Exchange[T]]
OnBytes = Callable[[int, int], None]
"""Gets a table's number and how many bytes of it have come."""

CLOSING: Final = 3.0
"""Seconds that logging off may take, after which the port is just closed."""


class Access(msgspec.Struct, frozen=True):
    """How to reach a meter: one of `optical` and `mep` is a place (see `osgp.run.lines`).

    `key` None: what is open without one. `tls` names the MEP key in use (MAK, MBK) and switches
    TLS on; `encrypt` asks for RC4 without it. `wake`: bytes before the first identification.
    `mep_port`: which of a meter's MEP ports it is, 1 or 2.
    """

    optical: str | None = None
    mep: str | None = None
    key: ReadKey | None = None
    tls: str | None = None
    encrypt: bool = False
    speed: int = 9600
    log: Path | None = None
    cache: Path | None = None
    wake: bytes = b""
    mep_port: int = 1

    @property
    def place(self) -> str:
        return self.optical or self.mep or ""


class _Session(Protocol):
    """What the two kinds of ports have in common above their wire."""

    tables: PortTables

    def open(self) -> Exchange[Any]: ...
    def close(self) -> Exchange[None]: ...
    def during(self, make: Callable[[], Exchange[T]]) -> Exchange[T]: ...


class Device:
    """A meter on an open port. Made by `open_device`."""

    def __init__(
        self,
        driver: CallingDriver,
        session: _Session,
        access: Access,
        alerts: Alerts,
        log: FrameLog | None = None,
    ) -> None:
        self.reader = DeviceReader(session.tables, on_image=self._image)
        self.on_bytes: OnBytes = lambda table, count: None
        self.on_size: Callable[[int], None] = lambda total: None
        self.alerts = alerts
        self._driver, self._session, self._access = driver, session, access
        self._cache = None if access.cache is None else DimensionCache(access.cache)
        self._interface: Interface | None = None
        self._images: dict[str, bytes] = {}
        self._recalled = False
        self._patience = Patience(access.speed)
        self._log = log

    @property
    def mep_port(self) -> int:
        """Which of the meter's MEP ports this is, 1 or 2; 1 on others."""
        return self._access.mep_port

    @property
    def tables(self) -> PortTables:
        return self._session.tables

    async def run(self, make: Make[T]) -> T:
        """What the conversation from `make` returns. One that reads may be begun anew.

        Raises what the conversation raises; TransportError if the line is lost.
        """
        try:
            result = await self._call(make)
        except (DecodeError, InterfaceChangeAlarm):
            if not self._recalled:
                raise
        else:
            if not await self._interface_changed():
                return result
        self._forget()
        return await self._call(make)

    async def run_once(self, make: Make[T]) -> T:
        """As `run`, for conversations that change something: they are never begun anew."""
        return await self._answer(make(self.reader))

    async def open(self) -> None:
        """Logs on, and takes up what is known of the device."""
        try:
            await self._answer(self._session.open())
        except (InsufficientSecurityClearance, SecurityError) as error:
            error.hint = error.hint or self._advice()
            raise
        if self._cache is not None:
            await self._recall(self._cache)
        self._corrected = self.tables.statistics.resyncs

    async def close(self) -> None:
        """Keeps what was learned and logs off; never raises."""
        if self._cache is not None and self._interface is not None:
            self._cache.remember(self._interface, whole_images(self._images, self.reader.dims))
        with suppress(OsgpError, TimeoutError):
            async with asyncio.timeout(CLOSING):
                await self._driver.call(self._session.close())

    async def _call(self, make: Make[T]) -> T:
        exchange = self._session.during(lambda: make(self.reader))
        try:
            return await self._answer(exchange)
        except SecurityError as error:
            error.hint = error.hint or self._advice()
            raise

    async def _answer(self, exchange: Exchange[T]) -> T:
        result: T = await self._patience.wait(self._driver.call(exchange))
        return result

    async def _recall(self, cache: DimensionCache) -> None:
        self._interface = await self._call(interface_of)
        if self._interface is None:
            return
        images = cache.recall(self._interface)
        with suppress(DecodeError):
            self.reader.dims = dims_from(images, self.reader.dims)
            self._images, self._recalled = dict(images), bool(images)

    async def _interface_changed(self) -> bool:
        """Whether layouts ceased to hold meanwhile.

        A meter whose interface changed moves its sequence number away (MEP guide, IDT version), so
        there is a reason to look after a correction.
        """
        before, corrected = self._corrected, self.tables.statistics.resyncs
        self._corrected = corrected
        if corrected == before:
            return False
        if self._interface is None:
            return True
        known, self._interface = self._interface, await self._call(interface_of)
        return self._interface != known

    def _forget(self) -> None:
        self._images, self._recalled = {}, False
        self.reader.forget()
        if self._cache is not None and self._interface is not None:
            self._cache.forget(self._interface)

    def _image(self, table: int, offset: int, data: bytes) -> None:
        self._patience.something_came()
        name = table_name(table)
        if (
            offset == 0
            and name in DIMENSION_TABLES
            and len(data) > len(self._images.get(name, b""))
        ):
            self._images[name] = data
        self.on_bytes(table, len(data))
        if self._log is not None:
            self._log.note(fields_of(name, offset, data, self.reader.dims))

    def _advice(self) -> str:
        key = self._access.key
        if key is None:
            return "this meter wants a key: --key-file FILE"
        plain = self._access.mep is not None and self._access.tls is None
        other = "; a port that takes TLS only wants --tls MAK or MBK" if plain else ""
        return f"is it this meter's key? it was {key}{other}"


@asynccontextmanager
async def open_device(access: Access) -> AsyncIterator[Device]:
    """Opens the port and logs on.

    Raises UsageError, TransportError (no port, no answer), InsufficientSecurityClearance or
    SecurityError (wrong key), RemoteProtocolError.
    """
    if (access.optical is None) == (access.mep is None):
        raise UsageError("name one port: --optical /dev/ttyUSB0, or --mep tcp://host:port")
    log = None if access.log is None else FrameLog(access.log, _port_name(access))
    alerts = Alerts()
    driver, session = _composed(access, log, alerts)
    try:
        await connect(driver, access.place, access.speed)
        device = Device(driver, session, access, alerts, log)
        try:
            await device.open()
            yield device
        finally:
            await device.close()
    finally:
        await driver.aclose()
        if log is not None:
            log.close()


def _port_name(access: Access) -> str:
    return "optical" if access.optical else "mep"


def _composed(
    access: Access, log: FrameLog | None, alerts: Alerts
) -> tuple[CallingDriver, _Session]:
    line = UNLIMITED if is_unlimited(access.place) else Line(access.speed)
    port, session = _optical(access, line) if access.optical else _mep(access, line)
    session.tables.mep_port = None if access.optical else access.mep_port
    tap = None if log is None else log.tap

    def on_event(event: PortEvent) -> None:
        if isinstance(event, Alert):
            alerts.arrived()
        if log is not None and isinstance(event, Broken | Echoed):
            log.note(getattr(event, "reason", "echo: what was sent came back"))

    return CallingDriver(Caller(port), on_event, tap=tap), session


def _optical(access: Access, line: Line) -> tuple[Any, _Session]:
    port = OpticalPort(line)
    key = None if access.key is None else access.key.secret
    return port, OpticalSession(port, key, user="osgp", wake=access.wake)


def _mep(access: Access, line: Line) -> tuple[Any, _Session]:
    if access.key is None:
        raise UsageError("the MEP port answers nobody without a key: --key-file FILE")
    port = MepPort(line)
    if access.tls is None:
        return port, MepSession(_oma(access, access.key.secret))
    from osgp.ports.mep.mbed import MbedClient

    secret, key_id = access.key.secret, KeyId[access.tls]
    tls = TlsPort(port, lambda: MbedClient(secret, key_id))
    return tls, MepSession(tls_tables(), tls=True)


def _oma(access: Access, secret: Secret) -> OmaTables:
    if access.cache is None:
        return oma_tables(secret, encrypt=access.encrypt)
    file = SequenceFile(access.cache, access.place)
    return oma_tables(secret, encrypt=access.encrypt, restore=file.load(), persist=file.keep)


class MepSession:
    """The MEP port has no sessions of its own, only those of TLS."""

    def __init__(self, tables: PortTables, *, tls: bool = False) -> None:
        self.tables, self._tls = tables, tls

    def open(self) -> Exchange[None]:
        """Reads what every meter lets every key read: shows a wrong key at once."""
        yield from self.tables.read(_FIRST_TABLE, 0, 1)

    def close(self) -> Exchange[None]:
        """Ends a TLS session; keeps the sequence number."""
        if isinstance(self.tables, OmaTables):
            self.tables.settle()
        if self._tls:
            yield Send(TERMINATE)

    def during(self, make: Callable[[], Exchange[T]]) -> Exchange[T]:
        return (yield from make())


_FIRST_TABLE: Final = 1
"""BT01, which every key may read."""

__all__ = ["Access", "Device", "Make", "MepSession", "TransportError", "open_device"]
