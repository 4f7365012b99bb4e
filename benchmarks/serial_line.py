"""A serial line in virtual time between two ports: what it carried, and how long it took."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Any, Protocol

from osgp.ports import Caller, Line
from osgp.session import Exchange


class Machine(Protocol):
    def receive(self, data: bytes, now: float) -> None: ...
    def data_to_send(self, now: float) -> bytes: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def next_event(self) -> Any: ...


class SerialLine:
    """`client` on one end, a meter's port on the other; `carried` counts bytes of both ways."""

    def __init__(self, client: Caller, server: Machine, line: Line, now: float) -> None:
        self.now, self.carried = now, 0
        self._client, self._ends, self._line = client, (client, server), line
        self._free = [now, now]
        self._arrivals: list[tuple[float, int, int, bytes]] = []
        self._order = count()

    def call(self, exchange: Exchange[Any]) -> Any:
        """What a conversation returns."""
        self._client.start(exchange, self.now)
        while not self._client.finished:
            self._depart()
            self.now = max(self.now, self._next())
            self._arrive()
        return self._client.result()

    def _depart(self) -> None:
        for index, end in enumerate(self._ends):
            while data := end.data_to_send(self.now):
                self.carried += len(data)
                begins = max(self.now, self._free[index])
                self._free[index] = begins + self._line.airtime(len(data))
                arrival = (self._free[index], next(self._order), 1 - index, data)
                heapq.heappush(self._arrivals, arrival)
            while end.next_event() is not None:
                pass

    def _next(self) -> float:
        timers = [timer for end in self._ends if (timer := end.next_timer()) is not None]
        return min([*timers, *(arrival[0] for arrival in self._arrivals[:1])])

    def _arrive(self) -> None:
        while self._arrivals and self._arrivals[0][0] <= self.now:
            _, _, to, data = heapq.heappop(self._arrivals)
            self._ends[to].receive(data, self.now)
        for end in self._ends:
            if (timer := end.next_timer()) is not None and timer <= self.now:
                end.handle_timer(self.now)
