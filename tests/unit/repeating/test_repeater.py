"""Chains at work: success over 1 to 8 hops, losses, failures that climb back, buffers, keys."""

from __future__ import annotations

import pytest

from osgp.lon import (
    AddressEntry,
    AuthScheme,
    Broadcast,
    Completed,
    Destination,
    Group,
    Lpdu,
    NeuronId,
    NodeState,
    Npdu,
    Outgoing,
    PduType,
    ResponseReceived,
    Service,
    Spdu,
    SubnetNode,
)
from osgp.lon.tpdu import SpduType
from osgp.repeating import (
    Broken,
    Chain,
    Delivered,
    Hop,
    Outcome,
    Reason,
    Repeater,
    Responded,
    Timing,
    interpret,
    key_delta,
    message_via,
    send_via,
    timings,
)
from osgp.repeating.repeater import HOLD_TIME, TRANSITIONS, Input, State

from .line import DOMAIN, FRAME_TIME, SHARED_KEY, Line, Node, Sent, configured, neuron, node, street

QUESTION = b"\x05\xaa\xbb"
ANSWER = b"\x25\x00\x05\xaa\xbb"
PROVEN = b"\x25\x01\x05\xaa\xbb"
ALL_HOPS = range(1, 9)


def row(hops: int, auth: AuthScheme = AuthScheme.STANDARD) -> Line:
    """Source, `hops` repeaters and the target, each hearing its neighbours only."""
    return street(*((1, n) for n in range(1, hops + 3)), auth=auth)


def chain_over(
    line: Line,
    target: Destination | None = None,
    *,
    all_agents: bool = False,
    authenticated: bool = False,
) -> Chain:
    hops = tuple(Hop(each.address) for each in line.nodes[1:-1])
    hop, agent = timings(len(hops), FRAME_TIME, authenticated=authenticated)
    goal = line.target.address if target is None else target
    return Chain(hops, goal, hop, agent, all_agents=all_agents)


def ask(
    line: Line,
    chain: Chain,
    service: Service = Service.REQUEST,
    *,
    authenticated: bool = False,
    delta: bytes = b"",
    first_key: bytes | None = None,
) -> Outcome:
    """Sends over the chain and waits as long as it may take."""
    stack = line.source.stack
    handle = send_via(
        stack,
        chain,
        QUESTION,
        service,
        line.now,
        authenticated=authenticated,
        delta=delta,
        first_key=first_key,
    )
    line.run(chain.longest_wait(authenticated=authenticated) + FRAME_TIME)
    return outcome(line.source, chain, handle)


def outcome(source: Node, chain: Chain, handle: int) -> Outcome:
    (done,) = [each for each in source.completed() if each.handle == handle]
    answers = [
        each.apdu
        for each in source.events
        if isinstance(each, ResponseReceived) and each.handle == handle
    ]
    assert len(answers) == done.success
    return interpret(chain, answers[0] if answers else None)


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


# --- buffers ---------------------------------------------------------------------------------


def crowded(buffers: int) -> tuple[Line, Chain, Chain]:
    """Two sources around one repeater, each with a target that is silent."""
    nodes = [node(configured((1, n)), buffers=buffers) for n in (1, 2, 3, 4, 5)]
    line = Line(*nodes, reach=None)
    for each in nodes[3:]:
        each.answers = False
    hop, agent = Timing(5, 12), Timing(1, 13)
    chains = [Chain((Hop(SubnetNode(1, 2)),), SubnetNode(1, n), hop, agent) for n in (4, 5)]
    return line, chains[0], chains[1]


def test_a_request_waits_for_a_buffer() -> None:
    line, first, second = crowded(1)
    line.nodes[3].answers = True
    send_via(line.nodes[0].stack, first, QUESTION, Service.ACKD, line.now)
    send_via(line.nodes[2].stack, second, QUESTION, Service.UNACKD, line.now)
    line.run(1.5 * FRAME_TIME)
    assert line.nodes[1].repeater.next_timer() == pytest.approx(1000.0 + FRAME_TIME + HOLD_TIME)
    line.run(3.0)
    assert line.nodes[0].responses() == [b"\x4d"]
    assert line.nodes[2].responses() == [b"\x4d"]
    assert line.nodes[1].repeater.next_timer() is None


def test_after_a_second_without_a_buffer_the_chain_fails() -> None:
    line, first, second = crowded(1)
    send_via(line.nodes[0].stack, first, QUESTION, Service.REQUEST, line.now)
    send_via(line.nodes[2].stack, second, QUESTION, Service.REQUEST, line.now)
    line.run(10.0)
    (failure, *_) = [sent for sent in line.sent if sent.data[-4:-2] == b"\x4c\x00"]
    assert failure.lpdu.npdu.destination == SubnetNode(1, 3)
    assert failure.time == pytest.approx(1000.0 + FRAME_TIME + HOLD_TIME)
    assert line.nodes[2].responses() == line.nodes[0].responses() == [b"\x4c\x00"]
    assert line.nodes[1].repeater.statistics.out_of_buffers == 1


