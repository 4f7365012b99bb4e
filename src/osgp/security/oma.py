"""The OMA digest (Annex E) and its parents, the EN 14908-1 authentication functions.

All three share one step.  State ``a[0..7]``; for each key byte of the schedule and j = 7 down to 0
the next message byte m (zero when the message is exhausted) is mixed in::

    n    = NOT(a[j] + j)
    t    = rotate-left(n, 1)       if bit 7-j of the key byte is set
           0 - rotate-right(n, 1)  otherwise
    a[j] = a[(j+1) mod 8] + m + t            (all modulo 256)

| function | key | rows per block | block | message order | initial state |
|---|---|---|---|---|---|
| OSGP digest on PLC | 12 | 18 | 144 | first to last | zero |
| OSGP digest on MEP | 16 | 24 | 192 | first to last | zero |
| EN 14908-1 reply   |  6 |  6 |  48 | last to first | challenge |
| EN 14908-1 OMA reply | 12 | 18 | 144 | last to first | challenge |

The message is padded with zeros to whole blocks, so trailing zeros do not change a digest; an empty
message leaves the state as it was.  t depends on (key bit, j, a[j]) only and comes from a table.

The function is broken (Jovanovic and Neves, ePrint 2015/428; see `osgp.security.audit`): it is here
to talk to meters that know nothing better.

Sources: public code (ttaubert/osgp-oma-digest, izot/lon-stack-dx); input
rules on PLC from gviegas/contic-osgpb; on MEP from the OSGP Alliance MEP guide v1.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from struct import iter_unpack
from typing import Any, Final, NoReturn

from osgp.errors import LocalProtocolError

DIGEST_SIZE: Final = 8
OMAK_SIZE: Final = 12
MEP_KEY_SIZE: Final = 16
LON_KEY_SIZE: Final = 6
ROWS: Final = {LON_KEY_SIZE: 6, OMAK_SIZE: 18, MEP_KEY_SIZE: 24}
"""Key size in bytes → key bytes (rows of eight steps) used per block."""

_ZERO: Final = bytes(DIGEST_SIZE)
_Row = tuple[tuple[int, ...], ...]


def step_term(bit: int, j: int, a: int) -> int:
    """The non-linear term t of one step, 0..255, for a key `bit`, position `j`, state byte `a`."""
    n = ~(a + j) & 0xFF
    if bit:
        return (n << 1 | n >> 7) & 0xFF
    return -(n >> 1 | n << 7) & 0xFF


_TERMS: Final = tuple(
    tuple(tuple(step_term(bit, j, a) for a in range(256)) for j in range(8)) for bit in (0, 1)
)
_ROW_OF: Final = tuple(
    tuple(_TERMS[key_byte >> (7 - j) & 1][j] for j in range(7, -1, -1)) for key_byte in range(256)
)


class OmaKey:
    """A key of 6 (EN 14908-1), 12 (PLC) or 16 (MEP) bytes with its schedule made ready.

    Keep one per device and drop it with the session; there is no cache behind it.  Neither `repr`
    nor pickling gives the key away.  Raises LocalProtocolError for any other key length.
    """

    __slots__ = ("_rows", "block_size", "size")

    def __init__(self, key: bytes) -> None:
        if len(key) not in ROWS:
            raise LocalProtocolError(f"an OMA key has 6, 12 or 16 bytes, not {len(key)}")
        self.size = len(key)
        self.block_size = ROWS[self.size] * 8
        self._rows = tuple(_ROW_OF[key[i % self.size]] for i in range(ROWS[self.size]))

    def digest(self, message: bytes, state: bytes = _ZERO) -> bytes:
        """Eight bytes over `message`, taken first byte to last, from the initial `state`."""
        padded = message + bytes(-len(message) % self.block_size)
        return _mix(state, zip(cycle(self._rows), iter_unpack("8B", padded), strict=False))

    def __repr__(self) -> str:
        return f"<OmaKey of {self.size} bytes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an OmaKey is not serialised")


def _mix(state: bytes, rows: Iterable[tuple[_Row, tuple[Any, ...]]]) -> bytes:
    """Eight unrolled steps per row: the loop that all legacy authentication waits for."""
    a0, a1, a2, a3, a4, a5, a6, a7 = state
    for (t7, t6, t5, t4, t3, t2, t1, t0), (m0, m1, m2, m3, m4, m5, m6, m7) in rows:
        a7 = (a0 + m0 + t7[a7]) & 255
        a6 = (a7 + m1 + t6[a6]) & 255
        a5 = (a6 + m2 + t5[a5]) & 255
        a4 = (a5 + m3 + t4[a4]) & 255
        a3 = (a4 + m4 + t3[a3]) & 255
        a2 = (a3 + m5 + t2[a2]) & 255
        a1 = (a2 + m6 + t1[a1]) & 255
        a0 = (a1 + m7 + t0[a0]) & 255
    return bytes((a0, a1, a2, a3, a4, a5, a6, a7))


def oma_digest(message: bytes, key: bytes) -> bytes:
    """The OMA digest (8 bytes) of `message` under a 12-byte (PLC) or 16-byte (MEP) `key`.

    Raises LocalProtocolError for another key length.  For many messages under one key make an
    `OmaKey` once, or use `osgp.security.batch`.
    """
    if len(key) not in (OMAK_SIZE, MEP_KEY_SIZE):
        raise LocalProtocolError(f"an OSGP digest key has 12 or 16 bytes, not {len(key)}")
    return OmaKey(key).digest(message)


def en14908_reply(challenge: bytes, key6: bytes, apdu: bytes) -> bytes:
    """EN 14908-1 standard authentication: the 8-byte reply to an 8-byte `challenge`.

    `apdu` is code and data of the message being authenticated (EN 14908-1, AuthPDU REPLY).
    Raises LocalProtocolError for a wrong length of key or challenge.
    """
    _check("key", key6, LON_KEY_SIZE)
    _check("challenge", challenge, DIGEST_SIZE)
    return OmaKey(key6).digest(apdu[::-1], challenge)


def en14908_oma_reply(challenge: bytes, key12: bytes, dest9: bytes, apdu: bytes) -> bytes:
    """EN 14908-1 OMA authentication: the reply to a `challenge` of the type CHALLENGE_OMA.

    `dest9`: Neuron ID ‖ FF FF FF, or domain id(6) ‖ its length ‖ subnet ‖ node, or domain id(6) ‖
    its length ‖ group ‖ FF.  Raises LocalProtocolError for a wrong length.
    """
    _check("key", key12, OMAK_SIZE)
    _check("challenge", challenge, DIGEST_SIZE)
    _check("destination block", dest9, 9)
    return OmaKey(key12).digest((dest9 + apdu)[::-1], challenge)


def _check(what: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise LocalProtocolError(f"{what} of {size} bytes expected, not {len(value)}")


def plc_request_input(subnet: int, node: int, request: bytes) -> bytes:
    """What a PLC request's digest covers: subnet ‖ node ‖ APDU from code 00 through the sequence.

    Subnet and node are the device's.  Source: contic-osgpb, verified with Annex E's vector.
    """
    return bytes((subnet, node)) + request


def plc_response_input(subnet: int, node: int, request: bytes, response: bytes) -> bytes:
    """What a PLC response's digest covers: the request's input ‖ response ‖ its length (1 byte).

    `request` ends with its sequence number and `response` with its data: both without digest.
    """
    return plc_request_input(subnet, node, request) + response + bytes((len(response) & 0xFF,))


def plc_request_digest(subnet: int, node: int, request: bytes, key: bytes) -> bytes:
    """The digest of a PLC `request` (code 00 … sequence number) to the device subnet/node."""
    return oma_digest(plc_request_input(subnet, node, request), key)


def plc_response_digest(
    subnet: int, node: int, request: bytes, response: bytes, key: bytes
) -> bytes:
    """The digest of a PLC `response` (code 00 … end of data) to `request`, both without digest."""
    return oma_digest(plc_response_input(subnet, node, request, response), key)


def mep_request_digest(request: bytes, key: bytes) -> bytes:
    """The digest of a MEP `request`: command … sequence number, without the length field."""
    return oma_digest(request, key)


def mep_response_digest(request: bytes, response: bytes, key: bytes) -> bytes:
    """The digest of a MEP `response` to `request`: both concatenated, without length and digest."""
    return oma_digest(request + response, key)
