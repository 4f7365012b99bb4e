"""The client of the table services as local ports need it: full reads with a way out."""

from __future__ import annotations

from collections.abc import Callable

from osgp.errors import (
    InappropriateActionRequested,
    OperationNotPossible,
    ServiceFailed,
    ServiceNotSupported,
)
from osgp.security.suite import ClientSecurity
from osgp.session import Exchange, TableClient
from osgp.spec.services import Limits

REFUSALS = (
    ServiceFailed,
    ServiceNotSupported,
    OperationNotPossible,
    InappropriateActionRequested,
)
"""How meters say that they do not give a table as a whole."""


class PortTables(TableClient):
    """A `TableClient` that knows meters which refuse full reads of some tables.

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
