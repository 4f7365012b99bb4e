"""The concentrator: finds devices, gives them addresses, reads them on a schedule.

Sans-IO: frames, events and `now` (seconds, UTC) go in; frames, events and the next timer come
out. One thing happens on the line at a time, chosen in this order: commissioning of what was
found, looking for devices (see `finder`) until that settles, what is due (visits, and
commissioning that failed). What is due gets its turn after `Plan.searches` of the others, so that
nobody who answers every query under a new name keeps the line to himself. Whatever a visit brings
is in the store before the device is told to move its list pointers.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog

from osgp.errors import OsgpError, SecurityError, StoreError, TransportError
from osgp.lon import NeuronId
from osgp.lon.config import DomainEntry, NodeConfig
from osgp.lon.events import OutFrame
from osgp.lon.stack import Stack
from osgp.security.secret import KeyLike
from osgp.session import Exchange
from osgp.topology import Discovery, Happening, Life
from osgp.topology import commissioning as scripts

from .agenda import Agenda
from .conversation import Clock, Conversation, LinkMeter, Outcome
from .finder import Finder, Task
from .happenings import (
    Commissioned,
    Discovered,
    DuplicateId,
    Failed,
    Notice,
    QueryDone,
    Removed,
    Searched,
    Visited,
)
from .known import KnownDevice
from .line import Activity, Line
from .network import Network, Unkept
from .plan import Plan
from .query import Found, Query
from .roster import Roster
from .sink import Cursor, Reading, Sink, TopologyStore
from .visit import Visit
from .way import Way

log = structlog.get_logger("osgp.concentrator")

PHASE_TRIES = 3


class KeySource(Protocol):
    """Where the utility's keys come from. Raises OsgpError where there is none."""

    def omak(self, neuron_id: bytes) -> KeyLike: ...


Finish = Callable[[Conversation, float], None]
"""What follows, with the conversation that is over."""


