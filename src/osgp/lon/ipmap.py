"""Which IPv4 address a LON address is reached at, and the announcements that say so.

A node whose own IPv4 address is not the one that its LON address maps to (see `udp`) says so in
every datagram ("arbitrary source"), and with an announcement, an unacknowledged message:

    60 15                           this is my address: nothing but the source counts
    60 16 | set | 32-byte bitmap    the nodes of these subnets are at their mapped addresses
    60 17 | period(4) throttle(2) ageing(4)     how often to announce, how long to remember, in ms

Source: two public stacks (EN 14908-1 expanded commands 15 to 17); one announces every 5 minutes,
the other not at all. Byte order of the times and of the bitmap's bits (bit n%8 of byte n/8 for
subnet n, as in group bitmaps) is taken from their neighbours there, not observed on the wire.
"""

from __future__ import annotations

from typing import Final

from osgp.errors import EncodeError
from osgp.lon.addresses import GroupMember, SubnetNode
from osgp.lon.nm import Code, Expanded
from osgp.lon.udp import unicast_address

HERE: Final = bytes((Code.EXPANDED, Expanded.ANNOUNCE_ADDRESS))
SUBNETS: Final = bytes((Code.EXPANDED, Expanded.ANNOUNCE_SUBNETS))
PERIODS: Final = bytes((Code.EXPANDED, Expanded.SET_ANNOUNCEMENTS))
ANNOUNCE_EVERY: Final = 300.0
"""Seconds (default of one public stack)."""
MAX_LEARNT: Final = 1024
"""Addresses that one node remembers; the oldest make room."""

_BITMAP = 32
_FOREVER = float("inf")

Place = tuple[bytes, int, int]
"""Domain, subnet, node."""


class AddressMap:
    """What one node has learnt. `period` and `ageing` in seconds; 0 of the former: never."""

    def __init__(self, period: float = ANNOUNCE_EVERY, ageing: float = _FOREVER) -> None:
        self.period, self.ageing = period, ageing
        self._learnt: dict[Place, tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._learnt)

    def learn(self, domain: bytes, source: SubnetNode, ip: str, now: float) -> None:
        """A datagram of `source` came from `ip`."""
        if not source.subnet or not source.node:
            return
        place = (domain, source.subnet, source.node)
        self._learnt.pop(place, None)
        if mapped(domain, source) == ip:
            return
        if len(self._learnt) >= MAX_LEARNT:
            del self._learnt[next(iter(self._learnt))]
        self._learnt[place] = ip, now

    def find(self, domain: bytes, to: SubnetNode | GroupMember, now: float) -> str | None:
        """The address it was heard from; None where that is not known, or too long ago."""
        ip, since = self._learnt.get((domain, to.subnet, to.node), (None, now))
        return ip if now - since <= self.ageing else None

    def told(self, apdu: bytes, domain: bytes) -> bool:
        """Takes an announcement; False where `apdu` is none."""
        if apdu.startswith(HERE):
            return True
        body = apdu[2:]
        if apdu.startswith(SUBNETS) and len(body) > _BITMAP:
            self._derive(domain, body[0], body[1:])
            return True
        if apdu.startswith(PERIODS) and len(body) >= 10:
            self.period = int.from_bytes(body[:4], "big") / 1000
            self.ageing = int.from_bytes(body[6:10], "big") / 1000 or _FOREVER
            return True
        return False

    def _derive(self, domain: bytes, wanted: int, subnets: bytes) -> None:
        if not wanted:
            return
        for place in [each for each in self._learnt if each[0] == domain]:
            if subnets[place[1] // 8] >> place[1] % 8 & 1:
                del self._learnt[place]


def mapped(domain: bytes, at: SubnetNode) -> str | None:
    """The address that a LON address maps to; None for a domain that has none."""
    try:
        return unicast_address(domain, at.subnet, at.node)
    except EncodeError:
        return None
