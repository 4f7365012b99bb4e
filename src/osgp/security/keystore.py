"""Keys at rest: a file of wrapped keys (envelope encryption).

Each key is encrypted under a data key of the file's own; the data key is wrapped by a `Wrapper`,
who alone holds the master key.  `LocalWrapper` does it with a 32-byte master key from a file, the
environment, a prompt or a keyring; an HSM or a Vault does it by implementing the same two methods
(`osgp.run.keyholders.ProgramWrapper`), and the master key never reaches this process.

File (Source.PROJECT, version 1; JSON, nothing secret in clear)::

    {"osgp-keystore": 1, "wrapper": name, "data_key": base64, "keys": {name: base64}}

Every wrapped value is nonce (12) ‖ AES-256-GCM cipher text ‖ tag (16); the associated data is the
entry's name and the version, so entries cannot be exchanged for one another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from osgp.errors import SecurityError, StoreError, UsageError
from osgp.security.aes import Entropy, osgp_csprg
from osgp.security.keys import Purpose, ReadKey, read_key
from osgp.security.secret import Secret

VERSION: Final = 1
MASTER_SIZE: Final = 32
_NONCE: Final = 12
_DATA_KEY: Final = "data key"


class Wrapper(Protocol):
    """Who holds the master key: a local key, an HSM, a key service."""

    @property
    def name(self) -> str: ...
    def wrap(self, data_key: Secret) -> bytes: ...
    def unwrap(self, wrapped: bytes) -> Secret:
        """The data key; SecurityError if it was wrapped by somebody else or altered."""
        ...


class LocalWrapper:
    """A master key of 32 bytes in this process, from `source` (see below), asked for once."""

    name = "local"

    def __init__(self, source: Callable[[], str], entropy: Entropy = os.urandom) -> None:
        self._box = Box(_master(source()), entropy)

    def wrap(self, data_key: Secret) -> bytes:
        return self._box.close(_DATA_KEY, data_key)

    def unwrap(self, wrapped: bytes) -> Secret:
        return self._box.open(_DATA_KEY, wrapped)


def from_environment(variable: str = "OSGP_MASTER_KEY") -> Callable[[], str]:
    """A source for LocalWrapper: 64 hex digits in an environment variable."""

    def ask() -> str:
        if variable not in os.environ:
            raise UsageError(f"the key store needs a master key: set {variable} (64 hex digits)")
        return os.environ[variable]

    return ask


class KeyStore(MutableMapping[str, Secret]):
    """Named keys in a file; every change is written at once, whole, with owner-only rights."""

    def __init__(self, path: Path, wrapper: Wrapper, entropy: Entropy = os.urandom) -> None:
        self._path, self._wrapper, self._entropy = path, wrapper, entropy
        image = _read(path) if path.exists() else self._new()
        if image.wrapper != wrapper.name:
            raise StoreError(f"{path}: its master key is held by '{image.wrapper}'")
        self._image = image
        self._box = Box(wrapper.unwrap(image.data_key).reveal(), entropy)

    def __getitem__(self, name: str) -> Secret:
        return self._box.open(name, self._image.keys[name])

    def __setitem__(self, name: str, key: Secret) -> None:
        self._write({**self._image.keys, name: self._box.close(name, key)})

    def __delitem__(self, name: str) -> None:
        self._image.keys[name]  # a missing name is a KeyError
        self._write({k: v for k, v in self._image.keys.items() if k != name})

    def __iter__(self) -> Iterator[str]:
        return iter(self._image.keys)

    def __len__(self) -> int:
        return len(self._image.keys)

    def __repr__(self) -> str:
        return f"<KeyStore {self._path} of {len(self)} keys>"

    def rewrap(self, wrapper: Wrapper) -> None:
        """Hand the store to another master key; the keys themselves stay as they are."""
        data_key = self._wrapper.unwrap(self._image.data_key)
        self._wrapper = wrapper
        self._image = msgspec.structs.replace(
            self._image, wrapper=wrapper.name, data_key=wrapper.wrap(data_key)
        )
        self._write(self._image.keys)

    def _new(self) -> _Image:
        data_key = Secret(osgp_csprg(MASTER_SIZE, self._entropy))
        return _Image(VERSION, self._wrapper.name, self._wrapper.wrap(data_key), {})

    def _write(self, keys: dict[str, bytes]) -> None:
        image = msgspec.structs.replace(self._image, keys=keys)
        beside = self._path.with_name(self._path.name + ".new")
        try:
            beside.unlink(missing_ok=True)
            _write_private(beside, msgspec.json.encode(image))
            beside.replace(self._path)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}") from None
        self._image = image


def read_key_file(path: Path, purpose: Purpose) -> ReadKey:
    """The key written in the first line of a file; UsageError if it is none."""
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: a key file holds one line of ASCII text") from None
    return read_key(text.splitlines()[0] if text else "", purpose)


class _Image(msgspec.Struct, frozen=True):
    version: int = msgspec.field(name="osgp-keystore")
    wrapper: str
    data_key: bytes
    keys: dict[str, bytes]


class Box:
    """AES-256-GCM under one key, entries bound to their names."""

    def __init__(self, key: bytes, entropy: Entropy) -> None:
        self._aead, self._entropy = AESGCM(key), entropy

    def close(self, name: str, key: Secret) -> bytes:
        nonce = osgp_csprg(_NONCE, self._entropy)
        return nonce + self._aead.encrypt(nonce, key.reveal(), _associated(name))

    def open(self, name: str, wrapped: bytes) -> Secret:
        nonce, sealed = wrapped[:_NONCE], wrapped[_NONCE:]
        if len(nonce) < _NONCE:
            raise SecurityError("the key store was altered")
        try:
            return Secret(self._aead.decrypt(nonce, sealed, _associated(name)))
        except InvalidTag:
            raise SecurityError("another master key, or the key store was altered") from None


def _associated(name: str) -> bytes:
    return b"osgp-keystore 1 " + name.encode()


def _master(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != MASTER_SIZE:
        raise UsageError("a master key is 64 hex digits")
    return key


def _read(path: Path) -> _Image:
    try:
        image = msgspec.json.decode(path.read_bytes(), type=_Image)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    except msgspec.MsgspecError:
        raise StoreError(f"{path}: this is no key store") from None
    if image.version != VERSION:
        raise StoreError(f"{path}: a key store of version {image.version}")
    return image


def _write_private(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
