"""Security properties: digests agree, and nothing altered, repeated or misdirected is accepted."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import SecurityError
from osgp.security import batch
from osgp.security.broadcast import BroadcastReceiver, BroadcastSender, DomainKey, ReceiverState
from osgp.security.context import ChannelState, ClientContext, DeviceContext
from osgp.security.oma import OmaKey, oma_digest
from osgp.security.omak import MepScope, PlcScope, Scope
from osgp.security.sequence import ForwardNumber
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


aes_keys = st.binary(min_size=16, max_size=16)
texts = st.binary(max_size=100).map(lambda text: b"\0" + text)
suites = st.sampled_from((0x02, 0x12))


def channel(
    key: bytes = bytes(16), *, suite: int = 2, device: bytes = b"device", epoch: int = 1
) -> tuple[ClientContext, DeviceContext]:
    state = ChannelState(suite, device, epoch, key, bytes(16))
    return ClientContext(state, deque(), 10**6), DeviceContext(state, deque(), 10**6)


@given(aes_keys, suites, st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_aes_carries_any_exchange(
    key: bytes, suite: int, exchanges: list[tuple[bytes, bytes]]
) -> None:
    client, device = channel(key, suite=suite)
    for apdu, body in exchanges:
        sealed = client.seal_request(apdu)
        opened = device.open_request(sealed)
        assert opened.apdu == apdu
        assert client.open_response(sealed, device.seal_response(opened, body)) == body


@given(texts, texts, suites, bits)
def test_aes_refuses_any_flipped_bit(apdu: bytes, body: bytes, suite: int, bit: int) -> None:
    client, device = channel(suite=suite)
    sealed = client.seal_request(apdu)
    with pytest.raises(SecurityError):
        device.open_request(sealed[:1] + flip(sealed[1:], bit))
    answer = device.seal_response(device.open_request(sealed), body)
    with pytest.raises(SecurityError):
        client.open_response(sealed, flip(answer, bit))


@given(texts, bits)
def test_aes_refuses_any_flipped_bit_of_a_sequence_error(apdu: bytes, bit: int) -> None:
    client, device = channel()
    old = client.seal_request(apdu)
    device.open_request(client.seal_request(apdu))
    error = device.open_request(old).reply
    assert error is not None
    with pytest.raises(SecurityError):
        client.open_response(old, flip(error, bit))
    assert client.open_response(old, error)[:2] == b"\0\x0c"


@given(st.permutations(range(7)), st.lists(st.integers(0, 6), max_size=10))
def test_aes_executes_in_order_and_once(order: list[int], replays: list[int]) -> None:
    client, device = channel()
    sealed = [client.seal_request(b"\0\x30") for _ in order]
    executed = [
        i for i in [*order, *replays] if device.open_request(sealed[i]).outcome is Outcome.ACCEPTED
    ]
    assert executed == sorted(set(executed))
    assert max(order) in executed


@given(texts)
def test_aes_refuses_reflection(apdu: bytes) -> None:
    client, device = channel()
    sealed = client.seal_request(apdu)
    with pytest.raises(SecurityError):
        client.open_response(sealed, sealed)
    answer = device.seal_response(device.open_request(sealed), apdu)
    with pytest.raises(SecurityError):
        device.open_request(answer)
    with pytest.raises(SecurityError):
        device.open_request(sealed[:5] + answer[1:])


@given(texts, st.binary(min_size=6, max_size=6), st.integers(1, 2**32 - 1), aes_keys)
def test_aes_refuses_other_devices_epochs_and_keys(
    apdu: bytes, other: bytes, epoch: int, key: bytes
) -> None:
    client, device = channel()
    sealed = client.seal_request(apdu)
    answer = device.seal_response(device.open_request(sealed), apdu)
    splices = [channel(device=other), channel(epoch=epoch), channel(key), channel(suite=0x12)]
    same = [other == b"device", epoch == 1, key == bytes(16), False]
    for (their_client, their_device), own in zip(splices, same, strict=True):
        if own:
            continue
        with pytest.raises(SecurityError):
            their_device.open_request(sealed)
        with pytest.raises(SecurityError):
            their_client.open_response(their_client.seal_request(apdu), answer)


@given(texts, texts)
def test_aes_answers_stay_with_their_request(apdu: bytes, body: bytes) -> None:
    client, device = channel()
    one, two = client.seal_request(apdu), client.seal_request(apdu)
    answer = device.seal_response(device.open_request(one), body)
    with pytest.raises(SecurityError):
        client.open_response(two, answer)


@given(texts, bits, st.integers(1, 2**16 - 1), st.binary(min_size=6, max_size=6))
def test_broadcasts_stay_whole_and_in_their_domain(
    apdu: bytes, bit: int, generation: int, domain: bytes
) -> None:
    key = DomainKey(7, b"domain", bytes(16))
    sealed = BroadcastSender(key).seal(apdu)
    ears = BroadcastReceiver((ReceiverState(key, 0),), deque())
    altered = ears.open(sealed[:1] + flip(sealed[1:], bit)).outcome
    assert altered in (Outcome.BAD_DIGEST, Outcome.BAD_SEQUENCE)
    elsewhere = DomainKey(generation, domain, bytes(16))
    if elsewhere != key:
        others = BroadcastReceiver((ReceiverState(elsewhere, 0),), deque())
        assert others.open(sealed).outcome is Outcome.BAD_DIGEST
    assert ears.open(sealed).apdu == apdu


@given(st.lists(st.sampled_from(("take", "cut")), max_size=80), st.integers(0, 2**31))
def test_reserved_numbers_never_come_twice(steps: list[str], start: int) -> None:
    number, used = ForwardNumber(start), set[int]()
    stored = number.export()
    for step in steps:
        if step == "cut":
            number = ForwardNumber(stored)
        else:
            taken = number.take()
            if number.must_persist:
                stored = number.export()
            assert taken not in used
            used.add(taken)
