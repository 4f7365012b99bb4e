"""A power line in one process: a node hears its neighbours only; virtual time, chosen losses."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from osgp.lon import (
    AuthScheme,
    Completed,
    DomainEntry,
    Event,
    Lpdu,
    NodeConfig,
    NodeState,
    Received,
    ResponseReceived,
    Stack,
    SubnetNode,
)
from osgp.repeating import Repeater

DOMAIN = b"\x0a"
SHARED_KEY = bytes(range(12))
FRAME_TIME = 0.1
Address = tuple[int, int]


def neuron(address: Address) -> bytes:
    return bytes((0, 0, 0, 7, *address))


def configured(
    address: Address, key: bytes = SHARED_KEY, auth: AuthScheme = AuthScheme.STANDARD
) -> NodeConfig:
    """A node of domain 0A whose 12-byte `key` lies in both domain entries."""
    config = NodeConfig(neuron(address), state=NodeState.CONFIGURED_ONLINE)
    config.domains[0] = DomainEntry(DOMAIN, *address, key[:6], auth)
    config.domains[1] = DomainEntry(key=key[6:], valid=False)
    return config


class Drawn(random.Random):
    """Draws the challenges that were recorded."""

    def __init__(self, values: list[bytes]) -> None:
        super().__init__(0)
        self._values = iter(values)

    def randbytes(self, n: int) -> bytes:
        value = next(self._values)
        assert len(value) == n
        return value


@dataclass
class Node:
    """A stack with its repeater, and an application that answers as the recorded target did."""

    stack: Stack
    repeater: Repeater
    events: list[Event] = field(default_factory=list)
    answers: bool = True

    @property
    def address(self) -> SubnetNode:
        return self.stack.config.domains[0].address

    def responses(self) -> list[bytes]:
        return [each.apdu for each in self.events if isinstance(each, ResponseReceived)]

    def received(self) -> list[Received]:
        return [each for each in self.events if isinstance(each, Received)]

    def completed(self) -> list[Completed]:
        return [each for each in self.events if isinstance(each, Completed)]

    def drain(self, now: float) -> None:
        while (event := self.stack.next_event()) is not None:
            if self.repeater.on_event(event, now):
                continue
            self.events.append(event)
            if isinstance(event, Received) and event.token is not None and self.answers:
                verdict = bytes((event.authenticated,))
                code = bytes((0x20 | event.apdu[0] & 0x0F,))
                self.stack.respond(event.token, code + verdict + event.apdu, now)

    def handle_timer(self, now: float) -> None:
        for timed in (self.stack, self.repeater):
            deadline = timed.next_timer()
            if deadline is not None and deadline <= now:
                timed.handle_timer(now)

    def next_timer(self) -> float | None:
        timers = (self.stack.next_timer(), self.repeater.next_timer())
        return min((each for each in timers if each is not None), default=None)


@dataclass
class Sent:
    time: float
    node: int
    data: bytes

    @property
    def lpdu(self) -> Lpdu:
        return Lpdu.decode(self.data)


class Line:
    """`reach`: over how many nodes a frame carries; None: to all."""

    def __init__(self, *nodes: Node, reach: int | None = 1, frame_time: float = FRAME_TIME) -> None:
        self.nodes = nodes
        self.now = 1000.0
        self.sent: list[Sent] = []
        self.lost: Callable[[int, int, Sent], bool] = lambda sender, receiver, sent: False
        self._reach = len(nodes) if reach is None else reach
        self._frame_time = frame_time
        self._arriving: list[tuple[float, int, int, bytes]] = []
        self._order = count()

    @property
    def source(self) -> Node:
        return self.nodes[0]

    @property
    def target(self) -> Node:
        return self.nodes[-1]

    def inject(self, receiver: int, frame: bytes) -> None:
        """A frame from nowhere."""
        self.nodes[receiver].stack.receive_frame(frame, self.now)
        self._turn()

    def run(self, seconds: float) -> None:
        """Until nothing happens any more, at most for `seconds`."""
        end = self.now + seconds
        self._turn()
        while (at := self._next()) is not None and at <= end:
            self.now = max(self.now, at)
            while self._arriving and self._arriving[0][0] <= self.now:
                _, _, receiver, frame = heapq.heappop(self._arriving)
                self.nodes[receiver].stack.receive_frame(frame, self.now, margin_db=9.0)
            for node in self.nodes:
                node.handle_timer(self.now)
            self._turn()
        self.now = end

    def _turn(self) -> None:
        for index, node in enumerate(self.nodes):
            node.drain(self.now)
            for out in node.stack.frames_to_send(self.now):
                self._transmit(index, Sent(self.now, index, out.data))

    def _transmit(self, sender: int, sent: Sent) -> None:
        self.sent.append(sent)
        for receiver in self._neighbours(sender):
            if not self.lost(sender, receiver, sent):
                arrival = (self.now + self._frame_time, next(self._order), receiver, sent.data)
                heapq.heappush(self._arriving, arrival)

    def _neighbours(self, sender: int) -> Iterator[int]:
        for receiver in range(len(self.nodes)):
            if receiver != sender and abs(receiver - sender) <= self._reach:
                yield receiver

    def _next(self) -> float | None:
        times = [each for node in self.nodes if (each := node.next_timer()) is not None]
        if self._arriving:
            times.append(self._arriving[0][0])
        return min(times, default=None)


def node(config: NodeConfig, rng: random.Random | None = None, buffers: int = 8) -> Node:
    stack = Stack(config, rng or random.Random(0))
    return Node(stack, Repeater(stack, buffers=buffers))


def street(*addresses: Address, auth: AuthScheme = AuthScheme.STANDARD) -> Line:
    """Nodes in a row: source first, target last."""
    rows = [node(configured(each, auth=auth), random.Random(n)) for n, each in enumerate(addresses)]
    return Line(*rows)
