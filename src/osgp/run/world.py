"""A simulated neighbourhood: meters and a concentrator on one power line, under one clock.

Time is unix seconds UTC. The meters' memories are in a file of their own (`FileStore`), as the
meters' memories would be; so is the time at which the world stopped, in a cell of its own. The
same seed gives the same world.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from osgp.channel import Medium, Scheduler
from osgp.channel.scenario import Scenario
from osgp.concentrator.core import Concentrator
from osgp.concentrator.happenings import Notice
from osgp.concentrator.plan import Plan
from osgp.concentrator.sink import Sink
from osgp.lon import destination_key
from osgp.lon.config import NodeConfig
from osgp.meter.device import VirtualMeter
from osgp.meter.identity import MeterProfile
from osgp.meter.nvm import FileStore
from osgp.security.keys import device_omak
from osgp.security.secret import Secret

CONCENTRATOR_NEURON = bytes.fromhex("00a15c000001")
CONCENTRATOR_PROGRAM = bytes.fromhex("9fff010000000001")
_WORLD = bytes(6)
_NOW = "now"


class MasterKey:
    """The utility's keys, each derived from one master key and the device's neuron id."""

    def __init__(self, master: Secret) -> None:
        self._master = master

    def omak(self, neuron_id: bytes) -> Secret:
        return device_omak(self._master, neuron_id)


class Watcher(Protocol):
    """Somebody who looks at the world every `chunk` seconds of its time."""

    chunk: float

    def notice(self, event: Notice) -> None: ...
    def tick(self, now: float) -> None: ...


class World:
    """Everything that talks, and the clock. Only `run` makes time pass."""

    def __init__(
        self,
        scenario: Scenario,
        profiles: list[MeterProfile],
        memory: FileStore,
        sink: Sink,
        keys: MasterKey,
        *,
        seed: int,
        now: float,
        plan: Plan | None = None,
    ) -> None:
        rng = Random(seed)
        self.scheduler = Scheduler(now)
        self._memory = memory
        self.medium: Medium = scenario.medium(
            self.scheduler, Random(rng.getrandbits(64)), destination_key, meters=len(profiles)
        )
        sites = self.medium.feeder.with_role("meter")
        self.meters = [
            VirtualMeter(
                profile, memory.memory(profile.neuron_id), Random(rng.getrandbits(64)), now
            )
            for profile in profiles
        ]
        for meter, site in zip(self.meters, sites, strict=True):
            self.medium.attach(meter, site.name)
        config = NodeConfig(CONCENTRATOR_NEURON, CONCENTRATOR_PROGRAM)
        self.concentrator = Concentrator(
            plan or Plan(), sink, keys, config, Random(rng.getrandbits(64))
        )
        self._station = self.medium.attach(self.concentrator, "concentrator")

    @property
    def now(self) -> float:
        return self.scheduler.now

    def run(self, until: float, watcher: Watcher) -> None:
        """Lets time pass up to `until`, and tells what the concentrator has to say."""
        self.run_while(lambda: True, until, watcher)

    def run_while(self, unfinished: Callable[[], bool], until: float, watcher: Watcher) -> None:
        """Lets time pass while `unfinished()`, at most up to `until`."""
        while unfinished() and self.now < until:
            self.scheduler.run_until(min(until, self.now + watcher.chunk))
            self.note_time()
            while (event := self.concentrator.next_event()) is not None:
                watcher.notice(event)
            watcher.tick(self.now)

    def visit_all(self, at: float) -> None:
        self.concentrator.visit_all(at)
        self._station.poke(self.now)

    def note_time(self) -> None:
        """Writes the meters' memories and the time."""
        cell = self._memory.memory(_WORLD)
        cell.put(_NOW, repr(self.now).encode())
        cell.commit()
        self._memory.sync()


def time_of(memory: FileStore) -> float | None:
    """When the world that this memory belongs to was last seen; None for a new one."""
    cell = memory.memory(_WORLD).get(_NOW)
    return None if cell is None else float(cell)
