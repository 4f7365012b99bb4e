"""One discovery query on the line: a broadcast request and whoever answers it."""

from __future__ import annotations

import msgspec

from osgp.errors import DecodeError
from osgp.lon import Broadcast, Service
from osgp.lon.events import Completed, Outgoing, ResponseReceived
from osgp.lon.stack import Stack
from osgp.topology import Ask, Carrier
from osgp.topology.atm import (
    DISCOVERY_DOMAIN,
    MARGIN_STEP_DB,
    DiscoveryAnswer,
    FoundDevice,
    parse_answer,
    query,
)

from .plan import Plan


class Found(msgspec.Struct, frozen=True):
    """A device that answered, how well each side heard the other, and whether it is registered:
    with the asker (`member`), or elsewhere (`foreign`)."""

    neuron_id: bytes
    program_id: bytes
    outward_db: float
    inward_db: float
    member: bool
    foreign: bool

    @classmethod
    def of_answer(cls, answer: DiscoveryAnswer, inward_db: float) -> Found:
        """An answer that the concentrator heard itself."""
        outward = answer.margin * MARGIN_STEP_DB
        return cls(
            answer.neuron_id, answer.program_id, outward, inward_db, answer.member, answer.foreign
        )

    @classmethod
    def of_search(cls, device: FoundDevice) -> Found:
        """An answer that another device heard."""
        outward, inward = device.outward * MARGIN_STEP_DB, device.inward * MARGIN_STEP_DB
        return cls(
            device.neuron_id, device.program_id, outward, inward, device.member, device.foreign
        )


class Query:
    """`found` holds one entry for each neuron id, `doubles` those that answered
    more than once, which no device does."""

    wake: float | None = None

    def __init__(self, ask: Ask, plan: Plan) -> None:
        self.ask, self._plan = ask, plan
        self.found: dict[bytes, Found] = {}
        self.doubles: set[bytes] = set()
        self.malformed = 0
        self.over = False
        self._handle: int | None = None

    def start(self, stack: Stack, now: float) -> None:
        message = Outgoing(
            Broadcast(),
            query(
                self.ask.salt,
                self.ask.range,
                domain=self._plan.domain,
                members=self.ask.members,
                idle=self._plan.idle_minutes,
            ),
            Service.REQUEST,
            domain=DISCOVERY_DOMAIN,
            retry=0,
            timer_code=self._plan.query_timer_code,
            max_responses=self._plan.query_responses,
            path=self.ask.carrier is Carrier.SECONDARY,
        )
        self._handle = stack.send(message, now)

    def response(self, event: ResponseReceived) -> None:
        if event.handle != self._handle:
            return
        try:
            answer = parse_answer(event.apdu, self.ask.salt)
        except DecodeError:
            self.malformed += 1
            return
        if answer.neuron_id in self.found:
            self.doubles.add(answer.neuron_id)
        self.found[answer.neuron_id] = Found.of_answer(answer, event.margin_db)

    def completed(self, stack: Stack, event: Completed, now: float) -> None:
        if event.handle == self._handle:
            self.over = True

    def tick(self, stack: Stack, now: float) -> None:
        """Nothing to do: the stack has the timer."""
