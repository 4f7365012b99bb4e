"""The OMA digest against every vector: Annex E's own, the MEP guide's, and a C implementation's."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from osgp.errors import LocalProtocolError
from osgp.security import oma

VECTORS = Path(__file__).parents[2] / "vectors"


def load(name: str, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())[key]
    return rows


def h(row: dict[str, Any], field: str) -> bytes:
    return bytes.fromhex(row[field])


@pytest.mark.parametrize("row", load("osgp.json", "plc_response"))
def test_plc_response_vector(row: dict[str, Any]) -> None:
    place = row["subnet"], row["node"]
    digest = oma.plc_response_digest(*place, h(row, "request"), h(row, "response"), h(row, "key"))
    assert digest == h(row, "digest")


@pytest.mark.parametrize("row", load("osgp.json", "mep_request"))
def test_mep_request_vector(row: dict[str, Any]) -> None:
    assert oma.mep_request_digest(h(row, "request"), h(row, "key")) == h(row, "digest")


@pytest.mark.parametrize("row", load("osgp.json", "mep_response"))
def test_mep_response_vector(row: dict[str, Any]) -> None:
    digest = oma.mep_response_digest(h(row, "request"), h(row, "response"), h(row, "key"))
    assert digest == h(row, "digest")


@pytest.mark.parametrize("row", load("en14908.json", "osgp_oma_digest"))
def test_digest_vector(row: dict[str, Any]) -> None:
    assert oma.oma_digest(h(row, "message"), h(row, "key")) == h(row, "digest")


@pytest.mark.parametrize("row", load("en14908.json", "auth_std"))
def test_standard_reply_vector(row: dict[str, Any]) -> None:
    reply = oma.en14908_reply(h(row, "challenge"), h(row, "key"), h(row, "apdu"))
    assert reply == h(row, "reply")


@pytest.mark.parametrize("row", load("en14908.json", "auth_oma"))
def test_oma_reply_vector(row: dict[str, Any]) -> None:
    reply = oma.en14908_oma_reply(
        h(row, "challenge"), h(row, "key"), h(row, "oma_dest"), h(row, "apdu")
    )
    assert reply == h(row, "reply")


def test_plc_request_digest_covers_the_address() -> None:
    # osgp-facts 3.4, recomputed there: DF * 12, subnet 2 node 2, full read of BT03.
    request = bytes.fromhex("003000037f30ea6d")
    key = b"\xdf" * 12
    assert oma.plc_request_digest(2, 2, request, key).hex() == "89dedf0585d31394"
    assert oma.plc_request_digest(2, 3, request, key).hex() != "89dedf0585d31394"


def test_a_ready_key_gives_the_same_digests() -> None:
    key = bytes(range(12))
    ready = oma.OmaKey(key)
    for size in (0, 1, 10, 143, 144, 145, 300):
        assert ready.digest(bytes(range(256))[:size]) == oma.oma_digest(
            bytes(range(256))[:size], key
        )


@pytest.mark.parametrize("size", [0, 6, 8, 11, 13, 15, 17, 20])
def test_other_key_lengths_are_refused_without_showing_the_key(size: int) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        oma.oma_digest(b"", b"\xa5" * size)
    assert "a5" not in str(caught.value).lower()
    assert "\\xa5" not in repr(caught.value)


@pytest.mark.parametrize(
    ("challenge", "key", "dest"), [(7, 12, 9), (8, 6, 9), (8, 12, 8), (8, 12, 10)]
)
def test_authentication_refuses_wrong_lengths(challenge: int, key: int, dest: int) -> None:
    with pytest.raises(LocalProtocolError):
        oma.en14908_oma_reply(bytes(challenge), bytes(key), bytes(dest), b"")


def test_a_key_object_shows_nothing() -> None:
    key = oma.OmaKey(b"\x41\x42" * 6)
    assert "4142" not in repr(key)
    assert "AB" not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
