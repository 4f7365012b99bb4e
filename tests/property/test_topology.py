"""Whatever links there are, chains lead to their device and visit nobody twice."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError
from osgp.repeating import MAX_HOPS
from osgp.topology import Carrier, LinkKey, Links, Routes, atm
from osgp.topology.agent import MAX_FOUND
from osgp.topology.routes import Route

NODES = [bytes((n,)) * 6 for n in range(10)]
ROOT = NODES[0]
MARGINS = st.floats(-10.0, 40.0)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Links, set[bytes]]:
    """Links with margins and histories, and who repeats."""
    links = Links()
    nodes = st.sampled_from(NODES)
    for _ in range(draw(st.integers(0, 25))):
        one, other = draw(st.lists(nodes, min_size=2, max_size=2, unique=True))
        carrier = draw(st.sampled_from(Carrier))
        now = draw(st.floats(0.0, 1e5))
        links.heard(one, other, carrier, draw(MARGINS), now)
        worked, misses = draw(st.booleans()), draw(st.integers(0, 9))
        links.tried(one, other, carrier, now, worked=worked, misses=misses)
    repeaters = draw(st.sets(nodes, max_size=len(NODES))) - {ROOT}
    return links, repeaters


def check(route: Route, target: bytes, links: Links, repeaters: set[bytes]) -> None:
    assert len(route.hops) <= MAX_HOPS
    assert len({ROOT, *route.hops, target}) == len(route.hops) + 2
    assert set(route.hops) <= repeaters
    assert len(route.carriers) == len(route.hops) + 1
    if route.hops:
        nodes = (ROOT, *route.hops, target)
        for (one, other), carrier in zip(pairwise(nodes), route.carriers, strict=True):
            assert links.get(one, other, carrier) is not None


@given(networks(), st.sampled_from(NODES[1:]), st.floats(0.0, 2e5))
@settings(deadline=None)
def test_chains_lead_somewhere_and_never_in_circles(
    network: tuple[Links, set[bytes]], target: bytes, now: float
) -> None:
    links, repeaters = network
    routes = Routes(ROOT, links, repeaters.__contains__)
    chosen = routes.choose(target, now)
    check(chosen, target, links, repeaters)
    alternatives = routes.alternatives(target, now, most=9)
    for route in alternatives:
        check(route, target, links, repeaters)
    costs = [routes.cost(route, target, now) for route in alternatives]
    assert costs == sorted(costs)
    if alternatives:
        assert routes.cost(chosen, target, now) <= costs[0] + 1e-9
    assert len({route.hops[-1:] for route in alternatives}) == len(alternatives)


@given(networks(), st.sampled_from(NODES[1:]), st.integers(1, 6))
@settings(deadline=None)
def test_tries_go_over_alternatives_before_they_repeat(
    network: tuple[Links, set[bytes]], target: bytes, tries: int
) -> None:
    """As a conversation does it: what broke is avoided, and every choice is sound."""
    links, repeaters = network
    routes = Routes(ROOT, links, repeaters.__contains__)
    broken: set[LinkKey] = set()
    for attempt in range(tries):
        route = routes.choose(target, 1e5 + attempt, broken)
        check(route, target, links, repeaters)
        key = route.links(ROOT, target)[-1]
        links.tried(key.one, key.other, key.carrier, 1e5 + attempt, worked=False, misses=6)
        routes.failed(target)
        broken.add(key)


@given(networks(), st.floats(0.0, 1e7))
def test_quality_is_a_chance(network: tuple[Links, set[bytes]], now: float) -> None:
    links, _ = network
    for record in links:
        assert 0.0 <= record.quality(now) <= 1.0
    assert sorted(Links(links), key=repr) == sorted(links, key=repr)


@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.booleans(),
    st.integers(0, 0xFFFF),
    st.sampled_from([b"", b"\x01", b"OSG", b"longer"]),
)
def test_queries_are_read_as_written(
    salt: int, low: int, high: int, members: bool, idle: int, domain: bytes
) -> None:
    query = atm.query(salt, atm.HashRange(low, high), domain=domain, members=members, idle=idle)
    asked = atm.parse_query(query)
    assert (asked.salt, asked.low, asked.high) == (salt, low, high)
    assert (asked.members, asked.idle, asked.domain) == (members, idle, domain)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"\x02\x01\x01" + tail))
def test_nothing_makes_a_responder_raise(apdu: bytes) -> None:
    responder = atm.Responder(NODES[1], bytes(8))
    for registration in (atm.Registration(), atm.Registration(b"OSG", 9999)):
        answer = responder.answer(apdu, 5.0, registration)
        assert answer is None or len(answer) == 21
    try:
        atm.parse_answer(apdu)
    except DecodeError:
        return
    assert apdu[:3] == b"\x02\x01\x02"


@given(st.integers(0, MAX_FOUND))
def test_pages_cover_what_was_found(total: int) -> None:
    pages = -(-total // atm.PAGE)
    assert pages * atm.PAGE >= total
    assert pages <= 7
