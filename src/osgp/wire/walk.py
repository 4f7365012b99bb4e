"""Every field of a decoded record with its path: what listings, stores and exports iterate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .kinds import Array, Kind, Nested
from .record import Field, Record


class Leaf(NamedTuple):
    """A field that holds a value, and where it is."""

    path: str
    field: Field
    value: Any

    @property
    def scaled(self) -> Any:
        """The value in the field's unit."""
        scale = self.field.scale
        return self.value if scale is None or self.value is None else self.value * scale


def walk(record: Record, prefix: str = "") -> Iterator[Leaf]:
    """Leaves of `record` in order of the image; fields this layout lacks are left out."""
    for field in record.wire_fields:
        value = getattr(record, field.name)
        if value is not None:
            yield from _leaves(field, value, f"{prefix}{field.name}")


def values(record: Record) -> list[Any]:
    """Values of `walk` alone, in its order: for records of one layout, whose paths are known."""
    found: list[Any] = []
    for field in record.wire_fields:
        value = getattr(record, field.name)
        if value is not None:
            _collect(field.kind, value, found)
    return found


def _collect(kind: Kind, value: Any, found: list[Any]) -> None:
    match kind:
        case Nested():
            found += values(value)
        case Array(element, _, _) if isinstance(element.kind, Nested | Array):
            for item in value:
                _collect(element.kind, item, found)
        case Array():
            found += value
        case _:
            found.append(value)


def _leaves(field: Field, value: Any, path: str) -> Iterator[Leaf]:
    match field.kind:
        case Nested():
            yield from walk(value, f"{path}.")
        case Array(element, _, _):
            inherited = (
                element if element.unit or field.unit is None else _with_unit(element, field)
            )
            for index, item in enumerate(value):
                yield from _leaves(inherited, item, f"{path}[{index}]")
        case _:
            yield Leaf(path, field, value)


def _with_unit(element: Field, array: Field) -> Field:
    return Field(kind=element.kind, meaning=array.meaning, unit=array.unit, scale=array.scale)
