"""Which hash ranges to ask for next: the concentrator's side of automatic discovery.

A round begins with a fresh salt and covers all hashes in a few ranges. What an answer count means:

    silence       the range is empty, or all answers collided: ask again, then it is done
    a few         those were found and will keep quiet from now on: ask again for the rest
    a crowd       too many answer at once and most are lost: split the range

A round ends when no range is left. Rounds go on until `CALM_ROUNDS` of them in a row found nobody,
so that two devices whose answers always collided meet other neighbours under another salt.
"""

from __future__ import annotations

import random
from collections import deque
from enum import Enum, auto

import msgspec

from .atm import EVERYBODY, HashRange

SILENCES_NEEDED = 2
CALM_ROUNDS = 2
SPLIT = 4


class Turnout(Enum):
    """How many devices answered a query."""

    SILENCE = auto()
    FEW = auto()
    CROWD = auto()


class Ask(msgspec.Struct, frozen=True):
    """A query to send: who in `range`, hashed with `salt`?"""

    salt: int
    range: HashRange
    silences: int = 0


class Discovery:
    """Plans queries; `ranges` and `crowd` fit the expected number of devices to the medium."""

    def __init__(self, rng: random.Random, *, ranges: int = 8, crowd: int = 6) -> None:
        self._rng, self._ranges, self._crowd = rng, ranges, crowd
        self._queue: deque[Ask] = deque()
        self._found = 0
        self._calm = 0
        self.rounds = 0

    @property
    def settled(self) -> bool:
        """Whether enough rounds in a row found nobody."""
        return not self._queue and self._calm >= CALM_ROUNDS

    def restart(self) -> None:
        """Looks again: after an hour, or when somebody announced himself."""
        self._calm = 0

    def next_query(self) -> Ask | None:
        """The next query; None when `settled`."""
        if not self._queue and not self.settled:
            self._begin_round()
        return self._queue.popleft() if self._queue else None

    def answered(self, ask: Ask, answers: int) -> None:
        """What came of a query: `answers` devices were understood."""
        self._found += answers
        follow_up = self._follow_up(ask, self._turnout(answers))
        self._queue.extendleft(reversed(follow_up))
        if not self._queue:
            self._end_round()

    def _turnout(self, answers: int) -> Turnout:
        if answers == 0:
            return Turnout.SILENCE
        return Turnout.CROWD if answers >= self._crowd else Turnout.FEW

    def _follow_up(self, ask: Ask, turnout: Turnout) -> list[Ask]:
        match turnout:
            case Turnout.SILENCE if ask.silences + 1 < SILENCES_NEEDED:
                return [Ask(ask.salt, ask.range, ask.silences + 1)]
            case Turnout.SILENCE:
                return []
            case Turnout.CROWD if ask.range.width > 1:
                return [Ask(ask.salt, part) for part in ask.range.split(SPLIT)]
        return [Ask(ask.salt, ask.range)]

    def _begin_round(self) -> None:
        self.rounds += 1
        self._found = 0
        salt = self._rng.getrandbits(16)
        parts = self._ranges if self.rounds == 1 else 1
        self._queue.extend(Ask(salt, part) for part in EVERYBODY.split(parts))

    def _end_round(self) -> None:
        self._calm = self._calm + 1 if self._found == 0 else 0
