"""TLS with a pre-shared key by mbed TLS, the library that the meters themselves run.

Needs the extra `osgp[tls]` (python-mbedtls); docs/adr/0006-tls-psk.md says why this one. It takes
identities as text: a server therefore refuses clients whose id is no UTF-8 (see there).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from osgp.errors import SecurityError, UsageError
from osgp.security.secret import KeyLike, key_bytes

from .tls import IDENTITY, PSK_SIZE, Identity, KeyId, TlsKeys

try:
    from mbedtls import tls
    from mbedtls.exceptions import TLSError
except ImportError as error:
    raise UsageError("TLS on the MEP port needs the extra: pip install 'osgp[tls]'") from error

CIPHERS: Final = ("TLS-PSK-WITH-AES-256-GCM-SHA384",)
MAX_RECORD: Final = 1 << 14
MAX_STEPS: Final = 64


class _Bytes(str):
    """An identity that encodes to exactly the bytes it was made of."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode("latin-1")


class _Store(Mapping[str, bytes]):
    """The server's keys as mbed TLS asks for them; remembers which identity it asked for."""

    def __init__(self, keys: TlsKeys) -> None:
        self._keys = keys
        self.asked = b""

    def __getitem__(self, identity: str) -> bytes:
        self.asked = identity.encode()
        key = self._keys.of(self.asked)
        if key is None:
            raise KeyError(identity)
        return key

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Engine:
    """What both sides share: handshake and records over memory."""

    def __init__(self, buffer: tls.TLSWrappedBuffer) -> None:
        self._buffer = buffer
        self._broken = False

    @property
    def established(self) -> bool:
        return not self._broken and self._buffer._handshake_state.name == "HANDSHAKE_OVER"

    def advance(self, records: bytes) -> bytes:
        if records:
            self._buffer.receive_from_network(records)
        out = b""
        for _ in range(MAX_STEPS):
            if self.established:
                return out
            waiting = self._step()
            out += self._outgoing()
            if waiting:
                return out
        raise self._failed()

    def seal(self, plain: bytes) -> bytes:
        self._check()
        try:
            self._buffer.write(plain)
        except (TLSError, tls.WantReadError, tls.WantWriteError):
            raise self._failed() from None
        return self._outgoing()

    def open(self, record: bytes) -> bytes:
        self._check()
        try:
            self._buffer.receive_from_network(record)
            plain = self._buffer.read(MAX_RECORD)
        except (TLSError, tls.WantReadError, tls.WantWriteError, tls.RaggedEOF):
            raise self._failed() from None
        if not plain:
            raise self._failed()
        return plain

    def _step(self) -> bool:
        """One step of the handshake; True when the peer has to say something first."""
        try:
            self._buffer.do_handshake()
        except tls.WantReadError:
            return True
        except tls.WantWriteError:
            return False
        except (TLSError, ValueError):
            raise self._failed() from None
        return False

    def _outgoing(self) -> bytes:
        out = bytes(self._buffer.peek_outgoing(2 * MAX_RECORD))
        self._buffer.consume_outgoing(len(out))
        return out

    def _check(self) -> None:
        if not self.established:
            raise SecurityError("there is no TLS session")

    def _failed(self) -> SecurityError:
        self._broken = True
        return SecurityError("TLS refused what came")


class MbedClient(_Engine):
    """A client's side. `client`: the 16-bit id that the meter notes; `key_id`: which key it is."""

    def __init__(self, key: KeyLike, key_id: KeyId, client: int = 0) -> None:
        self.identity = IDENTITY.encode(Identity(client, key_id))
        psk = (_Bytes(self.identity.decode("latin-1")), key_bytes(key)[:PSK_SIZE])
        configuration = tls.TLSConfiguration(
            validate_certificates=False,
            ciphers=CIPHERS,
            lowest_supported_version=tls.TLSVersion.TLSv1_2,
            highest_supported_version=tls.TLSVersion.TLSv1_2,
            pre_shared_key=psk,
        )
        super().__init__(tls.ClientContext(configuration).wrap_buffers(None))


class MbedServer(_Engine):
    """A meter's side; `keys` by name ('MAK', 'MBK'), of which the first 16 bytes count."""

    def __init__(self, keys: Mapping[str, KeyLike]) -> None:
        self._store = _Store(TlsKeys({n: key_bytes(k)[:PSK_SIZE] for n, k in keys.items()}))
        configuration = tls.TLSConfiguration(
            validate_certificates=False,
            ciphers=CIPHERS,
            lowest_supported_version=tls.TLSVersion.TLSv1_2,
            highest_supported_version=tls.TLSVersion.TLSv1_2,
            pre_shared_key_store=self._store,
        )
        super().__init__(tls.ServerContext(configuration).wrap_buffers())

    @property
    def identity(self) -> bytes:
        return self._store.asked
