"""`osgp meter serve`: a virtual meter on local ports, in real time.

Every port has a machine of its own over the same tables, as in a real meter. A pseudo-terminal
looks like a serial port to programs on this machine; TCP listens on the loopback interface, unless
told otherwise. `--udp` is the power line: each datagram is one frame (LPDU), answers go to whoever
sent last (`Source.PROJECT`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from osgp.errors import UsageError
from osgp.meter import FileStore, Nvm
from osgp.meter.dims import TWO_PORTS
from osgp.ports import UNLIMITED
from osgp.ports.mep import UNHURRIED, MepServer, TlsEngine
from osgp.ports.optical import DenialOfService, OpticalServer
from osgp.security.secret import KeyLike
from osgp.session import Tables
from osgp.transport import Driver, FrameDriver, open_udp, serve_pty, serve_tcp

from .dumps import DumpedTables, read_dump
from .framelog import FrameLog
from .lines import Endpoint, endpoint
from .lonip import LonIpPort
from .serving.clock import WallClock
from .serving.device import ServedMeter
from .serving.mep import AttendedPort, MepPortTables
from .serving.profiles import ServedProfile
from .serving.shared import SharedLine
from .serving.supply import SuppliedPort

PTY: Final = "pty"
OPTICAL_KEYS: Final = ("RK", "PK", "MK")
MEP_KEYS: Final = ("MAK", "MBK")
MEP_PORTS: Final = ("mep", "mep2")
MEP_CELLS: Final = ("mep port", "mep port 2")
HEARTBEAT: Final = 60.0
"""Seconds between two moments at which the meter does what is due, asked or not, at most."""

SHORTEST: Final = 0.1
"""The same, at least."""


class ServeOptions(msgspec.Struct, frozen=True):
    """Where: `pty`, or `tcp://host:port`; `udp`, `lon_ip`: `host:port`. None: not at all."""

    optical: str | None = None
    mep: str | None = None
    mep2: str | None = None
    udp: str | None = None
    dump: Path | None = None
    memory: Path | None = None
    log: Path | None = None
    tls_required: bool = False
    expose: bool = False
    lon_ip: str | None = None


OnSupply = Callable[[float | None], None]
"""Gets the unix time at which a supply that failed is back, or None when it is."""


class Serving:
    """Ports that are open. `addresses` says where, by the port's name."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.stack = AsyncExitStack()

    async def close(self) -> None:
        await self.stack.aclose()


async def open_serving(
    profile: ServedProfile, options: ServeOptions, on_supply: OnSupply | None = None
) -> Serving:
    """Opens the ports that `options` ask for; `on_supply` hears of failures of the supply.

    Raises UsageError (nothing asked for, not a loopback address), TransportError (port in use).
    """
    if not (options.optical or options.mep or options.mep2 or options.udp or options.lon_ip):
        raise UsageError("say where to serve: --optical pty, --mep tcp://127.0.0.1:4096, …")
    serving = Serving()
    try:
        await _Composition(profile, options, serving, on_supply or (lambda back: None)).open()
    except BaseException:
        await serving.close()
        raise
    return serving


