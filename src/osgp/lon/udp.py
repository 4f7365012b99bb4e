"""LON/IP over UDP (port 2541): an LPDU as a datagram between IPv4 addresses, and back.

    version(4) flags(3) arbitrary source(1) | format(4) MCR(1) priority(1) PDU type(2)
    | [backlog] | [arbitrary source] | [enclosed address] | enclosed PDU

The IPv4 addresses carry domain, subnet and node where they can:

    192.168.subnet.node     domain of length 0 (and every address with subnet or node 0)
    10.d1.subnet.node       domain of length 1
    d1.d2.subnet.node       domain of length 3 whose last byte is 0
    239.192.0.subnet        broadcast (subnet 0: the domain), Neuron ID
    239.192.1.group         group

A host whose own IP address is another one announces its LON address inside the datagram
("arbitrary source": subnet, flag | node, domain length code, domain). The backlog byte (MCR) goes
with group and broadcast messages that are to be answered. There is no CRC, and the alternate
path is lost. Source: two public stacks, observed on the wire; IPv6 is not covered.
"""

from __future__ import annotations

from ipaddress import IPv4Address

import msgspec

from osgp.errors import DecodeError, EncodeError, Truncated
from osgp.lon.addresses import (
    DOMAIN_CODES,
    DOMAIN_LENGTHS,
    MAX_NODE,
    NEURON_ID_LENGTH,
    Broadcast,
    Destination,
    Group,
    GroupMember,
    NeuronId,
    SubnetNode,
)
from osgp.lon.pdu import ENHANCED, LEGACY, MAX_BACKLOG, Lpdu, Npdu, PduType

PORT = 2541

_VERSIONS = {LEGACY: 0, ENHANCED: 1}
_NPDU_VERSIONS = {udp: npdu for npdu, udp in _VERSIONS.items()}
_ARBITRARY_SOURCE = 0x01
_MCR = 0x08
_PRIORITY = 0x04
_FLAG = 0x80
_BROADCAST_PREFIX = bytes((239, 192, 0))
_GROUP_PREFIX = bytes((239, 192, 1))

SUBNET_NODE = 1
DOMAIN_BROADCAST = 2
SUBNET_BROADCAST = 3
GROUP = 4
GROUP_RESPONSE = 5
NEURON_ID = 6
EXPLICIT_SUBNET_NODE = 7


class Datagram(msgspec.Struct, frozen=True):
    """A UDP payload and the two IPv4 addresses (dotted) that belong to its meaning."""

    payload: bytes
    source: str
    destination: str


def unicast_address(domain: bytes, subnet: int, node: int) -> str:
    """The IPv4 address of a node. Raises EncodeError for a domain that has none."""
    if not domain or not subnet or not node:
        return _dotted(bytes((192, 168, subnet, node)))
    if len(domain) == 1:
        return _dotted(bytes((10, domain[0], subnet, node)))
    if len(domain) == 3 and domain[2] == 0:
        return _dotted(domain[:2] + bytes((subnet, node)))
    raise EncodeError("has no IPv4 address", table="LON/IP", field="domain")


def multicast_address(to: Broadcast | Group | NeuronId) -> str:
    """The IPv4 multicast address that messages to `to` are sent to."""
    if isinstance(to, Group):
        return _dotted(_GROUP_PREFIX + bytes((to.group,)))
    subnet = to.subnet if isinstance(to, Broadcast) else 0
    return _dotted(_BROADCAST_PREFIX + bytes((subnet,)))


def lon_address(ip: str) -> tuple[bytes, SubnetNode]:
    """Domain and logical address that a unicast address stands for. Raises DecodeError."""
    try:
        a, b, subnet, node = IPv4Address(ip).packed
    except ValueError as error:
        raise DecodeError("no IPv4 address", table="LON/IP") from error
    at = SubnetNode(subnet, node & MAX_NODE)
    if (a, b) == (192, 168):
        return b"", at
    return (bytes((b,)), at) if a == 10 else (bytes((a, b, 0)), at)


def to_datagram(lpdu: Lpdu, *, host: str | None = None, explicit: bool = False) -> Datagram:
    """The datagram for `lpdu`. Raises EncodeError for a destination without IPv4 address.

    `host` is the sender's real IPv4 address if it is not the one its LON address maps to.
    `explicit` sends to the subnet's multicast address with subnet and node inside, for a
    destination whose IP address is unknown.
    """
    npdu = lpdu.npdu
    form, enclosed, destination = _destination(npdu, explicit)
    second = form << 4 | (_PRIORITY if lpdu.priority else 0) | npdu.pdu_type
    backlog = b""
    if _awaits_many_answers(npdu):
        second |= _MCR
        backlog = bytes((lpdu.delta_backlog,))
    source, announced = _source(npdu, host)
    first = _VERSIONS[npdu.version] << 4 | (_ARBITRARY_SOURCE if announced else 0)
    payload = bytes((first, second)) + backlog + announced + enclosed + npdu.pdu
    return Datagram(payload, source, destination)


