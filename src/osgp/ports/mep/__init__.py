"""The MEP port: framing, OMA digests and RC4, or TLS with a pre-shared key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from osgp.ports.tables import PortTables
from osgp.security.omak import MepScope
from osgp.security.secret import KeyLike, key_bytes
from osgp.security.sequence import SEQUENCE_SIZE
from osgp.security.suite import OmaClient
from osgp.session.client import REPEATS
from osgp.spec.services import Limits

from .alerts import alert_flags
from .client import MepPort
from .dialect import RC4_LIMITS, TLS_LIMITS, MepDialect, PlainClient
from .frame import STANDARD, UNHURRIED, MepTiming
from .server import MepServer
from .tls import PSK_SIZE, TERMINATE, KeyId, TlsEngine
from .tls_client import TlsPort

MAX_MESSAGE: Final = RC4_LIMITS.message


class OmaTables(PortTables):
    """The table client for a `MepPort`, whose sequence number can be kept for the next session."""

    def __init__(
        self, suite: OmaClient, persist: Callable[[bytes], None] | None, limits: Limits
    ) -> None:
        super().__init__(MepDialect(suite), limits, repeats=REPEATS, persist=persist)
        self._suite, self.mep_port = suite, 1

    def settle(self) -> None:
        """Hands the number last sent to `persist`: this client stops, and nothing is on its way.

        What `persist` got before lies ahead of it, and costs the next session one correction.
        """
        if self._persist is not None:
            self._persist(self._suite.last.to_bytes(SEQUENCE_SIZE, "big"))


def oma_tables(
    key: KeyLike,
    *,
    last: int = 0,
    encrypt: bool = False,
    restore: bytes | None = None,
    persist: Callable[[bytes], None] | None = None,
) -> OmaTables:
    """The table client for a `MepPort`; `key` is MAK or MBK, of which the first 16 bytes count.

    `last`: the sequence number last sent, if known; `restore`: what `persist` was given last;
    `encrypt`: RC4, which hides little and costs nothing.
    """
    suite = OmaClient(
        key_bytes(key)[:PSK_SIZE], MepScope(), last=last, encrypt=encrypt, restore=restore
    )
    return OmaTables(suite, persist, RC4_LIMITS)


def tls_tables() -> PortTables:
    """The table client for a `TlsPort`, which has the keys."""
    tables = PortTables(MepDialect(PlainClient(), TLS_LIMITS), TLS_LIMITS, repeats=0)
    tables.mep_port = 1
    return tables


__all__ = [
    "MAX_MESSAGE",
    "STANDARD",
    "TERMINATE",
    "UNHURRIED",
    "KeyId",
    "MepPort",
    "MepServer",
    "MepTiming",
    "OmaTables",
    "TlsEngine",
    "TlsPort",
    "alert_flags",
    "oma_tables",
    "tls_tables",
]
