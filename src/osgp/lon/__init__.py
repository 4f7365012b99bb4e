"""EN 14908-1: codec, transactions, authentication, management. Knows no socket and no clock."""

from __future__ import annotations

from osgp.lon.addresses import (
    Broadcast,
    Destination,
    Group,
    GroupMember,
    NeuronId,
    Service,
    SubnetNode,
)
from osgp.lon.config import AddressEntry, AuthScheme, DomainEntry, NodeConfig, NodeState
from osgp.lon.crc import crc16
from osgp.lon.events import (
    Completed,
    ConfigChanged,
    Event,
    OutFrame,
    Outgoing,
    Received,
    ResetRequested,
    ResponseReceived,
    ServicePin,
    Statistics,
    Wink,
)
from osgp.lon.pdu import Lpdu, Npdu, PduType, broadcast_request, destination_key
from osgp.lon.stack import Stack
from osgp.lon.tpdu import Apdu, AuthPdu, Spdu, Tpdu

__all__ = [
    "AddressEntry",
    "Apdu",
    "AuthPdu",
    "AuthScheme",
    "Broadcast",
    "Completed",
    "ConfigChanged",
    "Destination",
    "DomainEntry",
    "Event",
    "Group",
    "GroupMember",
    "Lpdu",
    "NeuronId",
    "NodeConfig",
    "NodeState",
    "Npdu",
    "OutFrame",
    "Outgoing",
    "PduType",
    "Received",
    "ResetRequested",
    "ResponseReceived",
    "Service",
    "ServicePin",
    "Spdu",
    "Stack",
    "Statistics",
    "SubnetNode",
    "Tpdu",
    "Wink",
    "broadcast_request",
    "crc16",
    "destination_key",
]
