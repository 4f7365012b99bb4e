"""Which suite each device speaks, and the way from the old one to the new (F.7.5, F.10.3).

| record in the vault | requests go by |
|---|---|
| none | OMAK |
| not bound | AES if that works now; OMAK otherwise, until mode 2 (ET04.127) is confirmed |
| bound | AES, whatever happens: there is no way back by itself |

A device whose factory key the utility has gets a record when the plan says so: `Suite.AES` from
the beginning, then it is bound at once and nothing is ever said to it in the old suite; a device
that has been read before, under `Suite.AES` or `Suite.MIGRATE`, unbound. The record says from the
beginning all that is wanted: the utility's long-term key of version 1, and mode 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import Final

import msgspec

from osgp.errors import (
    LocalProtocolError,
    OsgpError,
    SecurityError,
    ServiceError,
    StoreError,
    TransportError,
    UsageError,
)
from osgp.security.aes import Entropy
from osgp.security.aes_client import AesClient, ClientState
from osgp.security.handshake import FACTORY, LongTermKey
from osgp.security.profile import Mode
from osgp.security.secret import key_bytes
from osgp.session import Exchange
from osgp.topology import FieldClient, Life

from .check import Shown
from .conversation import Clock
from .domain import Domain
from .happenings import Notice, Secured
from .known import KnownDevice
from .plan import Plan, Suite
from .secure import SecureSession
from .sink import Sink
from .vault import Kept, KeySource, Vault, erased, kept_of, refilled, state_of, taken
from .work import log

FIRST: Final = 1
"""Version of the first key that the utility gives."""
MIGRATION_HANDSHAKES: Final = 6
"""Of one day, after which a device that does not come over is read in the old suite until the
next; coming over takes two."""
_THERE: Final = (Life.COMMISSIONED, Life.OPERATING)
_READ_BEFORE: Final = (Life.OPERATING, Life.LOST, Life.REFUSED)


class Speaks(StrEnum):
    """The suite that a device is read in."""

    OMA = "oma"
    AES = "aes"


class Suites:
    """The sessions of one concentrator's devices; `own_id` is its id (6 bytes)."""

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        keys: KeySource,
        vault: Vault,
        clock: Clock,
        own_id: bytes,
        entropy: Entropy,
        tell: Callable[[Notice], None],
        devices: Mapping[bytes, KnownDevice],
    ) -> None:
        self._plan, self._sink, self._keys, self._vault = plan, sink, keys, vault
        self._clock, self._own_id, self._entropy = clock, own_id, entropy
        self._tell, self._devices = tell, devices
        self.domain = Domain(plan, own_id, vault, clock, entropy)
        self._sessions: dict[bytes, SecureSession] = {}

    def speaks(self, known: KnownDevice) -> Speaks:
        """The suite that the device is read in from now on. Raises StoreError, DecodeError."""
        session = self.session(known)
        return Speaks.AES if session is not None and session.bound else Speaks.OMA

    def claim(self, known: KnownDevice) -> None:
        """The device is commissioned, or going to be: its record is this concentrator's, whoever
        had it. Raises OsgpError where there is no key for the device."""
        self.drop(known.device.neuron_id)
        if self._begun(known) is None:
            self._keys.omak(known.device.neuron_id)

    def client(self, known: KnownDevice) -> Exchange[FieldClient]:
        """The client by which the device is to be asked now, ready for that.

        Raises OsgpError where there is no key, else as `SecureSession.ready`.
        """
        session = self._begun(known)
        if session is None:
            return self._old(known)
        if session.bound:
            yield from self._made_ready(session)
            return session.client
        return (yield from self._coming_over(known, session))

    def session(self, known: KnownDevice) -> SecureSession | None:
        """Its session in the new suite, if it has one. Raises StoreError, OsgpError."""
        neuron_id = known.device.neuron_id
        if neuron_id not in self._sessions:
            record = self._vault.get(neuron_id)
            if record is None:
                return None
            self._open(neuron_id, self._held(neuron_id, kept_of(record)))
        return self._sessions[neuron_id]

    def members(self) -> Iterator[KnownDevice]:
        """The devices that are there and read in the new suite: they hear broadcasts."""
        return (known for known, _ in self._bound())

    def renew(self, known: KnownDevice) -> bool:
        """Wants a fresh channel, as after an answer that does not verify; False: there is none."""
        session = self.session(known)
        if session is None or not session.bound:
            return False
        session.renew()
        return True

    def learn(self, known: KnownDevice, shown: Shown) -> None:
        """The device has shown ET04.123 and .127: keys are renewed at 80 % of the former, if it is
        less than the plan's; a bound device in another mode is switched back at its next visit."""
        session = self.session(known)
        if session is None:
            return
        if session.bound and shown.mode != Mode.AES:
            log.warning("open to the old suite", device=known.name, mode=shown.mode)
            session.close()
        self.domain.limit(shown.uses)
        if 0 < shown.uses < session.uses:
            self._open(known.device.neuron_id, session.limited(shown.uses))

    def rekey(self, known: KnownDevice) -> None:
        """The next version of the utility's key at the next visit.

        Raises LocalProtocolError for a device without a key of the utility, or with one under way.
        """
        session = self.session(known)
        if session is None or session.key_version == FACTORY:
            raise LocalProtocolError("the device has no long-term key of the utility yet")
        version = session.key_version % 0xFFFF + 1
        session.rekey(self._keys.long_term(known.device.neuron_id, version))

    def erase(self, known: KnownDevice) -> None:
        """The device is removed: its keys are forgotten, and that it was bound is not.

        It takes the domain key with it, so the others get another one.
        """
        neuron_id = known.device.neuron_id
        self.drop(neuron_id)
        record = self._vault.get(neuron_id)
        if record is None:
            return
        kept = kept_of(record)
        if state_of(kept).domain is not None:
            self.domain.renew()
        self._put(neuron_id, erased(kept))

    def drop(self, neuron_id: bytes) -> None:
        """Its session is of no use any more; what was kept stays."""
        self._sessions.pop(neuron_id, None)

    # --- from the old suite to the new -------------------------------------------------------

    def _coming_over(self, known: KnownDevice, session: SecureSession) -> Exchange[FieldClient]:
        """The old suite is there until mode 2 is confirmed, in case the new one fails."""
        if session.handshakes(self._clock.now) >= MIGRATION_HANDSHAKES:
            return self._old(known)
        try:
            yield from self._made_ready(session)
        except (SecurityError, ServiceError, TransportError, LocalProtocolError) as error:
            log.warning("still in the old suite", device=known.name, reason=str(error))
            return self._old(known)
        known.forget_session()
        self._tell(Secured(self._clock.now, known.device.neuron_id))
        return session.client

    def _made_ready(self, session: SecureSession) -> Exchange[None]:
        """Its domain key may be the last one that was missing."""
        yield from session.ready(self._clock.now)
        if self.domain.renewing:
            self.domain.move_on(session.keys for _, session in self._bound())

    def _bound(self) -> Iterator[tuple[KnownDevice, SecureSession]]:
        """A device whose record is of no use is none of them; that is told when it is visited."""
        for known in self._devices.values():
            try:
                session = self._own_session(known) if known.life in _THERE else None
            except StoreError:
                raise
            except OsgpError:
                continue
            if session is not None and session.bound:
                yield known, session

    def _own_session(self, known: KnownDevice) -> SecureSession | None:
        """None also for a device whose record another concentrator has."""
        neuron_id = known.device.neuron_id
        if neuron_id not in self._sessions:
            record = self._vault.get(neuron_id)
            if record is None or kept_of(record).holder != self._own_id:
                return None
        return self.session(known)

    def _old(self, known: KnownDevice) -> FieldClient:
        return known.client(self._keys.omak(known.device.neuron_id), self._sink)

    def _begun(self, known: KnownDevice) -> SecureSession | None:
        session = self.session(known)
        if session is None and self._is_due(known):
            return self._begin(known)
        return session

    def _is_due(self, known: KnownDevice) -> bool:
        """Whether the plan wants it in the new suite now, and the utility has the key for that.

        A source of keys that fails for another reason is no reason to begin in the old suite.
        """
        suite = self._plan.suite
        if suite is Suite.OMA or (suite is Suite.MIGRATE and known.life not in _READ_BEFORE):
            return False
        try:
            self._keys.long_term(known.device.neuron_id, FACTORY)
        except UsageError:
            return False
        return True

    def _begin(self, known: KnownDevice) -> SecureSession:
        neuron_id = known.device.neuron_id
        factory = LongTermKey(FACTORY, key_bytes(self._keys.long_term(neuron_id, FACTORY)))
        wishes = AesClient(ClientState(neuron_id, factory), self._own_id, self._entropy)
        wishes.want_long_term_key(self._keys.long_term(neuron_id, FIRST))
        wishes.want_mode(Mode.AES)
        bound = known.life not in _READ_BEFORE
        kept = Kept(wishes.export_state(), bound=bound, holder=self._own_id)
        self._put(neuron_id, kept)
        return self._open(neuron_id, kept)

    def _held(self, neuron_id: bytes, kept: Kept) -> Kept:
        """The record with keys in it and in this concentrator's hands."""
        full = refilled(kept, self._keys)
        if full.holder != self._own_id:
            full = taken(full, self._own_id)
            self._put(neuron_id, full)
        return full

    def _open(self, neuron_id: bytes, kept: Kept) -> SecureSession:
        save = partial(self._save, neuron_id)
        hand_to = self.domain.hand_to
        session = SecureSession(kept, self._plan, self._own_id, self._entropy, save, hand_to)
        self._sessions[neuron_id] = session
        return session

    def _save(self, neuron_id: bytes, kept: Kept) -> None:
        """Raises LocalProtocolError where another concentrator has taken the device over."""
        record = self._vault.get(neuron_id)
        if record is not None and kept_of(record).holder != self._own_id:
            raise LocalProtocolError("another concentrator has this device's keys now")
        self._put(neuron_id, kept)

    def _put(self, neuron_id: bytes, kept: Kept) -> None:
        self._vault.put(neuron_id, msgspec.msgpack.encode(kept))
