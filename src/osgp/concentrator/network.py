"""Links and chains of one concentrator's network, and what is kept of them over a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from osgp.topology import Carrier, LinkRecord, Links, RouteRecord, Routes
from osgp.topology.atm import MESSAGE_CODE

from .query import Found
from .roster import Roster
from .sink import TopologyStore

KEEP_LINKS_EVERY: Final = 60.0
"""Seconds of link statistics that a restart may lose."""


class Unkept:
    """A topology store that forgets."""

    def links(self) -> list[LinkRecord]:
        return []

    def routes(self) -> list[RouteRecord]:
        return []

    def save_topology(self, links: Sequence[LinkRecord], routes: Sequence[RouteRecord]) -> None:
        """Nothing is kept."""


Heed = Callable[[bytes, bytes, bytes], None]
"""Takes the neuron id of a device, a request that reached it, and the answer that came back."""


class Network:
    """`root` is the concentrator's own neuron id. `heed` is told of every exchange that succeeded
    in commissioning and visits, which is what the network is for."""

    def __init__(self, root: bytes, roster: Roster, store: TopologyStore) -> None:
        self.root, self.roster, self._store = root, roster, store
        self.links = Links(store.links())
        records = [each for each in store.routes() if each.neuron_id in roster.devices]
        self.heed: Heed | None = None
        self.routes = Routes(root, self.links, roster.repeats, records)
        self._save_at = 0.0

    def carried(self, neuron_id: bytes, request: bytes, answer: bytes) -> None:
        """An exchange succeeded; searches do not count."""
        if self.heed is not None and request[0] != MESSAGE_CODE:
            self.heed(neuron_id, request, answer)

    def save(self, now: float) -> None:
        """Keeps a new chain at once, what links did once a minute. Raises StoreError.

        Without its chain a device is out of reach after a restart; without a minute of its
        statistics nothing is.
        """
        if self.routes.pending or now >= self._save_at:
            self._save_at = now + KEEP_LINKS_EVERY
            self.save_all()

    def save_all(self) -> None:
        """Keeps all that changed. Raises StoreError."""
        links, routes = self.links.changed(), self.routes.changed()
        if links or routes:
            self._store.save_topology(links, routes)

    def measure(self, asker: bytes, found: Found, carrier: Carrier, now: float) -> None:
        """Takes in how a device that answered `asker` and the asker heard each other.

        Only of devices that are known or may become so: anybody can make up ids.
        """
        neuron_id = found.neuron_id
        known = neuron_id in self.roster.devices or self.roster.has_room
        if known and neuron_id != self.root:
            self.links.heard(asker, neuron_id, carrier, found.outward_db, now)
            self.links.heard(neuron_id, asker, carrier, found.inward_db, now)

    def hops_to(self, neuron_id: bytes) -> int:
        """Repeaters on the way to a device; 0 also where none was used yet."""
        route = self.routes.current(neuron_id)
        return len(route.hops) if route is not None else 0

    def strength_of(self, neuron_id: bytes) -> float:
        """Margin (dB) of the last link to a device; 0 where nothing is known."""
        route = self.routes.current(neuron_id)
        if route is None:
            return 0.0
        key = route.links(self.root, neuron_id)[-1]
        record = self.links.get(key.one, key.other, key.carrier)
        strength = record.strength_db if record is not None else None
        return 0.0 if strength is None else strength