class Concentrator:
    """Five verbs like every other machine here; `sink` keeps everything, `rng` draws salts.

    `memory` keeps links and chains; without one they are learnt anew after a restart.
    `StoreError` of either passes through: a concentrator that cannot store must not go on.
    """

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        keys: KeySource,
        config: NodeConfig,
        rng: random.Random,
        *,
        memory: TopologyStore | None = None,
    ) -> None:
        self.plan, self._sink, self._keys = plan, sink, keys
        self._line = Line(plan, config, rng)
        self.roster = Roster(sink, plan)
        self.network = Network(config.neuron_id, self.roster, memory or Unkept())
        self.finder = Finder(rng, plan, self.network)
        self._clock = Clock(0.0)
        self._agenda = Agenda()
        self._notices: deque[Notice] = deque()
        self._to_commission: deque[KnownDevice] = deque()
        self._to_remove: deque[KnownDevice] = deque()
        self._searches = 0
        self._heard: set[bytes] = set()
        self._cycle_at: float | None = None
        for known in self.devices.values():
            self._resume(known)

    @property
    def stack(self) -> Stack:
        """The concentrator's node on the line."""
        return self._line.stack

    @property
    def devices(self) -> dict[bytes, KnownDevice]:
        """By neuron id."""
        return self.roster.devices

    @property
    def discovery(self) -> Discovery:
        """The concentrator's own queries."""
        return self.finder.discovery

    # --- the five verbs -----------------------------------------------------------------

    def receive_frame(self, frame: bytes, now: float, margin_db: float = 0.0) -> None:
        self.stack.receive_frame(frame, now, margin_db)
        self._run(now)

    def frames_to_send(self, now: float) -> list[OutFrame]:
        return self.stack.frames_to_send(now)

    def next_timer(self) -> float | None:
        timers = [self._line.next_timer(), *self._own_timers()]
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self._line.handle_timer(now)
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
                self._agenda.put(known, at)

    def decommission(self, neuron_id: bytes) -> None:
        """Takes a device out of the network as soon as the line is free. Raises KeyError.

        It stays out, even if it answers queries, until `admit`. One that does not answer counts
        as removed too: it is told so when it does.
        """
        self._to_remove.append(self.devices[neuron_id])

    def admit(self, neuron_id: bytes) -> None:
        """Takes a decommissioned device in again. Raises KeyError, LocalProtocolError."""
        known = self.devices[neuron_id]
        known.happened(Happening.ADMITTED, self._sink)
        self._to_commission.append(known)

    def release(self, neuron_id: bytes, now: float) -> None:
        """Another concentrator has registered the device: it is forgotten here."""
        if self.roster.drop(neuron_id) is not None:
            self._forget(neuron_id, now)

    @property
    def idle(self) -> bool:
        return self._line.idle

    # --- choosing what to do ------------------------------------------------------------

    def _own_timers(self) -> list[float | None]:
        if not self._line.idle:
            return [self._line.wake]
        if self._to_commission or self._to_remove or not self.discovery.settled:
            return [self._clock.now]
        return [self._cycle_at, self._agenda.next()]

    def _run(self, now: float) -> None:
        self._clock.now = now
        self._line.run(now, self._start_next)

    def _start_next(self, now: float) -> bool:
        """Whether something was begun or dropped."""
        if self._cycle_at is not None and now >= self._cycle_at:
            self._cycle_at = None
            self._heard.clear()
            self.finder.cycle()
            self.roster.cycle()
        due = self._agenda.is_due(now)
        if not (due and self._searches >= self.plan.searches) and self._look(now):
            self._searches += due
            return True
        self._searches = 0
        if due:
            self._attend(self._agenda.take(), now)
        return due

    def _look(self, now: float) -> bool:
        """Begins to remove, commission or look for a device; False where there is nothing to do."""
        if self._to_remove:
            self._remove(self._to_remove.popleft(), now)
        elif self._to_commission:
            self._attend(self._to_commission.popleft(), now)
        elif (task := self.finder.next(now)) is not None:
            self._ask(task, now)
        else:
            if self._cycle_at is None:
                self._cycle_at = now + self.plan.discover_every
            return False
        return True

    def _attend(self, known: KnownDevice, now: float) -> None:
        """Commissions or visits; without a key or an address for the device that has failed."""
        if known.dropped or known.life is Life.DECOMMISSIONED:
            return
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

    def _begin(self, activity: Activity, finish: Callable[[float], None], now: float) -> None:
        self._line.begin(activity, partial(self._finish, finish), now)

    def _finish(self, finish: Callable[[float], None], now: float) -> None:
        """What was learnt on the way is kept whatever came of it."""
        finish(now)
        self.network.save(now)

    def _talk(
        self, known: KnownDevice, script: Exchange[Any], *, by_id: bool = False
    ) -> Conversation:
        """`by_id`: to its neuron id, not to its address."""
        neuron_id = known.device.neuron_id
        to = NeuronId(neuron_id) if by_id else known.address
        return Conversation(script, Way(self.network, neuron_id, to, self.plan), self._clock)

    def _resume(self, known: KnownDevice) -> None:
        """After a restart."""
        device = known.device
        if known.commissioned:
            last = device.last_contact if known.life is Life.OPERATING else None
            self._agenda.put(known, 0.0 if last is None else last + self.plan.visit_every)
        elif known.life is Life.DISCOVERED:
            self._to_commission.append(known)

    # --- looking for devices ----------------------------------------------------------------

    def _ask(self, task: Task, now: float) -> None:
        if task.searcher is None:
            asked = Query(task.ask, self.plan)
            self._begin(asked, partial(self._queried, task, asked), now)
            return
        known = self.devices[task.searcher]
        try:
            client = known.client(self._keys.omak(task.searcher), self._sink)
        except StoreError:
            raise
        except OsgpError:
            self.finder.failed(task)
            return
        talk = self._talk(known, client.search(task.ask, self.plan.idle_minutes))
        self._begin(talk, partial(self._searched, task, known, talk), now)

    def _queried(self, task: Task, asked: Query, now: float) -> None:
        self._take_in(task, list(asked.found.values()), now)
        for neuron_id in asked.doubles:
            self._duplicate(neuron_id, now)
        self._notices.append(QueryDone(now, asked.ask.range, len(asked.found)))

    def _searched(self, task: Task, known: KnownDevice, talk: Conversation, now: float) -> None:
        outcome = _outcome(talk)
        if outcome.error is not None:
            log.info("search failed", searcher=known.name, reason=str(outcome.error))
            known.forget_session()
            self.finder.failed(task)
            return
        known.searched(now, self._sink)
        self._take_in(task, [Found.of_search(device) for device in outcome.value], now)
        self._notices.append(Searched(now, known.device.neuron_id, len(outcome.value)))

    def _take_in(self, task: Task, found: list[Found], now: float) -> None:
        """Who has answered since the cycle began, and was taken in then, is no news."""
        asker = task.searcher or self.network.root
        new = 0
        for each in found:
            self.network.measure(asker, each, task.ask.carrier, now)
            if task.sought == each.neuron_id:
                self.finder.drop(each.neuron_id)
            if each.neuron_id not in self._heard:
                new += self._found(each, now)
        self.finder.answered(task, len(found), new)

    def _found(self, found: Found, now: float) -> bool:
        """Whether the device is going to be commissioned."""
        known = self.roster.meet(found.neuron_id, found.program_id, now)
        if known is None or known.life is Life.DECOMMISSIONED:
            return False
        if found.member and known.commissioned:
            if known.failures:
                self._agenda.put(known, now)
            return False
        self._heard.add(found.neuron_id)
        self._notices.append(Discovered(now, found.neuron_id, found.outward_db, found.inward_db))
        if known.commissioned:
            known.doubted = True
            self._agenda.put(known, now)
            return False
        self._to_commission.append(known)
        return True

    def _duplicate(self, neuron_id: bytes, now: float) -> None:
        log.warning("duplicate id", device=neuron_id.hex())
        self._notices.append(DuplicateId(now, neuron_id))

    # --- commissioning and removal ----------------------------------------------------------

    def _commission(self, known: KnownDevice, key: KeyLike) -> tuple[Conversation, Finish]:
        address = self.roster.address_for(known)
        known.assign(self.plan.domain, address, self._sink)
        entry = DomainEntry(self.plan.domain, address.subnet, address.node)
        talk = self._talk(known, _registered(entry), by_id=True)
        return talk, partial(self._commissioned, known)

    def _commissioned(self, known: KnownDevice, talk: Conversation, now: float) -> None:
        outcome = _outcome(talk)
        if outcome.error is not None:
            self._failed(known, outcome.error, talk.link, now)
            return
        known.happened(
            Happening.ADDRESSED,
            self._sink,
            commissioned_at=now,
            last_contact=now,
            phase=outcome.value,
            searched_at=None,
        )
        known.failures = 0
        self._notices.append(Commissioned(now, known.device.neuron_id, known.address))
        self._agenda.put(known, now)

    def _remove(self, known: KnownDevice, now: float) -> None:
        if known.dropped or known.life is Life.DECOMMISSIONED:
            return
        talk = self._talk(known, scripts.decommission(), by_id=True)
        self._begin(talk, partial(self._removed, known, talk), now)

    def _removed(self, known: KnownDevice, talk: Conversation, now: float) -> None:
        error = _outcome(talk).error
        if error is not None:
            log.warning("removed without an answer", device=known.name, reason=str(error))
        known.happened(Happening.REMOVED, self._sink)
        self._forget(known.device.neuron_id, now)

    def _forget(self, neuron_id: bytes, now: float) -> None:
        self.finder.drop(neuron_id)
        self.network.routes.forget(neuron_id)
        self._notices.append(Removed(now, neuron_id))

    # --- visits ---------------------------------------------------------------------------

    def _visit(self, known: KnownDevice, key: KeyLike) -> tuple[Conversation, Finish]:
        visit = known.visit(key, self._sink, self._clock)
        return self._talk(known, visit.gather()), partial(self._gathered, known, visit)

    def _gathered(self, known: KnownDevice, visit: Visit, talk: Conversation, now: float) -> None:
        """Everything is read: store it, and only then let the device move its pointers."""
        outcome = _outcome(talk)
        if outcome.error is not None:
            self._failed(known, outcome.error, talk.link, now)
            return
        reading: Reading = outcome.value
        self._sink.store(msgspec.structs.replace(reading, link=talk.link.sample(now)))
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
        if known.doubted:
            known.doubted = False
            self._duplicate(known.device.neuron_id, now)
        self._notices.append(Visited(now, known.device.neuron_id, reading))
        self._agenda.put(known, now + self.plan.visit_every)

    def _failed(self, known: KnownDevice, error: OsgpError, link: LinkMeter, now: float) -> None:
        known.failures += 1
        log.warning("visit failed", device=known.name, reason=str(error), times=known.failures)
        self._sink.store(Reading(known.device.neuron_id, now, link=link.sample(now)))
        self._notices.append(Failed(now, known.device.neuron_id, str(error)))
        known.forget_session()
        if isinstance(error, SecurityError) and known.commissioned:
            known.happened(Happening.UNVERIFIED, self._sink)
        elif isinstance(error, TransportError):
            self._silent(known)
        again = self.plan.back_off_after(known.failures)
        stranger = not known.commissioned and known.failures >= self.plan.lost_after
        self._agenda.put(known, now + (self.plan.search_every if stranger else again))

    def _silent(self, known: KnownDevice) -> None:
        """It is looked for after the second, fourth, eighth ... failure in a row."""
        if known.doubted:
            known.doubted = False
            known.happened(Happening.FOUND_AGAIN, self._sink)
            return
        if known.failures >= self.plan.lost_after:
            known.happened(Happening.SILENT, self._sink)
        if known.failures > 1 and known.failures & (known.failures - 1) == 0:
            self.finder.seek(known.device.neuron_id)


def _registered(entry: DomainEntry) -> Exchange[int]:
    """Commissions a device; its phase, 0 where it does not say."""
    yield from scripts.commission(entry)
    for _ in range(PHASE_TRIES):
        try:
            return (yield from scripts.phase())
        except TransportError:
            continue
    return 0


def _outcome(talk: Conversation) -> Outcome:
    assert talk.outcome is not None
    return talk.outcome


__all__ = ["Concentrator", "Cursor", "KeySource"]
