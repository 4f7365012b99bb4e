"""The concentrator's place on the line: its node, its repeater, and the one thing it is doing.

Everything that takes time is an activity: a query, or a conversation with one device. One of them
has the line at a time; when it is over, `finish` says what follows, and then the next is chosen.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from osgp.lon.config import DomainEntry, NodeConfig, NodeState
from osgp.lon.events import Completed, ResponseReceived
from osgp.lon.stack import Stack
from osgp.repeating import Repeater
from osgp.topology.atm import DISCOVERY_DOMAIN

from .plan import Plan

Finish = Callable[[float], None]
"""What follows when an activity is over."""


class Activity(Protocol):
    """What occupies the line: a query or a conversation."""

    wake: float | None

    @property
    def over(self) -> bool: ...
    def start(self, stack: Stack, now: float) -> None: ...
    def response(self, event: ResponseReceived) -> None: ...
    def completed(self, stack: Stack, event: Completed, now: float) -> None: ...
    def tick(self, stack: Stack, now: float) -> None: ...


class Line:
    """`config` becomes that of a member of the plan's domain and of the discovery domain."""

    def __init__(self, plan: Plan, config: NodeConfig, rng: random.Random) -> None:
        self.stack = Stack(_member_of(config, plan), rng)
        self.repeater = Repeater(self.stack)
        self._activity: tuple[Activity, Finish] | None = None

    @property
    def idle(self) -> bool:
        return self._activity is None

    @property
    def wake(self) -> float | None:
        """When the activity wants to go on by itself."""
        return None if self._activity is None else self._activity[0].wake

    def next_timer(self) -> float | None:
        """Of node and repeater; see `wake`."""
        timers = (self.stack.next_timer(), self.repeater.next_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        timer = self.stack.next_timer()
        if timer is not None and timer <= now:
            self.stack.handle_timer(now)
        self.repeater.handle_timer(now)

    def begin(self, activity: Activity, finish: Finish, now: float) -> None:
        self._activity = activity, finish
        activity.start(self.stack, now)

    def run(self, now: float, choose: Callable[[float], bool]) -> None:
        """Takes in what the node has to say; `choose` begins something, or says that it did not."""
        while True:
            self._drain(now)
            if self._activity is None:
                if not choose(now):
                    return
                continue
            activity, finish = self._activity
            activity.tick(self.stack, now)
            if not activity.over:
                return
            self._activity = None
            finish(now)

    def _drain(self, now: float) -> None:
        while (event := self.stack.next_event()) is not None:
            if self.repeater.on_event(event, now) or self._activity is None:
                continue
            if isinstance(event, ResponseReceived):
                self._activity[0].response(event)
            elif isinstance(event, Completed):
                self._activity[0].completed(self.stack, event, now)


def _member_of(config: NodeConfig, plan: Plan) -> NodeConfig:
    """The concentrator's own place: its domain, and the discovery domain, from which it asks."""
    config.domains = [
        DomainEntry(plan.domain, plan.subnet, plan.node),
        DomainEntry(DISCOVERY_DOMAIN, plan.subnet, plan.node),
    ]
    config.state = NodeState.CONFIGURED_ONLINE
    return config
