"""A virtual meter: one node on the power line, with everything that happens inside it.

Sans-IO, the five verbs of `osgp.lon.Stack`: frames and true time (`now`, unix s UTC) come in;
frames and the time of the next timer come out. Before a frame leaves, everything that it may
acknowledge is durable. While the power is off the meter hears and says nothing; what the stack held
in memory is lost, as in a real one.

Message codes: 00 and 01 table services (plain, encrypted), 02 discovery, 10 to 13 the AES suite
(`osgp.meter.security`), 4D repeating for others; network management is the stack's own. Of table
services only requests are served, and of broadcasts only those of the AES suite: plain ones need
the broadcast counters of clause 9, which are not here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from typing import Final

from osgp.errors import InsufficientSecurityClearance, OperationNotPossible
from osgp.lon import (
    AuthScheme,
    ConfigChanged,
    DomainEntry,
    Event,
    NodeConfig,
    OutFrame,
    Received,
    ResetRequested,
    Stack,
    SubnetNode,
)
from osgp.meter.identity import MeterProfile, neighbourhood
from osgp.meter.measuring import MeasuringEngine
from osgp.meter.nvm import Nvm
from osgp.meter.parts import Parts
from osgp.meter.security import AES_KEY, CommandSecurity, LineSecurity
from osgp.meter.tables import MeterTables
from osgp.repeating import Repeater
from osgp.security.management import NETWORK_SERVICE
from osgp.security.omak import PlcScope
from osgp.security.profile import Code, Mode
from osgp.security.suite import Outcome
from osgp.session.server import TableServer
from osgp.spec.services import ResponseCode
from osgp.topology.agent import Agent, registered_in
from osgp.topology.atm import MESSAGE_CODE

NODE_CELL: Final = "node"
_KEY_HALF: Final = 6

Answer = Callable[[Received, float], bytes | None]


class VirtualMeter:
    """One meter. A memory that holds one already is taken up where it stopped.

    `rng` draws challenges and may be shared. Raises DecodeError for a damaged memory.
    """

    def __init__(self, profile: MeterProfile, nvm: Nvm, rng: random.Random, now: float) -> None:
        self.profile, self.nvm = profile, nvm
        self._rng = rng
        self.parts = Parts(profile, nvm, now)
        self.tables = MeterTables(self.parts)
        self._start(now)
        self.parts.run(now)
        nvm.commit()
        nvm.sync()

    # --- the five verbs ----------------------------------------------------------------------

    def receive_frame(self, frame: bytes, now: float, margin_db: float = 0.0) -> bool:
        """Take one LPDU from the medium; nothing that it may hold raises. False: passed over."""
        if self.agent.ignores(frame):
            return False
        self._catch_up(now)
        if self.powered:
            self.stack.receive_frame(frame, now, margin_db)
            self._handle_events(now)
        return True

    def frames_to_send(self, now: float) -> list[OutFrame]:
        """Frames for the medium, oldest first; all they acknowledge is durable."""
        frames = self.stack.frames_to_send(now)
        if not frames or not self.powered:
            return []
        self.nvm.sync()
        return frames

    def next_timer(self) -> float:
        """When `handle_timer` is needed next: there is always an interval to be closed."""
        due = self.parts.next_due()
        if not self.powered:
            return due
        waiting = (self.stack.next_timer(), self.repeater.next_timer())
        return min([due, *(time for time in waiting if time is not None)])

    def handle_timer(self, now: float) -> None:
        """Do everything that is due, in order, however late."""
        self._catch_up(now)
        if self.powered:
            self.stack.handle_timer(now)
            self.repeater.handle_timer(now)
            self._handle_events(now)

    def address_keys(self) -> frozenset[Hashable]:
        """What this meter listens to besides broadcasts (`osgp.lon.destination_key`)."""
        return self.stack.address_keys()

    # --- for those who watch -----------------------------------------------------------------

    @property
    def powered(self) -> bool:
        """Whether the supply is there."""
        return self.parts.condition.powered

    @property
    def engine(self) -> MeasuringEngine:
        """What it measures."""
        return self.parts.metering.engine

    @property
    def address(self) -> SubnetNode | None:
        """Its place in the domain; None while it has none."""
        entry = registered_in(self.stack.config)
        return entry.address if entry is not None else None

    # --- communication -----------------------------------------------------------------------

    def _start(self, now: float) -> None:
        """Bring up what does not survive a power cut from what does."""
        stored = self.nvm.get(NODE_CELL)
        config = _factory(self.profile) if stored is None else NodeConfig.from_bytes(stored)
        if stored is None:
            self.nvm.put(NODE_CELL, config.to_bytes())
        self.stack = Stack(config, self._rng)
        self.repeater = Repeater(self.stack)
        self._security = LineSecurity(self.parts, self.nvm, self._rng)
        self._server = TableServer(
            self._security,
            self.tables,
            keep=self._keep_numbers,
            services={NETWORK_SERVICE: self._manage},
        )
        self._asked: Received | None = None
        self._moved = False
        self._answers: dict[int, Answer] = dict.fromkeys(self._security.codes, self._serve)
        self._answers[MESSAGE_CODE] = self._answer_atm
        self.agent = Agent(
            self.stack,
            CommandSecurity(self._security),
            now,
            active_timeout=lambda: self.parts.link.active_timeout,
        )
        self.parts.link.sequence = lambda: self._security.last
        self._take_address()
        self._keep_security()

    def _take_address(self) -> SubnetNode:
        """Digests and ET04 follow the address; 0/0 while there is none."""
        entry = registered_in(self.stack.config)
        address = SubnetNode(0, 0) if entry is None else entry.address
        self._security.scope = PlcScope(address.subnet, address.node)
        link = self.parts.link
        link.subnet, link.node = address.subnet, address.node
        link.state = self.stack.config.state
        return address

    def _catch_up(self, now: float) -> None:
        before = self.parts.restarts
        self.parts.run(now)
        if self.parts.restarts != before:
            self._start(now)

    def _handle_events(self, now: float) -> None:
        while (event := self.stack.next_event()) is not None:
            self._handle(event, now)

    def _handle(self, event: Event, now: float) -> None:
        if self.repeater.on_event(event, now) or self.agent.on_event(event, now):
            return
        match event:
            case Received():
                self._received(event, now)
            case ConfigChanged():
                self._configured(now)
            case ResetRequested():
                self._start(now)

    def _received(self, message: Received, now: float) -> None:
        self.parts.link.margin = message.margin_db
        if message.token is None:
            self._received_broadcast(message, now)
            return
        answer = self._answers.get(message.apdu[0], _silence)(message, now)
        if not answer:
            self.stack.decline(message.token)
        else:
            self.stack.respond(message.token, answer, now)
        if self._moved:
            self._moved = False
            self.stack.reindex()
            self._configured(now)

    def _serve(self, message: Received, now: float) -> bytes | None:
        accepted = self._server.outcomes[Outcome.ACCEPTED]
        self._asked = message
        response = self._server.receive(message.apdu, now)
        if self._server.outcomes[Outcome.ACCEPTED] != accepted:
            self.agent.contacted(now)
        self._keep_security()
        return response

    def _manage(self, request: bytes, key: str, now: float) -> bytes:
        """Network management that came through the secure channel; a domain key is not enough."""
        if key != AES_KEY or self._asked is None or self._asked.apdu[0] != Code.UNICAST:
            raise InsufficientSecurityClearance
        response, self._moved = self.stack.manage(self._asked, request)
        if response is None:
            raise OperationNotPossible("network management that nobody answers")
        return bytes((ResponseCode.OK,)) + response

    def _received_broadcast(self, message: Received, now: float) -> None:
        """A message that nobody answers: only secured broadcasts count their numbers."""
        if message.apdu[0] == Code.BROADCAST and Code.BROADCAST in self._answers:
            self._serve(message, now)

    def _answer_atm(self, message: Received, now: float) -> bytes | None:
        response = self.agent.answer(message, now)
        self._keep_security()
        return response

    def _keep_numbers(self) -> None:
        """A unit of its own: what a request used up survives although its effect may not."""
        self._security.keep()
        self.nvm.commit()

    def _keep_security(self) -> None:
        self._security.keep()
        self.stack.close_management(self._security.mode is Mode.AES)
        self.nvm.commit()

    def _configured(self, now: float) -> None:
        """Network management changed something: keep it before the answer leaves."""
        link = self.parts.link
        before = SubnetNode(link.subnet, link.node)
        self.agent.follow()
        self.agent.contacted(now)
        self.nvm.put(NODE_CELL, self.stack.config.to_bytes())
        if self._take_address() != before:
            self.parts.reprogrammed(now)
        self.nvm.commit()


def _silence(message: Received, now: float) -> None:
    """The answer to a message code that nobody here understands."""


def _factory(profile: MeterProfile) -> NodeConfig:
    """A node as it leaves the factory: no domain, but the OMAK as its two domain keys."""
    omak = profile.omak.reveal()
    keys = omak[:_KEY_HALF], omak[_KEY_HALF:]
    return NodeConfig(
        profile.neuron_id,
        profile.program_id,
        domains=[DomainEntry(valid=False, key=key, auth=AuthScheme.OMA) for key in keys],
        nm_auth=profile.guarded_management,
        oma_only=True,
    )


__all__ = ["MeterProfile", "VirtualMeter", "neighbourhood"]
