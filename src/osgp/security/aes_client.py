"""The concentrator's side of OSGP-AES-128-PSK for one device: a channel, and the keys it wants.

The concentrator states what it wants (a long-term key, a domain key, a mode, a fresh channel) and
then, whenever the device can be reached::

    while (message := client.work()) is not None:     # None: all that was wanted is so
        write(client.export_state()) if client.must_persist
        client.answer(send_and_wait(message))         # work() gives the same bytes until answered

A new channel is proven by a first request before the next one is begun: the device drops the older
channel only when it sees the newer one used, and it holds no more than two.

Wishes and progress are part of the state, so the loop goes on after a power cut of either side
where it stopped: `work` asks what is still missing, not what was last done.  Ordinary requests
(`seal_request`, `open_response`) may go between as soon as `established`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from osgp.errors import DecodeError, LocalProtocolError, SecurityError, ServiceError
from osgp.security import management, profile
from osgp.security.aes import KEY_SIZE, Entropy
from osgp.security.aes_device import PLC_SUITES, next_version
from osgp.security.broadcast import DEFAULT_DELTA, DomainKey
from osgp.security.context import ChannelState, ClientContext
from osgp.security.firmware import image_mac
from osgp.security.guard import MAX_USES, Events, SecurityEvent
from osgp.security.handshake import Initiator, LongTermKey
from osgp.security.management import SERVICE, Command
from osgp.security.profile import WRAPPED_SIZE, Mode
from osgp.security.secret import KeyLike, key_bytes
from osgp.security.suite import SEQUENCE_ERROR

VALIDITY_DAYS: Final = 365


class DomainWish(msgspec.Struct, frozen=True, array_like=True):
    """A domain key that the device is to hold, with its window's start (F.10.2)."""

    key: DomainKey
    base: int = 0
    delta: int = DEFAULT_DELTA


class ClientState(msgspec.Struct, frozen=True, array_like=True):
    """Everything about one device that survives a power cut.  Holds keys: a key store's matter.

    A device fresh from the factory: its id (6 bytes) and `LongTermKey(0, factory key)`.
    `domain_epoch`: the channel under which the domain key was wanted; 0 once it was refused.
    """

    device: bytes
    long_term: LongTermKey
    next_long_term: LongTermKey | None = None
    next_delivered: bool = False
    epoch: int = 0
    channel: ChannelState | None = None
    proven: bool = False
    age_days: int = 0
    renew: bool = False
    domain: DomainWish | None = None
    domain_delivered: bool = True
    mode: int | None = None
    mode_delivered: bool = True
    domain_epoch: int = 0

    def __repr__(self) -> str:
        return f"<ClientState for {self.device.hex()} epoch {self.epoch}>"


class ClientPolicy(msgspec.Struct, frozen=True):
    """The concentrator's own settings."""

    uses: int = MAX_USES
    validity_days: int = VALIDITY_DAYS
    suites: tuple[int, ...] = PLC_SUITES


DEFAULT_POLICY: Final = ClientPolicy()


