"""Secure channel initialisation (F.7.3): mutual proof of a pre-shared key, after RFC 5433.

    concentrator                                   device
      Challenge (random_c, suites)        ──►        epoch := epoch + 1, on non-volatile memory
                                          ◄──      ChallengeResponse (random_d, epoch, suites, MAC)
      Confirm (MAC)                       ──►        new channel pending; the old one stays valid
                                          ◄──      Acknowledge (MAC)
      new channel in use                             pending becomes current with the first
                                                     request that opens under it

Every MAC covers all messages so far, so neither the lists of suites nor the choice can be altered
(F.7.4), and no message can stand in for another.  The concentrator refuses an epoch that is not
greater than the last one it knows.  The device refuses nothing by name: whatever is wrong, it
answers with the same AuthenticationFailure.

The two roles are the tables INITIATOR and RESPONDER; docs/security.md draws them.
"""

from __future__ import annotations

import hmac
from enum import Enum
from typing import Final

import msgspec

from osgp.errors import SecurityError
from osgp.security import profile
from osgp.security.aes import Entropy, osgp_csprg, osgp_mac
from osgp.security.context import ChannelState
from osgp.security.machine import Machine, Transitions
from osgp.security.profile import (
    Acknowledge,
    Challenge,
    ChallengeResponse,
    Code,
    Confirm,
    HandshakeKeys,
)

FACTORY: Final = 0
"""Version of the long-term key that a device leaves the factory with."""


class InitiatorState(Enum):
    IDLE = "idle"
    CHALLENGED = "Challenge sent"
    CONFIRMED = "Confirm sent"
    ESTABLISHED = "established"


class InitiatorEvent(Enum):
    START = "start"
    RESPONSE = "good ChallengeResponse"
    ACKNOWLEDGE = "good Acknowledge"
    REFUSED = "refused, or a bad message"


INITIATOR: Final[Transitions[InitiatorState, InitiatorEvent]] = {
    (InitiatorState.IDLE, InitiatorEvent.START): InitiatorState.CHALLENGED,
    (InitiatorState.CHALLENGED, InitiatorEvent.RESPONSE): InitiatorState.CONFIRMED,
    (InitiatorState.CHALLENGED, InitiatorEvent.REFUSED): InitiatorState.IDLE,
    (InitiatorState.CONFIRMED, InitiatorEvent.ACKNOWLEDGE): InitiatorState.ESTABLISHED,
    (InitiatorState.CONFIRMED, InitiatorEvent.REFUSED): InitiatorState.IDLE,
}


class ResponderState(Enum):
    IDLE = "idle"
    CHALLENGED = "ChallengeResponse sent"
    PROVEN = "Acknowledge sent"


class ResponderEvent(Enum):
    CHALLENGE = "Challenge"
    CONFIRM = "good Confirm"
    REPEATED = "the same Confirm again"
    BAD_CONFIRM = "bad Confirm"


RESPONDER: Final[Transitions[ResponderState, ResponderEvent]] = {
    (ResponderState.IDLE, ResponderEvent.CHALLENGE): ResponderState.CHALLENGED,
    (ResponderState.IDLE, ResponderEvent.BAD_CONFIRM): ResponderState.IDLE,
    (ResponderState.CHALLENGED, ResponderEvent.CHALLENGE): ResponderState.CHALLENGED,
    (ResponderState.CHALLENGED, ResponderEvent.CONFIRM): ResponderState.PROVEN,
    (ResponderState.CHALLENGED, ResponderEvent.BAD_CONFIRM): ResponderState.CHALLENGED,
    (ResponderState.PROVEN, ResponderEvent.CHALLENGE): ResponderState.CHALLENGED,
    (ResponderState.PROVEN, ResponderEvent.REPEATED): ResponderState.PROVEN,
    (ResponderState.PROVEN, ResponderEvent.BAD_CONFIRM): ResponderState.PROVEN,
}


class LongTermKey(msgspec.Struct, frozen=True, array_like=True):
    """A long-term, meter-unique key and its version; version 0 is the factory key."""

    version: int
    key: bytes

    def __repr__(self) -> str:
        return f"<LongTermKey version {self.version}>"


class _Run:
    """One run of the handshake as either side remembers it: transcript and keys."""

    __slots__ = ("answer", "challenge", "keys", "transcript")

    def __init__(self, long_term: LongTermKey, challenge: Challenge, answer: ChallengeResponse):
        self.challenge, self.answer = challenge, answer
        self.keys: HandshakeKeys = profile.handshake_keys(long_term.key, challenge, answer)
        self.transcript = profile.encode(challenge)

    def sign(self, message: profile.R) -> bytes:
        """The message's bytes with their MAC, which covers everything so far."""
        body = profile.encode(message)[: -profile.MAC_SIZE]
        signed = body + osgp_mac(self.keys.mac, self.transcript + body)
        self.transcript += signed
        return signed

    def is_next(self, message: bytes) -> bool:
        """Is `message` what `sign` would have made of it?  If so it joins the transcript."""
        body, mac = message[: -profile.MAC_SIZE], message[-profile.MAC_SIZE :]
        good = hmac.compare_digest(osgp_mac(self.keys.mac, self.transcript + body), mac)
        if good:
            self.transcript += message
        return good

    def channel(self) -> ChannelState:
        """The channel that this run makes."""
        return ChannelState(
            self.answer.suite,
            self.answer.device,
            self.answer.epoch,
            self.keys.unicast,
            self.keys.wrap,
            factory=self.challenge.key_version == FACTORY,
        )


