"""A meter's power-line security: one or both suites, kept in its memory, told to its log.

A meter with a factory key knows OSGP-AES-128-PSK beside the old suite (`osgp.security.dual`); one
without knows the old suite only. Its security mode (ET04.127) is in the suite's state. In mode 2
every message of the old suite is refused, and while the meter has a place in a domain nobody
changes its configuration by plain network management, whose authentication rests on the OMAK. A
concentrator gives it another place inside the secure channel (`osgp.session.managing`), where the
factory key does not reach.

| security event | alarm (BT03) | log (BT74) |
|---|---|---|
| a key at 80 % of its uses or days, or at their end | 34 key expiration pending | |
| locked out, the day's handshakes used up | 8 invalid password | 72 |
| long-term or domain key, or mode changed | | 36 reprogrammed |

Which of them a real meter logs is not public: `Source.PROJECT`. The day of the daily limit is that
of the meter's UTC clock; keys grow old by true time, which nobody can set. Both are looked at
before a message is judged and before a table shows them, so the new day begins at midnight for
whoever asks.
"""

from __future__ import annotations

import random
from typing import Final

import msgspec

from osgp.errors import DecodeError
from osgp.meter.clockwork import DAY
from osgp.meter.identity import MeterProfile
from osgp.meter.nvm import Nvm
from osgp.meter.parts import INVALID_PASSWORD, KEY_EXPIRATION_PENDING, Parts, Security
from osgp.security.aes_device import AesServer, DeviceState
from osgp.security.dual import PlcServer
from osgp.security.guard import EventKind, SecurityEvent
from osgp.security.handshake import LongTermKey
from osgp.security.omak import ENCRYPTED, PLAIN, PlcScope
from osgp.security.profile import Code, Mode
from osgp.security.suite import OmaServer, OpenedRequest, Outcome, ServerSecurity
from osgp.spec.services import ResponseCode

SEQUENCE_CELL: Final = "sequence"
SECURITY_CELL: Final = "security"
FACTORY: Final = "FACTORY"
AES_KEY: Final = "AES"

_ALARMS: Final = {
    EventKind.KEY_USAGE_HIGH: KEY_EXPIRATION_PENDING,
    EventKind.KEY_EXHAUSTED: KEY_EXPIRATION_PENDING,
    EventKind.KEY_AGING: KEY_EXPIRATION_PENDING,
    EventKind.KEY_EXPIRED: KEY_EXPIRATION_PENDING,
    EventKind.LOCKED_OUT: INVALID_PASSWORD,
    EventKind.HANDSHAKE_LIMIT: INVALID_PASSWORD,
}
_REPROGRAMMING: Final = frozenset(
    {EventKind.LONG_TERM_KEY_CHANGED, EventKind.DOMAIN_KEY_CHANGED, EventKind.MODE_CHANGED}
)


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """The memory's cell: `day` of the counted handshakes, true day until which keys have aged, the
    clock's reading (s) at the last valid secure broadcast. 0: none yet.
    """

    legacy: bytes
    aes: bytes
    day: int
    aged: int = 0
    broadcast: int = 0


