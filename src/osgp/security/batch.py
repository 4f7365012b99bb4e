"""Many OMA digests at once: bulk verification of captures, and the attacks' statistics.

The messages are the columns of a uint8 matrix; each of the digest's steps is a handful of vector
operations over all of them.  Same results as `osgp.security.oma`, which is the oracle in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from osgp.errors import LocalProtocolError
from osgp.security.oma import DIGEST_SIZE, MEP_KEY_SIZE, OMAK_SIZE, ROWS

Octets = NDArray[np.uint8]
_CHUNK: Final = 65536
"""Messages worked on together: enough to drown numpy's cost per call, few enough for the cache."""


def pack(messages: Sequence[bytes], block_size: int = 144) -> Octets:
    """`messages` zero-padded to one common whole number of blocks, shape (n, blocks * block_size).

    Zero blocks at the end change a digest, so all messages must need the same number of blocks;
    LocalProtocolError otherwise.
    """
    sizes = set(map(len, messages))
    blocks = {-(-size // block_size) for size in sizes}
    if len(blocks) > 1:
        raise LocalProtocolError("messages of one batch have the same number of blocks")
    width = max(blocks, default=0) * block_size
    if len(sizes) > 1:
        messages = [message.ljust(width, b"\0") for message in messages]
    given = np.frombuffer(b"".join(messages), np.uint8).reshape(len(messages), -1 if sizes else 0)
    packed = np.zeros((len(messages), width), np.uint8)
    packed[:, : given.shape[1]] = given
    return packed


def digests(messages: Octets, keys: bytes | Octets) -> Octets:
    """OMA digests of n messages, shape (n, 8).

    `messages`: shape (n, whole blocks), see `pack`.  `keys`: one key of 12 or 16 bytes for all, or
    one row per message, shape (n, 12) or (n, 16).  Raises LocalProtocolError for other shapes.
    """
    rows_of_keys = np.atleast_2d(np.frombuffer(keys, np.uint8) if isinstance(keys, bytes) else keys)
    _check(messages, rows_of_keys)
    out = np.empty((len(messages), DIGEST_SIZE), np.uint8)
    shared = len(rows_of_keys) == 1
    for start in range(0, len(messages), _CHUNK):
        part = slice(start, start + _CHUNK)
        keys_part = rows_of_keys if shared else rows_of_keys[part]
        out[part] = _mix(messages[part], np.ascontiguousarray(keys_part.T)).T
    return out


def digest_many(messages: Sequence[bytes], keys: bytes | Sequence[bytes]) -> list[bytes]:
    """OMA digests in the order of `messages`, of any lengths; one key, or one per message."""
    size = _key_size(keys, len(messages))
    out = [b""] * len(messages)
    for places in _by_blocks(messages, ROWS[size] * 8):
        packed = pack([messages[i] for i in places], ROWS[size] * 8)
        raw = digests(packed, _keys(keys, places)).tobytes()
        found = [raw[at : at + DIGEST_SIZE] for at in range(0, len(raw), DIGEST_SIZE)]
        if len(places) == len(out):
            return found
        for i, digest in zip(places, found, strict=True):
            out[i] = digest
    return out


def verify_many(
    messages: Sequence[bytes], keys: bytes | Sequence[bytes], expected: Sequence[bytes]
) -> NDArray[np.bool_]:
    """For each message: is the expected digest its digest?  Offline use: not constant time."""
    found = digest_many(messages, keys)
    return np.array([a == b for a, b in zip(found, expected, strict=True)], np.bool_)


def _keys(keys: bytes | Sequence[bytes], places: Sequence[int]) -> bytes | Octets:
    if isinstance(keys, bytes):
        return keys
    chosen = b"".join(keys[i] for i in places)
    return np.frombuffer(chosen, np.uint8).reshape(len(places), -1)


def _key_size(keys: bytes | Sequence[bytes], count: int) -> int:
    """12 or 16; LocalProtocolError unless there is one such key, or as many as messages."""
    sizes = {len(keys)} if isinstance(keys, bytes) else set(map(len, keys)) or {OMAK_SIZE}
    if len(sizes) > 1 or not sizes <= {OMAK_SIZE, MEP_KEY_SIZE}:
        raise LocalProtocolError("OSGP digest keys of one batch all have 12, or all have 16 bytes")
    if not isinstance(keys, bytes) and len(keys) != count:
        raise LocalProtocolError("one key, or one key for each message")
    return sizes.pop()


def _by_blocks(messages: Sequence[bytes], block: int) -> list[Sequence[int]]:
    """Indices of the messages that need the same number of blocks."""
    blocks = [-(-size // block) for size in map(len, messages)]
    kinds = set(blocks)
    if len(kinds) == 1:
        return [range(len(messages))]
    return [[i for i, n in enumerate(blocks) if n == kind] for kind in kinds]


def _check(messages: Octets, keys: Octets) -> None:
    if keys.shape[1] not in (OMAK_SIZE, MEP_KEY_SIZE):
        raise LocalProtocolError(f"an OSGP digest key has 12 or 16 bytes, not {keys.shape[1]}")
    if len(keys) not in (1, len(messages)):
        raise LocalProtocolError("one key, or one key for each message")
    if messages.shape[1] % (ROWS[keys.shape[1]] * 8):
        raise LocalProtocolError("messages are padded to whole blocks")


def _mix(messages: Octets, keys: Octets) -> Octets:
    """Final states (8, n) of `messages` (n, bytes) under `keys` (key bytes, 1 or n)."""
    size, rows = len(keys), ROWS[len(keys)]
    state = np.zeros((DIGEST_SIZE, len(messages)), np.uint8)
    scratch = np.empty((4, len(messages)), np.uint8)
    for row, columns in enumerate(_columns(messages)):
        key_row = keys[row % rows % size]
        for step, column in enumerate(columns):
            j = 7 - step
            np.subtract(255 - j, state[j], out=scratch[0])  # NOT(a[j] + j)
            np.add(state[(j + 1) % 8], column, out=state[j])
            _add_term(state[j], key_row >> step & 1, scratch)
    return state


def _columns(messages: Octets) -> Iterator[Octets]:
    """For each eight bytes of all messages a contiguous matrix (8, n).

    Transposed in two strides, words first: twice as fast as bytes at once.
    """
    words = np.ascontiguousarray(np.ascontiguousarray(messages).view(np.uint64).T)
    for row in words:
        yield np.ascontiguousarray(row.view(np.uint8).reshape(-1, 8).T)


def _add_term(a: Octets, bit: Octets, scratch: Octets) -> None:
    """Add the non-linear term of n = scratch[0] to `a`; `bit`: one for all, or one per message."""
    n, small, left = scratch[:3]
    if len(bit) > 1:
        _select(bit, scratch)
        np.add(a, left, out=a)
    elif bit[0]:
        np.right_shift(n, 7, out=small)
        np.add(n, n, out=n)
        np.add(a, n, out=a)
        np.add(a, small, out=a)
    else:
        np.right_shift(n, 1, out=small)
        np.multiply(n, 128, out=n)  # a left shift by 7; numpy's shift of bytes is not vectorised
        np.subtract(a, n, out=a)
        np.subtract(a, small, out=a)


def _select(bit: Octets, scratch: Octets) -> None:
    """The term of each message into scratch[2], without branches: bit ? left : -right."""
    n, small, left, right = scratch
    np.right_shift(n, 7, out=small)
    np.add(n, n, out=left)
    np.add(left, small, out=left)
    np.right_shift(n, 1, out=small)
    np.multiply(n, 128, out=right)
    np.add(right, small, out=right)
    np.negative(right, out=right)
    np.subtract(left, right, out=left)
    np.multiply(left, bit, out=left)
    np.add(left, right, out=left)