class Initiator:
    """The concentrator's role: `start`, then each answer of the device to `receive`."""

    def __init__(
        self, concentrator: bytes, device: bytes, suites: tuple[int, ...], entropy: Entropy
    ) -> None:
        self._concentrator, self._device = concentrator, device
        self._suites, self._entropy = suites, entropy
        self._machine = Machine(INITIATOR, InitiatorState.IDLE)
        self._challenge: Challenge | None = None
        self._run: _Run | None = None
        self._long_term = LongTermKey(FACTORY, b"")
        self._last_epoch = 0

    @property
    def state(self) -> InitiatorState:
        return self._machine.state

    @property
    def key_version(self) -> int:
        """The version of the long-term key that this run proves."""
        return self._long_term.version

    def start(self, long_term: LongTermKey, last_epoch: int) -> bytes:
        """The Challenge; the device's epoch must come out greater than `last_epoch`."""
        self._machine.fire(InitiatorEvent.START)
        self._long_term, self._last_epoch = long_term, last_epoch
        self._challenge = Challenge(
            code=Code.HANDSHAKE,
            kind=1,
            version=profile.VERSION,
            key_version=long_term.version,
            concentrator=self._concentrator,
            random=osgp_csprg(profile.RANDOM_SIZE, self._entropy),
            suite_count=len(self._suites),
            suites=self._suites,
        )
        return profile.encode(self._challenge)

    def receive(self, message: bytes) -> bytes | ChannelState:
        """The Confirm to send, or at the end the channel.  SecurityError ends the run."""
        try:
            if self._machine.state is InitiatorState.CHALLENGED:
                return self._confirm(message)
            return self._finish(message)
        except SecurityError:
            self._machine.fire(InitiatorEvent.REFUSED)
            raise

    def _confirm(self, message: bytes) -> bytes:
        _check_kind(message, 2)
        answer = profile.decode(ChallengeResponse, message)
        assert self._challenge is not None
        self._check(answer)
        run = _Run(self._long_term, self._challenge, answer)
        if not run.is_next(message):
            raise SecurityError
        self._machine.fire(InitiatorEvent.RESPONSE)
        self._run = run
        return run.sign(Confirm(Code.HANDSHAKE, 3, answer.epoch, bytes(profile.MAC_SIZE)))

    def _check(self, answer: ChallengeResponse) -> None:
        best = profile.strongest(self._suites, answer.suites)
        if answer.device != self._device or answer.epoch <= self._last_epoch:
            raise SecurityError
        if best is None or best.number != answer.suite:
            raise SecurityError

    def _finish(self, message: bytes) -> ChannelState:
        _check_kind(message, 4)
        if self._run is None or not self._run.is_next(message):
            raise SecurityError
        self._machine.fire(InitiatorEvent.ACKNOWLEDGE)
        return self._run.channel()


class Responder:
    """The device's role.  Holds one run at a time and nothing that must survive a power cut."""

    def __init__(self, device: bytes, suites: tuple[int, ...], entropy: Entropy) -> None:
        self._device, self._suites, self._entropy = device, suites, entropy
        self._machine = Machine(RESPONDER, ResponderState.IDLE)
        self._run: _Run | None = None
        self._confirmed: tuple[bytes, bytes] | None = None

    @property
    def state(self) -> ResponderState:
        return self._machine.state

    @property
    def key_version(self) -> int:
        """The version of the long-term key that the present run proves."""
        return FACTORY if self._run is None else self._run.challenge.key_version

    def challenged(self, message: bytes, keys: tuple[LongTermKey, ...], epoch: int) -> bytes:
        """The ChallengeResponse under `epoch`, never used before; SecurityError if refused."""
        challenge = profile.decode(Challenge, message)
        suite = profile.strongest(challenge.suites, self._suites)
        long_term = next((k for k in keys if k.version == challenge.key_version), None)
        if suite is None or long_term is None or challenge.version != profile.VERSION:
            raise SecurityError
        answer = ChallengeResponse(
            code=Code.HANDSHAKE,
            kind=2,
            suite=suite.number,
            device=self._device,
            epoch=epoch,
            random=osgp_csprg(profile.RANDOM_SIZE, self._entropy),
            suite_count=len(self._suites),
            suites=self._suites,
            mac=bytes(profile.MAC_SIZE),
        )
        self._machine.fire(ResponderEvent.CHALLENGE)
        self._run, self._confirmed = _Run(long_term, challenge, answer), None
        return self._run.sign(answer)

    def repeated(self, message: bytes) -> bytes | None:
        """The stored Acknowledge, if `message` is the Confirm that it answered."""
        if self._confirmed is None or self._confirmed[0] != message:
            return None
        self._machine.fire(ResponderEvent.REPEATED)
        return self._confirmed[1]

    def confirmed(self, message: bytes) -> tuple[bytes, ChannelState]:
        """The Acknowledge and the new channel; SecurityError for a bad Confirm."""
        run = self._run
        if self._confirmed is not None or run is None or not _good_confirm(run, message):
            self._machine.fire(ResponderEvent.BAD_CONFIRM)
            raise SecurityError
        self._machine.fire(ResponderEvent.CONFIRM)
        epoch = run.answer.epoch
        reply = run.sign(Acknowledge(Code.HANDSHAKE, 4, epoch, bytes(profile.MAC_SIZE)))
        self._confirmed = message, reply
        return reply, run.channel()


def _good_confirm(run: _Run, message: bytes) -> bool:
    try:
        profile.decode(Confirm, message)
    except SecurityError:
        return False
    return run.is_next(message)


def _check_kind(message: bytes, kind: int) -> None:
    if message[:2] != bytes((Code.HANDSHAKE, kind)):
        raise SecurityError
