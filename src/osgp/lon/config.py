"""What an EN 14908-1 node keeps in non-volatile memory: its identity, domains and addresses.

Record layouts of the domain table (15 bytes) and the address table (5 bytes) are the protocol's;
the image made by `NodeConfig.to_bytes` is this project's own (versioned, Source.PROJECT).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import msgspec

from osgp.errors import DecodeError, EncodeError
from osgp.lon.addresses import DOMAIN_CODES, MAX_NODE, SubnetNode
from osgp.lon.crc import crc16

KEY_LENGTH = 6
OMA_KEY_LENGTH = 12
DOMAIN_RECORD_LENGTH = 15
KEYLESS_RECORD_LENGTH = DOMAIN_RECORD_LENGTH - KEY_LENGTH
ADDRESS_RECORD_LENGTH = 5
MAX_DOMAINS = 2
MAX_ADDRESSES = 15

_ERASED_KEY = b"\xff" * KEY_LENGTH
_ID_LENGTH = 6
_INVALID = 0x80
_NONCLONE = 0x80
_GROUP = 0x80
_IMAGE_VERSION = 1


class NodeState(IntEnum):
    """Node states, with the numbers that query status reports."""

    UNCONFIGURED = 0x02
    NO_APPLICATION = 0x03
    CONFIGURED_ONLINE = 0x04
    CONFIGURED_OFFLINE = 0x06
    SOFT_OFFLINE = 0x0C


CONFIGURED_STATES = frozenset(
    {NodeState.CONFIGURED_ONLINE, NodeState.CONFIGURED_OFFLINE, NodeState.SOFT_OFFLINE}
)


class AuthScheme(IntEnum):
    """Which digest a node challenges with; taken from the domain at index 0."""

    STANDARD = 0
    OMA = 1


class DomainEntry(msgspec.Struct, frozen=True):
    """Membership of one domain. `key` is 6 bytes; half of the OMA key when two entries exist."""

    domain: bytes = b""
    subnet: int = 0
    node: int = 0
    key: bytes = _ERASED_KEY
    auth: AuthScheme = AuthScheme.STANDARD
    valid: bool = True
    nonclone: bool = True

    def __repr__(self) -> str:
        at = f"{self.subnet}/{self.node}" if self.valid else "unused"
        return f"DomainEntry({self.domain.hex()!r}, {at}, auth={self.auth.name}, key=...)"

    @property
    def address(self) -> SubnetNode:
        return SubnetNode(self.subnet, self.node)

    def to_record(self) -> bytes:
        """The 15-byte record of the domain table. Raises EncodeError."""
        if len(self.domain) not in DOMAIN_CODES or len(self.key) != KEY_LENGTH:
            raise EncodeError("domain of 0, 1, 3 or 6 bytes, key of 6", table="domain record")
        if not 0 <= self.node <= MAX_NODE or not 0 <= self.subnet <= 0xFF:
            raise EncodeError("subnet 0..255, node 0..127", table="domain record")
        flags = (0 if self.valid else _INVALID) | self.auth << 3 | len(self.domain)
        node = (_NONCLONE if self.nonclone else 0) | self.node
        padded = self.domain.ljust(_ID_LENGTH, b"\0")
        return padded + bytes((self.subnet, node, flags)) + self.key

    @classmethod
    def from_record(cls, record: bytes, key: bytes | None = None) -> DomainEntry:
        """From 15 bytes, or from 9 with the `key` to keep. Raises DecodeError."""
        wanted = DOMAIN_RECORD_LENGTH if key is None else KEYLESS_RECORD_LENGTH
        if len(record) < wanted:
            raise DecodeError(f"{len(record)} bytes instead of {wanted}", table="domain record")
        subnet, node, flags = record[6:9]
        length = flags & 7
        if length not in DOMAIN_CODES and flags < _INVALID:
            raise DecodeError(f"domain of {length} bytes", table="domain record", offset=8)
        return cls(
            record[: length if length in DOMAIN_CODES else 0],
            subnet,
            node & MAX_NODE,
            record[9:15] if key is None else key,
            AuthScheme.OMA if flags >> 3 & 3 == AuthScheme.OMA else AuthScheme.STANDARD,
            flags < _INVALID,
            node >= _NONCLONE,
        )


UNUSED_DOMAIN = DomainEntry(valid=False)
"""What leaving a domain puts in its place."""


class AddressEntry(msgspec.Struct, frozen=True):
    """One record of the address table (also the address block of a classic proxy command).

    0 unbound, 1 subnet/node, 2 Neuron ID, 3 broadcast, 0x80 | size: group. Only group records
    matter to a receiver; the rest are kept for the tools that wrote them.
    """

    record: bytes = bytes(ADDRESS_RECORD_LENGTH)

    @classmethod
    def of_group(
        cls,
        group: int,
        size: int,
        member: int,
        domain_index: int = 0,
        *,
        receive_timer: int = 15,
        transmit_timer: int = 13,
        retry: int = 3,
    ) -> AddressEntry:
        """Membership of `group`; `size` 0 means more members than can acknowledge."""
        return cls(
            bytes(
                (
                    _GROUP | size,
                    domain_index << 7 | member,
                    transmit_timer << 4 | retry,
                    receive_timer << 4 | transmit_timer,
                    group,
                )
            )
        )

    def with_timers_of(self, other: AddressEntry) -> AddressEntry:
        """This group membership with the size and timers of `other`."""
        mine, theirs = self.record, other.record
        return AddressEntry(theirs[:1] + mine[1:2] + theirs[2:4] + mine[4:])

    @property
    def is_group(self) -> bool:
        return self.record[0] >= _GROUP

    @property
    def size(self) -> int:
        return self.record[0] & 0x7F

    @property
    def domain_index(self) -> int:
        return self.record[1] >> 7

    @property
    def member(self) -> int:
        return self.record[1] & 0x7F

    @property
    def receive_timer(self) -> int:
        return self.record[3] >> 4

    @property
    def group(self) -> int:
        return self.record[4]


@dataclass(slots=True)
class NodeConfig:
    """Everything a node must remember over a power cut, and the limits of its stack.

    `neuron_id` 6 bytes, `program_id` 8 bytes. `receive_timer` is the non-group receive timer
    (code 0..15): how long a message is remembered so that its repetition is not executed again;
    it must outlast the sender's wait between two tries. `nm_auth`: changes of the configuration
    need an authenticated message. `oma_only`: standard (48-bit) challenges are not answered.
    `phase`: 0 unknown, 1..6 for 0, 60, ... 300 degrees, reported on request.
    `max_transactions` own transactions run at a time per priority class, at most 12.
    """

    neuron_id: bytes
    program_id: bytes = bytes(8)
    state: NodeState = NodeState.UNCONFIGURED
    domains: list[DomainEntry] = field(default_factory=lambda: [UNUSED_DOMAIN] * MAX_DOMAINS)
    addresses: list[AddressEntry] = field(default_factory=lambda: [AddressEntry()] * MAX_ADDRESSES)
    receive_timer: int = 15
    nm_auth: bool = False
    oma_only: bool = False
    channel_id: int = 0
    location: bytes = bytes(6)
    priority_slot: int = 0
    priority_slots: int = 8
    phase: int = 0
    max_transactions: int = 1
    max_receive_transactions: int = 64

    @property
    def configured(self) -> bool:
        return self.state in CONFIGURED_STATES

    @property
    def oma_key(self) -> bytes:
        """The 12-byte OMA key: the key fields of the domains at index 0 and 1."""
        return self.domains[0].key + self.domains[1].key

    def to_bytes(self) -> bytes:
        """The image for non-volatile memory. It holds keys: store it like one."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields["domains"] = [entry.to_record() for entry in self.domains]
        fields["addresses"] = [entry.record for entry in self.addresses]
        body = bytes((_IMAGE_VERSION,)) + msgspec.msgpack.encode(fields)
        return body + crc16(body).to_bytes(2, "big")

    @classmethod
    def from_bytes(cls, image: bytes) -> NodeConfig:
        """Raises DecodeError for an image that is damaged or of another version."""
        if len(image) < 3 or crc16(image[:-2]) != int.from_bytes(image[-2:], "big"):
            raise DecodeError("damaged", table="node configuration")
        if image[0] != _IMAGE_VERSION:
            raise DecodeError(f"image version {image[0]}", table="node configuration")
        try:
            stored = msgspec.msgpack.decode(image[1:-2], type=_Image)
        except msgspec.MsgspecError as error:
            raise DecodeError("not an image", table="node configuration") from error
        fields = msgspec.structs.asdict(stored)
        fields["domains"] = [DomainEntry.from_record(record) for record in stored.domains]
        fields["addresses"] = [AddressEntry(record) for record in stored.addresses]
        return cls(**fields)


class _Image(msgspec.Struct, forbid_unknown_fields=True):
    neuron_id: bytes
    program_id: bytes
    state: NodeState
    domains: list[bytes]
    addresses: list[bytes]
    receive_timer: int
    nm_auth: bool
    oma_only: bool
    channel_id: int
    location: bytes
    priority_slot: int
    priority_slots: int
    phase: int
    max_transactions: int
    max_receive_transactions: int
