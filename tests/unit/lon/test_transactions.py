"""Two and more nodes talking: services, repetitions, groups, broadcasts, limits."""

from __future__ import annotations

import pytest

from osgp.errors import EncodeError, LocalProtocolError
from osgp.lon import (
    AddressEntry,
    Broadcast,
    Completed,
    Event,
    Group,
    NeuronId,
    NodeConfig,
    Outgoing,
    Received,
    ResponseReceived,
    Service,
    Spdu,
    SubnetNode,
    Tpdu,
)
from osgp.lon.tpdu import SpduType, TpduType

from .bus import DOMAIN, LATENCY, Bus, configured, neuron


def echo(bus: Bus) -> None:
    """Every node answers each request with 0x25 and what it was asked."""

    def answer(node: int, event: Event) -> None:
        if isinstance(event, Received) and event.token is not None:
            bus.stacks[node].respond(event.token, b"\x25" + event.apdu, bus.now)

    bus.on_event = answer


def pair() -> Bus:
    bus = Bus(configured(1), configured(2))
    echo(bus)
    return bus


def of_type(events: list[Event], kind: type) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def test_request_and_response() -> None:
    bus = pair()
    handle = bus.stacks[0].send(Outgoing(SubnetNode(1, 2), b"\x05\xaa", priority=True), bus.now)
    bus.run(5)
    request = bus.events[1][0]
    assert isinstance(request, Received)
    assert (request.apdu, request.service) == (b"\x05\xaa", Service.REQUEST)
    assert (request.source, request.source_domain) == (SubnetNode(1, 1), DOMAIN)
    assert (request.domain_index, request.margin_db) == (0, 12.0)
    assert request.priority
    assert not request.authenticated
    assert bus.events[0] == [
        ResponseReceived(handle, b"\x25\x05\xaa", SubnetNode(1, 2), DOMAIN, 12.0),
        Completed(handle, True, 1),
    ]
    assert [frame.priority for frame in bus.frames] == [True, True]
    assert [frame.delta_backlog for frame in bus.frames] == [1, 0]


@pytest.mark.parametrize("service", [Service.ACKD, Service.UNACKD])
def test_message_without_response(service: Service) -> None:
    bus = pair()
    handle = bus.stacks[0].send(Outgoing(SubnetNode(1, 2), b"\x05", service), bus.now)
    bus.run(5)
    (message,) = bus.events[1]
    assert isinstance(message, Received)
    assert message.token is None
    assert bus.events[0] == [Completed(handle, True, 1)]
    assert len(bus.trace) == (2 if service is Service.ACKD else 1)


def test_repeated_message_is_delivered_once() -> None:
    bus = pair()
    message = Outgoing(SubnetNode(1, 2), b"\x05", Service.UNACKD_RPT, retry=3, timer_code=4)
    handle = bus.stacks[0].send(message, bus.now)
    bus.run(5)
    assert [round(at - 100.0, 3) for at, _, _ in bus.trace] == [0, 0.064, 0.128, 0.192]
    assert [frame.delta_backlog for frame in bus.frames] == [3, 0, 0, 0]
    assert not any(frame.alternate_path for frame in bus.frames)
    assert len(bus.events[1]) == 1
    assert bus.events[0] == [Completed(handle, True, 4)]


def test_unanswered_request_uses_its_tries_and_both_paths() -> None:
    bus = Bus(configured(1))
    message = Outgoing(SubnetNode(1, 9), b"\x05", retry=3, timer_code=8, extra_last_wait=0.5)
    handle = bus.stacks[0].send(message, bus.now)
    bus.run(60)
    assert [frame.alternate_path for frame in bus.frames] == [False, False, True, True]
    assert [round(at - 100.0, 3) for at, _, _ in bus.trace] == [0, 0.256, 0.512, 0.768]
    assert bus.events[0] == [Completed(handle, False, 4)]
    assert bus.stacks[0].next_timer() is None
    assert bus.stacks[0].statistics.failures == 1


def test_last_wait_is_extended() -> None:
    bus = Bus(configured(1))
    message = Outgoing(SubnetNode(1, 9), b"\x05", retry=0, timer_code=8, extra_last_wait=0.5)
    bus.stacks[0].send(message, bus.now)
    assert bus.stacks[0].next_timer() == pytest.approx(100.756)


@pytest.mark.parametrize("path", [False, True])
def test_path_can_be_forced(path: bool) -> None:
    bus = Bus(configured(1))
    bus.stacks[0].send(Outgoing(SubnetNode(1, 9), b"\x05", path=path), bus.now)
    bus.run(60)
    assert {frame.alternate_path for frame in bus.frames} == {path}


