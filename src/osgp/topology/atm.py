"""ATM messages: how a concentrator asks who is there (clause 4.3).

The standard's layouts are not public; these are this project's own (Source.PROJECT, version 1).
They follow the published principle (US 8,700,754): a query names a range of hashed ids, so that
few devices answer at once; an answer says how strongly the query was heard; devices that are
registered already repeat the query farther out.

They travel as EN 14908-1 application messages with code 02. QUERY is a broadcast request on the
discovery domain (length 0), which unconfigured nodes hear and searching ones join; ANSWER is its
response. Neither can be protected: the two sides share no key yet. SEALED carries SEARCH or FETCH
to one registered device and the outcome back, sealed by the session's suite like a table service:

    02 version SEALED | sealed( 00 | SEARCH or FETCH )     request
    02 version SEALED | sealed( 00 | response code | ... ) response

SEARCH and FETCH are no table services, nor the reverse, so that neither can be taken for the
other in spite of the one key.
"""

from __future__ import annotations

import itertools
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

import msgspec

from osgp.errors import DecodeError
from osgp.lon import broadcast_request
from osgp.wire import (
    NO_DIMS,
    Layout,
    Record,
    array,
    bind,
    flag,
    nested,
    octets,
    this,
    uint8,
    uint16,
)

MESSAGE_CODE: Final = 0x02
VERSION: Final = 1
DISCOVERY_DOMAIN: Final = b""
HASH_RANGE: Final = 0x10000
MARGIN_STEP_DB: Final = 0.5
"""Unit of the signal margins."""
NO_IDLE_TIME: Final = 0xFFFF
"""Minutes without contact that no device reaches: foreign devices keep silent."""


class Kind(IntEnum):
    QUERY = 1
    ANSWER = 2
    SEALED = 3


class Command(IntEnum):
    """What SEALED carries; none of these is a code of the table services."""

    SEARCH = 0xA1
    FETCH = 0xA2


class DiscoveryQuery(Record, byte_order="big"):
    """Who has a hash in low..high and is not registered, or is not in contact any more?"""

    code = uint8("02")
    version = uint8("1")
    kind = uint8("1", enum=Kind)
    salt = uint16("makes hashes differ from round to round; the answer repeats it")
    low = uint16("lowest hash asked for")
    high = uint16("highest hash asked for")
    members = flag(0, "devices that are registered in the asker's domain answer too")
    idle = uint16("devices registered elsewhere answer after this long without contact", unit="min")
    domain_size = uint8("bytes of the domain")
    domain = octets(this.domain_size, "the asker's domain")


class DiscoveryAnswer(Record, byte_order="big"):
    """I have."""

    code = uint8("02")
    version = uint8("1")
    kind = uint8("2", enum=Kind)
    salt = uint16("that of the query")
    neuron_id = octets(6)
    program_id = octets(8)
    member = flag(0, "registered in the asker's domain")
    foreign = flag(1, "registered in another one, and out of contact")
    margin = uint8("signal margin of the query, in half dB, at most 127.5", unit="dB", scale=0.5)


class SearchRequest(Record, byte_order="big"):
    """Send a query on, and keep the answers until they are fetched."""

    command = uint8("A1", enum=Command)
    salt = uint16("of the query")
    low = uint16("of the query")
    high = uint16("of the query")
    members = flag(0, "of the query")
    secondary = flag(1, "send it on the alternate path")
    idle = uint16("of the query", unit="min")


class FetchRequest(Record, byte_order="big"):
    """What was found, from entry `first` on?"""

    command = uint8("A2", enum=Command)
    salt = uint16("of the search")
    first = uint8("entry to begin with")


class FoundDevice(Record, byte_order="big"):
    """One answer that a searching device heard."""

    neuron_id = octets(6)
    program_id = octets(8)
    member = flag(0, "as in the answer")
    foreign = flag(1, "as in the answer")
    outward = uint8("signal margin of the query", unit="dB", scale=0.5)
    inward = uint8("signal margin of the answer", unit="dB", scale=0.5)


class SearchResponse(Record, byte_order="big"):
    """The query is on its way, or not."""

    code = uint8("response code")
    salt = uint16("of the search")


class FetchResponse(Record, byte_order="big"):
    """A piece of what was found."""

    code = uint8("response code")
    salt = uint16("of the search")
    running = flag(0, "answers may still come")
    total = uint8("devices heard so far")
    count = uint8("entries that follow")
    found = array(nested(FoundDevice), this.count)


QUERY: Final = bind(DiscoveryQuery, NO_DIMS)
ANSWER: Final = bind(DiscoveryAnswer, NO_DIMS)
SEARCH_RESPONSE: Final = bind(SearchResponse, NO_DIMS)
FETCH_RESPONSE: Final = bind(FetchResponse, NO_DIMS)
COMMANDS: Final[dict[int, Layout[Record]]] = {
    Command.SEARCH: bind(SearchRequest, NO_DIMS),
    Command.FETCH: bind(FetchRequest, NO_DIMS),
}
ENVELOPE: Final = bytes((MESSAGE_CODE, VERSION, Kind.SEALED))
PAGE: Final = 5
"""Entries of one FETCH response: with everything around them it stays below 114 bytes."""


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
    """The 16-bit hash that decides who answers: the first two bytes of a SHA-256.

    A CRC would not do: it is linear, so that two devices whose hashes are close for one salt are
    close for every salt, and would drown each other's answers for ever.
    """
    return int.from_bytes(sha256(salt.to_bytes(2, "big") + neuron_id).digest()[:2], "big")


