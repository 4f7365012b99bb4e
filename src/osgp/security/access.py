"""Access control (6.2.4) and the hardware lock (6.3): declared rights, narrowed by the device.

Which keys may read, write or call is data on the declarations (`osgp.spec.declare.Rights`); here
it is only evaluated.  The key is the one that opened the message, by name:

| port | keys |
|---|---|
| optical | RK, MK, PK (PK can be disabled, ET04.52), NONE before log-on |
| MEP | MBK, MAK |
| power line | OMAK, AES; FACTORY during commissioning, which no declaration grants anything |

The hardware lock stands above all keys; what it holds depends on the country the device is made
for, so it is a setting (optical guide and MEP guide v1.1, 'Hardware Lock').
"""

from __future__ import annotations

from enum import Enum
from typing import NoReturn, Protocol

import msgspec

from osgp.errors import InsufficientSecurityClearance
from osgp.spec.declare import ProcedureInfo, Rights


class Operation(Enum):
    """What a request wants; the value is the word for a message."""

    READ = "read"
    WRITE = "write"
    CALL = "call"


class HardwareLock(msgspec.Struct, frozen=True):
    """Numbers of the tables and procedures that no key opens while the lock is engaged.

    Tables whose declaration says `locked` need no listing for writing.
    """

    read: frozenset[int] = frozenset()
    write: frozenset[int] = frozenset()
    call: frozenset[int] = frozenset()


class Declared(Protocol):
    """A table's info as `osgp.spec` declares it."""

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def rights(self) -> Rights: ...


class AccessControl:
    """One device's access control.

    `lock`: what its hardware lock holds, None where it is open; `disabled`: names of keys that
    are switched off.  The three checks return nothing or raise InsufficientSecurityClearance.
    """

    def __init__(
        self, lock: HardwareLock | None = None, disabled: frozenset[str] = frozenset()
    ) -> None:
        self.lock, self.disabled = lock, disabled

    def check_read(self, table: Declared, key: str) -> None:
        """May `key` read this table?"""
        held = self.lock is not None and table.number in self.lock.read
        if held or not self._opens(key, table.rights.read):
            _refuse(Operation.READ, table.name, key, held)

    def check_write(self, table: Declared, key: str) -> None:
        """May `key` write this table?"""
        held = self.lock is not None and (table.rights.locked or table.number in self.lock.write)
        if held or not self._opens(key, table.rights.write):
            _refuse(Operation.WRITE, table.name, key, held)

    def check_call(self, procedure: ProcedureInfo, key: str) -> None:
        """May `key` call this procedure?"""
        held = self.holds_call(procedure)
        if held or not self._opens(key, procedure.call):
            _refuse(Operation.CALL, procedure.name, key, held)

    def holds_call(self, procedure: ProcedureInfo) -> bool:
        """Does the hardware lock hold this procedure, whatever the key?"""
        return self.lock is not None and procedure.number in self.lock.call

    def _opens(self, key: str, granted: frozenset[str]) -> bool:
        return key in granted and key not in self.disabled


def _refuse(operation: Operation, name: str, key: str, held: bool) -> NoReturn:
    if held:
        raise InsufficientSecurityClearance(f"the hardware lock holds {operation.value} {name}")
    raise InsufficientSecurityClearance(f"{key} may not {operation.value} {name}")
