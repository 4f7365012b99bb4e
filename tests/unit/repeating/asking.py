"""Asking over a row of repeaters, and what comes of it."""

from __future__ import annotations

from osgp.lon import (
    AuthScheme,
    Destination,
    ResponseReceived,
    Service,
)
from osgp.repeating import (
    Chain,
    Hop,
    Outcome,
    interpret,
    send_via,
    timings,
)

from .line import FRAME_TIME, Line, Node, street

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
