"""Messages of the repeating mechanism (Annex G), as LonTalk Enhanced Proxy has them (Source.LTEP).

That Annex G is this protocol is inferred from its contents list; the frames are those of two
public stacks (tests/vectors/en14908.json). One hop after another strikes itself off the list:

    request   4D | header | hop addresses | [tx control] | agent part
    agent     control | tx control | [key block] | target | APDU

The first hop is the destination of the frame and never listed; the last one listed is the agent,
which talks to the target. A repeater reads up to the tx control and passes on the rest unread.
What comes back is in `uplink`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

from osgp.errors import DecodeError
from osgp.lon import Broadcast, Destination, Group, NeuronId, Service, SubnetNode
from osgp.wire import (
    NO_DIMS,
    Expr,
    Record,
    array,
    bind,
    bits,
    flag,
    nested,
    octets,
    rest,
    this,
    uint8,
)

REQUEST_CODE: Final = 0x4D

MAX_LISTED: Final = 15
"""Hop addresses that the header can count."""
MAX_HOPS: Final = 8
"""Hop addresses a repeater accepts in a list, and hops a chain of this project may have."""
MIN_AGENT_PART: Final = 4
"""Control, tx control, the shortest target, the code of the APDU."""
OMA_KEY_TYPE: Final = 1

_SHORT_KEY = 6


class Mode(IntEnum):
    """How the agent sends to the target.

    Zero-crossing and attenuated sending are up to the transceiver; this stack sends normally.
    """

    NORMAL = 0
    ZERO_CROSSING = 1
    ALTERNATE_KEY = 2
    ATTENUATED = 3


class TargetType(IntEnum):
    """How the agent part names the target; the compact forms leave something out."""

    GROUP = 0
    SUBNET_NODE = 1
    NEURON_ID = 2
    BROADCAST = 3
    GROUP_COMPACT = 4
    NODE_IN_SOURCE_SUBNET = 5
    NEURON_ID_COMPACT = 6
    NODE_IN_AGENT_SUBNET = 7


class Hop(msgspec.Struct, frozen=True):
    """A repeater or the agent, and the path (frequency) on which it is sent to."""

    address: SubnetNode
    alternate_path: bool = False

    def __str__(self) -> str:
        return f"{self.address}{' alt' if self.alternate_path else ''}"


class NodeHop(Record, byte_order="big"):
    """A listed hop whose subnet the header implies."""

    node = bits(0, 6, "node")
    alternate_path = flag(7, "send to it on the alternate path")


class AddressHop(Record, byte_order="big"):
    """A listed hop."""

    subnet = uint8("subnet")
    node = bits(0, 6, "node")
    alternate_path = flag(7, "send to it on the alternate path")


_UNIFORM = this.uniform_by_source | this.uniform_by_destination


class Request(Record, byte_order="big"):
    """The downlink request on its way to the agent.

    Uniform by source: a node sends to the subnet it received the request from; uniform by
    destination: to its own. `long_timer` selects the long timers for the repeaters' tx control.
    """

    code = uint8("4D")
    count = bits(0, 3, "hops still listed; 0: the receiver is the agent")
    uniform_by_source = flag(4, "hops are in the subnet of the sender before them")
    all_agents = flag(5, "every repeater is an agent too")
    long_timer = flag(6, "timer code counts in the long table")
    uniform_by_destination = flag(7, "hops are in the subnet of the first hop")
    node_hops = array(nested(NodeHop), this.count, when=_UNIFORM)
    address_hops = array(nested(AddressHop), this.count, when=~_UNIFORM)
    timer_code = bits(0, 3, "repeaters: wait between two tries", when=this.count > 0)
    retry = bits(4, 7, "repeaters: further tries")
    agent_part = rest("for the agent")

    @staticmethod
    def parse(apdu: bytes) -> Request:
        """Raises DecodeError for anything that is no request, or has no room for an agent part."""
        request = _REQUEST.decode(apdu)
        if request.code != REQUEST_CODE:
            raise DecodeError("not 4D", table="Request", field="code", offset=0)
        if request.uniform_by_source and request.uniform_by_destination:
            raise DecodeError("uniform both ways", table="Request", field="header", offset=1)
        if len(request.agent_part) < MIN_AGENT_PART:
            raise DecodeError("cut off", table="Request", field="agent_part", offset=len(apdu))
        return request

    def to_bytes(self) -> bytes:
        """The APDU. Raises EncodeError."""
        return _REQUEST.encode(self)

    def route(self, source: SubnetNode, own: SubnetNode) -> tuple[Hop, ...]:
        """The listed hops, for a node `own` that got this from `source`; the next one first."""
        if not (self.uniform_by_source or self.uniform_by_destination):
            return tuple(
                Hop(SubnetNode(hop.subnet, hop.node), hop.alternate_path)
                for hop in self.address_hops
            )
        subnets = implied_subnets(self.uniform_by_source, source, own)
        return tuple(
            Hop(SubnetNode(subnets[place % 2], hop.node), hop.alternate_path)
            for place, hop in enumerate(self.node_hops)
        )

    def onward(self) -> Request:
        """What goes to the next hop: the same without its address. Needs a hop to go to."""
        last = self.count == 1
        return self.with_(
            count=self.count - 1,
            node_hops=None if self.node_hops is None else self.node_hops[1:],
            address_hops=None if self.address_hops is None else self.address_hops[1:],
            timer_code=None if last else self.timer_code,
            retry=None if last else self.retry,
        )


def implied_subnets(by_source: bool, source: SubnetNode, own: SubnetNode) -> tuple[int, int]:
    """Subnets of the next hop and the one after; further ones alternate between the two.

    By source each hop takes the subnet of the one before the last, by destination all the same.
    """
    return (source.subnet if by_source else own.subnet), own.subnet


def _target_is(first: TargetType, *others: TargetType) -> Expr:
    condition = this.target_type.eq(first)
    for other in others:
        condition = condition | this.target_type.eq(other)
    return condition


_ALTERNATE_KEY = this.mode.eq(Mode.ALTERNATE_KEY)
_SUBNET = _target_is(TargetType.SUBNET_NODE, TargetType.NEURON_ID, TargetType.BROADCAST)
_NODE = _target_is(
    TargetType.SUBNET_NODE, TargetType.NODE_IN_SOURCE_SUBNET, TargetType.NODE_IN_AGENT_SUBNET
)


class AgentPart(Record, byte_order="big"):
    """What the agent has to do, and the APDU it has to deliver.

    `key_delta` (6 bytes for key type 0, 12 for OMA) is what the agent adds to its own key to have
    the target's: neither key is in the message, but who knows one of them learns the other.
    """

    mode = bits(0, 1, "how to send", enum=Mode)
    service = bits(2, 3, "agent to target", enum=Service)
    alternate_path = flag(4, "agent to target")
    target_type = bits(5, 7, "form of the target", enum=TargetType)
    timer_code = bits(0, 3, "agent: wait between two tries")
    retry = bits(4, 7, "agent: further tries")
    key_type = bits(0, 1, "0 standard, 1 OMA", when=_ALTERNATE_KEY)
    key_reserved = bits(2, 7, "0")
    key_delta = octets(_SHORT_KEY + _SHORT_KEY * this.key_type, when=_ALTERNATE_KEY)
    group = uint8("group", when=_target_is(TargetType.GROUP, TargetType.GROUP_COMPACT))
    group_size = uint8("members; 0: not counted", when=_target_is(TargetType.GROUP))
    subnet = uint8("subnet; of a Neuron ID it only guides routers", when=_SUBNET)
    node = bits(0, 6, "node", when=_NODE)
    neuron_id = octets(
        6, when=_target_is(TargetType.NEURON_ID, TargetType.NEURON_ID_COMPACT), meaning="Neuron ID"
    )
    backlog = uint8("answers to expect", when=_target_is(TargetType.BROADCAST))
    apdu = rest("code and data for the target")

    def __repr__(self) -> str:
        return (
            f"AgentPart({TargetType(self.target_type).name}, {Mode(self.mode).name}, "
            f"{Service(self.service).name}, apdu={self.apdu.hex()!r})"
        )

    @staticmethod
    def parse(data: bytes) -> AgentPart:
        """Raises DecodeError."""
        part = _AGENT_PART.decode(data)
        if part.key_type is not None and (part.key_type > OMA_KEY_TYPE or part.key_reserved):
            raise DecodeError("unknown key type", table="AgentPart", field="key_type", offset=2)
        if not part.apdu:
            raise DecodeError("no APDU", table="AgentPart", field="apdu", offset=len(data))
        return part

    def to_bytes(self) -> bytes:
        """Raises EncodeError."""
        return _AGENT_PART.encode(self)

    def destination(self, source: SubnetNode, own: SubnetNode) -> Destination:
        """The target, for an agent `own` that got the request from `source`."""
        match TargetType(self.target_type):
            case TargetType.GROUP | TargetType.GROUP_COMPACT:
                return Group(self.group, self.group_size or 0)
            case TargetType.NEURON_ID | TargetType.NEURON_ID_COMPACT:
                return NeuronId(self.neuron_id, self.subnet or 0)
            case TargetType.BROADCAST:
                return Broadcast(self.subnet)
            case TargetType.SUBNET_NODE:
                return SubnetNode(self.subnet, self.node)
            case TargetType.NODE_IN_SOURCE_SUBNET:
                return SubnetNode(source.subnet, self.node)
            case TargetType.NODE_IN_AGENT_SUBNET:
                return SubnetNode(own.subnet, self.node)


_REQUEST = bind(Request, NO_DIMS)
_AGENT_PART = bind(AgentPart, NO_DIMS)
