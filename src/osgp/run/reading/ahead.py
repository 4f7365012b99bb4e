"""Bytes of a table that are fetched in one go, because they will be wanted piece by piece.

Each request costs its own bytes and, on the MEP port, a tenth of a second; a piece that was fetched
with its neighbours costs nothing. What was not foreseen is read when it is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import Table

PIECE: Final = 4096
"""Bytes between two signs of progress: about four seconds at 9600 baud."""


class ReadAhead:
    """Reads one table by offset, from what was fetched where that is possible."""

    def __init__(self, reader: DeviceReader, table: type[Table]) -> None:
        self._reader, self._table = reader, table
        self._fetched: list[tuple[int, bytes]] = []

    def fetch(self, spans: Iterable[tuple[int, int]]) -> Exchange[None]:
        """Reads (begin, end) spans; those that touch each other as one. Raises as `bytes_at`."""
        for begin, end in joined(spans):
            data = bytearray()
            for at in range(begin, end, PIECE):
                data += yield from self._reader.bytes_at(self._table, at, min(PIECE, end - at))
            self._fetched.append((begin, bytes(data)))

    def bytes_at(self, offset: int, count: int) -> Exchange[bytes]:
        """Raises as `DeviceReader.bytes_at`."""
        for begin, data in self._fetched:
            if begin <= offset and offset + count <= begin + len(data):
                return data[offset - begin : offset - begin + count]
        return (yield from self._reader.bytes_at(self._table, offset, count))


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order of their places, with those that touch made one."""
    whole: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if whole and begin <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(whole[-1][1], end)
        else:
            whole.append((begin, end))
    return whole


__all__ = ["ReadAhead", "joined"]
