"""Which chains a broadcast takes: as few as there are branches, and none that leads nowhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from osgp.concentrator.broadcasting import chains_to
from osgp.concentrator.network import Network
from osgp.concentrator.plan import Plan
from osgp.lon import Broadcast, SubnetNode
from osgp.repeating import Chain
from osgp.topology import Carrier, Route

FIRST, SECOND = Carrier.PRIMARY, Carrier.SECONDARY
PLAN = Plan()


class Roster:
    """Nodes 1 to 99, of which some do not repeat."""

    def __init__(self, silent: frozenset[bytes] = frozenset()) -> None:
        self._silent = silent

    def repeats(self, node: bytes) -> bool:
        return node not in self._silent

    def address_of(self, node: bytes) -> SubnetNode:
        return SubnetNode(1, node[0])


def network(routes: dict[bytes, Route | None], silent: frozenset[bytes] = frozenset()) -> Network:
    ways = SimpleNamespace(current=routes.get)
    return cast(Network, SimpleNamespace(routes=ways, roster=Roster(silent)))


def route(*hops: int, last: Carrier = FIRST) -> Route:
    return Route(tuple(bytes((hop,)) for hop in hops), (FIRST,) * len(hops) + (last,))


def nodes(chains: list[Chain]) -> list[list[int]]:
    return [[hop.address.node for hop in chain.hops] for chain in chains]


def test_one_chain_for_each_branch_and_carrier() -> None:
    routes: dict[bytes, Route | None] = {
        b"a": Route(),
        b"b": route(1),
        b"c": route(1, 2),
        b"d": route(1, 2, 3),
        b"e": route(4),
        b"f": route(1, last=SECOND),
        b"g": None,
    }
    chains = chains_to(routes, network(routes), PLAN)
    assert nodes(chains) == [[1, 2, 3], [1], [4]]
    assert [chain.target_alternate_path for chain in chains] == [False, True, False]
    assert all(chain.all_agents and chain.target == Broadcast() for chain in chains)


def test_a_chain_over_somebody_who_is_gone_is_none() -> None:
    routes: dict[bytes, Route | None] = {b"a": route(1, 2), b"b": route(3)}
    chains = chains_to(routes, network(routes, frozenset({b"\x02"})), PLAN)
    assert nodes(chains) == [[3]]


HOPS = st.lists(st.integers(1, 9), max_size=5, unique=True)


@given(st.lists(st.tuples(HOPS, st.sampled_from(Carrier)), max_size=12))
def test_every_last_repeater_speaks_on_the_carrier_that_is_heard(
    ways: list[tuple[list[int], Carrier]],
) -> None:
    routes: dict[bytes, Route | None] = {
        bytes((100 + place,)): route(*hops, last=last) for place, (hops, last) in enumerate(ways)
    }
    chains = chains_to(routes, network(routes), PLAN)
    said = {
        (hop.address.node, chain.target_alternate_path) for chain in chains for hop in chain.hops
    }
    needed = {(hops[-1], last is SECOND) for hops, last in ways if hops}
    assert needed <= said
    assert len(chains) <= len(needed)
