"""Ends a conversation of which nothing comes: a peer may talk for ever and say nothing.

A port's own time-outs see silence. Somebody who sends packet after packet never is silent, and is
given up when no table data came for as long as the longest message takes on the line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from osgp.errors import TransportError

T = TypeVar("T")

LONGEST_MESSAGE: Final = 65_536
"""Bytes of the longest message of either port."""

BITS: Final = 10
"""Of each byte, with start and stop bit."""

SPARE: Final = 60.0
"""Seconds for retries and for a meter that thinks."""

ADVICE: Final = "is this a meter, and is its line free of others? --log FILE shows what comes"


class Patience:
    """To be made inside a running loop, for a line of `speed` bits a second."""

    def __init__(self, speed: int) -> None:
        self.lasts = SPARE + LONGEST_MESSAGE * BITS / speed
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()

    def something_came(self) -> None:
        """Begins to wait anew."""
        self._since = self._loop.time()

    async def wait(self, work: Awaitable[T]) -> T:
        """What `work` returns. Raises TransportError where nothing comes of it."""
        self.something_came()
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                left = self._since + self.lasts - self._loop.time()
                if left <= 0:
                    raise _given_up(self.lasts)
                await asyncio.wait([task], timeout=left)
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _given_up(seconds: float) -> TransportError:
    error = TransportError(f"{seconds:.0f} s of talk without any data: given up", retryable=False)
    error.hint = ADVICE
    return error


__all__ = ["Patience"]
