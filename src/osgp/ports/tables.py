"""The client of the table services as local ports need it: full reads with a way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from osgp.errors import (
    DataNotReady,
    DeviceBusy,
    InappropriateActionRequested,
    OperationNotPossible,
    ServiceFailed,
    ServiceNotSupported,
)
from osgp.security.suite import ClientSecurity
from osgp.session import Exchange, TableClient, Wait
from osgp.spec.services import Limits
from osgp.wire import Record

REFUSALS = (
    ServiceFailed,
    ServiceNotSupported,
    OperationNotPossible,
    InappropriateActionRequested,
)
"""How meters say that they do not give a table as a whole."""


NOT_YET: Final = (DeviceBusy, DataNotReady)
"""How meters say that the same request may succeed soon; it was not executed."""

BUSY_ATTEMPTS: Final = 5
BUSY_PAUSE: Final = 0.5
"""Seconds until a meter that was busy is asked again."""


class PortTables(TableClient):
    """A `TableClient` that knows meters which are busy, or refuse full reads of some tables.

    Some Gen4 meters refuse BT23 as a whole and give it in parts. Where the caller knows how long
    the table is, a refused full read is repeated in parts, and the table is remembered.
    """

    def __init__(
        self,
        security: ClientSecurity,
        limits: Limits,
        *,
        repeats: int,
        persist: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(security, limits=limits, repeats=repeats, persist=persist, head=b"")
        self.refuses_whole: set[int] = set()

    def whole(self, table: int, size: int) -> Exchange[bytes]:
        """A table of `size` bytes, in one full read if the device gives it so.

        Raises as `read`.
        """
        if table not in self.refuses_whole:
            try:
                return (yield from self.read_whole(table))
            except REFUSALS:
                self.refuses_whole.add(table)
        return (yield from self.read(table, 0, size))

    def _request(self, request: Record) -> Exchange[bytes]:
        """As `TableClient`, with patience for a meter that is busy."""
        for _ in range(BUSY_ATTEMPTS - 1):
            try:
                return (yield from super()._request(request))
            except NOT_YET:
                yield Wait(BUSY_PAUSE)
        return (yield from super()._request(request))
