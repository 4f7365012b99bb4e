"""The chain of repeaters over which a source reaches a target, and its request in the fewest bytes.

A subnet is left out of the list where it follows from the subnets before it: uniform by source
when every listed hop is in the subnet of the hop before the last, by destination when all are in
that of the first hop. The target is shortened in the same way.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from osgp.errors import EncodeError
from osgp.lon import Broadcast, Destination, Group, GroupMember, NeuronId, Service, SubnetNode
from osgp.lon.config import OMA_KEY_LENGTH

from .message import (
    MAX_HOPS,
    OMA_KEY_TYPE,
    REQUEST_CODE,
    AddressHop,
    AgentPart,
    Hop,
    Mode,
    NodeHop,
    Request,
    TargetType,
    implied_subnets,
)
from .timing import Timing

MAX_APDU: Final = 114
"""Bytes of the longest APDU a device takes (clause 9.3), the code 4D and the list included."""
MAX_TARGET_APDU: Final = 103
"""Code and 102 bytes of data: the most that an agent delivers (Source.LTEP)."""

_UNANSWERED = (Service.UNACKD, Service.UNACKD_RPT)


class Link(msgspec.Struct, frozen=True):
    """One hop of a chain. `sender` None: the source itself, whose `position` is 0."""

    position: int
    sender: SubnetNode | None
    receiver: Destination

    def __str__(self) -> str:
        return f"{self.sender or 'source'} -> {self.receiver}"


class Chain(msgspec.Struct, frozen=True):
    """`hops`: 1 to 8 repeaters, the last of which is the agent and sends to `target`.

    `target_alternate_path`: path from agent to target. `backlog` (0..63): answers to expect to a
    broadcast. `all_agents`: every hop also sends to the target, a group or broadcast, itself.
    `mode`: NORMAL, ZERO_CROSSING or ATTENUATED; a key delta makes it ALTERNATE_KEY.
    Raises EncodeError for hops that are too many, repeated or the target.
    """

    hops: tuple[Hop, ...]
    target: Destination
    hop_timing: Timing = Timing()
    target_timing: Timing = Timing()
    target_alternate_path: bool = False
    backlog: int = 0
    all_agents: bool = False
    mode: Mode = Mode.NORMAL

    def __post_init__(self) -> None:
        addresses = [hop.address for hop in self.hops]
        if not 1 <= len(addresses) <= MAX_HOPS:
            raise EncodeError(f"1..{MAX_HOPS} hops", table="Chain", field="hops")
        if len({*addresses, self.target}) <= len(addresses):
            raise EncodeError("a node is named twice", table="Chain", field="hops")
        if isinstance(self.target, GroupMember) or self.mode is Mode.ALTERNATE_KEY:
            raise EncodeError("no such target or mode", table="Chain", field="target")
        if self.all_agents and not isinstance(self.target, Group | Broadcast):
            raise EncodeError("for groups and broadcasts only", table="Chain", field="all_agents")
        if self.target_timing.long_timer:
            raise EncodeError("an agent has no long timer", table="Chain", field="target_timing")

    def __str__(self) -> str:
        return " > ".join(map(str, (*self.hops, self.target)))

    @property
    def first_hop(self) -> Hop:
        """Where the source sends to."""
        return self.hops[0]

    @property
    def links(self) -> tuple[Link, ...]:
        """From the source to the target."""
        senders = (None, *(hop.address for hop in self.hops))
        receivers = (*(hop.address for hop in self.hops), self.target)
        return tuple(map(Link, range(len(receivers)), senders, receivers))

    def broken_link(self, remaining: int) -> Link | None:
        """The link that a failure with this count points to; None: no hop of this chain."""
        position = len(self.hops) - remaining
        return self.links[position] if 0 < position <= len(self.hops) else None

    @property
    def last_waits(self) -> tuple[float, ...]:
        """Seconds that source and hops wait after their last try; the agent's is the last."""
        hop, listed = self.hop_timing, range(len(self.hops) - 1, -1, -1)
        waits = tuple(hop.wait + hop.extension(remaining) for remaining in listed)
        return (*waits, self.target_timing.wait)

    def longest_wait(self, *, authenticated: bool = False) -> float:
        """Seconds after which the source knows the outcome, at the latest."""
        return self.hop_timing.longest(len(self.hops) - 1, authenticated=authenticated)

    def failures_climb(self, frame_time: float) -> bool:
        """Whether every node outlasts the next, if a frame takes `frame_time` seconds.

        Only then does a failure name the hop where it happened.
        """
        hop, exchange = self.hop_timing, 2 * frame_time
        agent = self.target_timing.longest(None) + exchange
        ordered = len(self.hops) == 1 or hop.step >= exchange
        return ordered and hop.longest(0) >= agent

    def encode(
        self, source: SubnetNode, apdu: bytes, service: Service, delta: bytes = b""
    ) -> bytes:
        """The request that `source` sends to the first hop.

        `service` is the agent's to the target; `delta` makes it use an alternate key.
        Raises EncodeError, also where `apdu` is longer than `room`.
        """
        if not 0 < len(apdu) <= self.room(source, service, delta):
            room = self.room(source, service, delta)
            raise EncodeError(f"{len(apdu)} bytes, room for {room}", table="Chain", field="apdu")
        return self._request(source, apdu, service, delta).to_bytes()

    def room(self, source: SubnetNode, service: Service, delta: bytes = b"") -> int:
        """Bytes of the longest APDU (code included) that this chain carries to the target."""
        overhead = len(self._request(source, b"", service, delta).to_bytes())
        return min(MAX_APDU - overhead, MAX_TARGET_APDU)

    def _request(self, source: SubnetNode, apdu: bytes, service: Service, delta: bytes) -> Request:
        listed = self.hops[1:]
        timing = self.hop_timing
        return Request.make(
            code=REQUEST_CODE,
            count=len(listed),
            all_agents=self.all_agents,
            long_timer=timing.long_timer,
            **_list(source, self.first_hop.address, listed),
            timer_code=timing.timer_code if listed else None,
            retry=timing.retry if listed else None,
            agent_part=self._agent_part(source, apdu, service, delta).to_bytes(),
        )

    def _agent_part(
        self, source: SubnetNode, apdu: bytes, service: Service, delta: bytes
    ) -> AgentPart:
        before = (source, *(hop.address for hop in self.hops))[-2]
        return AgentPart.make(
            mode=Mode.ALTERNATE_KEY if delta else self.mode,
            service=service,
            alternate_path=self.target_alternate_path,
            timer_code=self.target_timing.timer_code,
            retry=self.target_timing.retry,
            **_key_block(delta),
            **_target(self.target, before, self.hops[-1].address, service),
            backlog=self.backlog if isinstance(self.target, Broadcast) else None,
            apdu=apdu,
        )


