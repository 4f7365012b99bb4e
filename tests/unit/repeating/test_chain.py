"""Chains: the shortest encoding, the room it leaves, and how long everybody waits."""

from __future__ import annotations

import pytest

from osgp.errors import EncodeError
from osgp.lon import Broadcast, Destination, Group, GroupMember, NeuronId, Service, SubnetNode
from osgp.repeating import (
    MAX_APDU,
    MAX_HOPS,
    AgentPart,
    Broken,
    Chain,
    Delivered,
    Failure,
    Hop,
    Mode,
    Reason,
    Request,
    Responded,
    TargetType,
    Timing,
    interpret,
    timings,
)

SOURCE = SubnetNode(1, 127)
TARGET = SubnetNode(1, 99)
NEURON = bytes(range(6))
LARGEST_REQUEST = 96
"""Partial write of 75 bytes with code, offset, count, sequence number and digest (clause 9.3)."""


def chain(*addresses: tuple[int, int], target: Destination = TARGET) -> Chain:
    return Chain(tuple(Hop(SubnetNode(*each)) for each in addresses), target)


def row(count: int, target: Destination = TARGET) -> Chain:
    return chain(*((1, node) for node in range(1, count + 1)), target=target)


def request(of: Chain, service: Service = Service.REQUEST) -> Request:
    return Request.parse(of.encode(SOURCE, b"\x00\x01", service))


UNIFORMITY = {
    "all in the source's subnet": ([(1, 1), (1, 2), (1, 3)], "source"),
    "subnets take turns": ([(2, 1), (1, 2), (2, 3)], "source"),
    "all in the first hop's subnet": ([(2, 1), (2, 2), (2, 3)], "destination"),
    "no rule": ([(2, 1), (3, 2), (2, 3)], ""),
    "one hop": ([(2, 1)], ""),
}


@pytest.mark.parametrize("case", UNIFORMITY)
def test_the_list_is_as_short_as_the_subnets_allow(case: str) -> None:
    addresses, rule = UNIFORMITY[case]
    encoded = request(chain(*addresses))
    assert encoded.uniform_by_source is (rule == "source")
    assert encoded.uniform_by_destination is (rule == "destination")
    route = encoded.route(SOURCE, SubnetNode(*addresses[0]))
    assert [hop.address for hop in route] == [SubnetNode(*each) for each in addresses[1:]]


TARGETS: dict[str, tuple[Destination, Service, TargetType]] = {
    "where the agent's sender is": (
        SubnetNode(1, 9),
        Service.REQUEST,
        TargetType.NODE_IN_SOURCE_SUBNET,
    ),
    "where the agent is": (SubnetNode(2, 9), Service.REQUEST, TargetType.NODE_IN_AGENT_SUBNET),
    "elsewhere": (SubnetNode(3, 9), Service.REQUEST, TargetType.SUBNET_NODE),
    "Neuron ID": (NeuronId(NEURON), Service.REQUEST, TargetType.NEURON_ID_COMPACT),
    "Neuron ID behind a router": (NeuronId(NEURON, 4), Service.REQUEST, TargetType.NEURON_ID),
    "group": (Group(7, 5), Service.ACKD, TargetType.GROUP),
    "group that nobody answers": (Group(7), Service.UNACKD_RPT, TargetType.GROUP_COMPACT),
    "group that somebody answers": (Group(7), Service.REQUEST, TargetType.GROUP),
    "broadcast": (Broadcast(3), Service.UNACKD, TargetType.BROADCAST),
}


@pytest.mark.parametrize("case", TARGETS)
def test_the_target_is_as_short_as_it_can_be(case: str) -> None:
    target, service, kind = TARGETS[case]
    of = chain((1, 1), (2, 2), target=target)
    part = AgentPart.parse(request(of, service).agent_part)
    assert part.target_type == kind
    assert part.destination(SubnetNode(1, 1), SubnetNode(2, 2)) == target


def test_the_source_is_the_sender_of_a_lone_agent() -> None:
    part = AgentPart.parse(request(chain((2, 1), target=SubnetNode(1, 9))).agent_part)
    assert part.target_type == TargetType.NODE_IN_SOURCE_SUBNET


@pytest.mark.parametrize("hops", range(1, MAX_HOPS + 1))
@pytest.mark.parametrize("target", [TARGET, SubnetNode(3, 9), NeuronId(NEURON)])
def test_every_request_of_a_table_service_fits(hops: int, target: Destination) -> None:
    of = row(hops, target)
    room = of.room(SOURCE, Service.REQUEST)
    assert room >= LARGEST_REQUEST
    assert len(of.encode(SOURCE, bytes(room), Service.REQUEST)) <= MAX_APDU


def test_eight_hops_to_a_neuron_id_leave_exactly_the_largest_request() -> None:
    assert row(8, NeuronId(NEURON)).room(SOURCE, Service.REQUEST) == LARGEST_REQUEST


def test_a_key_delta_takes_room() -> None:
    of = row(3, NeuronId(NEURON))
    plain = of.room(SOURCE, Service.REQUEST)
    assert of.room(SOURCE, Service.REQUEST, bytes(12)) == plain - 13
    part = Request.parse(of.encode(SOURCE, b"\x05", Service.REQUEST, bytes(6))).agent_part
    assert AgentPart.parse(part).mode == Mode.ALTERNATE_KEY


def test_an_apdu_without_room() -> None:
    of = row(2)
    room = of.room(SOURCE, Service.REQUEST)
    for apdu in (b"", bytes(room + 1)):
        with pytest.raises(EncodeError):
            of.encode(SOURCE, apdu, Service.REQUEST)


