"""What all jobs of a concentrator share: the line, the devices, the store, whom to tell.

A job (`scout`, `registrar`, `rounds`) begins something on the line and says what follows when it is
over; `core` chooses whose turn it is.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from osgp.errors import LocalProtocolError, OsgpError, SecurityError, TransportError
from osgp.lon import NeuronId
from osgp.lon.config import NodeConfig
from osgp.session import Exchange
from osgp.topology import Happening

from .agenda import Agenda
from .conversation import Clock, Conversation, LinkMeter, Outcome
from .finder import Finder
from .happenings import Failed, Notice, Removed
from .known import KnownDevice
from .line import Activity, Line
from .network import Network, Unkept
from .plan import Plan
from .roster import Roster
from .sink import Reading, Sink, TopologyStore
from .way import Way

log = structlog.get_logger("osgp.concentrator")

Finish = Callable[[Conversation, float], None]
"""What follows, with the conversation that is over."""


class Work:
    """One concentrator's line and books; what is `to_...` waits for the line."""

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        config: NodeConfig,
        rng: random.Random,
        memory: TopologyStore | None,
    ) -> None:
        self.plan, self.sink = plan, sink
        self.line = Line(plan, config, rng)
        self.roster = Roster(sink, plan)
        self.network = Network(config.neuron_id, self.roster, memory or Unkept())
        self.finder = Finder(rng, plan, self.network)
        self.clock = Clock(0.0)
        self.agenda = Agenda()
        self.notices: deque[Notice] = deque()
        self.to_commission: deque[KnownDevice] = deque()
        self.to_remove: deque[KnownDevice] = deque()
        self.to_broadcast: deque[bytes] = deque()

    def tell(self, notice: Notice) -> None:
        self.notices.append(notice)

    def begin(self, activity: Activity, finish: Callable[[float], None], now: float) -> None:
        self.line.begin(activity, partial(self._finish, finish), now)

    def converse(self, talk: Conversation, finish: Finish, now: float) -> None:
        self.begin(talk, partial(finish, talk), now)

    def talk(
        self, known: KnownDevice, script: Exchange[Any], *, by_id: bool = False
    ) -> Conversation:
        """`by_id`: to its neuron id, not to its address."""
        neuron_id = known.device.neuron_id
        to = NeuronId(neuron_id) if by_id else known.address
        return Conversation(script, Way(self.network, neuron_id, to, self.plan), self.clock)

    def failed(self, known: KnownDevice, error: OsgpError, link: LinkMeter, now: float) -> None:
        """A commissioning or a visit came to nothing: tried again later, and later.

        What is the concentrator's own fault may be that the device is another's: the store tells.
        """
        known.failures += 1
        log.warning("visit failed", device=known.name, reason=str(error), times=known.failures)
        self.sink.store(Reading(known.device.neuron_id, now, link=link.sample(now)))
        self.tell(Failed(now, known.device.neuron_id, str(error)))
        known.forget_session()
        if isinstance(error, SecurityError) and known.commissioned:
            known.happened(Happening.UNVERIFIED, self.sink)
        elif isinstance(error, TransportError):
            self._silent(known)
        elif isinstance(error, LocalProtocolError):
            known.save(self.sink)
        again = self.plan.back_off_after(known.failures)
        stranger = not known.commissioned and known.failures >= self.plan.lost_after
        self.agenda.put(known, now + (self.plan.search_every if stranger else again))

    def forget(self, neuron_id: bytes, now: float) -> None:
        """The device belongs to this network no more."""
        self.finder.drop(neuron_id)
        self.network.routes.forget(neuron_id)
        self.tell(Removed(now, neuron_id))

    def _finish(self, finish: Callable[[float], None], now: float) -> None:
        """What was learnt on the way is kept whatever came of it."""
        finish(now)
        self.network.save(now)

    def _silent(self, known: KnownDevice) -> None:
        """It is looked for after the second, fourth, eighth ... failure in a row."""
        if known.doubted:
            known.doubted = False
            known.happened(Happening.FOUND_AGAIN, self.sink)
            return
        if known.failures >= self.plan.lost_after:
            known.happened(Happening.SILENT, self.sink)
        if known.failures > 1 and known.failures & (known.failures - 1) == 0:
            self.finder.seek(known.device.neuron_id)


def outcome_of(talk: Conversation) -> Outcome:
    """What a conversation that is over came to."""
    assert talk.outcome is not None
    return talk.outcome
