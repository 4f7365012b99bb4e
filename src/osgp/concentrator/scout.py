"""Looking for devices: what is asked, and what becomes of those that answer."""

from __future__ import annotations

from functools import partial
from typing import Any

from osgp.session import Exchange

from .conversation import Conversation
from .finder import Task
from .happenings import Discovered, DuplicateId, QueryDone, Searched
from .known import REMOVED, KnownDevice
from .query import Found, Query
from .suites import Suites
from .work import Work, log, outcome_of


class Scout:
    """Carries out the tasks of the finder."""

    def __init__(self, work: Work, suites: Suites) -> None:
        self._work, self._suites = work, suites
        self._heard: set[bytes] = set()

    def cycle(self) -> None:
        """To be called every `Plan.discover_every`."""
        self._heard.clear()

    def ask(self, task: Task, now: float) -> None:
        work = self._work
        if task.searcher is None:
            asked = Query(task.ask, work.plan)
            work.begin(asked, partial(self._queried, task, asked), now)
            return
        known = work.roster.devices[task.searcher]
        talk = work.talk(known, self._search(known, task))
        work.converse(talk, partial(self._searched, task, known), now)

    def duplicate(self, neuron_id: bytes, now: float) -> None:
        log.warning("duplicate id", device=neuron_id.hex())
        self._work.tell(DuplicateId(now, neuron_id))

    def _search(self, known: KnownDevice, task: Task) -> Exchange[Any]:
        client = yield from self._suites.client(known)
        return (yield from client.search(task.ask, self._work.plan.idle_minutes))

    def _queried(self, task: Task, asked: Query, now: float) -> None:
        self._take_in(task, list(asked.found.values()), now)
        for neuron_id in asked.doubles:
            self.duplicate(neuron_id, now)
        self._work.tell(QueryDone(now, asked.ask.range, len(asked.found)))

    def _searched(self, task: Task, known: KnownDevice, talk: Conversation, now: float) -> None:
        outcome, work = outcome_of(talk), self._work
        if outcome.error is not None:
            log.info("search failed", searcher=known.name, reason=str(outcome.error))
            known.forget_session()
            work.finder.failed(task)
            return
        known.searched(now, work.sink)
        self._take_in(task, [Found.of_search(device) for device in outcome.value], now)
        work.tell(Searched(now, known.device.neuron_id, len(outcome.value)))

    def _take_in(self, task: Task, found: list[Found], now: float) -> None:
        """Who has answered since the cycle began, and was taken in then, is no news."""
        network, finder = self._work.network, self._work.finder
        asker = task.searcher or network.root
        new = 0
        for each in found:
            network.measure(asker, each, task.ask.carrier, now)
            if task.sought == each.neuron_id:
                finder.drop(each.neuron_id)
            if each.neuron_id not in self._heard:
                new += self._found(each, now)
        finder.answered(task, len(found), new)

    def _found(self, found: Found, now: float) -> bool:
        """Whether the device is going to be commissioned."""
        work = self._work
        known = work.roster.meet(found.neuron_id, found.program_id, now)
        if known is None or known.life in REMOVED:
            if known is not None and found.member:
                self._heard.add(found.neuron_id)
                work.to_remove.append(known)
            return False
        if found.member and known.commissioned:
            if known.failures:
                work.agenda.put(known, now)
            return False
        self._heard.add(found.neuron_id)
        work.tell(Discovered(now, found.neuron_id, found.outward_db, found.inward_db))
        if known.commissioned:
            known.doubted = True
            work.agenda.put(known, now)
            return False
        work.to_commission.append(known)
        return True
