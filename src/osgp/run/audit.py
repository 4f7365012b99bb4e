"""What is wrong with the old suite, shown on a meter of this process.

The attacks take no address. They meet a virtual meter that is made for them, with a key that is
drawn for them and thrown away; the third one goes over its power line in real frames.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from osgp.lon import (
    DomainEntry,
    NeuronId,
    NodeConfig,
    NodeState,
    Outgoing,
    ResponseReceived,
    Service,
    Stack,
    SubnetNode,
)
from osgp.meter.device import VirtualMeter
from osgp.meter.identity import MeterProfile
from osgp.meter.nvm import MemoryNvm
from osgp.security.audit import (
    Recovered,
    recover_by_chosen_messages,
    recover_by_short_verification,
    recover_by_verification,
)
from osgp.security.oma import DIGEST_SIZE, OMAK_SIZE, OmaKey
from osgp.security.omak import PlcScope
from osgp.security.secret import Secret
from osgp.security.suite import DIGEST_ERROR, OmaClient, OmaServer, Outcome
from osgp.session import Exchange, Send
from osgp.spec.services import REQUESTS, Command, FullReadRequest
from osgp.topology.commissioning import commission

START: Final = 1_780_012_800.0
PLACE, ASKER = SubnetNode(1, 5), SubnetNode(1, 127)
DOMAIN: Final = b"audit\0"
BADGE: Final = bytes.fromhex("0500a0d17000")
_STEP: Final = 0.05

ADVICE: Final = (
    "Whoever hears one message of a meter and may ask it questions has its key within seconds of "
    "computing, and what was encrypted with it. No setting of the old suite helps.",
    "The way out is OSGP-AES-128-PSK (Annex F): give each meter its utility key over a channel "
    "made with its factory key, then set security mode 2 (ET04.127) inside the new channel. From "
    "then on it refuses every message of the old suite. It can be read all the while. "
    "See docs/security.md.",
    "Until then: a key of its own for each meter, so that one recovered key opens one meter.",
)


class Attack(msgspec.Struct, frozen=True):
    """One attack and what came of it. `key` is the recovered one, of the meter made for this."""

    name: str
    needs: str
    published: str
    queries: int
    seconds: float
    key: str
    correct: bool


class _Line:
    """A node that is wired straight to one virtual meter; `now` goes on with each frame."""

    def __init__(self, meter: VirtualMeter, now: float, rng: random.Random) -> None:
        self.meter, self.now = meter, now
        entry = DomainEntry(DOMAIN, ASKER.subnet, ASKER.node)
        config = NodeConfig(bytes(6), domains=[entry, DomainEntry(valid=False)])
        config.state = NodeState.CONFIGURED_ONLINE
        self.stack = Stack(config, rng)

    def join(self) -> None:
        self._drive(commission(DomainEntry(DOMAIN, PLACE.subnet, PLACE.node)))

    def ask(self, apdu: bytes, to: SubnetNode | NeuronId = PLACE) -> bytes:
        """The answer to one request."""
        self.stack.send(Outgoing(to, apdu, Service.REQUEST, retry=0), self.now)
        while True:
            self._carry()
            while (event := self.stack.next_event()) is not None:
                if isinstance(event, ResponseReceived):
                    self.stack.handle_timer(self.now)
                    return event.apdu
            self.now = max(self.now, self.stack.next_timer() or self.now)
            self.stack.handle_timer(self.now)

    def _carry(self) -> None:
        self.now += _STEP
        for frame in self.stack.frames_to_send(self.now):
            self.meter.receive_frame(frame.data, self.now, 20.0)
        self.now += _STEP
        for frame in self.meter.frames_to_send(self.now):
            self.stack.receive_frame(frame.data, self.now, 20.0)

    def _drive(self, script: Exchange[None]) -> None:
        wanted = next(script, None)
        while isinstance(wanted, Send):
            try:
                wanted = script.send(self.ask(wanted.apdu, NeuronId(BADGE)))
            except StopIteration:
                return


def attack_omak(rng: random.Random | None = None) -> Iterator[Attack]:
    """Runs the published attacks one after the other, each on a meter with a new key.

    `rng` draws the keys; the system's own source of randomness if it is None.
    """
    draw = rng.randbytes if rng is not None else secrets.token_bytes
    for name, needs, published, recover in _ATTACKS:
        key = draw(OMAK_SIZE)
        started = time.perf_counter()
        found = recover(key)
        seconds = time.perf_counter() - started
        right = secrets.compare_digest(found.key, key)
        yield Attack(name, needs, published, found.queries, seconds, found.key.hex(), right)


def _chosen(key: bytes) -> Recovered:
    return recover_by_chosen_messages(OmaKey(key).digest, OMAK_SIZE)


def _verified(key: bytes) -> Recovered:
    """Asks the suite's server directly: a port that takes messages of any length."""
    scope = PlcScope(PLACE.subnet, PLACE.node)
    server, head = OmaServer(key, scope), scope.request_input(b"")
    overheard = OmaClient(key, scope).seal_request(_request())

    def verify(message: bytes, digest: bytes) -> bool:
        opened = server.open_request(message[len(head) :] + digest)
        return opened.outcome is not Outcome.BAD_DIGEST

    body, digest = overheard[:-DIGEST_SIZE], overheard[-DIGEST_SIZE:]
    return recover_by_verification(verify, OMAK_SIZE, head + body, digest)


def _over_the_line(key: bytes) -> Recovered:
    """Overhears one request to a commissioned meter, then asks the meter in frames."""
    rng = random.Random(0)
    profile = MeterProfile(neuron_id=BADGE, omak=Secret(key))
    line = _Line(VirtualMeter(profile, MemoryNvm(), rng, START), START, rng)
    line.join()
    scope = PlcScope(PLACE.subnet, PLACE.node)
    overheard, head = OmaClient(key, scope).seal_request(_request()), scope.request_input(b"")
    refusal = scope.head + bytes((DIGEST_ERROR,))

    def verify(message: bytes, digest: bytes) -> bool:
        return line.ask(message[len(head) :] + digest) != refusal

    body, digest = overheard[:-DIGEST_SIZE], overheard[-DIGEST_SIZE:]
    return recover_by_short_verification(verify, OMAK_SIZE, head + body, digest)


def _request() -> bytes:
    return b"\0" + REQUESTS[Command.FULL_READ].encode(FullReadRequest(Command.FULL_READ, 1))


_ATTACKS: Final[tuple[tuple[str, str, str, Callable[[bytes], Recovered]], ...]] = (
    ("chosen messages", "digests of messages of the attacker's choice", "13", _chosen),
    (
        "verification",
        "one overheard message, and whether altered ones are good",
        "144 on average",
        _verified,
    ),
    (
        "verification over the power line",
        "the same of a meter that answers, within its buffers",
        "144 on average",
        _over_the_line,
    ),
)
"""Jovanovic and Neves, ePrint 2015/428; what it is that each needs, and the queries published."""
