"""Links and chains in the store, and the tree that is drawn from them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from osgp.concentrator.sink import Device, TopologyStore
from osgp.errors import StoreError
from osgp.headend.network import network_trees
from osgp.headend.store import open_store
from osgp.topology import LinkRecord, RouteRecord

ROOT, A, B, C = (bytes((n,)) * 6 for n in range(1, 5))
STATES = ("operating", "commissioned", "lost")
AT = 1_767_571_200.0


def device(neuron_id: bytes, node: int, domain: bytes = b"OSG", state: str = "operating") -> Device:
    return Device(neuron_id, bytes(8), state, AT, domain=domain, subnet=1, node=node, phase=3)


def link(one: bytes, other: bytes, strength: float | None, carrier: int = 0) -> LinkRecord:
    return LinkRecord(one, other, carrier, strength, strength, 1.5, 0.25, AT)


def test_links_and_chains_come_back_as_they_were(tmp_path: Path) -> None:
    links = [link(ROOT, A, 12.5), link(ROOT, A, None, 1), link(A, B, -1.5)]
    routes = [RouteRecord(A, (), (1,), AT), RouteRecord(B, (A,), (0, 1), AT + 1)]
    url = f"sqlite:///{tmp_path}/x.db"
    with open_store(url) as store:
        kept: TopologyStore = store
        for number, neuron_id in enumerate((A, B)):
            store.save_device(device(neuron_id, number + 1))
        kept.save_topology(links, routes)
    with open_store(url) as store:
        assert sorted(store.links(), key=repr) == sorted(links, key=repr)
        assert store.routes() == routes
        assert [each.phase for each in store.devices()] == [3, 3]


def test_newer_knowledge_takes_the_place_of_older(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store:
        store.save_device(device(A, 1))
        for strength, hops in ((3.0, ()), (9.0, (B,))):
            carriers = (0,) * (len(hops) + 1)
            store.save_topology([link(ROOT, A, strength)], [RouteRecord(A, hops, carriers, AT)])
        assert store.links() == [link(ROOT, A, 9.0)]
        assert [route.hops for route in store.routes()] == [(B,)]


def test_a_chain_to_an_unknown_device_is_refused_as_a_whole(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store:
        with pytest.raises(StoreError, match="save the device first"):
            store.save_topology([link(ROOT, A, 3.0)], [RouteRecord(A, (), (0,), AT)])
        assert store.links() == []


def test_times_that_are_none_are_refused(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store:
        with pytest.raises(StoreError, match=r"links\.at"):
            store.save_topology([msgspec.structs.replace(link(ROOT, A, 3.0), at=1e30)], [])
        with pytest.raises(StoreError, match=r"device\.searched_at"):
            store.save_device(msgspec.structs.replace(device(A, 1), searched_at=-1e30))


def test_the_tree_hangs_each_device_on_its_agent(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store:
        for number, neuron_id in enumerate((A, B, C)):
            store.save_device(
                device(neuron_id, number + 1, state="lost" if number == 2 else "operating")
            )
        store.save_topology(
            [link(ROOT, A, 20.0), link(A, B, 7.0), link(B, C, 2.0, 1)],
            [
                RouteRecord(A, (), (0,), AT),
                RouteRecord(B, (A,), (0, 0), AT),
                RouteRecord(C, (A, B), (0, 0, 1), AT),
            ],
        )
        (tree,) = network_trees(store)
    rows = {row.label: row for row in tree.devices.values()}
    assert [rows[name].parent for name in ("1/1", "1/2", "1/3")] == [None, A.hex(), B.hex()]
    assert [rows[name].margin_db for name in ("1/1", "1/2", "1/3")] == [20.0, 7.0, 2.0]
    assert (rows["1/3"].lost, rows["1/3"].secondary, rows["1/3"].phase) == (True, True, 3)


def test_devices_that_are_reached_through_each_other_make_no_circle(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store:
        for number, neuron_id in enumerate((A, B, C)):
            store.save_device(device(neuron_id, number + 1))
        store.save_topology(
            [link(ROOT, A, 20.0)],
            [
                RouteRecord(A, (), (0,), AT),
                RouteRecord(B, (A, C), (0, 0, 0), AT),
                RouteRecord(C, (A, B), (0, 0, 0), AT),
            ],
        )
        (tree,) = network_trees(store)
    assert sorted(tree.hops.values()) == [1, 2, 3]


def test_each_domain_has_a_tree_of_its_own(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store:
        assert network_trees(store) == []
        store.save_device(device(A, 1))
        store.save_device(device(B, 1, b"OSH"))
        store.save_device(device(C, 2, state="discovered"))
        trees = network_trees(store)
    assert [len(tree.devices) for tree in trees] == [1, 1]
