"""No key in the `repr` of anything that holds one, and no comparison of secrets that ends early."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from osgp.concentrator.domain import KeptDomain
from osgp.concentrator.vault import Kept
from osgp.errors import SecurityError
from osgp.security.aes import AeadKey, MacKey
from osgp.security.aes_client import ClientState, DomainWish
from osgp.security.aes_device import DeviceState
from osgp.security.broadcast import BroadcastReceiver, DomainKey, ReceiverState
from osgp.security.context import ChannelState
from osgp.security.domain import DomainKeys, DomainState
from osgp.security.firmware import ImageCheck
from osgp.security.handshake import LongTermKey
from osgp.security.oma import OmaKey
from osgp.security.omak import LegacyKey
from osgp.security.profile import HandshakeKeys
from osgp.security.secret import Secret

from .aes_world import READ, World

KEY = b"a key to be seen"
"""Sixteen bytes that would be recognised in text, in hex, and inside of something encoded."""
DEVICE = b"device"
LONG_TERM = LongTermKey(1, KEY)
CHANNEL = ChannelState(2, DEVICE, 1, KEY, KEY)
DOMAIN = DomainKey(1, b"domain", KEY)
CLIENT = ClientState(DEVICE, LONG_TERM, LONG_TERM, channel=CHANNEL, domain=DomainWish(DOMAIN))
HOLDERS: list[Any] = [
    LONG_TERM,
    CHANNEL,
    DOMAIN,
    CLIENT,
    HandshakeKeys(KEY, KEY, KEY),
    ReceiverState(DOMAIN, 0),
    DomainState(DOMAIN, next_key=DOMAIN),
    DomainKeys(DomainState(DOMAIN, next_key=DOMAIN)),
    DomainWish(DOMAIN),
    DeviceState(DEVICE, LONG_TERM, LONG_TERM, channel=CHANNEL, domain=(ReceiverState(DOMAIN, 0),)),
    KeptDomain(msgspec.msgpack.encode(DomainState(DOMAIN)), 1, 1),
    Kept(msgspec.msgpack.encode(CLIENT)),
    Secret(KEY),
    OmaKey(KEY),
    LegacyKey(KEY),
    MacKey(KEY),
    AeadKey(KEY),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_a_key_is_not_in_the_repr_of_what_holds_it(holder: Any) -> None:
    for text in (repr(holder), str(holder), f"{[holder]}", repr({"a": holder})):
        assert KEY.decode() not in text
        assert KEY.hex() not in text.lower()


def _sequence_error() -> None:
    """A request heard twice with another one between: the old one gets a SequenceError."""
    world = World().commissioned()
    old = world.client.seal_request(READ)
    world.deliver(world.client.seal_request(READ))
    answer = world.deliver(old)
    assert answer is not None
    world.client.open_response(old, answer)


def _image() -> None:
    with pytest.raises(SecurityError):
        ImageCheck(KEY, DEVICE, 0).verify(bytes(16))


def _domain_key() -> None:
    ears = BroadcastReceiver((ReceiverState(DOMAIN, 0),), World().device._events)
    ears.install(ReceiverState(DomainKey(1, b"domain", bytes(16)), 0))


COMPARISONS: dict[str, Callable[[], object]] = {
    "an OMA digest": lambda: LegacyKey(bytes(12)).verifies(b"what it covers", bytes(8)),
    "a CMAC": lambda: MacKey(KEY).verify(b"what it covers", bytes(16)),
    "the MACs of a handshake": lambda: World().commissioned(),
    "a SequenceError": _sequence_error,
    "an image's MAC": _image,
    "two secrets": lambda: Secret(KEY) == Secret(bytes(16)),
    "a domain key": _domain_key,
}
EXPECTED = {"the MACs of a handshake": 6, "a SequenceError": 7}
"""Two handshakes of three MACs each."""


@pytest.mark.parametrize("what", COMPARISONS)
def test_secrets_are_compared_in_constant_time(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comparison passes by `hmac.compare_digest`, with all bytes of both."""
    compared: list[tuple[bytes, bytes]] = []
    constant = hmac.compare_digest

    def noted(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return constant(a, b)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    COMPARISONS[what]()
    assert len(compared) == EXPECTED.get(what, 1)
    assert {len(a) == len(b) >= 8 for a, b in compared} == {True}
