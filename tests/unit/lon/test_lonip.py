"""Nodes on LON/IP: who is sent where, who is learnt, and what is announced."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.lon import (
    AddressEntry,
    Broadcast,
    DomainEntry,
    Group,
    NeuronId,
    NodeConfig,
    NodeState,
    Outgoing,
    Received,
    ResponseReceived,
    Service,
    Stack,
    SubnetNode,
    nm,
)
from osgp.lon.ipmap import ANNOUNCE_EVERY, HERE, MAX_LEARNT, PERIODS, SUBNETS, AddressMap, mapped
from osgp.lon.lonip import IpNode, Joined
from osgp.lon.udp import Datagram

LOOPBACK = b"\x7f\x00\x00"
"""The domain whose addresses map to 127.0.subnet.node."""
NO_MAPPING = b"\x4f\x53\x47"
QUESTION = b"\x05\xaa\xbb"


def node(domain: bytes, number: int, host: str) -> IpNode:
    config = NodeConfig(bytes((0, 0, 0, 0, 0, number)), bytes(8))
    config.domains[0] = DomainEntry(domain, 1, number)
    config.state = NodeState.CONFIGURED_ONLINE
    return IpNode(Stack(config, random.Random(number)), config, host)


def stack_of(one: IpNode) -> Stack:
    assert isinstance(one.machine, Stack)
    return one.machine


class Net:
    """Hosts that hear what is sent to their address or to one that they joined."""

    def __init__(self, *nodes: IpNode) -> None:
        self.nodes, self.sent = nodes, list[Datagram]()
        self.joined: dict[str, frozenset[str]] = {}

    def run(self, now: float) -> list[object]:
        """Until nobody has anything to send; the events of all."""
        events = []
        while True:
            events += [event for one in self.nodes for event in self._events(one)]
            sent = [each for one in self.nodes for each in one.frames_to_send(now)]
            if not sent:
                return events
            for datagram in sent:
                self._deliver(datagram, now)

    def _events(self, one: IpNode) -> list[object]:
        found = []
        while (event := one.next_event()) is not None:
            if isinstance(event, Joined):
                self.joined[one.host] = event.groups
            if isinstance(event, Received) and event.token is not None:
                stack_of(one).respond(event.token, b"\x25" + event.apdu, 0.0)
            found.append(event)
        return found

    def _deliver(self, datagram: Datagram, now: float) -> None:
        self.sent.append(datagram)
        for one in self.nodes:
            to = datagram.destination
            if to in self.joined.get(one.host, ()) or to == one.host:
                one.receive_frame(msgspec.structs.replace(datagram, destination=one.host), now)


def ask(net: Net, asker: IpNode, message: Outgoing, now: float = 0.0) -> list[bytes]:
    net.run(now)
    stack_of(asker).send(message, now)
    return [event.apdu for event in net.run(now) if isinstance(event, ResponseReceived)]


def test_mapped_hosts_need_nothing_but_the_mapping() -> None:
    net = Net(node(LOOPBACK, 1, "127.0.1.1"), node(LOOPBACK, 2, "127.0.1.2"))
    request = Outgoing(SubnetNode(1, 2), QUESTION)
    assert ask(net, net.nodes[0], request) == [b"\x25" + QUESTION]
    assert [(each.destination, each.payload[:2].hex()) for each in net.sent] == [
        ("127.0.1.2", "0011"),
        ("127.0.1.1", "0011"),
    ]
    assert net.nodes[0].next_timer() is None, "nothing to announce"


@pytest.mark.parametrize("domain", [b"", b"\x0a", LOOPBACK, NO_MAPPING, b"abcdef"])
def test_hosts_elsewhere_find_each_other_by_their_announcements(domain: bytes) -> None:
    first, second = node(domain, 1, "198.51.100.7"), node(domain, 2, "203.0.113.9")
    net = Net(first, second)
    net.run(0.0)
    assert [each.destination for each in net.sent] == ["239.192.0.0"] * 2
    assert all(each.payload.endswith(HERE) for each in net.sent)
    del net.sent[:]
    assert ask(net, first, Outgoing(SubnetNode(1, 2), QUESTION)) == [b"\x25" + QUESTION]
    assert [each.destination for each in net.sent] == ["203.0.113.9", "198.51.100.7"]
    assert all(each.payload[1] >> 4 == 7 for each in net.sent), "subnet and node are inside"


def test_who_is_not_known_and_has_no_mapping_is_sought_in_his_subnet() -> None:
    first, second = node(NO_MAPPING, 1, "198.51.100.7"), node(NO_MAPPING, 2, "203.0.113.9")
    net = Net(first, second)
    net.run(0.0)
    first.places = AddressMap()
    del net.sent[:]
    assert ask(net, first, Outgoing(SubnetNode(1, 2), QUESTION)) == [b"\x25" + QUESTION]
    assert [each.destination for each in net.sent] == ["239.192.0.1", "198.51.100.7"]


@pytest.mark.parametrize("to", [Broadcast(), Broadcast(1), Group(9, 1)], ids=str)
def test_many_are_reached_by_multicast(to: Broadcast | Group) -> None:
    first, second = node(LOOPBACK, 1, "127.0.1.1"), node(LOOPBACK, 2, "198.51.100.7")
    second.config.addresses[0] = AddressEntry.of_group(9, 2, 1)
    stack_of(second).reindex()
    answers = ask(Net(first, second), first, Outgoing(to, QUESTION))
    assert answers == [b"\x25" + QUESTION]


def test_an_unconfigured_node_is_reached_by_its_neuron_id_and_moves() -> None:
    """It answers from 0/0, is given an address, and listens to its subnet from then on."""
    first, fresh = node(LOOPBACK, 1, "127.0.1.1"), node(LOOPBACK, 2, "198.51.100.7")
    fresh.config.domains[0] = DomainEntry(valid=False)
    fresh.config.state = NodeState.UNCONFIGURED
    stack_of(fresh).reindex()
    net = Net(first, fresh)
    to = NeuronId(fresh.config.neuron_id)
    join = nm.join_domain(0, DomainEntry(LOOPBACK, 1, 5))
    assert ask(net, first, Outgoing(to, join)) == [b"\x20\x07"]
    online = nm.set_node_mode(nm.Mode.CHANGE_STATE, NodeState.CONFIGURED_ONLINE)
    ask(net, first, Outgoing(to, online))
    assert net.joined[fresh.host] == {"239.192.0.0", "239.192.0.1"}
    assert ask(net, first, Outgoing(SubnetNode(1, 5), QUESTION)) == [b"\x25" + QUESTION]


def test_announcements_come_again_and_their_period_can_be_set() -> None:
    first, second = node(LOOPBACK, 1, "127.0.1.1"), node(LOOPBACK, 2, "198.51.100.7")
    net = Net(first, second)
    net.run(0.0)
    assert second.next_timer() == ANNOUNCE_EVERY
    second.handle_timer(ANNOUNCE_EVERY)
    net.run(ANNOUNCE_EVERY)
    assert second.statistics.announcements == 2
    period = PERIODS + (60_000).to_bytes(4, "big") + bytes(2) + (90_000).to_bytes(4, "big")
    tell(first, period, net, ANNOUNCE_EVERY)
    assert second.next_timer() == ANNOUNCE_EVERY + 60
    assert (second.places.period, second.places.ageing) == (60.0, 90.0)
    tell(first, PERIODS + bytes(10), net, ANNOUNCE_EVERY)
    assert second.next_timer() is None


def tell(teller: IpNode, apdu: bytes, net: Net, now: float) -> None:
    stack_of(teller).send(Outgoing(Broadcast(), apdu, Service.UNACKD), now)
    events = net.run(now)
    assert not [event for event in events if isinstance(event, Received)], "it goes no further"


def test_what_was_learnt_ages_and_ends() -> None:
    places = AddressMap(ageing=10.0)
    at = SubnetNode(1, 2)
    places.learn(LOOPBACK, at, "198.51.100.7", 100.0)
    assert places.find(LOOPBACK, at, 110.0) == "198.51.100.7"
    assert places.find(LOOPBACK, at, 110.1) is None
    assert places.find(b"", at, 100.0) is None
    places.learn(LOOPBACK, at, mapped(LOOPBACK, at) or "", 100.0)
    assert places.find(LOOPBACK, at, 100.0) is None, "it moved to its mapped address"


def test_subnets_at_their_mapped_addresses_are_forgotten() -> None:
    places = AddressMap()
    for subnet in (1, 9):
        places.learn(LOOPBACK, SubnetNode(subnet, 2), "198.51.100.7", 0.0)
    bitmap = bytearray(32)
    bitmap[1] = 0x02
    assert places.told(SUBNETS + b"\x00" + bitmap, LOOPBACK)
    assert len(places) == 2
    assert places.told(SUBNETS + b"\x01" + bitmap, LOOPBACK)
    assert places.find(LOOPBACK, SubnetNode(9, 2), 0.0) is None
    assert places.find(LOOPBACK, SubnetNode(1, 2), 0.0) is not None


def test_a_flood_of_announcements_fills_no_memory() -> None:
    places = AddressMap()
    for number in range(3 * MAX_LEARNT):
        at = SubnetNode(number % 255 + 1, number // 255 + 1)
        places.learn(NO_MAPPING, at, "198.51.100.7", float(number))
    assert len(places) == MAX_LEARNT
    assert places.find(NO_MAPPING, at, 0.0) is not None, "the newest stay"


@given(st.binary(max_size=40), st.sampled_from(["198.51.100.7", "127.0.1.9", "nowhere", "::1"]))
def test_no_datagram_stops_a_node(payload: bytes, source: str) -> None:
    one = node(LOOPBACK, 1, "127.0.1.1")
    one.receive_frame(Datagram(payload, source, one.host), 0.0)
    one.frames_to_send(0.0)
    one.handle_timer(1e6)


def test_own_multicasts_are_not_heard() -> None:
    one = node(LOOPBACK, 1, "127.0.1.1")
    stack_of(one).service_pin(0.0)
    (sent,) = one.frames_to_send(0.0)
    one.receive_frame(sent, 0.0)
    assert isinstance(one.next_event(), Joined)
    assert one.next_event() is None
