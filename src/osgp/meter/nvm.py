"""Non-volatile memory of virtual meters: cells by name, written in units that are never torn.

`put` prepares, `commit` closes a unit: after a cut either all of it is there or nothing. `sync`
returns when every unit committed so far has survived; a meter calls it before it sends anything
that others may rely on. What was committed but not synchronised may be lost, the newest units
first; a meter works such things out again (`Source.PROJECT`: nothing of this is on any wire).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from osgp.errors import StoreError

SCHEMA_VERSION: Final = 1
_BATCH: Final = 65_536
"""Cells that a store collects before it writes them unasked: days of a meter, hours of a town."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cell (
    meter BLOB NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (meter, name)
) WITHOUT ROWID
"""


class Nvm(Protocol):
    """One meter's memory."""

    def get(self, name: str) -> bytes | None:
        """The newest value put, committed or not."""

    def items(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Cells whose name begins with `prefix`, in order of their names."""

    def put(self, name: str, value: bytes) -> None:
        """Adds to the current unit."""

    def commit(self) -> None:
        """Closes the current unit."""

    def sync(self) -> None:
        """Makes every closed unit durable. Raises StoreError."""


class PowerCut(Exception):
    """The operation at which `MemoryNvm` was told to lose power; nothing works after it."""


class MemoryNvm:
    """Memory for simulations and tests.

    `cut_at`: the number (from 0) of the put, commit or sync that does not happen any more; it
    and all later ones raise PowerCut. `survivor` is the memory that is found afterwards.
    """

    def __init__(self, cells: dict[str, bytes] | None = None, *, cut_at: int | None = None) -> None:
        self._durable = dict(cells or {})
        self._units: list[dict[str, bytes]] = []
        self._open: dict[str, bytes] = {}
        self._cut_at = cut_at
        self.operations = 0

    def get(self, name: str) -> bytes | None:
        for unit in (self._open, *reversed(self._units), self._durable):
            if name in unit:
                return unit[name]
        return None

    def items(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        cells = dict(self._durable)
        for unit in (*self._units, self._open):
            cells |= unit
        return iter(sorted(cell for cell in cells.items() if cell[0].startswith(prefix)))

    def put(self, name: str, value: bytes) -> None:
        self._operate()
        self._open[name] = value

    def commit(self) -> None:
        self._operate()
        if not self._open:
            return
        if self._cut_at is None:
            self._durable.update(self._open)
        else:
            self._units.append(self._open)
        self._open = {}

    def sync(self) -> None:
        self._operate()
        for unit in self._units:
            self._durable.update(unit)
        self._units = []

    def survivor(self, *, unsynchronised: bool) -> MemoryNvm:
        """What a restart finds, with or without the units that were not synchronised."""
        cells = dict(self._durable)
        for unit in self._units if unsynchronised else ():
            cells |= unit
        return MemoryNvm(cells)

    def _operate(self) -> None:
        if self._cut_at is not None and self.operations >= self._cut_at:
            raise PowerCut
        self.operations += 1


class FileStore:
    """The memories of many meters in one SQLite file, each of them written when it synchronises.

    `batch`: cells of all meters that may wait before they are written unasked.

    Raises StoreError for a file that is no store, or one of a newer version. What is synchronised
    survives the end of the process at any instant. It holds the meters' keys in clear, as a meter
    does, so nobody else may read it.
    """

    def __init__(self, path: Path | str, *, batch: int = _BATCH) -> None:
        self._limit = batch
        self._batch: dict[bytes, dict[str, bytes]] = {}
        self._waiting = 0
        new = not Path(path).exists()
        try:
            self._file = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error
        if new and Path(path).exists():
            Path(path).chmod(0o600)
        try:
            self._prepare()
        except (sqlite3.Error, StoreError) as error:
            self._file.close()
            raise StoreError(f"{path}: {error}") from error

    def _prepare(self) -> None:
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(f"meter memory of version {version}, newer than this program's")
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.execute(_SCHEMA)
        self._file.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def memory(self, neuron_id: bytes) -> FileNvm:
        """The memory of one meter."""
        return FileNvm(self, neuron_id)

    def sync(self, meter: bytes | None = None) -> None:
        """Writes every closed unit, or every one of `meter`, all or nothing. Raises StoreError.

        A meter's cells lie side by side in the file: one meter after the other is fewer pages.
        """
        units = self._batch
        if meter is not None:
            units = {meter: units[meter]} if meter in units else {}
        if not units:
            return
        rows = [(owner, *cell) for owner, unit in units.items() for cell in unit.items()]
        try:
            self._file.execute("BEGIN")
            self._file.executemany("INSERT OR REPLACE INTO cell VALUES (?, ?, ?)", rows)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise StoreError(f"meter memory: {error}") from error
        for owner in list(units):
            del self._batch[owner]
        self._waiting -= len(rows)

    def close(self) -> None:
        """Writes what is closed, and the file. Raises StoreError."""
        self.sync()
        self._file.close()

    def add(self, meter: bytes, unit: dict[str, bytes]) -> None:
        """Takes a closed unit of `meter`."""
        waiting = self._batch.setdefault(meter, {})
        self._waiting -= len(waiting)
        waiting |= unit
        self._waiting += len(waiting)
        if self._waiting >= self._limit:
            self.sync()

    def cells(self, meter: bytes, prefix: str) -> dict[str, bytes]:
        """Closed cells of `meter`, written or not. Raises StoreError."""
        self.sync(meter)
        query = "SELECT name, value FROM cell WHERE meter = ? AND name >= ? AND name < ?"
        try:
            rows = self._file.execute(query, (meter, prefix, prefix + "\U0010ffff"))
            return dict(rows.fetchall())
        except sqlite3.Error as error:
            raise StoreError(f"meter memory: {error}") from error


class FileNvm:
    """One meter's memory in a `FileStore`."""

    def __init__(self, store: FileStore, neuron_id: bytes) -> None:
        self._store, self._neuron_id = store, neuron_id
        self._open: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return dict(self.items(name)).get(name)

    def items(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        mine = {name: value for name, value in self._open.items() if name.startswith(prefix)}
        return iter(sorted((self._store.cells(self._neuron_id, prefix) | mine).items()))

    def put(self, name: str, value: bytes) -> None:
        self._open[name] = value

    def commit(self) -> None:
        if self._open:
            self._store.add(self._neuron_id, self._open)
            self._open = {}

    def sync(self) -> None:
        self._store.sync(self._neuron_id)


__all__ = ["FileNvm", "FileStore", "MemoryNvm", "Nvm", "PowerCut"]
