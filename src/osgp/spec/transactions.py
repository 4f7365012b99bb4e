"""Transactions of ET52 and ET53 as bytes: header, messages, number again (MEP guide, chapter 3)."""

from __future__ import annotations

import msgspec

from osgp.errors import DecodeError, EncodeError
from osgp.wire import NO_DIMS, bind

from .tables.mep import GROUP_BROADCAST, Groups, Transaction, TransactionMessage

REQUESTS, RESPONSES = 0, 1
TRAILER = 2
"""Bytes of the number at the end."""

_HEADER = bind(Transaction, NO_DIMS)
_MESSAGE = bind(TransactionMessage, NO_DIMS)


class Batch(msgspec.Struct, frozen=True):
    """A transaction: its number, its type (`TRANSACTION_TYPES`), its messages without security."""

    number: int
    type: int
    messages: tuple[bytes, ...]
    groups: tuple[int, ...] = ()


def pack(batch: Batch) -> bytes:
    """The bytes to write at the start of ET52. Raises EncodeError."""
    messages = b"".join(
        _MESSAGE.encode(TransactionMessage(len(message), message)) for message in batch.messages
    )
    header = _header(batch, 0)
    size = len(header) + len(messages) + TRAILER
    return _header(batch, size) + messages + batch.number.to_bytes(TRAILER, "little")


def unpack(data: bytes) -> Batch:
    """What is at the start of ET52 or ET53; bytes after it are not looked at.

    Raises Truncated, or DecodeError where the numbers differ: the transaction is not complete.
    """
    header, position = _HEADER.decode_from(data)
    end = header.transaction_size - TRAILER
    messages = _messages(data[: max(end, 0)], position)
    number = int.from_bytes(data[end : end + TRAILER], "little")
    if len(data) < end + TRAILER or number != header.transaction_number:
        raise DecodeError("the transaction is not complete", table="ET52", offset=max(end, 0))
    groups = header.groups.group_ids if header.groups is not None else ()
    return Batch(number, header.transaction_type, messages, groups)


def _header(batch: Batch, size: int) -> bytes:
    if bool(batch.groups) != (batch.type == GROUP_BROADCAST):
        raise EncodeError("only a group broadcast has groups, and it must", table="ET52")
    groups = Groups(len(batch.groups), batch.groups) if batch.groups else None
    return _HEADER.encode(Transaction(size, batch.type, batch.number, groups))


def _messages(data: bytes, position: int) -> tuple[bytes, ...]:
    found: list[bytes] = []
    while position < len(data):
        message, position = _MESSAGE.decode_from(data, position)
        found.append(message.message)
    return tuple(found)
