"""Tables and procedures as people name them, and images with the dimensions they need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from osgp.errors import DimensionError, UsageError
from osgp.spec import EXTENDED, Procedure, Registry, Table, procedures, tables
from osgp.spec.declare import UnknownDeclaration
from osgp.wire import Dims, Layout, Version
from osgp.wire.formula import needed_tables

Declaration = type[Table] | type[Procedure]

_NAME = re.compile(r"(?P<kind>[BE][TP])\s*-?(?P<number>\d+)", re.IGNORECASE)


def find(text: str, *, procedure: bool = False) -> Declaration:
    """The declaration that `text` names: `BT23`, `et5`, `23`, `0x80B`; `EP17` is a procedure.

    Bare numbers are tables, unless `procedure`. Raises UnknownDeclaration.
    """
    name = text.strip()
    match = _NAME.fullmatch(name)
    if match is not None:
        return _named(name, match["kind"].upper(), int(match["number"]))
    try:
        number = int(name, 0)
    except ValueError:
        raise UnknownDeclaration(f"no table {text}") from None
    return procedures[number] if procedure else tables[number]


def _named(text: str, kind: str, number: int) -> Declaration:
    registry: Registry[Any] = procedures if kind[1] == "P" else tables
    for full in (f"{kind}{number:02d}", f"{kind}{number}"):
        if full in registry:
            found: Declaration = registry[full]
            return found
    if kind[0] == "E" and number >= EXTENDED and number in _numbers(registry):
        return registry[number]
    raise UnknownDeclaration(f"no {'procedure' if kind[1] == 'P' else 'table'} {text}")


def _numbers(registry: Registry[Any]) -> set[int]:
    return {registry[name].info.number for name in registry}


def dims_of(images: Mapping[str, bytes], firmware: Version | None = None) -> Dims:
    """Dimensions from images of tables, which may need each other.

    Raises DecodeError where an image does not fit, UsageError where one that is needed lacks.
    """
    named = {find(name).info.name: data for name, data in images.items()}
    gathered = _Gathered(named, firmware)
    for name in named:
        gathered.add(name, ())
    return gathered.dims


class _Gathered:
    """Decodes images in the order in which they need each other."""

    def __init__(self, images: Mapping[str, bytes], firmware: Version | None) -> None:
        self._images = images
        self.dims = Dims(firmware=firmware)

    def add(self, name: str, asking: tuple[str, ...]) -> None:
        if name in self.dims or name not in self._images:
            return
        if name in asking:
            raise DimensionError(f"its size depends on itself, by {' and '.join(asking)}")
        declaration = tables[name]
        for table in sorted(_read_tables(declaration)):
            self.add(table, (*asking, name))
        record = bound(declaration, self.dims).decode(self._images[name])
        self.dims = self.dims.with_table(name, record)


def _read_tables(declaration: Declaration) -> frozenset[str]:
    from osgp.wire.bind import dependencies

    return dependencies(declaration)


def bound(declaration: Declaration, dims: Dims) -> Layout[Any]:
    """The layout under `dims`. Raises UsageError, which names the tables that lack."""
    missing = sorted(needed_tables(declaration) - set(dims))
    try:
        return declaration.bind(dims)
    except DimensionError as error:
        if not missing:
            raise
        raise MissingDimensions(declaration.info.name, missing) from error


class MissingDimensions(UsageError):
    """The layout depends on tables that were not given."""

    def __init__(self, name: str, missing: list[str]) -> None:
        self.missing = missing
        self.hint = " ".join(f"--dims {table}=HEX" for table in missing)
        super().__init__(f"the size of {name} depends on {', '.join(missing)}")
