"""Two port machines on one cable with virtual time and a line that may spoil bytes."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count, pairwise
from typing import Any, Protocol

import msgspec

from osgp.errors import OperationNotPossible
from osgp.ports import Caller, ClientPort
from osgp.session import Exchange

MAX_STEPS = 200_000
LARGEST_PIECE = 24
"""Bytes that arrive at once; 25 ms at 9600 bits a second."""


class Machine(Protocol):
    def receive(self, data: bytes, now: float) -> None: ...
    def data_to_send(self, now: float) -> bytes: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def next_event(self) -> Any: ...


class Noise(msgspec.Struct, frozen=True):
    """Probability, for each byte, that it is dropped, doubled, flipped; for each chunk, delayed."""

    dropped: float = 0.0
    doubled: float = 0.0
    flipped: float = 0.0
    delayed: float = 0.0
    delay: float = 0.2

    def spoil(self, data: bytes, random_: random.Random) -> bytes:
        spoilt = bytearray()
        for byte in data:
            draw = random_.random()
            if draw < self.dropped:
                continue
            if draw < self.dropped + self.flipped:
                byte ^= 1 << random_.randrange(8)
            spoilt.append(byte)
            if random_.random() < self.doubled:
                spoilt.append(byte)
        return bytes(spoilt)


QUIET = Noise()


class Cable:
    """Carries bytes between `left` and `right`; keeps what went where and what was reported."""

    def __init__(
        self,
        left: Machine,
        right: Machine,
        *,
        speed: float | None = 9600.0,
        noise: Noise = QUIET,
        seed: int = 1,
        start: float = 1000.0,
    ) -> None:
        self.ends = (left, right)
        self.now = start
        self.sent: tuple[list[bytes], list[bytes]] = ([], [])
        self.reported: tuple[list[Any], list[Any]] = ([], [])
        self._speed, self.noise = speed, noise
        self._random = random.Random(seed)
        self._arrivals: list[tuple[float, int, int, bytes]] = []
        self._order = count()
        self._free = [start, start]
        self.cut = False

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Goes on until `until` or until `stop()`; an AssertionError if it does not get there."""
        for _ in range(MAX_STEPS):
            self._drain()
            due = self._next()
            if stop() or due is None or due > until:
                self.now = self.now if stop() or due is None else until
                return
            self.now = max(self.now, due)
            self._step()
        raise AssertionError("the machines never come to rest")

    def call(self, exchange: Exchange[Any], within: float = 600.0) -> Any:
        """Runs a conversation on the left end, which is a Caller."""
        caller = self.ends[0]
        assert isinstance(caller, Caller)
        caller.start(exchange, self.now)
        self.run(self.now + within, lambda: caller.finished)
        assert caller.finished, "the conversation hangs"
        return caller.result()

    def wait(self, seconds: float) -> None:
        target = self.now + seconds
        self.run(target)
        self.now = target

    def _next(self) -> float | None:
        timers = [t for end in self.ends if (t := end.next_timer()) is not None]
        if self._arrivals:
            timers.append(self._arrivals[0][0])
        return min(timers, default=None)

    def _step(self) -> None:
        while self._arrivals and self._arrivals[0][0] <= self.now:
            _, _, to, data = heapq.heappop(self._arrivals)
            self.ends[to].receive(data, self.now)
        for end in self.ends:
            if (timer := end.next_timer()) is not None and timer <= self.now:
                end.handle_timer(self.now)

    def _drain(self) -> None:
        for index, end in enumerate(self.ends):
            if data := end.data_to_send(self.now):
                self.sent[index].append(data)
                self._carry(data, index)
            while (event := end.next_event()) is not None:
                self.reported[index].append(event)

    def _carry(self, data: bytes, index: int) -> None:
        if self.cut:
            return
        begin = max(self.now, self._free[index])
        if self._random.random() < self.noise.delayed:
            begin += self.noise.delay
        for piece in self._pieces(data):
            begin += 0.0 if self._speed is None else len(piece) * 10 / self._speed
            arrived = self.noise.spoil(piece, self._random)
            if arrived:
                heapq.heappush(self._arrivals, (begin, next(self._order), 1 - index, arrived))
        self._free[index] = begin

    def _pieces(self, data: bytes) -> list[bytes]:
        cuts, size = [0], len(data)
        while cuts[-1] < size:
            cuts.append(min(size, cuts[-1] + self._random.randint(1, LARGEST_PIECE)))
        return [data[a:b] for a, b in pairwise(cuts)]


def calling(port: ClientPort, server: Machine, **kwargs: Any) -> Cable:
    return Cable(Caller(port), server, **kwargs)


class Shelf:
    """A device's tables in memory, with a note of every access."""

    def __init__(self, images: dict[int, bytes], whole_refused: frozenset[int] = frozenset()):
        self.images = {n: bytearray(image) for n, image in images.items()}
        self.whole_refused = whole_refused
        self.reads: list[tuple[int, int, int | None, str]] = []
        self.writes: list[tuple[int, int | None, bytes, str]] = []

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        self.reads.append((table, offset, count, key))
        image = self.images.get(table)
        if image is None or (count is None and table in self.whole_refused):
            raise OperationNotPossible
        end = len(image) if count is None else offset + count
        return bytes(image[offset:end]).ljust(0 if count is None else count, b"\0")

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        self.writes.append((table, offset, data, key))
        if table not in self.images:
            raise OperationNotPossible
        start = offset or 0
        self.images[table][start : start + len(data)] = data
