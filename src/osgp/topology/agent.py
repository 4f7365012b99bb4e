"""A device's part in automated topology management: it answers queries, and searches for others.

A search is one query of its own on the discovery domain:

    IDLE ──SEARCH──▶ RUNNING ──COMPLETED──▶ DONE ──SEARCH──▶ RUNNING

A new search takes the place of the one before, whose answers are forgotten. Nothing is repeated:
one SEARCH, which only the holder of the device's key can make, causes one query. Of its answers
`MAX_FOUND` are kept, the rest are counted.

To hear queries and their answers a registered device is a member of the discovery domain too, at
index 1 of its domain table and with the same address; the key that lies there stays.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from osgp.errors import DecodeError
from osgp.lon import (
    Broadcast,
    Completed,
    DomainEntry,
    Event,
    NodeConfig,
    NodeState,
    Outgoing,
    Received,
    ResponseReceived,
    Service,
    Stack,
)
from osgp.security.suite import Outcome, ServerSecurity
from osgp.spec.services import ResponseCode
from osgp.wire import Record

from . import atm

MAX_FOUND: Final = 32
"""Answers that one search keeps."""
ACTIVE_TIMEOUT: Final = 60
"""Minutes after its concentrator's last request for which a device counts as in contact: the
default of ET55.15, where the device has no such table."""
SEARCH_TIMER: Final = 13
"""Transmit timer of the query: it ends 1.5 s after the last answer."""

_OWN, _DISCOVERY = 0, 1
_HEAD: Final = b"\x00"


class State(Enum):
    IDLE = auto()
    RUNNING = auto()
    DONE = auto()


class AgentStatistics(msgspec.Struct):
    """Counters since the start."""

    searches: int = 0
    refused: int = 0
    malformed: int = 0
    overflowed: int = 0


class Agent:
    """One device's agent on its `stack`; `security` is that of its table services.

    `active_timeout` tells ET55.15 whenever it counts.
    """

    def __init__(
        self,
        stack: Stack,
        security: ServerSecurity,
        now: float,
        *,
        active_timeout: Callable[[], int] = lambda: ACTIVE_TIMEOUT,
    ) -> None:
        config = stack.config
        self.statistics = AgentStatistics()
        self._active_timeout = active_timeout
        self._stack, self._security = stack, security
        self._responder = atm.Responder(config.neuron_id, config.program_id)
        self._state = State.IDLE
        self._contact = now
        self._handle: int | None = None
        self._salt = 0
        self._found: dict[bytes, atm.FoundDevice] = {}
        self.follow()

    def contacted(self, now: float) -> None:
        """The device's concentrator has proven to be there."""
        self._contact = now

    def follow(self) -> None:
        """Lets the membership of the discovery domain follow the device's registration.

        To be called whenever the node's configuration has changed.
        """
        if _follow(self._stack.config):
            self._stack.reindex()
        own = registered_in(self._stack.config)
        self._domain = None if own is None else own.domain

    def answer(self, message: Received, now: float) -> bytes | None:
        """The response to a message with code 02, None for silence."""
        apdu = message.apdu
        if apdu.startswith(atm.ENVELOPE):
            return self._open(apdu[len(atm.ENVELOPE) :], now)
        return self._responder.answer(apdu, message.margin_db, self._registration(now))

    def ignores(self, frame: bytes) -> bool:
        """Whether `frame` is a query that is not for this device."""
        return self._responder.ignores(frame, self._domain)

    def on_event(self, event: Event, now: float) -> bool:
        """Takes one event of the stack; False: it is none of the agent's."""
        match event:
            case ResponseReceived(handle) if handle == self._handle:
                self._heard(event)
                return True
            case Completed(handle) if handle == self._handle:
                self._handle, self._state = None, State.DONE
                return True
        return False

    def _registration(self, now: float) -> atm.Registration:
        entry = registered_in(self._stack.config)
        if entry is None:
            return atm.Registration()
        idle = int(max(0.0, now - self._contact) // 60)
        return atm.Registration(entry.domain, idle, self._active_timeout())

    # --- sealed commands ---------------------------------------------------------------------

    def _open(self, sealed: bytes, now: float) -> bytes | None:
        opened = self._security.open_request(sealed, now)
        if opened.outcome is not Outcome.ACCEPTED:
            self.statistics.refused += opened.outcome is not Outcome.REPEATED
            reply = opened.reply
        else:
            self.contacted(now)
            body = _HEAD + self._execute(opened.apdu[len(_HEAD) :], now)
            reply = self._security.seal_response(opened, body)
        return None if reply is None else atm.ENVELOPE + reply

    def _execute(self, body: bytes, now: float) -> bytes:
        layout = atm.COMMANDS.get(body[0]) if body else None
        if layout is None:
            return bytes((ResponseCode.SERVICE_NOT_SUPPORTED,))
        try:
            command: Record = layout.decode(body)
        except DecodeError:
            self.statistics.malformed += 1
            return bytes((ResponseCode.OPERATION_NOT_POSSIBLE,))
        if isinstance(command, atm.SearchRequest):
            return self._search(command, now)
        assert isinstance(command, atm.FetchRequest)
        return self._fetch(command)

    def _search(self, command: atm.SearchRequest, now: float) -> bytes:
        entry = registered_in(self._stack.config)
        if entry is None or command.low > command.high:
            return bytes((ResponseCode.OPERATION_NOT_POSSIBLE,))
        if self._handle is not None:
            self._stack.cancel(self._handle, now)
        self.statistics.searches += 1
        self._found.clear()
        self._salt, self._state = command.salt, State.RUNNING
        self._handle = self._stack.send(_query_of(command, entry), now)
        return atm.SEARCH_RESPONSE.encode(
            atm.SearchResponse.make(code=ResponseCode.OK, salt=command.salt)
        )

    def _fetch(self, command: atm.FetchRequest) -> bytes:
        if self._state is State.IDLE or command.salt != self._salt:
            return bytes((ResponseCode.OPERATION_NOT_POSSIBLE,))
        page = tuple(self._found.values())[command.first :][: atm.PAGE]
        return atm.FETCH_RESPONSE.encode(
            atm.FetchResponse.make(
                code=ResponseCode.OK,
                salt=self._salt,
                running=self._state is State.RUNNING,
                total=len(self._found),
                count=len(page),
                found=page,
            )
        )

    # --- what comes of a search --------------------------------------------------------------

    def _heard(self, event: ResponseReceived) -> None:
        try:
            answer = atm.parse_answer(event.apdu, self._salt)
        except DecodeError:
            self.statistics.malformed += 1
            return
        if len(self._found) >= MAX_FOUND and answer.neuron_id not in self._found:
            self.statistics.overflowed += 1
            return
        self._found[answer.neuron_id] = atm.FoundDevice.make(
            neuron_id=answer.neuron_id,
            program_id=answer.program_id,
            member=answer.member,
            foreign=answer.foreign,
            outward=answer.margin,
            inward=atm.margin_code(event.margin_db),
        )


def registered_in(config: NodeConfig) -> DomainEntry | None:
    """The device's place in its concentrator's domain; None while it has none."""
    entry = config.domains[_OWN]
    return entry if config.configured and entry.valid else None


def _follow(config: NodeConfig) -> bool:
    """Whether anything had to be changed."""
    own, other = registered_in(config), config.domains[_DISCOVERY]
    if other.valid and other.domain != atm.DISCOVERY_DOMAIN:
        return False
    wanted = msgspec.structs.replace(
        other,
        domain=atm.DISCOVERY_DOMAIN,
        subnet=own.subnet if own else 0,
        node=own.node if own else 0,
        valid=own is not None,
    )
    if wanted == other or not (wanted.valid or other.valid):
        return False
    config.domains[_DISCOVERY] = wanted
    if not config.domains[_OWN].valid:
        config.state = NodeState.UNCONFIGURED
    return True


def _query_of(command: atm.SearchRequest, entry: DomainEntry) -> Outgoing:
    apdu = atm.query(
        command.salt,
        atm.HashRange(command.low, command.high),
        domain=entry.domain,
        members=command.members,
        idle=command.idle,
    )
    return Outgoing(
        Broadcast(),
        apdu,
        Service.REQUEST,
        domain=atm.DISCOVERY_DOMAIN,
        retry=0,
        timer_code=SEARCH_TIMER,
        max_responses=MAX_FOUND,
        path=command.secondary,
    )
