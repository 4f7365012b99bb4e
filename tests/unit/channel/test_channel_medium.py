from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from osgp.channel import A_BAND, LineSettings, PowerLineAccess
from osgp.errors import LocalProtocolError, UsageError

from .channel_fakes import (
    CERTAIN,
    EVERYBODY,
    Bench,
    Frame,
    Node,
    bench,
    chain,
    frame,
    star,
)

ONE_SLOT = PowerLineAccess(priority_slots=0, base_window=1)
"""Everybody attempts at the same moment: collisions are certain where carriers are not sensed."""


def test_a_frame_takes_its_airtime_and_reaches_its_addressee_only() -> None:
    line = bench(star(5, 10, 10), access=ONE_SLOT)
    line.send(0, frame(1, 0, b"hello"))
    line.scheduler.run_until(1.0)
    ((time, data, margin),) = line.nodes[1].received
    assert data == b"\x01\x00hello"
    assert time == pytest.approx(ONE_SLOT.delay(1, False, Random(0)) + A_BAND.airtime(7))
    assert margin == pytest.approx(120 - 15 - 50 - 6)
    assert line.nodes[2].received == []
    assert line.tapped == [(time, data, "s0")]


def test_a_frame_to_everybody_reaches_all_in_hearing() -> None:
    line = bench(star(0, 10, 30, 80, 20))
    line.send(0, frame(EVERYBODY, 0, b"x"))
    line.scheduler.run_until(1.0)
    assert [len(node.received) for node in line.nodes] == [0, 1, 1, 0, 1]
    counts = line.medium.counts
    assert (counts.delivered, counts.attempts) == (3, 3)


def test_a_frame_to_nobody_is_counted() -> None:
    line = bench(star(0, 10))
    line.send(0, frame(9, 0))
    line.scheduler.run_until(1.0)
    assert (line.medium.counts.unaddressed, line.medium.counts.attempts) == (1, 0)


def test_request_and_response_with_retries_over_a_lossy_line() -> None:
    line = bench(star(5, 10), settings=LineSettings(residual_loss=0.5), seed=3)
    requester, responder = line.nodes

    def ask(node: Node, now: float) -> None:
        node.outbox.append(frame(1, 0, b"?", delta=1))
        node.timer = now + 0.5

    def answer(node: Node, data: bytes, now: float) -> None:
        if data == b"\x01\x00?":
            node.outbox.append(frame(0, 1, b"!"))

    def done(node: Node, data: bytes, now: float) -> None:
        if data == b"\x00\x01!":
            node.timer = None

    requester.on_timer, requester.on_frame, responder.on_frame = ask, done, answer
    requester.timer = 0.25
    line.stations[0].poke(0.0)
    assert line.scheduler.run_while(lambda: requester.timer is not None, until=600.0)
    assert b"!" in requester.texts
    assert line.medium.counts.lost + line.medium.counts.corrupted > 0
    assert line.scheduler.now < 30.0


def test_stations_that_hear_each_other_take_turns() -> None:
    line = bench(star(*[5.0] * 6), access=PowerLineAccess(base_window=200))
    for source in range(1, 6):
        line.send(source, *(frame(0, source, bytes([n])) for n in range(10)))
    line.scheduler.run_until(60.0)
    assert line.medium.counts.delivered == 50
    assert line.medium.counts.collided == 0
    ends = [time for time, _, _ in line.tapped]
    assert all(b - a > A_BAND.airtime(3) for a, b in pairwise(ends))


def test_attempts_in_the_same_slot_collide() -> None:
    line = bench(star(0, 5, 5), access=ONE_SLOT)
    line.send(1, frame(0, 1))
    line.send(2, frame(0, 2))
    line.scheduler.run_until(1.0)
    assert line.nodes[0].received == []
    assert (line.medium.counts.sent, line.medium.counts.collided) == (2, 2)


