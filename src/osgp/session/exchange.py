"""Conversations as generators: what happens with a device, in one place, without a socket.

A conversation yields `Send` (and is resumed with the response APDU) or `Wait` (and is resumed
with b""). Whoever drives it owns transport and clock; silence is thrown in as TransportError.
Conversations call each other with `yield from`, and return their result.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import msgspec


class Send(msgspec.Struct, frozen=True):
    """An APDU to send; the driver resumes with the response APDU."""

    apdu: bytes


class Wait(msgspec.Struct, frozen=True):
    """A pause in seconds."""

    seconds: float


T = TypeVar("T")

Exchange = Generator[Send | Wait, bytes, T]
