"""A simulated neighbourhood: meters and concentrators on one power line, under one clock.

Time is unix seconds UTC. The meters' memories are in a file of their own (`FileStore`), as the
meters' memories would be; so is the time at which the world stopped, in a cell of its own. The
same seed gives the same world.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

import msgspec

from osgp.channel import Medium, Scheduler, Site, Station
from osgp.channel.scenario import Scenario
from osgp.concentrator.core import Concentrator
from osgp.concentrator.happenings import Notice
from osgp.concentrator.plan import Plan
from osgp.concentrator.vault import Vault
from osgp.errors import UsageError
from osgp.lon import destination_key
from osgp.lon.config import NodeConfig
from osgp.meter.device import VirtualMeter
from osgp.meter.identity import MeterProfile
from osgp.meter.nvm import FileStore
from osgp.security.keys import device_omak, device_psk
from osgp.security.secret import Secret

from .territory import Keeper, Registry, Territory

CONCENTRATOR_NEURON = bytes.fromhex("00a15c000001")
CONCENTRATOR_PROGRAM = bytes.fromhex("9fff010000000001")
_WORLD = bytes(6)
_NOW = "now"


class MasterKey:
    """The utility's keys, each derived from one master key and the device's neuron id.

    `able`: the devices that know OSGP-AES-128-PSK, whose factory key the utility was given too.
    """

    def __init__(self, master: Secret, able: frozenset[bytes] = frozenset()) -> None:
        self._master, self.able = master, able

    def omak(self, neuron_id: bytes) -> Secret:
        return device_omak(self._master, neuron_id)

    def long_term(self, neuron_id: bytes, version: int) -> Secret:
        """Raises UsageError for a device that is not `able`."""
        if neuron_id not in self.able:
            raise UsageError(f"there is no AES key for {neuron_id.hex()}")
        return device_psk(self._master, neuron_id, version)


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
        keeper: Keeper,
        keys: MasterKey,
        *,
        seed: int,
        now: float,
        plan: Plan | None = None,
        vault: Vault | None = None,
    ) -> None:
        rng = Random(seed)
        self.scheduler = Scheduler(now)
        self._memory, self._keeper, self._keys = memory, keeper, keys
        self._plan, self._vault = plan or Plan(), vault
        self.medium: Medium = scenario.medium(
            self.scheduler, Random(rng.getrandbits(64)), destination_key, meters=len(profiles)
        )
        self.meters = [
            VirtualMeter(
                profile, memory.memory(profile.neuron_id), Random(rng.getrandbits(64)), now
            )
            for profile in profiles
        ]
        sites = self.medium.feeder.with_role("meter")
        for meter, site in zip(self.meters, sites, strict=True):
            meter.stack.config.phase = phase_code(site)
            self.medium.attach(meter, site.name)
        self._registry = Registry(keeper.devices())
        self.concentrators: list[Concentrator] = []
        self._stations: list[Station] = []
        for number in range(len(self.medium.feeder.with_role("concentrator"))):
            concentrator = self._concentrator(number, Random(rng.getrandbits(64)))
            self.concentrators.append(concentrator)
            self._stations.append(self._attach(concentrator, number))

    @property
    def concentrator(self) -> Concentrator:
        """The first one, or the only one."""
        return self.concentrators[0]

    def restart_concentrator(self, number: int = 0) -> Concentrator:
        """Cuts a concentrator off, as a power cut would, and starts it from what is stored."""
        self.medium.detach(self._stations[number])
        rng = Random(f"{number}/{self.now}")
        self.concentrators[number] = self._concentrator(number, rng)
        self._stations[number] = self._attach(self.concentrators[number], number)
        return self.concentrators[number]

    def _concentrator(self, number: int, rng: Random) -> Concentrator:
        def lost(neuron_id: bytes) -> None:
            self.concentrators[number].release(neuron_id, self.now)

        territory = Territory(self._keeper, self._registry, lost)
        config = NodeConfig(concentrator_neuron(number), CONCENTRATOR_PROGRAM)
        plan = plan_of(self._plan, number)
        return Concentrator(
            plan, territory, self._keys, config, rng, memory=territory, vault=self._vault
        )

    def _attach(self, concentrator: Concentrator, number: int) -> Station:
        site = self.medium.feeder.with_role("concentrator")[number]
        return self.medium.attach(concentrator, site.name)

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
            for concentrator in self.concentrators:
                while (event := concentrator.next_event()) is not None:
                    watcher.notice(event)
            watcher.tick(self.now)

    def visit_all(self, at: float) -> None:
        """Every concentrator visits all its devices at `at`."""
        for concentrator, station in zip(self.concentrators, self._stations, strict=True):
            concentrator.visit_all(at)
            station.poke(self.now)

    def note_time(self) -> None:
        """Writes the time. What the meters have not written yet they work out again up to it."""
        cell = self._memory.memory(_WORLD)
        cell.put(_NOW, repr(self.now).encode())
        cell.commit()
        cell.sync()


def concentrator_neuron(number: int) -> bytes:
    """Neuron id of a simulated concentrator."""
    return (int.from_bytes(CONCENTRATOR_NEURON, "big") + number).to_bytes(6, "big")


def plan_of(plan: Plan, number: int) -> Plan:
    """Every concentrator has a domain and a first subnet of its own."""
    domain = plan.domain[:-1] + bytes((plan.domain[-1] + number & 0xFF,))
    return msgspec.structs.replace(plan, domain=domain, subnet=plan.subnet + 64 * number)


def phase_code(site: Site) -> int:
    """The phase that a device at `site` measures: 1, 3 and 5 for L1 to L3."""
    return 2 * min(site.phases) - 1


def time_of(memory: FileStore) -> float | None:
    """When the world that this memory belongs to was last seen; None for a new one."""
    cell = memory.memory(_WORLD).get(_NOW)
    return None if cell is None else float(cell)
