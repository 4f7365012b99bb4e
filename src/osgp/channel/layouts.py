"""Feeders by a few figures instead of by the metre: a street, a rural line, a block, two streets.

Each layout is a declaration with `build(rng) -> Feeder`; the same seed gives the same feeder.
The concentrator feeds all three phases at the transformer.  Every fourth meter has three phases,
the others take one phase each in turn.  All figures are the project's own (Source.PROJECT),
chosen so that the stated reach comes out with the default line and noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

from osgp.channel.feeder import (
    ALL_PHASES,
    MAX_SITES,
    ROOT,
    Decibel,
    Feeder,
    Metres,
    Segment,
    Site,
)
from osgp.errors import UsageError

Count = Annotated[int, Meta(ge=1, le=MAX_SITES)]
Range = tuple[Decibel, Decibel]

CONCENTRATOR = "concentrator"
_PHASES = ((1,), (2,), (3,), ALL_PHASES)


class Cable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one step along the line costs: length in m, attenuation in dB per 100 m."""

    length: Metres
    attenuation: Decibel
    attenuation_secondary: Decibel
    tap_loss: Decibel

    def segment(self, name: str, parent: str, extra_loss: float = 0.0) -> Segment:
        return Segment(
            name=name,
            parent=parent,
            length=self.length,
            attenuation=self.attenuation,
            attenuation_secondary=self.attenuation_secondary,
            tap_loss=self.tap_loss + extra_loss,
        )


class Street(
    msgspec.Struct, tag="street", frozen=True, forbid_unknown_fields=True, tag_field="kind"
):
    """Houses in a row, `per_branch` to each cable that leaves the transformer.

    With the defaults every meter is in direct reach of the concentrator, the farthest with
    little to spare in the evening.
    """

    meters: Count = 50
    per_branch: Count = 50
    step: Cable = Cable(12.0, 2.0, 1.7, 0.35)
    branch_loss: Decibel = 1.0
    drop_loss: Range = (1.0, 8.0)
    coupling_loss: Decibel = 12.0

    def build(self, rng: Random) -> Feeder:
        segments, sites = [], [_concentrator()]
        for index in range(self.meters):
            branch, house = divmod(index, self.per_branch)
            name = f"house-{branch + 1}-{house + 1}"
            parent = f"house-{branch + 1}-{house}" if house else ROOT
            segments.append(self.step.segment(name, parent, 0.0 if house else self.branch_loss))
            sites.append(_meter(index, name, self.drop_loss, rng))
        return _feeder(segments, sites, self.coupling_loss)


