"""Secure broadcast (F.8.4) under a short-term, domain-unique key, and its renewal (F.10.2).

A broadcast is answered by nobody, so nobody can be asked for the right number.  The device keeps a
base B (ET04.82) and a delta D (ET04.86) and accepts the numbers B < n ≤ B + D; B then becomes n.
(The names are the MEP guide's; this reading of them is Source.PROJECT.)

A device may hold two generations: it accepts the next one as soon as it has it, and forgets the
older one with the first good broadcast under the newer.  The concentrator uses a new generation
when every device has confirmed it; until then the old one works everywhere.
"""

from __future__ import annotations

import hmac
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag

from osgp.errors import LocalProtocolError
from osgp.security import profile
from osgp.security.guard import MAX_USES, EventKind, Events, KeyAge, KeyUsage, SecurityEvent
from osgp.security.profile import Code, Purpose
from osgp.security.sequence import SEQUENCE_SIZE, ForwardNumber
from osgp.security.suite import OpenedRequest, Outcome

BROADCAST_KEY_NAME: Final = "AES"
DEFAULT_DELTA: Final = 1000
"""D: wide enough for the numbers that a concentrator skips after a power cut."""

_BROADCAST: Final = bytes((Code.BROADCAST,))
_HEAD: Final = 1 + SEQUENCE_SIZE
_RESERVE: Final = 16


class DomainKey(msgspec.Struct, frozen=True, array_like=True):
    """A short-term, domain-unique key and the generation (1, 2, …) it belongs to."""

    generation: int
    domain: bytes
    key: bytes

    def is_same(self, other: DomainKey) -> bool:
        """Whether both are the same generation of the same domain."""
        return (self.domain, self.generation) == (other.domain, other.generation)

    def equals(self, other: DomainKey) -> bool:
        """Whether both are the same generation with the same key; compared in constant time."""
        return self.is_same(other) and hmac.compare_digest(self.key, other.key)

    def __repr__(self) -> str:
        return f"<DomainKey generation {self.generation}>"


class ReceiverState(msgspec.Struct, frozen=True, array_like=True):
    """One generation as a device keeps it over power cuts."""

    key: DomainKey
    base: int
    delta: int = DEFAULT_DELTA
    used: int = 0
    days: int = 0

    def __repr__(self) -> str:
        return f"<ReceiverState {self.key} base {self.base}>"


class BroadcastSender:
    """The concentrator's side.  `number` is where to go on, from `export` after a power cut."""

    def __init__(self, key: DomainKey, number: int = 0, limit: int = MAX_USES) -> None:
        self.key = key
        self.number = ForwardNumber(number, _RESERVE)
        self.limit = limit
        self._aead = profile.broadcast_key(key.key, key.domain, key.generation)
        self._prefix = profile.nonce_prefix(Purpose.BROADCAST, key.domain, key.generation)

    @property
    def must_persist(self) -> bool:
        return self.number.must_persist

    def export(self) -> int:
        """The number to go on from; write it before sending whenever `must_persist` is true."""
        return self.number.export()

    def seal(self, apdu: bytes) -> bytes:
        """11 ‖ sequence ‖ cipher text ‖ tag for an APDU with the leading code 00."""
        if apdu[:1] != b"\0":
            raise LocalProtocolError("an APDU to be sealed starts with the message code 00")
        number = self.number.take()
        if number > self.limit:
            raise LocalProtocolError("this domain key is used up: renew it")
        sequence = number.to_bytes(SEQUENCE_SIZE, "big")
        return (
            _BROADCAST + sequence + self._aead.seal(self._prefix + sequence, apdu[1:], _BROADCAST)
        )


class _Generation:
    """One generation's key with its window and its uses."""

    __slots__ = ("_aead", "_prefix", "age", "base", "delta", "key", "usage")

    def __init__(self, state: ReceiverState, events: Events, limit: int, validity: int) -> None:
        self.key, self.base, self.delta = state.key, state.base, state.delta
        self.usage = KeyUsage(events, state.used, limit)
        self.age = KeyAge(events, state.days, validity)
        key = state.key
        self._aead = profile.broadcast_key(key.key, key.domain, key.generation)
        self._prefix = profile.nonce_prefix(Purpose.BROADCAST, key.domain, key.generation)

    def open(self, message: bytes) -> bytes | None:
        """The APDU, if the tag is good under this key."""
        if self.usage.exhausted or self.age.expired:
            return None
        self.usage.count()
        try:
            nonce = self._prefix + message[1:_HEAD]
            return b"\0" + self._aead.decrypt(nonce, message[_HEAD:], _BROADCAST)
        except InvalidTag:
            return None

    def expects(self, number: int) -> bool:
        return self.base < number <= self.base + self.delta

    def confirm(self, base: int, delta: int) -> bool:
        """Let the window begin at `base`, unless it begins later; whether anything changed."""
        before = self.base, self.delta
        self.base, self.delta = max(base, self.base), delta
        return before != (self.base, self.delta)

    def export(self) -> ReceiverState:
        used, days = self.usage.export(), self.age.days
        return ReceiverState(self.key, self.base, self.delta, used, days)


