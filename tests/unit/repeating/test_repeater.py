"""Chains at work: success over 1 to 8 hops, losses, failures that climb back, many receivers."""

from __future__ import annotations

import pytest

from osgp.lon import (
    AddressEntry,
    Broadcast,
    Group,
    NeuronId,
    PduType,
    Service,
    Spdu,
    SubnetNode,
)
from osgp.repeating import (
    Broken,
    Chain,
    Delivered,
    Hop,
    Responded,
    message_via,
    send_via,
)
from osgp.repeating.message import AgentPart, Mode, Request

from .asking import ALL_HOPS, ANSWER, QUESTION, ask, chain_over, outcome, row
from .line import Line, Sent, neuron


@pytest.mark.parametrize("hops", ALL_HOPS)
def test_the_response_comes_back(hops: int) -> None:
    line = row(hops)
    assert ask(line, chain_over(line)) == Responded(ANSWER)
    assert len(line.sent) == 2 * (hops + 1)
    assert [each.apdu for each in line.target.received()] == [QUESTION]


@pytest.mark.parametrize("service", [Service.ACKD, Service.UNACKD, Service.UNACKD_RPT])
def test_success_without_a_response(service: Service) -> None:
    line = row(3)
    assert ask(line, chain_over(line), service) == Delivered()
    assert [each.service for each in line.target.received()] == [service]


def test_the_target_is_reached_by_its_neuron_id() -> None:
    line = row(2)
    chain = chain_over(line, NeuronId(neuron((1, 4))))
    assert ask(line, chain) == Responded(ANSWER)


def test_a_request_keeps_its_number_service_and_priority() -> None:
    line = row(3)
    message = message_via(
        chain_over(line), QUESTION, Service.REQUEST, SubnetNode(1, 1), priority=True
    )
    line.source.stack.send(message, line.now)
    line.run(5.0)
    lpdus = [sent.lpdu for sent in line.sent]
    assert all(lpdu.priority for lpdu in lpdus)
    assert len({lpdu.npdu.pdu[0] & 0x8F for lpdu in lpdus}) == 1


def test_each_hop_takes_the_path_it_is_given() -> None:
    line = row(3)
    whole = chain_over(line)
    hops = (whole.hops[0], Hop(whole.hops[1].address, alternate_path=True), whole.hops[2])
    chain = Chain(hops, whole.target, whole.hop_timing, whole.target_timing, True)
    assert ask(line, chain) == Responded(ANSWER)
    down = line.sent[:4]
    assert [sent.lpdu.alternate_path for sent in down] == [False, True, False, True]


# --- losses ----------------------------------------------------------------------------------


def losing(line: Line, sender: int, receiver: int, times: int) -> None:
    """Drops the first frames from one node to another."""
    left = [times]

    def lost(one: int, other: int, sent: Sent) -> bool:
        if (one, other) != (sender, receiver) or not left[0]:
            return False
        left[0] -= 1
        return True

    line.lost = lost


LINKS = [(hops, link) for hops in (1, 2, 5, 8) for link in range(hops + 1)]


