"""No path of the transaction machines sends for ever: every cycle uses something up.

A table alone proves it: whatever leads from a state back to it either is a timer that takes a try
away (`retry` counts down, and at 0 only LAST_TIMER is given), or is caused by a frame from outside
and its number is bounded (answers by who can answer, challenges by `MAX_CHALLENGES`).
"""

from __future__ import annotations

import random

import pytest

from osgp.lon import (
    AuthPdu,
    DomainEntry,
    Lpdu,
    NodeConfig,
    NodeState,
    Npdu,
    Outgoing,
    PduType,
    Service,
    Stack,
    SubnetNode,
    receive,
    transmit,
)
from osgp.lon.addresses import AddressFormat
from osgp.lon.tpdu import AuthType
from osgp.lon.transaction import State

TIMED = {transmit.Input.TIMER, transmit.Input.LAST_TIMER}
SENDING = {"transmit"}


def test_only_the_timer_repeats_and_it_takes_a_try() -> None:
    for (state, what), (following, actions) in transmit.TRANSITIONS.items():
        if following is state and SENDING & set(actions):
            assert what is transmit.Input.TIMER
            assert actions.index("retry") < actions.index("transmit")
        if "retry" in actions:
            assert what is transmit.Input.TIMER


def test_every_state_that_waits_is_closed_by_its_last_timer() -> None:
    for state in State:
        timed = {what for (of, what) in transmit.TRANSITIONS if of is state and what in TIMED}
        assert timed in (set(), TIMED), "a timer without an end"
        if timed:
            following, _ = transmit.TRANSITIONS[state, transmit.Input.LAST_TIMER]
            assert following is State.CLOSED
    assert not [of for (of, _) in transmit.TRANSITIONS if of is State.CLOSED]


def test_states_are_never_entered_again_once_left() -> None:
    order = list(State)
    for (state, _), (following, _) in transmit.TRANSITIONS.items():
        assert order.index(following) >= order.index(state)


def test_a_receiver_sends_only_when_something_was_received() -> None:
    """It has no timer at all: each of its frames answers one frame, reply or response."""
    caused = {what for _, what in receive.TRANSITIONS}
    assert caused == set(receive.Input)
    order = [
        receive.State.NEW,
        receive.State.CHALLENGED,
        receive.State.DELIVERED,
        receive.State.RESPONDED,
        receive.State.SILENT,
    ]
    for (state, what), (following, actions) in receive.TRANSITIONS.items():
        assert order.index(following) >= order.index(state)
        if following is state:
            assert what is receive.Input.AGAIN
            assert "deliver" not in actions


def node() -> Stack:
    config = NodeConfig(bytes(6), bytes(8))
    config.domains[0] = DomainEntry(b"OSG", 1, 1)
    config.state = NodeState.CONFIGURED_ONLINE
    return Stack(config, random.Random(1))


@pytest.mark.parametrize("service", [Service.ACKD, Service.REQUEST, Service.UNACKD_RPT])
@pytest.mark.parametrize("retry", [0, 1, 7, 15])
def test_frames_are_counted_out(service: Service, retry: int) -> None:
    """With the shortest timer, and called as often as it likes."""
    stack = node()
    stack.send(Outgoing(SubnetNode(1, 2), b"\x05", service, retry=retry, timer_code=0), 0.0)
    frames, calls = len(stack.frames_to_send(0.0)), 0
    while (due := stack.next_timer()) is not None:
        stack.handle_timer(due)
        frames += len(stack.frames_to_send(due))
        calls += 1
        assert calls <= 16
    assert frames == retry + 1


def test_a_flood_of_challenges_is_answered_so_often_and_no_more() -> None:
    stack = node()
    stack.send(Outgoing(SubnetNode(1, 2), b"\x05", authenticated=True, retry=15), 0.0)
    (sent,) = stack.frames_to_send(0.0)
    tid = Lpdu.decode(sent.data).npdu.pdu[0] & 0x0F
    answered = 0
    for number in range(200):
        challenge = AuthPdu(
            AuthType.CHALLENGE, tid, AddressFormat.SUBNET_NODE, bytes((number,)) * 8, None
        )
        npdu = Npdu(PduType.AUTH, SubnetNode(1, 2), SubnetNode(1, 1), b"OSG", challenge.encode(0))
        stack.receive_frame(Lpdu(False, False, 0, npdu).encode(), 0.1)
        answered += len(stack.frames_to_send(0.1))
    assert answered == transmit.MAX_CHALLENGES
    due = stack.next_timer()
    assert due is not None and due < 10.0, "nor is its end put off for ever"
