"""Unicast messages of the AES suite, byte by byte, against an independent reading of the format."""

from __future__ import annotations

from collections import deque

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB

from osgp.errors import DecodeError, LocalProtocolError, SecurityError
from osgp.security.context import ChannelState, ClientContext, DeviceContext
from osgp.security.guard import EventKind, Events
from osgp.security.suite import Outcome

DEVICE = bytes.fromhex("0501020304a5")
STATE = ChannelState(0x02, DEVICE, 0x00010203, bytes(range(16)), bytes(range(16, 32)))
READ = bytes.fromhex("003f0017000000002c")
BODY = bytes.fromhex("000000030a0b0c")


def pair(
    state: ChannelState = STATE, limit: int = 1_000_000
) -> tuple[ClientContext, DeviceContext]:
    events: Events = deque()
    return ClientContext(state, events, limit), DeviceContext(state, deque(), limit)


def block(key: bytes, value: bytes) -> bytes:
    return Cipher(AES128(key), ECB()).encryptor().update(value)


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def cmac(key: bytes, message: bytes) -> bytes:
    """SP 800-38B from the block cipher up."""

    def double(value: bytes) -> bytes:
        number = int.from_bytes(value, "big") << 1
        return ((number ^ 0x87 if number >> 128 else number) & (1 << 128) - 1).to_bytes(16, "big")

    last_whole = bool(message) and len(message) % 16 == 0
    sub_key = double(block(key, bytes(16)))
    if not last_whole:
        message += b"\x80" + bytes(-(len(message) + 1) % 16)
        sub_key = double(sub_key)
    state = bytes(16)
    for at in range(0, len(message), 16):
        piece = message[at : at + 16]
        if at == len(message) - 16:
            piece = xor(piece, sub_key)
        state = block(key, xor(state, piece))
    return state


