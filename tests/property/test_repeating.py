"""Any chain arrives at its target as it was meant, and no bytes or losses keep a node busy."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError, EncodeError
from osgp.lon import (
    Broadcast,
    Destination,
    Group,
    NeuronId,
    Outgoing,
    Received,
    ResponseReceived,
    Service,
    SubnetNode,
)
from osgp.repeating import (
    MAX_APDU,
    MAX_HOPS,
    AgentPart,
    Broken,
    Chain,
    Failure,
    Hop,
    Mode,
    Request,
    Responded,
    Timing,
    interpret,
    key_delta,
    send_via,
    timings,
)
from osgp.repeating.forwarding import is_sound
from osgp.repeating.keys import alternate_key
from tests.unit.repeating.line import FRAME_TIME, Line, configured, node, street

SOURCE = SubnetNode(1, 1)
QUESTION = b"\x05\xaa\xbb"

byte = st.integers(0, 255)
addresses = st.builds(SubnetNode, st.integers(1, 4), st.integers(2, 127))
timing = st.builds(Timing, st.integers(0, 15), st.integers(0, 15))
hop_timing = timing | st.builds(Timing, st.integers(0, 15), st.integers(0, 4), st.just(True))
one_node = st.builds(SubnetNode, st.integers(1, 4), st.integers(1, 127)) | st.builds(
    NeuronId, st.binary(min_size=6, max_size=6), st.just(0) | byte
)
many = st.builds(Broadcast, byte) | st.builds(Group, byte, st.just(0) | st.integers(1, 64))


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    route = draw(st.lists(addresses, min_size=1, max_size=MAX_HOPS, unique=True))
    target: Destination = draw(one_node.filter(lambda each: each not in route) | many)
    return Chain(
        tuple(Hop(each, draw(st.booleans())) for each in route),
        target,
        draw(hop_timing),
        draw(timing),
        target_alternate_path=draw(st.booleans()),
        backlog=draw(st.integers(0, 63)),
        all_agents=isinstance(target, Group | Broadcast) and draw(st.booleans()),
        mode=draw(st.sampled_from([Mode.NORMAL, Mode.ZERO_CROSSING, Mode.ATTENUATED])),
    )


def received(apdu: bytes, source: SubnetNode, own: SubnetNode) -> Received:
    return Received(
        apdu, Service.REQUEST, source, b"\x0a", 0, own, True, False, False, 9.0, 3, None
    )


deltas = st.sampled_from([b"", bytes(range(6)), bytes(range(200, 212))])


@given(chains(), st.sampled_from(Service), deltas, st.binary(min_size=1, max_size=80))
def test_every_chain_ends_at_its_target(
    chain: Chain, service: Service, delta: bytes, apdu: bytes
) -> None:
    data = chain.encode(SOURCE, apdu, service, delta)
    assert len(data) <= MAX_APDU
    sender, remaining = SOURCE, list(chain.hops)
    while remaining:
        own = remaining.pop(0).address
        request = Request.parse(data)
        assert is_sound(received(data, sender, own), request, configured((own.subnet, own.node)))
        assert request.to_bytes() == data
        assert request.route(sender, own) == tuple(remaining)
        assert (request.all_agents, request.long_timer) == (
            chain.all_agents,
            chain.hop_timing.long_timer,
        )
        if remaining:
            given_timing = Timing(request.retry, request.timer_code, request.long_timer)
            assert given_timing == chain.hop_timing
            sender, data = own, request.onward().to_bytes()
    part = AgentPart.parse(request.agent_part)
    assert part.destination(sender, own) == chain.target
    assert part.apdu == apdu
    assert Service(part.service) is service
    assert part.mode == (Mode.ALTERNATE_KEY if delta else chain.mode)
    assert (part.key_delta or b"") == delta
    assert Timing(part.retry, part.timer_code) == chain.target_timing
    assert part.alternate_path is chain.target_alternate_path


@given(chains(), st.sampled_from(Service), deltas)
def test_room_is_what_fits(chain: Chain, service: Service, delta: bytes) -> None:
    room = chain.room(SOURCE, service, delta)
    assert len(chain.encode(SOURCE, bytes(room), service, delta)) <= MAX_APDU
    with pytest.raises(EncodeError):
        chain.encode(SOURCE, bytes(room + 1), service, delta)


@given(st.binary(max_size=60), st.booleans())
def test_what_can_be_read_is_written_the_same(data: bytes, prefixed: bool) -> None:
    """Anything else is a DecodeError; unused bits survive the way down."""
    apdu = b"\x4d" + data if prefixed else data
    try:
        request = Request.parse(apdu)
    except DecodeError:
        pass
    else:
        assert request.to_bytes() == apdu
    try:
        part = AgentPart.parse(data)
    except DecodeError:
        return
    assert part.to_bytes() == data


@given(st.binary(max_size=5), st.booleans())
def test_failures_of_any_shape(data: bytes, prefixed: bool) -> None:
    apdu = b"\x4c" + data if prefixed else data
    try:
        failure = Failure.parse(apdu)
    except DecodeError:
        return
    assert Failure.parse(failure.to_bytes()) == failure


@given(chains(), st.none() | st.binary(min_size=1, max_size=6) | st.just(b"\x4c\x03"))
def test_every_answer_can_be_interpreted(chain: Chain, answer: bytes | None) -> None:
    outcome = interpret(chain, answer)
    if isinstance(outcome, Broken) and outcome.link is not None:
        assert outcome.link in chain.links


@given(
    st.sampled_from([6, 12]).flatmap(lambda n: st.tuples(*[st.binary(min_size=n, max_size=n)] * 2))
)
def test_an_agent_arrives_at_the_targets_key(keys: tuple[bytes, bytes]) -> None:
    agent, target = keys
    delta = key_delta(agent, target)
    assert alternate_key(agent, delta) == target
    assert all((a + d) % 256 == t for a, d, t in zip(agent, delta, target, strict=True))


def lossy(line: Line, rng: random.Random, rate: float) -> None:
    line.lost = lambda sender, receiver, sent: rng.random() < rate


@settings(max_examples=60, deadline=None)
@given(
    hops=st.integers(1, 8),
    seed=st.integers(0, 2**32),
    rate=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    service=st.sampled_from([Service.REQUEST, Service.ACKD]),
    authenticated=st.booleans(),
)
def test_whatever_is_lost_the_target_acts_once_and_the_source_learns_the_outcome(
    hops: int, seed: int, rate: float, service: Service, authenticated: bool
) -> None:
    line = street(*((1, n) for n in range(1, hops + 3)))
    lossy(line, random.Random(seed), rate)
    hop, agent = timings(hops, FRAME_TIME, authenticated=authenticated)
    route = tuple(Hop(each.address) for each in line.nodes[1:-1])
    chain = Chain(route, line.target.address, hop, agent)
    stack = line.source.stack
    handle = send_via(stack, chain, QUESTION, service, line.now, authenticated=authenticated)
    line.run(chain.longest_wait(authenticated=authenticated) + FRAME_TIME)
    (done,) = line.source.completed()
    assert done.handle == handle
    executed = len(line.target.received())
    assert executed <= 1
    if done.success:
        (answer,) = line.source.responses()
        outcome = interpret(chain, answer)
        assert executed == 1 or isinstance(outcome, Broken)
        if isinstance(outcome, Responded):
            assert outcome.apdu[2:] == QUESTION
    if rate == 0.0:
        assert executed == 1
        assert not isinstance(interpret(chain, line.source.responses()[0]), Broken)
    line.run(200.0)
    assert all(each.next_timer() is None for each in line.nodes)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=40),
    st.sampled_from([Service.REQUEST, Service.UNACKD, Service.UNACKD_RPT, Service.ACKD]),
)
def test_no_request_keeps_a_node_busy(data: bytes, service: Service) -> None:
    """At most 16 tries of the longest timer, doubled by the copy for an all-agents request."""
    line = street((1, 1), (1, 2), (1, 3))
    line.source.stack.send(
        Outgoing(SubnetNode(1, 2), b"\x4d" + data, service, retry=0, timer_code=15), line.now
    )
    line.run(600.0)
    assert all(each.next_timer() is None for each in line.nodes)
    assert len([sent for sent in line.sent if sent.node == 1]) <= 2 * 17
    assert len(line.source.events) <= 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), min_size=1, max_size=12), st.data())
def test_requests_of_two_sources_are_never_mixed_up(
    plan: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Each source gets the response to its own question, whatever runs beside it."""
    nodes = [node(configured((1, n)), random.Random(n)) for n in (1, 2, 3, 4)]
    line = Line(*nodes, reach=None)
    rng = random.Random(data.draw(st.integers(0, 2**16)))
    lossy(line, rng, 0.2)
    chain = Chain((Hop(SubnetNode(1, 3)),), SubnetNode(1, 4), Timing(5, 12), Timing(3, 9))
    asked: dict[tuple[int, int], bytes] = {}
    for number, (who, pause) in enumerate(plan):
        apdu = bytes((5, who, number))
        stack = nodes[who].stack
        asked[who, send_via(stack, chain, apdu, Service.REQUEST, line.now)] = apdu
        line.run(0.7 if pause else 0.0)
    line.run(200.0)
    for who in (0, 1):
        for event in nodes[who].events:
            if isinstance(event, ResponseReceived) and event.apdu[0] != 0x4C:
                assert event.apdu[2:] == asked[who, event.handle]
    executed = [each.apdu for each in nodes[3].received()]
    assert len(executed) == len(set(executed))
