"""Readings on their way to the broker: a file that neither loses nor repeats one.

A reading gets its number and is written before anything is sent. It leaves the file when the
broker has acknowledged it. What was acknowledged without our knowing (the line broke in between)
is found out on the next connection: the state topic is retained, and carries the number of the
newest reading that the broker has, with the name of the spool that gave it. (`Source.PROJECT`)
"""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from osgp.errors import StoreError

_VERSION: Final = 1
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS reading ("
    "number INTEGER PRIMARY KEY AUTOINCREMENT, meter TEXT NOT NULL, payload BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS spool (name TEXT NOT NULL)",
)


class Spooled(NamedTuple):
    """A reading that waits."""

    number: int
    meter: str
    payload: bytes


class Spool:
    """A file of readings; `limit`: how many it holds, after which the oldest are dropped.

    Raises StoreError.
    """

    def __init__(self, path: Path | str, limit: int) -> None:
        self._path, self._limit = path, limit
        self.dropped = 0
        try:
            self._file = sqlite3.connect(path, isolation_level=None)
            self._prepare()
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error

    def _prepare(self) -> None:
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise StoreError(f"{self._path}: a spool of version {version}")
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        for statement in _SCHEMA:
            self._file.execute(statement)
        self._file.execute(f"PRAGMA user_version={_VERSION}")
        self.name = self._named()

    def _named(self) -> str:
        """A name that no other spool has: a new file counts from 1 again."""
        row = self._file.execute("SELECT name FROM spool").fetchone()
        if row is None:
            row = (secrets.token_hex(8),)
            self._file.execute("INSERT INTO spool VALUES (?)", row)
        return str(row[0])

    def add(self, meter: str, body: bytes) -> int:
        """Keeps a reading: `body` is a JSON object, to which its number is added. The number."""
        try:
            self._file.execute("BEGIN IMMEDIATE")
            row = self._file.execute(
                "INSERT INTO reading (meter, payload) VALUES (?, ?)", (meter, b"")
            )
            number = int(row.lastrowid or 0)
            head = f'{{"number":{number},"spool":"{self.name}",'
            payload = head.encode() + body.removeprefix(b"{")
            self._file.execute("UPDATE reading SET payload=? WHERE number=?", (payload, number))
            gone = self._file.execute(
                "DELETE FROM reading WHERE number<=?", (number - self._limit,)
            )
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise StoreError(f"{self._path}: {error}") from error
        self.dropped += gone.rowcount
        return number

    def oldest(self) -> Spooled | None:
        """The reading that goes next."""
        row = self._query("SELECT number, meter, payload FROM reading ORDER BY number LIMIT 1")
        return None if row is None else Spooled(*row)

    def delivered(self, number: int) -> None:
        """The broker has this reading."""
        self._query("DELETE FROM reading WHERE number=?", number)

    def has_arrived(self, meter: str, number: int, spool: str) -> None:
        """The broker has all readings of a meter up to this one of the spool of that name."""
        if spool == self.name:
            self._query("DELETE FROM reading WHERE meter=? AND number<=?", meter, number)

    def __len__(self) -> int:
        row = self._query("SELECT COUNT(*) FROM reading")
        return int(row[0]) if row else 0

    def close(self) -> None:
        self._file.close()

    def _query(self, text: str, *values: object) -> tuple[int, str, bytes] | None:
        try:
            row: tuple[int, str, bytes] | None = self._file.execute(text, values).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error
        return row
