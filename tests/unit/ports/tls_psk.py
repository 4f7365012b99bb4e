"""TLS 1.2 with TLS_PSK_WITH_AES_256_GCM_SHA384, both sides, written from RFC 5246, 4279 and 5487.

An independent implementation to test against: deterministic, one cipher suite, one record for each
handshake message where the MEP guide's example has one. Its messages equal the guide's bytes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from osgp.errors import SecurityError

CHANGE, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
HELLO, SERVER_HELLO, HELLO_DONE, KEY_EXCHANGE, FINISHED = 1, 2, 14, 16, 20
VERSION = b"\x03\x03"
SUITE, SCSV = b"\x00\xa9", b"\x00\xff"


def prf(secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """RFC 5246, 5, with SHA-384."""
    a, out = label + seed, b""
    while len(out) < size:
        a = hmac.new(secret, a, hashlib.sha384).digest()
        out += hmac.new(secret, a + label + seed, hashlib.sha384).digest()
    return out[:size]


def master_secret(psk: bytes, client_random: bytes, server_random: bytes) -> bytes:
    """RFC 4279, 2, and RFC 5246, 8.1."""
    size = len(psk).to_bytes(2)
    premaster = size + bytes(len(psk)) + size + psk
    return prf(premaster, b"master secret", client_random + server_random, 48)


def record(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + VERSION + len(body).to_bytes(2) + body


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3) + body


def records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    while stream:
        size = int.from_bytes(stream[3:5])
        if len(stream) < 5 + size or stream[1:3] != VERSION:
            raise SecurityError
        yield stream[0], stream[5 : 5 + size]
        stream = stream[5 + size :]


class Direction:
    """One direction's key, implicit nonce and sequence number (RFC 5288)."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._aead, self._salt, self._number = AESGCM(key), salt, 0

    def seal(self, kind: int, plain: bytes) -> bytes:
        number = self._next()
        sealed = self._aead.encrypt(self._salt + number, plain, self._covered(number, kind, plain))
        return record(kind, number + sealed)

    def open(self, kind: int, body: bytes) -> bytes:
        number = self._next()
        covered = self._covered(number, kind, body[: len(body) - 24])
        try:
            return self._aead.decrypt(self._salt + body[:8], body[8:], covered)
        except InvalidTag:
            raise SecurityError from None

    def _next(self) -> bytes:
        self._number += 1
        return (self._number - 1).to_bytes(8)

    def _covered(self, number: bytes, kind: int, plain: bytes) -> bytes:
        return number + bytes((kind,)) + VERSION + len(plain).to_bytes(2)


class Side:
    """What both sides share. `established`, `seal` and `open` as osgp's engines have them."""

    established = False
    identity = b""
    out: Direction
    inward: Direction

    def __init__(self) -> None:
        self.transcript = b""
        self.client_random = self.server_random = self.master = b""

    def seal(self, plain: bytes) -> bytes:
        return self.out.seal(DATA, plain)

    def open(self, stream: bytes) -> bytes:
        return b"".join(self.inward.open(kind, body) for kind, body in records(stream))

    def derive(self, psk: bytes, *, client: bool) -> None:
        self.master = master_secret(psk, self.client_random, self.server_random)
        block = prf(self.master, b"key expansion", self.server_random + self.client_random, 72)
        ours = Direction(block[:32], block[64:68]), Direction(block[32:64], block[68:72])
        self.out, self.inward = ours if client else ours[::-1]

    def verify_data(self, label: bytes) -> bytes:
        return prf(self.master, label, hashlib.sha384(self.transcript).digest(), 12)

    def finish(self, label: bytes) -> bytes:
        finished = message(FINISHED, self.verify_data(label))
        self.transcript += finished
        return record(CHANGE, b"\x01") + self.out.seal(HANDSHAKE, finished)

    def check_finished(self, body: bytes, label: bytes) -> None:
        finished = self.inward.open(HANDSHAKE, body)
        if finished != message(FINISHED, self.verify_data(label)):
            raise SecurityError
        self.transcript += finished


class PskClient(Side):
    def __init__(self, psk: bytes, identity: bytes, random: bytes) -> None:
        super().__init__()
        self.identity, self.client_random, self._psk = identity, random, psk

    def advance(self, stream: bytes) -> bytes:
        if not stream:
            return self._hello()
        found = list(records(stream))
        if not self.master:
            return self._answer_hello(found)
        if [kind for kind, _ in found] != [CHANGE, HANDSHAKE]:
            raise SecurityError
        self.check_finished(found[1][1], b"server finished")
        self.established = True
        return b""

    def _hello(self) -> bytes:
        suites = SUITE + SCSV
        body = VERSION + self.client_random + b"\0" + len(suites).to_bytes(2) + suites + b"\1\0"
        self.transcript = message(HELLO, body)
        return record(HANDSHAKE, self.transcript)

    def _answer_hello(self, found: list[tuple[int, bytes]]) -> bytes:
        hello = found[0][1]
        if found[0][0] != HANDSHAKE or hello[0] != SERVER_HELLO:
            raise SecurityError
        self.server_random = hello[6:38]
        self.transcript += b"".join(body for _, body in found)
        exchange = message(KEY_EXCHANGE, len(self.identity).to_bytes(2) + self.identity)
        self.transcript += exchange
        self.derive(self._psk, client=True)
        return record(HANDSHAKE, exchange) + self.finish(b"client finished")


class PskServer(Side):
    def __init__(
        self, key_of: Callable[[bytes], bytes | None], random: bytes, session: bytes
    ) -> None:
        super().__init__()
        self.server_random, self._session, self._key_of = random, session, key_of

    def advance(self, stream: bytes) -> bytes:
        found = list(records(stream))
        if not self.transcript:
            return self._answer_hello(found[0][1])
        if [kind for kind, _ in found] != [HANDSHAKE, CHANGE, HANDSHAKE]:
            raise SecurityError
        self.transcript += found[0][1]
        self.identity = found[0][1][6:]
        psk = self._key_of(self.identity)
        if psk is None:
            raise SecurityError
        self.derive(psk, client=False)
        self.check_finished(found[2][1], b"client finished")
        self.established = True
        return self.finish(b"server finished")

    def _answer_hello(self, hello: bytes) -> bytes:
        if hello[0] != HELLO or SUITE not in hello:
            raise SecurityError
        self.client_random = hello[6:38]
        session = bytes((len(self._session),)) + self._session
        extensions = bytes.fromhex("0005ff01000100")
        body = VERSION + self.server_random + session + SUITE + b"\0" + extensions
        answer, done = message(SERVER_HELLO, body), message(HELLO_DONE, b"")
        self.transcript = hello + answer + done
        return record(HANDSHAKE, answer) + record(HANDSHAKE, done)
