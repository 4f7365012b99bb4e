"""The forms in which people write keys, what is said about them, and that nothing shows them."""

from __future__ import annotations

import copy
import json
import pickle

import msgspec
import pytest

from osgp.errors import UsageError
from osgp.security.keys import Purpose, device_omak, device_psk, read_key
from osgp.security.secret import Secret, key_bytes

TEXT = "Utility key no. 0042"
HEX40 = TEXT.encode().hex()


@pytest.mark.parametrize(
    ("text", "purpose", "value", "form"),
    [
        (TEXT, Purpose.OPTICAL, TEXT.encode(), "20 characters"),
        (HEX40, Purpose.OPTICAL, TEXT.encode(), "40 hex digits"),
        ("0123456789", Purpose.OPTICAL, b"0123456789", "10 characters"),
        ("hex:" + HEX40[:20], Purpose.OPTICAL, TEXT.encode()[:10], "20 hex digits"),
        (TEXT, Purpose.MEP, TEXT.encode()[:16], "20 characters"),
        (HEX40.upper(), Purpose.MEP, TEXT.encode()[:16], "40 hex digits"),
        ("01" * 16, Purpose.MEP, b"\x01" * 16, "32 hex digits"),
        ("0x" + "01" * 16, Purpose.MEP, b"\x01" * 16, "32 hex digits"),
        ("sixteen letters!", Purpose.MEP, b"sixteen letters!", "16 characters"),
        ("df" * 12, Purpose.OMAK, b"\xdf" * 12, "24 hex digits"),
        ("df df df df-df df:df df df df df df", Purpose.OMAK, b"\xdf" * 12, "24 hex digits"),
        ("ascii:twelve chars", Purpose.OMAK, b"twelve chars", "12 characters"),
        ("00" * 16 + "\r\n", Purpose.AES, bytes(16), "32 hex digits"),
    ],
)
def test_forms(text: str, purpose: Purpose, value: bytes, form: str) -> None:
    key = read_key(text, purpose)
    assert key.secret.reveal() == value
    assert str(key.form) == form
    assert str(key).startswith(f"read as {form}, {len(value)} bytes used")


def test_hex_digits_that_may_be_characters_are_pointed_out() -> None:
    key = read_key("01010101010101010101", Purpose.OPTICAL)
    assert key.secret.reveal() == b"01" * 10
    assert "hex:" in key.remark
    assert read_key("hex:01010101010101010101", Purpose.OPTICAL).secret.reveal() == b"\x01" * 10


def test_the_bytes_that_do_not_count_are_pointed_out() -> None:
    assert read_key(TEXT, Purpose.MEP).remark == "the last 4 bytes do not count on MEP"
    assert read_key(TEXT, Purpose.OPTICAL).remark == ""


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("text", ["", "supersecret", "ab" * 13, "é" * 20, "tab\there" * 2 + "1234"])
def test_anything_else_is_refused_without_showing_it(text: str, purpose: Purpose) -> None:
    with pytest.raises(UsageError) as caught:
        read_key(text, purpose)
    assert not text or text not in str(caught.value)
    assert str(len(text)) in str(caught.value)


@pytest.mark.parametrize("purpose", [Purpose.OMAK, Purpose.AES])
def test_raw_characters_are_no_key_by_accident(purpose: Purpose) -> None:
    size = 12 if purpose is Purpose.OMAK else 16
    with pytest.raises(UsageError):
        read_key("z" * size, purpose)


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(b"A" * 16)
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert "AAAA" not in shown
        assert "4141" not in shown
    for encode in (json.dumps, msgspec.json.encode, msgspec.msgpack.encode, pickle.dumps):
        with pytest.raises(TypeError):
            encode(secret)
    with pytest.raises(TypeError):
        hash(secret)
    assert not hasattr(secret, "__dict__")


def test_secrets_compare_by_value() -> None:
    assert Secret(b"abc") == Secret(b"abc")
    assert Secret(b"abc") != Secret(b"abd")
    assert Secret(b"abc") != b"abc"
    assert copy.deepcopy([Secret(b"abc")]) == [Secret(b"abc")]
    assert key_bytes(Secret(b"abc")) == key_bytes(b"abc") == b"abc"


def test_derived_keys_differ_by_device_generation_and_purpose() -> None:
    master = Secret(bytes(range(16)))
    devices = [bytes(5) + bytes((i,)) for i in range(4)]
    keys = [device_omak(master, d, g).reveal() for d in devices for g in (1, 2)]
    keys += [device_psk(master, d, g).reveal()[:12] for d in devices for g in (1, 2)]
    assert len(set(keys)) == 16
    assert {len(key) for key in keys} == {12}
    assert device_omak(master, devices[1]) == device_omak(master, devices[1], 1)
    assert len(device_psk(master, devices[0])) == 16
