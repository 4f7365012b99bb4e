"""A meter's ports live on its supply: without mains the optical head and the MEP port are dead.

UP --supply lost--> DOWN, where bytes come to nothing; DOWN --supply back--> UP with a port that
begins anew: whatever session there was is gone. So it is after a restart that nobody noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Port(Protocol):
    """The meter's side of a port."""

    def receive(self, data: bytes, now: float) -> None: ...
    def data_to_send(self, now: float) -> bytes: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def next_event(self) -> Any: ...


class SuppliedPort:
    """A port from `make`, one for each life of the meter; `life` None: it has no supply now."""

    def __init__(self, make: Callable[[], Port], life: Callable[[float], int | None]) -> None:
        self._make, self._life = make, life
        self._port: Port | None = None
        self._lived: int | None = None

    def receive(self, data: bytes, now: float) -> None:
        if (port := self._alive(now)) is not None:
            port.receive(data, now)

    def data_to_send(self, now: float) -> bytes:
        port = self._alive(now)
        return b"" if port is None else port.data_to_send(now)

    def next_timer(self) -> float | None:
        return None if self._port is None else self._port.next_timer()

    def handle_timer(self, now: float) -> None:
        if (port := self._alive(now)) is not None:
            port.handle_timer(now)

    def next_event(self) -> Any:
        return None if self._port is None else self._port.next_event()

    def _alive(self, now: float) -> Port | None:
        life = self._life(now)
        if life != self._lived:
            self._lived = life
            self._port = None if life is None else self._make()
        return self._port


__all__ = ["SuppliedPort"]