class BroadcastReceiver:
    """The device's side: up to two generations, oldest first; `validity` in days, 0 for ever."""

    def __init__(
        self,
        states: tuple[ReceiverState, ...],
        events: Events,
        limit: int = MAX_USES,
        validity: int = 0,
    ) -> None:
        self._events, self._limit, self._validity = events, limit, validity
        self._held = [self._generation(state) for state in states]
        self._dirty = False

    @property
    def must_persist(self) -> bool:
        return self._dirty or any(held.usage.must_persist for held in self._held)

    @property
    def generation(self) -> int:
        """The newest generation held; 0 if none."""
        return self._held[-1].key.generation if self._held else 0

    @property
    def base(self) -> int:
        """B of the newest generation, ET04.82."""
        return self._held[-1].base if self._held else 0

    @property
    def delta(self) -> int:
        """D of the newest generation, ET04.86."""
        return self._held[-1].delta if self._held else 0

    @property
    def used(self) -> int:
        """Uses of the oldest generation still held, ET54.86."""
        return self._held[0].usage.used if self._held else 0

    def export(self) -> tuple[ReceiverState, ...]:
        """What must survive a power cut; due whenever `must_persist` is true."""
        self._dirty = False
        return tuple(held.export() for held in self._held)

    def install(self, state: ReceiverState) -> bool:
        """Hold a new generation beside the newest one held.  False if it is not newer.

        For the authenticated unicast channel only.  A key of another domain (a device that another
        concentrator has taken over) replaces all that is held, whatever its generation: recorded
        broadcasts of the former domain are refused from then on.  If that domain comes back, `base`
        must be its present number, as `DomainKeys.hand_to` gives it: nothing older is remembered.

        A generation held already, with the same key, is confirmed again, and its window moves
        forward with `base` for a device that has missed too many; it never moves back.  The older
        of two goes when a third comes: a sender makes that one only when the second is in use
        everywhere, whether this device has heard a broadcast under it or not.
        """
        for held in self._held:
            if held.key.equals(state.key):
                self._dirty |= held.confirm(state.base, state.delta)
                return True
        if self._held and state.key.domain != self._held[-1].key.domain:
            return self._change_domain(state)
        if state.key.generation <= self.generation:
            return False
        self._held = [*self._held[-1:], self._generation(state)]
        self._dirty = True
        return True

    def grow(self, days: int) -> None:
        """So many days have passed; an expired generation is still held, so that it stays old."""
        for held in self._held:
            held.age.grow(days)
        self._dirty = True

    def open(self, message: bytes) -> OpenedRequest:
        """Judge a secured broadcast; it never gets a reply, whatever the outcome.

        A number that is expected under no key is no use of one, as when several repeaters say it.
        """
        number = int.from_bytes(message[1:_HEAD], "big")
        expecting = [held for held in self._held if held.expects(number)]
        for held in expecting:
            apdu = held.open(message)
            if apdu is not None:
                return self._admit(held, apdu, number)
        if self._held and not expecting:
            return OpenedRequest(Outcome.BAD_SEQUENCE, sequence=number)
        return OpenedRequest(Outcome.BAD_DIGEST)

    def _change_domain(self, state: ReceiverState) -> bool:
        self._held = [self._generation(state)]
        self._dirty = True
        self._events.append(SecurityEvent(EventKind.DOMAIN_KEY_CHANGED, state.key.generation))
        return True

    def _generation(self, state: ReceiverState) -> _Generation:
        return _Generation(state, self._events, self._limit, self._validity)

    def _admit(self, held: _Generation, apdu: bytes, number: int) -> OpenedRequest:
        held.base, self._dirty = number, True
        if held is not self._held[0]:
            self._held = [held]
            change = SecurityEvent(EventKind.DOMAIN_KEY_CHANGED, held.key.generation)
            self._events.append(change)
        return OpenedRequest(Outcome.ACCEPTED, apdu, number, BROADCAST_KEY_NAME)