def alone(neuron_id: bytes, salt: int) -> HashRange:
    """The narrowest range with this device in it; one in 65536 others shares it."""
    own = id_hash(neuron_id, salt)
    return HashRange(own, own)


def query(
    salt: int,
    wanted: HashRange,
    *,
    domain: bytes = DISCOVERY_DOMAIN,
    members: bool = False,
    idle: int = NO_IDLE_TIME,
) -> bytes:
    """The APDU of a query. `domain`: the asker's; `idle` in minutes."""
    return QUERY.encode(
        DiscoveryQuery.make(
            code=MESSAGE_CODE,
            version=VERSION,
            kind=Kind.QUERY,
            salt=salt,
            low=wanted.low,
            high=wanted.high,
            members=members,
            idle=idle,
            domain_size=len(domain),
            domain=domain,
        )
    )


def parse_query(apdu: bytes) -> DiscoveryQuery:
    """Raises DecodeError for anything that is no query of this version."""
    asked = QUERY.decode(apdu)
    if (asked.code, asked.version, asked.kind) != (MESSAGE_CODE, VERSION, Kind.QUERY):
        raise DecodeError("no ATM query of version 1")
    return asked


def parse_answer(apdu: bytes, salt: int | None = None) -> DiscoveryAnswer:
    """Raises DecodeError for anything that is no answer of this version, or to another query."""
    answer = ANSWER.decode(apdu)
    if (answer.code, answer.version, answer.kind) != (MESSAGE_CODE, VERSION, Kind.ANSWER):
        raise DecodeError("no ATM answer of version 1")
    if salt is not None and answer.salt != salt:
        raise DecodeError("the answer to another query")
    return answer


def margin_code(margin_db: float) -> int:
    """A margin as it is sent."""
    return max(0, min(255, round(margin_db / MARGIN_STEP_DB)))


class Registration(msgspec.Struct, frozen=True):
    """A device's own view: the `domain` it is registered in (None: in none), and for how many
    `idle` minutes nobody of it has been in touch; `active` minutes count as contact (ET55.15)."""

    domain: bytes | None = None
    idle: int = 0
    active: int = 60


@lru_cache(maxsize=16)  # a query is broadcast: all who hear it look at the same bytes
def _asked(apdu: bytes) -> DiscoveryQuery | None:
    try:
        return parse_query(apdu)
    except DecodeError:
        return None


@lru_cache(maxsize=16)
def _asked_in(frame: bytes) -> DiscoveryQuery | None:
    apdu = broadcast_request(frame)
    return None if apdu is None else _asked(apdu)


class Responder:
    """A device's side of discovery."""

    def __init__(self, neuron_id: bytes, program_id: bytes) -> None:
        self._neuron_id, self._program_id = neuron_id, program_id
        self._salt, self._hash = -1, 0

    def ignores(self, frame: bytes, domain: bytes | None) -> bool:
        """Whether `frame` is a query that this device, registered in `domain`, is not meant by.

        Queries are broadcast to all and meant for few: this is to be asked before the frame is
        taken apart. What is not clearly such a query is not ignored.
        """
        asked = _asked_in(frame)
        if asked is None:
            return False
        if asked.domain == domain and not asked.members:
            return True
        return not asked.low <= self._hash_with(asked.salt) <= asked.high

    def _hash_with(self, salt: int) -> int:
        if salt != self._salt:
            self._salt, self._hash = salt, id_hash(self._neuron_id, salt)
        return self._hash

    def answer(self, apdu: bytes, margin_db: float, registration: Registration) -> bytes | None:
        """The answer to a query; None where the device keeps silent.

        It does when it is registered and in contact with another concentrator, or with the asker,
        who did not ask for members; when the range is not its own; and for anything that is no
        query of this version.
        """
        asked = _asked(apdu)
        if asked is None:
            return None
        if not asked.low <= self._hash_with(asked.salt) <= asked.high:
            return None
        if not _speaks(asked, registration):
            return None
        member = registration.domain == asked.domain
        return ANSWER.encode(
            DiscoveryAnswer.make(
                code=MESSAGE_CODE,
                version=VERSION,
                kind=Kind.ANSWER,
                salt=asked.salt,
                neuron_id=self._neuron_id,
                program_id=self._program_id,
                member=member,
                foreign=registration.domain is not None and not member,
                margin=margin_code(margin_db),
            )
        )


def _speaks(asked: DiscoveryQuery, registration: Registration) -> bool:
    if registration.domain is None:
        return True
    if registration.domain == asked.domain:
        return asked.members
    return registration.idle >= max(asked.idle, registration.active)
