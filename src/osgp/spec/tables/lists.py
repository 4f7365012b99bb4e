"""The header that most logs begin with, and the entries they share.

Bits that no field uses are named here, because tables that build on these add fields behind them.
"""

from __future__ import annotations

from osgp.spec.declare import Table
from osgp.wire import Ref, bits, flag, uint8, uint16

ET36 = Ref("ET36")

LOGS = ("ET31", "ET32", "ET38", "ET41", "ET45", "ET75", "ET81")
"""Logs with a size in ET36, in its order."""


def entries_of(table: str) -> Ref:
    """Entries of a log, as ET36 has them."""
    return ET36.logs[LOGS.index(table)].current_entries


class CircularList(Table):
    """Header of 6 bytes: C12.19's list flags, counts of one byte."""

    order = flag(0, "descending", vci="F", default=False)
    overflow = flag(1, "unread entries were lost", vci="M")
    list_type = flag(2, "circular, not FIFO", vci="F", default=True)
    inhibit_overflow = flag(3, "new entries are refused when full", vci="F", default=False)
    filler = bits(4, 7, "0")
    number_of_valid_entries = uint8("entries with data", vci="M")
    last_entry_element = uint8("index of the newest entry", vci="M")
    last_entry_sequence_number = uint16("sequence number, never reset", vci="M")
    number_of_unread_entries = uint8("entries not read", vci="M,H")


class LongCircularList(Table):
    """Header of 9 bytes: C12.19's list flags, counts of two bytes."""

    order = flag(0, "descending", vci="F", default=False)
    overflow = flag(1, "unread entries were lost", vci="M")
    list_type = flag(2, "circular, not FIFO", vci="F", default=True)
    inhibit_overflow = flag(3, "new entries are refused when full", vci="F", default=False)
    filler = bits(4, 7, "0")
    number_of_valid_entries = uint16("entries with data", vci="M")
    last_entry_element = uint16("index of the newest entry", vci="M")
    last_entry_sequence_number = uint16("sequence number, never reset", vci="M")
    number_of_unread_entries = uint16("entries not moved to ET45", vci="M,H")


__all__ = ["LOGS", "CircularList", "LongCircularList", "entries_of"]
