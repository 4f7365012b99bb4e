"""One discovery query on the line: a broadcast request and whoever answers it."""

from __future__ import annotations

from osgp.errors import DecodeError
from osgp.lon import Broadcast, Service
from osgp.lon.events import Completed, Outgoing, ResponseReceived
from osgp.lon.stack import Stack
from osgp.topology import Ask
from osgp.topology.atm import DISCOVERY_DOMAIN, MARGIN_STEP_DB, DiscoveryAnswer, parse_answer, query

from .plan import Plan


class Found:
    """A device that answered: what it said, and how well it was heard in each direction."""

    __slots__ = ("answer", "downlink_db", "uplink_db")

    def __init__(self, answer: DiscoveryAnswer, uplink_db: float) -> None:
        self.answer, self.uplink_db = answer, uplink_db
        self.downlink_db = answer.margin * MARGIN_STEP_DB


class Query:
    """Over when `done`; `found` holds one entry for each neuron id."""

    wake: float | None = None

    def __init__(self, ask: Ask, plan: Plan) -> None:
        self.ask, self._plan = ask, plan
        self.found: dict[bytes, Found] = {}
        self.malformed = 0
        self.done = False
        self._handle: int | None = None

    def start(self, stack: Stack, now: float) -> None:
        message = Outgoing(
            Broadcast(),
            query(self.ask.salt, self.ask.range),
            Service.REQUEST,
            domain=DISCOVERY_DOMAIN,
            retry=0,
            timer_code=self._plan.query_timer_code,
            max_responses=self._plan.query_responses,
        )
        self._handle = stack.send(message, now)

    def response(self, event: ResponseReceived) -> None:
        if event.handle != self._handle:
            return
        try:
            answer = parse_answer(event.apdu)
        except DecodeError:
            self.malformed += 1
            return
        self.found[answer.neuron_id] = Found(answer, event.margin_db)

    def completed(self, stack: Stack, event: Completed, now: float) -> None:
        if event.handle == self._handle:
            self.done = True

    def tick(self, stack: Stack, now: float) -> None:
        """Nothing to do: the stack has the timer."""