class AesClient:
    """Secures the exchanges with one device; `concentrator` is this side's id (6 bytes)."""

    def __init__(
        self,
        state: ClientState,
        concentrator: bytes,
        entropy: Entropy,
        policy: ClientPolicy = DEFAULT_POLICY,
    ) -> None:
        self._state, self._concentrator = state, concentrator
        self._entropy, self._policy = entropy, policy
        self._events: Events = deque()
        self._channel = self._context(state.channel)
        self._initiator: Initiator | None = None
        self._outgoing: tuple[bytes, Command | None] | None = None
        self._attempt = 0
        self._want_status = self._refused = False
        self._dirty = False
        self.status: management.StatusResponse | None = None
        """What the device last answered to `want_status`."""

    @classmethod
    def restore(
        cls,
        stored: bytes,
        concentrator: bytes,
        entropy: Entropy,
        policy: ClientPolicy = DEFAULT_POLICY,
    ) -> AesClient:
        """From the bytes of `export_state`; DecodeError if they are none."""
        try:
            state = msgspec.msgpack.decode(stored, type=ClientState)
        except msgspec.MsgspecError:
            raise DecodeError("this is no stored security state") from None
        return cls(state, concentrator, entropy, policy)

    @property
    def established(self) -> bool:
        """Is there a channel for requests?"""
        return self._channel is not None

    @property
    def key_version(self) -> int:
        """Version of the long-term key that is proven; 0: still the factory key."""
        return self._state.long_term.version

    @property
    def domain_wish(self) -> DomainWish | None:
        """The domain key that was wanted last, whether the device has confirmed it or not."""
        return self._state.domain

    def holds(self, key: DomainKey) -> bool:
        """Whether the device has confirmed the key of this domain and generation, wanted since
        the present channel was made: before that it may have been in other hands."""
        state = self._state
        sure = state.domain_delivered and state.domain_epoch == state.epoch
        return sure and state.domain is not None and state.domain.key.is_same(key)

    @property
    def must_persist(self) -> bool:
        return self._dirty or (self._channel is not None and self._channel.must_persist)

    def export_state(self) -> bytes:
        """What must survive a power cut, keys included: for a key store."""
        self._dirty = False
        channel = self._channel.export() if self._channel else None
        return msgspec.msgpack.encode(msgspec.structs.replace(self._state, channel=channel))

    def next_event(self) -> SecurityEvent | None:
        """The next thing to log, oldest first."""
        return self._events.popleft() if self._events else None

    def new_day(self) -> None:
        """To be called once a day: keys grow old."""
        self._change(age_days=self._state.age_days + 1)

    def seal_request(self, apdu: bytes) -> bytes:
        """See `osgp.security.suite`; LocalProtocolError before a channel is established."""
        return self._ready().seal_request(apdu)

    def open_response(self, request: bytes, response: bytes) -> bytes:
        """See `osgp.security.suite`.  A refused tag makes `work` renew the channel."""
        try:
            body = self._ready().open_response(request, response)
        except SecurityError:
            self._refused |= response == profile.AUTHENTICATION_FAILURE
            raise
        if not self._state.proven:
            self._change(proven=True)
        return body

    def want_channel(self) -> None:
        """A fresh short-term, meter-unique key (F.10.1)."""
        self._change(renew=True)

    def want_long_term_key(self, key: KeyLike) -> None:
        """A new long-term key (F.10.3); on a factory-fresh device this commissions it (F.7.5).

        LocalProtocolError while another one is under way: which one the device holds is open.
        """
        value = key_bytes(key)
        if len(value) != KEY_SIZE:
            raise LocalProtocolError(f"a long-term key has {KEY_SIZE} bytes, not {len(value)}")
        if self._state.next_long_term is not None:
            raise LocalProtocolError("another long-term key is under way")
        newer = LongTermKey(next_version(self.key_version), value)
        self._change(next_long_term=newer, next_delivered=False)

    def want_domain_key(self, wish: DomainWish) -> None:
        """A domain key of a newer generation (F.10.2).

        Its base is a number of now, so the wish ends with the channel under which it was made; ask
        `holds` after the next handshake, as `DomainKeys.hand_to` does.
        """
        self._change(domain=wish, domain_delivered=False, domain_epoch=self._state.epoch)

    def want_mode(self, mode: Mode) -> None:
        """Another security mode, ET04.127."""
        self._change(mode=int(mode), mode_delivered=False)

    def want_status(self) -> None:
        """The device's view of its keys, into `status`."""
        self._want_status = True

    def image_mac(self, image: bytes) -> bytes:
        """The MAC of a firmware image for this device (F.9), under the proven long-term key."""
        return image_mac(self._state.long_term.key, self._state.device, image)

    def work(self) -> bytes | None:
        """The message that comes next, the same until it is answered; None when all is done."""
        if self._outgoing is None:
            self._outgoing = self._next_message()
        return self._outgoing[0] if self._outgoing else None

    @property
    def hands_out(self) -> bool:
        """Is what `work` gave a domain key?"""
        return self._outgoing is not None and self._outgoing[1] is Command.DOMAIN_KEY

    def abandon(self) -> None:
        """Give up waiting for an answer; `work` starts afresh from what is still missing."""
        self._outgoing = self._initiator = None

    def answer(self, response: bytes) -> None:
        """The device's answer to what `work` gave.

        SecurityError: it could not be verified; ServiceError: the device refused.  After either,
        `work` tries again from what is still missing; a refused domain key is not missing.
        """
        if self._outgoing is None:
            raise LocalProtocolError("nothing was asked")
        (request, command), self._outgoing = self._outgoing, None
        if command is None:
            self._go_on(response)
        else:
            self._completed(command, self.open_response(request, response))

    def _next_message(self) -> tuple[bytes, Command | None] | None:
        if self._channel is None or self._refused:
            return self._start(), None
        if self._state.proven and self._needs_handshake():
            return self._start(), None
        for command, wanted, build in self._commands():
            if wanted:
                return self._ready().seal_numbered(build), command
        return None

    def _needs_handshake(self) -> bool:
        state = self._state
        aged = state.age_days >= self._policy.validity_days
        worn = self._ready().usage.high
        fresh_key = state.next_long_term is not None and state.next_delivered
        return state.renew or aged or worn or fresh_key

    def _start(self) -> bytes:
        keys = self._candidates()
        key = keys[self._attempt % len(keys)]
        self._initiator = Initiator(
            self._concentrator, self._state.device, self._policy.suites, self._entropy
        )
        return self._initiator.start(key, self._state.epoch)

    def _candidates(self) -> tuple[LongTermKey, ...]:
        """Long-term keys the device may hold, the likelier one first."""
        state = self._state
        if state.next_long_term is None:
            return (state.long_term,)
        both = state.long_term, state.next_long_term
        return both[::-1] if state.next_delivered else both

    def _go_on(self, response: bytes) -> None:
        if self._initiator is None:
            raise LocalProtocolError("no handshake is under way")
        try:
            result = self._initiator.receive(response)
        except SecurityError:
            self._attempt += 1
            raise
        if isinstance(result, bytes):
            self._outgoing = result, None
        else:
            self._establish(result, self._initiator.key_version)

    def _establish(self, channel: ChannelState, version: int) -> None:
        state = self._state
        self._channel, self._initiator, self._attempt = self._context(channel), None, 0
        self._refused = False
        self._change(epoch=channel.epoch, proven=False, age_days=0, renew=False)
        if state.domain_epoch:
            self._change(domain_delivered=True)
        newer = state.next_long_term
        if newer is not None and newer.version == version:
            self._change(long_term=newer, next_long_term=None, next_delivered=False)
        elif newer is not None:
            self._change(next_delivered=False)

    def _commands(self) -> tuple[tuple[Command, bool, Callable[[int], bytes]], ...]:
        state = self._state
        deliver = state.next_long_term is not None and not state.next_delivered
        return (
            (Command.LONG_TERM_KEY, deliver, self._long_term_command),
            (Command.MODE, not state.mode_delivered, self._mode_command),
            (Command.DOMAIN_KEY, not state.domain_delivered, self._domain_command),
            (Command.STATUS, self._want_status or not state.proven, _status_command),
        )

    def _long_term_command(self, sequence: int) -> bytes:
        newer = self._state.next_long_term
        assert newer is not None
        command = management.LongTermKeyUpdate(
            0, SERVICE, Command.LONG_TERM_KEY, newer.version, bytes(WRAPPED_SIZE)
        )
        return self._wrapped(management.encode(command), newer.key, sequence)

    def _domain_command(self, sequence: int) -> bytes:
        wish = self._state.domain
        assert wish is not None
        command = management.DomainKeyUpdate(
            code=0,
            service=SERVICE,
            command=Command.DOMAIN_KEY,
            generation=wish.key.generation,
            domain=wish.key.domain,
            base=wish.base,
            delta=wish.delta,
            wrapped=bytes(WRAPPED_SIZE),
        )
        return self._wrapped(management.encode(command), wish.key.key, sequence)

    def _mode_command(self, sequence: int) -> bytes:
        return management.encode(
            management.ModeChange(0, SERVICE, Command.MODE, self._state.mode or Mode.RC4)
        )

    def _wrapped(self, command: bytes, key: bytes, sequence: int) -> bytes:
        head = management.header(command)
        return head + self._ready().wrap(key, sequence, head)

    def _completed(self, command: Command, body: bytes) -> None:
        """Record what the device has confirmed; a 0C changes nothing, so `work` asks again."""
        code = body[1] if len(body) > 1 else SEQUENCE_ERROR
        if code == SEQUENCE_ERROR:
            return
        if code != management.OK:
            self._refuse(command)
            raise ServiceError.from_code(code, "key management")
        match command:
            case Command.LONG_TERM_KEY:
                self._change(next_delivered=True)
            case Command.DOMAIN_KEY:
                self._change(domain_delivered=True)
            case Command.MODE:
                self._change(mode_delivered=True)
            case Command.STATUS:
                self.status = management.decode_response(management.StatusResponse, body)
                self._want_status = False

    def _refuse(self, command: Command) -> None:
        """A domain key that the device does not take is no longer wanted: all else works.

        It is remembered: the device may have it all the same.
        """
        if command is Command.DOMAIN_KEY:
            self._change(domain_delivered=True, domain_epoch=0)

    def _ready(self) -> ClientContext:
        if self._channel is None:
            raise LocalProtocolError("no secure channel yet: let work() establish one")
        return self._channel

    def _context(self, state: ChannelState | None) -> ClientContext | None:
        if state is None:
            return None
        return ClientContext(state, self._events, self._policy.uses)

    def _change(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._dirty = True


def _status_command(sequence: int) -> bytes:
    return management.encode(management.StatusRequest(0, SERVICE, Command.STATUS))