def test_the_stronger_of_two_colliding_frames_is_captured() -> None:
    line = bench(star(0, 5, 25), access=ONE_SLOT)
    line.send(1, frame(0, 1, b"near"))
    line.send(2, frame(0, 2, b"far!"))
    line.scheduler.run_until(1.0)
    ((_, data, margin),) = line.nodes[0].received
    assert data == b"\x00\x01near"
    assert margin == pytest.approx(20 - 6, abs=0.1)
    assert (line.medium.counts.delivered, line.medium.counts.collided) == (1, 1)


def hidden() -> Bench:
    """s0 and s2 reach s1 in the middle, not each other."""
    return bench(chain(50.0, 50.0), access=PowerLineAccess(priority_slots=0, base_window=2))


def test_hidden_nodes_collide_at_the_node_between_them() -> None:
    line = hidden()
    assert line.medium.reach(0).tolist() == [True, True, False]
    line.send(0, frame(1, 0, bytes(40)))
    line.scheduler.run_until(0.05)
    line.send(2, frame(1, 2, bytes(40)))
    line.scheduler.run_until(2.0)
    assert line.nodes[1].received == []
    assert line.medium.counts.collided == 2


def test_a_station_that_senses_a_frame_waits_for_its_end() -> None:
    line = hidden()
    line.send(0, frame(1, 0, bytes(40)))
    line.scheduler.run_until(0.05)
    line.send(1, frame(0, 1, b"after"))
    line.scheduler.run_until(2.0)
    assert [name for _, _, name in line.tapped] == ["s0", "s1"]
    assert line.medium.counts.delivered == 2


def test_half_duplex_a_transmitting_station_receives_nothing() -> None:
    deaf = bench(star(0, 5), access=ONE_SLOT)
    deaf.send(0, frame(1, 0))
    deaf.send(1, frame(0, 1, bytes(30)))
    deaf.scheduler.run_until(1.0)
    assert (deaf.nodes[0].received, deaf.nodes[1].received) == ([], [])
    assert deaf.medium.counts.collided == 2


def test_the_other_carrier_disturbs_less() -> None:
    line = bench(star(0, 5, 5, 5), access=ONE_SLOT)
    line.send(1, frame(0, 1, b"a"))
    line.send(2, frame(0, 2, b"b", alternate=True))
    line.scheduler.run_until(1.0)
    assert sorted(line.nodes[0].texts) == [b"a", b"b"]


def test_priority_frames_go_first() -> None:
    line = bench(star(0, 5, 5))
    line.send(1, *(frame(0, 1, b"%d" % n) for n in range(4)))
    line.send(2, frame(0, 2, b"urgent", priority=True))
    line.send(1, frame(0, 1, b"mine", priority=True))
    line.scheduler.run_until(5.0)
    assert set(line.nodes[0].texts[:2]) == {b"urgent", b"mine"}
    assert line.nodes[0].texts[2:] == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("seed", range(8))
def test_a_priority_frame_overtakes_attempts_already_drawn(seed: int) -> None:
    """Its own station's, and everybody else's: its attempt moves to the priority slots."""
    line = bench(star(0, 5, 5, 5), seed=seed)
    for source in (1, 2, 3):
        line.send(source, frame(0, source, b"normal"))
    line.send(1, frame(0, 1, b"urgent", priority=True))
    line.scheduler.run_until(5.0)
    assert line.tapped[0][1] == b"\x00\x01urgent"


def test_more_frames_do_not_put_off_a_priority_attempt() -> None:
    line = bench(star(0, 5))
    line.send(1, frame(0, 1, b"urgent", priority=True))
    for step in range(1, 20):
        line.scheduler.run_until(step * 0.002)
        line.send(1, frame(0, 1))
    line.scheduler.run_until(5.0)
    latest = A_BAND.beta1_bits + (A_BAND.priority_slots - 1) * A_BAND.slot_bits
    assert line.tapped[0][0] - A_BAND.airtime(8) <= latest / A_BAND.bit_rate + 1e-9


def test_frames_in_a_full_queue_are_dropped_and_counted() -> None:
    line = bench(star(0, 5))
    line.send(1, *(frame(0, 1, bytes([n])) for n in range(40)))
    assert line.stations[1].queued == 32
    line.scheduler.run_until(60.0)
    assert line.nodes[0].texts == [bytes([n]) for n in range(32)]
    assert line.medium.counts.overflowed == line.stations[1].counts.overflowed == 8


