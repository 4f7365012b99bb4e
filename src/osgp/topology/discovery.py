"""Which hash ranges to ask for next: the concentrator's side of automatic discovery.

A round begins with a fresh salt and covers all hashes in a few ranges, all on one carrier; the next
round takes the other one. What an answer count means:

    silence       the range is empty, or all answers collided: ask again, `silences` times in all
    a few         those were found and will keep quiet from now on: ask again for the rest
    a crowd       too many answer at once and most are lost: split the range
    nobody new    those who answer do not get quiet by being found: counts as silence

A round ends when no range is left. Rounds go on until `calm_rounds` of them in a row found nobody,
so that two devices whose answers always collided meet other neighbours under another salt.

A crowd whose answers all drown each other sounds like nobody, however often it is asked as a
whole. Before discovery settles it therefore asks for narrower and narrower ranges, a *ladder*: a
half of all hashes, a quarter, an eighth ..., each drawn at random. Whatever the size of the crowd,
on some rung about one device is left to answer; a ladder misses a crowd with a chance of one in
four. `ladders` in a row must find nobody the first time, one after each restart. One that does find
somebody shows how fine the next round has to be.

It ends: only a query that brought somebody new is followed by more than `silences` others, and
whoever registers devices takes no more of them than its network can have.
"""

from __future__ import annotations

import random
from collections import deque
from enum import Enum, auto

import msgspec

from .atm import EVERYBODY, HashRange, alone
from .links import Carrier

SILENCES_NEEDED = 2
CALM_ROUNDS = 2
SPLIT = 4
LADDERS = 3
"""One crowd in seventy is missed by as many."""
RUNGS = 10
"""The last one draws one hash in 1024."""


class Turnout(Enum):
    """How many devices answered a query."""

    SILENCE = auto()
    FEW = auto()
    CROWD = auto()


class Ask(msgspec.Struct, frozen=True):
    """A query to send: who in `range`, hashed with `salt`? `members`: registered ones too."""

    salt: int
    range: HashRange
    silences: int = 0
    carrier: Carrier = Carrier.PRIMARY
    members: bool = False


def ask_for(neuron_id: bytes, rng: random.Random, carrier: Carrier = Carrier.PRIMARY) -> Ask:
    """A query for one device, also if it is registered."""
    salt = rng.getrandbits(16)
    return Ask(salt, alone(neuron_id, salt), carrier=carrier, members=True)


class Discovery:
    """Plans queries; `ranges` and `crowd` fit the expected number of devices to the medium.

    `silences`, `calm_rounds` and `ladders`: see above.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        ranges: int = 8,
        crowd: int = 12,
        silences: int = SILENCES_NEEDED,
        calm_rounds: int = CALM_ROUNDS,
        ladders: int = LADDERS,
    ) -> None:
        self._rng, self._crowd = rng, crowd
        self._silences, self._calm_rounds = silences, calm_rounds
        self._queue: deque[Ask] = deque()
        self._found = 0
        self._calm = 0
        self._ladders = self._ladders_left = ladders
        self._climbing = False
        self._fineness, self._drowned = ranges, False
        self.rounds = 0

    @property
    def settled(self) -> bool:
        """Whether enough rounds in a row found nobody, and ladders neither."""
        return not self._queue and self._is_calm and not self._ladders_left

    def restart(self) -> None:
        """Looks again: after an hour, or when somebody announced himself."""
        self._calm = 0
        self._ladders_left = max(self._ladders_left, min(1, self._ladders))

    def next_query(self) -> Ask | None:
        """The next query; None when `settled`."""
        if not self._queue and not self.settled:
            self._begin_ladder() if self._is_calm else self._begin_round()
        return self._queue.popleft() if self._queue else None

    def answered(self, ask: Ask, answers: int, new: int | None = None) -> None:
        """What came of a query: `answers` devices were understood, `new` of them (all, if None)
        are going to be registered, and then keep quiet."""
        new = answers if new is None else new
        self._found += new
        if new and self._climbing:
            rung = 2 * EVERYBODY.width // ask.range.width
            self._fineness = min(rung, self._fineness) if self._drowned else rung
            self._drowned = True
        follow_up = self._follow_up(ask, self._turnout(answers if new else 0))
        self._queue.extendleft(reversed(follow_up))
        if not self._queue:
            self._end_round()

    def _turnout(self, answers: int) -> Turnout:
        if answers == 0:
            return Turnout.SILENCE
        return Turnout.CROWD if answers >= self._crowd else Turnout.FEW

    def _follow_up(self, ask: Ask, turnout: Turnout) -> list[Ask]:
        again = msgspec.structs.replace
        match turnout:
            case Turnout.SILENCE if ask.silences + 1 < self._silences:
                return [again(ask, silences=ask.silences + 1)]
            case Turnout.SILENCE:
                return []
            case Turnout.CROWD if ask.range.width > 1:
                return [again(ask, range=part, silences=0) for part in ask.range.split(SPLIT)]
        return [again(ask, silences=0)]

    def _begin_round(self) -> None:
        self.rounds += 1
        self._found, self._climbing = 0, False
        salt = self._rng.getrandbits(16)
        parts = self._fineness
        self._fineness = max(1, parts // 2) if self._drowned else 1
        self._drowned = self._fineness > 1
        carrier = Carrier.PRIMARY if self.rounds % 2 else Carrier.SECONDARY
        self._queue.extend(Ask(salt, part, carrier=carrier) for part in EVERYBODY.split(parts))

    def _begin_ladder(self) -> None:
        """Each rung is asked once: a silence says little there."""
        self._ladders_left -= 1
        self._found, self._climbing = 0, True
        salt, last = self._rng.getrandbits(16), self._silences - 1
        carrier = Carrier.SECONDARY if self._ladders_left % 2 else Carrier.PRIMARY
        for rung in range(1, RUNGS + 1):
            part = self._rng.choice(EVERYBODY.split(1 << rung))
            self._queue.append(Ask(salt, part, last, carrier))

    def _end_round(self) -> None:
        if self._found:
            self._calm, self._ladders_left = 0, self._ladders
        elif not self._climbing:
            self._calm += 1

    @property
    def _is_calm(self) -> bool:
        return self._calm >= self._calm_rounds
