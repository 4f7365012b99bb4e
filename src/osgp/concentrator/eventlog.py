"""Reading what is new in the event log BT74 (clause 8.10)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from osgp.errors import DecodeError
from osgp.session import Exchange, TableClient
from osgp.session.procedures import call
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.spec.events import EVENT_NAMES
from osgp.spec.procedures.basic import UpdateLastReadEntry
from osgp.wire import Layout, Ring
from osgp.wire.rings import Entry

from .sink import LoggedEvent

TABLE = "BT74"

HISTORY_LOG = 8
"""The list of BT74 in BP05."""


def new_events(reader: DeviceReader, after: int | None) -> Exchange[list[LoggedEvent]]:
    """Entries with a sequence number above `after`, oldest first; none without an event log.

    Raises what `DeviceReader.table` raises.
    """
    if not (yield from reader.has(TABLE)):
        return []
    layout: Layout[Any] = yield from reader.layout(TABLE)
    capacity = reader.dims["BT71"].number_of_history_entries
    if not capacity:
        return []
    header = yield from _header(reader, layout)
    ring = Ring(
        capacity,
        header.number_of_valid_entries,
        header.last_entry_element,
        header.last_entry_sequence_number,
    )
    events: list[LoggedEvent] = []
    for run in runs(list(ring.entries(after))):
        path = f"entries[{run[0].element}:{run[-1].element + 1}]"
        records = yield from reader.part(TABLE, path)
        events += (_event(entry, record) for entry, record in zip(run, records, strict=True))
    return events


def update_event_pointer(client: TableClient, entries: int, sequence: int) -> Exchange[None]:
    """Marks the oldest `entries` unread entries as read (BP05)."""
    update = UpdateLastReadEntry(HISTORY_LOG, entries)
    yield from call(client, update, sequence)


def _header(reader: DeviceReader, layout: Layout[Any]) -> Exchange[Any]:
    """The table, decoded with no entry in it."""
    size = layout.span("entries[0]").offset
    data = yield from reader.bytes_at(tables[TABLE], 0, size)
    return layout.decode(data + bytes((layout.size or size) - size))


def runs(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries that stand side by side in the table: what one read can bring."""
    run: list[Entry] = entries[:1]
    for last, entry in pairwise(entries):
        if entry.element != last.element + 1:
            yield run
            run = []
        run.append(entry)
    if run:
        yield run


def _event(entry: Entry, record: Any) -> LoggedEvent:
    if record.time is None:
        raise DecodeError("events without a time cannot be kept", table=TABLE)
    at = int(record.time.to_datetime().timestamp())
    argument = int.from_bytes(record.argument, "little")
    name = EVENT_NAMES.get(record.event, "")
    return LoggedEvent(entry.sequence, at, record.event, argument, record.user_id, name)
