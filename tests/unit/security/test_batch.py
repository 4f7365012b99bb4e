"""The batch digest against the scalar one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from osgp.errors import LocalProtocolError
from osgp.security import batch
from osgp.security.oma import oma_digest

RNG = random.Random(2)
MESSAGES = [RNG.randbytes(size) for size in (0, 1, 10, 143, 144, 145, 288, 300, 10, 28)]


@pytest.mark.parametrize("size", [12, 16])
def test_one_key_for_all(size: int) -> None:
    key = RNG.randbytes(size)
    assert batch.digest_many(MESSAGES, key) == [oma_digest(m, key) for m in MESSAGES]


@pytest.mark.parametrize("size", [12, 16])
def test_one_key_per_message(size: int) -> None:
    keys = [RNG.randbytes(size) for _ in MESSAGES]
    expected = [oma_digest(m, k) for m, k in zip(MESSAGES, keys, strict=True)]
    assert batch.digest_many(MESSAGES, keys) == expected


def test_more_messages_than_are_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_CHUNK", 7)
    messages = np.frombuffer(RNG.randbytes(144 * 40), np.uint8).reshape(40, 144)
    keys = np.frombuffer(RNG.randbytes(12 * 40), np.uint8).reshape(40, 12)
    found = batch.digests(messages, keys)
    assert [bytes(row) for row in found] == [
        oma_digest(bytes(m), bytes(k)) for m, k in zip(messages, keys, strict=True)
    ]


def test_a_strided_matrix_is_a_batch_too() -> None:
    wide = np.frombuffer(RNG.randbytes(144 * 12), np.uint8).reshape(6, 288)
    assert bytes(batch.digests(wide[:, ::2], bytes(12))[0]) == oma_digest(
        bytes(wide[0, ::2]), bytes(12)
    )


def test_verification_finds_the_odd_ones() -> None:
    key = RNG.randbytes(12)
    digests = [oma_digest(m, key) for m in MESSAGES]
    digests[3] = bytes(8)
    assert batch.verify_many(MESSAGES, key, digests).tolist() == [
        i != 3 for i in range(len(MESSAGES))
    ]


def test_nothing_in_nothing_out() -> None:
    assert batch.digest_many([], bytes(12)) == []
    assert batch.digests(np.empty((0, 144), np.uint8), bytes(12)).shape == (0, 8)


def test_misuse_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        batch.digest_many([b"a"], bytes(6))
    with pytest.raises(LocalProtocolError):
        batch.digest_many([b"a", b"b"], [bytes(12)])
    with pytest.raises(LocalProtocolError):
        batch.digest_many([b"a", b"b"], [bytes(12), bytes(16)])
    with pytest.raises(LocalProtocolError):
        batch.digests(np.zeros((3, 144), np.uint8), np.zeros((2, 12), np.uint8))
    with pytest.raises(LocalProtocolError):
        batch.digests(np.zeros((3, 100), np.uint8), bytes(12))
    with pytest.raises(LocalProtocolError):
        batch.pack([bytes(144), bytes(145)])
