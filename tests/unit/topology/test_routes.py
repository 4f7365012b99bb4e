"""How chains are chosen, kept and given up."""

from __future__ import annotations

from itertools import pairwise

from osgp.topology import DIRECT, Carrier, LinkKey, Links, Route, Routes
from osgp.topology.routes import REVISE_AFTER

ROOT, A, B, C, D = (bytes((n,)) * 6 for n in range(5))
PRIMARY, SECONDARY = Carrier


def network(*pairs: tuple[bytes, bytes, float]) -> tuple[Links, Routes]:
    """Links with the same margin in both directions."""
    links = Links()
    for one, other, margin in pairs:
        links.heard(one, other, PRIMARY, margin, 0.0)
        links.heard(other, one, PRIMARY, margin, 0.0)
    return links, Routes(ROOT, links, lambda node: node != ROOT)


def test_strong_and_direct_is_direct() -> None:
    _, routes = network((ROOT, A, 20.0), (ROOT, B, 20.0), (A, B, 30.0))
    assert routes.choose(B, 0.0) == DIRECT


def test_two_strong_links_beat_one_weak_one() -> None:
    _, routes = network((ROOT, A, 20.0), (ROOT, B, 0.0), (A, B, 20.0))
    assert routes.choose(B, 0.0).hops == (A,)


def test_above_the_upper_threshold_fewer_hops_win() -> None:
    _, routes = network((ROOT, A, 40.0), (ROOT, B, 16.0), (A, B, 40.0))
    assert routes.choose(B, 0.0) == DIRECT


def test_the_better_carrier_is_taken_for_each_link() -> None:
    links, routes = network((ROOT, A, 20.0), (A, B, -2.0))
    links.heard(A, B, SECONDARY, 18.0, 0.0)
    links.heard(B, A, SECONDARY, 18.0, 0.0)
    assert routes.choose(B, 0.0) == Route((A,), (PRIMARY, SECONDARY))


def test_a_device_without_links_is_tried_directly() -> None:
    _, routes = network()
    assert routes.choose(D, 0.0) == DIRECT


def test_only_registered_devices_repeat() -> None:
    links, _ = network((ROOT, A, 20.0), (A, B, 20.0))
    routes = Routes(ROOT, links, lambda node: False)
    assert routes.choose(B, 0.0) == DIRECT


def test_a_chain_is_kept_until_another_is_clearly_better() -> None:
    links, routes = network((ROOT, A, 20.0), (ROOT, B, 20.0), (A, C, 6.0))
    assert routes.choose(C, 0.0).hops == (A,)
    links.heard(B, C, PRIMARY, 9.0, 0.0)
    links.heard(C, B, PRIMARY, 9.0, 0.0)
    assert routes.cost(Route((B,), (PRIMARY,) * 2), C, 0.0) < routes.cost(
        Route((A,), (PRIMARY,) * 2), C, 0.0
    )
    assert routes.choose(C, 2 * REVISE_AFTER).hops == (A,)
    for _ in range(3):
        links.tried(A, C, PRIMARY, 0.0, worked=True, misses=2)
    assert routes.choose(C, 4 * REVISE_AFTER).hops == (B,)


def test_a_link_that_breaks_is_avoided_at_once_and_its_chain_left() -> None:
    links, routes = network((ROOT, A, 20.0), (ROOT, B, 20.0), (A, C, 12.0), (B, C, 11.0))
    first = routes.choose(C, 0.0)
    assert first.hops == (A,)
    broken = LinkKey.between(A, C, PRIMARY)
    links.tried(A, C, PRIMARY, 1.0, worked=False, misses=6)
    routes.failed(C)
    second = routes.choose(C, 1.0, {broken})
    assert second.hops == (B,)
    assert routes.current(C) == first, "one try does not change the table"
    routes.succeeded(C, second, 2.0)
    assert routes.current(C) == second
    assert routes.choose(C, 3.0) == second


def test_without_an_alternative_the_broken_link_is_tried_again() -> None:
    _, routes = network((ROOT, A, 20.0), (A, C, 12.0))
    first = routes.choose(C, 0.0)
    assert routes.choose(C, 1.0, first.links(ROOT, C)) == first


def test_a_repeater_that_is_lost_is_left() -> None:
    links, _ = network((ROOT, A, 20.0), (ROOT, B, 20.0), (A, C, 14.0), (B, C, 6.0))
    lost: set[bytes] = set()
    routes = Routes(ROOT, links, lambda node: node not in lost)
    assert routes.choose(C, 0.0).hops == (A,)
    lost.add(A)
    routes.failed(C)
    assert routes.choose(C, 1.0).hops == (B,)


def test_alternatives_have_different_agents_and_the_best_comes_first() -> None:
    _, routes = network(
        (ROOT, A, 20.0), (ROOT, B, 20.0), (A, C, 14.0), (B, C, 4.0), (A, B, 20.0), (ROOT, C, -4.0)
    )
    found = routes.alternatives(C, 0.0)
    assert [route.hops for route in found] == [(A,), (B,), ()]
    assert len(routes.alternatives(C, 0.0, most=2)) == 2


def test_chains_are_told_once_and_can_be_taken_up() -> None:
    links, routes = network((ROOT, A, 20.0), (A, B, 20.0), (B, C, 20.0))
    route = routes.choose(C, 5.0)
    assert route.hops == (A, B)
    told = routes.changed()
    assert [(each.neuron_id, each.hops, each.changed_at) for each in told] == [(C, (A, B), 5.0)]
    assert routes.changed() == []
    again = Routes(ROOT, links, lambda node: True, told)
    assert again.current(C) == route
    again.forget(C)
    assert again.current(C) is None


def test_no_chain_is_longer_than_eight_hops() -> None:
    nodes = [ROOT, *(bytes((9, n)) * 3 for n in range(12))]
    pairs = [(one, other, 20.0) for one, other in pairwise(nodes)]
    _, routes = network(*pairs)
    assert [len(routes.choose(node, 0.0).hops) for node in nodes[1:]] == [*range(9), 0, 0, 0]
