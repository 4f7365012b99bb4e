"""One request to all devices at once (8.12, F.8.4): said by the concentrator, and by repeaters.

Who is near hears it directly. For the others it goes over the chains that are in use to them, and
every repeater of a chain says it too ("all agents", Annex G). No device answers a broadcast; what a
chain answers is that its last repeater has said it, or that it broke. A broken one gets another
turn, up to `TURNS`. All of them carry the same bytes, so a device executes once what it hears from
several sides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from osgp.errors import EncodeError
from osgp.lon import Broadcast, Outgoing, Service, SubnetNode
from osgp.lon.events import Completed, ResponseReceived
from osgp.lon.stack import Stack
from osgp.repeating import Chain, Delivered, interpret, message_via
from osgp.repeating.chain import MAX_APDU
from osgp.topology import Route

from .network import Network
from .plan import Plan
from .way import chain_over

TURNS: Final = 3
"""Times that a chain is tried."""
MOST_BROADCAST: Final = MAX_APDU - 13
"""Bytes of a request: the APDU also has its code, the number, and the tag."""


class _Turn(NamedTuple):
    """`chain` None: to all who are near."""

    chain: Chain | None
    number: int = 1


class Round:
    """Says one message everywhere; an `Activity`. `said`: chains whose last repeater has said it;
    `broken`: those where nobody knows."""

    wake: float | None = None

    def __init__(self, message: bytes, chains: Iterable[Chain], plan: Plan) -> None:
        self._message, self._plan = message, plan
        self._turns = deque([_Turn(None), *map(_Turn, chains)])
        self._handle: int | None = None
        self._answer: bytes | None = None
        self.said = self.broken = 0

    @property
    def over(self) -> bool:
        return not self._turns

    def start(self, stack: Stack, now: float) -> None:
        self._send(stack, now)

    def response(self, event: ResponseReceived) -> None:
        if event.handle == self._handle:
            self._answer = event.apdu

    def completed(self, stack: Stack, event: Completed, now: float) -> None:
        if event.handle == self._handle:
            self._judge(self._answer if event.success else None)
            self._send(stack, now)

    def tick(self, stack: Stack, now: float) -> None:
        """Nothing to do: the stack has the timer."""

    def _send(self, stack: Stack, now: float) -> None:
        """The message of the next turn; a chain without room for it counts as broken."""
        while self._turns:
            self._answer = None
            try:
                self._handle = stack.send(self._outgoing(self._turns[0].chain), now)
            except EncodeError:
                self._turns.popleft()
                self.broken += 1
            else:
                return

    def _judge(self, answer: bytes | None) -> None:
        turn = self._turns.popleft()
        if turn.chain is None:
            return
        if isinstance(interpret(turn.chain, answer), Delivered):
            self.said += 1
        elif turn.number < TURNS:
            self._turns.append(_Turn(turn.chain, turn.number + 1))
        else:
            self.broken += 1

    def _outgoing(self, chain: Chain | None) -> Outgoing:
        plan = self._plan
        if chain is None:
            return Outgoing(
                Broadcast(),
                self._message,
                Service.UNACKD_RPT,
                retry=plan.retry,
                timer_code=plan.timer_code,
            )
        source = SubnetNode(plan.subnet, plan.node)
        return message_via(chain, self._message, Service.UNACKD_RPT, source)


def chains_to(devices: Iterable[bytes], network: Network, plan: Plan) -> list[Chain]:
    """Chains whose repeaters reach all of `devices` that need one: as few as there are branches."""
    routes = {route for node in devices if (route := network.routes.current(node)) is not None}
    far = [route for route in routes if route.hops and all(map(network.roster.repeats, route.hops))]
    longest = sorted(far, key=lambda route: (-len(route.hops), route.hops, route.carriers))
    chosen: list[Route] = []
    for route in longest:
        if not any(_covers(other, route) for other in chosen):
            chosen.append(route)
    return [
        chain_over(route, Broadcast(), network.roster, plan, all_agents=True) for route in chosen
    ]


def _covers(longer: Route, route: Route) -> bool:
    """Whether the last repeater of `route` speaks as one of `longer`, on the same carrier."""
    return route.hops[-1] in longer.hops and longer.carriers[-1] == route.carriers[-1]
