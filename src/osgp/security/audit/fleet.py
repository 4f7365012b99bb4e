"""Which meters of a fleet are in danger: old suite, default keys, shared keys, worn keys."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec

from osgp.security.guard import MAX_USES, WARN_SHARE
from osgp.security.profile import Mode
from osgp.security.secret import Secret


class Weakness(Enum):
    """What is wrong with a meter; the value is one line for its owner."""

    OLD_SUITE = "runs OMAK/RC4, which is broken: migrate it to OSGP-AES-128-PSK"
    DEFAULT_KEY = "has a key that is printed in public documents: change it"
    SHARED_KEY = "has the same key as other meters: give each its own"
    WORN_KEY = "has used its key more than 80 % of what is allowed: renew it"
    FACTORY_KEY = "still has its factory key: commission it"


class MeterSecurity(msgspec.Struct, frozen=True):
    """What a store knows about one meter.  `uses` is ET54.82, `limit` ET04.123."""

    name: str
    mode: Mode
    key: Secret | None = None
    uses: int = 0
    limit: int = MAX_USES
    factory: bool = False


class Finding(msgspec.Struct, frozen=True):
    """One weakness of one meter."""

    meter: str
    weakness: Weakness

    def __str__(self) -> str:
        return f"{self.meter} {self.weakness.value}"


_REPEATED_BYTES: Final = (0x00, 0x01, 0xDF, 0xFF)
"""Keys of one repeated byte: blank memory, the MEP guide's default, Annex E's example."""


def audit_fleet(meters: Iterable[MeterSecurity]) -> list[Finding]:
    """Findings in the order of the meters, each meter's in the order of Weakness."""
    fleet = list(meters)
    shared = _shared(fleet)
    return [
        Finding(meter.name, weakness)
        for meter in fleet
        for weakness, present in _judge(meter, meter.name in shared).items()
        if present
    ]


def _judge(meter: MeterSecurity, shared: bool) -> dict[Weakness, bool]:
    return {
        Weakness.OLD_SUITE: meter.mode is Mode.RC4,
        Weakness.DEFAULT_KEY: meter.key is not None and _is_default(meter.key.reveal()),
        Weakness.SHARED_KEY: shared,
        Weakness.WORN_KEY: meter.uses >= WARN_SHARE * meter.limit,
        Weakness.FACTORY_KEY: meter.factory,
    }


def _is_default(key: bytes) -> bool:
    return any(key == bytes((octet,)) * len(key) for octet in _REPEATED_BYTES)


def _shared(fleet: list[MeterSecurity]) -> set[str]:
    """Names of the meters whose key another meter has; compared by a salted hash."""
    salt = os.urandom(16)
    owners: dict[bytes, list[str]] = defaultdict(list)
    for meter in fleet:
        if meter.key is not None:
            owners[hmac.digest(salt, meter.key.reveal(), hashlib.sha256)].append(meter.name)
    return {name for names in owners.values() if len(names) > 1 for name in names}
