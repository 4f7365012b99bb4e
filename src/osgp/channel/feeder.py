"""The grid as declared: a tree of cable segments, sites on it, and the path loss between them.

Path loss between two sites, per carrier, in dB:
  sum over the segments on the way of (length / 100 x attenuation + tap loss)
  + both sites' own loss (drop cable, meter cabinet)
  + the coupling loss if they share no phase.
The power line's two carriers are the primary (normal path) and the secondary (alternate path);
every loss can be declared for each.  The model is the project's own (Source.PROJECT).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from osgp.errors import UsageError

MAX_SITES = 5000
"""Largest number of sites of one feeder: path loss is a matrix of sites x sites per carrier."""
MAX_SEGMENTS = 20000
"""Largest number of segments of one feeder, for the same reason."""

Decibel = Annotated[float, Meta(ge=0.0, le=400.0)]
Metres = Annotated[float, Meta(ge=0.0, le=100_000.0)]
Phase = Annotated[int, Meta(ge=1, le=3)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Loss = NDArray[np.float32]
Role = Literal["meter", "concentrator"]

ALL_PHASES = (1, 2, 3)
ROOT = "transformer"


class Carrier(IntEnum):
    """Which of the two carrier frequencies a frame is sent on."""

    PRIMARY = 0
    SECONDARY = 1


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cable from `parent` to `name`: length in m, attenuation in dB per 100 m.

    `tap_loss` (dB) is what the signal loses where the segment leaves its parent.
    The secondary carrier's attenuation is the primary's unless declared.
    """

    name: Name
    parent: Name = ROOT
    length: Metres = 0.0
    attenuation: Decibel = 2.0
    attenuation_secondary: Decibel | None = None
    tap_loss: Decibel = 0.0

    def loss(self, carrier: Carrier) -> float:
        """dB from one end to the other."""
        attenuation = self.attenuation
        if carrier is Carrier.SECONDARY and self.attenuation_secondary is not None:
            attenuation = self.attenuation_secondary
        return self.length / 100.0 * attenuation + self.tap_loss


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place where a station connects: the end of segment `at` (or the root), and its phases.

    `loss` (dB) lies between the cable and the station; `noise` (dB) raises its noise for good.
    """

    name: Name
    at: Name = ROOT
    phases: Annotated[tuple[Phase, ...], Meta(min_length=1, max_length=3)] = (1,)
    role: Role = "meter"
    loss: Decibel = 0.0
    loss_secondary: Decibel | None = None
    noise: Annotated[float, Meta(ge=-100.0, le=100.0)] = 0.0

    def own_loss(self, carrier: Carrier) -> float:
        if carrier is Carrier.SECONDARY and self.loss_secondary is not None:
            return self.loss_secondary
        return self.loss


class Feeder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transformer's network. Raises UsageError unless it is a tree with all sites on it."""

    segments: tuple[Segment, ...] = ()
    sites: tuple[Site, ...] = ()
    coupling_loss: Decibel = 14.0
    coupling_loss_secondary: Decibel | None = None
    root: Name = ROOT

    def __post_init__(self) -> None:
        _capped("segments", len(self.segments), MAX_SEGMENTS)
        _capped("sites", len(self.sites), MAX_SITES)
        _unique("segment", [self.root, *(segment.name for segment in self.segments)])
        _unique("site", [site.name for site in self.sites])
        points = {self.root, *(segment.name for segment in self.segments)}
        for site in self.sites:
            if site.at not in points:
                raise UsageError(f"site {site.name} is at {site.at}, which the feeder lacks")
            _unique(f"phase of site {site.name}", site.phases)
        self._parents_first()

    def site_index(self, name: str) -> int:
        """Position of the site `name` in `sites`; UsageError if there is none."""
        for index, site in enumerate(self.sites):
            if site.name == name:
                return index
        raise UsageError(f"the feeder has no site {name}")

    def with_role(self, role: Role) -> tuple[Site, ...]:
        return tuple(site for site in self.sites if site.role == role)

    def path_loss(self) -> Loss:
        """dB between sites: shape (2 carriers, sites, sites), symmetric, zero on the diagonal."""
        order = self._parents_first()
        place = {name: index for index, name in enumerate([self.root, *(s.name for s in order)])}
        at = np.array([place[site.at] for site in self.sites], dtype=np.intp)
        apart = self._on_different_phases()
        matrix = np.empty((len(Carrier), len(self.sites), len(self.sites)), dtype=np.float32)
        for carrier in Carrier:
            own = np.array([site.own_loss(carrier) for site in self.sites])
            between = _tree_loss(order, place, carrier)[np.ix_(at, at)]
            total = between + own[:, None] + own[None, :] + apart * self._coupling(carrier)
            np.fill_diagonal(total, 0.0)
            matrix[carrier] = total
        return matrix

    def _coupling(self, carrier: Carrier) -> float:
        if carrier is Carrier.SECONDARY and self.coupling_loss_secondary is not None:
            return self.coupling_loss_secondary
        return self.coupling_loss

    def _on_different_phases(self) -> NDArray[np.bool_]:
        masks = [sum(1 << phase for phase in site.phases) for site in self.sites]
        phases = np.array(masks, dtype=np.int64)
        apart: NDArray[np.bool_] = np.equal(phases[:, None] & phases[None, :], 0)
        return apart

    def _parents_first(self) -> list[Segment]:
        """The segments so that each follows its parent; UsageError if some hang in the air."""
        children: dict[str, list[Segment]] = {}
        for segment in self.segments:
            children.setdefault(segment.parent, []).append(segment)
        order = list(children.get(self.root, ()))
        for segment in order:
            order.extend(children.get(segment.name, ()))
        if len(order) != len(self.segments):
            lost = {s.name for s in self.segments} - {s.name for s in order}
            raise UsageError(f"segments not connected to {self.root}: {', '.join(sorted(lost))}")
        return order


def _tree_loss(order: list[Segment], place: dict[str, int], carrier: Carrier) -> Loss:
    """dB between all points of the tree: a new point is its parent's row plus one segment."""
    loss = np.zeros((len(order) + 1, len(order) + 1), dtype=np.float32)
    for index, segment in enumerate(order, start=1):
        row = loss[place[segment.parent], :index] + segment.loss(carrier)
        loss[index, :index] = row
        loss[:index, index] = row
    return loss


def _capped(what: str, count: int, most: int) -> None:
    if count > most:
        raise UsageError(f"{count} {what} are more than one feeder takes ({most})")


def _unique(what: str, names: Iterable[object]) -> None:
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"{what} {name} is declared twice")
        seen.add(name)
