"""Circular lists besides the load profile: event logs (BT74, ET79) and self-reads (BT26)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from osgp.concentrator.eventlog import runs
from osgp.errors import DecodeError, UsageError
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.spec.codes import USERS
from osgp.spec.source_ids import Quantity
from osgp.wire import Layout, Ring

from .energy_unit import energy_unit, scale_of
from .survey import energy_quantity

LOGS: Final = ("BT74", "ET79")
SELF_READS: Final = "BT26"


class LoggedEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry: when (UTC, None where the entry has no valid time), what, and who was there."""

    table: str
    sequence: int
    time: datetime | None
    event: int
    name: str
    detail: str = ""
    argument: str = ""
    user: str = ""


class SelfRead(msgspec.Struct, frozen=True, omit_defaults=True):
    """Registers at one time (local, as the meter keeps it): (name, unit, total, per tier)."""

    sequence: int
    time: datetime | None
    registers: tuple[tuple[str, str, int, tuple[int, ...]], ...]
    season: int | None = None


def read_events(reader: DeviceReader, newest: int | None = None) -> Exchange[list[LoggedEvent]]:
    """All logs, oldest first; at most the `newest` entries of each. Raises UsageError: no log."""
    events: list[LoggedEvent] = []
    there = False
    for table in LOGS:
        if (yield from reader.has(table)):
            there = True
            events += yield from _log(reader, table, newest)
    if not there:
        raise UsageError("this meter has no event log: its BT00 lists neither BT74 nor ET79")
    return sorted(events, key=lambda event: event.sequence)


def read_self_reads(reader: DeviceReader) -> Exchange[list[SelfRead]]:
    """BT26, oldest first. Raises UsageError where there is no such table."""
    if not (yield from reader.has(SELF_READS)):
        raise UsageError("this meter has no self-reads: its BT00 does not list BT26")
    layout: Layout[Any] = yield from reader.layout(SELF_READS)
    names = yield from _registers(reader)
    unit = yield from energy_unit(reader)
    capacity = reader.dims["BT21"].number_of_self_reads
    if not capacity:
        return []
    ring = yield from _ring(reader, SELF_READS, layout, capacity)
    found = []
    for entry in ring.entries():
        records = yield from reader.part(
            SELF_READS, f"entries[{entry.element}:{entry.element + 1}]"
        )
        found.append(_self_read(entry.sequence, records[0], names, unit))
    return found


def _log(reader: DeviceReader, table: str, newest: int | None) -> Exchange[list[LoggedEvent]]:
    layout: Layout[Any] = yield from reader.layout(table)
    size = layout.size or 0
    first = layout.span("entries").offset
    if size <= first:
        return []
    entry_size = layout.element("entries[0]").size or 1
    ring = yield from _ring(reader, table, layout, (size - first) // entry_size)
    entries = list(ring.entries())
    entries = entries if newest is None else entries[-newest:]
    events = []
    for run in runs(entries):
        records = yield from reader.part(table, f"entries[{run[0].element}:{run[-1].element + 1}]")
        events += [
            _event(table, entry.sequence, record)
            for entry, record in zip(run, records, strict=True)
        ]
    return events


def _ring(reader: DeviceReader, table: str, layout: Layout[Any], capacity: int) -> Exchange[Ring]:
    """The list's header: the table decoded with no entry in it."""
    first = layout.span("entries").offset
    data = yield from reader.bytes_at(tables[table], 0, first)
    header = layout.decode(data + bytes((layout.size or first) - first))
    return Ring(
        capacity,
        header.number_of_valid_entries,
        header.last_entry_element,
        header.last_entry_sequence_number,
    )


def _event(table: str, sequence: int, record: Any) -> LoggedEvent:
    said = record.occurrence
    user = USERS.get(record.user_id, f"optical user {record.user_id}")
    time = _moment(record.time)
    argument = record.argument.hex()
    who = "" if user == "none" else user
    return LoggedEvent(table, sequence, time, record.event, said.name, said.detail, argument, who)


def _registers(reader: DeviceReader) -> Exchange[list[tuple[str, str]]]:
    selection = yield from reader.once("BT22")
    named = [energy_quantity(source, {}) for source in selection.summation_sources]
    return [
        (quantity.name, quantity.unit) if isinstance(quantity, Quantity) else (str(quantity), "")
        for quantity in named
    ]


def _self_read(
    sequence: int, record: Any, names: list[tuple[str, str]], register_unit: int
) -> SelfRead:
    data = record.register_data
    tiers = [block.summations for block in data.tier_data_block]
    scales = [scale_of(unit, register_unit) for _, unit in names]
    registers = tuple(
        (name, unit, value * scales[index], tuple(tier[index] * scales[index] for tier in tiers))
        for index, ((name, unit), value) in enumerate(
            zip(names, data.total_data_block.summations, strict=False)
        )
    )
    return SelfRead(sequence, _moment(record.date_time), registers, record.season)


def _moment(stamp: Any) -> datetime | None:
    if stamp is None:
        return None
    try:
        moment: datetime = stamp.to_datetime()
    except DecodeError:
        return None
    return moment


__all__ = ["LoggedEvent", "SelfRead", "read_events", "read_self_reads"]
