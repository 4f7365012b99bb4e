"""What makes a record a table or a procedure, and the registries that hold them all.

    class ActualRegister(Table, number=21, title="Actual Register", source=Source.MEP_GUIDE,
                         read="MBK MAK RK MK PK"):
        season_info = flag(0, "season fields are used in the B20s decade")

Basic tables BTnn have number nn, extended tables ETnn 2048 + nn; procedures likewise (clause 5.7).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from osgp.errors import UsageError
from osgp.wire import NO_DIMS, Dims, Layout, Record, Version, bind
from osgp.wire.record import RecordMeta

from .source import Source

EXTENDED = 2048
"""Table and procedure numbers from here on are 'manufacturer' ones in C12.19: ETnn and EPnn."""

PENDING = 4096
"""Number of the pending form of a table: its own number plus this (clause 5.3)."""

NO_RESULTS: Mapping[int, str] = MappingProxyType({})


class Rights(msgspec.Struct, frozen=True):
    """Keys that may read or write; whether the hardware lock forbids writing whatever the key.

    Keys: RK MK PK NONE (optical), MBK MAK (MEP), OMAK AES (power line); see `access`.
    `nvm_read` and `nvm_write`: the device goes to its non-volatile memory, which wears out
    (MEP guide Appendix C: before 3.40 at most 4 writes an hour and 100 a day).
    """

    read: frozenset[str] = frozenset()
    write: frozenset[str] = frozenset()
    locked: bool = False
    nvm_read: bool = False
    nvm_write: bool = False


class TableInfo(msgspec.Struct, frozen=True):
    """What a table's declaration says besides its fields. `since`: first firmware with it."""

    number: int
    title: str
    source: Source
    rights: Rights
    since: Version | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return table_name(self.number)


class ProcedureInfo(msgspec.Struct, frozen=True):
    """What a procedure's declaration says besides its parameters.

    `call` holds keys, `results` result codes beyond those of BT08.
    """

    number: int
    title: str
    source: Source
    call: frozenset[str]
    response: type[Record] | None = None
    results: Mapping[int, str] = NO_RESULTS
    since: Version | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return procedure_name(self.number)


def table_name(number: int) -> str:
    """`BT23`, `ET11`: any number, declared or not. Pending tables keep their full number."""
    extended = EXTENDED <= number < PENDING or number >= PENDING + EXTENDED
    return f"ET{number - EXTENDED:02d}" if extended else f"BT{number:02d}"


def procedure_name(number: int) -> str:
    return f"EP{number - EXTENDED:02d}" if number >= EXTENDED else f"BP{number:02d}"


def as_dims(dims: Dims | Mapping[str, Any] | None) -> Dims:
    """Dimension tables, however they are given; none are those of a device that has none."""
    if isinstance(dims, Dims):
        return dims
    return NO_DIMS if dims is None else Dims(dims)


def keys(names: str) -> frozenset[str]:
    """Key names in a string, as a set."""
    return frozenset(names.split())


class TableMeta(RecordMeta):
    """Takes a table's number and the like as class arguments, and registers it."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        number: int | None = None,
        title: str = "",
        source: Source = Source.PROJECT,
        read: str = "",
        write: str = "",
        locked: bool = False,
        nvm_read: bool = False,
        nvm_write: bool = False,
        since: Version | None = None,
        note: str = "",
        **kwargs: Any,
    ) -> Any:
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        if number is not None:
            rights = Rights(keys(read), keys(write), locked, nvm_read, nvm_write)
            cls.info = TableInfo(number, title, source, rights, since, note)
            tables.add(cls)
        return cls


class ProcedureMeta(RecordMeta):
    """Takes a procedure's number and the like as class arguments, and registers it."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        number: int | None = None,
        title: str = "",
        source: Source = Source.PROJECT,
        call: str = "",
        response: type[Record] | None = None,
        results: Mapping[int, str] = NO_RESULTS,
        since: Version | None = None,
        note: str = "",
        **kwargs: Any,
    ) -> Any:
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        if number is not None:
            cls.info = ProcedureInfo(
                number, title, source, keys(call), response, results, since, note
            )
            procedures.add(cls)
        return cls


D = TypeVar("D", bound=Record)


class Registry(Mapping[str | int, type[D]]):
    """Declarations by name (`"BT23"`) or number (`23`); iterates names in order of number."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._by_number: dict[int, type[D]] = {}
        self._by_name: dict[str, type[D]] = {}

    def add(self, declaration: Any) -> None:
        """ValueError where number or class name is taken."""
        info = declaration.info
        if info.number in self._by_number:
            raise ValueError(f"{info.name} is declared twice")
        self._by_number[info.number] = self._by_name[info.name] = declaration

    def replace(self, declaration: Any) -> None:
        """Puts `declaration` in the place of the one with its number; see `osgp.spec.overlay`."""
        info = declaration.info
        self._by_number[info.number] = self._by_name[info.name] = declaration

    def __getitem__(self, key: str | int) -> type[D]:
        """Raises UsageError (also a KeyError's place) for what is not declared."""
        found = self._by_number.get(key) if isinstance(key, int) else self._by_name.get(key)
        if found is None:
            raise UnknownDeclaration(f"no {self._what} {key}")
        return found

    def __iter__(self) -> Iterator[str]:
        return (self._by_number[number].info.name for number in sorted(self._by_number))  # type: ignore[attr-defined]  # every declaration has it

    def __len__(self) -> int:
        return len(self._by_number)


class UnknownDeclaration(UsageError, KeyError):
    """No table or procedure of that name or number is declared."""

    hint = "`osgp tables` lists all"

    def __str__(self) -> str:
        return str(self.args[0])


tables: Registry[Table] = Registry("table")
procedures: Registry[Procedure] = Registry("procedure")


class Table(Record, metaclass=TableMeta):
    """Base of every table."""

    info: ClassVar[TableInfo]

    @classmethod
    def bind(cls, dims: Dims | Mapping[str, Any] | None = None) -> Layout[Self]:
        """The table's layout under these dimension tables.

        Raises DimensionError where one is missing or absurd.
        """
        known = as_dims(dims)
        return known.bound.get(cls) or bind(cls, known, cls.info.name)


class Procedure(Record, metaclass=ProcedureMeta):
    """Base of every procedure: its fields are the parameters of BT07."""

    info: ClassVar[ProcedureInfo]

    @classmethod
    def bind(cls, dims: Dims | Mapping[str, Any] | None = None) -> Layout[Self]:
        """The layout of the parameters. Raises DimensionError."""
        known = as_dims(dims)
        return known.bound.get(cls) or bind(cls, known, cls.info.name)


__all__ = [
    "EXTENDED",
    "NO_DIMS",
    "PENDING",
    "Procedure",
    "ProcedureInfo",
    "Registry",
    "Rights",
    "Table",
    "TableInfo",
    "UnknownDeclaration",
    "keys",
    "procedure_name",
    "procedures",
    "table_name",
    "tables",
]
