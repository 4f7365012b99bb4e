"""The event log (BT74): a circular list, each entry kept in a memory cell of its own.

Times are readings of the meter's UTC clock in seconds; sequence numbers count from 1 and are never
reset (MEP guide, BT74, from firmware 3.70). Overwriting an unread entry sets `overflow` until the
host moves the list pointers (BP04, BP05).
"""

from __future__ import annotations

from typing import Final

import msgspec

from osgp.errors import DecodeError, InvalidParameter
from osgp.meter.nvm import Nvm

CELL: Final = "log"
NOBODY: Final = 0xFFFF
"""User id: nobody was logged in (`osgp.spec.codes.USERS`)."""
_SEQUENCES: Final = 1 << 32
_ARGUMENTS: Final = 1 << 16


class LogEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event; `time` is the meter's UTC in seconds."""

    sequence: int
    time: int
    event: int
    argument: int = 0
    user: int = NOBODY


class LogState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """BT74's header."""

    valid: int = 0
    element: int = 0
    sequence: int = 0
    unread: int = 0
    overflow: bool = False


class EventLog:
    """One meter's log. Cells are put, not committed."""

    def __init__(self, nvm: Nvm, capacity: int) -> None:
        self._nvm, self.capacity = nvm, capacity
        self.state = LogState()
        self.elements: list[LogEntry | None] = [None] * capacity
        self._restore()

    def append(self, time: float, event: int, argument: int = 0, user: int = NOBODY) -> None:
        """Log an event; arguments keep their low 16 bits."""
        state = self.state
        element = (state.element + 1) % self.capacity if state.sequence else 0
        sequence = (state.sequence + 1) % _SEQUENCES
        entry = LogEntry(sequence, int(time), event, argument % _ARGUMENTS, user)
        self.elements[element] = entry
        self._nvm.put(f"{CELL}/{element:05d}", msgspec.msgpack.encode(entry))
        self._keep(
            LogState(
                min(state.valid + 1, self.capacity),
                element,
                sequence,
                min(state.unread + 1, self.capacity),
                state.overflow or state.unread == self.capacity,
            )
        )

    def update_last_read(self, count: int) -> None:
        """The oldest `count` unread entries were read. Raises InvalidParameter for too many."""
        if count > self.state.unread:
            raise InvalidParameter(f"{count} read, {self.state.unread} unread")
        unread = self.state.unread - count
        self._keep(msgspec.structs.replace(self.state, unread=unread, overflow=False))

    def reset_pointers(self) -> None:
        """Forget every entry; sequence numbers go on."""
        self.elements = [None] * self.capacity
        self._keep(msgspec.structs.replace(self.state, valid=0, unread=0, overflow=False))

    def entries(self) -> list[LogEntry]:
        """Valid entries, oldest first."""
        newest, valid = self.state.element, self.state.valid
        ages = range(valid - 1, -1, -1)
        found = [self.elements[(newest - age) % self.capacity] for age in ages]
        return [entry for entry in found if entry is not None]

    def _keep(self, state: LogState) -> None:
        self.state = state
        self._nvm.put(CELL, msgspec.msgpack.encode(state))

    def _restore(self) -> None:
        stored = self._nvm.get(CELL)
        if stored is None:
            return
        try:
            self.state = msgspec.msgpack.decode(stored, type=LogState)
            found = [
                msgspec.msgpack.decode(value, type=LogEntry)
                for _, value in self._nvm.items(f"{CELL}/")
            ]
        except msgspec.MsgspecError as error:
            raise DecodeError(f"no saved log: {error}") from error
        for entry in found:
            self._place(entry)

    def _place(self, entry: LogEntry) -> None:
        age = self.state.sequence - entry.sequence
        if 0 <= age < self.state.valid:
            self.elements[(self.state.element - age) % self.capacity] = entry
