"""The device's side of OSGP-AES-128-PSK behind the session API: channels, keys, guards (Annex F).

A device never has less than one way in.  The old channel stays valid until a request opens under
the new one; the old long-term key until a handshake proves the new one; the old domain key until a
broadcast uses the new one.  Each step is written to non-volatile memory before its answer leaves,
so a power cut anywhere leaves both sides with keys that fit.
"""

from __future__ import annotations

import hmac
from collections import deque
from typing import Final

import msgspec

from osgp.errors import DecodeError, SecurityError
from osgp.security import management, profile
from osgp.security.aes import Entropy
from osgp.security.broadcast import BroadcastReceiver, DomainKey, ReceiverState
from osgp.security.context import ChannelState, DeviceContext
from osgp.security.firmware import ImageCheck
from osgp.security.guard import (
    DEVICE_VALIDITY_DAYS,
    MAX_USES,
    DailyLimit,
    EventKind,
    Events,
    KeyAge,
    Lockout,
    SecurityEvent,
)
from osgp.security.handshake import LongTermKey, Responder
from osgp.security.profile import Code, Mode
from osgp.security.suite import OpenedRequest, Outcome
from osgp.wire import Record

_FAILED: Final = OpenedRequest(Outcome.BAD_DIGEST, reply=profile.AUTHENTICATION_FAILURE)
_SILENT: Final = OpenedRequest(Outcome.LOCKED_OUT)
_OK, _NOT_CLEARED, _INAPPROPRIATE = 0x00, 0x03, 0x05
_BROADCAST: Final = bytes((Code.BROADCAST,))
PLC_SUITES: Final = (0x02,)
"""The suites that respect the power line's buffer limits."""


class DeviceState(msgspec.Struct, frozen=True, array_like=True):
    """Everything of the suite that survives a power cut.  Holds keys: protected memory only.

    A new device: its id (6 bytes) and its factory key, `LongTermKey(0, key)`.  `lockout`: ET55.20
    and ET55.21 once somebody has set them.
    """

    device: bytes
    long_term: LongTermKey
    next_long_term: LongTermKey | None = None
    mode: int = Mode.RC4
    epoch: int = 0
    handshakes: int = 0
    channel: ChannelState | None = None
    next_channel: ChannelState | None = None
    domain: tuple[ReceiverState, ...] = ()
    locked: bool = False
    long_term_days: int = 0
    lockout: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<DeviceState of {self.device.hex()} epoch {self.epoch}>"


def next_version(version: int) -> int:
    """The version after `version`: 1 … 65535 in a circle; 0 is the factory key only."""
    return version % 0xFFFF + 1


class Limits(msgspec.Struct, frozen=True):
    """A device's settings: ET04.123, ET55.20, ET55.21, validity of its keys, the suites it has."""

    uses: int = MAX_USES
    lockout_threshold: int = 0
    lockout_minutes: int = 0
    validity_days: int = DEVICE_VALIDITY_DAYS
    suites: tuple[int, ...] = PLC_SUITES


DEFAULT_LIMITS: Final = Limits()


