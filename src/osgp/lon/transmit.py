"""Transmit transactions: one message on its way until it is answered or given up.

    QUEUED ──START──▶ AWAITING (ACKD, REQUEST) or REPEATING (UNACKD_RPT) ──▶ CLOSED

A transaction holds a number (TID) that no other one to the same destination had last time. While
AWAITING, every answer that is not the last one needed restarts the timer, and so does a
challenge. When the timer expires the message is sent again until its tries are used up; the last
two tries take the alternate path unless the message says otherwise. Group messages are repeated
with a list of the members that have answered (M_LIST): inside the message (REM_MSG) when the
list is at most two bytes long, else in a REMINDER sent just before it.

A broadcast is over when `max_responses` answers came, or when the timer expires after one.
Unacknowledged messages need no transaction and never get here.

Every path ends: TIMER uses up one of a finite number of tries or closes, a PARTIAL answer counts
once, repeated answers are ignored, and the number of challenges answered is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from itertools import chain

from osgp.lon import auth
from osgp.lon.addresses import (
    FORMATS,
    Broadcast,
    Destination,
    Group,
    NeuronId,
    Service,
    SubnetNode,
)
from osgp.lon.config import KEY_LENGTH, OMA_KEY_LENGTH, AuthScheme
from osgp.lon.events import Completed, Event, Outgoing, ResponseReceived
from osgp.lon.network import Header, Incoming, Network
from osgp.lon.pdu import PduType
from osgp.lon.tids import LAST_TID, TransactionNumbers
from osgp.lon.timers import transmit_seconds
from osgp.lon.tpdu import AuthPdu, Spdu, Tpdu
from osgp.lon.transaction import (
    State,
    Transaction,
    ambiguous,
    answerer_of,
    may_answer,
    try_pdus,
)

ALTERNATE_TRIES_LEFT = 1
"""Tries with at most this many further ones left take the alternate path."""
MAX_OWN_TRANSACTIONS = LAST_TID - 3
MAX_CHALLENGES = 16
"""Challenges answered per transaction and awaited answer: one for each try there can be."""


class Input(Enum):
    START = auto()
    START_REPEATS = auto()
    TIMER = auto()
    """Expired, further tries left."""
    LAST_TIMER = auto()
    """Expired after the last try, or after a broadcast got an answer."""
    PARTIAL = auto()
    COMPLETE = auto()
    CHALLENGE = auto()


Action = str
TRANSITIONS: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (State.QUEUED, Input.START): (State.AWAITING, ("transmit", "arm")),
    (State.QUEUED, Input.START_REPEATS): (State.REPEATING, ("transmit", "arm")),
    (State.AWAITING, Input.TIMER): (State.AWAITING, ("retry", "transmit", "arm")),
    (State.AWAITING, Input.LAST_TIMER): (State.CLOSED, ("close",)),
    (State.AWAITING, Input.PARTIAL): (State.AWAITING, ("arm",)),
    (State.AWAITING, Input.COMPLETE): (State.CLOSED, ("close",)),
    (State.AWAITING, Input.CHALLENGE): (State.AWAITING, ("reply", "arm")),
    (State.REPEATING, Input.TIMER): (State.REPEATING, ("retry", "transmit", "arm")),
    (State.REPEATING, Input.LAST_TIMER): (State.CLOSED, ("close",)),
    (State.REPEATING, Input.CHALLENGE): (State.REPEATING, ("reply",)),
}
"""(state, input) -> (next state, actions). What is not listed is ignored."""


class Transmitter:
    """The transmit side of one stack."""

    def __init__(self, network: Network, events: deque[Event]) -> None:
        self._network = network
        self._events = events
        self._numbers = {False: TransactionNumbers(), True: TransactionNumbers()}
        self._own: dict[bool, deque[Transaction]] = {False: deque(), True: deque()}
        self._relayed: dict[bool, deque[Transaction]] = {False: deque(), True: deque()}
        self._active: dict[bool, list[Transaction]] = {False: [], True: []}
        self._actions: dict[Action, Callable[[Transaction, float], None]] = {
            "transmit": self._transmit,
            "arm": self._arm,
            "retry": self._retry,
            "reply": self._reply,
            "close": self._close,
        }

    def submit(self, handle: int, message: Outgoing, now: float) -> None:
        """Queues `message`, which must be valid (see `Stack.send`), and starts what may start."""
        transaction = Transaction(
            handle,
            message,
            self._network.domain(message.domain),
            transmit_seconds(message.timer_code, message.long_timer),
            self._needed(message),
            own=message.tid is None,
            tries_left=message.retry,
        )
        queues = self._own if transaction.own else self._relayed
        queues[message.priority].append(transaction)
        self._admit(message.priority, now)

    def cancel(self, handle: int, now: float) -> None:
        """Gives a message up; it completes without success unless it was already over."""
        for priority in (True, False):
            for transaction in chain.from_iterable(self._places(priority)):
                if transaction.handle == handle:
                    transaction.state = State.CLOSED
                    self._finish(transaction, success=False, now=now)
                    return

    def next_timer(self) -> float | None:
        deadlines = [each.deadline for active in self._active.values() for each in active]
        return min(deadlines) if deadlines else None

    def handle_timer(self, now: float) -> None:
        for active in self._active.values():
            for transaction in [each for each in active if each.deadline <= now]:
                self._step(transaction, self._expiry(transaction), now)

    def receive_ack(self, incoming: Incoming, pdu: Tpdu) -> None:
        """An acknowledgement arrived."""
        self._receive_answer(incoming, pdu.tid, Service.ACKD, b"")

    def receive_response(self, incoming: Incoming, pdu: Spdu) -> None:
        """A response arrived."""
        self._receive_answer(incoming, pdu.tid, Service.REQUEST, pdu.apdu)

    def receive_challenge(self, incoming: Incoming, pdu: AuthPdu) -> None:
        """Somebody asks whether a message really is ours."""
        transaction = self._challenged(incoming, pdu)
        if transaction is None or self._refuses(pdu):
            self._network.statistics.late_answers += 1
            return
        transaction.challenge = incoming, pdu
        transaction.challenges += 1
        self._step(transaction, Input.CHALLENGE, incoming.now)

    # --- the machine -------------------------------------------------------------------------

    def _step(self, transaction: Transaction, what: Input, now: float) -> None:
        transition = TRANSITIONS.get((transaction.state, what))
        if transition is None:
            return
        transaction.state, actions = transition
        for action in actions:
            self._actions[action](transaction, now)

    def _arm(self, transaction: Transaction, now: float) -> None:
        last = transaction.tries_left == 0
        extra = transaction.message.extra_last_wait if last else 0.0
        transaction.deadline = now + transaction.wait + extra

    def _retry(self, transaction: Transaction, now: float) -> None:
        transaction.tries_left -= 1
        self._network.statistics.retries += 1

    def _transmit(self, transaction: Transaction, now: float) -> None:
        transaction.tries += 1
        message = transaction.message
        kind = PduType.SPDU if message.service is Service.REQUEST else PduType.TPDU
        for pdu, backlog in try_pdus(transaction):
            self._network.emit(kind, pdu.encode(), self._header(transaction, backlog))

    def _header(self, transaction: Transaction, backlog: int) -> Header:
        message = transaction.message
        path = message.path
        if path is None:
            answered = message.service is not Service.UNACKD_RPT
            path = answered and transaction.tries_left <= ALTERNATE_TRIES_LEFT
        return Header(message.destination, transaction.domain, message.priority, path, backlog)

    def _reply(self, transaction: Transaction, now: float) -> None:
        assert transaction.challenge is not None
        incoming, pdu = transaction.challenge
        message = transaction.message
        scheme = auth.CHALLENGES[pdu.kind]
        key = self._reply_key(transaction, scheme)
        value = auth.digest(
            scheme, pdu.value, key, message.destination, transaction.domain.id, message.apdu
        )
        reply = AuthPdu(auth.REPLY_OF[scheme], pdu.tid, pdu.address_format, value, pdu.group)
        header = Header(
            _reply_destination(incoming.npdu.source, message.destination),
            transaction.domain,
            message.priority,
            incoming.lpdu.alternate_path,
        )
        self._network.emit(PduType.AUTH, reply.encode(), header)

    def _reply_key(self, transaction: Transaction, scheme: AuthScheme) -> bytes:
        alternate = transaction.message.alternate_key
        length = OMA_KEY_LENGTH if scheme is AuthScheme.OMA else KEY_LENGTH
        if alternate is not None and len(alternate) >= length:
            return alternate
        return auth.key_for(self._network.config, scheme, transaction.domain)

    def _close(self, transaction: Transaction, now: float) -> None:
        broadcast = isinstance(transaction.message.destination, Broadcast)
        needed = min(1, transaction.needed) if broadcast else transaction.needed
        self._finish(transaction, success=transaction.answers >= needed, now=now)

    def _finish(self, transaction: Transaction, success: bool, now: float) -> None:
        priority = transaction.message.priority
        for place in self._places(priority):
            if transaction in place:
                place.remove(transaction)
        if not success:
            self._network.statistics.failures += 1
        self._events.append(Completed(transaction.handle, success, transaction.tries))
        self._admit(priority, now)

    # --- admission ---------------------------------------------------------------------------

    def _places(self, priority: bool) -> tuple[list[Transaction] | deque[Transaction], ...]:
        return self._active[priority], self._relayed[priority], self._own[priority]

    def _admit(self, priority: bool, now: float) -> None:
        """Starts queued transactions, oldest first; relayed ones do not wait for own ones."""
        for transaction in (*self._relayed[priority], *self._own[priority]):
            if transaction.own and self._window_full(priority):
                return
            if transaction.state is State.QUEUED and self._may_start(transaction):
                self._start(transaction, now)

    def _start(self, transaction: Transaction, now: float) -> None:
        message = transaction.message
        queues = self._own if transaction.own else self._relayed
        queues[message.priority].remove(transaction)
        self._active[message.priority].append(transaction)
        repeated = message.service is Service.UNACKD_RPT
        self._step(transaction, Input.START_REPEATS if repeated else Input.START, now)

    def _window_full(self, priority: bool) -> bool:
        own = sum(each.own for each in self._active[priority])
        return own >= min(self._network.config.max_transactions, MAX_OWN_TRANSACTIONS)

    def _may_start(self, transaction: Transaction) -> bool:
        """Gives the transaction its number if it may start."""
        message = transaction.message
        active = self._active[message.priority]
        if any(each.key == transaction.key for each in active):
            return False
        numbers = self._numbers[message.priority]
        if message.tid is not None:
            if any(each.tid == message.tid and ambiguous(each, transaction) for each in active):
                return False
            transaction.tid = message.tid
            numbers.remember(transaction.key, message.tid)
            return True
        tid = numbers.allocate(transaction.key, {each.tid for each in active})
        transaction.tid = -1 if tid is None else tid
        return tid is not None

    def _needed(self, message: Outgoing) -> int:
        """How many answers make `message` complete."""
        if message.service is Service.UNACKD_RPT:
            return 0
        match message.destination:
            case Broadcast() if message.service is Service.REQUEST:
                return message.max_responses
            case Group(group, size):
                domain = self._network.domain(message.domain)
                member = self._network.group_entry(domain, group) is not None
                return max(1, size - member)
        return 1

    # --- answers -----------------------------------------------------------------------------

    def _receive_answer(self, incoming: Incoming, tid: int, service: Service, apdu: bytes) -> None:
        transaction = self._answered(incoming, tid, service)
        if transaction is None:
            self._network.statistics.late_answers += 1
            return
        answerer = answerer_of(incoming)
        if answerer is not None and answerer in transaction.answered:
            self._network.statistics.duplicates += 1
            return
        transaction.answered.add(answerer)
        transaction.answers += 1
        if service is Service.REQUEST:
            self._deliver(transaction, incoming, apdu)
        complete = transaction.answers >= transaction.needed
        self._step(transaction, Input.COMPLETE if complete else Input.PARTIAL, incoming.now)

    def _deliver(self, transaction: Transaction, incoming: Incoming, apdu: bytes) -> None:
        npdu = incoming.npdu
        self._events.append(
            ResponseReceived(transaction.handle, apdu, npdu.source, npdu.domain, incoming.margin_db)
        )

    def _answered(self, incoming: Incoming, tid: int, service: Service) -> Transaction | None:
        """The transaction an answer belongs to; one to the very node before a broadcast."""
        candidates = [
            each
            for each in self._active[incoming.lpdu.priority]
            if each.tid == tid
            and each.message.service is service
            and each.domain == incoming.domain
            and may_answer(incoming, each.message.destination)
        ]
        candidates.sort(key=lambda each: not isinstance(each.message.destination, SubnetNode))
        return candidates[0] if candidates else None

    def _challenged(self, incoming: Incoming, pdu: AuthPdu) -> Transaction | None:
        for each in self._active[incoming.lpdu.priority]:
            destination = each.message.destination
            if (
                each.tid == pdu.tid
                and each.message.authenticated
                and each.challenges < MAX_CHALLENGES * max(1, each.needed)
                and each.domain == incoming.domain
                and FORMATS[type(destination)] is pdu.address_format
                and may_answer(incoming, destination)
            ):
                return each
        return None

    def _refuses(self, pdu: AuthPdu) -> bool:
        standard = auth.CHALLENGES[pdu.kind] is AuthScheme.STANDARD
        return standard and self._network.config.oma_only

    @staticmethod
    def _expiry(transaction: Transaction) -> Input:
        broadcast = isinstance(transaction.message.destination, Broadcast)
        satisfied = broadcast and transaction.answers > 0
        exhausted = transaction.tries_left == 0
        return Input.LAST_TIMER if satisfied or exhausted else Input.TIMER


def _reply_destination(challenger: SubnetNode, original: Destination) -> Destination:
    """A challenger without an address is reached by its Neuron ID only."""
    if challenger.node == 0 and isinstance(original, NeuronId):
        return original
    return challenger
