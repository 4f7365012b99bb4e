"""Taking devices in, and letting them go."""

from __future__ import annotations

from functools import partial

from osgp.errors import OsgpError, RemoteProtocolError, StoreError, TransportError
from osgp.lon.config import DomainEntry
from osgp.session import Exchange
from osgp.topology import Happening, Life
from osgp.topology import commissioning as scripts

from .conversation import Conversation, LinkMeter
from .happenings import Commissioned
from .known import REMOVED, KnownDevice
from .suites import Suites
from .work import Work, log, outcome_of

PHASE_TRIES = 3


class Registrar:
    """Commissions and removes. A device in the new suite is opened for that, and closed again:
    nobody changes its place by network management otherwise."""

    def __init__(self, work: Work, suites: Suites) -> None:
        self._work, self._suites = work, suites

    def commission(self, known: KnownDevice, now: float) -> None:
        """Without a key or an address for it that has failed."""
        work = self._work
        try:
            self._suites.claim(known)
            entry = self._place(known)
        except StoreError:
            raise
        except OsgpError as error:
            work.failed(known, error, LinkMeter(), now)
            return
        talk = work.talk(known, self._register(known, entry), by_id=True)
        work.converse(talk, partial(self._commissioned, known), now)

    def remove(self, known: KnownDevice, now: float) -> None:
        """Unless it was let in again since."""
        if not known.dropped and known.life in REMOVED:
            talk = self._work.talk(known, self._leave(known), by_id=True)
            self._work.converse(talk, partial(self._removed, known), now)

    # --- scripts -----------------------------------------------------------------------------

    def _register(self, known: KnownDevice, entry: DomainEntry) -> Exchange[int]:
        """Commissions a device; its phase, 0 where it does not say."""
        try:
            yield from scripts.commission(entry)
        except RemoteProtocolError:
            if not (yield from self._opened(known)):
                raise
            yield from scripts.commission(entry)
            yield from self._closed(known)
        for _ in range(PHASE_TRIES):
            try:
                return (yield from scripts.phase())
            except TransportError:
                continue
        return 0

    def _leave(self, known: KnownDevice) -> Exchange[None]:
        try:
            yield from scripts.decommission()
        except RemoteProtocolError:
            if not (yield from self._opened(known)):
                raise
            yield from scripts.decommission()
            yield from self._closed(known)

    def _opened(self, known: KnownDevice) -> Exchange[bool]:
        """Whether the refusal was that of a device in the new suite, which is open now."""
        session = self._suites.session(known)
        if session is None:
            return False
        yield from session.open(self._work.clock.now)
        return True

    def _closed(self, known: KnownDevice) -> Exchange[None]:
        session = self._suites.session(known)
        if session is not None:
            yield from session.ready(self._work.clock.now)

    # --- what follows ------------------------------------------------------------------------

    def _place(self, known: KnownDevice) -> DomainEntry:
        """Kept before it is sent. Raises LocalProtocolError where no address is left."""
        work = self._work
        address = work.roster.address_for(known)
        known.assign(work.plan.domain, address, work.sink)
        return DomainEntry(work.plan.domain, address.subnet, address.node)

    def _commissioned(self, known: KnownDevice, talk: Conversation, now: float) -> None:
        outcome, work = outcome_of(talk), self._work
        if outcome.error is not None:
            work.failed(known, outcome.error, talk.link, now)
            return
        known.happened(
            Happening.ADDRESSED,
            work.sink,
            commissioned_at=now,
            last_contact=now,
            phase=outcome.value,
            searched_at=None,
        )
        known.failures = 0
        self._suites.claim(known)
        work.tell(Commissioned(now, known.device.neuron_id, known.address))
        work.agenda.put(known, now)

    def _removed(self, known: KnownDevice, talk: Conversation, now: float) -> None:
        error = outcome_of(talk).error
        if error is not None:
            log.warning("removed without an answer", device=known.name, reason=str(error))
            self._work.agenda.put(known, now + self._work.plan.search_every)
        self._suites.erase(known)
        if known.life is Life.LEAVING:
            known.happened(Happening.REMOVED, self._work.sink)
            self._work.forget(known.device.neuron_id, now)
