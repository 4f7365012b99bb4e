"""The table device → chain, and how chains are chosen and revised.

A chain costs what its links cost, and a link costs the tries that one exchange over it is expected
to take (the inverse of its `quality`) plus `HOP_COST` for the time that every further hop takes. A
weak link to the concentrator thus loses against two strong ones, and a strong one never does. Links
below the lower threshold `USABLE` are only taken where there is nothing else; above the upper one
(`links.AMPLE_DB`) nothing is gained. Cheapest chains are found as shortest paths (Dijkstra), so no
chain visits a node twice.

A chain in use is kept until another costs less than `SWITCH_BELOW` of it (hysteresis). Success and
failure change what links cost: a repeating failure (Annex G) names the link that broke, those
before it have worked. While one conversation goes on, links that broke in it cost `BROKEN` times
as much: its next try takes the next alternative, and comes back only where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from heapq import heappop, heappush
from itertools import pairwise
from typing import Final

import msgspec

from osgp.repeating import MAX_HOPS

from .links import Carrier, LinkKey, Links, Node

HOP_COST: Final = 0.4
SWITCH_BELOW: Final = 0.85
USABLE: Final = 0.3
"""The lower threshold, as a `quality`."""
LAST_RESORT: Final = 10.0
"""How much more a link below the lower threshold costs."""
BROKEN: Final = 8.0
WORST: Final = 0.02
REVISE_AFTER: Final = 900.0
"""Seconds for which a chain that works is not put in question."""


class Route(msgspec.Struct, frozen=True):
    """`hops`: repeaters from the concentrator to the agent, none for direct reach.

    `carriers`: one for each link, so one more than hops.
    """

    hops: tuple[Node, ...] = ()
    carriers: tuple[Carrier, ...] = (Carrier.PRIMARY,)

    def links(self, root: Node, target: Node) -> tuple[LinkKey, ...]:
        """From the concentrator to the target."""
        nodes = (root, *self.hops, target)
        return tuple(
            LinkKey.between(a, b, carrier)
            for (a, b), carrier in zip(pairwise(nodes), self.carriers, strict=True)
        )


DIRECT: Final = Route()


class RouteRecord(msgspec.Struct, frozen=True):
    """The chain that is in use to a device, as it is stored. `changed_at` in seconds UTC."""

    neuron_id: Node
    hops: tuple[Node, ...]
    carriers: tuple[int, ...]
    changed_at: float


class _Chosen(msgspec.Struct):
    route: Route
    changed_at: float
    revised_at: float = float("-inf")
    doubtful: bool = False


class Routes:
    """Chains from `root` (the concentrator) to its devices, over `links`.

    `repeats(node)`: whether a node may be a repeater (it is registered, and in contact).
    """

    def __init__(
        self,
        root: Node,
        links: Links,
        repeats: Callable[[Node], bool],
        records: Iterable[RouteRecord] = (),
    ) -> None:
        self._root, self._links, self._repeats = root, links, repeats
        self._changed: dict[Node, None] = {}
        self._chosen = {
            record.neuron_id: _Chosen(
                Route(record.hops, tuple(map(Carrier, record.carriers))), record.changed_at
            )
            for record in records
        }

    def current(self, target: Node) -> Route | None:
        """The chain in use; None while there was none."""
        chosen = self._chosen.get(target)
        return None if chosen is None else chosen.route

    def choose(self, target: Node, now: float, broken: Collection[LinkKey] = ()) -> Route:
        """The chain for the next try. `broken`: links that broke in this conversation."""
        chosen = self._chosen.get(target)
        if chosen is None:
            return self._adopt(target, self._best(target, now, broken) or DIRECT, now)
        settled = now - chosen.revised_at < REVISE_AFTER and not chosen.doubtful
        if not broken and (settled or self._unbeatable(target, chosen.route, now)):
            return chosen.route
        return self._revise(target, chosen, now, broken)

    def succeeded(self, target: Node, route: Route, now: float) -> None:
        """The chain brought an answer: it is the one in use."""
        chosen = self._chosen.get(target)
        if chosen is None or chosen.route != route:
            self._adopt(target, route, now)
        else:
            chosen.doubtful = False

    def failed(self, target: Node) -> None:
        """The chain in use brought none: the next choice considers all others."""
        chosen = self._chosen.get(target)
        if chosen is not None:
            chosen.doubtful = True

    def alternatives(self, target: Node, now: float, most: int = 4) -> list[Route]:
        """The cheapest chains to the device over different agents, best first."""
        costs, before = self._shortest(self._root, now, (), never=target)
        found: list[tuple[float, Route]] = []
        for agent in self._links.neighbours(target):
            if agent in costs and len(self._way_to(agent, before)) <= MAX_HOPS:
                cost, carrier = self._hop(agent, target, now, ())
                found.append((costs[agent] + cost, self._route(agent, carrier, before)))
        found.sort(key=lambda each: each[0])
        return [route for _, route in found[:most]]

    def forget(self, target: Node) -> None:
        """The device is gone for good."""
        self._chosen.pop(target, None)

    @property
    def pending(self) -> bool:
        """Whether a chain has changed since the last call of `changed`."""
        return bool(self._changed)

    def changed(self) -> list[RouteRecord]:
        """Chains that changed since the last call: to be stored."""
        records = [
            RouteRecord(target, each.route.hops, tuple(each.route.carriers), each.changed_at)
            for target in self._changed
            if (each := self._chosen.get(target)) is not None
        ]
        self._changed.clear()
        return records

    def cost(
        self, route: Route, target: Node, now: float, broken: Collection[LinkKey] = ()
    ) -> float:
        """Expected tries of one exchange over a chain; infinite where a hop does not repeat."""
        if not all(map(self._repeats, route.hops)):
            return float("inf")
        keys = route.links(self._root, target)
        return sum(self._link_cost(key, now, broken) for key in keys)

    # --- choosing ----------------------------------------------------------------------------

    def _adopt(self, target: Node, route: Route, now: float) -> Route:
        self._chosen[target] = _Chosen(route, now, now)
        self._changed[target] = None
        return route

    def _revise(
        self, target: Node, chosen: _Chosen, now: float, broken: Collection[LinkKey]
    ) -> Route:
        chosen.revised_at = now
        best = self._best(target, now, broken)
        if best is None or best == chosen.route:
            return chosen.route
        cost = self.cost(best, target, now, broken)
        share = 1.0 if chosen.doubtful or broken else SWITCH_BELOW
        if cost >= share * self.cost(chosen.route, target, now, broken):
            return chosen.route
        return best if broken else self._adopt(target, best, now)

    def _unbeatable(self, target: Node, route: Route, now: float) -> bool:
        """Direct, and cheaper than any two links can be."""
        return not route.hops and self.cost(route, target, now) <= 2 * (1.0 + HOP_COST)

    def _best(self, target: Node, now: float, broken: Collection[LinkKey]) -> Route | None:
        """The cheapest chain, None where no known link leads to the device.

        It is looked for from the device's end, where there are few links: a concentrator has
        links to everybody.
        """
        costs, before = self._shortest(target, now, broken, until=self._root)
        if self._root not in costs:
            return None
        hops, carriers, node = [], [], self._root
        while node != target:
            node, carrier = before[node]
            hops.append(node)
            carriers.append(carrier)
        return Route(tuple(hops[:-1]), tuple(carriers))

    def _shortest(
        self,
        start: Node,
        now: float,
        broken: Collection[LinkKey],
        *,
        until: Node | None = None,
        never: Node | None = None,
    ) -> tuple[dict[Node, float], dict[Node, tuple[Node, Carrier]]]:
        """Costs from `start` of all repeaters up to `until`, and for each the node before it."""
        costs: dict[Node, float] = {}
        before: dict[Node, tuple[Node, Carrier]] = {}
        queue: list[tuple[float, int, Node, Node, Carrier]] = [
            (0.0, 0, start, start, Carrier.PRIMARY)
        ]
        while queue:
            cost, depth, node, agent, carrier = heappop(queue)
            if node in costs:
                continue
            costs[node], before[node] = cost, (agent, carrier)
            if node == until:
                break
            if depth > MAX_HOPS - (until is None):
                continue
            for other in self._links.neighbours(node):
                onward = other == until or (other != never and self._repeats(other))
                if other not in costs and onward:
                    step, carrier = self._hop(node, other, now, broken)
                    heappush(queue, (cost + step, depth + 1, other, node, carrier))
        return costs, before

    def _hop(
        self, a: Node, b: Node, now: float, broken: Collection[LinkKey]
    ) -> tuple[float, Carrier]:
        """Cost of the better carrier between two nodes."""
        keys = self._links.between(a, b)
        return min((self._link_cost(key, now, broken), key.carrier) for key in keys)

    def _link_cost(self, key: LinkKey, now: float, broken: Collection[LinkKey]) -> float:
        record = self._links.at(key)
        quality = max(WORST, WORST if record is None else record.quality(now))
        cost = 1.0 / quality + HOP_COST
        if quality < USABLE:
            cost *= LAST_RESORT
        return cost * BROKEN if key in broken else cost

    def _way_to(self, node: Node, before: dict[Node, tuple[Node, Carrier]]) -> list[Node]:
        """Repeaters from the first one to `node`."""
        way: list[Node] = []
        while node != self._root:
            way.append(node)
            node = before[node][0]
        return way[::-1]

    def _route(
        self, agent: Node, carrier: Carrier, before: dict[Node, tuple[Node, Carrier]]
    ) -> Route:
        hops = self._way_to(agent, before)
        return Route(tuple(hops), (*(before[hop][1] for hop in hops), carrier))
