"""The stored network of each concentrator as a tree to be drawn."""

from __future__ import annotations

from collections import Counter, defaultdict

from osgp.concentrator.sink import Device
from osgp.export.tree import NetworkTree, TreeDevice
from osgp.headend.store import Store
from osgp.topology import Carrier, Life, LinkKey, LinkRecord, RouteRecord

_SHOWN = (Life.COMMISSIONED, Life.OPERATING, Life.LOST, Life.REFUSED)


def network_trees(store: Store) -> list[NetworkTree]:
    """One tree for each domain, in the order of their subnets. Raises StoreError.

    The concentrator of a domain is the node that is no device and has most links to those of its
    devices that it reaches directly.
    """
    devices = [device for device in store.devices() if device.state in _SHOWN]
    routes = {route.neuron_id: route for route in store.routes()}
    links = {
        LinkKey.between(link.one, link.other, Carrier(link.carrier)): link for link in store.links()
    }
    domains: dict[bytes, list[Device]] = defaultdict(list)
    for device in devices:
        domains[device.domain].append(device)
    known = {device.neuron_id for device in store.devices()}
    ordered = sorted(domains, key=lambda domain: min(each.subnet for each in domains[domain]))
    names = [f"domain {domain.hex(' ')}" if len(domains) > 1 else "" for domain in ordered]
    return [
        _tree(name, domains[domain], routes, links, known)
        for name, domain in zip(names, ordered, strict=True)
    ]


def _tree(
    name: str,
    members: list[Device],
    routes: dict[bytes, RouteRecord],
    links: dict[LinkKey, LinkRecord],
    known: set[bytes],
) -> NetworkTree:
    inside = {device.neuron_id for device in members}
    root = _root(inside, routes, links, known)
    parents = _parents([routes[node] for node in inside if node in routes])
    rows = [_row(device, parents.get(device.neuron_id), routes, links, root) for device in members]
    return NetworkTree(name, rows)


def _root(
    inside: set[bytes],
    routes: dict[bytes, RouteRecord],
    links: dict[LinkKey, LinkRecord],
    known: set[bytes],
) -> bytes:
    votes: Counter[bytes] = Counter()
    direct = {node for node in inside if node in routes and not routes[node].hops}
    for key in links:
        for root, device in ((key.one, key.other), (key.other, key.one)):
            votes[root] += root not in known and device in direct
    best = votes.most_common(1)
    return best[0][0] if best else b""


def _parents(routes: list[RouteRecord]) -> dict[bytes, bytes | None]:
    """The agent of each device's chain.

    Chains are chosen one by one, so two devices may each be reached through the other: then the
    nearer one hangs on the last repeater of its chain that does not depend on it.
    """
    parents: dict[bytes, bytes | None] = {}
    for route in sorted(routes, key=lambda each: (len(each.hops), each.neuron_id)):
        placed = [hop for hop in route.hops if hop in parents]
        parents[route.neuron_id] = placed[-1] if placed else None
    return parents


def _row(
    device: Device,
    parent: bytes | None,
    routes: dict[bytes, RouteRecord],
    links: dict[LinkKey, LinkRecord],
    root: bytes,
) -> TreeDevice:
    route = routes.get(device.neuron_id)
    hops = route.hops if route is not None else ()
    carrier = Carrier(route.carriers[-1]) if route is not None else Carrier.PRIMARY
    link = links.get(LinkKey.between(parent or root, device.neuron_id, carrier))
    return TreeDevice(
        device.neuron_id.hex(),
        f"{device.subnet}/{device.node}",
        parent.hex() if parent is not None else None,
        link.strength_db if link is not None else None,
        phase=device.phase,
        lost=device.state == Life.LOST,
        secondary=carrier is Carrier.SECONDARY,
        links=len(hops) + 1 if route is not None and parent == (hops[-1] if hops else None) else 0,
    )
