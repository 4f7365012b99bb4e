"""Requests that nobody honest sends: refused, counted, and never passed on."""

from __future__ import annotations

import pytest

from osgp.lon import (
    AddressEntry,
    Broadcast,
    Destination,
    Group,
    Lpdu,
    NeuronId,
    Npdu,
    Outgoing,
    PduType,
    Service,
    Spdu,
    SubnetNode,
)
from osgp.lon.tpdu import SpduType
from osgp.repeating import Broken, Chain, Failure, Hop, Timing, interpret, send_via
from osgp.repeating.repeater import BUFFERS, HOLD_TIME, MAX_HELD
from tests.unit.repeating.line import DOMAIN, FRAME_TIME, Line, Node, neuron, street

QUESTION = b"\x05\xaa\xbb"


def attacked(
    request: str, to: Destination | None = None, service: Service = Service.REQUEST
) -> tuple[Line, Node]:
    """1/1 sends `request` to 1/2, which has the neighbour 1/3."""
    line = street((1, 1), (1, 2), (1, 3))
    message = Outgoing(to or SubnetNode(1, 2), bytes.fromhex(request), service, retry=1)
    line.source.stack.send(message, line.now)
    line.run(10.0)
    return line, line.nodes[1]


def passed_on(line: Line) -> int:
    """Requests that left the attacked node."""
    return sum(
        sent.node == 1 and sent.lpdu.npdu.destination != SubnetNode(1, 1) for sent in line.sent
    )


MALFORMED = {
    "no header": "4d",
    "nothing for the agent": "4d00",
    "count beyond the frame": "4d1f 03 04 25 ac2404 05",
    "fifteen hops announced, one given": "4d0f 0103 25 2c240104 05",
    "address cut in half": "4d01 01",
    "no tx control": "4d11 03",
    "uniform both ways": "4d91 03 25 ac2404 05aabb",
    "agent part without an APDU": "4d11 03 25 ac2404",
}


