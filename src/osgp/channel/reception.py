"""Who receives a frame: levels, interference, and the draw of fate per receiver.

The margin of a frame at a receiver, in dB, is
    transmit level - path loss - 10 log10(noise + interference) - required SINR,
where noise is the louder of background and impulse, and interference is the sum of the received
powers of all transmissions that overlapped the frame (their whole power, however short the
overlap).  A frame of n bytes survives with probability
    (1 / (1 + exp(-steepness x margin))) ** (n / reference length) x (1 - residual loss),
so 0 dB is a coin toss for a short frame, and the stronger of two colliding frames is captured
when it stands out by the required SINR.  A station that transmits receives nothing.

Few receivers are computed one by one, many as numpy vectors: the formulas are the same.
The model and its figures are the project's own (Source.PROJECT).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log10
from random import Random
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from osgp.channel.feeder import Carrier, Loss
from osgp.channel.noise import Level, NoiseSource, Share
from osgp.channel.stats import FrameCounts, LinkCounts

_FEW = 6
_STEEPEST = 700.0

Positive = Annotated[float, Meta(gt=0.0, le=1000.0)]


class LineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Levels in dBuV, margins in dB.

    `sense_level`: a station senses transmissions received at or above it.
    `detection_time` (s): a transmission younger than this is not sensed yet, so attempts closer
    together than this collide; it must be shorter than the access strategy's slots.
    `residual_loss`: share of frames lost whatever the margin.
    `corrupted_share`: share of the frames not received intact that arrive with flipped bits.
    `carrier_isolation` (dB): attenuation of the other carrier in the receiver's filter.
    `hearing_margin` (dB): frames to everybody count as attempts at stations above it only.
    """

    tx_level: Level = 120.0
    required_sinr: Annotated[float, Meta(ge=-50.0, le=100.0)] = 6.0
    sense_level: Level = 60.0
    detection_time: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0015
    steepness: Positive = 1.2
    reference_length: Positive = 20.0
    residual_loss: Share = 0.0
    corrupted_share: Share = 0.1
    carrier_isolation: Level = 25.0
    hearing_margin: Level = -6.0


Sites = Sequence[int] | NDArray[np.intp]
"""Site indices, ascending."""


class Transmission:
    """One frame on the line from `start` to `end` (s), and what it overlapped with.

    `sender` is the site index of the station that sends.
    """

    __slots__ = ("carrier", "data", "delta_backlog", "end", "overlaps", "sender", "start")

    def __init__(
        self,
        sender: int,
        data: bytes,
        carrier: Carrier,
        delta_backlog: int,
        start: float,
        end: float,
    ) -> None:
        self.sender = sender
        self.data = data
        self.carrier = carrier
        self.delta_backlog = delta_backlog
        self.start = start
        self.end = end
        self.overlaps: list[Transmission] = []


class Arrival(NamedTuple):
    """A frame reaches the station at index `site`, `margin` dB above the limit."""

    site: int
    margin: float
    intact: bool


