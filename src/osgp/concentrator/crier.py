"""Says requests to all devices of the new suite, one after the other."""

from __future__ import annotations

from functools import partial

from osgp.errors import LocalProtocolError
from osgp.session.client import MESSAGE_CODE

from .broadcasting import Round, chains_to
from .happenings import Broadcasted
from .suites import Suites
from .work import Work, log


class Crier:
    def __init__(self, work: Work, suites: Suites) -> None:
        self._work, self._suites = work, suites

    def say(self, request: bytes, now: float) -> None:
        """`request`: of clause 9, its command first. Its number is used up before it is sent."""
        work = self._work
        try:
            message = self._suites.domain.seal(MESSAGE_CODE + request)
        except LocalProtocolError as error:
            log.warning("not broadcast", reason=str(error))
            work.tell(Broadcasted(now, request, reason=str(error)))
            return
        members = [known.device.neuron_id for known in self._suites.members()]
        chains = chains_to(members, work.network, work.plan)
        talk = Round(message, chains, work.plan)
        work.begin(talk, partial(self._said, request, talk), now)

    def _said(self, request: bytes, talk: Round, now: float) -> None:
        chains = talk.said + talk.broken
        self._work.tell(Broadcasted(now, request, chains, talk.broken))