def test_a_new_request_supersedes_the_unfinished_one() -> None:
    """The source gave up and asks again; the repeater drops what it was doing for it."""
    line, first, second = crowded(1)
    stack = line.nodes[0].stack
    line.nodes[4].answers = True
    handle = send_via(stack, first, QUESTION, Service.REQUEST, line.now)
    line.run(0.5)
    stack.cancel(handle, line.now)
    send_via(stack, second, QUESTION, Service.REQUEST, line.now)
    line.run(1.0)
    assert line.nodes[0].responses() == [ANSWER]
    assert line.nodes[1].repeater.statistics.superseded == 1
    tries = [sent for sent in line.sent if sent.lpdu.npdu.destination == SubnetNode(1, 4)]
    assert len(tries) == 1


def test_an_answer_that_crosses_the_new_request_is_dropped() -> None:
    """Both are in the stack before the repeater sees either."""
    line, first, second = crowded(8)
    repeater = line.nodes[1]
    stack = line.nodes[0].stack
    handle = send_via(stack, first, QUESTION, Service.REQUEST, line.now)
    line.run(1.5 * FRAME_TIME)
    stack.cancel(handle, line.now)
    send_via(stack, second, QUESTION, Service.REQUEST, line.now)
    (request,) = stack.frames_to_send(line.now)
    number = line.sent[-1].lpdu.npdu.pdu[0] & 0x0F
    response = Spdu(SpduType.RESPONSE, number, ANSWER)
    npdu = Npdu(PduType.SPDU, SubnetNode(1, 4), SubnetNode(1, 2), DOMAIN, response.encode())
    repeater.stack.receive_frame(request.data, line.now)
    repeater.stack.receive_frame(Lpdu(False, False, 0, npdu).encode(), line.now)
    repeater.drain(line.now)
    assert repeater.repeater.statistics.superseded == 1
    assert repeater.repeater.statistics.responses == 0
    sent = [Lpdu.decode(out.data) for out in repeater.stack.frames_to_send(line.now)]
    assert [lpdu.npdu.destination for lpdu in sent] == [SubnetNode(1, 5)]


def test_a_held_request_is_superseded_too() -> None:
    line, first, second = crowded(1)
    send_via(line.nodes[2].stack, first, QUESTION, Service.REQUEST, line.now)
    line.run(0.2)
    stack = line.nodes[0].stack
    handle = send_via(stack, second, QUESTION, Service.REQUEST, line.now)
    line.run(0.2)
    stack.cancel(handle, line.now)
    send_via(stack, second, QUESTION + b"\x01", Service.REQUEST, line.now)
    line.run(1.05)
    assert line.nodes[1].repeater.statistics.requests == 3
    assert line.nodes[1].repeater.statistics.out_of_buffers == 0
    line.run(0.2)
    assert line.nodes[1].repeater.statistics.out_of_buffers == 1


def test_a_request_that_the_stack_keeps_back_too_long_never_reaches_the_target() -> None:
    """Its source has given up: the target must not act on it when the way is free again."""
    line = crowded(8)[0]
    hops = (Hop(SubnetNode(1, 2)),)
    slow = Chain(hops, SubnetNode(1, 4), Timing(3, 15), Timing(3, 15))
    quick = Chain(hops, SubnetNode(1, 4), Timing(3, 13), Timing(0, 10))
    send_via(line.nodes[0].stack, slow, b"\x05slow", Service.REQUEST, line.now)
    line.run(0.01)
    send_via(line.nodes[2].stack, quick, b"\x05quick", Service.REQUEST, line.now)
    line.run(60.0)
    assert line.nodes[2].responses() == [b"\x4c\x00"]
    assert line.nodes[1].repeater.statistics.overdue == 1
    assert [each.apdu for each in line.nodes[3].received()] == [b"\x05slow"]


# --- keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", list(AuthScheme))
@pytest.mark.parametrize("hops", [1, 3, 8])
def test_every_hop_proves_itself(auth: AuthScheme, hops: int) -> None:
    line = row(hops, auth)
    chain = chain_over(line, authenticated=True)
    assert ask(line, chain, authenticated=True) == Responded(PROVEN)
    assert len(line.sent) == 4 * (hops + 1)
    assert all(received.authenticated for each in line.nodes[1:] for received in each.received())


@pytest.mark.parametrize("auth", list(AuthScheme))
def test_the_agent_proves_the_targets_key_and_nobody_sends_it(auth: AuthScheme) -> None:
    length = 12 if auth is AuthScheme.OMA else 6
    target_key = bytes(range(0xF4, 0x100))
    rows = [node(configured((1, n), auth=auth)) for n in (1, 2, 3)]
    line = Line(*rows, node(configured((1, 4), target_key, auth)))
    delta = key_delta(SHARED_KEY[:length], target_key[:length])
    chain = chain_over(line)
    assert ask(line, chain, authenticated=True, delta=delta) == Responded(PROVEN)
    for sent in line.sent:
        assert SHARED_KEY[:length] not in sent.data
        assert target_key[:length] not in sent.data


