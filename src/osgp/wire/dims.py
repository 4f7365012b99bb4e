"""What is known of a device when a layout is bound: its dimension tables and its firmware."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from osgp.errors import DimensionError

from .expr import Expr
from .record import Record, Version

if TYPE_CHECKING:
    from .layout import Layout


class Dims(Mapping[str, Any]):
    """Decoded dimension tables by name (`"BT21"`), and the firmware version.

    Immutable: `with_table` gives a larger one. Layouts bound with it are remembered by it, so
    that looking one up again costs one dictionary access. Values are records, or mappings and
    sequences of the same shape. Without a version, the newest layout of every table holds.
    """

    __slots__ = ("_tables", "bound", "firmware")

    def __init__(
        self, tables: Mapping[str, Any] | None = None, *, firmware: Version | None = None
    ) -> None:
        self._tables: dict[str, Any] = dict(tables or {})
        self.firmware = firmware
        self.bound: dict[type[Record], Layout[Any]] = {}

    def with_table(self, name: str, record: Any) -> Dims:
        return Dims(self._tables | {name: record}, firmware=self.firmware)

    def with_firmware(self, firmware: Version) -> Dims:
        return Dims(self._tables, firmware=firmware)

    def __getitem__(self, name: str) -> Any:
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def __bool__(self) -> bool:
        """True, also where no table is known: the firmware may be, and `or` must not lose it."""
        return True

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"Dims({', '.join(self._tables)}; firmware={self.firmware})"

    def key(self, tables: frozenset[str]) -> tuple[Any, ...]:
        """Hashable content of the named tables: what a layout that reads them depends on."""
        named = ((name, _frozen(self._tables.get(name))) for name in sorted(tables))
        return (self.firmware, *named)


class Binding:
    """A scope of binding: dimensions, and the number of the array element (or None)."""

    __slots__ = ("dims", "index")

    def __init__(self, dims: Dims, index: int | None = None) -> None:
        self.dims, self.index = dims, index

    def resolve(self, table: str, path: tuple[str | Expr, ...]) -> Any:
        """The value at `path` of dimension `table`; DimensionError where there is none."""
        value: Any = self.dims.get(table)
        if value is None:
            raise DimensionError(f"the size depends on {table}, which has not been read")
        for step in path:
            value = self._step(table, value, step)
        return value

    def _step(self, table: str, value: Any, step: str | Expr) -> Any:
        key: Any = step if isinstance(step, str) else step.bind(self).evaluate({})
        try:
            if isinstance(key, int) and key < 0:
                raise IndexError
            if isinstance(key, int) or isinstance(value, Mapping):
                return value[key]
            return getattr(value, key)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise DimensionError(f"{table} has no {key!r}") from error

    def applies(self, since: Version | None, until: Version | None) -> bool:
        """Whether the firmware has a field declared for since <= version < until."""
        firmware = self.dims.firmware
        if firmware is None:
            return until is None
        return (since is None or firmware >= since) and (until is None or firmware < until)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(sorted((key, _frozen(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value


NO_DIMS = Dims()
"""For layouts that depend on nothing."""
