"""One message on its way: what is remembered of it, and the frames of each of its tries."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, auto

from osgp.lon.addresses import (
    MAX_GROUP_SIZE,
    AddressFormat,
    Broadcast,
    Destination,
    Group,
    GroupMember,
    NeuronId,
    Service,
    SubnetNode,
)
from osgp.lon.events import Outgoing
from osgp.lon.network import Domain, Incoming
from osgp.lon.pdu import MAX_BACKLOG
from osgp.lon.tpdu import AuthPdu, Spdu, SpduType, Tpdu, TpduType, m_list

DEFAULT_BROADCAST_BACKLOG = 15
MAX_LIST_IN_MESSAGE = 2
"""Longest M_LIST (bytes) that travels inside the repeated message."""


class State(Enum):
    QUEUED = auto()
    AWAITING = auto()
    REPEATING = auto()
    CLOSED = auto()


@dataclass(slots=True)
class Transaction:
    """One message, and how far it is. `needed` counts the answers that make it complete."""

    handle: int
    message: Outgoing
    domain: Domain
    wait: float
    needed: int
    own: bool
    state: State = State.QUEUED
    tid: int = -1
    tries: int = 0
    tries_left: int = 0
    deadline: float = 0.0
    answers: int = 0
    answered: set[Hashable] = field(default_factory=set)
    challenge: tuple[Incoming, AuthPdu] | None = None
    challenges: int = 0

    @property
    def key(self) -> Hashable:
        return self.domain.id, destination_id(self.message.destination)


def destination_id(to: Destination) -> Hashable:
    """What makes two destinations the same one for transaction numbers."""
    match to:
        case NeuronId(neuron):
            return AddressFormat.NEURON_ID, neuron
        case Group(group):
            return AddressFormat.GROUP, group
        case Broadcast(subnet):
            return AddressFormat.BROADCAST, subnet
        case SubnetNode(subnet, node) | GroupMember(subnet, node):
            return AddressFormat.SUBNET_NODE, subnet, node


def ambiguous(one: Transaction, other: Transaction) -> bool:
    """Whether answers to two transactions with one number could be taken for each other."""
    kinds = (type(one.message.destination), type(other.message.destination))
    return kinds != (SubnetNode, SubnetNode) and one.domain == other.domain


def may_answer(incoming: Incoming, destination: Destination) -> bool:
    """Whether the sender of `incoming` can be one that `destination` addressed."""
    npdu = incoming.npdu
    match destination:
        case SubnetNode():
            return npdu.source == destination
        case Group(group):
            to = npdu.destination
            return isinstance(to, GroupMember) and to.group == group and to.member < MAX_GROUP_SIZE
        case Broadcast(subnet):
            return 0 in (subnet, npdu.source.subnet) or npdu.source.subnet == subnet
    return True


def answerer_of(incoming: Incoming) -> Hashable:
    """Identity of an answering node; None for nodes without an address, which all look alike."""
    npdu = incoming.npdu
    if isinstance(npdu.destination, GroupMember):
        return npdu.destination.member
    return npdu.source if npdu.source.node else None


def try_pdus(transaction: Transaction) -> list[tuple[Tpdu | Spdu, int]]:
    """The PDUs of one try, each with its delta backlog."""
    message = transaction.message
    backlog = _backlog(transaction)
    group = isinstance(message.destination, Group)
    if group and transaction.tries > 1 and message.service is not Service.UNACKD_RPT:
        return _reminders(transaction, backlog)
    return [(_pdu(transaction, "message"), backlog)]


def _reminders(transaction: Transaction, backlog: int) -> list[tuple[Tpdu | Spdu, int]]:
    acked = m_list({each for each in transaction.answered if isinstance(each, int)})
    if len(acked) <= MAX_LIST_IN_MESSAGE:
        return [(_pdu(transaction, "both", acked), backlog)]
    return [(_pdu(transaction, "reminder", acked), 0), (_pdu(transaction, "message"), backlog)]


_KINDS: dict[str, tuple[SpduType, TpduType]] = {
    "message": (SpduType.REQUEST, TpduType.ACKD),
    "reminder": (SpduType.REMINDER, TpduType.REMINDER),
    "both": (SpduType.REM_MSG, TpduType.REM_MSG),
}


def _pdu(transaction: Transaction, what: str, acked: bytes | None = None) -> Tpdu | Spdu:
    message = transaction.message
    apdu = b"" if what == "reminder" else message.apdu
    session, transport = _KINDS[what]
    if message.service is Service.REQUEST:
        return Spdu(session, transaction.tid, apdu, message.authenticated, acked)
    if message.service is Service.UNACKD_RPT:
        transport = TpduType.UNACKD_RPT
    return Tpdu(transport, transaction.tid, apdu, message.authenticated, acked)


def _backlog(transaction: Transaction) -> int:
    """How many frames this try makes other nodes send, as far as the field can tell."""
    message = transaction.message
    if message.service is Service.UNACKD_RPT:
        return message.retry if transaction.tries == 1 else 0
    if isinstance(message.destination, Broadcast):
        return message.backlog or DEFAULT_BROADCAST_BACKLOG
    if isinstance(message.destination, Group):
        return min(transaction.needed - transaction.answers, MAX_BACKLOG)
    return 1
