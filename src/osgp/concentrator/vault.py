"""What a concentrator keeps of a device that it speaks OSGP-AES-128-PSK with.

A record holds keys, so it does not go to the store of readings but to a `Vault`, which has to
encrypt it where it lies (`osgp.run.vault`). It is written before anything is sent that depends on
it. Source.PROJECT: it is on no wire.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from osgp.errors import DecodeError
from osgp.security.aes_client import ClientState
from osgp.security.handshake import LongTermKey
from osgp.security.secret import KeyLike, key_bytes


class KeySource(Protocol):
    """Where the utility's keys come from. Both raise UsageError where there is none for the device,
    another OsgpError where that cannot be told now."""

    def omak(self, neuron_id: bytes) -> KeyLike: ...

    def long_term(self, neuron_id: bytes, version: int) -> KeyLike:
        """The long-term AES key of this version, 16 bytes; 0: the one from the factory."""


class Vault(Protocol):
    """Keeps one record of each device, keys included. Methods may raise StoreError."""

    def get(self, neuron_id: bytes) -> bytes | None: ...

    def put(self, neuron_id: bytes, record: bytes) -> None:
        """Returns when the record is durable."""


class Unkept:
    """A vault that forgets when the process ends."""

    def __init__(self) -> None:
        self._records: dict[bytes, bytes] = {}

    def get(self, neuron_id: bytes) -> bytes | None:
        return self._records.get(neuron_id)

    def put(self, neuron_id: bytes, record: bytes) -> None:
        self._records[neuron_id] = record


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """`client` is the state of an `AesClient`.

    `bound`: the old suite is never used again. `opened`: it was switched to the old suite so that
    its place could be changed, and has to be switched back. `day` (UTC, since 1970) up to which its
    keys have aged, and `handshakes` begun on it. `uses`: ET04.123 where it is less
    than the plan's, else 0. `holder`: the concentrator whose channel it is.
    """

    client: bytes
    bound: bool = False
    opened: bool = False
    day: int = 0
    handshakes: int = 0
    uses: int = 0
    holder: bytes = b""

    def __repr__(self) -> str:
        return f"<Kept bound={self.bound}>"


def kept_of(record: bytes) -> Kept:
    """Raises DecodeError for bytes that are no record."""
    try:
        return msgspec.msgpack.decode(record, type=Kept)
    except msgspec.MsgspecError:
        raise DecodeError("this is no stored device security") from None


def state_of(kept: Kept) -> ClientState:
    """Raises DecodeError for bytes that are no state."""
    try:
        return msgspec.msgpack.decode(kept.client, type=ClientState)
    except msgspec.MsgspecError:
        raise DecodeError("this is no stored security state") from None


def erased(kept: Kept) -> Kept:
    """The record without any key: which versions and epochs were used has to be known for ever."""
    state = state_of(kept)
    newer = state.next_long_term
    bare = ClientState(
        state.device,
        LongTermKey(state.long_term.version, b""),
        None if newer is None else LongTermKey(newer.version, b""),
        state.next_delivered,
        state.epoch,
        mode=state.mode,
        mode_delivered=state.mode_delivered,
    )
    return msgspec.structs.replace(kept, client=msgspec.msgpack.encode(bare))


def taken(kept: Kept, holder: bytes) -> Kept:
    """The record in the hands of another concentrator, which makes a channel of its own: two that
    used one would use numbers, which are nonces, twice."""
    state = msgspec.structs.replace(state_of(kept), channel=None, proven=False, renew=False)
    client = msgspec.msgpack.encode(state)
    return msgspec.structs.replace(kept, client=client, holder=holder)


def refilled(kept: Kept, keys: KeySource) -> Kept:
    """The record with long-term keys, where they were erased. Raises what `keys` raises."""
    state = state_of(kept)
    if state.long_term.key:
        return kept

    def known(key: LongTermKey) -> LongTermKey:
        return LongTermKey(key.version, key_bytes(keys.long_term(state.device, key.version)))

    newer = state.next_long_term
    full = msgspec.structs.replace(
        state,
        long_term=known(state.long_term),
        next_long_term=None if newer is None else known(newer),
    )
    return msgspec.structs.replace(kept, client=msgspec.msgpack.encode(full))
