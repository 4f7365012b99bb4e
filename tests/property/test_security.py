"""Security properties: digests agree, and nothing altered, repeated or misdirected is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import SecurityError
from osgp.security import batch
from osgp.security.oma import OmaKey, oma_digest
from osgp.security.omak import MepScope, PlcScope, Scope
from osgp.security.suite import OmaClient, OmaServer, Outcome

omaks = st.binary(min_size=12, max_size=12)
mep_keys = st.binary(min_size=16, max_size=16)
numbers = st.integers(0, 2**32 - 1)
bits = st.integers(0)
PLC = PlcScope(1, 5)


def by_definition(message: bytes, key: bytes) -> bytes:
    """The digest as its definition states it, step by step (osgp.security.oma, docstring)."""
    rows = len(key) * 3 // 2
    message += bytes(-len(message) % (rows * 8))
    a = [0] * 8
    for at, m in enumerate(message):
        row, step = divmod(at, 8)
        j = 7 - step
        n = ~(a[j] + j) & 255
        if key[row % rows % len(key)] >> step & 1:
            t = (n << 1 | n >> 7) & 255
        else:
            t = -(n >> 1 | n << 7)
        a[j] = (a[(j + 1) % 8] + m + t) & 255
    return bytes(a)


@given(st.binary(max_size=400), omaks | mep_keys)
def test_the_unrolled_digest_is_the_defined_one(message: bytes, key: bytes) -> None:
    assert oma_digest(message, key) == by_definition(message, key)


@given(st.lists(st.binary(max_size=300), max_size=12), omaks | mep_keys)
def test_batch_equals_scalar(messages: list[bytes], key: bytes) -> None:
    ready = OmaKey(key)
    assert batch.digest_many(messages, key) == [ready.digest(m) for m in messages]


@given(st.lists(st.tuples(st.binary(max_size=200), mep_keys), max_size=12))
def test_batch_with_a_key_each_equals_scalar(pairs: list[tuple[bytes, bytes]]) -> None:
    found = batch.digest_many([m for m, _ in pairs], [k for _, k in pairs])
    assert found == [oma_digest(m, k) for m, k in pairs]


def flip(message: bytes, bit: int) -> bytes:
    at, mask = divmod(bit % (8 * len(message)), 8)
    return message[:at] + bytes((message[at] ^ 1 << mask,)) + message[at + 1 :]


@pytest.mark.parametrize("scope", [PLC, MepScope()], ids=["plc", "mep"])
@pytest.mark.parametrize("encrypt", [False, True], ids=["plain", "rc4"])
@given(apdu=st.binary(min_size=1, max_size=96), last=numbers, bit=bits)
def test_oma_refuses_a_flipped_request(
    scope: Scope, encrypt: bool, apdu: bytes, last: int, bit: int
) -> None:
    key = bytes(range(scope.key_size))
    client = OmaClient(key, scope, last=last, encrypt=encrypt)
    server = OmaServer(key, scope, last=last)
    sealed = client.seal_request(scope.head + apdu)
    assert server.open_request(flip(sealed, bit)).outcome is Outcome.BAD_DIGEST
    assert server.open_request(sealed).apdu == scope.head + apdu


@pytest.mark.parametrize("scope", [PLC, MepScope()], ids=["plc", "mep"])
@pytest.mark.parametrize("encrypt", [False, True], ids=["plain", "rc4"])
@given(body=st.binary(min_size=1, max_size=96), last=numbers, bit=bits)
def test_oma_refuses_a_flipped_response(
    scope: Scope, encrypt: bool, body: bytes, last: int, bit: int
) -> None:
    key = bytes(range(scope.key_size))
    client = OmaClient(key, scope, last=last, encrypt=encrypt)
    server = OmaServer(key, scope, last=last)
    sealed = client.seal_request(scope.head + b"\x30\0\3")
    answer = server.seal_response(server.open_request(sealed), scope.head + body)
    assert client.open_response(sealed, answer) == scope.head + body
    with pytest.raises(SecurityError):
        client.open_response(sealed, flip(answer, bit))


@given(last=numbers, order=st.permutations(range(6)))
def test_oma_executes_a_request_at_most_once(last: int, order: list[int]) -> None:
    client, server = OmaClient(bytes(12), PLC, last=last), OmaServer(bytes(12), PLC, last=last)
    sealed = [client.seal_request(b"\x00\x30\0\3") for _ in order]
    outcomes = [server.open_request(sealed[i]).outcome for i in [*order, *order]]
    assert outcomes.count(Outcome.ACCEPTED) <= len(order)
    executed = [
        i for i, outcome in zip(order, outcomes, strict=False) if outcome is Outcome.ACCEPTED
    ]
    assert executed == sorted(executed)
    assert Outcome.ACCEPTED not in outcomes[len(order) :]


@given(omaks, st.integers(1, 255), st.integers(1, 127), st.integers(1, 255), st.integers(1, 127))
def test_oma_requests_stay_with_their_device(
    key: bytes, subnet: int, node: int, other_subnet: int, other_node: int
) -> None:
    sealed = OmaClient(key, PlcScope(subnet, node)).seal_request(b"\x00\x30\0\3")
    opened = OmaServer(key, PlcScope(other_subnet, other_node)).open_request(sealed)
    same = (subnet, node) == (other_subnet, other_node)
    assert (opened.outcome is Outcome.ACCEPTED) == same
