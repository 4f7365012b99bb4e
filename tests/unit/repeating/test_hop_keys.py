"""Authentication along a chain (G.3.7, G.5.4): every hop proves itself, or the chain stops."""

from __future__ import annotations

import pytest

from osgp.lon import (
    AuthScheme,
    NeuronId,
    NodeState,
    Outgoing,
    Service,
    SubnetNode,
)
from osgp.repeating import (
    Broken,
    Reason,
    Repeater,
    Responded,
    key_delta,
)

from .asking import ANSWER, PROVEN, QUESTION, ask, chain_over, row
from .line import SHARED_KEY, Line, configured, neuron, node

ROW = range(1, 7)


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
    chain = chain_over(line)
    assert ask(line, chain, delta=delta) == Responded(ANSWER)
    found = ask(line, chain, authenticated=True, delta=delta, first_key=bytes(6))
    assert found == Broken(chain.links[0], Reason.AUTHENTICATION)


@pytest.mark.parametrize("hops", [1, 2, 8])
def test_who_fails_to_prove_a_key_is_refused_at_once(hops: int) -> None:
    """G.5.4, also by repeaters that do not insist on authentication: nothing is passed on."""
    line = row(hops)
    chain = chain_over(line)
    found = ask(line, chain, authenticated=True, first_key=bytes(6))
    assert found == Broken(chain.links[0], Reason.AUTHENTICATION)
    assert {sent.node for sent in line.sent} == {0, 1}
    assert line.source.responses() == [bytes((0x4C, hops - 1, Reason.AUTHENTICATION))]
    assert line.nodes[1].repeater.statistics.unauthenticated == 1
    assert not line.target.received()


@pytest.mark.parametrize("place", [2, 3, 4])
def test_a_node_with_another_key_stops_the_chain_and_is_named(place: int) -> None:
    """The hop before it cannot prove itself to it, whatever the source has proved."""
    rows = [node(configured((1, n), bytes(12) if n == place + 1 else SHARED_KEY)) for n in ROW]
    line = Line(*rows)
    chain = chain_over(line)
    found = ask(line, chain, authenticated=True)
    assert found == Broken(chain.links[place - 1], Reason.AUTHENTICATION)
    assert not line.target.received()


def test_an_unconfigured_node_cannot_ask_for_proof_and_refuses() -> None:
    line = row(1)
    chain = chain_over(line)
    repeater = line.nodes[1]
    repeater.stack.config.state = NodeState.UNCONFIGURED
    repeater.stack.reindex()
    apdu = chain.encode(SubnetNode(1, 1), QUESTION, Service.REQUEST)
    message = Outgoing(NeuronId(neuron((1, 2))), apdu, authenticated=True)
    line.source.stack.send(message, line.now)
    line.run(5.0)
    assert line.source.responses() == [bytes((0x4C, 0, Reason.AUTHENTICATION))]


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