class Reception:
    """Draws the fate of transmissions and counts it."""

    __slots__ = ("_counts", "_links", "_loss", "_noise", "_random", "_rng", "_settings")

    def __init__(
        self,
        loss: Loss,
        settings: LineSettings,
        noise: NoiseSource,
        rng: Random,
        counts: FrameCounts,
        links: LinkCounts,
    ) -> None:
        self._loss = loss
        self._settings = settings
        self._noise = noise
        self._rng = rng
        self._random = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
        self._counts = counts
        self._links = links

    def arrivals(self, sent: Transmission, receivers: Sites, everybody: bool) -> list[Arrival]:
        """What reaches `receivers` (site indices) of a transmission that has just ended.

        With `everybody`, receivers out of hearing are no attempts; else all but the sender are.
        """
        if len(receivers) <= _FEW and not everybody:
            return self._one_by_one(sent, receivers)
        return self._all_at_once(sent, np.asarray(receivers, dtype=np.intp), everybody)

    def margin(self, sent: Transmission, receiver: int) -> tuple[float, bool]:
        """(margin in dB, drowned: more interference than noise) at one receiver."""
        settings = self._settings
        carrier = sent.carrier
        level = settings.tx_level - self._loss.item(carrier, sent.sender, receiver)
        noise = self._noise.levels(sent.end).item(carrier, receiver)
        for struck, origin in self._noise.impulses(sent.start, sent.end):
            weaker = 0.0 if origin is None else self._loss.item(carrier, origin, receiver)
            noise = max(noise, struck - weaker)
        if not sent.overlaps:
            return level - noise - settings.required_sinr, False
        background = _power(noise)
        interference = 0.0
        for other in sent.overlaps:
            if other.sender == receiver:
                return -inf, True
            loss = self._loss.item(other.carrier, other.sender, receiver)
            interference += _power(settings.tx_level - loss - self._rejection(sent, other))
        total = 10.0 * log10(background + interference)
        return level - total - settings.required_sinr, interference > background

    def margins(
        self, sent: Transmission, receivers: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """`margin` of many receivers: two vectors."""
        settings = self._settings
        level = settings.tx_level - self._loss[sent.carrier, sent.sender, receivers].astype(float)
        noise = self._noise.levels(sent.end)[sent.carrier, receivers]
        for struck, origin in self._noise.impulses(sent.start, sent.end):
            weaker = 0.0 if origin is None else self._loss[sent.carrier, origin, receivers]
            noise = np.maximum(noise, struck - weaker)
        drowned = np.zeros(len(receivers), dtype=np.bool_)
        if not sent.overlaps:
            return level - noise - settings.required_sinr, drowned
        background = 10.0 ** (noise / 10.0)
        interference = np.zeros(len(receivers))
        for other in sent.overlaps:
            loss = self._loss[other.carrier, other.sender, receivers].astype(float)
            received = settings.tx_level - loss - self._rejection(sent, other)
            interference += 10.0 ** (received / 10.0)
            drowned |= receivers == other.sender
        margin = level - 10.0 * np.log10(background + interference) - settings.required_sinr
        margin[drowned] = -inf
        return margin, drowned | (interference > background)

    def survival(self, margin: float, length: int) -> float:
        """Probability that a frame of `length` bytes arrives intact."""
        settings = self._settings
        exponent = max(-_STEEPEST, min(_STEEPEST, -settings.steepness * margin))
        share = (1.0 + exp(exponent)) ** (-max(1, length) / settings.reference_length)
        return float(share * (1.0 - settings.residual_loss))

    def survivals(self, margin: NDArray[np.float64], length: int) -> NDArray[np.float64]:
        """`survival` of a vector of margins."""
        settings = self._settings
        exponent = np.clip(-settings.steepness * margin, -_STEEPEST, _STEEPEST)
        share = (1.0 + np.exp(exponent)) ** (-max(1, length) / settings.reference_length)
        return np.asarray(share * (1.0 - settings.residual_loss))

    def corrupt(self, data: bytes) -> bytes:
        """`data` with one to eight bits flipped; an empty frame stays empty."""
        bits = 8 * len(data)
        spoiled = bytearray(data)
        for bit in self._rng.sample(range(bits), min(bits, 1 + self._rng.randrange(8))):
            spoiled[bit >> 3] ^= 0x80 >> (bit & 7)
        return bytes(spoiled)

    def _rejection(self, sent: Transmission, other: Transmission) -> float:
        return 0.0 if sent.carrier is other.carrier else self._settings.carrier_isolation

    def _one_by_one(self, sent: Transmission, receivers: Sites) -> list[Arrival]:
        arrivals = []
        for receiver in receivers:
            if receiver != sent.sender:
                arrival = self._one(sent, receiver)
                if arrival is not None:
                    arrivals.append(arrival)
        return arrivals

    def _one(self, sent: Transmission, receiver: int) -> Arrival | None:
        counts, links = self._counts, self._links
        links.attempts[sent.sender, receiver] += 1
        margin, drowned = self.margin(sent, receiver)
        survival = self.survival(margin, len(sent.data))
        fate = self._rng.random()
        if fate < survival:
            counts.delivered += 1
            links.delivered[sent.sender, receiver] += 1
            return Arrival(receiver, margin, True)
        if margin > -inf and fate < self._corruption(survival):
            counts.corrupted += 1
            return Arrival(receiver, margin, False)
        if drowned:
            counts.collided += 1
        else:
            counts.lost += 1
        return None

    def _corruption(self, survival: float) -> float:
        """Fates from `survival` up to this are corrupted frames, above it nothing arrives."""
        return survival + (1.0 - survival) * self._settings.corrupted_share

    def _all_at_once(
        self, sent: Transmission, receivers: NDArray[np.intp], everybody: bool
    ) -> list[Arrival]:
        receivers = receivers[receivers != sent.sender]
        margin, drowned = self.margins(sent, receivers)
        if everybody:
            hearing = margin > self._settings.hearing_margin
            receivers, margin, drowned = receivers[hearing], margin[hearing], drowned[hearing]
        survival = self.survivals(margin, len(sent.data))
        fate = self._random.random(len(receivers))
        intact = fate < survival
        share = self._settings.corrupted_share
        spoiled = ~intact & (fate < survival + (1.0 - survival) * share) & (margin > -inf)
        self._count(sent.sender, receivers, intact, spoiled, drowned)
        reached = np.flatnonzero(intact | spoiled)
        columns = (receivers[reached], margin[reached], intact[reached])
        return list(map(Arrival, *(column.tolist() for column in columns)))

    def _count(
        self,
        sender: int,
        receivers: NDArray[np.intp],
        intact: NDArray[np.bool_],
        spoiled: NDArray[np.bool_],
        drowned: NDArray[np.bool_],
    ) -> None:
        counts, links = self._counts, self._links
        links.attempts[sender, receivers] += 1
        links.delivered[sender, receivers[intact]] += 1
        missing = ~(intact | spoiled)
        counts.delivered += int(np.count_nonzero(intact))
        counts.corrupted += int(np.count_nonzero(spoiled))
        counts.collided += int(np.count_nonzero(missing & drowned))
        counts.lost += int(np.count_nonzero(missing & ~drowned))


def _power(level: float) -> float:
    """dBuV to a linear power, in arbitrary units."""
    return float(10.0 ** (level / 10.0))
