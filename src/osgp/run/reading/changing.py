"""`osgp write` and `osgp call`: what would be sent, and sending it once.

A plan is made first: it reads what it needs, and holds the bytes that would go. Sending a plan is
never begun anew by itself, for it may have been executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from osgp.errors import DecodeError, UsageError
from osgp.export.assign import assembled
from osgp.export.lookup import find
from osgp.export.plain import plain
from osgp.session import Exchange
from osgp.session.procedures import answered_in, call, next_number
from osgp.session.reader import DeviceReader
from osgp.spec import EXTENDED, Procedure, Table
from osgp.spec.tables.general import ProcedureInitiate
from osgp.wire import NO_DIMS, Layout, bind
from osgp.wire.resolve import Resolved, resolve

from .wanted import Wanted

_MANUFACTURER_BIT: Final = 11
Pair = tuple[str, str]


class Change(msgspec.Struct, frozen=True):
    """Bytes that replace others in one table. `offset` None: the table as a whole."""

    table: str
    number: int
    offset: int | None
    before: bytes
    after: bytes


class Call(msgspec.Struct, frozen=True):
    """A procedure with its parameters; `image` is what would be written to BT07."""

    procedure: Procedure
    sequence: int
    image: bytes


def plan_write(
    reader: DeviceReader, one: Wanted, pairs: Sequence[Pair], data: bytes | None
) -> Exchange[list[Change]]:
    """The writes that `ET50.30=1`-like pairs, or raw `data` for a table or field, come to.

    Raises UsageError, EncodeError, PathError, and as `DeviceReader.table`.
    """
    yield from _check_writable(reader, one.table)
    layout = yield from reader.layout(one.table)
    if data is not None:
        place = Resolved("", 0, len(data)) if one.field is None else resolve(layout, one.field)
        if place.bits is not None or len(data) != place.size:
            raise UsageError(f"{one.table}: {place.size} bytes are there, {len(data)} are given")
        return [(yield from _change(reader, one.table, place, data, whole=one.field is None))]
    image = layout.encode((yield from reader.table(one.table)))
    changed = layout.encode(assembled(layout, plain(layout.decode(image)), pairs))
    if len(changed) != len(image):
        raise UsageError(f"{one.table} would have {len(changed)} bytes instead of {len(image)}")
    return _changes(one.table, [resolve(layout, name) for name, _ in pairs], image, changed)


def check_unchanged(reader: DeviceReader, changes: Sequence[Change]) -> Exchange[None]:
    """Raises UsageError where a table is not any more what it was when the writes were planned."""
    for change in changes:
        declaration = find(change.table)
        assert issubclass(declaration, Table)
        now = yield from reader.bytes_at(declaration, change.offset or 0, len(change.before))
        if now != change.before:
            raise UsageError(f"{change.table} has changed meanwhile: nothing was written")


def send_write(reader: DeviceReader, changes: Sequence[Change]) -> Exchange[None]:
    """Writes, in order. Raises ServiceError, SecurityError, TransportError."""
    for change in changes:
        if change.offset is None:
            yield from reader.client.write_whole(change.number, change.after)
        else:
            yield from reader.client.write(change.number, change.after, change.offset)


def plan_call(reader: DeviceReader, name: str, pairs: Sequence[Pair]) -> Exchange[Call]:
    """The call that would be made. Raises UsageError, EncodeError."""
    declaration = find(name, procedure=True)
    if not issubclass(declaration, Procedure):
        raise UsageError(f"{name} is a table: `osgp write {name}`")
    yield from check_callable(reader, declaration)
    layout = declaration.bind(reader.dims)
    parameters: Any = assembled(layout, {}, pairs)
    sequence = yield from next_sequence(reader)
    return Call(parameters, sequence, _initiate(parameters, sequence, layout))


def renumbered(reader: DeviceReader, planned: Call) -> Exchange[Call]:
    """The same call with a number that is free now: somebody else may have called meanwhile."""
    sequence = yield from next_sequence(reader)
    layout = type(planned.procedure).bind(reader.dims)
    image = _initiate(planned.procedure, sequence, layout)
    return msgspec.structs.replace(planned, sequence=sequence, image=image)


def _initiate(parameters: Procedure, sequence: int, layout: Layout[Any]) -> bytes:
    """The image of BT07."""
    number = parameters.info.number
    request = ProcedureInitiate.make(
        procedure_number=number & (1 << _MANUFACTURER_BIT) - 1,
        extended=number >= EXTENDED,
        response_handling=0,
        sequence_number=sequence,
        parameters=layout.encode(parameters),
    )
    return ProcedureInitiate.bind().encode(request)


def send_call(reader: DeviceReader, planned: Call) -> Exchange[Any]:
    """Calls; the response as a dictionary where its layout is known, else as hex digits.

    Raises ProcedureError, ServiceError, SecurityError, TransportError.
    """
    answers = yield from answered_in(reader)
    data = yield from call(reader.client, planned.procedure, planned.sequence, reader.dims, answers)
    response = type(planned.procedure).info.response
    if response is None or not data:
        return data.hex()
    try:
        return plain(bind(response, NO_DIMS).decode(data))
    except DecodeError:
        return data.hex()


def next_sequence(reader: DeviceReader) -> Exchange[int]:
    """A number that the last call did not have: meters refuse a repeated one."""
    answers = yield from answered_in(reader)
    return (yield from next_number(reader.client, answers))


def _check_writable(reader: DeviceReader, table: str) -> Exchange[None]:
    if not (yield from reader.has(table)):
        raise UsageError(f"this meter has no {table}: its BT00 does not list it")


def check_callable(reader: DeviceReader, declaration: type[Procedure]) -> Exchange[None]:
    yield from reader.has("BT00")
    configuration = yield from reader.once("BT00")
    number = declaration.info.number
    extended = number >= EXTENDED
    used = (
        configuration.extended_procedures_used if extended else configuration.basic_procedures_used
    )
    if number % EXTENDED not in used:
        raise UsageError(f"this meter has no {declaration.info.name}: its BT00 does not list it")


def _change(
    reader: DeviceReader, table: str, place: Resolved, data: bytes, *, whole: bool
) -> Exchange[Change]:
    declaration = find(table)
    assert issubclass(declaration, Table)
    before = yield from reader.bytes_at(declaration, place.offset, place.size)
    return Change(table, declaration.info.number, None if whole else place.offset, before, data)


def _changes(table: str, places: list[Resolved], image: bytes, changed: bytes) -> list[Change]:
    """The bytes of each named field: whole fields, and nothing else, are written."""
    number = find(table).info.number
    spans = sorted({(place.offset, place.offset + place.size) for place in places})
    return [Change(table, number, at, image[at:end], changed[at:end]) for at, end in spans]


__all__ = [
    "Call",
    "Change",
    "check_unchanged",
    "plan_call",
    "plan_write",
    "renumbered",
    "send_call",
    "send_write",
]
