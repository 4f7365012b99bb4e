"""The concentrator: finds devices, gives them addresses, reads them on a schedule.

Sans-IO: frames, events and `now` (seconds, UTC) go in; frames, events and the next timer come
out. One thing happens on the line at a time, chosen in this order: commissioning of what was
found, discovery until it settles, what is due (visits, and commissioning that failed). What is due
gets its turn after `Plan.searches` of the others, so that nobody who answers every query under a
new name keeps the line to himself. Whatever a visit brings is in the store before the device is
told to move its list pointers.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from itertools import count
from typing import Any, Protocol

import msgspec
import structlog

from osgp.errors import OsgpError, SecurityError, StoreError
from osgp.lon import NeuronId, Service, SubnetNode
from osgp.lon.config import DomainEntry, NodeConfig, NodeState
from osgp.lon.events import Completed, OutFrame, Outgoing, ResponseReceived
from osgp.lon.stack import Stack
from osgp.security.secret import KeyLike
from osgp.topology import AddressPool, Discovery, Happening, Life
from osgp.topology.atm import DISCOVERY_DOMAIN
from osgp.topology.commissioning import commission

from .conversation import Clock, Conversation, LinkMeter, Outcome
from .happenings import (
    Commissioned,
    Discovered,
    Failed,
    Notice,
    QueryDone,
    Visited,
)
from .known import KnownDevice
from .plan import Plan
from .query import Query
from .sink import Cursor, Device, LinkSample, Reading, Sink
from .visit import Visit

log = structlog.get_logger("osgp.concentrator")


class KeySource(Protocol):
    """Where the utility's keys come from. Raises OsgpError where there is none."""

    def omak(self, neuron_id: bytes) -> KeyLike: ...


Finish = Callable[[Conversation, float], None]
"""What follows when a conversation is over."""


class Activity(Protocol):
    """What occupies the line: a query or a conversation."""

    wake: float | None

    def start(self, stack: Stack, now: float) -> None: ...
    def response(self, event: ResponseReceived) -> None: ...
    def completed(self, stack: Stack, event: Completed, now: float) -> None: ...
    def tick(self, stack: Stack, now: float) -> None: ...