class LineSecurity:
    """Implements `ServerSecurity` for one meter. What changes is put, not committed, by `keep`.

    Raises DecodeError for a damaged memory.
    """

    def __init__(self, parts: Parts, nvm: Nvm, rng: random.Random) -> None:
        self._parts, self._nvm = parts, nvm
        stored = nvm.get(SECURITY_CELL)
        kept = None if stored is None else _decoded(stored)
        sequence = nvm.get(SEQUENCE_CELL) if kept is None else kept.legacy
        profile = parts.profile
        self._legacy = OmaServer(profile.omak, PlcScope(0, 0), restore=sequence)
        self._aes = _aes(profile, kept, rng)
        self._day = 0 if kept is None else kept.day
        self._aged = 0 if kept is None else kept.aged
        self._broadcast = 0 if kept is None else kept.broadcast
        self._server: ServerSecurity = (
            self._legacy if self._aes is None else PlcServer(self._legacy, self._aes)
        )
        parts.link.security = self.shown
        if self._aes is not None:
            parts.link.set_lockout = self._aes.set_lockout
            parts.link.image_check = self._aes.image_check

    @property
    def last(self) -> int:
        """The number last accepted in the old suite, ET04.0."""
        return self._legacy.last

    @property
    def scope(self) -> PlcScope:
        """What the old suite's digests cover besides the message."""
        scope = self._legacy.scope
        assert isinstance(scope, PlcScope)
        return scope

    @scope.setter
    def scope(self, scope: PlcScope) -> None:
        self._legacy.scope = scope

    @property
    def codes(self) -> tuple[int, ...]:
        """Message codes of the suites it has."""
        return (PLAIN, ENCRYPTED, *(() if self._aes is None else Code))

    @property
    def mode(self) -> Mode:
        """The security mode, ET04.127."""
        return Mode.RC4 if self._aes is None else self._aes.mode

    def shown(self, now: float) -> Security:
        """What ET04, ET54 and ET55 show of it at `now`."""
        limit = self._parts.profile.security.uses
        if self._aes is None:
            return Security(limit=limit)
        self._turn_day(now)
        aes = self._aes
        return Security(
            mode=aes.mode,
            limit=limit,
            handshakes=aes.handshakes_today,
            base=aes.broadcast_base,
            delta=aes.broadcast_delta,
            unicast_uses=aes.unicast_uses,
            broadcast_uses=aes.broadcast_uses,
            modes=frozenset({int(Mode.RC4), int(Mode.AES)}),
            broadcast=self._broadcast,
            lockout=aes.lockout,
        )

    @property
    def must_persist(self) -> bool:
        return self._server.must_persist

    def export_state(self) -> bytes:
        """What must survive a power cut, keys included: for the meter's own memory."""
        legacy = self._legacy.export_state()
        if self._aes is None:
            return legacy
        kept = _Kept(legacy, self._aes.export_state(), self._day, self._aged, self._broadcast)
        return msgspec.msgpack.encode(kept)

    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest:
        """Judges a message under the suite that the mode allows for it."""
        self._turn_day(now)
        opened = self._server.open_request(message, now)
        if opened.outcome is Outcome.ACCEPTED and message[0] == Code.BROADCAST:
            self._broadcast = int(self._parts.clock.reading(now))
        self._tell(now)
        return opened

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        return self._server.seal_response(opened, body)

    def keep(self) -> None:
        """Puts the state where it has to survive; to be committed before an answer leaves."""
        if self.must_persist:
            cell = SEQUENCE_CELL if self._aes is None else SECURITY_CELL
            self._nvm.put(cell, self.export_state())

    def _turn_day(self, now: float) -> None:
        if self._aes is None:
            return
        day = int(self._parts.clock.reading(now)) // DAY
        if day != self._day:
            self._day = day
            self._aes.new_day()
        today = int(now) // DAY
        if today > self._aged:
            if self._aged:
                self._aes.grow(today - self._aged)
            self._aged = today

    def _tell(self, now: float) -> None:
        while self._aes is not None and (event := self._aes.next_event()) is not None:
            self._note(event, now)

    def _note(self, event: SecurityEvent, now: float) -> None:
        if event.kind in _ALARMS:
            self._parts.raise_alarm(_ALARMS[event.kind], now)
        elif event.kind in _REPROGRAMMING:
            self._parts.reprogrammed(now)


class CommandSecurity:
    """The same for what is no table service: the factory key opens nothing of it."""

    def __init__(self, line: LineSecurity) -> None:
        self._line = line

    @property
    def must_persist(self) -> bool:
        return self._line.must_persist

    def export_state(self) -> bytes:
        return self._line.export_state()

    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest:
        opened = self._line.open_request(message, now)
        if opened.outcome is not Outcome.ACCEPTED or opened.key != FACTORY:
            return opened
        refusal = bytes((0, ResponseCode.INSUFFICIENT_SECURITY_CLEARANCE))
        reply = self._line.seal_response(opened, refusal)
        return OpenedRequest(Outcome.HANDLED, sequence=opened.sequence, reply=reply)

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        return self._line.seal_response(opened, body)


def _aes(profile: MeterProfile, kept: _Kept | None, rng: random.Random) -> AesServer | None:
    if kept is not None:
        return AesServer.restore(kept.aes, rng.randbytes, profile.security)
    if profile.factory_key is None:
        return None
    state = DeviceState(profile.neuron_id, LongTermKey(0, profile.factory_key.reveal()))
    return AesServer(state, rng.randbytes, profile.security)


def _decoded(stored: bytes) -> _Kept:
    try:
        return msgspec.msgpack.decode(stored, type=_Kept)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"no saved security state: {error}") from error
