"""Properties of the medium that hold for whatever endpoints do."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.channel import (
    A_BAND,
    C_BAND,
    Feeder,
    LineSettings,
    Medium,
    NoiseSettings,
    Scheduler,
    Segment,
    Site,
    Station,
)
from osgp.channel.access import MAX_BACKLOG, Backlog

SITES = 6


@dataclass(frozen=True, slots=True)
class Frame:
    data: bytes
    priority: bool
    alternate_path: bool
    delta_backlog: int


@dataclass(slots=True)
class Echo:
    """Sends its frames, and answers each frame it receives until its answers are used up."""

    address: int
    answers: int
    outbox: list[Frame] = field(default_factory=list)
    log: list[tuple[float, int, bytes, float]] = field(default_factory=list)

    def receive_frame(self, frame: bytes, now: float, margin_db: float) -> None:
        self.log.append((now, self.address, frame, margin_db))
        if self.answers:
            self.answers -= 1
            self.outbox.append(Frame(bytes((frame[-1] % SITES,)) + frame[:8], False, False, 0))

    def frames_to_send(self, now: float) -> list[Frame]:
        frames, self.outbox = self.outbox, []
        return frames

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        raise AssertionError("never armed")

    def address_keys(self) -> frozenset[Hashable]:
        return frozenset({self.address})


@dataclass(frozen=True, slots=True)
class Sending:
    """At `time` the endpoint `source` is given `frame`."""

    time: float
    source: int
    frame: Frame


frames = st.builds(
    Frame,
    st.builds(
        lambda to, rest: bytes((to,)) + rest,
        st.sampled_from([*range(SITES), 0xFF]),
        st.binary(min_size=1, max_size=60),
    ),
    st.booleans(),
    st.booleans(),
    st.integers(0, MAX_BACKLOG),
)
sendings = st.lists(
    st.builds(Sending, st.floats(0.0, 2.0), st.integers(0, SITES - 1), frames), max_size=25
)
lines = st.builds(
    LineSettings,
    residual_loss=st.sampled_from([0.0, 0.3]),
    corrupted_share=st.sampled_from([0.0, 0.5]),
)


@st.composite
def feeders(draw: st.DrawFn) -> Feeder:
    """Any tree with all sites on it, from well within reach to far out of it."""
    points = ["transformer"]
    segments = []
    for number in range(draw(st.integers(0, 6))):
        loss = draw(st.floats(0.0, 60.0))
        parent = draw(st.sampled_from(points))
        points.append(f"p{number}")
        segments.append(Segment(points[-1], parent, tap_loss=loss))
    sites = tuple(
        Site(f"s{n}", draw(st.sampled_from(points)), (draw(st.integers(1, 3)),))
        for n in range(SITES)
    )
    return Feeder(segments=tuple(segments), sites=sites)


@dataclass(slots=True)
class Run:
    medium: Medium
    stations: list[Station]
    tapped: list[tuple[float, bytes, str]]
    log: list[tuple[float, int, bytes, float]]


def play(feeder: Feeder, line: LineSettings, seed: int, told: list[Sending]) -> Run:
    scheduler, tapped = Scheduler(), list[tuple[float, bytes, str]]()
    medium = Medium(
        scheduler,
        feeder,
        Random(seed),
        lambda data: None if data[0] == 0xFF else data[0],
        noise=NoiseSettings(impulses_per_hour=900.0),
        settings=line,
        tap=lambda time, data, station: tapped.append((time, data, station.name)),
    )
    log: list[tuple[float, int, bytes, float]] = []
    nodes = [Echo(site, 3, log=log) for site in range(SITES)]
    stations = [medium.attach(node, site) for site, node in enumerate(nodes)]

    def tell(sending: Sending) -> None:
        nodes[sending.source].outbox.append(sending.frame)
        stations[sending.source].poke(scheduler.now)

    for sending in told:
        scheduler.at(sending.time, tell, sending)
    scheduler.run_until(600.0)
    return Run(medium, stations, tapped, log)


@settings(max_examples=60, deadline=None)
@given(feeders(), lines, st.integers(0, 2**32), sendings)
def test_same_seed_and_calls_give_the_same_events(
    feeder: Feeder, line: LineSettings, seed: int, told: list[Sending]
) -> None:
    first, second = (play(feeder, line, seed, told) for _ in range(2))
    assert first.tapped == second.tapped
    assert first.log == second.log
    assert first.medium.counts == second.medium.counts
    assert np.array_equal(first.medium.links.attempts, second.medium.links.attempts)


@settings(max_examples=60, deadline=None)
@given(feeders(), lines, st.integers(0, 2**32), sendings)
def test_the_books_balance(
    feeder: Feeder, line: LineSettings, seed: int, told: list[Sending]
) -> None:
    run = play(feeder, line, seed, told)
    counts, stations = run.medium.counts, [station.counts for station in run.stations]
    frame_times = [A_BAND.airtime(len(data)) for _, data, _ in run.tapped]
    assert counts.airtime == pytest.approx(sum(frame_times))
    assert counts.airtime == pytest.approx(sum(station.airtime for station in stations))
    assert counts.sent == len(run.tapped) == sum(station.sent for station in stations)
    assert counts.delivered + counts.corrupted == len(run.log)
    assert counts.attempts == run.medium.links.attempts.sum()
    assert counts.delivered == run.medium.links.delivered.sum()
    answers = 3 * SITES - sum(node.answers for node in endpoints(run))
    assert counts.sent + counts.overflowed == len(told) + answers
    assert all(station.queued == 0 for station in run.stations), "everything got its turn"


def endpoints(run: Run) -> list[Echo]:
    return [s.endpoint for s in run.stations if isinstance(s.endpoint, Echo)]


@settings(max_examples=60, deadline=None)
@given(feeders(), lines, st.integers(0, 2**32), sendings)
def test_nobody_receives_while_transmitting_or_from_itself(
    feeder: Feeder, line: LineSettings, seed: int, told: list[Sending]
) -> None:
    run = play(feeder, line, seed, told)
    busy: dict[str, list[tuple[float, float]]] = {}
    for end, data, name in run.tapped:
        busy.setdefault(name, []).append((end - A_BAND.airtime(len(data)), end))
    for now, address, data, _ in run.log:
        start = now - A_BAND.airtime(len(data))
        own = busy.get(f"s{address}", [])
        assert not any(begin < now - 1e-9 and end > start + 1e-9 for begin, end in own)


@given(feeders())
def test_path_loss_is_a_tree_metric_on_each_carrier(feeder: Feeder) -> None:
    loss = feeder.path_loss()
    assert loss.shape == (2, SITES, SITES)
    assert np.array_equal(loss, loss.transpose(0, 2, 1))
    assert (loss >= 0.0).all()
    for middle in range(SITES):
        around = loss[:, :, middle, None] + loss[:, middle, None, :]
        assert (loss <= around + feeder.coupling_loss + 1e-3).all()


@given(st.integers(0, 300), st.integers(1, MAX_BACKLOG), st.booleans(), st.integers())
def test_access_delays_lie_in_their_window(
    length: int, backlog: int, priority: bool, seed: int
) -> None:
    slot = A_BAND.slot_bits / A_BAND.bit_rate
    first = A_BAND.beta1_bits / A_BAND.bit_rate
    delay = A_BAND.delay(backlog, priority, Random(seed))
    window = (0, 8) if priority else (8, 8 + 16 * backlog)
    assert first + window[0] * slot <= delay + 1e-9
    assert delay <= first + (window[1] - 1) * slot + 1e-9
    assert A_BAND.airtime(length) == pytest.approx(1.5 * C_BAND.airtime(length))


@given(
    st.lists(
        st.tuples(
            st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 63), st.floats(0.0, 0.5)
        ),
        max_size=40,
    )
)
def test_backlog_follows_the_rule_station_by_station(
    frames_heard: list[tuple[list[bool], int, float]],
) -> None:
    """One off per idle window and per frame heard, the announced ones on, within 1..63."""
    backlog, now = Backlog(4, 0.1), 0.0
    levels, updated = [1] * 4, [0.0] * 4
    for hearers, delta, pause in frames_heard:
        now += pause
        backlog.heard(np.array(hearers), delta, now)
        for station in range(4):
            if hearers[station]:
                idle = int((now - updated[station]) // 0.1)
                levels[station] = min(63, max(1, max(1, levels[station] - idle) + delta - 1))
                updated[station] = now
        for station in range(4):
            idle = int((now - updated[station]) // 0.1)
            assert backlog.level(station, now) == max(1, levels[station] - idle)
