"""The concentrator's domain key and its renewal over a whole domain (F.10.2).

    present generation in use ──renew──► next one given to device after device
                                           │ all have confirmed
                                           ▼
                                         next one in use; the present one is forgotten

Until the last device has confirmed, broadcasts go out under the present generation, which every
device still accepts; one that is new in the domain, or has a new channel, gets the present one
first, and the next after it.  A device that cannot be reached may be left behind with `complete`;
it gets the key when it is heard again.  One that has missed so many broadcasts that its window may
be behind is told to go on at the present number.

A renewal that is asked for while one is under way follows it: a device that was removed meanwhile
may have the next generation already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from osgp.errors import DecodeError, LocalProtocolError
from osgp.security.aes import KEY_SIZE, Entropy, osgp_csprg
from osgp.security.aes_client import VALIDITY_DAYS, AesClient, DomainWish
from osgp.security.broadcast import DEFAULT_DELTA, BroadcastSender, DomainKey
from osgp.security.guard import MAX_USES, WARN_SHARE

LAST_GENERATION: Final = 0xFFFF
LAST_SHARE: Final = 0.95
GRACE_DAYS: Final = 30
"""For devices that are not heard: until then the domain waits for them with the next generation."""


class DomainState(msgspec.Struct, frozen=True, array_like=True):
    """What survives a power cut.  Holds keys: a key store's matter.

    `waiting_days`: since the next generation was made. `again`: it is to have a successor at once.
    """

    key: DomainKey
    number: int = 0
    next_key: DomainKey | None = None
    age_days: int = 0
    waiting_days: int = 0
    again: bool = False

    def __repr__(self) -> str:
        return f"<DomainState {self.key}>"


class DomainKeys:
    """One domain's present key with its numbers, and the next one while it is handed out.

    `limit`: broadcasts under one generation; `validity`: its days.
    """

    def __init__(
        self, state: DomainState, limit: int = MAX_USES, validity: int = VALIDITY_DAYS
    ) -> None:
        self._state, self._limit, self._validity = state, limit, validity
        self._sender = BroadcastSender(state.key, state.number, limit)
        self._dirty = True

    @classmethod
    def create(
        cls,
        domain: bytes,
        entropy: Entropy,
        limit: int = MAX_USES,
        validity: int = VALIDITY_DAYS,
    ) -> DomainKeys:
        """The first generation of a domain (id of 6 bytes)."""
        key = DomainKey(1, domain, osgp_csprg(KEY_SIZE, entropy))
        return cls(DomainState(key), limit, validity)

    @classmethod
    def restore(
        cls, stored: bytes, limit: int = MAX_USES, validity: int = VALIDITY_DAYS
    ) -> DomainKeys:
        """From the bytes of `export_state`; DecodeError if they are none."""
        try:
            return cls(msgspec.msgpack.decode(stored, type=DomainState), limit, validity)
        except (msgspec.MsgspecError, LocalProtocolError):
            raise DecodeError("this is no stored domain key") from None

    @property
    def generation(self) -> int:
        """The generation in use."""
        return self._state.key.generation

    @property
    def renewing(self) -> bool:
        """Is a next generation being handed out?"""
        return self._state.next_key is not None

    @property
    def age_days(self) -> int:
        """Of the generation in use."""
        return self._state.age_days

    @property
    def must_persist(self) -> bool:
        return self._dirty or self._sender.must_persist

    def export_state(self) -> bytes:
        """To be written before anything is sent, whenever `must_persist` is true."""
        self._dirty = False
        number = self._sender.export()
        return msgspec.msgpack.encode(msgspec.structs.replace(self._state, number=number))

    def limit_to(self, uses: int) -> None:
        """A device of the domain lets its key be used less often."""
        self._limit = self._sender.limit = min(uses, self._limit)

    def seal(self, apdu: bytes) -> bytes:
        """A broadcast under the generation in use."""
        return self._sender.seal(apdu)

    def new_day(self) -> None:
        """To be called once a day: the generation in use grows old, a renewal takes its time."""
        state = self._state
        waiting = state.waiting_days + int(self.renewing)
        self._change(age_days=state.age_days + 1, waiting_days=waiting)

    @property
    def worn(self) -> bool:
        """Is it time for `renew`: at 80 % of the uses, at the end of the validity period, or
        because that was asked for while the present generation was on its way?

        The devices' own validity period is longer (`Limits`).
        """
        state = self._state
        used = self._sender.number.last >= self._limit * WARN_SHARE
        return used or state.again or state.age_days >= self._validity

    def renew(self, entropy: Entropy) -> None:
        """Make the next generation; one that is under way goes on, and another one follows it."""
        if self.renewing:
            self._change(again=True)
            return
        key = self._state.key
        if key.generation == LAST_GENERATION:
            raise LocalProtocolError("a domain's generations are used up: give it another id")
        newer = DomainKey(key.generation + 1, key.domain, osgp_csprg(KEY_SIZE, entropy))
        self._change(next_key=newer, waiting_days=0, again=False)

    def hand_to(self, client: AesClient, delta: int = DEFAULT_DELTA) -> bool:
        """Let a device's client want what the device lacks; False if it lacks nothing.

        To be called again once the device has confirmed: it may be two generations behind.
        """
        wish = self._lacked_by(client, delta)
        if wish is not None:
            client.want_domain_key(wish)
        return wish is not None

    def everybody_has_it(self, clients: Iterable[AesClient]) -> bool:
        """Have all these devices confirmed the next generation?"""
        newer = self._state.next_key
        return newer is not None and all(client.holds(newer) for client in clients)

    @property
    def overdue(self) -> bool:
        """Has the renewal waited long enough, or are the uses near their end, so that who is
        silent has to be left behind?"""
        used = self._sender.number.last >= self._limit * LAST_SHARE
        return used or self._state.waiting_days >= GRACE_DAYS

    def complete(self) -> None:
        """Use the next generation from now on; LocalProtocolError if there is none."""
        if self._state.next_key is None:
            raise LocalProtocolError("no renewal is under way")
        self._state = DomainState(self._state.next_key, again=self._state.again)
        self._sender = BroadcastSender(self._state.key, 0, self._limit)
        self._dirty = True

    def _lacked_by(self, client: AesClient, delta: int) -> DomainWish | None:
        present, newer = self._state.key, self._state.next_key
        wish, number = client.domain_wish, self._sender.number.last
        if newer is not None and client.holds(newer):
            return None
        if wish is None or not client.holds(present):
            return DomainWish(present, number, delta)
        if newer is not None:
            return DomainWish(newer, 0, delta)
        in_window = number - wish.base < max(1, wish.delta // 2)
        return None if in_window else DomainWish(present, number, delta)

    def _change(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._dirty = True
