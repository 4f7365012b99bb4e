"""What is stored is what the meters have, bit for bit; what a meter made up is not stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from osgp.channel import scenario as scenarios
from osgp.concentrator.happenings import Notice
from osgp.concentrator.plan import Plan
from osgp.headend.store import Store, open_store
from osgp.meter.device import VirtualMeter
from osgp.meter.identity import neighbourhood
from osgp.meter.nvm import FileStore
from osgp.run.up import BEGINNING, DEMO_MASTER, INTERVAL
from osgp.run.world import MasterKey, World
from osgp.security.secret import Secret
from osgp.spec import tables
from osgp.topology import Life

HOUR = 3600.0
OFTEN = Plan(visit_every=2 * HOUR)


class Unwatched:
    chunk = 300.0

    def notice(self, event: Notice) -> None:
        """Nobody looks."""

    def tick(self, now: float) -> None:
        """Nobody looks."""


@contextmanager
def world(tmp_path: Path, meters: int = 3, seed: int = 5) -> Iterator[tuple[World, Store]]:
    keys = MasterKey(Secret(DEMO_MASTER))
    memory = FileStore(tmp_path / "meters.db")
    with open_store(f"sqlite:///{tmp_path / 'x.db'}") as store:
        profiles = neighbourhood(meters, seed, keys.omak)
        scenario = scenarios.load(scenarios.DEFAULT)
        yield (
            World(scenario, profiles, memory, store, keys, seed=seed, now=BEGINNING, plan=OFTEN),
            store,
        )
    memory.close()


def recorded(meter: VirtualMeter) -> set[tuple[int, int, bytes]]:
    """Every piece of a table that the meter gives away from now on."""
    served: set[tuple[int, int, bytes]] = set()
    read = meter.tables.read

    def noting(table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        data = read(table, offset, count, key, now)
        served.add((table, offset, data))
        return data

    setattr(meter.tables, "read", noting)  # noqa: B010  # a method of one instance
    return served


def test_stored_images_are_what_the_meters_served(tmp_path: Path) -> None:
    """A stored image may join several pieces; each of them was given away by that meter."""
    with world(tmp_path) as (simulated, store):
        served = {m.profile.neuron_id: recorded(m) for m in simulated.meters}
        simulated.run(BEGINNING + 8 * HOUR, Unwatched())
        images = list(store.images())
        assert {row.device for row in images} == set(served)
        for row in images:
            assert known(row.record.data, row.record.offset, row.record.table, served[row.device])


def known(data: bytes, offset: int, table: int, served: set[tuple[int, int, bytes]]) -> bool:
    """Whether `data` is made of served pieces, one after another."""
    if not data:
        return True
    return any(
        number == table
        and at == offset
        and piece
        and data.startswith(piece)
        and known(data[len(piece) :], offset + len(piece), table, served)
        for number, at, piece in served
    )


def test_stored_registers_stand_in_the_images(tmp_path: Path) -> None:
    """The newest stored value of every BT23 register, decoded field by field from the image."""
    with world(tmp_path) as (simulated, store):
        simulated.run(BEGINNING + 8 * HOUR, Unwatched())
        number = tables["BT23"].info.number
        for meter in simulated.meters:
            device = meter.profile.neuron_id
            rows = [r.record for r in store.registers(device) if r.record.table == number]
            latest = {row.path: row for row in rows}
            image = [i.record for i in store.images(device) if i.record.table == number][-1]
            layout = tables["BT23"].bind(meter.parts.dims)
            assert len(latest) >= 11
            for path, row in latest.items():
                assert layout.part(path).decode(_slice(image.data, layout.span(path))) == row.value


def test_stored_intervals_are_the_meters_own(tmp_path: Path) -> None:
    with world(tmp_path) as (simulated, store):
        simulated.run(BEGINNING + 8 * HOUR, Unwatched())
        for meter in simulated.meters:
            own = own_intervals(meter, simulated.now)
            stored = list(store.intervals(meter.profile.neuron_id))
            assert len(stored) >= 24
            for row in stored:
                assert own[row.interval.end] == row.interval.values


def own_intervals(meter: VirtualMeter, now: float) -> dict[int, tuple[int, ...]]:
    """End to values, from the meter's own BT64."""
    image = meter.tables.read(tables["BT64"].info.number, 0, None, "OMAK", now)
    record: Any = tables["BT64"].bind(meter.parts.dims).decode(image)
    found = {}
    for block in record.blocks:
        for number in block.simple_status:
            end = block.end_time.to_datetime().timestamp()
            end -= INTERVAL * (max(block.simple_status) - number)
            found[int(end)] = block.intervals[number].values
    return found


