"""A device and its concentrator for tests: with power cuts, lost messages and a nonce ledger."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from osgp.errors import SecurityError
from osgp.security import aes
from osgp.security.aes_client import DEFAULT_POLICY, AesClient, ClientPolicy, ClientState
from osgp.security.aes_device import DEFAULT_LIMITS, AesServer, DeviceState, Limits
from osgp.security.handshake import LongTermKey
from osgp.security.suite import Outcome

DEVICE = bytes.fromhex("0501020304a5")
CONCENTRATOR = bytes.fromhex("0509080706c3")
FACTORY_KEY = bytes(range(16))
UTILITY_KEY = bytes(range(100, 116))
READ = bytes.fromhex("003f001700000000 2c")
BODY = bytes.fromhex("00 00 0003 010203")


class World:
    """Both ends, each with its non-volatile memory, written as the suite asks for it."""

    def __init__(
        self,
        seed: int = 1,
        *,
        limits: Limits = DEFAULT_LIMITS,
        policy: ClientPolicy = DEFAULT_POLICY,
        device: bytes = DEVICE,
        factory_key: bytes = FACTORY_KEY,
    ) -> None:
        self.entropy = random.Random(seed).randbytes
        self.limits, self.policy = limits, policy
        factory = LongTermKey(0, factory_key)
        self.device = AesServer(DeviceState(device, factory), self.entropy, limits)
        self.client = AesClient(ClientState(device, factory), CONCENTRATOR, self.entropy, policy)
        self.device_memory = self.device.export_state()
        self.client_memory = self.client.export_state()
        self.heard: list[tuple[bytes, bytes | None]] = []
        self.executed: list[bytes] = []

    def cut_device(self) -> None:
        self.device = AesServer.restore(self.device_memory, self.entropy, self.limits)
        self.write_device()

    def cut_client(self) -> None:
        self.client = AesClient.restore(self.client_memory, CONCENTRATOR, self.entropy, self.policy)
        self.write_client()

    def write_device(self) -> None:
        if self.device.must_persist:
            self.device_memory = self.device.export_state()

    def write_client(self) -> None:
        if self.client.must_persist:
            self.client_memory = self.client.export_state()

    def deliver(self, message: bytes, now: float = 0.0) -> bytes | None:
        """The device's answer; its memory is written before the request is executed."""
        opened = self.device.open_request(message, now)
        self.write_device()
        reply = opened.reply
        if opened.outcome is Outcome.ACCEPTED:
            self.executed.append(message)
            reply = self.device.seal_response(opened, BODY)
            self.write_device()
        self.heard.append((message, reply))
        return reply

    def work(self) -> int:
        """Let the client do all it wants; the number of messages it took."""
        for count in range(60):
            message = self.client.work()
            if message is None:
                return count
            self.write_client()
            self.answer(self.deliver(message))
        raise AssertionError("the client never finishes")

    def answer(self, reply: bytes | None) -> None:
        """Give an answer to the client, who may find it wrong and goes on."""
        if reply is None:
            self.client.abandon()
            return
        try:
            self.client.answer(reply)
        except SecurityError:
            return
        finally:
            self.write_client()

    def read(self) -> bytes:
        """One ordinary request, sealed again after a 0C as the session does."""
        for _ in range(3):
            sealed = self.client.seal_request(READ)
            self.write_client()
            reply = self.deliver(sealed)
            assert reply is not None
            body = self.client.open_response(sealed, reply)
            self.write_client()
            if body[1] != 0x0C:
                return body
        raise AssertionError("the sequence numbers never agree")

    def commissioned(self) -> World:
        """With the utility's key, nothing else wanted."""
        self.client.want_long_term_key(UTILITY_KEY)
        self.work()
        return self


@contextmanager
def nonce_ledger(
    patch: Callable[[Any, str, Any], None],
) -> Iterator[dict[tuple[bytes, bytes], bytes]]:
    """Records every AES-CCM encryption; a nonce used twice for different texts fails at once."""
    ledger: dict[tuple[bytes, bytes], bytes] = {}

    class Recording:
        def __init__(self, key: bytes, tag_length: int) -> None:
            self._key, self._ccm = key, AESCCM(key, tag_length=tag_length)

        def encrypt(self, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
            assert ledger.setdefault((self._key, nonce), plain) == plain, "nonce used twice"
            return self._ccm.encrypt(nonce, plain, associated)

        def decrypt(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
            return self._ccm.decrypt(nonce, sealed, associated)

    patch(aes, "AESCCM", Recording)
    yield ledger
