"""Two drivers in one process, byte for byte, without any operating system in between."""

from __future__ import annotations

import asyncio

from .driver import Driver


class MemoryTransport(asyncio.WriteTransport):
    """One end; what is written arrives at the other in the loop's next turn."""

    def __init__(self, own: Driver) -> None:
        super().__init__()
        self._own = own
        self._loop = asyncio.get_running_loop()
        self.peer: MemoryTransport | None = None
        self._ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.peer is not None:
            self._loop.call_soon(self.peer._arrive, bytes(data))

    def close(self) -> None:
        """Closes both ends, once what was written has arrived."""
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.close()
            self._loop.call_soon(self._end)

    def abort(self) -> None:
        self.close()

    def _arrive(self, data: bytes) -> None:
        if not self._ended:
            self._own.data_received(data)

    def _end(self) -> None:
        self._ended = True
        self._own.connection_lost(None)


def connect_memory(left: Driver, right: Driver) -> None:
    """Joins two drivers of the running loop."""
    ends = MemoryTransport(left), MemoryTransport(right)
    ends[0].peer, ends[1].peer = ends[1], ends[0]
    right.connection_made(ends[1])
    left.connection_made(ends[0])
