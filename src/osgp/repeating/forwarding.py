"""What a repeater or agent sends for a request it received (Annex G.3.5, G.3.6, G.3.9).

It inherits priority and domain (index 0 for a foreign one), and the transaction number where the
request had one. It asks for authentication exactly when the request passed its own.
"""

from __future__ import annotations

import msgspec

from osgp.errors import RemoteProtocolError
from osgp.lon import (
    Broadcast,
    Destination,
    Group,
    NeuronId,
    NodeConfig,
    Outgoing,
    Received,
    Service,
    SubnetNode,
)

from .keys import alternate_key, own_key
from .message import MAX_HOPS, AgentPart, Mode, Request
from .timing import Timing

_BACKLOG_BITS = 0x3F
_PERSONAL = (SubnetNode, NeuronId)


def domain_index(event: Received) -> int:
    """The domain to send on."""
    return event.domain_index or 0


def own_address(event: Received, config: NodeConfig) -> SubnetNode:
    """The address of this node on the domain it sends on."""
    return config.domains[domain_index(event)].address


def is_personal(event: Received) -> bool:
    """Whether the request was sent to this node alone; nobody repeats what all have heard."""
    return isinstance(event.destination, _PERSONAL)


def is_sound(event: Received, request: Request, config: NodeConfig) -> bool:
    """Whether the hops listed can be a way to somewhere: few, real, and nobody visited twice."""
    own = own_address(event, config)
    addresses = [hop.address for hop in request.route(event.source, own)]
    visited = {own, event.source, *addresses}
    real = all(address.subnet and address.node for address in addresses)
    return real and len(addresses) <= MAX_HOPS and len(visited) == len(addresses) + 2


def onward(event: Received, request: Request, config: NodeConfig) -> Outgoing:
    """The request to the next hop."""
    hop = request.route(event.source, own_address(event, config))[0]
    timing = Timing(request.retry, request.timer_code, request.long_timer)
    return Outgoing(
        hop.address,
        request.onward().to_bytes(),
        event.service,
        domain_index(event),
        retry=timing.retry,
        timer_code=timing.timer_code,
        long_timer=timing.long_timer,
        authenticated=event.authenticated,
        priority=event.priority,
        path=hop.alternate_path,
        tid=_inherited_tid(event),
        extra_last_wait=timing.extension(request.count - 1),
    )


def delivery(event: Received, request: Request, config: NodeConfig) -> Outgoing:
    """The agent's message to the target.

    Raises DecodeError for an agent part that makes no sense, RemoteProtocolError for a target
    that is this node or none at all.
    """
    part = AgentPart.parse(request.agent_part)
    target = part.destination(event.source, own_address(event, config))
    _check_target(target, event, config)
    return Outgoing(
        target,
        part.apdu,
        Service(part.service),
        domain_index(event),
        retry=part.retry,
        timer_code=part.timer_code,
        authenticated=event.authenticated,
        priority=event.priority,
        path=part.alternate_path,
        tid=_inherited_tid(event),
        backlog=(part.backlog or 0) & _BACKLOG_BITS,
        alternate_key=_alternate_key(event, part, config),
    )


def copy(event: Received, request: Request, config: NodeConfig) -> Outgoing | None:
    """What a repeater sends as an agent besides the last one; None: it has no part in it.

    Only to groups and broadcasts, from its own domain, and without asking for answers. It gets
    a number of its own: it must not be taken for the transaction that is passed on.
    Raises what `delivery` raises.
    """
    if not (request.all_agents and request.count) or event.domain_index is None:
        return None
    whole = delivery(event, request, config)
    if not isinstance(whole.destination, Group | Broadcast):
        return None
    service = whole.service if whole.service is Service.UNACKD_RPT else Service.UNACKD
    return msgspec.structs.replace(whole, service=service, tid=None)


def longest(outgoing: Outgoing) -> float:
    """Seconds that a message takes with all its tries, once it is its turn."""
    timing = Timing(outgoing.retry, outgoing.timer_code, outgoing.long_timer)
    return timing.longest(None, authenticated=outgoing.authenticated) + outgoing.extra_last_wait


def _inherited_tid(event: Received) -> int | None:
    """Unacknowledged requests have no number to inherit."""
    return None if event.service is Service.UNACKD else event.tid


def _check_target(target: Destination, event: Received, config: NodeConfig) -> None:
    own = own_address(event, config)
    nowhere = isinstance(target, SubnetNode) and not (target.subnet and target.node)
    myself = isinstance(target, NeuronId) and target.neuron == config.neuron_id
    if nowhere or myself or target == own:
        raise RemoteProtocolError(f"an agent cannot send to {target}")


def _alternate_key(event: Received, part: AgentPart, config: NodeConfig) -> bytes | None:
    """Only for a source that has proved itself."""
    if part.mode != Mode.ALTERNATE_KEY or not event.authenticated:
        return None
    key = own_key(config, part.key_delta, domain_index(event))
    return alternate_key(key, part.key_delta)