BAD_CHAINS = {
    "no hop": lambda: row(0),
    "nine hops": lambda: row(9),
    "a hop twice": lambda: chain((1, 1), (1, 2), (1, 1)),
    "the target among the hops": lambda: chain((1, 1), (1, 99)),
    "a group member": lambda: row(1, GroupMember(1, 2, 3, 4)),
    "all agents for one node": lambda: Chain(
        (Hop(SubnetNode(1, 1)),), SubnetNode(1, 2), all_agents=True
    ),
    "alternate key without a delta": lambda: Chain(
        (Hop(SubnetNode(1, 1)),), SubnetNode(1, 2), mode=Mode.ALTERNATE_KEY
    ),
    "long timer of the agent": lambda: Chain(
        (Hop(SubnetNode(1, 1)),), SubnetNode(1, 2), target_timing=Timing(3, 0, True)
    ),
}


@pytest.mark.parametrize("make", BAD_CHAINS.values(), ids=BAD_CHAINS.keys())
def test_bad_chains(make: object) -> None:
    assert callable(make)
    with pytest.raises(EncodeError):
        make()


@pytest.mark.parametrize("bad", [Timing(16, 12), Timing(3, 16)])
def test_timing_that_fits_no_nibble(bad: Timing) -> None:
    hops = (Hop(SubnetNode(1, 1)), Hop(SubnetNode(1, 2)))
    with pytest.raises(EncodeError):
        Chain(hops, SubnetNode(1, 9), bad).encode(SOURCE, b"\x05", Service.REQUEST)


EXTENSIONS = [
    (Timing(3, 5), [0.256, 0.256, 0.256]),
    (Timing(3, 7), [0.256, 0.256, 0.256]),
    (Timing(3, 8), [0.0, 0.256, 0.512]),
    (Timing(3, 9), [0.0, 0.256, 0.512]),
    (Timing(3, 10), [0.0, 0.512, 1.024]),
    (Timing(3, 0, True), [0.0, 0.512, 1.024]),
]


@pytest.mark.parametrize(("timing", "seconds"), EXTENSIONS)
def test_the_last_wait_is_longer(timing: Timing, seconds: list[float]) -> None:
    assert [timing.extension(remaining) for remaining in range(3)] == pytest.approx(seconds)


def test_each_node_outlasts_the_next() -> None:
    hop, target = timings(8, 0.1)
    of = Chain(row(8).hops, TARGET, hop, target)
    assert of.last_waits == tuple(sorted(of.last_waits, reverse=True))
    assert of.failures_climb(0.1)
    assert of.longest_wait() == pytest.approx(4 * hop.wait + 7 * 0.512)
    assert of.longest_wait(authenticated=True) == pytest.approx(8 * hop.wait + 7 * 0.512)


def test_short_timers_keep_no_order() -> None:
    of = Chain(row(3).hops, TARGET, Timing(3, 7), Timing(0, 0))
    assert not of.failures_climb(0.01)
    assert not Chain(row(2).hops, TARGET, Timing(0, 12), Timing(3, 12)).failures_climb(0.01)


@pytest.mark.parametrize("hops", range(1, MAX_HOPS + 1))
@pytest.mark.parametrize("frame_time", [0.02, 0.1, 0.2])
def test_timings_suit_their_chain(hops: int, frame_time: float) -> None:
    hop, target = timings(hops, frame_time)
    of = Chain(row(hops).hops, TARGET, hop, target)
    assert of.failures_climb(frame_time)
    assert hop.wait >= 2 * frame_time * (hops + 1)


def test_no_timer_is_long_enough() -> None:
    with pytest.raises(EncodeError):
        timings(8, 1.0)
    with pytest.raises(EncodeError):
        timings(1, 2.0)


def test_links_and_where_a_failure_happened() -> None:
    of = row(3)
    assert [str(link) for link in of.links] == [
        "source -> 1/1",
        "1/1 -> 1/2",
        "1/2 -> 1/3",
        "1/3 -> 1/99",
    ]
    assert str(of) == "1/1 > 1/2 > 1/3 > 1/99"
    assert [of.broken_link(remaining) for remaining in (0, 1, 2)] == [
        of.links[3],
        of.links[2],
        of.links[1],
    ]
    assert of.broken_link(3) is None
    assert of.broken_link(15) is None


def test_what_an_answer_says() -> None:
    of = row(3)
    assert interpret(of, None) == Broken(of.links[0], heard=False)
    assert interpret(of, b"\x4d") == Delivered()
    assert interpret(of, b"\x00\x00\x01") == Responded(b"\x00\x00\x01")
    assert interpret(of, b"\x4d\x00") == Responded(b"\x4d\x00")
    assert interpret(of, Failure(1).to_bytes()) == Broken(of.links[2])
    assert interpret(of, b"\x4c") == Broken(None)
    assert interpret(of, b"\x4c\x09") == Broken(None)
    assert interpret(of, b"\x4c\x01\x7f") == Broken(of.links[2], 0x7F)


@pytest.mark.parametrize("remaining", range(3))
def test_who_refuses_is_behind_its_link(remaining: int) -> None:
    of = row(3)
    refusal = Failure(remaining, Reason.AUTHENTICATION)
    expected = Broken(of.links[2 - remaining], Reason.AUTHENTICATION)
    assert interpret(of, refusal.to_bytes()) == expected
