"""One device's session in OSGP-AES-128-PSK: handshakes, keys and mode as conversations.

`ready` asks `AesClient.work` what is missing and carries it out, one message after the other; what
it is about to depend on is in the vault before it is sent. Because wishes are part of that record,
a power cut of either side only means that the next conversation goes on.

What ends by itself is waited for, not fought: silence (also a locked port's) and refusals are left
to the next visit, whose time the plan's back-off gives, and of the handshakes that a device begins
in a day (100) the concentrator uses `Plan.handshakes_a_day` at most, each sent up to three times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from osgp.errors import LocalProtocolError, SecurityError, ServiceError, TransportError
from osgp.security.aes import Entropy
from osgp.security.aes_client import AesClient, ClientPolicy
from osgp.security.profile import Code, Mode
from osgp.security.secret import KeyLike
from osgp.session import Exchange, Send
from osgp.session.client import REPEATS
from osgp.topology import FieldClient

from .plan import Plan
from .vault import Kept, state_of

log = structlog.get_logger("osgp.concentrator")

REFUSALS: Final = 3
"""Answers of one conversation that may fail to verify: each key that the device may hold is tried,
and a damaged message is nobody's last word."""
MOST_STEPS: Final = 24
"""Messages until everything must be so: commissioning takes seven; numbers may be asked anew."""

GENERATIONS: Final = 2
"""Of a domain key that are handed out at most: the present one, and the next."""

_CHALLENGE: Final = bytes((Code.HANDSHAKE, 1))
_DAY: Final = 86_400


class SecureSession:
    """`save` writes the record; `own_id` is the concentrator's (6 bytes); `hand_to` lets the client
    want the domain key that the device lacks, False: none (see `domain`)."""

    def __init__(
        self,
        kept: Kept,
        plan: Plan,
        own_id: bytes,
        entropy: Entropy,
        save: Callable[[Kept], None],
        hand_to: Callable[[AesClient], bool],
    ) -> None:
        self._kept, self._plan, self._save_record = kept, plan, save
        self._hand_to = hand_to
        self._device = state_of(kept).device
        self.uses = min(plan.key_uses, kept.uses or plan.key_uses)
        """How often a short-term key may be used."""
        policy = ClientPolicy(self.uses, plan.key_validity_days)
        self.keys = self._aes = AesClient.restore(kept.client, own_id, entropy, policy)
        self.client = FieldClient(self._aes, persist=self._save)
        self._unsaved = False

    @property
    def bound(self) -> bool:
        """Whether the old suite is never used again."""
        return self._kept.bound

    @property
    def key_version(self) -> int:
        """Version of the long-term key that is proven; 0: the factory's."""
        return self._aes.key_version

    def handshakes(self, now: float) -> int:
        """How many were begun on the day (UTC) of `now`."""
        return self._kept.handshakes if self._kept.day == int(now) // _DAY else 0

    def ready(self, now: float) -> Exchange[None]:
        """Everything that was wanted is so, and there is a channel for requests.

        Raises SecurityError (answers do not verify), ServiceError (the device refuses),
        LocalProtocolError (no handshake is left for today), TransportError (silence).
        """
        self._age(now)
        if self._kept.opened:
            self._aes.want_mode(Mode.AES)
        yield from self._settle()
        self._change(bound=True, opened=False)
        self._save_dirty()
        yield from self._hand_out()
        self._tell()

    def open(self, now: float) -> Exchange[None]:
        """Lets network management change the device's place, until `ready`. Raises as `ready`."""
        self._age(now)
        self._aes.want_mode(Mode.RC4)
        self._change(opened=True)
        yield from self._settle()

    def close(self) -> None:
        """It is in the old suite's mode, whoever did that: not any more after the next `ready`."""
        self._change(opened=True)
        self._save_dirty()

    def renew(self) -> None:
        """A fresh channel at the next `ready`."""
        self._aes.want_channel()
        self._save_dirty()

    def rekey(self, key: KeyLike) -> None:
        """A new long-term key at the next `ready`. Raises LocalProtocolError, see `AesClient`."""
        self._aes.want_long_term_key(key)
        self._save_dirty()

    def limited(self, uses: int) -> Kept:
        """The record with ET04.123; it counts for the session that is made of it."""
        self._change(uses=uses)
        self._save(self._aes.export_state())
        return self._kept

    # --- one message after the other -----------------------------------------------------------

    def _settle(self) -> Exchange[None]:
        refused = 0
        for _ in range(MOST_STEPS):
            message = self._aes.work()
            if message is None:
                return
            try:
                yield from self._offered(message) if self._aes.hands_out else self._step(message)
            except SecurityError:
                refused += 1
                if refused == REFUSALS:
                    raise
        raise SecurityError("the device and the concentrator do not come to an end")

    def _hand_out(self) -> Exchange[None]:
        """The domain key; a device may be two generations behind."""
        for _ in range(GENERATIONS):
            if not self._hand_to(self._aes):
                break
            yield from self._settle()
        self._save_dirty()

    def _offered(self, message: bytes) -> Exchange[None]:
        """A device that does not take the domain key hears no broadcasts; all else works."""
        try:
            yield from self._step(message)
        except ServiceError as error:
            log.warning("hears no broadcasts", device=self._device.hex(), reason=str(error))

    def _step(self, message: bytes) -> Exchange[None]:
        if message.startswith(_CHALLENGE):
            self._count_handshake()
        self._save_dirty()
        self._aes.answer((yield from self._sent(message)))

    def _sent(self, message: bytes) -> Exchange[bytes]:
        """The answer to `message`, which is sent again after silence."""
        for attempt in range(REPEATS + 1):
            try:
                return (yield Send(message))
            except TransportError as error:
                if attempt == REPEATS or not error.retryable:
                    self._aes.abandon()
                    raise
        raise AssertionError("unreachable")

    def _count_handshake(self) -> None:
        if self._kept.handshakes >= self._plan.handshakes_a_day:
            self._aes.abandon()
            raise LocalProtocolError("as many handshakes as one day allows: on with it tomorrow")
        self._change(handshakes=self._kept.handshakes + 1)

    def _tell(self) -> None:
        while (event := self._aes.next_event()) is not None:
            log.warning(event.kind.value, device=self._device.hex(), argument=event.argument)

    # --- what is kept --------------------------------------------------------------------------

    def _age(self, now: float) -> None:
        """Keys grow old by days; the day's handshakes begin anew."""
        today = int(now) // _DAY
        for _ in range(self._kept.day or today, today):
            self._aes.new_day()
        if today > self._kept.day:
            self._change(day=today, handshakes=0)

    def _change(self, **changes: object) -> None:
        kept = msgspec.structs.replace(self._kept, **changes)
        self._unsaved |= kept != self._kept
        self._kept = kept

    def _save_dirty(self) -> None:
        if self._unsaved or self._aes.must_persist:
            self._save(self._aes.export_state())

    def _save(self, state: bytes) -> None:
        self._kept = msgspec.structs.replace(self._kept, client=state)
        self._save_record(self._kept)
        self._unsaved = False