def from_datagram(datagram: Datagram, own: SubnetNode | None = None) -> Lpdu:
    """The LPDU in `datagram`. Raises DecodeError.

    `own`: the address of the node that received it, if its IP address does not tell.
    """
    payload = _Payload(datagram.payload)
    first, second = payload.take(2)
    version = _NPDU_VERSIONS.get(first >> 4)
    if version is None:
        raise DecodeError(f"version {first >> 4}", table="LON/IP", offset=0)
    backlog = payload.take(1)[0] & MAX_BACKLOG if second & _MCR else 0
    domain, source = lon_address(datagram.source)
    if first & _ARBITRARY_SOURCE:
        domain, source = _announced_source(payload, domain)
    to = _enclosed_destination(second >> 4, payload, datagram.destination, own)
    npdu = Npdu(PduType(second & 3), source, to, domain, payload.rest(), version)
    return Lpdu(second & _PRIORITY != 0, False, backlog, npdu)


class _Payload:
    """Reads a payload from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += count
        if len(taken) < count:
            raise Truncated("datagram cut off", table="LON/IP", offset=len(self._data))
        return taken

    def rest(self) -> bytes:
        return self._data[self._at :]


def _dotted(address: bytes) -> str:
    return str(IPv4Address(address))


def _awaits_many_answers(npdu: Npdu) -> bool:
    many = isinstance(npdu.destination, Broadcast | Group)
    transaction = npdu.pdu_type in (PduType.TPDU, PduType.SPDU)
    return many and transaction and npdu.pdu[:1] != b"" and npdu.pdu[0] & 0x70 == 0


def _source(npdu: Npdu, host: str | None) -> tuple[str, bytes]:
    """IP address of the sender, and the announcement it needs (else empty)."""
    source = npdu.source
    try:
        derived = unicast_address(npdu.domain, source.subnet, source.node)
    except EncodeError:
        if host is None:
            raise
        derived = ""
    if host is None or host == derived:
        return derived, b""
    code = DOMAIN_CODES[len(npdu.domain)]
    return host, bytes((source.subnet, _FLAG | source.node, code)) + npdu.domain


def _destination(npdu: Npdu, explicit: bool) -> tuple[int, bytes, str]:
    """Address format, enclosed address and destination IP."""
    match npdu.destination:
        case Broadcast(0) as to:
            return DOMAIN_BROADCAST, b"", multicast_address(to)
        case Broadcast(subnet) as to:
            return SUBNET_BROADCAST, bytes((subnet,)), multicast_address(to)
        case Group(group) as to:
            return GROUP, bytes((group,)), multicast_address(to)
        case NeuronId(neuron, subnet) as to:
            return NEURON_ID, bytes((subnet,)) + neuron, multicast_address(to)
        case SubnetNode(subnet, node) if explicit:
            address = bytes((subnet, node))
            return EXPLICIT_SUBNET_NODE, address, multicast_address(Broadcast(subnet))
        case SubnetNode(subnet, node):
            return SUBNET_NODE, b"", unicast_address(npdu.domain, subnet, node)
        case GroupMember(subnet, node, group, member) if explicit:
            address = bytes((subnet, _FLAG | node, group, member))
            return EXPLICIT_SUBNET_NODE, address, multicast_address(Broadcast(subnet))
        case GroupMember(subnet, node, group, member):
            answerer = bytes((group, member))
            return GROUP_RESPONSE, answerer, unicast_address(npdu.domain, subnet, node)


def _announced_source(payload: _Payload, domain: bytes) -> tuple[bytes, SubnetNode]:
    subnet, node = payload.take(2)
    if node & _FLAG:
        domain = payload.take(DOMAIN_LENGTHS[payload.take(1)[0] & 3])
    return domain, SubnetNode(subnet, node & MAX_NODE)


def _enclosed_destination(
    form: int, payload: _Payload, destination_ip: str, own: SubnetNode | None
) -> Destination:
    match form:
        case 1:
            return own or lon_address(destination_ip)[1]
        case 2:
            return Broadcast()
        case 3:
            return Broadcast(payload.take(1)[0])
        case 4:
            return Group(payload.take(1)[0])
        case 5:
            at = own or lon_address(destination_ip)[1]
            return GroupMember(at.subnet, at.node, *payload.take(2))
        case 6:
            subnet = payload.take(1)[0]
            return NeuronId(payload.take(NEURON_ID_LENGTH), subnet)
        case 7:
            return _explicit_destination(payload)
    raise DecodeError(f"address format {form}", table="LON/IP", field="format", offset=1)


def _explicit_destination(payload: _Payload) -> Destination:
    subnet, node = payload.take(2)
    if node & _FLAG:
        return GroupMember(subnet, node & MAX_NODE, *payload.take(2))
    return SubnetNode(subnet, node)