@pytest.mark.parametrize("request_hex", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_cannot_be_read_is_dropped_in_silence(request_hex: str) -> None:
    line, node = attacked(request_hex)
    assert not passed_on(line)
    assert not line.source.responses()
    assert node.repeater.statistics.malformed == 1
    assert node.repeater.statistics.requests == 1


FORGED = {
    "names this node": "4d11 02 25 ac2404 05aabb",
    "names this node later": "4d12 03 02 25 ac2404 05aabb",
    "leads back to the sender": "4d12 03 01 25 ac2404 05aabb",
    "goes round between two nodes": "4d14 03 04 03 04 25 ac2404 05aabb",
    "whole address of this node": "4d02 0103 0102 25 2c240104 05aabb",
    "node 0": "4d11 00 25 ac2404 05aabb",
    "subnet 0": "4d01 0003 25 2c240104 05aabb",
    "nine hops": "4d19 03 04 05 06 07 08 09 0a 0b 25 ac240c 05aabb",
    "fifteen hops": "4d1f 030405060708090a0b0c0d0e0f1011 25 ac2412 05aabb",
}


@pytest.mark.parametrize("request_hex", FORGED.values(), ids=FORGED.keys())
def test_forged_lists_fail_at_once(request_hex: str) -> None:
    line, node = attacked(request_hex)
    count = int(request_hex[2:4], 16) & 0x0F
    assert not passed_on(line)
    assert line.source.responses() == [Failure(count).to_bytes()]
    assert node.repeater.statistics.refused == 1


def test_eight_hops_are_passed_on() -> None:
    line, node = attacked("4d18 03 04 05 06 07 08 09 0a 25 ac240c 05aabb")
    assert node.repeater.statistics.forwarded == 1
    assert passed_on(line)


BAD_AGENT_PARTS = {
    "to this node": "4d00 2c240102 05aabb",
    "to this node in the source's subnet": "4d00 ac2402 05aabb",
    "to this node's own Neuron ID": f"4d00 cc24 {neuron((1, 2)).hex()} 05aabb",
    "to node 0": "4d00 ac2400 05aabb",
    "unknown key type": "4d00 ae2403 05aabb",
    "key block cut off": "4d00 ae2401 00112233445566",
    "a Neuron ID cut off": "4d00 cc2401 02030405",
    "acknowledged by a group without size": "4d00 002407 00 05aabb",
}


@pytest.mark.parametrize("request_hex", BAD_AGENT_PARTS.values(), ids=BAD_AGENT_PARTS.keys())
def test_an_agent_that_cannot_deliver_says_so(request_hex: str) -> None:
    line, node = attacked(request_hex)
    assert not passed_on(line)
    assert line.source.responses() == [b"\x4c\x00"]
    assert node.repeater.statistics.refused == 1


def test_a_long_timer_that_does_not_exist() -> None:
    line, node = attacked("4d51 03 2f ac2404 05aabb")
    assert not passed_on(line)
    assert line.source.responses() == [b"\x4c\x01"]
    assert node.repeater.statistics.refused == 1


@pytest.mark.parametrize("to", [Broadcast(), Broadcast(1), Group(7, 3)])
@pytest.mark.parametrize("service", [Service.REQUEST, Service.UNACKD, Service.UNACKD_RPT])
def test_nobody_repeats_what_everybody_heard(to: Destination, service: Service) -> None:
    """One frame must not make a whole subnet send."""
    line = street((1, 1), (1, 2), (1, 3))
    for each in line.nodes[1:]:
        each.stack.config.addresses[0] = AddressEntry.of_group(7, 3, 1)
        each.stack.reindex()
    line.source.stack.send(
        Outgoing(to, bytes.fromhex("4d11 03 25 ac2404 05aabb"), service, retry=1), line.now
    )
    line.run(10.0)
    assert {sent.node for sent in line.sent} == {0}
    assert line.nodes[1].repeater.statistics.malformed == 1


def test_all_agents_to_one_node_makes_no_copies() -> None:
    line, node = attacked("4d31 03 25 ac2404 05aabb")
    assert node.repeater.statistics.copied == 0
    assert node.repeater.statistics.forwarded == 1
    assert all(
        sent.lpdu.npdu.destination != SubnetNode(1, 4) for sent in line.sent if sent.node < 2
    )


def test_all_agents_with_a_bad_agent_part_is_not_passed_on() -> None:
    line, node = attacked("4d31 03 25 6c24 00 05")
    assert not passed_on(line)
    assert node.repeater.statistics.refused == 1


@pytest.mark.parametrize("service", list(Service))
def test_a_flood_fills_no_memory_and_passes(service: Service) -> None:
    """Requests of many senders that all need the longest time."""
    line = street((1, 1), (1, 2), (1, 3))
    node = line.nodes[1]
    request = bytes.fromhex("4d11 03 2f ac2404 05aabb")
    for sender in range(10, 60):
        npdu = forged(service, SubnetNode(1, sender), request)
        line.inject(1, Lpdu(False, False, 1, npdu).encode())
    statistics = node.repeater.statistics
    assert statistics.requests == 50
    on_the_way = statistics.forwarded
    assert on_the_way == (50 if service is Service.UNACKD else BUFFERS)
    assert statistics.out_of_buffers == (
        0 if service is Service.UNACKD else 50 - BUFFERS - MAX_HELD
    )
    line.run(3 * 3.072 + 2 * HOLD_TIME)
    assert node.next_timer() is None
    handle = line.source.stack.send(Outgoing(SubnetNode(1, 2), QUESTION), line.now)
    line.run(1.0)
    assert [each.success for each in line.source.completed() if each.handle == handle] == [True]


def forged(service: Service, source: SubnetNode, apdu: bytes) -> Npdu:
    to = SubnetNode(1, 2)
    if service is Service.UNACKD:
        return Npdu(PduType.APDU, source, to, DOMAIN, apdu)
    kind = PduType.SPDU if service is Service.REQUEST else PduType.TPDU
    number = {Service.REQUEST: 0, Service.ACKD: 0, Service.UNACKD_RPT: 1}[service]
    return Npdu(kind, source, to, DOMAIN, bytes((number << 4 | 3,)) + apdu)


def waiting_chain() -> tuple[Line, Chain, int]:
    """A chain whose target will not answer, while its repeater waits for it."""
    line = street((1, 1), (1, 2), (1, 3), (1, 4))
    line.target.answers = False
    hops = (Hop(SubnetNode(1, 2)), Hop(SubnetNode(1, 3)))
    chain = Chain(hops, SubnetNode(1, 4), Timing(3, 13), Timing(1, 12))
    handle = send_via(line.source.stack, chain, QUESTION, Service.REQUEST, line.now)
    line.run(2.5 * FRAME_TIME)
    return line, chain, handle


@pytest.mark.parametrize("liar", [SubnetNode(1, 77), SubnetNode(1, 4)])
def test_only_the_next_hop_is_believed(liar: SubnetNode) -> None:
    line, chain, _ = waiting_chain()
    number = line.sent[0].lpdu.npdu.pdu[0] & 0x0F
    lie = Spdu(SpduType.RESPONSE, number, b"\x25\x00lie")
    npdu = Npdu(PduType.SPDU, liar, SubnetNode(1, 2), DOMAIN, lie.encode())
    line.inject(1, Lpdu(False, False, 0, npdu).encode())
    line.run(chain.longest_wait())
    assert interpret(chain, line.source.responses()[0]) == Broken(chain.links[-1])


def test_a_late_answer_is_dropped() -> None:
    line, chain, handle = waiting_chain()
    line.run(chain.longest_wait())
    number = line.sent[0].lpdu.npdu.pdu[0] & 0x0F
    late = Spdu(SpduType.RESPONSE, number, b"\x25\x00late")
    npdu = Npdu(PduType.SPDU, SubnetNode(1, 3), SubnetNode(1, 2), DOMAIN, late.encode())
    before = len(line.sent)
    line.inject(1, Lpdu(False, False, 0, npdu).encode())
    line.run(5.0)
    assert len(line.sent) == before
    assert len(line.source.responses()) == 1
    assert handle == line.source.completed()[0].handle


@pytest.mark.parametrize("answer", ["4c", "4c09", "4cff", "4c000000", "4c0f01"])
def test_an_answer_that_makes_no_sense_blames_nobody(answer: str) -> None:
    chain = Chain((Hop(SubnetNode(1, 2)), Hop(SubnetNode(1, 3))), SubnetNode(1, 4))
    outcome = interpret(chain, bytes.fromhex(answer))
    assert isinstance(outcome, Broken)
    assert outcome.link is None


def test_a_repetition_while_the_chain_works_sends_nothing_new() -> None:
    line, chain, _ = waiting_chain()
    before = [sent.node for sent in line.sent]
    line.inject(1, line.sent[0].data)
    line.inject(1, line.sent[0].data)
    assert [sent.node for sent in line.sent] == before
    assert line.nodes[1].repeater.statistics.requests == 1
    assert chain.first_hop.address == SubnetNode(1, 2)


def test_a_target_behind_the_agent_hears_no_neuron_id_of_somebody_else() -> None:
    line, _ = attacked(f"4d00 cc24 {neuron((9, 9)).hex()} 05aabb")
    assert line.source.responses() == [b"\x4c\x00"]
    sent = [each.lpdu.npdu.destination for each in line.sent if each.node == 1]
    assert NeuronId(neuron((9, 9))) in sent
    assert not line.target.received()
