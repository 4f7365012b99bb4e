"""Who may hold a key store's master key: a file, the environment, a keyring, a prompt, a program.

A program holds it where it must never come into this process, in an HSM or a key service. It is
called as `PROGRAM wrap` or `PROGRAM unwrap`, gets one line of base64 on its standard input and
answers with one; what it makes of the data key is its own affair. It inherits the environment and
no key on its command line.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osgp.errors import SecurityError, StoreError, UsageError
from osgp.security.keystore import MASTER_SIZE, LocalWrapper, Wrapper, from_environment
from osgp.security.secret import Secret

if TYPE_CHECKING:
    from types import ModuleType

VARIABLE: Final = "OSGP_MASTER_KEY"
SERVICE: Final = "osgp"
"""Under which the system's keyring keeps master keys, by name."""
_PATIENCE: Final = 60.0

Ask = Callable[[str], str]


class Holder(msgspec.Struct, frozen=True):
    """At most one of them: a file, the name of a keyring's entry, a program with arguments."""

    file: Path | None = None
    keyring: str | None = None
    program: str | None = None


NOBODY: Final = Holder()


def wrapper(holder: Holder = NOBODY, ask: Ask | None = None) -> Wrapper:
    """The one who opens a key store. Raises UsageError, StoreError, SecurityError."""
    given = [one for one in (holder.file, holder.keyring, holder.program) if one is not None]
    if len(given) > 1:
        raise UsageError("one holder of the master key: a file, a keyring, or a program")
    if holder.program is not None:
        return ProgramWrapper(_words(holder.program))
    if holder.keyring is not None:
        name = holder.keyring
        return LocalWrapper(lambda: from_keyring(name))
    return LocalWrapper(master_source(holder.file, ask))


def master_source(file: Path | None, ask: Ask | None = None) -> Callable[[], str]:
    """A master key's source: the file if one is given, the environment, a prompt, in this order.

    The source raises UsageError, which never shows the key. `ask` None: on the terminal, if any.
    """
    if file is not None:
        return lambda: _first_line(file)
    if VARIABLE in os.environ:
        return from_environment(VARIABLE)
    if ask is None and sys.stdin.isatty():
        ask = getpass
    if ask is None:
        options = "--master-file, --master-keyring, --master-program"
        raise UsageError(f"the key store needs a master key: {options}, or {VARIABLE}")
    prompt = ask
    return lambda: prompt("master key (64 hex digits): ")


def from_keyring(name: str) -> str:
    """A master key of the system's keyring. Raises UsageError, StoreError."""
    backend = _backend()
    try:
        found = backend.get_password(SERVICE, name)
    except backend.errors.KeyringError as error:
        raise StoreError(f"the system's keyring: {_one_line(error)}") from None
    if found is None:
        raise UsageError(f"the system's keyring has no master key '{name}': osgp keys init")
    return str(found)


def make_in_keyring(name: str) -> bool:
    """Draws a master key into the system's keyring; False if there is one of that name already.

    Raises UsageError, StoreError.
    """
    backend = _backend()
    try:
        if backend.get_password(SERVICE, name) is not None:
            return False
        backend.set_password(SERVICE, name, secrets.token_hex(MASTER_SIZE))
    except backend.errors.KeyringError as error:
        raise StoreError(f"the system's keyring: {_one_line(error)}") from None
    return True


class ProgramWrapper:
    """A program that holds the master key; see the module's docstring."""

    name = "program"

    def __init__(self, command: list[str]) -> None:
        if not command:
            raise UsageError("the master key's holder is a program: its path, and arguments")
        self._command = command

    def wrap(self, data_key: Secret) -> bytes:
        return self._asked("wrap", data_key.reveal())

    def unwrap(self, wrapped: bytes) -> Secret:
        return Secret(self._asked("unwrap", wrapped))

    def _asked(self, verb: str, value: bytes) -> bytes:
        """Its answer. Raises StoreError, SecurityError; neither shows what it wrote."""
        program = self._command[0]
        try:
            done = subprocess.run(  # noqa: S603  # the user's own program, without a shell
                [*self._command, verb],
                input=base64.b64encode(value) + b"\n",
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        except OSError as error:
            raise StoreError(f"{program}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise StoreError(f"{program} {verb}: no answer in {_PATIENCE:.0f} s") from None
        if done.returncode != 0:
            raise SecurityError(f"{program} {verb} refused (exit code {done.returncode})")
        try:
            answer = base64.b64decode(done.stdout.strip(), validate=True)
        except binascii.Error:
            answer = b""
        if not answer:
            raise SecurityError(f"{program} {verb}: the answer is no line of base64")
        return answer


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(f"the master key's holder: {error}") from None


def _backend() -> ModuleType:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise UsageError("the system's keyring needs: pip install 'osgp[keyring]'") from None
    return keyring


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _first_line(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    lines = content.splitlines()
    if not lines or not lines[0].isascii():
        raise UsageError(f"{file}: a master key's file holds one line of 64 hex digits")
    return lines[0].decode("ascii")
