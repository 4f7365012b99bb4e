"""The firmware image's MAC (F.9)."""

from __future__ import annotations

import random

import pytest

from osgp.errors import LocalProtocolError, SecurityError
from osgp.security.aes import osgp_kdf, osgp_mac
from osgp.security.firmware import ImageCheck, image_mac
from osgp.security.secret import Secret

KEY, DEVICE = bytes(range(16)), b"device"
IMAGE = random.Random(6).randbytes(5000)


def test_the_mac_is_as_documented() -> None:
    key = osgp_kdf(KEY, b"OSGP-AES v1 firmware", DEVICE)
    assert image_mac(Secret(KEY), DEVICE, IMAGE) == osgp_mac(key, b"\0\0\x13\x88" + IMAGE)


def test_an_image_in_pieces() -> None:
    check = ImageCheck(KEY, DEVICE, len(IMAGE))
    for at in range(0, len(IMAGE), 77):
        check.update(IMAGE[at : at + 77])
    check.verify(image_mac(KEY, DEVICE, IMAGE))


@pytest.mark.parametrize("at", [0, 2500, 4999])
def test_an_altered_image_is_refused(at: int) -> None:
    check = ImageCheck(KEY, DEVICE, len(IMAGE))
    check.update(IMAGE[:at] + bytes((IMAGE[at] ^ 1,)) + IMAGE[at + 1 :])
    with pytest.raises(SecurityError):
        check.verify(image_mac(KEY, DEVICE, IMAGE))


def test_the_mac_belongs_to_device_key_and_length() -> None:
    macs = {
        image_mac(KEY, DEVICE, IMAGE),
        image_mac(KEY, b"devicf", IMAGE),
        image_mac(bytes(16), DEVICE, IMAGE),
        image_mac(KEY, DEVICE, IMAGE[:-1]),
        image_mac(KEY, DEVICE, IMAGE + b"\0"),
    }
    assert len(macs) == 5


@pytest.mark.parametrize("size", [0, 8, 15, 17])
def test_a_shortened_mac_is_refused(size: int) -> None:
    check = ImageCheck(KEY, DEVICE, len(IMAGE))
    check.update(IMAGE)
    with pytest.raises(SecurityError):
        check.verify((image_mac(KEY, DEVICE, IMAGE) + b"\0")[:size])


def test_too_much_and_too_little_are_refused() -> None:
    check = ImageCheck(KEY, DEVICE, 10)
    with pytest.raises(LocalProtocolError):
        check.update(bytes(11))
    short = ImageCheck(KEY, DEVICE, 10)
    short.update(bytes(9))
    with pytest.raises(SecurityError, match="incomplete"):
        short.finish()
