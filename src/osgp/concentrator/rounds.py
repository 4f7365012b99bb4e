"""Visits: everything that is new in a device is read, stored, and then acknowledged."""

from __future__ import annotations

from functools import partial

import msgspec

from osgp.errors import SecurityError
from osgp.session import Exchange
from osgp.topology import FieldClient, Happening, Life

from .check import Check
from .conversation import Conversation
from .happenings import Checked, Visited
from .known import KnownDevice
from .scout import Scout
from .sink import Reading
from .suites import Speaks, Suites
from .visit import Visit
from .work import Work, log, outcome_of


class Read(msgspec.Struct, frozen=True):
    """What one visit came to: `reading` is to be stored, then `visit` acknowledges it."""

    visit: Visit
    reading: Reading
    check: Check | None = None


class Rounds:
    """Visits devices one after the other."""

    def __init__(self, work: Work, suites: Suites, scout: Scout) -> None:
        self._work, self._suites, self._scout = work, suites, scout

    def visit(self, known: KnownDevice, now: float) -> None:
        talk = self._work.talk(known, self._read(known))
        self._work.converse(talk, partial(self._gathered, known), now)

    # --- scripts -----------------------------------------------------------------------------

    def _read(self, known: KnownDevice) -> Exchange[Read]:
        """A bound device that refuses its channel gets a new one, and is read all the same."""
        client = yield from self._suites.client(known)
        try:
            return (yield from self._gather(known, client))
        except SecurityError:
            if not self._suites.renew(known):
                raise
        known.forget_session()
        client = yield from self._suites.client(known)
        return (yield from self._gather(known, client))

    def _gather(self, known: KnownDevice, client: FieldClient) -> Exchange[Read]:
        secure = self._suites.speaks(known) is Speaks.AES
        visit = known.visit(client, self._work.clock)
        reading = yield from visit.gather()
        new, clock_due = known.life is Life.COMMISSIONED, self._is_clock_due(known)
        if not (secure or new or clock_due):
            return Read(visit, reading)
        check = Check(visit.reader, self._work.clock)
        if visit.identify and (secure or new):
            yield from check.security()
        if secure:
            yield from check.usage()
        if new:
            yield from self._set_up(known, check, secure=secure)
        if new or clock_due:
            yield from check.time(self._work.plan.clock_tolerance)
        return Read(visit, visit.reading(), check)

    def _set_up(self, known: KnownDevice, check: Check, *, secure: bool) -> Exchange[None]:
        """What a newly commissioned device is to be like. Digests of the old suite cover the
        address; tags of the new one do not."""
        if secure:
            yield from check.place(known.address)
        yield from check.lists()

    def _is_clock_due(self, known: KnownDevice) -> bool:
        """Clocks are looked at every `Plan.clock_every`, and once after a restart."""
        last, now = known.clock_at, self._work.clock.now
        return last is None or now - last >= self._work.plan.clock_every

    # --- what follows ------------------------------------------------------------------------

    def _gathered(self, known: KnownDevice, talk: Conversation, now: float) -> None:
        """Everything is read: store it, and only then let the device move its pointers."""
        outcome, work = outcome_of(talk), self._work
        if outcome.error is not None:
            work.failed(known, outcome.error, talk.link, now)
            return
        read: Read = outcome.value
        work.sink.store(msgspec.structs.replace(read.reading, link=talk.link.sample(now)))
        if read.reading.cursor is not None:
            known.cursor = read.reading.cursor
        acknowledging = work.talk(known, read.visit.acknowledge())
        work.converse(acknowledging, partial(self._acknowledged, known, read), now)

    def _acknowledged(self, known: KnownDevice, read: Read, talk: Conversation, now: float) -> None:
        """What was read is stored already, so a failure here only leaves entries 'unread'."""
        work, error = self._work, outcome_of(talk).error
        if error is not None:
            log.warning("not acknowledged", device=known.name, reason=str(error))
        known.failures = 0
        self._checked(known, read.check, now)
        known.happened(Happening.READ, work.sink, last_contact=now)
        if known.doubted:
            known.doubted = False
            self._scout.duplicate(known.device.neuron_id, now)
        work.tell(Visited(now, known.device.neuron_id, read.reading))
        work.agenda.put(known, now + work.plan.visit_every)

    def _checked(self, known: KnownDevice, check: Check | None, now: float) -> None:
        if check is None:
            return
        if check.shown is not None:
            self._suites.learn(known, check.shown)
        if check.broadcast_uses:
            self._suites.domain.used(check.broadcast_uses)
        if check.clock_looked_at:
            known.clock_at = now
        problems = tuple(check.problems)
        if problems:
            log.warning("set up otherwise", device=known.name, problems=problems)
        if known.life is Life.COMMISSIONED or problems or check.clock_set:
            self._work.tell(Checked(now, known.device.neuron_id, check.clock_error, problems))
