"""Nodes on one wire with virtual time: every frame arrives 1 ms later, unless it is dropped."""

from __future__ import annotations

import random
from collections.abc import Callable

from osgp.lon import (
    AddressEntry,
    AuthScheme,
    DomainEntry,
    Event,
    Lpdu,
    NodeConfig,
    NodeState,
    OutFrame,
    Stack,
)

DOMAIN = b"\x0a"
LATENCY = 0.001


def neuron(node: int) -> bytes:
    return bytes((0, 0, 0, 0, 1, node))


def configured(
    node: int,
    *,
    key: bytes = bytes(range(12)),
    auth: AuthScheme = AuthScheme.STANDARD,
    group: AddressEntry | None = None,
    subnet: int = 1,
) -> NodeConfig:
    """Node 1/`node` of domain 0A; `key` is 12 bytes, split over both domain entries."""
    config = NodeConfig(neuron(node), program_id=b"OSGPTEST")
    config.state = NodeState.CONFIGURED_ONLINE
    config.domains[0] = DomainEntry(DOMAIN, subnet, node, key[:6], auth)
    config.domains[1] = DomainEntry(key=key[6:], valid=False)
    if group is not None:
        config.addresses[0] = group
    return config


class Bus:
    def __init__(self, *configs: NodeConfig) -> None:
        self.now = 100.0
        self.stacks = [Stack(config, random.Random(n)) for n, config in enumerate(configs)]
        self.trace: list[tuple[float, int, OutFrame]] = []
        self.lost: Callable[[int, int, bytes], bool] = lambda sender, receiver, frame: False
        self.events: list[list[Event]] = [[] for _ in configs]
        self.on_event: Callable[[int, Event], None] = lambda node, event: None

    @property
    def frames(self) -> list[Lpdu]:
        return [Lpdu.decode(out.data) for _, _, out in self.trace]

    def settle(self) -> None:
        """Moves frames until nobody has any left to send."""
        while pending := self._collect():
            self.now += LATENCY
            for sender, out in pending:
                self._spread(sender, out)
            self._drain()

    def run(self, seconds: float) -> None:
        """Settles, then lets timers expire for `seconds`."""
        end = self.now + seconds
        self.settle()
        while (deadline := self._deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            for stack in self.stacks:
                stack.handle_timer(self.now)
            self._drain()
            self.settle()
        self.now = end

    def _collect(self) -> list[tuple[int, OutFrame]]:
        pending = []
        for sender, stack in enumerate(self.stacks):
            for out in stack.frames_to_send(self.now):
                self.trace.append((self.now, sender, out))
                pending.append((sender, out))
        return pending

    def _spread(self, sender: int, out: OutFrame) -> None:
        for receiver, stack in enumerate(self.stacks):
            if receiver != sender and not self.lost(sender, receiver, out.data):
                stack.receive_frame(out.data, self.now, margin_db=12.0)

    def _drain(self) -> None:
        for node, stack in enumerate(self.stacks):
            while (event := stack.next_event()) is not None:
                self.events[node].append(event)
                self.on_event(node, event)

    def _deadline(self) -> float | None:
        timers = [t for t in (stack.next_timer() for stack in self.stacks) if t is not None]
        return min(timers) if timers else None
