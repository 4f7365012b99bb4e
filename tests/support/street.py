"""A concentrator and virtual meters on one wire, under virtual time, with a store in memory.

The wire is perfect unless `fate` says otherwise. Everything that happens goes to `log`, in order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container
from typing import Any, Protocol

from osgp.concentrator.core import Concentrator
from osgp.concentrator.plan import Plan
from osgp.concentrator.sink import Cursor, Device, Reading
from osgp.errors import StoreError, UsageError
from osgp.lon import NodeConfig, OutFrame
from osgp.meter import DataSet, MemoryNvm, MeterProfile, SetUp, VirtualMeter
from osgp.meter.measuring import Traits
from osgp.security.aes_device import DEFAULT_LIMITS, Limits
from osgp.security.secret import Secret

START = 1_780_012_800.0
"""A midnight UTC: 2026-05-29."""
LATENCY = 0.05
MOST_TIMERS = 40
"""Timers in a row without time going on, beyond which a machine is spinning."""

Fate = Callable[["Street", int, int, bytes], list[bytes]]
"""What becomes of a frame from one station to another: the frames that arrive (0: concentrator)."""


class Station(Protocol):
    def receive_frame(self, frame: bytes, now: float, margin_db: float = 0.0) -> object: ...
    def frames_to_send(self, now: float) -> list[OutFrame]: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...


class MemorySink:
    """Keeps everything, says in `log` when; refuses where `broken`."""

    def __init__(self, log: list[tuple[str, Any]] | None = None) -> None:
        self.log = [] if log is None else log
        self.held: dict[bytes, Device] = {}
        self.cursors: dict[bytes, Cursor] = {}
        self.readings: list[Reading] = []
        self.broken = False

    def devices(self) -> list[Device]:
        return list(self.held.values())

    def save_device(self, device: Device) -> None:
        self._check()
        self.held[device.neuron_id] = device
        self.log.append(("saved", device))

    def cursor(self, neuron_id: bytes) -> Cursor:
        return self.cursors.get(neuron_id, Cursor())

    def store(self, reading: Reading) -> None:
        self._check()
        self.readings.append(reading)
        if reading.cursor is not None:
            self.cursors[reading.neuron_id] = reading.cursor
        self.log.append(("stored", reading))

    def _check(self) -> None:
        if self.broken:
            raise StoreError("the disk is full")


class Keys:
    """One key for each meter of the street, and none for anybody else."""

    def __init__(self, count: int) -> None:
        self.known = {neuron(n): omak(n) for n in range(count)}
        self.able: set[bytes] = set()

    def omak(self, neuron_id: bytes) -> Secret:
        if neuron_id not in self.known:
            raise UsageError(f"no key for {neuron_id.hex()}")
        return self.known[neuron_id]

    def long_term(self, neuron_id: bytes, version: int) -> Secret:
        """Of the devices that are `able` to speak the new suite."""
        if neuron_id not in self.able:
            raise UsageError(f"no AES key for {neuron_id.hex()}")
        return psk(neuron_id[5], version)


def neuron(number: int) -> bytes:
    return bytes((5, 0, 0, 0, number >> 8, number & 255))


def omak(number: int) -> Secret:
    return Secret(bytes([number & 255]) * 12)


def psk(number: int, version: int = 0) -> Secret:
    return Secret(bytes([number & 255, version]) * 8)


def meter(
    number: int,
    now: float = START,
    *,
    aes: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    nvm: MemoryNvm | None = None,
    clock_error: float = 0.0,
    clock_drift: float = 0.0,
) -> VirtualMeter:
    """Three blocks of hours and ten log entries, so that little is to be read."""
    set_up = SetUp(data_sets=(DataSet(interval=60, blocks=3),), log_entries=10)
    traits = Traits(annual_energy=4000.0)
    profile = MeterProfile(
        neuron_id=neuron(number),
        omak=omak(number),
        seed=number,
        traits=traits,
        set_up=set_up,
        factory_key=psk(number) if aes else None,
        security=limits,
        clock_error=clock_error,
        clock_drift=clock_drift,
    )
    return VirtualMeter(profile, nvm or MemoryNvm(), random.Random(number), now)


class MemoryVault:
    """Keeps records; `cut`: called with each one before it is there."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.saves = 0
        self.cut: Callable[[int], None] = lambda number: None

    def get(self, neuron_id: bytes) -> bytes | None:
        return self.records.get(neuron_id)

    def put(self, neuron_id: bytes, record: bytes) -> None:
        self.cut(self.saves)
        self.saves += 1
        self.records[neuron_id] = record


def concentrator(
    sink: MemorySink, keys: Keys, plan: Plan, vault: MemoryVault, seed: int = 1
) -> Concentrator:
    config = NodeConfig(b"\xcc" * 6, program_id=b"CONCENTR")
    return Concentrator(plan, sink, keys, config, random.Random(seed), vault=vault)


class Street:
    """`meters` devices; `run` lets time pass. `aes`: the numbers of those with both suites."""

    def __init__(
        self,
        meters: int,
        plan: Plan | None = None,
        fate: Fate | None = None,
        *,
        aes: Container[int] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.now, self.log = START, list[tuple[str, Any]]()
        self.plan = plan or Plan()
        self.sink, self.keys = MemorySink(self.log), Keys(meters)
        self.vault = MemoryVault()
        self.meters = [meter(n, aes=n in aes, limits=limits) for n in range(meters)]
        self.keys.able = {neuron(n) for n in range(meters) if n in aes}
        self.fate: Fate = fate or (lambda street, sender, receiver, frame: [frame])
        self.rng = random.Random(5)
        self.restart()

    def restart(self) -> None:
        """The concentrator starts again, from what is stored."""
        self.concentrator = concentrator(self.sink, self.keys, self.plan, self.vault)
        self._spinning = 0

    @property
    def stations(self) -> list[Station]:
        return [self.concentrator, *self.meters]

    def told(self, kind: type[Any]) -> list[Any]:
        """Notices of one kind, up to now."""
        return [what for name, what in self.log if name == "notice" and isinstance(what, kind)]

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Lets time pass, at most until `until` holds."""
        end = self.now + seconds
        while not until():
            self._carry()
            due = min(timer for s in self.stations if (timer := s.next_timer()) is not None)
            if due > end:
                self.now = end
                return
            self._spinning = self._spinning + 1 if due <= self.now else 0
            assert self._spinning < MOST_TIMERS, "timers without time going on"
            self.now = max(self.now, due)
            for station in self.stations:
                timer = station.next_timer()
                if timer is not None and timer <= self.now:
                    station.handle_timer(self.now)
            self._note()

    def _carry(self) -> None:
        while pending := self._collect():
            self.now += LATENCY
            for sender, frame in pending:
                self.log.append(("frame", (sender, frame)))
                for receiver, station in enumerate(self.stations):
                    if receiver != sender:
                        for arriving in self.fate(self, sender, receiver, frame):
                            station.receive_frame(arriving, self.now, 20.0)
            self._note()

    def _collect(self) -> list[tuple[int, bytes]]:
        return [
            (number, out.data)
            for number, station in enumerate(self.stations)
            for out in station.frames_to_send(self.now)
        ]

    def _note(self) -> None:
        while (notice := self.concentrator.next_event()) is not None:
            self.log.append(("notice", notice))


def row(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
    """Everybody hears only his neighbours; the concentrator is at one end."""
    return [frame] if abs(sender - receiver) == 1 else []
