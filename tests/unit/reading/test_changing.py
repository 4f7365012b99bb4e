"""Writes and calls: what is planned is what is sent, once, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from osgp.errors import (
    EncodeError,
    InsufficientSecurityClearance,
    PathError,
    ProcedureError,
    TransportError,
    UsageError,
)
from osgp.run.reading.changing import (
    check_unchanged,
    plan_call,
    plan_write,
    renumbered,
    send_call,
    send_write,
)
from osgp.run.reading.wanted import Wanted

from .bench import MK, RK, run, served, virtual

ZONE = Wanted("BT53")


def test_a_plan_changes_nothing() -> None:
    async def work() -> None:
        meter = virtual(1.0)
        async with served(meter) as bench:
            await bench.ask(lambda r: plan_write(r, ZONE, [("time_zone_offset", "120")], None), MK)
            await bench.ask(lambda r: plan_call(r, "EP16", [("delta", "-10")]), MK)
            assert bench.tables.writes == []
        assert meter.meter.parts.clock.state.zone == 60

    run(work)


def test_only_the_named_field_is_written() -> None:
    async def work() -> None:
        meter = virtual(1.0)
        async with served(meter) as bench, bench.device(MK) as device:
            pairs = [("time_zone_offset", "120")]
            changes = await device.run(lambda r: plan_write(r, ZONE, pairs, None))
            assert [(c.offset, c.before, c.after) for c in changes] == [
                (4, b"\x3c\x00", b"\x78\x00")
            ]
            await device.run_once(lambda r: send_write(r, changes))
            assert bench.tables.writes == [(53, 4, b"\x78\x00")]
        assert meter.meter.parts.clock.state.zone == 120

    run(work)


def test_raw_bytes_of_a_field() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            field = Wanted("BT53", "time_zone_offset")
            (change,) = await bench.ask(lambda r: plan_write(r, field, [], b"\x01\x00"), MK)
            assert (change.offset, change.after) == (4, b"\x01\x00")
            with pytest.raises(UsageError, match="2 bytes are there, 3"):
                await bench.ask(lambda r: plan_write(r, field, [], b"\1\2\3"), MK)

    run(work)


@pytest.mark.parametrize(
    ("pair", "error"),
    [
        (("nonsense", "1"), PathError),
        (("time_zone_offset", "noon"), EncodeError),
        (("time_zone_offset", "99999"), EncodeError),
    ],
)
def test_values_that_do_not_fit(pair: tuple[str, str], error: type[Exception]) -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            with pytest.raises(error):
                await bench.ask(lambda r: plan_write(r, ZONE, [pair], None), MK)
            assert bench.tables.writes == []

    run(work)


def test_a_key_without_the_right() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench, bench.device(RK) as device:
            pairs = [("time_zone_offset", "120")]
            changes = await device.run(lambda r: plan_write(r, ZONE, pairs, None))
            with pytest.raises(InsufficientSecurityClearance):
                await device.run_once(lambda r: send_write(r, changes))

    run(work)


def test_a_call_is_what_was_shown() -> None:
    async def work() -> None:
        meter = virtual(1.0)
        async with served(meter) as bench, bench.device(MK) as device:
            now = meter.clock.now()
            before = meter.meter.parts.clock.reading(now)
            planned = await device.run(lambda r: plan_call(r, "EP16", [("delta", "-600")]))
            assert planned.image == bytes.fromhex("1008 01 a8fdffff")
            await device.run_once(lambda r: send_call(r, planned))
            assert bench.tables.writes == [(7, None, planned.image)]
            after = meter.meter.parts.clock.reading(now)
        assert before - after == pytest.approx(600)

    run(work)


def test_calls_follow_each_other_with_new_numbers() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench, bench.device(MK) as device:
            numbers = []
            for _ in range(3):
                planned = await device.run(lambda r: plan_call(r, "BP05", [("list", "8")]))
                await device.run_once(_sending(planned))
                numbers.append(planned.sequence)
        assert numbers == [1, 2, 3]

    run(work)


def test_a_procedure_that_fails_says_so() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench, bench.device(MK) as device:
            planned = await device.run(lambda r: plan_call(r, "BP05", [("list", "99")]))
            with pytest.raises(ProcedureError):
                await device.run_once(_sending(planned))

    run(work)


def test_a_call_is_not_repeated_when_the_line_is_lost() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            with pytest.raises(TransportError):
                async with bench.device(MK) as device:
                    planned = await device.run(lambda r: plan_call(r, "EP16", [("delta", "1")]))
                    bench.tables.hook = lambda table: bench.driver.close() if table == 8 else None
                    await device.run_once(_sending(planned))
            assert len(bench.tables.writes) == 1

    run(work)


@pytest.mark.parametrize(("name", "reason"), [("EP23", "no EP23"), ("BT23", "osgp write")])
def test_what_cannot_be_called(name: str, reason: str) -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            with pytest.raises(UsageError, match=reason):
                await bench.ask(lambda r: plan_call(r, name, []), MK)

    run(work)


def _sending(planned: Any) -> Any:
    return lambda reader: send_call(reader, planned)


def test_what_changed_meanwhile_is_not_overwritten() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench, bench.device(MK) as device:
            asked = Wanted("BT53")
            pairs = [("time_zone_offset", "120")]
            changes = await device.run(lambda r: plan_write(r, asked, pairs, None))
            await device.run(lambda r: check_unchanged(r, changes))
            await device.run_once(lambda r: send_write(r, changes))
            with pytest.raises(UsageError, match="changed meanwhile"):
                await device.run(lambda r: check_unchanged(r, changes))

    run(work)


def test_a_call_is_renumbered_when_somebody_else_called() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench, bench.device(MK) as device:
            pairs = [("delta", "1")]
            planned = await device.run(lambda r: plan_call(r, "EP16", pairs))
            await device.run_once(lambda r: send_call(r, planned))
            again = await device.run(lambda r: renumbered(r, planned))
            assert again.sequence != planned.sequence
            assert again.image[3:] == planned.image[3:]
            await device.run_once(lambda r: send_call(r, again))

    run(work)
