"""The machine of a relay: it ends, and what is not its business passes it by."""

from __future__ import annotations

from osgp.lon import (
    Completed,
    NeuronId,
    NodeState,
    Outgoing,
    ResponseReceived,
    Service,
    SubnetNode,
)
from osgp.repeating.repeater import TRANSITIONS, Input, State

from .asking import QUESTION, ask, chain_over, row
from .line import neuron


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