def _list(source: SubnetNode, first: SubnetNode, listed: tuple[Hop, ...]) -> dict[str, Any]:
    """The fields of a request that list the hops, in the shortest form."""
    for by_source in (True, False):
        subnets = implied_subnets(by_source, source, first)
        if listed and all(
            hop.address.subnet == subnets[place % 2] for place, hop in enumerate(listed)
        ):
            nodes = tuple(NodeHop(hop.address.node, hop.alternate_path) for hop in listed)
            return {
                "uniform_by_source": by_source,
                "uniform_by_destination": not by_source,
                "node_hops": nodes,
            }
    full = tuple(
        AddressHop(hop.address.subnet, hop.address.node, hop.alternate_path) for hop in listed
    )
    return {"uniform_by_source": False, "uniform_by_destination": False, "address_hops": full}


def _key_block(delta: bytes) -> dict[str, Any]:
    if not delta:
        return {}
    kind = OMA_KEY_TYPE if len(delta) == OMA_KEY_LENGTH else 0
    return {"key_type": kind, "key_reserved": 0, "key_delta": delta}


def _target(
    target: Destination, before: SubnetNode, agent: SubnetNode, service: Service
) -> dict[str, Any]:
    """The fields of an agent part that name the target, in the shortest form."""
    match target:
        case SubnetNode(subnet, node) if subnet == before.subnet:
            return {"target_type": TargetType.NODE_IN_SOURCE_SUBNET, "node": node}
        case SubnetNode(subnet, node) if subnet == agent.subnet:
            return {"target_type": TargetType.NODE_IN_AGENT_SUBNET, "node": node}
        case NeuronId(neuron, 0):
            return {"target_type": TargetType.NEURON_ID_COMPACT, "neuron_id": neuron}
        case NeuronId(neuron, subnet):
            return {"target_type": TargetType.NEURON_ID, "neuron_id": neuron, "subnet": subnet}
        case Group(group, 0) if service in _UNANSWERED:
            return {"target_type": TargetType.GROUP_COMPACT, "group": group}
        case Group(group, size):
            return {"target_type": TargetType.GROUP, "group": group, "group_size": size}
        case Broadcast(subnet):
            return {"target_type": TargetType.BROADCAST, "subnet": subnet}
        case SubnetNode(subnet, node) | GroupMember(subnet, node):
            return {"target_type": TargetType.SUBNET_NODE, "subnet": subnet, "node": node}