def _slice(data: bytes, span: tuple[int, int]) -> bytes:
    return data[span[0] : span[0] + span[1]]


Mischief = Callable[[bytes], bytes]

MISCHIEF: dict[str, Mischief] = {
    "wrong digest": lambda answer: answer[:-1] + bytes([answer[-1] ^ 1]),
    "flipped data": lambda answer: answer[:5] + bytes([answer[5] ^ 0x80]) + answer[6:],
    "truncated": lambda answer: answer[:-12],
    "empty": lambda answer: b"\x00",
    "oversized count": lambda answer: answer[:2] + b"\xff\xff" + answer[4:],
    "garbage": lambda answer: bytes(reversed(answer)),
}


@pytest.mark.parametrize("mischief", MISCHIEF.values(), ids=MISCHIEF)
def test_answers_that_do_not_verify_are_refused_and_not_stored(
    tmp_path: Path, mischief: Mischief
) -> None:
    with world(tmp_path, meters=2) as (simulated, store), capture_logs() as logs:
        rogue = simulated.meters[0]
        serve = rogue._serve

        def lying(message: Any, now: float) -> bytes | None:
            answer = serve(message, now)
            return answer if answer is None else mischief(answer)

        rogue._answers[0] = lying
        simulated.run(BEGINNING + HOUR, Unwatched())
        lives = {device.neuron_id: device.state for device in store.devices()}
        assert lives.pop(rogue.profile.neuron_id) == Life.REFUSED
        assert set(lives.values()) == {Life.OPERATING}
        assert not list(store.images(rogue.profile.neuron_id))
        assert not list(store.registers(rogue.profile.neuron_id))
        refusals = [log for log in logs if log["event"] == "visit failed"]
        assert 1 <= len(refusals) <= 6


LIES: dict[str, tuple[str, Mischief]] = {
    "absurd dimensions": ("BT61", lambda image: image[:7] + b"\xff" * (len(image) - 7)),
    "endless registers": ("BT21", lambda image: b"\xff" * len(image)),
    "truncated table": ("BT63", lambda image: image[:-4]),
    "no interval length": ("BT61", lambda image: image[:-1] + b"\x00"),
    "impossible list": ("BT63", lambda image: image[:1] + b"\xff" * (len(image) - 1)),
}


@pytest.mark.parametrize(("table", "lie"), LIES.values(), ids=LIES)
def test_authentic_nonsense_costs_a_refusal(tmp_path: Path, table: str, lie: Mischief) -> None:
    """The digest is right, the content is not: nothing of it is stored, the others are read."""
    with world(tmp_path, meters=2) as (simulated, store), capture_logs() as logs:
        rogue = simulated.meters[0]
        read = rogue.tables.read

        def lying(number: int, offset: int, count: int | None, key: str, now: float) -> bytes:
            if number != tables[table].info.number:
                return read(number, offset, count, key, now)
            image = lie(read(number, 0, None, key, now))
            return image[offset : None if count is None else offset + count]

        setattr(rogue.tables, "read", lying)  # noqa: B010  # a method of one instance
        simulated.run(BEGINNING + HOUR, Unwatched())
        lives = {device.neuron_id: device.state for device in store.devices()}
        assert lives.pop(rogue.profile.neuron_id) != Life.OPERATING
        assert set(lives.values()) == {Life.OPERATING}
        assert not list(store.intervals(rogue.profile.neuron_id))
        refusals = [log for log in logs if log["event"] == "visit failed"]
        assert 1 <= len(refusals) <= 6
