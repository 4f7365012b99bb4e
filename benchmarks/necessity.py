"""What has to cross the line so that a device is found, commissioned and read once.

Per device, over each link of its chain, both ways, at line rate and with preamble:

    discovery       one answer (the queries are shared by all, and not counted)
    commissioning   each exchange once: joining, going online, the phase
    reading         every byte of a table that was read, once, in the fewest requests that the
                    port's limit of 84 bytes allows; and each procedure that was called

Every frame is counted with the 12 bytes of its LPDU around the APDU. What an implementation does
besides is none of it: queries, searches, repetitions, a table read twice or in more pieces than
needed, lists of repeaters, collisions, responses to what was lost, reading the same again.

`shared` is a harder bound: what turned out to be the same in every device, such as the tables
that give the dimensions of others, would have to cross once for all. It is what could be reached
by believing a device to be like its neighbours, which this concentrator does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from osgp.channel import Access
from osgp.spec.services import PLC_LIMITS

FRAME: Final = 12
"""Layer 2 header 1, network header 1, addresses 4, domain 3, transaction 1, CRC 2."""
ANSWER: Final = FRAME - 3 + 21
"""The discovery domain has no bytes."""
READ: Final = b"\x00\x3f"
"""Code of table services, partial read."""
_HEAD: Final = 9
"""Code, command, table(2), offset(3), count(2): what follows is the seal."""

Image = dict[int, int]
"""Bytes of a table, by their place."""


class Exchange(msgspec.Struct, frozen=True):
    """APDU lengths of one request and its answer."""

    request: int
    answer: int


class Necessity:
    """Listens to a concentrator's exchanges (`Network.heed`)."""

    def __init__(self) -> None:
        self._tables: dict[bytes, dict[int, Image]] = defaultdict(lambda: defaultdict(dict))
        self._others: dict[bytes, dict[bytes, Exchange]] = defaultdict(dict)
        self._sealed = 0
        self._around = 0

    def heed(self, neuron_id: bytes, request: bytes, answer: bytes) -> None:
        """One exchange that succeeded."""
        if not request.startswith(READ) or answer[:2] != b"\x00\x00":
            self._others[neuron_id][request] = Exchange(len(request), len(answer))
            return
        table, offset, count = (int.from_bytes(request[a:b], "big") for a, b in _FIELDS)
        self._sealed = len(request) - _HEAD
        self._around = len(answer) - count
        data = answer[_DATA : _DATA + count]
        self._tables[neuron_id][table].update(zip(range(offset, offset + count), data, strict=True))

    def exchanges(self, neuron_id: bytes) -> list[Exchange]:
        """What one device needs, whatever the others have."""
        images = self._tables[neuron_id].values()
        return [*self._others[neuron_id].values(), *self._reads(images)]

    def common(self) -> list[Exchange]:
        """Reads of tables that are the same in every device."""
        return self._reads(self._same().values())

    def own(self, neuron_id: bytes) -> list[Exchange]:
        """What one device needs that the others do not have."""
        same = self._same()
        images = [image for table, image in self._tables[neuron_id].items() if table not in same]
        return [*self._others[neuron_id].values(), *self._reads(images)]

    def _same(self) -> dict[int, Image]:
        first, *rest = self._tables.values()
        return {
            table: image
            for table, image in first.items()
            if all(each.get(table) == image for each in rest)
        }

    def _reads(self, images: Iterable[Image]) -> list[Exchange]:
        sizes = (size for image in images for size in pieces(sorted(image)))
        return [Exchange(_HEAD + self._sealed, self._around + size) for size in sizes]


_FIELDS: Final = ((2, 4), (4, 7), (7, 9))
_DATA: Final = 4
"""Message code, response code, count."""


def pieces(places: list[int], limit: int = PLC_LIMITS.read) -> list[int]:
    """Sizes of the fewest reads that bring these bytes of a table and no others."""
    sizes: list[int] = []
    before = -2
    for place in places:
        if place == before + 1 and sizes and sizes[-1] < limit:
            sizes[-1] += 1
        else:
            sizes.append(1)
        before = place
    return sizes


def airtime(exchanges: Iterable[Exchange], access: Access) -> float:
    """Seconds over one link."""
    return sum(
        access.airtime(FRAME + each.request) + access.airtime(FRAME + each.answer)
        for each in exchanges
    )
