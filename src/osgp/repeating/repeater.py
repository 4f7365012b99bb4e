"""The repeater and the agent in a node (Annex G): requests passed on, answers handed back.

A relay is one request on its way through this node:

    NEW ──ROOM──▶ SENT ──RESPONSE──▶ ANSWERED ──DONE or GIVEN_UP──▶ OVER
     └──FULL──▶ HELD ─┘│└─DONE (4D) or GIVEN_UP, REFUSED (4C)─────────┘
                       └─SUPERSEDED, OVERDUE (4C)──▶ CANCELLED ──DONE or GIVEN_UP──▶ OVER

SENT is one transaction of the stack: to the next hop if hops are listed, else (as the agent) to
the target. Its response is handed back as it is, as the response of the transaction it belongs
to; success without one becomes 4D, failure 4C with the number of hops that were listed. Further
answers of a broadcast are dropped.

Without a free buffer a relay is HELD until one is, for one second at most; then it fails. A new
request supersedes an unfinished one of the same sender, which can no longer be answered: a source
has one transaction at a time with its first hop. A relay that the stack keeps back for longer than
all its tries take is OVERDUE: its source has given up, and the target must not act on it later.

No path repeats without end. Each hop shortens the list, of 8 hops at most; a list that names a
node twice, the sender or this node is refused; what a relay sends is tried as often as its tx
control says; HELD and SENT have a deadline; the other states wait for the one Completed of their
transaction. What cannot be read is dropped without an answer, for no count in it can be trusted;
what can be read but not done is answered with 4C.

A request that asked for authentication and failed it is answered with 4C and the reason (Annex
G.5.4), never passed on. (Two public stacks pass it on without asking for authentication, so that
its source learns of a wrong key from the target only, if the target asks at all.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from osgp.errors import DecodeError, EncodeError, LocalProtocolError, RemoteProtocolError
from osgp.lon import Completed, Event, Outgoing, Received, ResponseReceived, Service, Stack

from . import forwarding
from .message import REQUEST_CODE, Request
from .uplink import SUCCESS, Failure, Reason

BUFFERS: Final = 8
"""Requests on their way through one node."""
MAX_HELD: Final = 16
"""Requests that wait for a buffer."""
HOLD_TIME: Final = 1.0
"""Seconds a request waits for a buffer (Source.LTEP)."""


class State(Enum):
    NEW = auto()
    HELD = auto()
    SENT = auto()
    ANSWERED = auto()
    CANCELLED = auto()
    OVER = auto()


class Input(Enum):
    ROOM = auto()
    FULL = auto()
    EXPIRED = auto()
    """No buffer came free in time."""
    REFUSED = auto()
    """The stack does not send this."""
    RESPONSE = auto()
    DONE = auto()
    GIVEN_UP = auto()
    SUPERSEDED = auto()
    OVERDUE = auto()
    """Still not over when all its tries should be."""


Action = str
TRANSITIONS: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (State.NEW, Input.ROOM): (State.SENT, ("send",)),
    (State.NEW, Input.FULL): (State.HELD, ("hold",)),
    (State.HELD, Input.ROOM): (State.SENT, ("unhold", "send")),
    (State.HELD, Input.EXPIRED): (State.OVER, ("unhold", "fail")),
    (State.HELD, Input.SUPERSEDED): (State.OVER, ("unhold",)),
    (State.SENT, Input.REFUSED): (State.OVER, ("fail",)),
    (State.SENT, Input.RESPONSE): (State.ANSWERED, ("hand_back",)),
    (State.SENT, Input.DONE): (State.OVER, ("release", "succeed")),
    (State.SENT, Input.GIVEN_UP): (State.OVER, ("release", "fail")),
    (State.SENT, Input.SUPERSEDED): (State.CANCELLED, ("cancel",)),
    (State.SENT, Input.OVERDUE): (State.CANCELLED, ("cancel", "fail")),
    (State.ANSWERED, Input.DONE): (State.OVER, ("release",)),
    (State.ANSWERED, Input.GIVEN_UP): (State.OVER, ("release",)),
    (State.CANCELLED, Input.DONE): (State.OVER, ("release",)),
    (State.CANCELLED, Input.GIVEN_UP): (State.OVER, ("release",)),
}
"""(state, input) -> (next state, actions). What is not listed is ignored."""


EXPIRY = {State.HELD: Input.EXPIRED, State.SENT: Input.OVERDUE}
"""What the deadline of a relay means by its state; in the others it has none."""


@dataclass(slots=True)
class RepeaterStatistics:
    """Counters since the start. `requests` counts all that came, the rest what became of them."""

    requests: int = 0
    forwarded: int = 0
    delivered: int = 0
    copied: int = 0
    responses: int = 0
    succeeded: int = 0
    failed: int = 0
    malformed: int = 0
    refused: int = 0
    unauthenticated: int = 0
    out_of_buffers: int = 0
    superseded: int = 0
    overdue: int = 0


@dataclass(slots=True)
class _Relay:
    """`remaining`: hops listed in the request as it came."""

    event: Received
    remaining: int
    outgoing: Outgoing
    copy: Outgoing | None
    state: State = State.NEW
    handle: int | None = None
    deadline: float = 0.0
    response: bytes = b""

    @property
    def sender(self) -> Hashable:
        return sender_of(self.event)


def sender_of(event: Received) -> Hashable:
    """What a stack tells receive transactions apart by: one of them, one request at a time."""
    form = type(event.destination)
    return event.source, event.source_domain, event.priority, form


class Repeater:
    """Repeats for others over `stack`, whose events it wants to see.

    `buffers`: requests on their way at a time. `authenticated_only`: refuse requests that do not
    ask for authentication, too.
    """

    def __init__(
        self, stack: Stack, *, buffers: int = BUFFERS, authenticated_only: bool = False
    ) -> None:
        self.statistics = RepeaterStatistics()
        self._stack = stack
        self._buffers = buffers
        self._authenticated_only = authenticated_only
        self._relays: dict[int, _Relay] = {}
        self._held: list[_Relay] = []
        self._copies: set[int] = set()
        self._actions: dict[Action, Callable[[_Relay, float], None]] = {
            "send": self._send,
            "hold": self._hold,
            "unhold": self._unhold,
            "hand_back": self._hand_back,
            "succeed": self._succeed,
            "fail": self._fail,
            "cancel": self._cancel,
            "release": self._release,
        }

    def wants(self, event: Event) -> bool:
        """Whether `event` is a request to repeat."""
        return isinstance(event, Received) and event.apdu[:1] == bytes((REQUEST_CODE,))

    def on_event(self, event: Event, now: float) -> bool:
        """Takes one event of the stack; False: it is none of the repeater's."""
        match event:
            case Received() if self.wants(event):
                self.handle(event, now)
                return True
            case ResponseReceived(handle) if handle in self._relays:
                relay = self._relays[handle]
                relay.response = event.apdu
                self._step(relay, Input.RESPONSE, now)
                return True
            case Completed(handle):
                return self._completed(handle, event.success, now)
        return False

    def handle(self, event: Received, now: float) -> None:
        """Takes a request that `wants` accepted."""
        self.statistics.requests += 1
        request = self._read(event)
        if request is None:
            return
        self._supersede(event, now)
        relay = self._plan(event, request, now)
        if relay is not None:
            self._admit(relay, now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is needed next; the stack has timers of its own."""
        timed = [relay.deadline for relay in self._unfinished() if relay.state in EXPIRY]
        return min(timed, default=None)

    def handle_timer(self, now: float) -> None:
        """Fails what has waited too long, for a buffer or for the stack."""
        due = [each for each in self._unfinished() if each.deadline <= now]
        for relay in [each for each in due if each.state in EXPIRY]:
            self.statistics.out_of_buffers += relay.state is State.HELD
            self.statistics.overdue += relay.state is State.SENT
            self._step(relay, EXPIRY[relay.state], now)

    # --- what is taken on --------------------------------------------------------------------

    def _read(self, event: Received) -> Request | None:
        try:
            request = Request.parse(event.apdu)
        except DecodeError:
            request = None
        if request is None or not forwarding.is_personal(event):
            self.statistics.malformed += 1
            if event.token is not None:
                self._stack.decline(event.token)
            return None
        return request

    def _plan(self, event: Received, request: Request, now: float) -> _Relay | None:
        if event.unproven or (self._authenticated_only and not event.authenticated):
            self.statistics.unauthenticated += 1
            self._answer(event, Failure(request.count, Reason.AUTHENTICATION).to_bytes(), now)
            return None
        config = self._stack.config
        try:
            if not forwarding.is_sound(event, request, config):
                raise RemoteProtocolError("the hops listed lead nowhere")
            plan = forwarding.onward if request.count else forwarding.delivery
            outgoing = plan(event, request, config)
            return _Relay(event, request.count, outgoing, forwarding.copy(event, request, config))
        except (DecodeError, RemoteProtocolError):
            self.statistics.refused += 1
            self._answer(event, Failure(request.count).to_bytes(), now)
            return None

    def _admit(self, relay: _Relay, now: float) -> None:
        if len(self._relays) < self._buffers:
            self._step(relay, Input.ROOM, now)
        elif len(self._held) < MAX_HELD:
            self._step(relay, Input.FULL, now)
        else:
            self.statistics.out_of_buffers += 1
            self._fail(relay, now)

    def _supersede(self, event: Received, now: float) -> None:
        if event.token is None:
            return
        sender = sender_of(event)
        for relay in [each for each in self._unfinished() if each.sender == sender]:
            if relay.event.token is not None and (relay.state, Input.SUPERSEDED) in TRANSITIONS:
                self.statistics.superseded += 1
                self._step(relay, Input.SUPERSEDED, now)

    def _unfinished(self) -> Iterator[_Relay]:
        yield from self._held
        yield from self._relays.values()

    def _completed(self, handle: int, success: bool, now: float) -> bool:
        if handle in self._copies:
            self._copies.remove(handle)
            return True
        relay = self._relays.get(handle)
        if relay is None:
            return False
        self._step(relay, Input.DONE if success else Input.GIVEN_UP, now)
        self._let_in(now)
        return True

    def _let_in(self, now: float) -> None:
        while self._held and len(self._relays) < self._buffers:
            self._step(self._held[0], Input.ROOM, now)

    # --- the machine -------------------------------------------------------------------------

    def _step(self, relay: _Relay, what: Input, now: float) -> None:
        transition = TRANSITIONS.get((relay.state, what))
        if transition is None:
            return
        relay.state, actions = transition
        for action in actions:
            self._actions[action](relay, now)

    def _send(self, relay: _Relay, now: float) -> None:
        copy = relay.copy
        repeated = copy is not None and copy.service is not Service.UNACKD
        if not repeated:
            self._send_copy(copy, now)
        handle = self._submit(relay.outgoing, now)
        if handle is None:
            self.statistics.refused += 1
            self._step(relay, Input.REFUSED, now)
            return
        relay.handle = handle
        relay.deadline = now + forwarding.longest(relay.outgoing) + HOLD_TIME
        self._relays[handle] = relay
        if repeated:
            self._send_copy(copy, now)
        if relay.remaining:
            self.statistics.forwarded += 1
        else:
            self.statistics.delivered += 1

    def _send_copy(self, copy: Outgoing | None, now: float) -> None:
        """A repeated copy comes second, so that it gets another number than the relay has."""
        handle = None if copy is None else self._submit(copy, now)
        if handle is not None:
            self._copies.add(handle)
            self.statistics.copied += 1

    def _submit(self, outgoing: Outgoing, now: float) -> int | None:
        try:
            return self._stack.send(outgoing, now)
        except (EncodeError, LocalProtocolError):
            return None

    def _hold(self, relay: _Relay, now: float) -> None:
        relay.deadline = now + HOLD_TIME
        self._held.append(relay)

    def _unhold(self, relay: _Relay, now: float) -> None:
        self._held.remove(relay)

    def _hand_back(self, relay: _Relay, now: float) -> None:
        self.statistics.responses += 1
        self._answer(relay.event, relay.response, now)

    def _succeed(self, relay: _Relay, now: float) -> None:
        self.statistics.succeeded += 1
        self._answer(relay.event, SUCCESS, now)

    def _fail(self, relay: _Relay, now: float) -> None:
        self.statistics.failed += 1
        self._answer(relay.event, Failure(relay.remaining).to_bytes(), now)

    def _cancel(self, relay: _Relay, now: float) -> None:
        assert relay.handle is not None
        self._stack.cancel(relay.handle, now)

    def _release(self, relay: _Relay, now: float) -> None:
        assert relay.handle is not None
        del self._relays[relay.handle]

    def _answer(self, event: Received, apdu: bytes, now: float) -> None:
        """Requests that came with another service than REQUEST are never answered."""
        if event.token is not None:
            self._stack.respond(event.token, apdu, now)
