"""The way to one device during one conversation: direct, or over a chain of repeaters.

Every message takes the chain that is the best at that moment; what comes of it is learnt, so that
the next try of the same message may take another. A chain is used as a whole: the answer of its
first hop is the target's own response, or says which link broke.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from osgp.lon import Destination, NeuronId, Outgoing, Service, SubnetNode
from osgp.repeating import Broken, Chain, Hop, Responded, Timing, interpret, message_via
from osgp.repeating.timing import FIRST_LONG_STEPPED
from osgp.topology import Carrier, LinkKey, Route

from .network import Network
from .plan import Plan
from .roster import Roster

ALTERNATE_TRIES: Final = 2
"""The last tries of a message, which the stack sends on the alternate path by itself."""
PATIENCE: Final = 0.6
"""Measured over 7 repeaters with one frame in five lost: 56 % of the time of a whole round trip,
for 2 % more airtime; a fifth of a round trip costs half as much airtime again."""
MOST_TRIES: Final = 15


class Way:
    """To the device `target` (its neuron id), which is addressed as `destination`."""

    def __init__(
        self, network: Network, target: bytes, destination: SubnetNode | NeuronId, plan: Plan
    ) -> None:
        self._network, self._target, self._destination = network, target, destination
        self._plan = plan
        self._broken: set[LinkKey] = set()
        self._route: Route | None = None
        self._chain: Chain | None = None
        self._apdu = b""

    def message(self, apdu: bytes, now: float) -> Outgoing:
        """`apdu` on its way to the device. Raises EncodeError where the chain has no room for it.

        A further try of it may take another chain.
        """
        self._apdu = apdu
        self._route = self._network.routes.choose(self._target, now, self._broken)
        route, roster = self._route, self._network.roster
        self._chain = (
            chain_over(route, self._destination, roster, self._plan) if route.hops else None
        )
        if self._chain is None:
            return self._direct(apdu)
        source = SubnetNode(self._plan.subnet, self._plan.node)
        return message_via(self._chain, apdu, Service.REQUEST, source)

    def heard(
        self, answer: bytes | None, tries: int, margin_db: float | None, now: float
    ) -> bytes | None:
        """The device's response, of what the first hop answered; None: there is none."""
        response = self._judged(answer, tries, margin_db, now)
        if response is not None:
            self._network.carried(self._target, self._apdu, response)
        return response

    def _judged(
        self, answer: bytes | None, tries: int, margin_db: float | None, now: float
    ) -> bytes | None:
        if self._chain is None:
            self._learn_direct(answer is not None, tries, margin_db, now)
            return answer
        outcome = interpret(self._chain, answer)
        worked = isinstance(outcome, Responded)
        broken = outcome.link if isinstance(outcome, Broken) else None
        self._learn_chain(worked, broken.position if broken is not None else None, now)
        return outcome.apdu if isinstance(outcome, Responded) else None

    # --- sending -----------------------------------------------------------------------------

    def _direct(self, apdu: bytes) -> Outgoing:
        assert self._route is not None
        return Outgoing(
            self._destination,
            apdu,
            Service.REQUEST,
            retry=self._plan.retry,
            timer_code=self._plan.timer_code,
            path=self._route.carriers[0] is Carrier.SECONDARY or None,
        )

    # --- learning ----------------------------------------------------------------------------

    def _learn_direct(self, worked: bool, tries: int, margin_db: float | None, now: float) -> None:
        """Which tries went on which carrier is the stack's rule: the last two on the alternate."""
        assert self._route is not None
        links, root = self._network.links, self._network.root
        first, forced = self._route.carriers[0], self._route.carriers[0] is Carrier.SECONDARY
        primary = tries if forced else min(tries, self._plan.retry + 1 - ALTERNATE_TRIES)
        on_first = worked and tries == primary
        links.tried(root, self._target, first, now, worked=on_first, misses=primary - on_first)
        if tries > primary:
            misses = tries - primary - worked
            links.tried(root, self._target, Carrier.SECONDARY, now, worked=worked, misses=misses)
        if margin_db is not None and worked:
            carrier = first if on_first else Carrier.SECONDARY
            links.heard(self._target, root, carrier, margin_db, now)
        self._settle(worked, 0, now)

    def _learn_chain(self, worked: bool, broken: int | None, now: float) -> None:
        """`broken`: position of the link that failed, if it is known."""
        assert self._route is not None
        nodes = (self._network.root, *self._route.hops, self._target)
        links = self._network.links
        passed = len(self._route.carriers) if worked else broken or 0
        for place, carrier in enumerate(self._route.carriers[:passed]):
            links.tried(nodes[place], nodes[place + 1], carrier, now, worked=True)
        if not worked and broken is not None:
            pair = nodes[broken], nodes[broken + 1]
            misses = self._plan.hop_retry + 1
            links.tried(*pair, self._route.carriers[broken], now, worked=False, misses=misses)
        self._settle(worked, broken, now)

    def _settle(self, worked: bool, broken: int | None, now: float) -> None:
        assert self._route is not None
        routes = self._network.routes
        if worked:
            routes.succeeded(self._target, self._route, now)
            return
        routes.failed(self._target)
        keys = self._route.links(self._network.root, self._target)
        self._broken |= set(keys if broken is None else keys[broken : broken + 1])


def chain_over(
    route: Route, target: Destination, roster: Roster, plan: Plan, *, all_agents: bool = False
) -> Chain:
    """The chain of a route with repeaters, to `target`. Raises EncodeError."""
    hop_timing, target_timing = chain_timings(len(route.hops), plan.frame_time, plan.hop_retry)
    hops = zip(route.hops, route.carriers[:-1], strict=True)
    return Chain(
        tuple(Hop(roster.address_of(node), carrier is Carrier.SECONDARY) for node, carrier in hops),
        target,
        hop_timing,
        target_timing,
        target_alternate_path=route.carriers[-1] is Carrier.SECONDARY,
        all_agents=all_agents,
    )


@cache
def chain_timings(hops: int, frame_time: float, retry: int) -> tuple[Timing, Timing]:
    """Timing of the repeaters and of the agent for a chain of `hops`.

    `retry`: further tries on one link. A repeater waits for `PATIENCE` of a whole round trip: long
    enough that most answers are back, short enough that a loss far out does not stop the chain.
    Since every loss costs all repeaters before it a try, longer chains get more of them.
    """
    exchange = 2 * frame_time
    wait = PATIENCE * exchange * (hops + 1)
    more = min(MOST_TRIES, retry + hops)
    return (
        Timing.of_at_least(wait, more, FIRST_LONG_STEPPED if hops > 1 else 0),
        Timing.of_at_least(exchange, retry),
    )
