"""What a request that came turns into, taken out of any stack."""

from __future__ import annotations

import msgspec
import pytest

from osgp.errors import DecodeError, RemoteProtocolError
from osgp.lon import Broadcast, NodeConfig, Received, Service, SubnetNode
from osgp.repeating import Request, key_delta
from osgp.repeating.forwarding import copy, delivery, onward

from .line import DOMAIN, SHARED_KEY, configured

TARGET_KEY = bytes(range(0x40, 0x4C))


def event(request: str, service: Service = Service.REQUEST) -> Received:
    """A request as 1/2 gets it from 1/1: authenticated, with transaction number 9."""
    return Received(
        bytes.fromhex(request),
        service,
        SubnetNode(1, 1),
        DOMAIN,
        0,
        SubnetNode(1, 2),
        True,
        False,
        False,
        9.0,
        9,
        5,
    )


def taken(request: str, service: Service = Service.REQUEST) -> tuple[Received, Request, NodeConfig]:
    came = event(request, service)
    return came, Request.parse(came.apdu), configured((1, 2), SHARED_KEY)


WITH_DELTA = f"4d00 ae2401 {key_delta(SHARED_KEY, TARGET_KEY).hex()} 04 05aabb"


def test_only_a_proven_request_makes_the_agent_use_another_key() -> None:
    came, request, config = taken(WITH_DELTA)
    assert delivery(came, request, config).alternate_key == TARGET_KEY
    unproven = msgspec.structs.replace(came, authenticated=False)
    sent = delivery(unproven, request, config)
    assert sent.alternate_key is None
    assert not sent.authenticated


def test_a_standard_delta_counts_from_the_key_of_its_domain() -> None:
    delta = key_delta(SHARED_KEY[6:], TARGET_KEY[:6])
    came, request, config = taken(f"4d00 ae2400 {delta.hex()} 04 05aabb")
    other_domain = msgspec.structs.replace(came, domain_index=1)
    assert delivery(other_domain, request, config).alternate_key == TARGET_KEY[:6]


def test_no_copies_for_a_foreign_domain() -> None:
    came, request, config = taken("4d31 03 25 6824 0000 05aabb", Service.UNACKD)
    sent = copy(came, request, config)
    assert sent is not None
    assert (sent.destination, sent.tid) == (Broadcast(), None)
    foreign = msgspec.structs.replace(came, domain_index=None)
    assert copy(foreign, request, config) is None
    assert onward(foreign, request, config).domain == 0


def test_the_last_agent_makes_no_copy() -> None:
    assert copy(*taken("4d30 6824 0000 05aabb")) is None


def test_the_backlog_has_six_bits() -> None:
    assert delivery(*taken("4d00 6c24 00ff 05aabb")).backlog == 63


@pytest.mark.parametrize(
    ("service", "tid"),
    [
        (Service.REQUEST, 9),
        (Service.ACKD, 9),
        (Service.UNACKD_RPT, 9),
        (Service.UNACKD, None),
    ],
)
def test_the_number_is_inherited_where_there_is_one(service: Service, tid: int | None) -> None:
    came, request, config = taken("4d11 03 25 ac2404 05aabb", service)
    assert (onward(came, request, config).tid, onward(came, request, config).service) == (
        tid,
        service,
    )
    came, request, config = taken("4d00 ac2404 05aabb", service)
    assert delivery(came, request, config).tid == tid


def test_what_an_agent_cannot_read_or_send() -> None:
    with pytest.raises(DecodeError):
        delivery(*taken("4d00 2c240104"))
    with pytest.raises(RemoteProtocolError):
        delivery(*taken("4d00 2c240102 05"))
