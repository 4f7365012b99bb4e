"""The meter's side of the optical port.

Sessions follow `psem.STATES`; tables are served by the same `TableServer` as on other ports, under
the name of the key that the client presented (NONE before that). Denial of service is prevented
as ET51 / ET55 describe it: a session may last so long, and after an overlong one the port is deaf
for a while. Source: ANSI C12.18-1996 as public decoders know it; optical guide v1.1, 'Security and
Keys', 'Sharing the Optical Port'.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from osgp.errors import (
    DecodeError,
    InsufficientSecurityClearance,
    InvalidServiceSequenceState,
    ServiceError,
    ServiceFailed,
    ServiceNotSupported,
)
from osgp.ports.events import Broken, PasswordRefused, PortEvent, SessionEnded, SpeedChanged
from osgp.ports.line import DEFAULT_SPEED, NORMAL, Line
from osgp.security.guard import Lockout
from osgp.security.machine import Machine
from osgp.security.secret import KeyLike, key_bytes
from osgp.session import Tables, TableServer
from osgp.spec.services import Command, ResponseCode

from . import psem
from .assembly import DEFAULT_SIZE, Size
from .checksum import ChecksumServer
from .link import STANDARD, Incomplete, Link, Message, Switched, Through, Timing
from .psem import Kind, State
from .session import Identity, limits_of

NO_KEY: Final = "NONE"
"""The name under which tables are served before a key was presented."""

OK: Final = bytes((ResponseCode.OK,))
OPERATION_NOT_POSSIBLE: Final = bytes((ResponseCode.OPERATION_NOT_POSSIBLE,))
LARGEST: Final = Size(512, 16)
C12_18_1996: Final = Identity(standard=0, version=1, revision=0)


class DenialOfService(msgspec.Struct, frozen=True):
    """Seconds that a session may last, and that the port is deaf after an overlong one.

    ET51 ('Optical Session Timeout', 'Optical Session Hold-Off'), in ET55 from firmware 4.0 on.
    """

    session: float = 600.0
    hold_off: float = 300.0


class OpticalServer:
    """A meter's optical port.

    `keys`: RK, PK, MK by name, 10 or 20 bytes each. `largest`: packets that the meter can take.
    `speeds`: bits a second that it can be asked for. `lockout`: deafness to passwords after
    failed ones.
    """

    def __init__(
        self,
        tables: Tables,
        keys: Mapping[str, KeyLike],
        *,
        identity: Identity = C12_18_1996,
        largest: Size = LARGEST,
        speeds: frozenset[int] = frozenset({9600}),
        line: Line = NORMAL,
        timing: Timing = STANDARD,
        lockout: Lockout | None = None,
        denial: DenialOfService | None = None,
    ) -> None:
        self.timing = timing
        self._tables, self._identity = tables, identity
        self._passwords = {n: psem.password_of(key_bytes(k)) for n, k in keys.items()}
        self._largest, self._speeds = largest, speeds
        self._lockout = lockout or Lockout(deque())
        self._denial = denial
        self._link = Link(largest, line, timing, yields=True)
        self._machine = Machine(psem.STATES, State.BASE)
        self._events: deque[PortEvent] = deque()
        self._key, self._user = NO_KEY, 0
        self._served_as: tuple[str, Size] | None = None
        self._began = self._extra = 0.0
        self._deaf_until: float | None = None
        self._after: Callable[[], None] | None = None

    @property
    def active(self) -> bool:
        """A session is open: on old generations the MEP port is switched out."""
        return self._machine.state is not State.BASE

    def receive(self, data: bytes, now: float) -> None:
        if not self.held_off(now):
            self._link.receive(data, now)
            self._digest(now)

    def data_to_send(self, now: float) -> bytes:
        data = self._link.data_to_send(now)
        self._digest(now)
        return data

    def next_timer(self) -> float | None:
        timers = (self._link.next_timer(), self._silence_at(), self._overlong_at())
        return min((t for t in timers if t is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self._link.handle_timer(now)
        self._digest(now)
        if (due := self._silence_at()) is not None and now >= due:
            self._end("silence")
        if (due := self._overlong_at()) is not None and now >= due:
            assert self._denial is not None
            self._deaf_until = now + self._denial.hold_off
            self._end("longer than a session may be")

    def next_event(self) -> PortEvent | None:
        return self._events.popleft() if self._events else None

    # --- time

    def held_off(self, now: float) -> bool:
        if self._deaf_until is not None and now >= self._deaf_until:
            self._deaf_until = None
        return self._deaf_until is not None

    def _silence_at(self) -> float | None:
        if not self.active:
            return None
        return max(self._link.heard, self._link.left) + max(self.timing.traffic, self._extra)

    def _overlong_at(self) -> float | None:
        if not self.active or self._denial is None:
            return None
        return self._began + self._denial.session

    def _end(self, reason: str) -> None:
        """Back to base state; a terminated session is at base state already."""
        if self.active:
            self._machine.fire(Kind.SILENCE)
        self._key = NO_KEY
        self._after = None
        self._link.reset()
        self._link.change_speed(int(DEFAULT_SPEED))
        self._events.append(SessionEnded(reason))

    # --- messages

    def _digest(self, now: float) -> None:
        while (event := self._link.next_event()) is not None:
            match event:
                case Message(data) if self._link.idle:
                    self._reply(self._served(data, now), now)
                case Through() if self._after is not None:
                    after, self._after = self._after, None
                    after()
                case Incomplete(reason):
                    self._events.append(Broken(reason))
                case Switched(speed):
                    self._events.append(SpeedChanged(speed))

    def _reply(self, response: bytes, now: float) -> None:
        fits = len(response) <= self._link.size.message
        self._link.send(response if fits else OPERATION_NOT_POSSIBLE, now)

    def _served(self, message: bytes, now: float) -> bytes:
        self._extra, self._after = 0.0, None
        kind = _kind(message)
        try:
            if kind is None:
                raise ServiceNotSupported
            if not self._machine.allows(kind):
                raise InvalidServiceSequenceState
            response = self._serve(kind, message, now)
        except ServiceError as refusal:
            return bytes((refusal.response_code,))
        except DecodeError:
            return bytes((ServiceFailed.code,))
        self._machine.fire(kind)
        return response

    def _serve(self, kind: Kind, message: bytes, now: float) -> bytes:
        match kind:
            case Kind.IDENTIFY:
                return self._identify(now)
            case Kind.NEGOTIATE:
                return self._negotiate(psem.NEGOTIATE.decode(message))
            case Kind.LOGON:
                self._user = psem.LOGON.decode(message).user_id
            case Kind.SECURITY:
                self._secure(psem.SECURITY.decode(message).password, now)
            case Kind.WAIT:
                self._extra = float(psem.WAIT.decode(message).seconds)
            case Kind.LOGOFF:
                self._key = NO_KEY
            case Kind.TERMINATE:
                self._after = lambda: self._end("terminated")
            case Kind.TABLE:
                return self._table(message, now)
        return OK

    def _identify(self, now: float) -> bytes:
        if not self.active:
            self._began = now
        known = self._identity
        return psem.IDENTIFICATION.encode(
            psem.Identification(
                ResponseCode.OK,
                known.standard,
                known.version,
                known.revision,
                known.features.rstrip(b"\0") + b"\0",
            )
        )

    def _negotiate(self, offer: psem.Negotiate) -> bytes:
        size = Size(
            max(DEFAULT_SIZE.packet, min(offer.packet_size, self._largest.packet)),
            max(1, min(offer.packets, self._largest.packets)),
        )
        offered = [psem.SPEEDS.get(code, 0) for code in offer.speeds]
        speed = next((s for s in offered if s in self._speeds), int(DEFAULT_SPEED))
        self._after = lambda: self._adopt(size, speed)
        code = psem.SPEED_CODES[speed]
        return psem.NEGOTIATED.encode(
            psem.Negotiated(ResponseCode.OK, size.packet, size.packets, code)
        )

    def _adopt(self, size: Size, speed: int) -> None:
        self._link.size = size
        self._link.change_speed(speed)

    def _secure(self, password: bytes, now: float) -> None:
        matches = [n for n, p in self._passwords.items() if hmac.compare_digest(p, password)]
        if self._lockout.locked(now):
            matches = []
        elif matches:
            self._lockout.succeeded()
        else:
            self._lockout.failed(now)
        self._key = matches[0] if matches else NO_KEY
        if not matches:
            self._events.append(PasswordRefused(self._user))
            raise InsufficientSecurityClearance

    def _table(self, message: bytes, now: float) -> bytes:
        rights = self._key, self._link.size
        if self._served_as != rights:
            suite, limits = ChecksumServer(self._key), limits_of(self._link.size)
            self._server = TableServer(suite, self._tables, limits=limits, head=b"")
            self._served_as = rights
        response = self._server.receive(message, now)
        assert response is not None, "every request on the optical port is answered"
        return response


def _kind(message: bytes) -> Kind | None:
    """What kind of request a message is; None for what no meter serves."""
    code = message[0]
    if code in _TABLES:
        return Kind.TABLE
    if psem.Service.NEGOTIATE <= code <= psem.Service.NEGOTIATE + psem.MAX_SPEEDS:
        return Kind.NEGOTIATE
    return _KINDS.get(code)


_TABLES: Final = frozenset(Command)
_KINDS: Final[dict[int, Kind]] = {
    psem.Service.IDENTIFY: Kind.IDENTIFY,
    psem.Service.TERMINATE: Kind.TERMINATE,
    psem.Service.LOGON: Kind.LOGON,
    psem.Service.SECURITY: Kind.SECURITY,
    psem.Service.LOGOFF: Kind.LOGOFF,
    psem.Service.WAIT: Kind.WAIT,
}