class Rural(msgspec.Struct, tag="rural", frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Hamlets so far apart that each reaches only its neighbours: `hops` hops to the last one.

    The first meter of a hamlet has three phases, so that a chain need not change phase on the
    long way; the others are single-phase.
    """

    meters: Count = 24
    hops: Annotated[int, Meta(ge=1, le=15)] = 8
    step: Cable = Cable(500.0, 9.0, 8.6, 4.0)
    drop_loss: Range = (0.5, 2.0)
    coupling_loss: Decibel = 10.0

    def build(self, rng: Random) -> Feeder:
        if self.meters < self.hops:
            raise UsageError(f"{self.hops} hops need at least as many meters, not {self.meters}")
        names = [ROOT, *(f"hamlet-{hop + 1}" for hop in range(self.hops))]
        segments = [self.step.segment(name, parent) for parent, name in pairwise(names)]
        sites = [_concentrator()]
        for index in range(self.meters):
            round_, hamlet = divmod(index, self.hops)
            phases = (round_ % 3 + 1,) if round_ else ALL_PHASES
            place = names[hamlet + 1]
            sites.append(_meter(index, place, self.drop_loss, rng, phases))
        return _feeder(segments, sites, self.coupling_loss)


class Block(msgspec.Struct, tag="block", frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """High-rise buildings along a few cables; in each a riser with meters on every floor.

    With the defaults the lower floors of the nearer buildings are in direct reach at any hour,
    the upper floors of the far ones need a repeater when it is noisy.
    """

    meters: Count = 1000
    per_floor: Count = 5
    floors: Count = 10
    buildings_per_branch: Count = 5
    street: Cable = Cable(50.0, 3.0, 2.6, 4.5)
    riser: Cable = Cable(3.0, 3.0, 2.6, 1.0)
    drop_loss: Range = (3.0, 14.0)
    coupling_loss: Decibel = 10.0

    def build(self, rng: Random) -> Feeder:
        segments = list(self._segments())
        sites = [_concentrator()]
        for index in range(self.meters):
            place = _floor(*divmod(index // self.per_floor, self.floors))
            sites.append(_meter(index, place, self.drop_loss, rng))
        return _feeder(segments, sites, self.coupling_loss)

    def _segments(self) -> Iterator[Segment]:
        floors = -(-self.meters // self.per_floor)
        for building in range(-(-floors // self.floors)):
            near = building % self.buildings_per_branch
            before = f"building-{building}" if near else ROOT
            yield self.street.segment(f"building-{building + 1}", before)
            for floor in range(min(self.floors, floors - building * self.floors)):
                below = _floor(building, floor - 1) if floor else f"building-{building + 1}"
                yield self.riser.segment(_floor(building, floor), below)


class Neighbours(
    msgspec.Struct, tag="neighbours", frozen=True, forbid_unknown_fields=True, tag_field="kind"
):
    """Two transformers at the ends of one street, separated by an open link box in the middle.

    `link_loss` (dB) is what the link box still lets through: near it meters hear both sides.
    """

    meters: Count = 60
    step: Cable = Cable(15.0, 2.5, 2.1, 0.35)
    link_loss: Decibel = 20.0
    drop_loss: Range = (1.0, 8.0)
    coupling_loss: Decibel = 12.0

    def build(self, rng: Random) -> Feeder:
        middle = (self.meters + 1) // 2
        segments, sites = [], [_concentrator(name=f"{CONCENTRATOR}-a")]
        for index in range(self.meters):
            name, before = f"house-{index + 1}", f"house-{index}" if index else ROOT
            extra = self.link_loss if index == middle else 0.0
            segments.append(self.step.segment(name, before, extra))
            sites.append(_meter(index, name, self.drop_loss, rng))
        far = "transformer-b"
        segments.append(self.step.segment(far, segments[-1].name))
        sites.append(_concentrator(at=far, name=f"{CONCENTRATOR}-b"))
        return _feeder(segments, sites, self.coupling_loss)


class Tree(msgspec.Struct, tag="tree", frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """A feeder spelled out, segment by segment and site by site."""

    feeder: Feeder

    def build(self, rng: Random) -> Feeder:
        """`rng` is not needed."""
        return self.feeder


Layout = Street | Rural | Block | Neighbours | Tree


def with_meters(layout: Layout, meters: int) -> Layout:
    """`layout` for another number of meters; UsageError where that makes no sense."""
    if isinstance(layout, Tree):
        raise UsageError("the number of meters is fixed: the layout lists them")
    if not 1 <= meters <= MAX_SITES - 2:
        raise UsageError(f"{meters} meters: one feeder takes 1 to {MAX_SITES - 2}")
    return msgspec.structs.replace(layout, meters=meters)


def _concentrator(at: str = ROOT, name: str = CONCENTRATOR) -> Site:
    return Site(name=name, at=at, phases=ALL_PHASES, role="concentrator", loss=1.0)


def _meter(
    index: int, at: str, drop: Range, rng: Random, phases: tuple[int, ...] | None = None
) -> Site:
    """The meter number `index`, with a drop cable of its own on either carrier."""
    return Site(
        name=f"meter-{index + 1:04d}",
        at=at,
        phases=phases or _PHASES[index % 4],
        loss=round(rng.uniform(*drop), 2),
        loss_secondary=round(rng.uniform(*drop), 2),
    )


def _floor(building: int, floor: int) -> str:
    return f"floor-{building + 1}-{floor + 1}"


def _feeder(segments: Iterable[Segment], sites: Iterable[Site], coupling: float) -> Feeder:
    return Feeder(segments=tuple(segments), sites=tuple(sites), coupling_loss=coupling)
