"""Repeaters with more to do than they have room for: waiting, refusing, superseding."""

from __future__ import annotations

import pytest

from osgp.lon import (
    Lpdu,
    Npdu,
    PduType,
    Service,
    Spdu,
    SubnetNode,
)
from osgp.lon.tpdu import SpduType
from osgp.repeating import (
    Chain,
    Hop,
    Timing,
    send_via,
)
from osgp.repeating.repeater import HOLD_TIME

from .asking import ANSWER, QUESTION
from .line import DOMAIN, FRAME_TIME, Line, configured, node


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
