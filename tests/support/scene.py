"""A whole simulated neighbourhood for tests: scenario, meters, concentrators, a store in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from osgp.channel import scenario as scenarios
from osgp.channel.scenario import Scenario
from osgp.concentrator.core import Concentrator
from osgp.concentrator.happenings import Commissioned, Notice
from osgp.concentrator.plan import Plan
from osgp.headend.store import Store, open_store
from osgp.meter.identity import neighbourhood
from osgp.meter.nvm import FileStore
from osgp.run.suites import Knows, equipped, open_vault
from osgp.run.up import BEGINNING, DEMO_MASTER, EXPECTED_ANSWERS
from osgp.run.world import MasterKey, World
from osgp.security.secret import Secret
from osgp.topology import Life

HOUR = 3600.0


class Scene:
    """A world and its store; `notices` are counted by kind, `commissioned` by device."""

    chunk = 60.0

    def __init__(self, world: World, store: Store) -> None:
        self.world, self.store = world, store
        self.notices: Counter[str] = Counter()
        self.commissioned: Counter[bytes] = Counter()

    @property
    def concentrator(self) -> Concentrator:
        return self.world.concentrator

    @property
    def hour(self) -> float:
        return (self.world.now - BEGINNING) / HOUR

    def run_to(self, hour: float, unfinished: Callable[[], bool] = lambda: True) -> None:
        """Up to `hour` of the simulation, or until nothing is `unfinished`."""
        self.world.run_while(unfinished, BEGINNING + hour * HOUR, self)

    def lives(self) -> Counter[Life]:
        """Devices of all concentrators by life."""
        return Counter(
            known.life for each in self.world.concentrators for known in each.devices.values()
        )

    def unread(self) -> int:
        """Meters that have not been read yet."""
        return len(self.world.meters) - self.lives()[Life.OPERATING]

    def notice(self, event: Notice) -> None:
        self.notices[type(event).__name__] += 1
        if isinstance(event, Commissioned):
            self.commissioned[event.neuron_id] += 1

    def tick(self, now: float) -> None:
        """Nobody looks."""


@contextmanager
def scene(
    folder: Path,
    scenario: str | Scenario,
    meters: int,
    *,
    seed: int = 5,
    plan: Plan | None = None,
    suite: Knows = Knows.OMA,
) -> Iterator[Scene]:
    """Meters without disturbances of their supply, from the beginning of a day.

    `suite`: what they know, and the concentrators do with that; its vault is a file too.
    """
    keys = MasterKey(Secret(DEMO_MASTER))
    memory = FileStore(folder / "meters.db")
    line = scenarios.load(scenario) if isinstance(scenario, str) else scenario
    plan = plan or Plan(visit_every=12 * HOUR, ranges=max(4, meters // EXPECTED_ANSWERS))
    plan = msgspec.structs.replace(plan, suite=suite.plan)
    vault = open_vault(folder / "keys.db", suite, begun=False)
    try:
        with open_store(f"sqlite:///{folder / 'x.db'}") as store:
            profiles = neighbourhood(meters, seed, keys.omak, disturbed=False)
            profiles = equipped(profiles, suite, keys)
            world = World(
                line,
                profiles,
                memory,
                store,
                keys,
                seed=seed,
                now=BEGINNING,
                plan=plan,
                vault=vault,
            )
            yield Scene(world, store)
    finally:
        if vault is not None:
            vault.close()
        memory.close()
