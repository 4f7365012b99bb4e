"""The domain key that a concentrator's broadcasts are secured with (F.8.4, F.10.2).

Its record lies in the vault under the concentrator's own id, beside those of its devices, and is
written before anything depends on it: a key before it is handed to a device, a number before a
broadcast has it. The domain is no more than the devices that were given the key; its id is drawn
anew where there is no record, so a concentrator that lost its vault starts a domain that no device
has heard of, instead of a first generation that all of them refuse. Source.PROJECT.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import structlog

from osgp.errors import DecodeError, SecurityError, StoreError
from osgp.security.aes import Entropy, osgp_csprg
from osgp.security.aes_client import AesClient
from osgp.security.domain import LAST_GENERATION, DomainKeys
from osgp.security.guard import WARN_SHARE

from .conversation import Clock
from .plan import Plan
from .vault import Vault

log = structlog.get_logger("osgp.concentrator")

ID_SIZE: Final = 6
_DAY: Final = 86_400


class KeptDomain(msgspec.Struct, frozen=True, array_like=True):
    """`keys`: the state of `DomainKeys`. `day`: (UTC, since 1970) up to which they have aged.
    `uses`: of one generation, the plan's or the least ET04.123 of a device."""

    keys: bytes
    day: int
    uses: int

    def __repr__(self) -> str:
        return f"<KeptDomain day={self.day}>"


class Domain:
    """Opened with first use: a concentrator of the old suite alone has none.

    All methods may raise StoreError; what was not written then has not happened.
    """

    def __init__(
        self, plan: Plan, own_id: bytes, vault: Vault, clock: Clock, entropy: Entropy
    ) -> None:
        self._plan, self._own_id, self._vault = plan, own_id, vault
        self._clock, self._entropy = clock, entropy
        self._keys: DomainKeys | None = None
        self._day = 0
        self._uses = plan.key_uses

    @property
    def renewing(self) -> bool:
        """Is a next generation being handed out?"""
        return self._current().renewing

    @property
    def generation(self) -> int:
        """The generation in use."""
        return self._current().generation

    def seal(self, apdu: bytes) -> bytes:
        """A broadcast whose number is used up for ever. Raises LocalProtocolError."""
        keys = self._current()
        message = keys.seal(apdu)
        self._save(keys)
        return message

    def limit(self, uses: int) -> None:
        """A device has shown ET04.123: it hears no more broadcasts under one key than that."""
        if 0 < uses < self._uses:
            keys = self._current()
            uses = min(uses, self._uses)
            keys.limit_to(uses)
            self._uses = uses
            self._write(keys)

    def used(self, count: int) -> None:
        """A device has shown ET54.86. It may be ahead of the numbers: what a neighbour broadcasts
        uses a device's key too. Renewed at most once a day: the count ends with the next broadcast.
        """
        keys = self._current()
        if count >= self._uses * WARN_SHARE and keys.age_days and not keys.renewing:
            self.renew()

    def hand_to(self, client: AesClient) -> bool:
        """Let a device's client want what the device lacks; False if it lacks nothing."""
        return self._current().hand_to(client)

    def renew(self) -> None:
        """Begin the next generation; one that is under way is followed by another."""
        self._save(self._renewed(self._current()))

    def move_on(self, members: Iterable[AesClient]) -> None:
        """Use the next generation, if all `members` have it or it cannot wait any longer."""
        keys = self._current()
        if keys.renewing and (keys.overdue or keys.everybody_has_it(members)):
            keys.complete()
            self._save(keys)
            log.info("domain key renewed", generation=keys.generation)

    def _current(self) -> DomainKeys:
        """The keys of today: grown old, and a renewal begun where it is time."""
        keys = self._keys
        if keys is None:
            keys = self._keys = self._opened()
        today = int(self._clock.now) // _DAY
        if today > self._day:
            self._grow(keys, today)
        if keys.worn and not keys.renewing:
            keys = self._renewed(keys)
        self._save(keys)
        return keys

    def _renewed(self, keys: DomainKeys) -> DomainKeys:
        """After the last generation of a domain comes the first of another."""
        if keys.generation == LAST_GENERATION:
            keys = self._keys = self._created()
        else:
            keys.renew(self._entropy)
        return keys

    def _grow(self, keys: DomainKeys, today: int) -> None:
        for _ in range(self._day or today, today):
            keys.new_day()
        self._day = today

    def _opened(self) -> DomainKeys:
        """What was kept, or a new domain: a damaged record must not stop the reading of meters."""
        try:
            record = self._vault.get(self._own_id)
            return self._created() if record is None else self._restored(record)
        except (DecodeError, SecurityError) as error:
            log.error("the domain key is lost, another domain begins", reason=str(error))
            return self._created()

    def _restored(self, record: bytes) -> DomainKeys:
        try:
            kept = msgspec.msgpack.decode(record, type=KeptDomain)
        except msgspec.MsgspecError:
            raise DecodeError("this is no stored domain key") from None
        uses = min(self._uses, kept.uses)
        keys = DomainKeys.restore(kept.keys, uses, self._plan.key_validity_days)
        self._day, self._uses = kept.day, uses
        return keys

    def _created(self) -> DomainKeys:
        name = osgp_csprg(ID_SIZE, self._entropy)
        return DomainKeys.create(name, self._entropy, self._uses, self._plan.key_validity_days)

    def _save(self, keys: DomainKeys) -> None:
        if keys.must_persist:
            self._write(keys)

    def _write(self, keys: DomainKeys) -> None:
        kept = KeptDomain(keys.export_state(), self._day, self._uses)
        try:
            self._vault.put(self._own_id, msgspec.msgpack.encode(kept))
        except StoreError:
            self._keys = None
            raise
