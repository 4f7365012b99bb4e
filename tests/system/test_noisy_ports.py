"""Both roles against each other over a pseudo-terminal that drops, doubles, flips and delays bytes.

Whatever the line does: what is read is what the meter has, or it is an error; a write is executed
once or the caller is told that nobody knows; and the port works as soon as the line does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from osgp.errors import OsgpError
from osgp.ports import UNLIMITED, Caller, PortTables
from osgp.ports.mep import MepPort, MepServer, MepTiming, oma_tables
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession, Timing
from osgp.session import Exchange
from osgp.transport import CallingDriver, Driver, connect_serial, serve_pty
from tests.unit.ports.cable import QUIET, Noise, Shelf
from tests.unit.ports.test_mep import KEYS as MEP_KEYS
from tests.unit.ports.test_mep import MAK
from tests.unit.ports.test_optical import BIG, KEYS, MK, shelf

pytest.importorskip("serialx")

WITHIN = 30.0
READS = 30
OPTICAL = Timing(response=0.08, inter_character=0.03, quiet=0.01, retries=4)
MEP = MepTiming(response=0.08, gap=0.03, longest=0.3, byte_gap=0.02, spacing=0.0, segment_pause=0)
LOUD = Noise(dropped=0.0006, doubled=0.0006, flipped=0.0006, delayed=0.05, delay=0.02)
TABLE, COUNTER = 64, 7
CALM, PEACE_ATTEMPTS = 0.15, 6


class Noisy:
    """A port behind a line that spoils what passes, both ways."""

    def __init__(self, inner: Any, seed: int) -> None:
        self.inner, self.noise = inner, LOUD
        self.spoilt = 0
        self._random = random.Random(seed)
        self._held: list[tuple[float, bytes]] = []

    def receive(self, data: bytes, now: float) -> None:
        heard = self._spoil(data)
        if heard:
            self.inner.receive(heard, now)

    def data_to_send(self, now: float) -> bytes:
        while data := self.inner.data_to_send(now):
            late = self._random.random() < self.noise.delayed
            free = self._held[-1][0] if self._held else now
            due = max(free, now + (self.noise.delay if late else 0.0))
            self._held.append((due, self._spoil(data)))
        out = b""
        while self._held and self._held[0][0] <= now:
            out += self._held.pop(0)[1]
        return out

    def _spoil(self, data: bytes) -> bytes:
        spoilt = self.noise.spoil(data, self._random)
        self.spoilt += spoilt != data
        return spoilt

    def next_timer(self) -> float | None:
        timers = [self.inner.next_timer(), self._held[0][0] if self._held else None]
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self.inner.handle_timer(now)

    def next_event(self) -> Any:
        return self.inner.next_event()


class Talk:
    """One client on one noisy port; `within` wraps a conversation in a session."""

    def __init__(self, noisy: Noisy, port: Any, tables: PortTables, within: Callable[..., Any]):
        self.noisy, self.tables = noisy, tables
        self._driver = CallingDriver(Caller(port))
        self._within = within

    async def run(self, make: Callable[[], Exchange[Any]]) -> Any:
        return await self._driver.call(self._within(make))

    async def in_peace(self, make: Callable[[], Exchange[Any]]) -> Any:
        """On a quiet line; again, for the machine that the test runs on may be busy."""
        self.noisy.noise = QUIET
        try:
            for remaining in reversed(range(PEACE_ATTEMPTS)):
                await asyncio.sleep(CALM)
                with suppress(*([OsgpError] if remaining else [])):
                    return await self.run(make)
        finally:
            self.noisy.noise = LOUD

    async def __aenter__(self) -> Talk:
        self._meter = Driver(self.noisy)
        await connect_serial(self._driver, serve_pty(self._meter).path)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._driver.aclose()
        await self._meter.aclose(within=0.1)


def optical(tables: Shelf, seed: int) -> Talk:
    port = OpticalPort(UNLIMITED, OPTICAL, patience=0.3)
    session = OpticalSession(port, MK)
    server = OpticalServer(tables, KEYS, line=UNLIMITED, timing=OPTICAL)
    return Talk(Noisy(server, seed), port, session.tables, session.during)


def mep(tables: Shelf, seed: int) -> Talk:
    server = MepServer(tables, MEP_KEYS, line=UNLIMITED, timing=MEP)
    port = MepPort(UNLIMITED, MEP)
    return Talk(Noisy(server, seed), port, oma_tables(MAK), lambda make: make())


PORTS = pytest.mark.parametrize("port", [optical, mep])
SEEDS = pytest.mark.parametrize("seed", range(5))


def bounded(work: Callable[[], Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(WITHIN):
            return await work()

    return asyncio.run(limited())


@PORTS
@SEEDS
def test_what_is_read_is_what_the_meter_has(port: Callable[..., Talk], seed: int) -> None:
    async def work() -> int:
        good = 0
        async with port(shelf(), seed) as talk:
            for number in range(READS):
                at = number * 50
                try:
                    data = await talk.run(partial(talk.tables.read, TABLE, at, 300))
                except OsgpError:
                    continue
                assert data == BIG[at : at + 300]
                good += 1
            assert talk.noisy.spoilt, "the line was quiet"
            assert await talk.in_peace(lambda: talk.tables.read(TABLE, 0, 300)) == BIG[:300]
        return good

    assert bounded(work) > READS // 3


@PORTS
@SEEDS
def test_a_write_is_executed_once(port: Callable[..., Talk], seed: int) -> None:
    tables = shelf()

    async def work() -> tuple[int, int]:
        sure = unknown = 0
        async with port(tables, seed) as talk:
            await talk.in_peace(lambda: talk.tables.read(0, 0, 1))
            for number in range(READS):
                data = bytes((number,))
                try:
                    await talk._driver.call(talk.tables.write(COUNTER, data))
                    sure += 1
                except OsgpError:
                    unknown += 1
                    await talk.in_peace(lambda: talk.tables.read(0, 0, 1))
        return sure, unknown

    sure, unknown = bounded(work)
    written = [data for _, _, data, _ in tables.writes]
    assert len(written) == len(set(written)), "a write was executed twice"
    assert sure <= len(written) <= sure + unknown
    assert sure > READS // 3