def test_lost_response_is_sent_again_not_executed_again() -> None:
    bus = pair()
    drops = iter([True, True])
    bus.lost = lambda sender, receiver, frame: sender == 1 and next(drops, False)
    handle = bus.stacks[0].send(Outgoing(SubnetNode(1, 2), b"\x05"), bus.now)
    bus.run(30)
    assert len(bus.events[1]) == 1
    assert bus.events[0][-1] == Completed(handle, True, 3)
    assert bus.stacks[1].statistics.duplicates == 2
    answers = [frame for frame in bus.frames if frame.npdu.source.node == 2]
    assert len({frame.npdu.pdu for frame in answers}) == 1
    assert [frame.alternate_path for frame in answers] == [False, False, True]


def test_same_request_again_is_a_new_transaction() -> None:
    bus = pair()
    for _ in range(20):
        bus.stacks[0].send(Outgoing(SubnetNode(1, 2), b"\x05"), bus.now)
    bus.run(5)
    assert len(bus.events[1]) == 20
    tids = [frame.npdu.pdu[0] & 0x0F for frame in bus.frames if frame.npdu.source.node == 1]
    assert tids == [*range(16), 1, 2, 3, 4]


def test_declined_request_stays_unanswered() -> None:
    bus = pair()

    def decline(node: int, event: Event) -> None:
        if isinstance(event, Received) and event.token is not None:
            bus.stacks[node].decline(event.token)

    bus.on_event = decline
    handle = bus.stacks[0].send(Outgoing(SubnetNode(1, 2), b"\x05"), bus.now)
    bus.run(30)
    assert bus.events[0] == [Completed(handle, False, 4)]
    assert len(bus.events[1]) == 1


def test_late_and_second_responses_are_refused() -> None:
    bus = Bus(configured(1), configured(2))
    bus.stacks[0].send(Outgoing(SubnetNode(1, 2), b"\x05", retry=0), bus.now)
    bus.run(1)
    request = bus.events[1][0]
    assert isinstance(request, Received)
    assert request.token is not None
    assert bus.stacks[1].respond(request.token, b"\x25", bus.now)
    assert not bus.stacks[1].respond(request.token, b"\x26", bus.now)
    assert not bus.stacks[1].respond(request.token + 1, b"\x25", bus.now)
    assert not bus.stacks[1].respond(request.token, b"\x25", bus.now + 100)
    assert bus.stacks[1].statistics.late_responses == 3


def test_neuron_id_reaches_an_unconfigured_node() -> None:
    bus = Bus(configured(1), NodeConfig(neuron(9)))
    echo(bus)
    handle = bus.stacks[0].send(Outgoing(NeuronId(neuron(9)), b"\x05"), bus.now)
    bus.run(5)
    request = bus.events[1][0]
    assert isinstance(request, Received)
    assert request.domain_index is None
    assert bus.events[0] == [
        ResponseReceived(handle, b"\x25\x05", SubnetNode(0, 0), DOMAIN, 12.0),
        Completed(handle, True, 1),
    ]


def test_broadcast_request_collects_until_enough() -> None:
    bus = Bus(*(configured(node) for node in range(1, 8)))
    echo(bus)
    message = Outgoing(Broadcast(), b"\x05", max_responses=4, backlog=9)
    handle = bus.stacks[0].send(message, bus.now)
    bus.run(5)
    responses = of_type(bus.events[0], ResponseReceived)
    assert len(responses) == 4
    assert bus.events[0][-1] == Completed(handle, True, 1)
    assert bus.frames[0].delta_backlog == 9
    assert bus.stacks[0].statistics.late_answers == 2


def test_broadcast_request_ends_with_the_answers_there_are() -> None:
    bus = Bus(configured(1), configured(2), NodeConfig(neuron(8)), NodeConfig(neuron(9)))
    echo(bus)
    handle = bus.stacks[0].send(Outgoing(Broadcast(), b"\x05", max_responses=15), bus.now)
    bus.run(10)
    assert len(of_type(bus.events[0], ResponseReceived)) == 3
    assert bus.events[0][-1] == Completed(handle, True, 1)
    assert bus.frames[0].delta_backlog == 15