class AesServer:
    """A device's power-line security once it knows AES; see `osgp.security.suite` for its use."""

    def __init__(
        self, state: DeviceState, entropy: Entropy, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._state, self._limits = state, limits
        self._events: Events = deque()
        lockout = state.lockout or (limits.lockout_threshold, limits.lockout_minutes)
        self._lockout = Lockout(self._events, *lockout, engaged=state.locked)
        self._daily = DailyLimit(self._events, state.handshakes)
        self._responder = Responder(state.device, limits.suites, entropy)
        self._channel = self._context(state.channel)
        self._next = self._context(state.next_channel)
        self._broadcasts = BroadcastReceiver(
            state.domain, self._events, limits.uses, limits.validity_days
        )
        self._age = KeyAge(self._events, state.long_term_days, limits.validity_days)
        self._dirty = False

    @classmethod
    def restore(cls, stored: bytes, entropy: Entropy, limits: Limits = DEFAULT_LIMITS) -> AesServer:
        """From the bytes of `export_state`; DecodeError if they are none."""
        try:
            return cls(msgspec.msgpack.decode(stored, type=DeviceState), entropy, limits)
        except msgspec.MsgspecError:
            raise DecodeError("this is no stored security state") from None

    @property
    def mode(self) -> Mode:
        """The security mode, ET04.127."""
        return Mode(self._state.mode)

    @property
    def handshakes_today(self) -> int:
        """ET04.128."""
        return self._daily.count

    @property
    def unicast_uses(self) -> int:
        """ET54.82."""
        return self._channel.usage.used if self._channel else 0

    @property
    def broadcast_base(self) -> int:
        """B, ET04.82."""
        return self._broadcasts.base

    @property
    def broadcast_delta(self) -> int:
        """D, ET04.86."""
        return self._broadcasts.delta

    @property
    def broadcast_uses(self) -> int:
        """ET54.86."""
        return self._broadcasts.used

    @property
    def lockout(self) -> tuple[int, int]:
        """Threshold and minutes, ET55.20 and ET55.21."""
        return self._lockout.threshold, self._lockout.minutes

    def set_lockout(self, threshold: int, minutes: int) -> None:
        """Both one byte; a threshold of 0 switches it off, which ends no present lockout."""
        self._lockout.threshold, self._lockout.minutes = threshold, minutes
        self._change(lockout=(threshold, minutes))

    def image_check(self, length: int) -> ImageCheck:
        """The check of a firmware image (F.9) of so many bytes under the long-term key."""
        return ImageCheck(self._state.long_term.key, self._state.device, length)

    @property
    def must_persist(self) -> bool:
        return (
            self._dirty
            or self._lockout.must_persist
            or self._broadcasts.must_persist
            or any(context.must_persist for context in self._contexts())
        )

    def export_state(self) -> bytes:
        """What must survive a power cut, keys included: for protected memory only."""
        self._dirty = self._lockout.must_persist = False
        state = msgspec.structs.replace(
            self._state,
            handshakes=self._daily.count,
            channel=self._channel.export() if self._channel else None,
            next_channel=self._next.export() if self._next else None,
            domain=self._broadcasts.export(),
            locked=self._lockout.engaged,
            long_term_days=self._age.days,
        )
        return msgspec.msgpack.encode(state)

    def next_event(self) -> SecurityEvent | None:
        """The next thing to log, oldest first."""
        return self._events.popleft() if self._events else None

    def new_day(self) -> None:
        """To be called at 00:00:00: the day's handshakes start from nought."""
        self._daily.new_day()
        self._dirty = True

    def grow(self, days: int) -> None:
        """So many whole days have passed: keys grow old, whatever the device's clock says.

        An expired channel is forgotten; the handshake makes a new one.
        """
        self._age.grow(days)
        self._broadcasts.grow(days)
        for context in self._contexts():
            context.age.grow(days)
        self._channel, self._next = _unexpired(self._channel), _unexpired(self._next)
        self._dirty = True

    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest:
        """Judge a message of this suite; any other gets an AuthenticationFailure.

        A broadcast that does not verify counts for no lockout: it may be the neighbouring domain's,
        and who sends it gets no answer to learn from.
        """
        if self.locked(now):
            return _SILENT
        opened = self._dispatch(message)
        if message[:1] != _BROADCAST or opened.outcome is Outcome.ACCEPTED:
            self.judge(opened.outcome, now)
        return opened

    def locked(self, now: float) -> bool:
        """Is the port deaf after too many failed authentications?"""
        return self._lockout.locked(now)

    def judge(self, outcome: Outcome, now: float) -> None:
        """Count an outcome for the lockout: failures in a row, ended by a good authentication.

        A HANDLED message may be a stranger's Challenge, so it ends nothing.
        """
        if outcome is Outcome.BAD_DIGEST:
            self._lockout.failed(now)
        elif outcome is Outcome.ACCEPTED:
            self._lockout.succeeded()

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        """The sealed response; nothing at all for a broadcast."""
        if not opened.sealed or self._channel is None:
            return b""
        return self._channel.seal_response(opened, body)

    def _dispatch(self, message: bytes) -> OpenedRequest:
        code = message[:1]
        if code == bytes((Code.UNICAST,)):
            return self._unicast(message)
        if code == _BROADCAST:
            return self._broadcasts.open(message)
        if code == bytes((Code.HANDSHAKE,)):
            return self._handshake(message)
        return _FAILED

    def _unicast(self, message: bytes) -> OpenedRequest:
        verdict = _FAILED
        for context in self._contexts():
            try:
                opened = context.open_request(message)
            except SecurityError:
                continue
            if opened.outcome is not Outcome.KEY_EXHAUSTED:
                return self._opened(context, opened)
            verdict = opened
        return verdict

    def _opened(self, context: DeviceContext, opened: OpenedRequest) -> OpenedRequest:
        if context is self._next:
            self._channel, self._next, self._dirty = self._next, None, True
            self._report(EventKind.UNICAST_KEY_CHANGED, context.epoch)
        if opened.outcome is not Outcome.ACCEPTED or not management.is_command(opened.apdu):
            return opened
        return self._execute(context, opened)

    def _handshake(self, message: bytes) -> OpenedRequest:
        try:
            if message[1:2] == b"\1":
                return self._challenged(message)
            return self._confirmed(message)
        except SecurityError:
            return _FAILED

    def _challenged(self, message: bytes) -> OpenedRequest:
        if not self._daily.admit():
            return _SILENT
        self._dirty = True
        keys = self._state.long_term, self._state.next_long_term
        epoch = self._state.epoch + 1
        known = tuple(key for key in keys if key is not None)
        reply = self._responder.challenged(message, known, epoch)
        self._change(epoch=epoch)
        return OpenedRequest(Outcome.HANDLED, reply=reply)

    def _confirmed(self, message: bytes) -> OpenedRequest:
        again = self._responder.repeated(message)
        if again is not None:
            return OpenedRequest(Outcome.HANDLED, reply=again)
        reply, channel = self._responder.confirmed(message)
        self._next, self._dirty = self._context(channel), True
        self._prove_long_term(self._responder.key_version)
        self._lockout.succeeded()
        return OpenedRequest(Outcome.HANDLED, reply=reply)

    def _prove_long_term(self, version: int) -> None:
        newer = self._state.next_long_term
        if newer is not None and version == newer.version:
            self._change(long_term=newer, next_long_term=None)
            self._age.days = 0
            self._report(EventKind.LONG_TERM_KEY_CHANGED, version)

    def _execute(self, context: DeviceContext, opened: OpenedRequest) -> OpenedRequest:
        """Key management: executed here, answered here; the session never sees it."""
        command = management.decode_command(opened.apdu)
        response = self._result(context, opened, command)
        reply = context.seal_response(opened, management.encode(response))
        return OpenedRequest(Outcome.HANDLED, sequence=opened.sequence, reply=reply)

    def _result(
        self, context: DeviceContext, opened: OpenedRequest, command: Record | None
    ) -> Record:
        if isinstance(command, management.StatusRequest):
            return self._status()
        if isinstance(command, management.LongTermKeyUpdate):
            return _code(self._take_long_term(context, opened, command))
        if context.factory:
            return _code(_NOT_CLEARED)
        if isinstance(command, management.DomainKeyUpdate):
            return _code(self._take_domain(context, opened, command))
        if isinstance(command, management.ModeChange):
            return _code(self._take_mode(command))
        return _code(_INAPPROPRIATE)

    def _take_long_term(
        self,
        context: DeviceContext,
        opened: OpenedRequest,
        command: management.LongTermKeyUpdate,
    ) -> int:
        key = _unwrapped(context, opened, command.wrapped)
        if key is None:
            return _INAPPROPRIATE
        present = self._state.long_term
        if command.version == present.version and hmac.compare_digest(key, present.key):
            return _OK
        if command.version != next_version(present.version):
            return _INAPPROPRIATE
        self._change(next_long_term=LongTermKey(command.version, key))
        return _OK

    def _take_domain(
        self, context: DeviceContext, opened: OpenedRequest, command: management.DomainKeyUpdate
    ) -> int:
        key = _unwrapped(context, opened, command.wrapped)
        if key is None:
            return _INAPPROPRIATE
        domain_key = DomainKey(command.generation, command.domain, key)
        taken = self._broadcasts.install(ReceiverState(domain_key, command.base, command.delta))
        return _OK if taken else _INAPPROPRIATE

    def _take_mode(self, command: management.ModeChange) -> int:
        if command.mode not in list(Mode):
            return _INAPPROPRIATE
        if command.mode != self._state.mode:
            self._change(mode=command.mode)
            self._report(EventKind.MODE_CHANGED, command.mode)
        return _OK

    def _status(self) -> management.StatusResponse:
        state = self._state
        newer = state.next_long_term or state.long_term
        return management.StatusResponse(
            code=0,
            response=_OK,
            key_version=state.long_term.version,
            next_key_version=newer.version,
            generation=self._broadcasts.generation,
            base=self._broadcasts.base,
            mode=state.mode,
            handshakes=self._daily.count,
            unicast_uses=self.unicast_uses,
            broadcast_uses=self.broadcast_uses,
        )

    def _context(self, state: ChannelState | None) -> DeviceContext | None:
        if state is None:
            return None
        return DeviceContext(state, self._events, self._limits.uses, self._limits.validity_days)

    def _contexts(self) -> tuple[DeviceContext, ...]:
        return tuple(context for context in (self._channel, self._next) if context is not None)

    def _change(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._dirty = True

    def _report(self, kind: EventKind, argument: int) -> None:
        self._events.append(SecurityEvent(kind, argument))


def _unexpired(context: DeviceContext | None) -> DeviceContext | None:
    return None if context is None or context.age.expired else context


def _unwrapped(context: DeviceContext, opened: OpenedRequest, wrapped: bytes) -> bytes | None:
    try:
        return context.unwrap(wrapped, opened.sequence, management.header(opened.apdu))
    except SecurityError:
        return None


def _code(response: int) -> management.CommandResponse:
    return management.CommandResponse(code=0, response=response)
