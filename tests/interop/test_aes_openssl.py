"""The AES functions recomputed by the openssl command, from their definitions.

CMAC is a command of openssl; its key derivation has another input (four-byte counter and length),
so blocks of ours are taken as CMACs, which they are; CCM, which the command does not have, is put
together from CBC-MAC and counter mode as SP 800-38C states it.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections import deque

import pytest

from osgp.security import aes
from osgp.security.context import ChannelState, ClientContext
from osgp.security.firmware import image_mac

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs the openssl command")

DRAW = random.Random(8).randbytes
BLOCK = 16


def openssl(*arguments: str, given: bytes) -> bytes:
    done = subprocess.run(
        [str(OPENSSL), *arguments], input=given, capture_output=True, timeout=30, check=True
    )
    return done.stdout


def cmac(key: bytes, message: bytes) -> bytes:
    options = ("-cipher", "AES-128-CBC", "-macopt", f"hexkey:{key.hex()}", "-binary")
    return openssl("mac", *options, "CMAC", given=message)


def cipher(name: str, key: bytes, start: bytes, text: bytes) -> bytes:
    options = ("-K", key.hex(), "-iv", start.hex(), "-nopad")
    return openssl("enc", name, *options, given=text)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def ccm(key: bytes, nonce: bytes, plain: bytes, associated: bytes, tag: int) -> bytes:
    """SP 800-38C, appendix A: length field of two bytes beside a nonce of 13."""
    flags = 0x40 * bool(associated) | (tag - 2) // 2 << 3 | 1
    first = bytes((flags,)) + nonce + len(plain).to_bytes(2, "big")
    header = padded(len(associated).to_bytes(2, "big") + associated) if associated else b""
    chained = cipher("-aes-128-cbc", key, bytes(BLOCK), first + header + padded(plain))
    stream = cipher("-aes-128-ctr", key, b"\1" + nonce + b"\0\0", chained[-BLOCK:] + plain)
    return stream[BLOCK:] + stream[:tag]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 200])
def test_mac(size: int) -> None:
    key, message = DRAW(16), DRAW(size)
    assert aes.osgp_mac(key, message) == cmac(key, message)


@pytest.mark.parametrize("size", [16, 48])
def test_kdf(size: int) -> None:
    key, label, context = DRAW(16), b"OSGP-AES v1 session", DRAW(46)
    tail = label + b"\0" + context + (8 * size).to_bytes(2, "big")
    blocks = [cmac(key, bytes((i + 1,)) + tail) for i in range(size // BLOCK)]
    assert aes.osgp_kdf(key, label, context, size) == b"".join(blocks)


@pytest.mark.parametrize("tag", [8, 16])
@pytest.mark.parametrize("size", [0, 8, 16, 84])
def test_ccm(tag: int, size: int) -> None:
    key, nonce, plain = DRAW(16), DRAW(13), DRAW(size)
    assert aes.osgp_ae(key, nonce, plain, b"\x10", tag) == ccm(key, nonce, plain, b"\x10", tag)


def test_a_whole_request_from_its_documented_parts() -> None:
    """docs/security.md, byte by byte: key, nonce, associated data, text, tag."""
    unicast, device, epoch = DRAW(16), b"device", 0x00010203
    client = ClientContext(ChannelState(2, device, epoch, unicast, DRAW(16)), deque(), 1000)
    sealed = client.seal_request(bytes.fromhex("003f001700000000 2c"))
    context = b"\2" + device + epoch.to_bytes(4, "big")
    tail = b"OSGP-AES v1 channel\0" + context + (384).to_bytes(2, "big")
    key = cmac(unicast, b"\1" + tail)
    nonce = b"\0" + device + b"\x02\x03" + sealed[1:5]
    text = bytes.fromhex("3f0017000000002c")
    assert sealed == b"\x10" + sealed[1:5] + ccm(key, nonce, text, b"\x10", 8)


def test_a_firmware_mac() -> None:
    key, image = DRAW(16), DRAW(5000)
    derived = cmac(key, b"\1OSGP-AES v1 firmware\0device" + (128).to_bytes(2, "big"))
    expected = cmac(derived, len(image).to_bytes(4, "big") + image)
    assert image_mac(key, b"device", image) == expected