def test_airtime_is_the_sum_of_frame_times() -> None:
    line = bench(star(0, 5, 5), settings=LineSettings(residual_loss=0.3))
    for n in range(20):
        line.send(n % 3, frame((n + 1) % 3, n % 3, bytes(n)))
    line.scheduler.run_until(60.0)
    frame_times = [A_BAND.airtime(len(data)) for _, data, _ in line.tapped]
    assert len(frame_times) == 20
    assert line.medium.counts.airtime == pytest.approx(sum(frame_times))
    assert sum(s.counts.airtime for s in line.stations) == pytest.approx(sum(frame_times))
    assert sum(s.counts.sent for s in line.stations) == line.medium.counts.sent == 20


def test_links_count_attempts_and_deliveries() -> None:
    line = bench(star(0, 5, 65))
    line.send(0, *(frame(n % 2 + 1, 0) for n in range(10)))
    line.scheduler.run_until(60.0)
    assert line.medium.links.attempts.tolist() == [[0, 5, 5], [0, 0, 0], [0, 0, 0]]
    assert line.medium.links.success(0, 1) == 1.0
    assert line.medium.links.success(0, 2) == 0.0
    assert line.medium.links.success(1, 0) is None
    assert line.medium.counts.lost == 5


def test_corrupted_frames_arrive_with_flipped_bits() -> None:
    line = bench(star(0, 5), settings=LineSettings(residual_loss=1.0, corrupted_share=1.0))
    sent = [frame(1, 0, bytes([n]) * 10) for n in range(20)]
    line.send(0, *sent)
    line.scheduler.run_until(60.0)
    got = [data for _, data, _ in line.nodes[1].received]
    assert len(got) == line.medium.counts.corrupted == 20
    for before, after in zip(sent, got, strict=True):
        flipped = int.from_bytes(before.data) ^ int.from_bytes(after)
        assert len(after) == 12
        assert 1 <= flipped.bit_count() <= 8


def test_an_empty_frame_survives_corruption() -> None:
    line = bench(star(0, 5), settings=LineSettings(residual_loss=1.0, corrupted_share=1.0))
    line.send(0, Frame(b""))
    line.scheduler.run_until(1.0)
    assert [data for _, data, _ in line.nodes[1].received] == [b""]


def test_addresses_are_followed_as_they_change() -> None:
    line = bench(star(0, 5, 5))
    line.nodes[2].keys = frozenset({1, 2})
    line.stations[2].readdress()
    line.nodes[1].keys = frozenset({7})
    line.stations[1].readdress()
    line.send(0, frame(1, 0, b"one"), frame(7, 0, b"seven"))
    line.scheduler.run_until(5.0)
    assert (line.nodes[1].texts, line.nodes[2].texts) == ([b"seven"], [b"one"])


def test_an_endpoint_readdressed_by_a_frame_needs_no_help() -> None:
    line = bench(star(0, 5))

    def take_address(node: Node, data: bytes, now: float) -> None:
        node.keys = frozenset({0x42})

    line.nodes[1].on_frame = take_address
    line.send(0, frame(1, 0, b"a"), frame(1, 0, b"b"), frame(0x42, 0, b"c"))
    line.scheduler.run_until(5.0)
    assert line.nodes[1].texts == [b"a", b"c"]


def test_a_detached_station_neither_sends_nor_receives() -> None:
    line = bench(star(0, 5))
    line.send(1, *(frame(0, 1, b"x") for _ in range(3)))
    line.nodes[1].timer = 1.0
    line.stations[1].poke(0.0)
    line.medium.detach(line.stations[1])
    line.send(1, frame(0, 1, b"y"))
    line.send(0, frame(1, 0, b"z"))
    line.scheduler.run_until(5.0)
    assert (line.nodes[0].received, line.nodes[1].received) == ([], [])
    assert line.nodes[1].timer == 1.0
    assert [s.name for s in line.medium.stations] == ["s0"]
    with pytest.raises(LocalProtocolError):
        line.medium.detach(line.stations[1])


