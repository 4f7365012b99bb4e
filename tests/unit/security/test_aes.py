"""Annex F.5's functions against NIST's vectors."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from osgp.errors import LocalProtocolError, SecurityError
from osgp.security import aes

NIST = json.loads((Path(__file__).parents[2] / "vectors" / "nist.json").read_text())
KEY = bytes(range(16))


def h(row: dict[str, Any], field: str) -> bytes:
    return bytes.fromhex(row[field])


@pytest.mark.parametrize("row", NIST["cmac"])
def test_cmac(row: dict[str, Any]) -> None:
    assert aes.osgp_mac(h(row, "key"), h(row, "message")) == h(row, "mac")
    assert aes.osgp_mac_verify(h(row, "key"), h(row, "message"), h(row, "mac"))
    assert aes.osgp_mac_verify(h(row, "key"), h(row, "message"), h(row, "mac")[:8], 8)
    assert not aes.osgp_mac_verify(h(row, "key"), h(row, "message") + b"\0", h(row, "mac"))
    assert not aes.osgp_mac_verify(h(row, "key"), h(row, "message"), h(row, "mac")[:8])
    assert not aes.osgp_mac_verify(h(row, "key"), h(row, "message"), b"")


@pytest.mark.parametrize("row", NIST["cmac"])
def test_cmac_in_pieces(row: dict[str, Any]) -> None:
    running = aes.MacKey(h(row, "key")).running()
    for octet in h(row, "message"):
        running.update(bytes((octet,)))
    assert running.finalize() == h(row, "mac")


@pytest.mark.parametrize("row", NIST["ccm_example"] + NIST["ccm_vnt"] + NIST["ccm_vtt"])
def test_ccm(row: dict[str, Any]) -> None:
    sealed = aes.osgp_ae(
        h(row, "key"), h(row, "nonce"), h(row, "payload"), h(row, "adata"), row["tag"]
    )
    assert sealed == h(row, "ct")
    opened = aes.osgp_ad(h(row, "key"), h(row, "nonce"), sealed, h(row, "adata"), row["tag"])
    assert opened == h(row, "payload")


@pytest.mark.parametrize("row", NIST["ccm_dvpt"])
def test_ccm_decryption(row: dict[str, Any]) -> None:
    def opened() -> bytes:
        return aes.osgp_ad(h(row, "key"), h(row, "nonce"), h(row, "ct"), h(row, "adata"), 16)

    if row["result"] == "Pass":
        assert opened() == h(row, "payload")
    else:
        with pytest.raises(SecurityError):
            opened()


@pytest.mark.parametrize("row", NIST["kdf_ctr"])
def test_kdf_construction(row: dict[str, Any]) -> None:
    """The construction underneath; NIST fixes the whole input, label and all."""
    kdf = KBKDFCMAC(
        AES128,
        Mode.CounterMode,
        row["bits"] // 8,
        row["rlen"] // 8,
        None,
        CounterLocation.BeforeFixed,
        None,
        None,
        h(row, "fixed"),
    )
    assert kdf.derive(h(row, "key")) == h(row, "out")


@pytest.mark.parametrize("size", [12, 16, 48])
def test_kdf_input_is_as_documented(size: int) -> None:
    label, context = b"label", b"context\0with zero"
    blocks = b"".join(
        aes.osgp_mac(KEY, bytes((i,)) + label + b"\0" + context + (8 * size).to_bytes(2, "big"))
        for i in (1, 2, 3)
    )
    assert aes.osgp_kdf(KEY, label, context, size) == blocks[:size]


def test_randomness_is_an_argument() -> None:
    assert aes.osgp_csprg(16, random.Random(1).randbytes) == random.Random(1).randbytes(16)
    with pytest.raises(LocalProtocolError):
        aes.osgp_csprg(16, lambda n: bytes(n - 1))


def test_misuse_is_refused_without_showing_keys() -> None:
    for call in (
        lambda: aes.AeadKey(b"\xa5" * 15),
        lambda: aes.AeadKey(KEY, 7),
        lambda: aes.MacKey(b"\xa5" * 32),
        lambda: aes.osgp_kdf(KEY, b"a\0b", b""),
    ):
        with pytest.raises(LocalProtocolError) as caught:
            call()
        assert "a5" not in repr(caught.value)
    assert KEY.hex() not in repr((aes.AeadKey(KEY), aes.MacKey(KEY)))
