"""Who is to be asked next for devices that are not known, or not reached, and by whom.

Three things make somebody look, in this order:

    discovery    the concentrator's own queries, until they are settled (see `Discovery`)
    quests       a registered device does not answer any more: the concentrator asks for it by its
                 own hash, then up to `Plan.quest` others that may hear it
    searches     every registered device asks around on both carriers, soon again after it was
                 commissioned and every `Plan.search_every` later: those farthest out first, and
                 among equals those heard worst, for they are the ones that hear what the
                 concentrator does not. Whoever finds somebody asks again. Who has no second way to
                 the concentrator then asks some registered devices whether they hear it.
                 After `Plan.patience` who found nobody, the rest waits for the next cycle.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Final

import msgspec

from osgp.topology import Ask, Carrier, Discovery, Life, ask_for, atm

from .known import KnownDevice
from .network import Network
from .plan import Plan

_IN_CONTACT = (Life.COMMISSIONED, Life.OPERATING)


STRONG_DB: Final = 10.0
"""A direct link with this margin needs no alternative."""
SURVEYED: Final = 16


class Task(msgspec.Struct, frozen=True):
    """`ask`, to be sent by `searcher` (None: the concentrator itself). `sought`: of a quest."""

    ask: Ask
    searcher: bytes | None = None
    sought: bytes | None = None


class Finder:
    """`cycle` begins anew what was settled; `next` is None when there is nothing to ask."""

    def __init__(self, rng: random.Random, plan: Plan, network: Network) -> None:
        self._rng, self._plan, self._network = rng, plan, network
        self.discovery = Discovery(rng, ranges=plan.ranges)
        self._quests: dict[bytes, deque[Task]] = {}
        self._searcher: tuple[bytes, Discovery] | None = None
        self._in_vain = 0
        self._failed: set[bytes] = set()

    def cycle(self) -> None:
        """To be called every `Plan.discover_every`."""
        self.discovery.restart()
        self._in_vain = 0
        self._failed.clear()

    def seek(self, neuron_id: bytes) -> None:
        """Begins a quest, unless there is one."""
        if neuron_id not in self._quests:
            self._quests[neuron_id] = deque(self._quest(neuron_id))

    def drop(self, neuron_id: bytes) -> None:
        """The device is found, or of no interest any more."""
        self._quests.pop(neuron_id, None)

    def next(self, now: float) -> Task | None:
        """What to ask next."""
        ask = self.discovery.next_query()
        if ask is not None:
            return Task(ask)
        return self._next_of_quests() or self._next_search(now)

    def answered(self, task: Task, answers: int, new: int) -> None:
        """What came of a task: `answers` devices, `new` of them to be registered."""
        if task.sought is not None:
            return
        if task.searcher is None:
            self.discovery.answered(task.ask, answers, new)
        elif self._searcher is not None and self._searcher[0] == task.searcher:
            self._searcher[1].answered(task.ask, answers, new)
            self._in_vain = 0 if new else self._in_vain

    def failed(self, task: Task) -> None:
        """The searcher could not be asked: it is left out until the next cycle."""
        if task.searcher is not None:
            self._failed.add(task.searcher)
        if task.sought is None:
            self._searcher = None

    # --- quests ------------------------------------------------------------------------------

    def _quest(self, sought: bytes) -> Iterator[Task]:
        for carrier in Carrier:
            yield Task(ask_for(sought, self._rng, carrier), None, sought)
        for searcher in self._hearers(sought):
            yield Task(ask_for(sought, self._rng), searcher, sought)

    def _hearers(self, sought: bytes) -> list[bytes]:
        """Devices that may hear it: its neighbours, then those of its old agent."""
        links, roster = self._network.links, self._network.roster
        route = self._network.routes.current(sought)
        agent = route.hops[-1] if route is not None and route.hops else self._network.root
        near = chain(links.neighbours(sought), links.neighbours(agent), roster.devices)
        able = (node for node in near if node != sought and roster.repeats(node))
        return list(dict.fromkeys(able))[: self._plan.quest]

    def _next_of_quests(self) -> Task | None:
        for sought in list(self._quests):
            if self._quests[sought]:
                return self._quests[sought].popleft()
            del self._quests[sought]
        return None

    # --- searches ----------------------------------------------------------------------------

    def _next_search(self, now: float) -> Task | None:
        while True:
            if self._searcher is None and not self._choose_searcher(now):
                return None
            assert self._searcher is not None
            neuron_id, plan = self._searcher
            ask = plan.next_query()
            if ask is not None:
                return Task(ask, neuron_id)
            self._searcher = None
            if self._needs_links(neuron_id, now):
                return Task(self._survey(), neuron_id)

    def _choose_searcher(self, now: float) -> bool:
        if self._in_vain >= self._plan.patience:
            return False
        devices = self._network.roster.devices.values()
        due = [known for known in devices if self._is_due(known, now)]
        if not due:
            return False
        chosen = min(due, key=self._rank).device.neuron_id
        known = self._network.roster.devices[chosen]
        silences = 2 if known.device.searched_at is None else 1
        self._searcher = chosen, Discovery(self._rng, ranges=1, silences=silences, ladders=0)
        self._in_vain += 1
        return True

    def _needs_links(self, neuron_id: bytes, now: float) -> bool:
        """Whether the device has no second way to the concentrator, and may need one."""
        network = self._network
        if not network.hops_to(neuron_id) and network.strength_of(neuron_id) >= STRONG_DB:
            return False
        return len(network.routes.alternatives(neuron_id, now, 2)) < 2

    def _survey(self) -> Ask:
        """Who hears the searcher, of about `SURVEYED` registered devices drawn at random?"""
        share = min(1.0, SURVEYED / max(1, len(self._network.roster.devices)))
        width = max(1, int(share * atm.HASH_RANGE))
        low = self._rng.randrange(atm.HASH_RANGE - width + 1)
        wanted = atm.HashRange(low, low + width - 1)
        return Ask(self._rng.getrandbits(16), wanted, members=True)

    def _is_due(self, known: KnownDevice, now: float) -> bool:
        ready = known.life in _IN_CONTACT and known.failures == 0
        return ready and known.device.neuron_id not in self._failed and now >= self._due(known)

    def _due(self, known: KnownDevice) -> float:
        """At once, then after one cycle, two, four ..., and every `search_every` in the end."""
        searched, since = known.device.searched_at, known.device.commissioned_at
        if searched is None or since is None:
            return 0.0
        wait = max(self._plan.discover_every, searched - since)
        return searched + min(wait, self._plan.search_every)

    def _rank(self, known: KnownDevice) -> tuple[float, int, float]:
        """Never searched first, then far from the concentrator, then heard badly."""
        neuron_id = known.device.neuron_id
        hops, strength = self._network.hops_to(neuron_id), self._network.strength_of(neuron_id)
        return known.device.searched_at or 0.0, -hops, strength
