"""Frames through codec, channel access and dispatch, on one core."""

from __future__ import annotations

import random
import time

from osgp.channel import Scheduler
from osgp.channel import scenario as scenarios
from osgp.lon import Service, SubnetNode, destination_key
from osgp.lon.config import DomainEntry, NodeConfig, NodeState
from osgp.lon.events import Completed, Outgoing, Received
from osgp.lon.stack import Stack

from .table import Row

TITLE = "The power line: requests of 30 bytes, answers of 90, with 1,000 meters listening"
METERS, REQUESTS = 1000, 5000
DOMAIN = b"\x4f\x53\x47"


class Node(Stack):
    """Answers every request with 84 bytes."""

    def receive_frame(self, frame: bytes, now: float, margin_db: float = 0.0) -> None:
        super().receive_frame(frame, now, margin_db)
        while (event := self.next_event()) is not None:
            if isinstance(event, Received) and event.token is not None:
                self.respond(event.token, bytes(90), now)


def run() -> list[Row]:
    rng = random.Random(1)
    scheduler = Scheduler()
    line = scenarios.load(scenarios.DEFAULT)
    medium = line.medium(scheduler, rng, destination_key, meters=METERS)
    for number, site in enumerate(medium.feeder.with_role("meter")):
        medium.attach(_node(number, rng), site.name)
    source = _configured(0xFFFF, 254, 1, rng, Stack)
    station = medium.attach(source, "concentrator")
    start = time.perf_counter()
    for number in range(REQUESTS):
        target = SubnetNode(*_address(number % METERS))
        source.send(Outgoing(target, bytes(24), Service.REQUEST), scheduler.now)
        station.poke(scheduler.now)
        scheduler.run_while(lambda: not _over(source), scheduler.now + 60)
    wall = time.perf_counter() - start
    frames = medium.counts.sent
    return [
        Row("frames", f"{frames / wall:,.0f} /s", f"{scheduler.now / wall:,.0f} x real time"),
        Row("a frame", f"{wall / frames * 1e6:.0f} us"),
    ]


def _over(source: Stack) -> bool:
    event = source.next_event()
    while event is not None and not isinstance(event, Completed):
        event = source.next_event()
    return event is not None


def _address(number: int) -> tuple[int, int]:
    return 1 + number // 126, 1 + number % 126


def _node(number: int, rng: random.Random) -> Stack:
    return _configured(number, *_address(number), rng, Node)


def _configured(
    number: int, subnet: int, node: int, rng: random.Random, kind: type[Stack]
) -> Stack:
    config = NodeConfig(number.to_bytes(6, "big"), bytes(8), NodeState.CONFIGURED_ONLINE)
    config.domains[0] = DomainEntry(DOMAIN, subnet, node)
    return kind(config, rng)