def test_subnet_broadcast_reaches_its_subnet_only() -> None:
    bus = Bus(configured(1), configured(2), configured(3, subnet=2))
    bus.stacks[0].send(Outgoing(Broadcast(2), b"\x05", Service.UNACKD), bus.now)
    bus.run(1)
    assert (len(bus.events[1]), len(bus.events[2])) == (0, 1)


def group_bus(members: int) -> Bus:
    """Node 0 is no member; node n is member n - 1 of group 7."""
    entries = [AddressEntry.of_group(7, members, member) for member in range(members)]
    nodes = [configured(node + 2, group=entry) for node, entry in enumerate(entries)]
    bus = Bus(configured(1), *nodes)
    echo(bus)
    return bus


@pytest.mark.parametrize("service", [Service.ACKD, Service.REQUEST])
def test_group_message_waits_for_every_member(service: Service) -> None:
    bus = group_bus(3)
    handle = bus.stacks[0].send(Outgoing(Group(7, 3), b"\x05", service), bus.now)
    bus.run(5)
    assert all(len(events) == 1 for events in bus.events[1:])
    assert bus.events[0][-1] == Completed(handle, True, 1)
    assert len(of_type(bus.events[0], ResponseReceived)) == (3 if service is Service.REQUEST else 0)
    assert bus.frames[0].delta_backlog == 3


def test_sender_that_is_a_member_does_not_wait_for_itself() -> None:
    bus = group_bus(3)
    handle = bus.stacks[1].send(Outgoing(Group(7, 3), b"\x05", Service.ACKD), bus.now)
    bus.run(5)
    assert bus.events[1] == [Completed(handle, True, 1)]


def test_small_reminder_travels_with_the_message() -> None:
    bus = group_bus(3)
    drops = iter([True])
    bus.lost = lambda sender, receiver, frame: sender == 2 and next(drops, False)
    handle = bus.stacks[0].send(Outgoing(Group(7, 3), b"\x05"), bus.now)
    bus.run(10)
    assert bus.events[0][-1] == Completed(handle, True, 2)
    requests = [frame for frame in bus.frames if frame.npdu.source.node == 1]
    assert requests[1].npdu.enclosed() == Spdu(SpduType.REM_MSG, 0, b"\x05", acked=b"\x05")
    assert requests[1].delta_backlog == 1
    assert [sender for at, sender, _ in bus.trace if at > 101] == [0, 2]
    assert all(len(events) == 1 for events in bus.events[1:])


def test_large_reminder_goes_ahead_of_the_message() -> None:
    bus = group_bus(20)
    drops = iter([True])
    bus.lost = lambda sender, receiver, frame: sender == 3 and next(drops, False)
    handle = bus.stacks[0].send(Outgoing(Group(7, 20), b"\x05", Service.ACKD), bus.now)
    bus.run(10)
    assert bus.events[0] == [Completed(handle, True, 2)]
    sent = [frame for frame in bus.frames if frame.npdu.source.node == 1]
    everybody_but_2 = bytes.fromhex("fbff0f")
    assert sent[1].npdu.enclosed() == Tpdu(TpduType.REMINDER, 0, acked=everybody_but_2)
    assert sent[2].npdu.enclosed() == Tpdu(TpduType.ACKD, 0, b"\x05")
    assert [frame.delta_backlog for frame in sent] == [20, 0, 1]
    assert bus.frames[-1].npdu.source.node == 4
    assert all(len(events) == 1 for events in bus.events[1:])


def test_member_that_missed_everything_gets_the_message_from_the_reminder() -> None:
    bus = group_bus(3)
    drops = iter([True])
    bus.lost = lambda sender, receiver, frame: receiver == 2 and next(drops, False)
    handle = bus.stacks[0].send(Outgoing(Group(7, 3), b"\x05", Service.ACKD), bus.now)
    bus.run(10)
    assert bus.events[0] == [Completed(handle, True, 2)]
    assert len(bus.events[2]) == 1


def test_one_own_transaction_at_a_time_but_relayed_ones_pass() -> None:
    bus = Bus(configured(1))
    stack = bus.stacks[0]
    stack.send(Outgoing(SubnetNode(1, 8), b"\x05"), bus.now)
    stack.send(Outgoing(SubnetNode(1, 9), b"\x05"), bus.now)
    stack.send(Outgoing(SubnetNode(1, 7), b"\x06", tid=9), bus.now)
    bus.settle()
    frames = [frame.npdu for frame in bus.frames]
    assert [frame.destination for frame in frames] == [SubnetNode(1, 8), SubnetNode(1, 7)]
    assert frames[1].pdu[0] & 0x0F == 9


