"""A concentrator's device keys at rest: one file, every record under envelope encryption.

The file is SQLite. Each record is closed in a `Box` (AES-256-GCM, bound to its name) under a data
key of the file's own, which a `Wrapper` holds (`osgp.security.keystore`). A record is durable when
`put` returns: numbers are nonces, and one that was forgotten would be used twice. Source.PROJECT,
version 1.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from osgp.errors import StoreError
from osgp.security.aes import Entropy, osgp_csprg
from osgp.security.keystore import MASTER_SIZE, Box, Wrapper
from osgp.security.secret import Secret

VERSION: Final = 1
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS envelope (wrapper TEXT NOT NULL, data_key BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS record (name TEXT PRIMARY KEY, closed BLOB NOT NULL) WITHOUT ROWID",
)


class FileVault:
    """`osgp.concentrator.vault.Vault` in the file `path`, made where there is none.

    Raises StoreError for a file that is no vault, is newer, or has its data key elsewhere;
    SecurityError for another master key.
    """

    def __init__(self, path: Path, wrapper: Wrapper, entropy: Entropy = os.urandom) -> None:
        self._path = path
        new = not path.exists()
        self._file = self._tried(lambda: sqlite3.connect(path, isolation_level=None))
        try:
            if new:
                path.chmod(0o600)
            self._tried(self._prepare)
            self._box = Box(self._data_key(wrapper, entropy).reveal(), entropy)
        except BaseException:
            self._file.close()
            raise

    def get(self, neuron_id: bytes) -> bytes | None:
        """Raises SecurityError for a record that was altered."""
        name = neuron_id.hex()
        query = "SELECT CAST(closed AS BLOB) FROM record WHERE name = ?"
        row = self._tried(lambda: self._file.execute(query, (name,)).fetchone())
        return None if row is None else self._box.open(name, row[0]).reveal()

    def put(self, neuron_id: bytes, record: bytes) -> None:
        name = neuron_id.hex()
        row = name, self._box.close(name, Secret(record))
        self._tried(lambda: self._file.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", row))

    def close(self) -> None:
        self._file.close()

    def __repr__(self) -> str:
        return f"<FileVault {self._path}>"

    def _prepare(self) -> None:
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StoreError(f"{self._path}: a vault of version {version}, newer than this program")
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        for statement in _SCHEMA:
            self._file.execute(statement)
        self._file.execute(f"PRAGMA user_version={VERSION}")

    def _data_key(self, wrapper: Wrapper, entropy: Entropy) -> Secret:
        query = "SELECT wrapper, data_key FROM envelope"
        row = self._tried(lambda: self._file.execute(query).fetchone())
        if row is None:
            key = Secret(osgp_csprg(MASTER_SIZE, entropy))
            new = wrapper.name, wrapper.wrap(key)
            self._tried(lambda: self._file.execute("INSERT INTO envelope VALUES (?, ?)", new))
            return key
        if row[0] != wrapper.name:
            raise StoreError(f"{self._path}: its master key is held by '{row[0]}'")
        return wrapper.unwrap(row[1])

    def _tried(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from None