class Concentrator:
    """Five verbs like every other machine here; `sink` keeps everything, `rng` draws salts.

    `StoreError` of the sink passes through: a concentrator that cannot store must not go on.
    """

    def __init__(
        self, plan: Plan, sink: Sink, keys: KeySource, config: NodeConfig, rng: random.Random
    ) -> None:
        self.plan, self._sink, self._keys = plan, sink, keys
        self.stack = Stack(_member_of(config, plan), rng)
        self.discovery = Discovery(rng, ranges=plan.ranges)
        self._clock = Clock(0.0)
        self._order = count()
        self._notices: deque[Notice] = deque()
        self._to_commission: deque[bytes] = deque()
        self._due: list[tuple[float, int, bytes]] = []
        self._searches = 0
        self._heard: set[bytes] = set()
        self._rediscover_at: float | None = None
        self._activity: tuple[Activity, Any] | None = None
        self.devices: dict[bytes, KnownDevice] = {}
        for device in sink.devices():
            self._remember(device)
        own = SubnetNode(plan.subnet, plan.node)
        taken = [known.address for known in self.devices.values() if known.device.node]
        self._addresses = AddressPool([own, *taken])

    # --- the five verbs -----------------------------------------------------------------

    def receive_frame(self, frame: bytes, now: float, margin_db: float = 0.0) -> None:
        self.stack.receive_frame(frame, now, margin_db)
        self._run(now)

    def frames_to_send(self, now: float) -> list[OutFrame]:
        return self.stack.frames_to_send(now)

    def next_timer(self) -> float | None:
        timers = [self.stack.next_timer(), *self._own_timers()]
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        timer = self.stack.next_timer()
        if timer is not None and timer <= now:
            self.stack.handle_timer(now)
        self._run(now)

    def next_event(self) -> Notice | None:
        return self._notices.popleft() if self._notices else None

    def address_keys(self) -> frozenset[Hashable]:
        return self.stack.address_keys()

    # --- what an operator asks for ------------------------------------------------------

    def visit_all(self, at: float) -> None:
        """Schedules a visit of every device at `at`, in place of its next one."""
        for known in self.devices.values():
            if known.commissioned:
                self._schedule(known, at)

    @property
    def idle(self) -> bool:
        return self._activity is None

    # --- choosing what to do ------------------------------------------------------------

    def _own_timers(self) -> list[float | None]:
        if self._activity is not None:
            return [self._activity[0].wake]
        if self._to_commission or not self.discovery.settled:
            return [self._clock.now]
        return [self._rediscover_at, self._due[0][0] if self._due else None]

    def _run(self, now: float) -> None:
        """Takes in what the stack has to say; starts the next activity when one is over."""
        self._clock.now = now
        while True:
            self._drain(now)
            if self._activity is not None:
                activity, finish = self._activity
                activity.tick(self.stack, now)
                if not _over(activity):
                    return
                self._activity = None
                finish(now)
            elif not self._start_next(now):
                return

    def _drain(self, now: float) -> None:
        while (event := self.stack.next_event()) is not None:
            if self._activity is None:
                continue
            if isinstance(event, ResponseReceived):
                self._activity[0].response(event)
            elif isinstance(event, Completed):
                self._activity[0].completed(self.stack, event, now)

    def _start_next(self, now: float) -> bool:
        """Whether something was begun or dropped."""
        if self._rediscover_at is not None and now >= self._rediscover_at:
            self._rediscover_at = None
            self._heard.clear()
            self.discovery.restart()
        due = bool(self._due) and self._due[0][0] <= now
        searching = bool(self._to_commission) or not self.discovery.settled
        if due and not (searching and self._searches < self.plan.searches):
            self._searches = 0
            self._attend_next(now)
        elif searching:
            self._searches += due
            self._search(now)
        return due or searching

    def _search(self, now: float) -> None:
        if self._to_commission:
            self._attend(self.devices[self._to_commission.popleft()], now)
        else:
            self._query(now)

    def _attend_next(self, now: float) -> None:
        due, _, neuron_id = heapq.heappop(self._due)
        known = self.devices[neuron_id]
        if known.due == due:
            self._attend(known, now)

    def _attend(self, known: KnownDevice, now: float) -> None:
        """Commissions or visits; without a key or an address for the device that has failed."""
        known.due = None
        try:
            key = self._keys.omak(known.device.neuron_id)
            prepare = self._visit if known.commissioned else self._commission
            talk, finish = prepare(known, key)
        except StoreError:
            raise
        except OsgpError as error:
            self._failed(known, error, LinkMeter(), now)
        else:
            self._begin(talk, partial(finish, talk), now)

    def _begin(self, activity: Activity, finish: Any, now: float) -> None:
        self._activity = activity, finish
        activity.start(self.stack, now)

    # --- discovery ------------------------------------------------------------------------

    def _query(self, now: float) -> None:
        ask = self.discovery.next_query()
        if ask is not None:
            asked = Query(ask, self.plan)
            self._begin(asked, partial(self._queried, asked), now)

    def _queried(self, asked: Query, now: float) -> None:
        """Who has answered since the search began and was found then is no news."""
        fresh = [neuron_id for neuron_id in asked.found if neuron_id not in self._heard]
        self._heard.update(fresh)
        self.discovery.answered(asked.ask, len(fresh))
        for neuron_id in fresh:
            self._found(asked, neuron_id, now)
        self._notices.append(QueryDone(now, asked.ask.range, len(asked.found)))
        if self.discovery.settled:
            self._rediscover_at = now + self.plan.discover_every

    def _found(self, asked: Query, neuron_id: bytes, now: float) -> None:
        found = asked.found[neuron_id]
        known = self.devices.get(neuron_id)
        if known is None:
            device = Device(neuron_id, found.answer.program_id, Life.DISCOVERED, first_seen=now)
            known = self._remember(device)
            known.save(self._sink)
        else:
            known.happened(Happening.FOUND_AGAIN, self._sink)
            self._to_commission.append(neuron_id)
        self._notices.append(Discovered(now, neuron_id, found.downlink_db, found.uplink_db))

    def _remember(self, device: Device) -> KnownDevice:
        known = KnownDevice(device, self._sink.cursor(device.neuron_id))
        self.devices[device.neuron_id] = known
        if known.commissioned:
            self._schedule(known, 0.0)
        elif device.state == Life.DISCOVERED:
            self._to_commission.append(device.neuron_id)
        return known

    # --- commissioning --------------------------------------------------------------------

    def _commission(self, known: KnownDevice, key: KeyLike) -> tuple[Conversation, Finish]:
        address = known.address if known.device.node else self._addresses.take()
        known.assign(self.plan.domain, address, self._sink)
        entry = DomainEntry(self.plan.domain, address.subnet, address.node)
        via = partial(self._outgoing, NeuronId(known.device.neuron_id))
        talk = Conversation(commission(entry), via, self._clock)
        return talk, partial(self._commissioned, known)

    def _commissioned(self, known: KnownDevice, talk: Conversation, now: float) -> None:
        error = _outcome(talk).error
        if error is not None:
            self._failed(known, error, talk.link, now)
            return
        known.happened(Happening.ADDRESSED, self._sink, commissioned_at=now, last_contact=now)
        known.failures = 0
        self._notices.append(Commissioned(now, known.device.neuron_id, known.address))
        self._schedule(known, now)

    # --- visits ---------------------------------------------------------------------------

    def _schedule(self, known: KnownDevice, at: float) -> None:
        known.due = at
        heapq.heappush(self._due, (at, next(self._order), known.device.neuron_id))

    def _visit(self, known: KnownDevice, key: KeyLike) -> tuple[Conversation, Finish]:
        visit = known.visit(key, self._sink, self._clock)
        return self._talk(known, visit.gather()), partial(self._gathered, known, visit)

    def _talk(self, known: KnownDevice, script: Any) -> Conversation:
        return Conversation(script, partial(self._outgoing, known.address), self._clock)

    def _outgoing(self, destination: SubnetNode | NeuronId, apdu: bytes) -> Outgoing:
        return Outgoing(
            destination,
            apdu,
            Service.REQUEST,
            retry=self.plan.retry,
            timer_code=self.plan.timer_code,
        )

    def _gathered(self, known: KnownDevice, visit: Visit, talk: Conversation, now: float) -> None:
        """Everything is read: store it, and only then let the device move its pointers."""
        outcome = _outcome(talk)
        if outcome.error is not None:
            self._failed(known, outcome.error, talk.link, now)
            return
        reading: Reading = outcome.value
        self._sink.store(msgspec.structs.replace(reading, link=link_sample(talk.link, now)))
        if reading.cursor is not None:
            known.cursor = reading.cursor
        acknowledging = self._talk(known, visit.acknowledge())
        finish = partial(self._acknowledged, known, reading, acknowledging)
        self._begin(acknowledging, finish, now)

    def _acknowledged(
        self, known: KnownDevice, reading: Reading, talk: Conversation, now: float
    ) -> None:
        """What was read is stored already, so a failure here only leaves entries 'unread'."""
        error = _outcome(talk).error
        if error is not None:
            log.warning("not acknowledged", device=known.name, reason=str(error))
        known.failures = 0
        known.happened(Happening.READ, self._sink, last_contact=now)
        self._notices.append(Visited(now, known.device.neuron_id, reading))
        self._schedule(known, now + self.plan.visit_every)

    def _failed(self, known: KnownDevice, error: OsgpError, link: LinkMeter, now: float) -> None:
        known.failures += 1
        log.warning("visit failed", device=known.name, reason=str(error), times=known.failures)
        self._sink.store(Reading(known.device.neuron_id, now, link=link_sample(link, now)))
        self._notices.append(Failed(now, known.device.neuron_id, str(error)))
        known.forget_session()
        if isinstance(error, SecurityError) and known.commissioned:
            known.happened(Happening.UNVERIFIED, self._sink)
        elif known.failures >= self.plan.lost_after:
            known.happened(Happening.SILENT, self._sink)
        self._schedule(known, now + self.plan.back_off_after(known.failures))


def link_sample(link: LinkMeter, now: float) -> LinkSample:
    return LinkSample(
        now, link.requests, link.responses, link.retries, link.failures, link.margin_db
    )


def _member_of(config: NodeConfig, plan: Plan) -> NodeConfig:
    """The concentrator's own place: its domain, and the discovery domain, from which it asks."""
    config.domains = [
        DomainEntry(plan.domain, plan.subnet, plan.node),
        DomainEntry(DISCOVERY_DOMAIN, plan.subnet, plan.node),
    ]
    config.state = NodeState.CONFIGURED_ONLINE
    return config


def _over(activity: Activity) -> bool:
    if isinstance(activity, Query):
        return activity.done
    return isinstance(activity, Conversation) and activity.outcome is not None


def _outcome(talk: Conversation) -> Outcome:
    assert talk.outcome is not None
    return talk.outcome


__all__ = ["Concentrator", "Cursor", "KeySource"]
