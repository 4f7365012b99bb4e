"""Secure channel state and unicast communication (F.7.2, F.8.3): one epoch of one device.

Both ends hold a CryptoContext.  Numbers only grow: the client never goes back, whatever a
SequenceError says, and the server answers each number at most once.  So no nonce repeats under a
key, also across power cuts, which lose reserved numbers and never repeat one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final, Self

import msgspec
from cryptography.exceptions import InvalidTag

from osgp.errors import DecodeError, LocalProtocolError, SecurityError
from osgp.security import profile
from osgp.security.aes import AeadKey
from osgp.security.guard import Events, KeyAge, KeyUsage
from osgp.security.profile import Code, Purpose
from osgp.security.sequence import SEQUENCE_SIZE, ForwardNumber
from osgp.security.suite import SEQUENCE_ERROR, OpenedRequest, Outcome

_UNICAST: Final = bytes((Code.UNICAST,))
_HEAD: Final = 1 + SEQUENCE_SIZE


class ChannelState(msgspec.Struct, frozen=True, array_like=True):
    """What survives a power cut.  Holds keys: belongs into protected memory or a key store."""

    suite: int
    device: bytes
    epoch: int
    unicast: bytes
    wrap: bytes
    number: int = 0
    used: int = 0
    factory: bool = False
    days: int = 0

    def __repr__(self) -> str:
        return f"<ChannelState epoch {self.epoch}>"


class CryptoContext:
    """Keys, number and uses of a secure channel; see ClientContext and DeviceContext."""

    __slots__ = ("_keys", "_request", "_response", "_state", "_wrap", "events", "number", "usage")

    def __init__(self, state: ChannelState, events: Events, limit: int) -> None:
        suite = profile.SUITES.get(state.suite)
        if suite is None:
            raise DecodeError(f"no cipher suite {state.suite:02X}")
        self._state, self.events = state, events
        self._keys = profile.ChannelKeys(state.unicast, suite, state.device, state.epoch)
        self._wrap = AeadKey(state.wrap, profile.WRAP_TAG)
        self._request = profile.nonce_prefix(Purpose.REQUEST, state.device, state.epoch)
        self._response = profile.nonce_prefix(Purpose.RESPONSE, state.device, state.epoch)
        self.number = ForwardNumber(state.number)
        self.usage = KeyUsage(events, state.used, limit)

    @classmethod
    def from_bytes(cls, stored: bytes, events: Events, limit: int) -> Self:
        """The context that `to_bytes` wrote; DecodeError for anything else."""
        try:
            return cls(msgspec.msgpack.decode(stored, type=ChannelState), events, limit)
        except (msgspec.MsgspecError, LocalProtocolError):
            raise DecodeError("this is no stored channel") from None

    def to_bytes(self) -> bytes:
        """Everything that must survive a power cut, keys included: for protected memory only."""
        return msgspec.msgpack.encode(self.export())

    def export(self) -> ChannelState:
        """The state with number and uses reserved ahead; due whenever `must_persist` is true."""
        return msgspec.structs.replace(
            self._state, number=self.number.export(), used=self.usage.export()
        )

    @property
    def must_persist(self) -> bool:
        return self.number.must_persist or self.usage.must_persist

    @property
    def epoch(self) -> int:
        """The number of the handshake that made this channel."""
        return self._state.epoch

    @property
    def factory(self) -> bool:
        """True if the handshake used the factory key: good for commissioning only."""
        return self._state.factory

    def wrap(self, key: bytes, sequence: int, header: bytes) -> bytes:
        """A key for transport in the request with number `sequence`, bound to its `header`."""
        return self._wrap.seal(self._wrap_nonce(sequence), key, header)

    def unwrap(self, wrapped: bytes, sequence: int, header: bytes) -> bytes:
        """The key that `wrap` wrapped; SecurityError if anything was altered."""
        return self._wrap.open(self._wrap_nonce(sequence), wrapped, header)

    def _wrap_nonce(self, sequence: int) -> bytes:
        prefix = profile.nonce_prefix(Purpose.WRAP, self._state.device, self._state.epoch)
        return prefix + sequence.to_bytes(SEQUENCE_SIZE, "big")

    def _sequence_mac(self, last: bytes, request: bytes) -> bytes:
        message = bytes((Code.ERROR, 2)) + last + request
        return self._keys.errors.mac(message, profile.ERROR_MAC_SIZE)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} epoch {self.epoch}>"


class ClientContext(CryptoContext):
    """The concentrator's end."""

    __slots__ = ("_open", "_seal")

    def __init__(self, state: ChannelState, events: Events, limit: int) -> None:
        super().__init__(state, events, limit)
        self._seal, self._open = self._keys.request.seal, self._keys.response.decrypt

    def seal_request(self, apdu: bytes) -> bytes:
        """10 ‖ sequence ‖ cipher text ‖ tag for an APDU with the leading code 00."""
        return self._sealed(self._take(), apdu)

    def seal_numbered(self, build: Callable[[int], bytes]) -> bytes:
        """As `seal_request`, for an APDU that depends on its own sequence number."""
        number = self._take()
        return self._sealed(number, build(number))

    def _take(self) -> int:
        usage = self.usage
        if usage.used >= usage.limit:
            raise LocalProtocolError("this channel's key is used up: renew it")
        return self.number.take()

    def _sealed(self, number: int, apdu: bytes) -> bytes:
        if apdu[:1] != b"\0":
            raise LocalProtocolError("an APDU to be sealed starts with the message code 00")
        self.usage.count()
        sequence = number.to_bytes(SEQUENCE_SIZE, "big")
        return _UNICAST + sequence + self._seal(self._request + sequence, apdu[1:], _UNICAST)

    def open_response(self, request: bytes, response: bytes) -> bytes:
        """The plain response (code 00 …) to a sealed request; SecurityError otherwise.

        An authenticated SequenceError comes back as 00 0C ‖ last number, and is followed forward.
        """
        if response[:1] == _UNICAST:
            self.usage.count()
            nonce = self._response + request[1:_HEAD]
            try:
                return b"\0" + self._open(nonce, response[1:], _UNICAST)
            except InvalidTag:
                raise SecurityError from None
        if response == profile.AUTHENTICATION_FAILURE:
            raise SecurityError("the device refused the tag: another key, or a damaged message")
        return self._follow(request, profile.decode(profile.SequenceError, response))

    def _follow(self, request: bytes, error: profile.SequenceError) -> bytes:
        last = error.last.to_bytes(SEQUENCE_SIZE, "big")
        self.usage.count()
        if (error.code, error.kind) != (Code.ERROR, 2) or not hmac.compare_digest(
            self._sequence_mac(last, request), error.mac
        ):
            raise SecurityError
        if error.last > self.number.last:
            self.number.advance(error.last)
        return bytes((0, SEQUENCE_ERROR)) + last


