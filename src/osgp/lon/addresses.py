"""Addresses of EN 14908-1: where an NPDU goes, and the service that carries it.

A *domain* is plain `bytes` of length 0, 1, 3 or 6. Subnets and groups are 0..255, nodes 0..127
(0 only in source 0/0 of a node that is no member of the domain), members 0..63 on the wire of
a group that is acknowledged.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

DOMAIN_LENGTHS = (0, 1, 3, 6)
"""Length in bytes by the two-bit domain-length code of the NPDU header."""

DOMAIN_CODES = {length: code for code, length in enumerate(DOMAIN_LENGTHS)}

NEURON_ID_LENGTH = 6
MAX_NODE = 0x7F
MAX_GROUP_SIZE = 64
"""Largest group whose members acknowledge; larger ones are addressed without acknowledgement."""


class Service(IntEnum):
    """Message services, with the numbers they carry inside a proxied request."""

    ACKD = 0
    UNACKD_RPT = 1
    UNACKD = 2
    REQUEST = 3


class AddressFormat(IntEnum):
    """Two-bit address format of the NPDU header. Format 2 covers 2a and 2b."""

    BROADCAST = 0
    GROUP = 1
    SUBNET_NODE = 2
    NEURON_ID = 3


class SubnetNode(msgspec.Struct, frozen=True, gc=False):
    """Format 2a: one node by its logical address. Also the form of every source address."""

    subnet: int
    node: int

    def __str__(self) -> str:
        return f"{self.subnet}/{self.node}"


class NeuronId(msgspec.Struct, frozen=True, gc=False):
    """Format 3: one node by its 48-bit unique id. `subnet` only guides routers; 0 floods."""

    neuron: bytes
    subnet: int = 0

    def __str__(self) -> str:
        return self.neuron.hex()


class Broadcast(msgspec.Struct, frozen=True, gc=False):
    """Format 0: every node of a subnet, or of the whole domain when `subnet` is 0."""

    subnet: int = 0

    def __str__(self) -> str:
        return f"subnet {self.subnet}" if self.subnet else "domain"


class Group(msgspec.Struct, frozen=True, gc=False):
    """Format 1: the members of a group.

    `size` is the number of members (0: too large to be acknowledged). It is not on the wire of
    the group message, so decoding leaves it 0.
    """

    group: int
    size: int = 0

    def __str__(self) -> str:
        return f"group {self.group}"


class GroupMember(msgspec.Struct, frozen=True, gc=False):
    """Format 2b: an answer to a group message.

    `subnet` and `node` name the receiver of the answer; `group` and `member` the answerer.
    """

    subnet: int
    node: int
    group: int
    member: int

    def __str__(self) -> str:
        return f"{self.subnet}/{self.node} from member {self.member} of group {self.group}"


Destination = SubnetNode | NeuronId | Broadcast | Group | GroupMember

NO_ADDRESS = SubnetNode(0, 0)
"""Source of a node that is no member of the domain it sends on ("flex domain")."""

FORMATS: dict[type, AddressFormat] = {
    Broadcast: AddressFormat.BROADCAST,
    Group: AddressFormat.GROUP,
    SubnetNode: AddressFormat.SUBNET_NODE,
    GroupMember: AddressFormat.SUBNET_NODE,
    NeuronId: AddressFormat.NEURON_ID,
}