def kdf(key: bytes, label: bytes, context: bytes, size: int) -> bytes:
    tail = label + b"\0" + context + (8 * size).to_bytes(2, "big")
    return b"".join(cmac(key, bytes((i,)) + tail) for i in range(1, -(-size // 16) + 1))[:size]


def ccm(key: bytes, nonce: bytes, plain: bytes, associated: bytes, tag: int) -> bytes:
    """SP 800-38C from the block cipher up, for a 13-byte nonce."""
    flags = 0x40 | (tag - 2) // 2 << 3 | 1
    data = bytes((flags,)) + nonce + len(plain).to_bytes(2, "big")
    for part in (len(associated).to_bytes(2, "big") + associated, plain):
        data += part + bytes(-len(part) % 16)
    mac = bytes(16)
    for at in range(0, len(data), 16):
        mac = block(key, xor(mac, data[at : at + 16]))
    stream = b"".join(
        block(key, b"\1" + nonce + i.to_bytes(2, "big")) for i in range(len(plain) // 16 + 2)
    )
    return xor(plain, stream[16 : 16 + len(plain)]) + xor(mac[:tag], stream[:tag])


@pytest.mark.parametrize(("suite", "tag"), [(0x02, 8), (0x12, 16)])
def test_messages_are_as_documented(suite: int, tag: int) -> None:
    """profile.py's description, implemented a second time from the block cipher up."""
    client, device = pair(msgspec.structs.replace(STATE, suite=suite))
    context = bytes((suite,)) + DEVICE + bytes.fromhex("00010203")
    keys = kdf(STATE.unicast, b"OSGP-AES v1 channel", context, 48)
    sealed = client.seal_request(READ)
    nonce = DEVICE + bytes.fromhex("0203 00000001")
    assert sealed == bytes.fromhex("10 00000001") + ccm(
        keys[:16], b"\0" + nonce, READ[1:], b"\x10", tag
    )
    answer = device.seal_response(device.open_request(sealed), BODY)
    assert answer == b"\x10" + ccm(keys[16:32], b"\1" + nonce, BODY[1:], b"\x10", tag)
    assert client.open_response(sealed, answer) == BODY
    device.number.advance(0x105)
    old = client.seal_request(READ)
    error = device.open_request(old)
    body = bytes.fromhex("1302 00000105")
    assert error.reply == body + cmac(keys[32:], body + old)[:8]


def test_the_budget_of_twelve_and_eight_bytes_is_kept() -> None:
    client, device = pair()
    sealed = client.seal_request(READ)
    assert len(sealed) == len(READ) + 12
    assert len(device.seal_response(device.open_request(sealed), BODY)) == len(BODY) + 8


def test_a_request_is_opened_once_and_answered_once() -> None:
    client, device = pair()
    sealed = client.seal_request(READ)
    opened = device.open_request(sealed)
    assert (opened.outcome, opened.apdu, opened.sequence, opened.key) == (
        Outcome.ACCEPTED,
        READ,
        1,
        "AES",
    )
    assert device.open_request(sealed).reply is None
    answer = device.seal_response(opened, BODY)
    again = device.open_request(sealed)
    assert (again.outcome, again.reply) == (Outcome.REPEATED, answer)
    with pytest.raises(LocalProtocolError):
        device.seal_response(opened, BODY[:-1] + b"\xff")


def test_only_the_latest_request_is_answered() -> None:
    client, device = pair()
    first = device.open_request(client.seal_request(READ))
    device.open_request(client.seal_request(READ))
    with pytest.raises(LocalProtocolError):
        device.seal_response(first, BODY)


def test_old_numbers_are_refused_with_an_authenticated_error() -> None:
    client, device = pair()
    first, second = client.seal_request(READ), client.seal_request(READ)
    device.open_request(second)
    refused = device.open_request(first)
    assert refused.outcome is Outcome.BAD_SEQUENCE
    assert refused.reply is not None
    assert client.open_response(first, refused.reply) == bytes.fromhex("000c00000002")
    with pytest.raises(SecurityError):
        client.open_response(second, refused.reply)


def test_the_client_goes_forward_with_an_error_and_never_back() -> None:
    client, device = pair()
    first, second, _ = (client.seal_request(READ) for _ in range(3))
    device.open_request(second)
    behind = device.open_request(first).reply
    assert behind is not None
    client.open_response(first, behind)
    ahead = client.seal_request(READ)
    assert ahead[1:5] == (4).to_bytes(4, "big")
    device.number.advance(600)
    error = device.open_request(ahead).reply
    assert error is not None
    client.open_response(ahead, error)
    assert client.seal_request(READ)[1:5] == (601).to_bytes(4, "big")


def test_a_gap_of_any_size_is_accepted() -> None:
    client, device = pair(msgspec.structs.replace(STATE, number=70_000))
    device = DeviceContext(STATE, deque(), 1000)
    assert device.open_request(client.seal_request(READ)).sequence == 70_001


@pytest.mark.parametrize("message", [b"\x10", b"\x10\0\0\0\1", b"\x10" + bytes(11), b"\x10" * 200])
def test_no_message_is_too_short_to_be_refused(message: bytes) -> None:
    _, device = pair()
    with pytest.raises(SecurityError):
        device.open_request(message)


@pytest.mark.parametrize(
    "answer", [b"", b"\x10", b"\x13", b"\x13\1", b"\x13\2" + bytes(12), b"\0\x0b"]
)
def test_no_answer_is_too_short_to_be_refused(answer: bytes) -> None:
    client, _ = pair()
    with pytest.raises(SecurityError):
        client.open_response(client.seal_request(READ), answer)


def test_uses_are_counted_on_both_ends() -> None:
    client, device = pair()
    sealed = client.seal_request(READ)
    with pytest.raises(SecurityError):
        device.open_request(sealed[:-1])
    client.open_response(sealed, device.seal_response(device.open_request(sealed), BODY))
    assert (client.usage.used, device.usage.used) == (2, 3)


def test_an_exhausted_key_opens_and_seals_nothing() -> None:
    client, device = pair(limit=10)
    for _ in range(5):
        sealed = client.seal_request(READ)
        client.open_response(sealed, device.seal_response(device.open_request(sealed), BODY))
    with pytest.raises(LocalProtocolError, match="renew"):
        client.seal_request(READ)
    verdict = device.open_request(sealed)
    assert (verdict.outcome, verdict.reply) == (Outcome.KEY_EXHAUSTED, b"\x13\x01")
    assert [event.kind for event in client.events] == [
        EventKind.KEY_USAGE_HIGH,
        EventKind.KEY_EXHAUSTED,
    ]
    assert client.events[0].argument == 8


def test_a_channel_survives_as_bytes() -> None:
    client, device = pair()
    device.open_request(client.seal_request(READ))
    again = DeviceContext.from_bytes(device.to_bytes(), deque(), 1000)
    assert again.epoch == device.epoch
    assert again.number.last > 1
    fresh = ClientContext.from_bytes(client.to_bytes(), deque(), 1000)
    assert again.open_request(fresh.seal_request(READ)).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\xc1",
        b"\x90",
        msgspec.msgpack.encode(msgspec.structs.replace(STATE, suite=0)),
        msgspec.msgpack.encode(msgspec.structs.replace(STATE, unicast=b"")),
        msgspec.msgpack.encode(msgspec.structs.replace(STATE, device=b"")),
        msgspec.msgpack.encode(msgspec.structs.replace(STATE, number=1 << 32)),
    ],
)
def test_other_bytes_are_no_channel(stored: bytes) -> None:
    with pytest.raises(DecodeError):
        DeviceContext.from_bytes(stored, deque(), 1000)


def test_only_apdus_with_the_plain_code_are_sealed() -> None:
    client, device = pair()
    for apdu in (b"", b"\x01\x30"):
        with pytest.raises(LocalProtocolError):
            client.seal_request(apdu)
    opened = device.open_request(client.seal_request(READ))
    with pytest.raises(LocalProtocolError):
        device.seal_response(opened, b"\x13\1")


def test_keys_are_not_shown() -> None:
    for shown in (*pair(), STATE):
        assert "x00\\x01\\x02" not in repr(shown)
        assert STATE.unicast.hex() not in repr(shown)