def test_several_transactions_to_different_nodes() -> None:
    config = configured(1)
    config.max_transactions = 3
    bus = Bus(config, configured(2), configured(3))
    echo(bus)
    for node in (2, 3, 2, 3, 9):
        bus.stacks[0].send(Outgoing(SubnetNode(1, node), b"\x05"), bus.now)
    bus.run(40)
    done = of_type(bus.events[0], Completed)
    assert sorted((e.handle, e.success) for e in done if isinstance(e, Completed)) == [
        (1, True),
        (2, True),
        (3, True),
        (4, True),
        (5, False),
    ]


def test_cancelled_message_completes_and_frees_its_place() -> None:
    bus = Bus(configured(1), configured(2))
    echo(bus)
    stuck = bus.stacks[0].send(Outgoing(SubnetNode(1, 9), b"\x05"), bus.now)
    queued = bus.stacks[0].send(Outgoing(SubnetNode(1, 9), b"\x05"), bus.now)
    waiting = bus.stacks[0].send(Outgoing(SubnetNode(1, 2), b"\x05"), bus.now)
    bus.stacks[0].cancel(queued, bus.now)
    bus.stacks[0].cancel(stuck, bus.now)
    bus.stacks[0].cancel(stuck, bus.now)
    bus.run(5)
    completed = of_type(bus.events[0], Completed)
    assert completed == [
        Completed(queued, False, 0),
        Completed(stuck, False, 1),
        Completed(waiting, True, 1),
    ]


def test_receive_transactions_are_bounded() -> None:
    small = configured(2)
    small.max_receive_transactions = 2
    bus = Bus(small, *(configured(node) for node in (3, 4, 5)))
    for stack in bus.stacks[1:]:
        stack.send(Outgoing(SubnetNode(1, 2), b"\x05", Service.ACKD, retry=0), bus.now)
    bus.run(5)
    assert len(bus.events[0]) == 2
    assert bus.stacks[0].statistics.receive_full == 1
    bus.run(60)
    bus.stacks[3].send(Outgoing(SubnetNode(1, 2), b"\x05", Service.ACKD), bus.now)
    bus.run(5)
    assert len(bus.events[0]) == 3


def test_own_frames_and_strangers_are_ignored() -> None:
    bus = pair()
    bus.stacks[0].send(Outgoing(Broadcast(), b"\x05", Service.UNACKD), bus.now)
    (out,) = bus.stacks[0].frames_to_send(bus.now)
    bus.stacks[0].receive_frame(out.data, bus.now + LATENCY)
    assert bus.stacks[0].statistics.own_source == 1
    foreign = Outgoing(Broadcast(), b"\x05", Service.UNACKD, domain=b"xyz")
    bus.stacks[0].send(foreign, bus.now)
    bus.run(1)
    assert bus.events[1] == []
    assert bus.frames[0].npdu.source == SubnetNode(0, 0)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (Outgoing(SubnetNode(1, 2), b""), EncodeError),
        (Outgoing(SubnetNode(1, 2), bytes(230)), EncodeError),
        (Outgoing(SubnetNode(1, 2), b"\x05", retry=16), EncodeError),
        (Outgoing(SubnetNode(1, 2), b"\x05", timer_code=16), EncodeError),
        (Outgoing(SubnetNode(1, 2), b"\x05", timer_code=5, long_timer=True), EncodeError),
        (Outgoing(Broadcast(), b"\x05", backlog=64), EncodeError),
        (Outgoing(Broadcast(), b"\x05", max_responses=0), EncodeError),
        (Outgoing(Group(7), b"\x05"), LocalProtocolError),
        (Outgoing(SubnetNode(1, 2), b"\x05", domain=1), LocalProtocolError),
        (Outgoing(SubnetNode(1, 2), b"\x05", domain=b"xyz"), LocalProtocolError),
    ],
)
def test_impossible_messages(message: Outgoing, error: type[Exception]) -> None:
    with pytest.raises(error):
        Bus(configured(1)).stacks[0].send(message, 0.0)


def test_address_keys_follow_the_configuration() -> None:
    config = configured(2, group=AddressEntry.of_group(7, 3, 1))
    stack = Bus(config).stacks[0]
    assert stack.address_keys() == {
        ("n", neuron(2)),
        ("s", DOMAIN, 1, 2),
        ("g", DOMAIN, 7),
    }
    stack.config.state = NodeConfig(neuron(1)).state
    stack.reindex()
    assert stack.address_keys() == {("n", neuron(2))}