def test_without_the_delta_the_target_does_not_believe_the_agent() -> None:
    rows = [node(configured((1, n))) for n in (1, 2)]
    line = Line(*rows, node(configured((1, 3), bytes(12))))
    assert ask(line, chain_over(line), authenticated=True) == Responded(ANSWER)


def test_a_delta_is_not_used_for_somebody_unproven() -> None:
    """Else anybody could have the agent answer challenges with any key near its own."""
    target_key = bytes(range(0x40, 0x4C))
    rows = [node(configured((1, n))) for n in (1, 2)]
    line = Line(*rows, node(configured((1, 3), target_key)))
    delta = key_delta(SHARED_KEY[:6], target_key[:6])
    wrong = bytes(6)
    found = ask(line, chain_over(line), authenticated=True, delta=delta, first_key=wrong)
    assert found == Responded(ANSWER)


def test_an_unproven_request_goes_on_without_asking() -> None:
    line = row(2)
    found = ask(line, chain_over(line), authenticated=True, first_key=bytes(6))
    assert found == Responded(ANSWER)
    auth_pdus = [sent.node for sent in line.sent if sent.lpdu.npdu.pdu_type is PduType.AUTH]
    assert auth_pdus == [1, 0]


@pytest.mark.parametrize("strict", [1, 2, 3])
def test_a_repeater_may_insist_on_authentication(strict: int) -> None:
    """G.5.4: the refusal climbs back and names the link behind which it arose."""
    line = row(3)
    insisting = line.nodes[strict]
    insisting.repeater = Repeater(insisting.stack, authenticated_only=True)
    chain = chain_over(line)
    assert ask(line, chain) == Broken(chain.links[strict - 1], Reason.AUTHENTICATION)
    assert insisting.repeater.statistics.unauthenticated == 1
    assert ask(line, chain, authenticated=True) == Responded(PROVEN)


def test_the_link_with_the_wrong_key_is_found() -> None:
    rows = [node(configured((1, n))) for n in (1, 2)]
    rows += [node(configured((1, n), bytes(12))) for n in (3, 4)]
    line = Line(*rows)
    line.nodes[2].repeater = Repeater(line.nodes[2].stack, authenticated_only=True)
    chain = chain_over(line)
    found = ask(line, chain, authenticated=True)
    assert found == Broken(chain.links[1], Reason.AUTHENTICATION)


# --- the machine -----------------------------------------------------------------------------


def test_a_node_without_a_domain_fails_the_chain() -> None:
    line = row(1)
    chain = chain_over(line)
    repeater = line.nodes[1]
    repeater.stack.config.state = NodeState.UNCONFIGURED
    repeater.stack.reindex()
    apdu = chain.encode(SubnetNode(1, 1), QUESTION, Service.REQUEST)
    line.source.stack.send(Outgoing(NeuronId(neuron((1, 2))), apdu), line.now)
    line.run(5.0)
    assert line.source.responses() == [b"\x4c\x00"]
    assert repeater.repeater.statistics.refused == 1


def test_other_events_are_left_to_the_application() -> None:
    line = row(1)
    stack, repeater = line.source.stack, line.source.repeater
    stack.send(Outgoing(SubnetNode(1, 2), QUESTION), line.now)
    line.run(1.0)
    assert [type(event) for event in line.source.events] == [ResponseReceived, Completed]
    for event in line.source.events:
        assert not repeater.wants(event)
        assert not repeater.on_event(event, line.now)
    assert len(line.nodes[1].received()) == 1


def test_the_transition_table_ends() -> None:
    """Every state but OVER leads to OVER, and no input repeats a state for ever."""
    reaches: dict[State, set[State]] = {state: set() for state in State}
    for (state, _), (following, _) in TRANSITIONS.items():
        reaches[state].add(following)
    for state in State:
        assert state not in reaches[state]
    order = [State.NEW, State.HELD, State.SENT, State.ANSWERED, State.CANCELLED, State.OVER]
    for (state, _), (following, _) in TRANSITIONS.items():
        assert order.index(following) > order.index(state)
    ends = {state for state, following in reaches.items() if not following}
    assert ends == {State.OVER}
    for state in (State.SENT, State.ANSWERED, State.CANCELLED):
        assert {(state, Input.DONE), (state, Input.GIVEN_UP)} <= set(TRANSITIONS)


def test_nothing_stays_behind() -> None:
    line = row(4)
    line.lost = lambda sender, receiver, sent: sender == 3
    ask(line, chain_over(line))
    line.run(60.0)
    for each in line.nodes:
        assert each.next_timer() is None
        assert each.stack.frames_to_send(line.now) == []
