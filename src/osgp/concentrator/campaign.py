"""One firmware image for many devices: announced, broadcast, completed, started, proven (F.9).

    ANNOUNCE ──ANNOUNCED──► LOAD ──COMPLETE──► START ──STARTED──► PROVE ──RUNS──► DONE
       │ │                  │  ▲
       │ └──COMPLETE──► START  └─ INCOMPLETE: the next round of broadcasts
       └──RUNS──► DONE                 from all of these, after too many failures: FAILED

How far a device is shows in its ET17, so nothing of a campaign is stored: the same image again goes
on where it stopped. Packets go to all at once. What a device lacks then is broadcast in the next
round, or sent to it alone if it is little or the rounds are over. The order to start carries a MAC
for each device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from osgp.security.aes_client import AesClient
from osgp.session import Exchange
from osgp.spec.procedures.device import DownloadCodePacket

from .image import Image, Loading

ROUNDS: Final = 3
FEW: Final = 8
"""Packets that are sent to a device alone while there are rounds left."""
RESTART: Final = 60.0
"""Seconds from the order to start to the first look whether it runs."""


class Stage(Enum):
    ANNOUNCE = auto()
    LOAD = auto()
    START = auto()
    PROVE = auto()
    DONE = auto()
    FAILED = auto()


class Result(Enum):
    ANNOUNCED = auto()
    INCOMPLETE = auto()
    COMPLETE = auto()
    STARTED = auto()
    RUNS = auto()
    GIVEN_UP = auto()


_UNFINISHED: Final = (Stage.ANNOUNCE, Stage.LOAD, Stage.START, Stage.PROVE)
TRANSITIONS: Final[dict[tuple[Stage, Result], Stage]] = {
    (Stage.ANNOUNCE, Result.ANNOUNCED): Stage.LOAD,
    (Stage.ANNOUNCE, Result.COMPLETE): Stage.START,
    (Stage.ANNOUNCE, Result.RUNS): Stage.DONE,
    (Stage.LOAD, Result.INCOMPLETE): Stage.LOAD,
    (Stage.LOAD, Result.COMPLETE): Stage.START,
    (Stage.START, Result.STARTED): Stage.PROVE,
    (Stage.PROVE, Result.RUNS): Stage.DONE,
    **{(stage, Result.GIVEN_UP): Stage.FAILED for stage in _UNFINISHED},
}


@dataclass
class Progress:
    """How far one device is. `due`: its next turn, infinite while it waits for broadcasts.

    `lacking`: packets for its `bank` that it did not have when it was last asked.
    """

    stage: Stage = Stage.ANNOUNCE
    due: float = 0.0
    failures: int = 0
    bank: int = 0
    lacking: frozenset[int] = frozenset()

    @property
    def over(self) -> bool:
        return self.stage not in _UNFINISHED

    @property
    def waiting(self) -> bool:
        return self.stage is Stage.LOAD and self.due == math.inf


class Campaign:
    """Raises LocalProtocolError for bytes that are no image."""

    def __init__(self, image: bytes) -> None:
        self.image = Image(image)
        self.devices: dict[bytes, Progress] = {}
        self._rounds = 0
        self._packets: list[tuple[int, int]] = []

    def join(self, neuron_ids: Iterable[bytes]) -> None:
        """Takes in who is not in it already."""
        for neuron_id in neuron_ids:
            self.devices.setdefault(neuron_id, Progress())

    def due(self, now: float) -> bytes | None:
        """The device whose turn it is."""
        turns = [(each.due, node) for node, each in self.devices.items() if not each.over]
        first, node = min(turns, default=(math.inf, b""))
        return node if first <= now else None

    def next_timer(self) -> float:
        """When there is something to do; infinite: never."""
        if self._packets or self._is_round_due():
            return -math.inf
        return min((each.due for each in self.devices.values() if not each.over), default=math.inf)

    def next_packet(self) -> DownloadCodePacket | None:
        """What is to be broadcast next. After the last packet of a round all are asked again."""
        if not self._packets and self._is_round_due():
            self._begin_round()
        if not self._packets:
            return None
        bank, number = self._packets.pop()
        if not self._packets:
            for each in self._waiting():
                each.due = 0.0
        return self.image.packet(bank, number)

    def turn(self, neuron_id: bytes, loading: Loading, keys: AesClient) -> Exchange[Result]:
        """What this device needs now. Raises as `Loading`."""
        progress = self.devices[neuron_id]
        match progress.stage:
            case Stage.ANNOUNCE:
                return self._announce(progress, loading)
            case Stage.LOAD:
                return self._complete(progress, loading)
            case Stage.START:
                return _start(progress, loading, keys)
        return _prove(loading)

    def took(self, neuron_id: bytes, result: Result, now: float) -> None:
        """What a turn came to."""
        progress = self.devices[neuron_id]
        progress.stage, progress.failures = TRANSITIONS[progress.stage, result], 0
        progress.due = now
        if progress.stage is Stage.PROVE:
            progress.due = now + RESTART
        elif progress.stage is Stage.LOAD and progress.lacking and self._rounds < ROUNDS:
            progress.due = math.inf

    def _waiting(self) -> list[Progress]:
        return [each for each in self.devices.values() if each.waiting]

    def _is_round_due(self) -> bool:
        """Not before everybody who can be reached has been asked."""
        others = [p for p in self.devices.values() if not p.over and not p.waiting]
        asked = all(p.failures or p.stage in (Stage.START, Stage.PROVE) for p in others)
        return asked and self._rounds < ROUNDS and bool(self._waiting())

    def _begin_round(self) -> None:
        """(bank, packet) that those who wait lack, the first one last."""
        self._rounds += 1
        wanted = {(each.bank, packet) for each in self._waiting() for packet in each.lacking}
        self._packets = sorted(wanted, reverse=True)

    # --- a device's turn ---------------------------------------------------------------------

    def _announce(self, progress: Progress, loading: Loading) -> Exchange[Result]:
        info = yield from loading.banks()
        progress.bank = 1 - info.active_bank
        if self.image.runs(info):
            return Result.RUNS
        if self.image.is_complete(info.banks[progress.bank]):
            return Result.COMPLETE
        if not self.image.is_loading(info.banks[progress.bank]):
            yield from loading.erase(progress.bank)
        progress.lacking = yield from loading.lacking()
        return Result.ANNOUNCED

    def _complete(self, progress: Progress, loading: Loading) -> Exchange[Result]:
        progress.lacking = yield from loading.lacking()
        if len(progress.lacking) > FEW and self._rounds < ROUNDS:
            return Result.INCOMPLETE
        yield from loading.send(progress.bank, progress.lacking)
        return Result.COMPLETE


def _start(progress: Progress, loading: Loading, keys: AesClient) -> Exchange[Result]:
    yield from loading.start(progress.bank, keys)
    return Result.STARTED


def _prove(loading: Loading) -> Exchange[Result]:
    yield from loading.prove()
    return Result.RUNS
