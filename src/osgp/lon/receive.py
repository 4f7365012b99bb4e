"""Receive transactions: a message arriving, once, however often it is sent.

    NEW ──PLAIN──▶ DELIVERED ──RESPOND──▶ RESPONDED
     └──PROTECTED──▶ CHALLENGED ──REPLY──▶ DELIVERED

A receive transaction belongs to one sender (priority, domain, source, address format, group or
broadcast subnet). A message with the TID, the kind and the APDU of the transaction is a
repetition: the challenge, the acknowledgement or the stored response is sent again and nothing
is delivered twice. Anything else from that sender takes the transaction's place.

A reminder that lists this node as answered SILENCEs the transaction: the message that follows it
is for the others. The transaction is forgotten when its receive timer passes without a
repetition. (One stack restarts the timer for Neuron ID messages only, and both use 8192 ms for
those; restarting it for all, and never waiting less than the node's own receive timer, can only
make fewer messages execute twice.)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

from osgp.lon import auth
from osgp.lon.addresses import (
    FORMATS,
    AddressFormat,
    Broadcast,
    Destination,
    Group,
    GroupMember,
    NeuronId,
    Service,
)
from osgp.lon.config import AuthScheme
from osgp.lon.events import Received
from osgp.lon.network import Domain, Header, Incoming, Network
from osgp.lon.pdu import PduType
from osgp.lon.timers import NEURON_ID_RECEIVE_MS, receive_seconds
from osgp.lon.tpdu import (
    VALUE_LENGTH,
    AuthPdu,
    Spdu,
    SpduType,
    Tpdu,
    TpduType,
    in_m_list,
)

Deliver = Callable[[Received, float], None]


class State(Enum):
    NEW = auto()
    CHALLENGED = auto()
    DELIVERED = auto()
    RESPONDED = auto()
    SILENT = auto()


class Input(Enum):
    PLAIN = auto()
    """First copy of a message that needs no authentication."""
    PROTECTED = auto()
    """First copy of a message to be challenged."""
    AGAIN = auto()
    """A further copy."""
    REPLY = auto()
    RESPOND = auto()
    SILENCE = auto()


Action = str
TRANSITIONS: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (State.NEW, Input.PLAIN): (State.DELIVERED, ("deliver", "acknowledge")),
    (State.NEW, Input.SILENCE): (State.SILENT, ()),
    (State.NEW, Input.PROTECTED): (State.CHALLENGED, ("draw", "challenge")),
    (State.CHALLENGED, Input.AGAIN): (State.CHALLENGED, ("challenge",)),
    (State.CHALLENGED, Input.REPLY): (State.DELIVERED, ("deliver", "acknowledge")),
    (State.DELIVERED, Input.AGAIN): (State.DELIVERED, ("acknowledge",)),
    (State.DELIVERED, Input.RESPOND): (State.RESPONDED, ("respond",)),
    (State.DELIVERED, Input.SILENCE): (State.SILENT, ()),
    (State.RESPONDED, Input.AGAIN): (State.RESPONDED, ("respond",)),
    (State.RESPONDED, Input.SILENCE): (State.SILENT, ()),
}
"""(state, input) -> (next state, actions). What is not listed is ignored."""


@dataclass(slots=True)
class ReceiveTransaction:
    """One message of one sender; `incoming` is its latest copy."""

    incoming: Incoming
    service: Service
    tid: int
    apdu: bytes
    protected: bool
    token: int
    lifetime: float
    state: State = State.NEW
    alternate_path: bool = False
    authenticated: bool = False
    scheme: AuthScheme = AuthScheme.STANDARD
    challenge: bytes = field(default=b"", repr=False)
    response: bytes = b""
    anonymous: bool = False

    @property
    def deadline(self) -> float:
        return self.incoming.now + self.lifetime


class Receiver:
    """The receive side of one stack. `deliver` takes each message once, and `now`."""

    def __init__(self, network: Network, rng: random.Random, deliver: Deliver) -> None:
        self._network = network
        self._rng = rng
        self._deliver_message = deliver
        self._transactions: dict[Hashable, ReceiveTransaction] = {}
        self._tokens = count(1)
        self._actions: dict[Action, Callable[[ReceiveTransaction], None]] = {
            "deliver": self._deliver,
            "acknowledge": self._acknowledge,
            "draw": self._draw,
            "challenge": self._challenge,
            "respond": self._respond,
        }

    def receive_unacknowledged(self, incoming: Incoming, apdu: bytes) -> None:
        """An APDU without transaction."""
        self._deliver_message(_received(incoming, Service.UNACKD, apdu), incoming.now)

    def receive_message(self, incoming: Incoming, pdu: Tpdu | Spdu) -> None:
        """A message or a repetition of one."""
        key = _key(incoming)
        transaction = self._find(key, incoming.now)
        service = _service(pdu)
        if transaction is not None and _is_repetition(transaction, incoming, pdu, service):
            self._repeat(transaction, incoming, pdu)
        elif pdu.kind != SpduType.REMINDER:
            self._begin(key, incoming, pdu, service)

    def receive_reply(self, incoming: Incoming, pdu: AuthPdu) -> None:
        """The sender of a challenged message proves its key, or tries to."""
        key = _key_of(incoming, pdu.address_format, pdu.group or 0)
        transaction = self._find(key, incoming.now)
        if transaction is None or transaction.tid != pdu.tid:
            self._network.statistics.late_answers += 1
        elif transaction.state is State.CHALLENGED:
            transaction.authenticated = self._proves(transaction, pdu)
            self._network.statistics.refused += not transaction.authenticated
            self._step(transaction, Input.REPLY)

    def respond(self, token: int, apdu: bytes, now: float, *, anonymous: bool = False) -> bool:
        """Sends (on request from 0/0) and keeps a response; False when it came too late."""
        for transaction in self._transactions.values():
            if transaction.token == token and transaction.deadline > now:
                if transaction.state is not State.DELIVERED:
                    break
                transaction.response = apdu
                transaction.anonymous = anonymous
                self._step(transaction, Input.RESPOND)
                return True
        self._network.statistics.late_responses += 1
        return False

    def decline(self, token: int) -> None:
        """The request is never going to be answered."""
        for transaction in self._transactions.values():
            if transaction.token == token:
                self._step(transaction, Input.SILENCE)

    def forget(self, now: float) -> None:
        """Drops what the receive timers have ended."""
        over = [key for key, each in self._transactions.items() if each.deadline <= now]
        for key in over:
            del self._transactions[key]

    # --- the machine -------------------------------------------------------------------------

    def _step(self, transaction: ReceiveTransaction, what: Input) -> None:
        transition = TRANSITIONS.get((transaction.state, what))
        if transition is None:
            return
        transaction.state, actions = transition
        for action in actions:
            self._actions[action](transaction)

    def _find(self, key: Hashable, now: float) -> ReceiveTransaction | None:
        transaction = self._transactions.get(key)
        return transaction if transaction is not None and transaction.deadline > now else None

    def _begin(self, key: Hashable, incoming: Incoming, pdu: Tpdu | Spdu, service: Service) -> None:
        previous = self._transactions.get(key)
        if previous is None and not self._room(incoming.now):
            self._network.statistics.receive_full += 1
            return
        if previous is not None and previous.state is State.CHALLENGED:
            self._network.statistics.lost += 1
        transaction = ReceiveTransaction(
            incoming,
            service,
            pdu.tid,
            pdu.apdu,
            pdu.authenticated,
            next(self._tokens),
            self._lifetime(incoming),
            alternate_path=incoming.lpdu.alternate_path,
        )
        self._transactions[key] = transaction
        self._step(transaction, self._first_input(incoming, pdu))

    def _first_input(self, incoming: Incoming, pdu: Tpdu | Spdu) -> Input:
        if pdu.acked is not None and self._is_listed(incoming, pdu.acked):
            return Input.SILENCE
        challenged = pdu.authenticated and self._can_challenge(incoming)
        return Input.PROTECTED if challenged else Input.PLAIN

    def _room(self, now: float) -> bool:
        limit = self._network.config.max_receive_transactions
        if len(self._transactions) >= limit:
            self.forget(now)
        return len(self._transactions) < limit

    def _repeat(
        self, transaction: ReceiveTransaction, incoming: Incoming, pdu: Tpdu | Spdu
    ) -> None:
        self._network.statistics.duplicates += 1
        transaction.incoming = incoming
        transaction.alternate_path |= incoming.lpdu.alternate_path
        if pdu.acked is not None and self._is_listed(incoming, pdu.acked):
            self._step(transaction, Input.SILENCE)
        elif pdu.kind != SpduType.REMINDER:
            self._step(transaction, Input.AGAIN)

    def _can_challenge(self, incoming: Incoming) -> bool:
        broadcast = isinstance(incoming.npdu.destination, Broadcast)
        return self._network.config.configured and not broadcast

    def _is_listed(self, incoming: Incoming, acked: bytes) -> bool:
        to = incoming.npdu.destination
        if not isinstance(to, Group):
            return False
        entry = self._network.group_entry(incoming.domain, to.group)
        return entry is not None and in_m_list(acked, entry.member)

    def _lifetime(self, incoming: Incoming) -> float:
        to = incoming.npdu.destination
        if isinstance(to, Group):
            entry = self._network.group_entry(incoming.domain, to.group)
            if entry is not None:
                return receive_seconds(entry.receive_timer)
        own = receive_seconds(self._network.config.receive_timer)
        return max(own, NEURON_ID_RECEIVE_MS / 1000) if isinstance(to, NeuronId) else own

    # --- actions -----------------------------------------------------------------------------

    def _deliver(self, transaction: ReceiveTransaction) -> None:
        wants_response = transaction.service is Service.REQUEST
        message = _received(
            transaction.incoming,
            transaction.service,
            transaction.apdu,
            tid=transaction.tid,
            authenticated=transaction.authenticated,
            token=transaction.token if wants_response else None,
            proof_wanted=transaction.protected,
        )
        self._deliver_message(message, transaction.incoming.now)

    def _acknowledge(self, transaction: ReceiveTransaction) -> None:
        if transaction.service is Service.ACKD:
            self._answer(transaction, PduType.TPDU, Tpdu(TpduType.ACK, transaction.tid))

    def _respond(self, transaction: ReceiveTransaction) -> None:
        response = Spdu(SpduType.RESPONSE, transaction.tid, transaction.response)
        self._answer(transaction, PduType.SPDU, response)

    def _draw(self, transaction: ReceiveTransaction) -> None:
        transaction.scheme = auth.own_scheme(self._network.config)
        transaction.challenge = self._rng.randbytes(VALUE_LENGTH)

    def _challenge(self, transaction: ReceiveTransaction) -> None:
        self._network.statistics.challenges += 1
        to = transaction.incoming.npdu.destination
        challenge = AuthPdu(
            auth.CHALLENGE_OF[transaction.scheme],
            transaction.tid,
            FORMATS[type(to)],
            transaction.challenge,
            to.group if isinstance(to, Group) else None,
        )
        self._answer(transaction, PduType.AUTH, challenge)

    def _proves(self, transaction: ReceiveTransaction, pdu: AuthPdu) -> bool:
        if auth.REPLIES[pdu.kind] is not transaction.scheme:
            return False
        incoming = transaction.incoming
        expected = auth.digest(
            transaction.scheme,
            transaction.challenge,
            auth.key_for(self._network.config, transaction.scheme, incoming.domain),
            incoming.npdu.destination,
            incoming.npdu.domain,
            transaction.apdu,
        )
        return auth.replies_match(expected, pdu.value)

    def _answer(
        self, transaction: ReceiveTransaction, kind: PduType, pdu: Tpdu | Spdu | AuthPdu
    ) -> None:
        incoming = transaction.incoming
        to = self._return_address(incoming)
        if to is None:
            return
        version = incoming.npdu.version
        header = Header(
            to,
            Domain(incoming.domain.id) if transaction.anonymous else incoming.domain,
            incoming.lpdu.priority,
            transaction.alternate_path,
            version=version,
        )
        self._network.emit(kind, pdu.encode(version), header)

    def _return_address(self, incoming: Incoming) -> Destination | None:
        source, to = incoming.npdu.source, incoming.npdu.destination
        if not isinstance(to, Group):
            return source
        entry = self._network.group_entry(incoming.domain, to.group)
        if entry is None:
            return None
        return GroupMember(source.subnet, source.node, to.group, entry.member)


def _service(pdu: Tpdu | Spdu) -> Service:
    """The service a message travels with; reminders belong to the answered one of their layer."""
    if isinstance(pdu, Spdu):
        return Service.REQUEST
    return Service.UNACKD_RPT if pdu.kind is TpduType.UNACKD_RPT else Service.ACKD


def _is_repetition(
    transaction: ReceiveTransaction, incoming: Incoming, pdu: Tpdu | Spdu, service: Service
) -> bool:
    same_apdu = pdu.kind == SpduType.REMINDER or pdu.apdu == transaction.apdu
    return (
        same_apdu
        and transaction.tid == pdu.tid
        and transaction.service is service
        and transaction.protected == pdu.authenticated
        and transaction.incoming.npdu.version == incoming.npdu.version
    )


def _key(incoming: Incoming) -> Hashable:
    to = incoming.npdu.destination
    match to:
        case Group(group):
            selector = group
        case Broadcast(subnet):
            selector = subnet
        case _:
            selector = 0
    return _key_of(incoming, FORMATS[type(to)], selector)


def _key_of(incoming: Incoming, form: AddressFormat, selector: int) -> Hashable:
    npdu = incoming.npdu
    return incoming.lpdu.priority, npdu.domain, npdu.source, form, selector


def _received(
    incoming: Incoming,
    service: Service,
    apdu: bytes,
    *,
    tid: int = 0,
    authenticated: bool = False,
    token: int | None = None,
    proof_wanted: bool = False,
) -> Received:
    lpdu, npdu = incoming.lpdu, incoming.npdu
    return Received(
        apdu,
        service,
        npdu.source,
        npdu.domain,
        incoming.domain.index,
        npdu.destination,
        authenticated,
        lpdu.priority,
        lpdu.alternate_path,
        incoming.margin_db,
        tid,
        token,
        proof_wanted,
    )
