"""What travels back along a chain of repeaters, relayed by each hop as it is.

    response  the target's own response APDU, when it was asked for one
    success   4D                 the target got the message, or it was sent where nobody answers
    failure   4C | remaining     hops that were still listed in the request where it failed
    failure   4C | remaining | reason

Success and failure with one byte are Source.LTEP. The third byte is this project's own
(Source.PROJECT, version 1): no public source shows the authentication failure of Annex G.5.4, and
a repeater that knows only the short form still relays it and a source still finds the hop.

`remaining` is 0 where the agent failed. One running stack was seen to send 0 from a repeater as
well, so the link it points to is a strong hint, not a proof.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

from osgp.errors import DecodeError, EncodeError, Truncated

SUCCESS_CODE: Final = 0x4D
FAILURE_CODE: Final = 0x4C
SUCCESS: Final = bytes((SUCCESS_CODE,))

_MAX_LENGTH = 3


class Reason(IntEnum):
    """Why a chain failed. Numbers not listed here are kept as they are."""

    UNREACHABLE = 0
    """The next node did not answer, or could not be sent to."""
    AUTHENTICATION = 1
    """The request failed authentication, or came without to a node that repeats no others
    (Source.PROJECT)."""


class Failure(msgspec.Struct, frozen=True):
    """A failure message. `remaining` 0..15."""

    remaining: int
    reason: int = Reason.UNREACHABLE

    def to_bytes(self) -> bytes:
        """Raises EncodeError."""
        tail = bytes((self.reason,)) if self.reason else b""
        try:
            return bytes((FAILURE_CODE, self.remaining)) + tail
        except ValueError as error:
            raise EncodeError("0..255", table="Failure", field="remaining") from error

    @classmethod
    def parse(cls, apdu: bytes) -> Failure:
        """Raises DecodeError."""
        if len(apdu) < _MAX_LENGTH - 1:
            raise Truncated("no count", table="Failure", offset=len(apdu))
        if apdu[0] != FAILURE_CODE or len(apdu) > _MAX_LENGTH:
            raise DecodeError("not a failure message", table="Failure")
        return cls(apdu[1], apdu[2] if len(apdu) == _MAX_LENGTH else Reason.UNREACHABLE)
