"""ATM messages: how a concentrator asks who is there (clause 4.3).

The standard's layouts are not public; these are this project's own (Source.PROJECT, version 1).
They follow the published principle (US 8,700,754): a query names a range of hashed ids, so that
few devices answer at once; an answer says how strongly the query was heard.

They travel as EN 14908-1 application messages with code 02. A query is a broadcast request on
the discovery domain (length 0), which unconfigured nodes hear; the answer is its response.
"""

from __future__ import annotations

import itertools
from enum import IntEnum
from typing import Final

import msgspec

from osgp.errors import DecodeError
from osgp.lon import crc16
from osgp.wire import NO_DIMS, Record, bind, octets, uint8, uint16

MESSAGE_CODE: Final = 0x02
VERSION: Final = 1
DISCOVERY_DOMAIN: Final = b""
HASH_RANGE: Final = 0x10000
MARGIN_STEP_DB: Final = 0.5
"""Unit of the signal margin in an answer."""


class Kind(IntEnum):
    QUERY = 1
    ANSWER = 2


class DiscoveryQuery(Record, byte_order="big"):
    """Who has a hash in low..high and is not registered?"""

    code = uint8("02")
    version = uint8("1")
    kind = uint8("1", enum=Kind)
    salt = uint16("makes hashes differ from round to round")
    low = uint16("lowest hash asked for")
    high = uint16("highest hash asked for")


class DiscoveryAnswer(Record, byte_order="big"):
    """I have."""

    code = uint8("02")
    version = uint8("1")
    kind = uint8("2", enum=Kind)
    neuron_id = octets(6)
    program_id = octets(8)
    margin = uint8("signal margin of the query, in half dB, at most 127.5", unit="dB", scale=0.5)


QUERY: Final = bind(DiscoveryQuery, NO_DIMS)
ANSWER: Final = bind(DiscoveryAnswer, NO_DIMS)


class HashRange(msgspec.Struct, frozen=True):
    """Hashes from `low` to `high`, both included."""

    low: int
    high: int

    @property
    def width(self) -> int:
        return self.high - self.low + 1

    def split(self, parts: int) -> tuple[HashRange, ...]:
        """Up to `parts` ranges of about equal width that together are this one."""
        parts = min(parts, self.width)
        edges = [self.low + self.width * n // parts for n in range(parts + 1)]
        return tuple(HashRange(a, b - 1) for a, b in itertools.pairwise(edges))


EVERYBODY: Final = HashRange(0, HASH_RANGE - 1)


def id_hash(neuron_id: bytes, salt: int) -> int:
    """The 16-bit hash that decides who answers."""
    return crc16(salt.to_bytes(2, "big") + neuron_id)


def query(salt: int, wanted: HashRange) -> bytes:
    """The APDU of a query."""
    return QUERY.encode(
        DiscoveryQuery(MESSAGE_CODE, VERSION, Kind.QUERY, salt, wanted.low, wanted.high)
    )


def parse_answer(apdu: bytes) -> DiscoveryAnswer:
    """Raises DecodeError for anything that is no answer of this version."""
    answer = ANSWER.decode(apdu)
    if (answer.code, answer.version, answer.kind) != (MESSAGE_CODE, VERSION, Kind.ANSWER):
        raise DecodeError("no ATM answer of version 1")
    return answer


class Responder:
    """A device's side of discovery."""

    def __init__(self, neuron_id: bytes, program_id: bytes) -> None:
        self._neuron_id, self._program_id = neuron_id, program_id

    def answer(self, apdu: bytes, margin_db: float, registered: bool) -> bytes | None:
        """The answer to a query; None where the device keeps silent.

        It does when it is registered with a concentrator, when the range is not its own, and for
        anything that is no query of this version.
        """
        if registered:
            return None
        try:
            asked = QUERY.decode(apdu)
        except DecodeError:
            return None
        if (asked.code, asked.version, asked.kind) != (MESSAGE_CODE, VERSION, Kind.QUERY):
            return None
        if not asked.low <= id_hash(self._neuron_id, asked.salt) <= asked.high:
            return None
        margin = max(0, min(255, round(margin_db / MARGIN_STEP_DB)))
        return ANSWER.encode(
            DiscoveryAnswer(
                MESSAGE_CODE, VERSION, Kind.ANSWER, self._neuron_id, self._program_id, margin
            )
        )