@pytest.mark.parametrize(("hops", "link"), LINKS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_request_is_sent_again(hops: int, link: int, times: int) -> None:
    line = row(hops)
    losing(line, link, link + 1, times)
    assert ask(line, chain_over(line)) == Responded(ANSWER)
    assert len(line.target.received()) == 1


@pytest.mark.parametrize(("hops", "link"), LINKS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_answer_executes_nothing_twice(hops: int, link: int, times: int) -> None:
    line = row(hops)
    losing(line, link + 1, link, times)
    assert ask(line, chain_over(line)) == Responded(ANSWER)
    assert len(line.target.received()) == 1


@pytest.mark.parametrize(("hops", "link"), [(h, link) for h in ALL_HOPS for link in range(h + 1)])
def test_a_failure_climbs_back_and_names_its_link(hops: int, link: int) -> None:
    line = row(hops)
    line.lost = lambda sender, receiver, sent: {sender, receiver} == {link, link + 1}
    chain = chain_over(line)
    expected = Broken(chain.links[link], heard=link > 0)
    assert ask(line, chain) == expected
    assert not line.target.received()


@pytest.mark.parametrize("hops", ALL_HOPS)
def test_a_target_that_does_not_answer_is_the_last_link(hops: int) -> None:
    line = row(hops)
    line.target.answers = False
    chain = chain_over(line)
    assert ask(line, chain) == Broken(chain.links[-1])


def test_the_source_knows_the_outcome_in_time() -> None:
    line = row(8)
    line.lost = lambda sender, receiver, sent: sender == 0
    chain = chain_over(line)
    start = line.now
    handle = send_via(line.source.stack, chain, QUESTION, Service.REQUEST, start)
    line.run(chain.longest_wait() - 0.001)
    assert not line.source.completed()
    line.run(0.002)
    assert outcome(line.source, chain, handle) == Broken(chain.links[0], heard=False)


# --- many receivers --------------------------------------------------------------------------


def test_every_repeater_of_an_all_agents_broadcast_sends_it() -> None:
    line = row(3)
    chain = chain_over(line, Broadcast(), all_agents=True)
    send_via(
        line.source.stack, chain, QUESTION, Service.UNACKD, line.now, hop_service=Service.UNACKD
    )
    line.run(5.0)
    heard = [
        [each.source.node for each in one.received() if each.apdu == QUESTION] for one in line.nodes
    ]
    assert heard == [[2], [3], [2, 4], [3], [4]]
    assert not line.source.responses()


def test_an_all_agents_broadcast_reports_its_success() -> None:
    line = row(3)
    chain = chain_over(line, Broadcast(), all_agents=True)
    assert ask(line, chain, Service.UNACKD) == Delivered()
    assert [each.repeater.statistics.copied for each in line.nodes] == [0, 1, 1, 0, 0]


def test_repeated_copies_do_not_hold_up_the_request() -> None:
    line = row(2)
    chain = chain_over(line, Broadcast(), all_agents=True)
    assert ask(line, chain, Service.UNACKD_RPT) == Delivered()
    at_once = [sent.lpdu.npdu for sent in line.sent if sent.node == 1 and sent.time < 1000.15]
    assert [npdu.destination for npdu in at_once] == [SubnetNode(1, 3), Broadcast()]
    numbers = {npdu.pdu[0] & 0x0F for npdu in at_once}
    assert len(numbers) == 2


def test_copies_ask_nobody_for_an_answer() -> None:
    line = row(2)
    chain = chain_over(line, Broadcast(), all_agents=True)
    ask(line, chain, Service.REQUEST)
    copies = [sent.lpdu.npdu for sent in line.sent if sent.lpdu.npdu.destination == Broadcast()]
    kinds = [(npdu.source.node, npdu.pdu_type) for npdu in copies]
    assert kinds[0] == (2, PduType.APDU)
    assert all(kind is PduType.SPDU for sender, kind in kinds if sender == 3)


def test_a_group_behind_repeaters_answers() -> None:
    line = row(2)
    line.target.stack.config.addresses[0] = AddressEntry.of_group(7, 2, 1)
    line.target.stack.reindex()
    assert ask(line, chain_over(line, Group(7, 1))) == Responded(ANSWER)


def test_the_first_answer_of_a_group_goes_back_and_the_rest_is_waited_for() -> None:
    """The other member is silent, so that the agent's transaction fails in the end."""
    line = row(2)
    line.target.stack.config.addresses[0] = AddressEntry.of_group(7, 2, 1)
    line.target.stack.reindex()
    chain = chain_over(line, Group(7, 2))
    assert ask(line, chain) == Responded(ANSWER)
    statistics = line.nodes[2].repeater.statistics
    assert (statistics.responses, statistics.failed) == (1, 0)


@pytest.mark.parametrize("mode", [Mode.ZERO_CROSSING, Mode.ATTENUATED])
@pytest.mark.parametrize("hops", [1, 4, 8])
def test_the_mode_of_the_last_link_is_carried_by_every_hop(mode: Mode, hops: int) -> None:
    """It is the agent's to use; this one sends as always, and the response comes back."""
    line = row(hops)
    plain = chain_over(line)
    chain = Chain(plain.hops, plain.target, plain.hop_timing, plain.target_timing, mode=mode)
    assert ask(line, chain) == Responded(ANSWER)
    carried = [
        AgentPart.parse(Request.parse(pdu.apdu).agent_part)
        for pdu in (sent.lpdu.npdu.enclosed() for sent in line.sent)
        if isinstance(pdu, Spdu) and pdu.apdu[:1] == b"\x4d"
    ]
    assert len(carried) == hops
    assert {part.mode for part in carried} == {mode}
    assert [each.apdu for each in line.target.received()] == [QUESTION]
