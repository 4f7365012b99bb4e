"""The source of a chain: sends a message to a target over repeaters, and reads what comes back."""

from __future__ import annotations

import msgspec

from osgp.errors import DecodeError
from osgp.lon import Outgoing, Service, Stack, SubnetNode

from .chain import Chain, Link
from .uplink import FAILURE_CODE, SUCCESS, Failure, Reason


class Responded(msgspec.Struct, frozen=True):
    """The target's own response."""

    apdu: bytes


class Delivered(msgspec.Struct, frozen=True):
    """The target acknowledged, or the agent sent what nobody acknowledges."""


class Broken(msgspec.Struct, frozen=True):
    """The chain failed. `link`: where, as far as it can be told; None: it cannot.

    `heard`: whether the first hop answered at all. `reason`: see `Reason`, or another number.
    """

    link: Link | None
    reason: int = Reason.UNREACHABLE
    heard: bool = True


Outcome = Responded | Delivered | Broken


def message_via(
    chain: Chain,
    apdu: bytes,
    service: Service,
    source: SubnetNode,
    *,
    domain: bytes | int = 0,
    authenticated: bool = False,
    priority: bool = False,
    first_key: bytes | None = None,
    delta: bytes = b"",
    hop_service: Service = Service.REQUEST,
) -> Outgoing:
    """The message to the first hop that carries `apdu` to the target of `chain`.

    `source` is this node's address on `domain`. `service` is the agent's to the target. Every
    hop uses `hop_service`: REQUEST brings back the outcome, UNACKD (broadcasts over all agents)
    nothing. `first_key` answers the first hop's challenge in place of the own key; `delta` lets
    the agent answer the target's (see `keys`). The last two tries take the alternate path even
    where the first hop's is the primary one. Raises EncodeError where `apdu` does not fit.
    """
    listed = len(chain.hops) - 1
    timing = chain.hop_timing
    return Outgoing(
        chain.first_hop.address,
        chain.encode(source, apdu, service, delta),
        hop_service,
        domain,
        retry=timing.retry,
        timer_code=timing.timer_code,
        long_timer=timing.long_timer,
        authenticated=authenticated,
        priority=priority,
        path=chain.first_hop.alternate_path or None,
        extra_last_wait=timing.extension(listed),
        alternate_key=first_key,
    )


def send_via(
    stack: Stack,
    chain: Chain,
    apdu: bytes,
    service: Service,
    now: float,
    *,
    domain_index: int = 0,
    authenticated: bool = False,
    priority: bool = False,
    first_key: bytes | None = None,
    delta: bytes = b"",
    hop_service: Service = Service.REQUEST,
) -> int:
    """Sends `message_via` and returns its handle. Raises EncodeError, LocalProtocolError."""
    message = message_via(
        chain,
        apdu,
        service,
        stack.config.domains[domain_index].address,
        domain=domain_index,
        authenticated=authenticated,
        priority=priority,
        first_key=first_key,
        delta=delta,
        hop_service=hop_service,
    )
    return stack.send(message, now)


def interpret(chain: Chain, answer: bytes | None) -> Outcome:
    """What the response of the first hop says; None: it never came (Completed without success).

    A target whose response begins with 4C or is a lone 4D cannot be told from the chain's own
    answers; the responses of table services begin with 00.
    """
    if answer is None:
        return Broken(chain.links[0], heard=False)
    if answer == SUCCESS:
        return Delivered()
    if answer[0] != FAILURE_CODE:
        return Responded(answer)
    try:
        failure = Failure.parse(answer)
    except DecodeError:
        return Broken(None)
    return Broken(_link(chain, failure), failure.reason)


def _link(chain: Chain, failure: Failure) -> Link | None:
    """A node that refuses what it got is the receiving end of its link, any other the sending."""
    behind = failure.remaining + (failure.reason == Reason.AUTHENTICATION)
    if behind == len(chain.hops):
        return chain.links[0]
    return chain.broken_link(behind)