class DeviceContext(CryptoContext):
    """The device's end; `validity` in days, 0 for ever."""

    __slots__ = ("_answered", "_key_name", "_open", "_seal", "age")

    def __init__(self, state: ChannelState, events: Events, limit: int, validity: int = 0) -> None:
        super().__init__(state, events, limit)
        self.age = KeyAge(events, state.days, validity)
        self._answered: tuple[bytes, bytes | None] | None = None
        self._key_name = "FACTORY" if state.factory else "AES"
        self._open, self._seal = self._keys.request.decrypt, self._keys.response.seal

    def export(self) -> ChannelState:
        """As CryptoContext, with the key's days."""
        return msgspec.structs.replace(super().export(), days=self.age.days)

    def open_request(self, message: bytes) -> OpenedRequest:
        """Judge a sealed unicast request; SecurityError if its tag is wrong."""
        usage = self.usage
        if usage.used >= usage.limit:
            return OpenedRequest(Outcome.KEY_EXHAUSTED, reply=profile.AUTHENTICATION_FAILURE)
        usage.count()
        sequence = message[1:_HEAD]
        try:
            plain = self._open(self._request + sequence, message[_HEAD:], _UNICAST)
        except InvalidTag:
            raise SecurityError from None
        number = int.from_bytes(sequence, "big")
        if not self.number.accept(number):
            return self._refuse(message, number)
        self._answered = message, None
        return OpenedRequest(Outcome.ACCEPTED, b"\0" + plain, number, self._key_name, None, message)

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        """10 ‖ cipher text ‖ tag for a body with the leading code 00; once for each request."""
        if self._answered is None or self._answered[0] != opened.sealed or self._answered[1]:
            raise LocalProtocolError("only the request opened last is answered, and only once")
        if body[:1] != b"\0":
            raise LocalProtocolError("a body to be sealed starts with the message code 00")
        self.usage.count()
        nonce = self._response + opened.sealed[1:_HEAD]
        sealed = _UNICAST + self._seal(nonce, body[1:], _UNICAST)
        self._answered = opened.sealed, sealed
        return sealed

    def _refuse(self, message: bytes, number: int) -> OpenedRequest:
        """The stored response for a repetition, a SequenceError for any other old number."""
        if self._answered is not None and self._answered[0] == message:
            return OpenedRequest(Outcome.REPEATED, sequence=number, reply=self._answered[1])
        last = self.number.last.to_bytes(SEQUENCE_SIZE, "big")
        reply = bytes((Code.ERROR, 2)) + last + self._sequence_mac(last, message)
        return OpenedRequest(Outcome.BAD_SEQUENCE, sequence=number, reply=reply)
