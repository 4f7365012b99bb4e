"""The cryptographic functions of Annex F.5, on AES-128 alone (F.4).

* OSGP_KDF: SP 800-108 in counter mode over AES-CMAC; the input of block i is
  i (1 byte) ‖ label ‖ 00 ‖ context ‖ length of the output in bits (2 bytes).
* OSGP_MAC, OSGP_MAC_VERIFY: AES-CMAC (SP 800-38B), cut from the right, compared in constant time.
* OSGP_AE, OSGP_AD: AES-CCM (SP 800-38C), nonce 13 bytes, tag of 8 or 16 bytes behind the text.
* OSGP_CSPRG: bytes from a source of entropy that is an argument.

The names are the annex's headings; the parameters are Source.PROJECT.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from osgp.errors import LocalProtocolError, SecurityError

KEY_SIZE: Final = 16
MAC_SIZE: Final = 16
NONCE_SIZE: Final = 13

Entropy = Callable[[int], bytes]
"""A source of n unpredictable bytes: `os.urandom`, or `random.Random(seed).randbytes` in a test."""


def osgp_kdf(key: bytes, label: bytes, context: bytes, size: int = KEY_SIZE) -> bytes:
    """OSGP_KDF (F.5.1): `size` bytes derived from a 16-byte `key`; `label` holds no zero byte."""
    _check_key(key)
    if b"\0" in label:
        raise LocalProtocolError("a derivation label holds no zero byte")
    kdf = KBKDFCMAC(
        AES128,
        Mode.CounterMode,
        length=size,
        rlen=1,
        llen=2,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=context,
        fixed=None,
    )
    return kdf.derive(key)


class MacKey:
    """A 16-byte CMAC key with its schedule made ready."""

    __slots__ = ("_base",)

    def __init__(self, key: bytes) -> None:
        _check_key(key)
        self._base = CMAC(AES128(key))

    def mac(self, message: bytes, size: int = MAC_SIZE) -> bytes:
        """OSGP_MAC (F.5.2): the first `size` bytes of the message's CMAC."""
        running = self._base.copy()
        running.update(message)
        return running.finalize()[:size]

    def verify(self, message: bytes, tag: bytes, size: int = MAC_SIZE) -> bool:
        """OSGP_MAC_VERIFY (F.5.3): is `tag` the message's tag of `size` bytes?  Constant time."""
        return hmac.compare_digest(self.mac(message, size), tag)

    def running(self) -> CMAC:
        """A CMAC to be updated piece by piece: for images larger than memory should hold twice."""
        return self._base.copy()

    def __repr__(self) -> str:
        return "<MacKey>"


class AeadKey:
    """A 16-byte CCM key with its schedule made ready; `tag` is 8 or 16."""

    __slots__ = ("decrypt", "seal", "tag")

    def __init__(self, key: bytes, tag: int = 8) -> None:
        _check_key(key)
        if tag not in (4, 6, 8, 10, 12, 14, 16):
            raise LocalProtocolError("a CCM tag has an even number of 4 to 16 bytes")
        ccm, self.tag = AESCCM(key, tag_length=tag), tag
        self.seal = ccm.encrypt
        """seal(nonce, plain, associated) → cipher text ‖ tag: OSGP_AE (F.5.4)."""
        self.decrypt = ccm.decrypt
        """As `open`, raising cryptography's own InvalidTag: for the inner loop."""

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """OSGP_AD (F.5.4): the plain text; SecurityError if anything was altered."""
        try:
            return self.decrypt(nonce, sealed, associated)
        except InvalidTag:
            raise SecurityError from None

    def __repr__(self) -> str:
        return "<AeadKey>"


def osgp_mac(key: bytes, message: bytes, size: int = MAC_SIZE) -> bytes:
    """OSGP_MAC for a key used once; `MacKey` for one used often."""
    return MacKey(key).mac(message, size)


def osgp_mac_verify(key: bytes, message: bytes, tag: bytes, size: int = MAC_SIZE) -> bool:
    """OSGP_MAC_VERIFY for a key used once."""
    return MacKey(key).verify(message, tag, size)


def osgp_ae(key: bytes, nonce: bytes, plain: bytes, associated: bytes, tag: int = 8) -> bytes:
    """OSGP_AE for a key used once: cipher text ‖ tag.  A (key, nonce) pair is never used twice."""
    return AeadKey(key, tag).seal(nonce, plain, associated)


def osgp_ad(key: bytes, nonce: bytes, sealed: bytes, associated: bytes, tag: int = 8) -> bytes:
    """OSGP_AD for a key used once; SecurityError if anything was altered."""
    return AeadKey(key, tag).open(nonce, sealed, associated)


def osgp_csprg(number_of_bytes: int, entropy: Entropy) -> bytes:
    """OSGP_CSPRG (F.5.5): exactly `number_of_bytes` from `entropy`; a short source is an error."""
    value = entropy(number_of_bytes)
    if len(value) != number_of_bytes:
        raise LocalProtocolError("the source of entropy gave too little")
    return value


def _check_key(key: bytes) -> None:
    if len(key) != KEY_SIZE:
        raise LocalProtocolError(f"an AES-128 key has 16 bytes, not {len(key)}")
