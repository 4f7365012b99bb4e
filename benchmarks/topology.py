"""Airtime of a network from nothing to its first daily read, against what had to cross the line.

The lower bound is what `necessity` counts for each device, over the links of its shortest usable
chain: bytes that must cross, at line rate, with preambles, both ways, without any loss. A link is
usable when its margin on one of the carriers is `USABLE_DB` at the mean noise of the day. A device
without any usable chain counts with one link.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osgp.channel import A_BAND, C_BAND
from osgp.channel import scenario as scenarios
from osgp.channel.scenario import Scenario
from osgp.concentrator.happenings import Notice
from osgp.concentrator.plan import Plan
from osgp.headend.store import open_store
from osgp.meter.identity import neighbourhood
from osgp.meter.nvm import FileStore
from osgp.run.up import BEGINNING, DEMO_MASTER, EXPECTED_ANSWERS
from osgp.run.world import MasterKey, World
from osgp.security.secret import Secret
from osgp.topology import Life

from .necessity import ANSWER, Necessity, airtime
from .table import Row

TITLE = "A network is found, commissioned and read once: airtime against the lower bound"
RUNS = (("block", 1000, 8.0), ("rural-feeder", 24, 12.0))
"""Scenario, meters, hours; every device is visited once in that time."""
GOAL = 1.25
USABLE_DB = 3.0


class Unwatched:
    chunk = 600.0

    def notice(self, event: Notice) -> None:
        """Nobody looks."""

    def tick(self, now: float) -> None:
        """Nobody looks."""


def run() -> list[Row]:
    rows: list[Row] = []
    for name, meters, hours in RUNS:
        rows += measured(name, meters, hours)
    return rows


def measured(name: str, meters: int, hours: float, seed: int = 5) -> list[Row]:
    """One scenario."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = _world(name, meters, folder, stack, seed)
        needed = Necessity()
        world.concentrator.network.heed = needed.heed
        begun = time.perf_counter()
        world.run(BEGINNING + hours * 3600, Unwatched())
        wall = time.perf_counter() - begun
        return _rows(name, meters, hours, world, needed, wall)


def _rows(
    name: str, meters: int, hours: float, world: World, needed: Necessity, wall: float
) -> list[Row]:
    devices = world.concentrator.devices.values()
    read = sum(known.life is Life.OPERATING for known in devices)
    used, scenario = world.medium.counts.airtime, scenarios.load(name)
    bound = lower_bound(world, scenario, needed)
    hard = lower_bound(world, scenario, needed, shared=True)
    goal = f"< {GOAL}" if name == "block" else ""
    return [
        Row(f"{name}: devices read", f"{read}", f"{read / meters:.0%}", "100%"),
        Row(f"{name}: airtime", f"{used:,.0f} s", f"{used / bound:.2f} x bound", goal),
        Row(f"{name}: if nothing crossed twice", f"{hard:,.0f} s", f"{used / hard:.2f} x that", ""),
        Row(f"{name}: simulated", f"{hours:.0f} h", f"{hours * 3600 / wall:,.0f} x real time"),
    ]


def _world(name: str, meters: int, folder: Path, stack: ExitStack, seed: int) -> World:
    keys = MasterKey(Secret(DEMO_MASTER))
    memory = FileStore(folder / "meters.db")
    stack.callback(memory.close)
    store = stack.enter_context(open_store(f"sqlite:///{folder / 'x.db'}"))
    profiles = neighbourhood(meters, seed, keys.omak, disturbed=False)
    plan = Plan(ranges=max(4, meters // EXPECTED_ANSWERS), visit_every=86_400.0)
    scenario = scenarios.load(name)
    return World(scenario, profiles, memory, store, keys, seed=seed, now=BEGINNING, plan=plan)


def lower_bound(
    world: World, scenario: Scenario, needed: Necessity, *, shared: bool = False
) -> float:
    """Seconds of airtime without which the devices could not have been found and read.

    `shared`: where what is the same in all devices has crossed once, over one link.
    """
    access = A_BAND if scenario.band == "A" else C_BAND
    links = links_to(world, scenario)
    seconds = airtime(needed.common(), access) if shared else 0.0
    for index, meter in enumerate(world.meters):
        own = needed.own if shared else needed.exchanges
        one_link = airtime(own(meter.profile.neuron_id), access) + access.airtime(ANSWER)
        seconds += links[index] * one_link
    return seconds


def links_to(world: World, scenario: Scenario) -> NDArray[np.int64]:
    """For each meter the links of its shortest usable chain (1: direct), 1 where there is none."""
    feeder, line, noise = world.medium.feeder, scenario.line, scenario.noise
    level = line.tx_level - feeder.path_loss().min(axis=0)
    usable = level - np.mean(noise.floor) - line.required_sinr >= USABLE_DB
    sites = [site.name for site in feeder.sites]
    depth = np.ones(len(sites), dtype=np.int64)
    start = sites.index(feeder.with_role("concentrator")[0].name)
    queue, seen = deque([(start, 0)]), {start}
    while queue:
        site, links = queue.popleft()
        depth[site] = links
        near = [other for other in np.flatnonzero(usable[site]).tolist() if other not in seen]
        seen.update(near)
        queue.extend((other, links + 1) for other in near)
    return np.array([depth[sites.index(site.name)] for site in feeder.with_role("meter")])