class _Composition:
    """Puts one meter and its ports together."""

    def __init__(
        self,
        profile: ServedProfile,
        options: ServeOptions,
        serving: Serving,
        on_supply: OnSupply,
    ) -> None:
        self._profile, self._options, self._serving = profile, options, serving
        self._on_supply = on_supply
        self._clock = WallClock(asyncio.get_running_loop().time)
        self._nvm = self._memory()
        self._drivers: dict[str, Driver] = {}

    async def open(self) -> None:
        options, meter = self._options, None
        if options.dump is None:
            meter = ServedMeter(self._with_mep_ports(), self._clock, self._nvm)
            self._beat(meter)
        tables: Tables = meter or DumpedTables(read_dump(options.dump or Path()), self._clock)
        places = {"optical": options.optical, "mep": options.mep, "mep2": options.mep2}
        makers = self._makers(tables, meter)
        for name, place in places.items():
            if place:
                await self._serve(name, place, meter, makers[name])
        if options.udp:
            await self._serve_udp(meter, options.udp)
        if options.lon_ip:
            await self._serve_lon_ip(meter, options.lon_ip)

    def _makers(self, tables: Tables, meter: ServedMeter | None) -> dict[str, Callable[[], Any]]:
        """What makes the meter's side of each port."""
        makers: dict[str, Callable[[], Any]] = {"optical": lambda: self._optical(tables)}
        for port, place in enumerate((self._options.mep, self._options.mep2), 1):
            if place:
                makers[MEP_PORTS[port - 1]] = self._mep_maker(port, tables, meter)
        older = meter is not None and self._profile.meter.set_up.firmware < TWO_PORTS
        if older and self._options.optical and self._options.mep:
            restarts = cast(ServedMeter, meter).restarts
            line = SharedLine(makers["optical"], makers["mep"], restarts, self._overheard)
            makers |= {"optical": line.optical_side, "mep": line.mep_side}
        return makers

    def _overheard(self) -> None:
        asyncio.get_running_loop().call_soon(self._drivers["optical"].pump)

    def _with_mep_ports(self) -> ServedProfile:
        """The profile of a meter that has the MEP ports which are served."""
        ports = 2 if self._options.mep2 else 1 if self._options.mep else 0
        if not ports:
            return self._profile
        meter = self._profile.meter
        set_up = msgspec.structs.replace(meter.set_up, m_bus=True, mep_ports=ports)
        return msgspec.structs.replace(
            self._profile, meter=msgspec.structs.replace(meter, set_up=set_up)
        )

    def _memory(self) -> Nvm | None:
        if self._options.memory is None:
            return None
        store = FileStore(self._options.memory)
        self._serving.stack.callback(store.close)
        return store.memory(self._profile.meter.neuron_id)

    def _beat(self, meter: ServedMeter) -> None:
        loop, back = asyncio.get_running_loop(), None

        async def beat() -> None:
            nonlocal back
            while True:
                meter.handle_timer(loop.time())
                if meter.back_at() != back:
                    back = meter.back_at()
                    self._on_supply(back)
                wait = meter.next_timer() - loop.time()
                await asyncio.sleep(min(max(wait, SHORTEST), HEARTBEAT))

        self._serving.stack.callback(asyncio.ensure_future(beat()).cancel)

    def _optical(self, tables: Tables) -> OpticalServer:
        keys: dict[str, KeyLike] = {**self._profile.of(*OPTICAL_KEYS)}
        return OpticalServer(tables, keys, line=UNLIMITED, denial=DenialOfService())

    def _mep_maker(self, port: int, tables: Tables, meter: ServedMeter | None) -> Callable[[], Any]:
        number = MepNumber(self._nvm, MEP_CELLS[port - 1])
        clients = None if meter is None else meter.clients
        if meter is None or clients is None:
            return lambda: self._mep(tables, number, int)
        there, known = meter, clients
        known.numbers[port] = lambda: number.last
        if self._options.tls_required:
            known.require_tls(port)

        def make() -> AttendedPort:
            seen = MepPortTables(there, known, port)
            server = number.follow(self._mep(seen, number, there.interface))
            return AttendedPort(server, there, known, port, self._options.tls_required)

        return make

    def _mep(self, tables: Tables, number: MepNumber, interface: Callable[[], int]) -> MepServer:
        keys: dict[str, KeyLike] = {**self._profile.of(*MEP_KEYS)}
        return MepServer(
            tables,
            keys,
            restore=number.kept,
            persist=number.keep,
            engine=_engines(keys, required=self._options.tls_required),
            tls_required=self._options.tls_required,
            interface=interface,
            line=UNLIMITED,
            timing=UNHURRIED,
        )

    async def _serve(
        self, name: str, place: str, meter: ServedMeter | None, make: Callable[[], Any]
    ) -> None:
        tap = None
        if self._options.log is not None:
            log = FrameLog(self._options.log, name)
            self._serving.stack.callback(log.close)
            tap = log.tap
        machine = make() if meter is None else SuppliedPort(make, meter.life)
        driver = self._drivers[name] = Driver(machine, tap=tap)
        self._later(driver.aclose)
        if place == PTY:
            self._serving.addresses[name] = serve_pty(driver, with_speed=name in MEP_PORTS).path
            return
        found = self._checked(place)
        server = await serve_tcp(driver, found.host, found.port)
        self._later(server.close)
        self._serving.addresses[name] = f"tcp://{found.host}:{server.port}"

    async def _serve_udp(self, meter: ServedMeter | None, place: str) -> None:
        if meter is None:
            raise UsageError("a dump has no power line: --udp needs a profile")
        found = self._checked(place if "://" in place else f"udp://{place}")
        peers: list[tuple[str, int]] = []

        def unpack(data: bytes, sender: tuple[str, int]) -> bytes:
            peers[:] = [sender]
            return data

        driver = FrameDriver(meter, lambda frame: (frame.data, peers[0]) if peers else None, unpack)
        await open_udp(driver, found.host, found.port)
        self._serving.stack.callback(driver.close)
        self._serving.addresses["udp"] = f"{found.host}:{driver.address[1]}"

    async def _serve_lon_ip(self, meter: ServedMeter | None, place: str) -> None:
        if meter is None:
            raise UsageError("a dump has no power line: --lon-ip needs a profile")
        found = self._checked(place if "://" in place else f"udp://{place}")
        port = LonIpPort(meter, meter.meter.stack.config, found.host, found.port)
        await port.open()
        self._serving.stack.callback(port.close)
        self._serving.addresses["lon-ip"] = f"{found.host}:{found.port}"

    def _later(self, close: Callable[[], Awaitable[None]]) -> None:
        self._serving.stack.push_async_callback(close)

    def _checked(self, place: str) -> Endpoint:
        """An address to listen on. Anybody who reaches a port may try its keys."""
        found = endpoint(place)
        if not self._options.expose and not _is_loopback(found.host):
            raise UsageError(f"{place} can be reached from outside; --expose if that is wanted")
        return found


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class MepNumber:
    """The sequence number of one MEP port, across sessions and losses of supply."""

    def __init__(self, nvm: Nvm | None, cell: str) -> None:
        self._nvm, self._cell = nvm, cell
        self.kept = None if nvm is None else nvm.get(cell)
        self._server: MepServer | None = None

    @property
    def last(self) -> int:
        """The number last accepted."""
        return 0 if self._server is None else self._server.sequence

    def follow(self, server: MepServer) -> MepServer:
        self._server = server
        return server

    def keep(self, state: bytes) -> None:
        self.kept = state
        if self._nvm is not None:
            self._nvm.put(self._cell, state)
            self._nvm.commit()
            self._nvm.sync()


def _engines(keys: dict[str, KeyLike], *, required: bool) -> Callable[[], TlsEngine] | None:
    """Server sides of TLS; None where its library is not installed and nothing needs it."""
    try:
        from osgp.ports.mep.mbed import MbedServer
    except UsageError:
        if required:
            raise
        return None
    return lambda: MbedServer(keys)
