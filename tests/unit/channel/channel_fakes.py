"""Small endpoints for the medium's tests. A frame is: destination, source, text."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from random import Random

from osgp.channel import (
    QUIET,
    Feeder,
    LineSettings,
    Medium,
    NoiseSettings,
    PowerLineAccess,
    Scheduler,
    Segment,
    Site,
    Station,
)

EVERYBODY = 0xFF
CERTAIN = LineSettings(steepness=1000.0, corrupted_share=0.0)
"""A frame above the limit arrives, one below it does not."""


@dataclass(frozen=True, slots=True)
class Frame:
    data: bytes
    priority: bool = False
    alternate_path: bool = False
    delta_backlog: int = 0


def frame(
    destination: int,
    source: int,
    text: bytes = b"",
    *,
    delta: int = 0,
    priority: bool = False,
    alternate: bool = False,
) -> Frame:
    return Frame(bytes((destination, source)) + text, priority, alternate, delta)


def destination_key(data: bytes) -> Hashable | None:
    return None if not data or data[0] == EVERYBODY else data[0]


@dataclass(slots=True)
class Node:
    """Sends what it is told, records what it gets, calls `on_frame` for it."""

    address: int
    outbox: list[Frame] = field(default_factory=list)
    received: list[tuple[float, bytes, float]] = field(default_factory=list)
    on_frame: Callable[[Node, bytes, float], None] | None = None
    timer: float | None = None
    on_timer: Callable[[Node, float], None] | None = None
    keys: frozenset[Hashable] = frozenset()

    def __post_init__(self) -> None:
        self.keys = frozenset({self.address})

    @property
    def texts(self) -> list[bytes]:
        return [data[2:] for _, data, _ in self.received]

    def receive_frame(self, frame: bytes, now: float, margin_db: float) -> None:
        self.received.append((now, frame, margin_db))
        if self.on_frame is not None:
            self.on_frame(self, frame, now)

    def frames_to_send(self, now: float) -> list[Frame]:
        frames, self.outbox = self.outbox, []
        return frames

    def next_timer(self) -> float | None:
        return self.timer

    def handle_timer(self, now: float) -> None:
        self.timer = None
        if self.on_timer is not None:
            self.on_timer(self, now)

    def address_keys(self) -> frozenset[Hashable]:
        return self.keys


def star(*losses: float, coupling: float = 14.0) -> Feeder:
    """Sites s0, s1, ... around one point, with these losses (dB) to it."""
    sites = tuple(
        Site(name=f"s{index}", phases=(1, 2, 3), loss=loss) for index, loss in enumerate(losses)
    )
    return Feeder(sites=sites, coupling_loss=coupling)


def chain(*steps: float) -> Feeder:
    """Sites s0, s1, ... in a row, `steps` dB from one to the next."""
    segments = tuple(
        Segment(name=f"p{index}", parent=f"p{index - 1}" if index else "transformer", tap_loss=step)
        for index, step in enumerate(steps)
    )
    first = Site(name="s0", phases=(1, 2, 3))
    others = tuple(
        Site(name=f"s{index + 1}", at=f"p{index}", phases=(1, 2, 3)) for index in range(len(steps))
    )
    return Feeder(segments=segments, sites=(first, *others))


@dataclass(slots=True)
class Bench:
    """A medium with one node per site, addresses = site numbers."""

    scheduler: Scheduler
    medium: Medium
    nodes: list[Node]
    stations: list[Station]
    tapped: list[tuple[float, bytes, str]]

    def send(self, source: int, *frames: Frame) -> None:
        self.nodes[source].outbox.extend(frames)
        self.stations[source].poke(self.scheduler.now)


def bench(
    feeder: Feeder,
    *,
    seed: int = 1,
    settings: LineSettings = CERTAIN,
    noise: NoiseSettings = QUIET,
    access: PowerLineAccess | None = None,
) -> Bench:
    scheduler = Scheduler()
    tapped: list[tuple[float, bytes, str]] = []
    medium = Medium(
        scheduler,
        feeder,
        Random(seed),
        destination_key,
        access=access or PowerLineAccess(),
        noise=noise,
        settings=settings,
        tap=lambda time, data, station: tapped.append((time, data, station.name)),
    )
    nodes = [Node(address) for address in range(len(feeder.sites))]
    stations = [medium.attach(node, index) for index, node in enumerate(nodes)]
    return Bench(scheduler, medium, nodes, stations, tapped)
