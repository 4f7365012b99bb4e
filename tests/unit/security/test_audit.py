"""The published attacks work, within their numbers of queries: the digest is that weak."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from osgp.errors import LocalProtocolError
from osgp.security.audit import (
    attack_server,
    recover_by_chosen_messages,
    recover_by_short_verification,
    recover_by_verification,
)
from osgp.security.oma import OmaKey, oma_digest
from osgp.security.omak import PlcScope
from osgp.security.suite import OmaClient, OmaServer, Outcome

RNG = random.Random(15)
KEYS = [b"\xdf" * 12, bytes(12), b"\xff" * 12, *(RNG.randbytes(12) for _ in range(20))]
MEP_KEYS = [RNG.randbytes(16) for _ in range(10)]
REQUEST = bytes.fromhex("0202003000037f30ea6d")


class Counted:
    """Oracles that count how often they are asked."""

    def __init__(self, key: bytes) -> None:
        self._key, self.asked = OmaKey(key), 0

    def digest(self, message: bytes) -> bytes:
        self.asked += 1
        return self._key.digest(message)

    def verify(self, message: bytes, digest: bytes) -> bool:
        self.asked += 1
        return self._key.digest(message) == digest


@pytest.mark.parametrize("key", KEYS + MEP_KEYS, ids=lambda key: key.hex())
def test_chosen_messages_need_one_query_more_than_key_bytes(key: bytes) -> None:
    oracle = Counted(key)
    found = recover_by_chosen_messages(oracle.digest, len(key), REQUEST)
    assert found.key == key
    assert found.queries == oracle.asked == len(key) + 1


@pytest.mark.parametrize("key", KEYS + MEP_KEYS, ids=lambda key: key.hex())
def test_verification_needs_one_query_a_bit(key: bytes) -> None:
    oracle = Counted(key)
    found = recover_by_verification(oracle.verify, len(key), REQUEST, oma_digest(REQUEST, key))
    assert found.key == key
    assert found.queries == oracle.asked == 8 * len(key)


def test_short_messages_need_168_queries_on_average() -> None:
    queries = []
    for key in (RNG.randbytes(12) for _ in range(200)):
        oracle = Counted(key)
        found = recover_by_short_verification(oracle.verify, 12, REQUEST, oma_digest(REQUEST, key))
        assert found.key == key
        assert 96 <= found.queries == oracle.asked <= 192
        queries.append(found.queries)
    assert 160 < sum(queries) / len(queries) < 176


def test_a_device_of_this_process_gives_its_key_away() -> None:
    key, scope = RNG.randbytes(12), PlcScope(1, 7)
    overheard = OmaClient(key, scope, last=41).seal_request(bytes.fromhex("003f0017000000002c"))
    device = OmaServer(key, scope, last=41)
    found = attack_server(device, overheard)
    assert found.key == key
    forged = OmaClient(found.key, scope, last=device.last).seal_request(b"\0\x40\0\7\0\0")
    assert device.open_request(forged).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "call",
    [
        lambda: recover_by_chosen_messages(lambda m: m[:8], 6),
        lambda: recover_by_verification(lambda m, d: True, 12, bytes(145), bytes(8)),
        lambda: recover_by_short_verification(lambda m, d: True, 12, bytes(20), bytes(8), 100),
    ],
)
def test_misuse_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(LocalProtocolError):
        call()
