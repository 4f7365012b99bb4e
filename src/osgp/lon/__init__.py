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
from osgp.lon.crc import crc16
from osgp.lon.pdu import Lpdu, Npdu, PduType, destination_key
from osgp.lon.tpdu import Apdu, AuthPdu, Spdu, Tpdu

__all__ = [
    "Apdu",
    "AuthPdu",
    "Broadcast",
    "Destination",
    "Group",
    "GroupMember",
    "Lpdu",
    "NeuronId",
    "Npdu",
    "PduType",
    "Service",
    "Spdu",
    "SubnetNode",
    "Tpdu",
    "crc16",
    "destination_key",
]
