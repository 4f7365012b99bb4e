"""Keys on their way in and out of a key store.

A key comes from a file or a prompt, never from the command line, where others see it; who holds the
master key is `osgp.run.keyholders`. Entries of a store are called `<name>.<kind>`; for a device the
name is its neuron id.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from osgp.errors import StoreError, UsageError
from osgp.run.keyholders import Ask
from osgp.run.reading.keyfiles import key_for
from osgp.security.keys import Purpose, ReadKey, read_key
from osgp.security.keystore import MASTER_SIZE, KeyStore, Wrapper
from osgp.security.secret import Secret

PURPOSES: Final = {
    "optical": Purpose.OPTICAL,
    "mep": Purpose.MEP,
    "omak": Purpose.OMAK,
    "aes": Purpose.AES,
}
"""Kinds of keys by the last part of an entry's name."""

# Keys in hex digits are longer, but for one form: typed in a name's place they are refused, unseen.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,20}")


class Entry(msgspec.Struct, frozen=True):
    """What may be shown of a stored key."""

    name: str
    kind: str
    bytes: int


def make_master(file: Path) -> None:
    """Draws a master key into a new file that only its owner may read. Raises UsageError."""
    write_private(file, secrets.token_hex(MASTER_SIZE))


def create(path: Path, holder: Wrapper) -> KeyStore:
    """A new, empty key store. Raises UsageError where there is something already."""
    if path.exists():
        raise UsageError(f"{path} exists already")
    store = KeyStore(path, holder)
    store.rewrap(holder)  # writes it, although there is no key in it yet
    return store


def open_existing(path: Path, holder: Callable[[], Wrapper]) -> KeyStore:
    """A key store that exists. Raises UsageError, StoreError, SecurityError (other master key).

    `holder` is asked only then, so that nobody types a master key for nothing.
    """
    if not path.exists():
        raise UsageError(f"there is no key store {path}: osgp keys init")
    return KeyStore(path, holder())


def add(
    store: KeyStore, name: str, kind: str, file: Path | None, *, replace: bool, ask: Ask | None
) -> ReadKey:
    """Reads a key and keeps it; says in which form it was read. Raises UsageError."""
    entry = entry_name(name, kind)
    if entry in store and not replace:
        raise UsageError(f"{entry} is there already: --replace to put another in its place")
    found = key_for(PURPOSES[kind], file, ask)
    store[entry] = found.secret
    return found


def entries(store: KeyStore) -> Iterator[Entry]:
    """What may be shown of each key, by name."""
    for entry in sorted(store):
        name, _, kind = entry.rpartition(".")
        yield Entry(name, kind, len(store[entry]))


def export(store: KeyStore, name: str, kind: str, file: Path) -> None:
    """Writes a key, so that `read_key` takes it, to a new file that only its owner may read.

    Raises UsageError, also where the file exists.
    """
    entry = entry_name(name, kind)
    if entry not in store:
        raise UsageError(f"there is no key {entry} in the store")
    write_private(file, _written(store[entry], PURPOSES[kind]))


def entry_name(name: str, kind: str) -> str:
    """`<name>.<kind>`; UsageError, which does not show the name, for one that may be a key."""
    if kind not in PURPOSES:
        raise UsageError(f"keys are of these kinds: {', '.join(PURPOSES)}")
    if not _NAME.fullmatch(name):
        raise UsageError(
            "a name has at most 20 letters, digits, - and _, such as a neuron id; "
            "the key itself comes from --key-file or a prompt"
        )
    return f"{name}.{kind}"


def write_private(file: Path, text: str) -> None:
    """A line into a new file with mode 0600. Raises UsageError."""
    if str(file) == "-":
        raise UsageError("a key is written to a file only")
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(f"{text}\n")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}") from None


def _written(key: Secret, purpose: Purpose) -> str:
    """Hex digits, marked as such where they could be taken for characters."""
    digits = key.reveal().hex()
    bare = read_key(digits, purpose).secret == key
    return digits if bare else f"hex:{digits}"