def test_power_cut_in_the_middle_of_a_frame_and_return() -> None:
    line = bench(star(0, 5), access=ONE_SLOT)
    line.send(1, frame(0, 1, bytes(50)))
    line.scheduler.run_until(0.03)
    line.medium.detach(line.stations[1])
    line.scheduler.run_until(1.0)
    assert line.nodes[0].received == []
    line.stations[1] = line.medium.attach(line.nodes[1], "s1")
    line.send(1, frame(0, 1, b"back"))
    line.scheduler.run_until(2.0)
    assert line.nodes[0].texts == [b"back"]


def test_a_taken_or_unknown_site_is_refused() -> None:
    line = bench(star(0, 5))
    with pytest.raises(LocalProtocolError):
        line.medium.attach(Node(9), 0)
    for position in (2, -1, "s9"):
        with pytest.raises(UsageError):
            line.medium.attach(Node(9), position)


def test_switching_the_grid_changes_who_hears_whom() -> None:
    line = bench(chain(50.0, 50.0))
    line.medium.rewire(chain(50.0, 5.0))
    line.send(0, frame(2, 0, b"now"))
    line.scheduler.run_until(1.0)
    assert line.nodes[2].texts == [b"now"]
    with pytest.raises(UsageError):
        line.medium.rewire(chain(50.0))


def test_switching_the_grid_during_a_frame_keeps_contention_sound() -> None:
    line = bench(chain(50.0, 50.0), access=ONE_SLOT)
    line.send(0, frame(1, 0, bytes(40)))
    line.scheduler.run_until(0.05)
    line.send(2, frame(1, 2, b"waits"))
    line.medium.rewire(chain(50.0, 5.0))
    line.scheduler.run_until(1.0)
    assert [name for _, _, name in line.tapped] == ["s0", "s2"]
    assert line.medium.counts.delivered == 2


def test_timers_fire_when_due_and_follow_the_endpoint() -> None:
    line = bench(star(0, 5))
    fired: list[float] = []

    def again(node: Node, now: float) -> None:
        fired.append(now)
        node.timer = now + 1.0 if now < 3.0 else None

    node, station = line.nodes[1], line.stations[1]
    node.on_timer = again
    for timer in (5.0, None, 6.0, 2.0, 1.5, 1.75):
        node.timer = timer
        station.poke(0.0)
    line.scheduler.run_until(10.0)
    assert fired == [1.75, 2.75, 3.75]


def test_a_timer_that_stays_due_is_a_bug_and_no_hang() -> None:
    line = bench(star(0, 5))

    def stuck(node: Node, now: float) -> None:
        node.timer = now

    line.nodes[1].on_timer = stuck
    line.nodes[1].timer = 1.0
    line.stations[1].poke(0.0)
    with pytest.raises(LocalProtocolError, match="s1"):
        line.scheduler.run_until(2.0)


def test_announced_backlog_spreads_attempts() -> None:
    """Twenty answers to one frame collide less when it announced twenty."""

    def collided(delta: int, seed: int) -> int:
        line = bench(star(0, *[5.0] * 20), seed=seed)
        for node in line.nodes[1:]:
            node.on_frame = lambda node, data, now: node.outbox.append(frame(0, node.address))
        line.send(0, frame(EVERYBODY, 0, delta=delta))
        line.scheduler.run_until(60.0)
        return line.medium.counts.collided

    assert sum(collided(20, n) for n in range(5)) < sum(collided(0, n) for n in range(5)) / 2


def test_one_by_one_and_all_at_once_agree_on_the_margin() -> None:
    losses = [0.0, *(5.0 + n for n in range(20))]
    line = bench(star(*losses), settings=CERTAIN)
    line.send(0, *(frame(n, 0) for n in range(1, 21)), frame(EVERYBODY, 0))
    line.scheduler.run_until(60.0)
    for node in line.nodes[1:]:
        single, everybody = (margin for _, _, margin in node.received)
        assert single == pytest.approx(everybody)
