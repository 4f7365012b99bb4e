"""Brings a firmware image to all devices of the new suite, between other things."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

from osgp.errors import LocalProtocolError, OsgpError, SecurityError, TransportError
from osgp.session import Exchange
from osgp.session.procedures import request_of

from .campaign import Campaign, Progress, Result
from .conversation import Conversation
from .crier import Crier
from .happenings import Upgraded
from .image import Loading
from .known import KnownDevice
from .suites import Suites
from .work import Work, log, outcome_of

LOOK_EVERY: Final = 600.0
"""Seconds between two looks for devices that have joined the domain."""
MOST_FAILURES: Final = 5
"""Turns in a row without success, after which a device that answers is given up."""


class Loader:
    """`campaign`: what is going on, or the last one; None before the first."""

    def __init__(self, work: Work, suites: Suites, crier: Crier) -> None:
        self._work, self._suites, self._crier = work, suites, crier
        self.campaign: Campaign | None = None
        self._look_at = math.inf

    def load(self, image: bytes) -> None:
        """In place of the one before. Raises LocalProtocolError for bytes that are no image."""
        self.campaign, self._look_at = Campaign(image), self._work.clock.now

    def next_timer(self) -> float | None:
        """When `begin_next` has something to do."""
        if self.campaign is None:
            return None
        return max(self._work.clock.now, min(self._look_at, self.campaign.next_timer()))

    def begin_next(self, now: float) -> bool:
        """Begins a device's turn or a broadcast; False where there is nothing to do."""
        campaign = self.campaign
        if campaign is None:
            return False
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            campaign.join(known.device.neuron_id for known in self._suites.members())
        neuron_id = campaign.due(now)
        if neuron_id is not None:
            self._begin_turn(campaign, neuron_id, now)
            return True
        packet = campaign.next_packet()
        if packet is not None:
            self._crier.say(request_of(packet, packet.packet_number & 0xFF), now)
        return packet is not None

    def _begin_turn(self, campaign: Campaign, neuron_id: bytes, now: float) -> None:
        known = self._work.roster.devices.get(neuron_id)
        if known is None or not known.commissioned:
            del campaign.devices[neuron_id]
            return
        talk = self._work.talk(known, self._turn(campaign, known))
        self._work.converse(talk, partial(self._took, campaign, known), now)

    def _turn(self, campaign: Campaign, known: KnownDevice) -> Exchange[Result]:
        client = yield from self._suites.client(known)
        session = self._suites.session(known)
        if session is None:
            raise LocalProtocolError("the device is not read in OSGP-AES-128-PSK any more")
        loading = Loading(campaign.image, client, int(self._work.clock.now))
        return (yield from campaign.turn(known.device.neuron_id, loading, session.keys))

    def _took(self, campaign: Campaign, known: KnownDevice, talk: Conversation, now: float) -> None:
        outcome, neuron_id = outcome_of(talk), known.device.neuron_id
        progress = campaign.devices[neuron_id]
        if outcome.error is None:
            campaign.took(neuron_id, outcome.value, now)
        elif self._is_hopeless(known, progress, outcome.error, now):
            campaign.took(neuron_id, Result.GIVEN_UP, now)
        if progress.over:
            known.forget_session()
            reason = "" if outcome.error is None else str(outcome.error)
            self._work.tell(Upgraded(now, neuron_id, reason))

    def _is_hopeless(
        self, known: KnownDevice, progress: Progress, error: OsgpError, now: float
    ) -> bool:
        """Who is silent is waited for, as long as it takes."""
        progress.failures += 1
        progress.due = now + self._work.plan.back_off_after(progress.failures)
        log.warning("firmware", device=known.name, reason=str(error), times=progress.failures)
        if isinstance(error, SecurityError):
            self._suites.renew(known)
        return progress.failures >= MOST_FAILURES and not isinstance(error, TransportError)
