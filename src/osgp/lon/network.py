"""Network layer of one node: which frames are for it, and from which address it sends.

A configured node accepts what is addressed to it on its own domains, and messages to its Neuron
ID on any domain; an unconfigured node accepts broadcasts and messages to its Neuron ID. A node
that is no member of the domain it sends on uses the source address 0/0 ("flex domain").
"""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from osgp.errors import DecodeError, LocalProtocolError
from osgp.lon.addresses import (
    NO_ADDRESS,
    Broadcast,
    Destination,
    Group,
    GroupMember,
    NeuronId,
    SubnetNode,
)
from osgp.lon.config import AddressEntry, DomainEntry, NodeConfig
from osgp.lon.events import OutFrame, Statistics
from osgp.lon.pdu import Lpdu, Npdu, PduType, destination_key


class Domain(msgspec.Struct, frozen=True):
    """The domain of a message. `index` into the domain table, None for a foreign domain."""

    id: bytes
    index: int | None = None


class Incoming(msgspec.Struct, frozen=True):
    """A frame that is for this node."""

    lpdu: Lpdu
    npdu: Npdu
    domain: Domain
    now: float
    margin_db: float


class Header(msgspec.Struct, frozen=True):
    """Where an outgoing PDU goes, and how."""

    to: Destination
    domain: Domain
    priority: bool = False
    alternate_path: bool = False
    backlog: int = 0
    version: int = 0


class Network:
    """Sorts incoming frames and collects outgoing ones in `frames`."""

    def __init__(self, config: NodeConfig, statistics: Statistics) -> None:
        self.config = config
        self.statistics = statistics
        self.frames: list[OutFrame] = []
        self.reindex()

    def reindex(self) -> None:
        """Takes over a changed configuration."""
        config = self.config
        joined = enumerate(config.domains) if config.configured else ()
        self._joined: list[tuple[int, DomainEntry]] = [
            (index, entry) for index, entry in joined if entry.valid
        ]
        self._addresses: dict[int | None, SubnetNode] = {
            index: entry.address for index, entry in self._joined
        }
        self._groups: dict[tuple[int, int], AddressEntry] = {
            (entry.domain_index, entry.group): entry for entry in config.addresses if entry.is_group
        }
        self.keys = frozenset(self._address_keys())

    def _address_keys(self) -> list[Hashable]:
        keys: list[Hashable] = [("n", self.config.neuron_id)]
        for index, entry in self._joined:
            keys.append(("s", entry.domain, entry.subnet, entry.node))
            keys += [("g", entry.domain, group) for i, group in self._groups if i == index]
        return keys

    def group_entry(self, domain: Domain, group: int) -> AddressEntry | None:
        """This node's membership of `group`, if it has one."""
        return None if domain.index is None else self._groups.get((domain.index, group))

    def domain(self, wanted: bytes | int) -> Domain:
        """A domain by index or id. Raises LocalProtocolError for an index that is not in use."""
        if isinstance(wanted, int):
            for index, entry in self._joined:
                if index == wanted:
                    return Domain(entry.domain, index)
            raise LocalProtocolError(f"not a member of any domain at index {wanted}")
        for index, entry in self._joined:
            if entry.domain == wanted:
                return Domain(wanted, index)
        return Domain(wanted)

    def accept(self, frame: bytes, now: float, margin_db: float) -> Incoming | None:
        """The frame, decoded, if it is a sound one for this node; otherwise it is counted."""
        key = destination_key(frame)
        if key is not None and key not in self.keys:
            self.statistics.not_addressed += 1
            return None
        try:
            lpdu = Lpdu.decode(frame)
        except DecodeError as error:
            self._count_damage(error)
            return None
        domain = self._own_domain(lpdu.npdu)
        if domain is None:
            return None
        self.statistics.received += 1
        return Incoming(lpdu, lpdu.npdu, domain, now, margin_db)

    def _count_damage(self, error: DecodeError) -> None:
        if error.field == "crc":
            self.statistics.crc_errors += 1
        else:
            self.statistics.malformed += 1

    def _own_domain(self, npdu: Npdu) -> Domain | None:
        for index, entry in self._joined:
            if entry.domain == npdu.domain and self._addressed(npdu.destination, index, entry):
                if npdu.source == entry.address:
                    self.statistics.own_source += 1
                    return None
                return Domain(npdu.domain, index)
        if self._accepts_foreign(npdu.destination):
            return Domain(npdu.domain)
        self.statistics.not_addressed += 1
        return None

    def _addressed(self, to: Destination, index: int, entry: DomainEntry) -> bool:
        match to:
            case SubnetNode(subnet, node) | GroupMember(subnet, node):
                return subnet == entry.subnet and node == entry.node
            case Broadcast(subnet):
                return subnet in (0, entry.subnet)
            case Group(group):
                return (index, group) in self._groups
            case NeuronId(neuron):
                return neuron == self.config.neuron_id

    def _accepts_foreign(self, to: Destination) -> bool:
        if isinstance(to, NeuronId):
            return to.neuron == self.config.neuron_id
        return isinstance(to, Broadcast) and not self.config.configured

    def emit(self, kind: PduType, pdu: bytes, header: Header) -> None:
        """Puts one frame into `frames`. Raises EncodeError."""
        source = self._addresses.get(header.domain.index, NO_ADDRESS)
        npdu = Npdu(kind, source, header.to, header.domain.id, pdu, header.version)
        lpdu = Lpdu(header.priority, header.alternate_path, header.backlog, npdu)
        self.frames.append(
            OutFrame(lpdu.encode(), header.priority, header.alternate_path, header.backlog)
        )
        self.statistics.sent += 1
