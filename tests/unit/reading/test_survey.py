"""What `osgp read` shows is what the meter holds; what it must not show, it does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from osgp.errors import DecodeError, InsufficientSecurityClearance, TransportError, UsageError
from osgp.export import obis
from osgp.run.reading.device import open_device
from osgp.run.reading.profile import Period, read_profile
from osgp.run.reading.survey import survey
from osgp.run.reading.wanted import read_wanted, wanted
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import tables

from .bench import NOON, RK, images_of, imagined, listing, run, served, virtual


def test_registers_are_the_meters_own() -> None:
    async def work() -> None:
        meter = virtual()
        async with served(meter) as bench:
            found = await bench.ask(lambda reader: survey(reader, NOON))
        images = await images_of(meter)
        dims = meter.meter.parts.dims
        held: Any = tables["BT23"].bind(dims).decode(images[23])
        totals = [reading for reading in found.energies if reading.tier is None]
        stored = held.total_data_block.summations
        assert [round(reading.value) for reading in totals] == pytest.approx(stored, abs=2)
        assert len(found.energies) == len(totals) * (1 + len(held.tier_data_block))
        assert found.meter.serial == "20260105"
        assert found.meter.firmware == "4.30.00"
        assert found.state.clock is not None
        assert found.state.behind is not None
        assert abs(found.state.behind) < 5
        assert found.missing == {}

    run(work)


def test_values_are_in_base_units_with_codes() -> None:
    async def work() -> None:
        async with served(virtual()) as bench:
            found = await bench.ask(survey)
        by_name = {reading.name: reading for reading in found.present}
        voltage = by_name["RMS Voltage L1"]
        assert 200 < voltage.value < 260
        assert (voltage.unit, voltage.obis) == ("V", "1-0:32.7.0")
        assert 45 < by_name["Frequency"].value < 55

    run(work)


@pytest.mark.parametrize(
    ("source", "tier", "energy", "code"),
    [
        (0, None, True, "1-0:1.8.0"),
        (0, 0, True, "1-0:1.8.1"),
        (1, 3, True, "1-0:2.8.4"),
        (8, None, False, "1-0:1.7.0"),
        (17, None, False, "1-0:72.7.0"),
        (190, None, False, "1-0:62.7.0"),
        (201, None, False, None),
    ],
)
def test_obis_codes(source: int, tier: int | None, energy: bool, code: str | None) -> None:
    assert obis.code_of(source, tier, energy=energy) == code


def test_no_two_quantities_share_a_code() -> None:
    for energy in (True, False):
        codes = [obis.code_of(source, energy=energy) for source in range(256)]
        given = [code for code in codes if code is not None]
        assert len(given) == len(set(given)) > 5


def test_only_the_bytes_of_a_field_are_read() -> None:
    async def work() -> None:
        async with served(virtual()) as bench:
            await bench.ask(lambda reader: read_wanted(reader, [wanted("BT28.values[3]")]))
            asked = [read for read in bench.tables.reads if read[0] == 28]
        assert asked == [(28, 12, 4)]

    run(work)


@pytest.mark.parametrize("text", ["bt28.8", "BT28.values[2]", "28.values[2]"])
def test_fields_by_any_name(text: str) -> None:
    async def work() -> None:
        async with served(virtual()) as bench:
            found = await bench.ask(lambda reader: read_wanted(reader, [wanted(text)]))
        assert [row.path for row in found[0].rows] == ["values[2]"]
        assert (found[0].rows[0].name or "").startswith("Import Reactive")

    run(work)


def test_a_table_the_meter_lacks_is_named() -> None:
    async def work() -> None:
        async with served(virtual()) as bench:
            with pytest.raises(UsageError, match="no ET12"):
                await bench.ask(lambda reader: read_wanted(reader, [wanted("ET12.30")]))

    run(work)


def test_procedures_are_not_read() -> None:
    with pytest.raises(UsageError, match="osgp call"):
        wanted("EP16")


def test_a_wrong_key_says_how_it_was_read_and_not_what_it_is() -> None:
    wrong = "nobody's key, really"

    async def work() -> None:
        async with served(virtual()) as bench:
            with pytest.raises(InsufficientSecurityClearance) as caught:
                await bench.ask(survey, wrong)
            assert bench.tables.reads == []
        assert "20 characters" in caught.value.hint
        assert wrong not in f"{caught.value}{caught.value.hint}"

    run(work)


def test_refused_tables_are_noted() -> None:
    """A device that lists tables it does not give."""

    async def work() -> None:
        images = await images_of(virtual())
        del images[28], images[3]
        async with served(imagined(images)) as bench:
            found = await bench.ask(survey)
        assert found.present == ()
        assert found.energies
        assert set(found.missing) == {"BT28", "BT03"}

    run(work)


@pytest.mark.parametrize("at", range(10))
def test_absurd_dimensions_end_in_an_error(at: int) -> None:
    """Each byte of BT21 at its largest: an error or a note, never more bytes than there are."""

    async def work() -> None:
        images = await images_of(virtual(1.0))
        spoilt = bytearray(images[21])
        spoilt[at] = 255
        images[21] = bytes(spoilt)
        async with served(imagined(images)) as bench:
            found = await bench.ask(survey)
            most = max(count or 0 for _, _, count in bench.tables.reads)
        assert most < 1 << 16
        assert "BT23" in found.missing or found.energies

    run(work)


def test_a_lost_line_ends_the_reading() -> None:
    async def work() -> None:
        async with served(virtual()) as bench:
            bench.tables.hook = lambda table: bench.driver.close() if table == 23 else None
            with pytest.raises(TransportError):
                await bench.ask(survey)

    run(work)


def test_nobody_at_the_port() -> None:
    async def work() -> None:
        async with served(virtual()) as bench:
            access = bench.access(RK)
            await bench.server.close()
            with pytest.raises(TransportError):
                async with open_device(access):
                    raise AssertionError("nobody is there")

    run(work)


def test_the_port_is_free_after_a_failure() -> None:
    async def work() -> None:
        def failing(reader: DeviceReader) -> Exchange[None]:
            yield from reader.table("BT01")
            raise DecodeError("made up")

        async with served(virtual()) as bench:
            with pytest.raises(DecodeError):
                await bench.ask(failing)
            await asyncio.sleep(0.05)
            assert (await bench.ask(survey)).meter.serial

    run(work)


def test_names_that_a_key_may_not_see_are_done_without() -> None:
    """ET66 only adds names, and is for MEP keys alone."""

    async def work() -> None:
        images = await images_of(virtual(1.0))
        images[0] = listing(images[0], ("ET66",))
        images.pop(2114, None)
        async with served(imagined(images)) as bench:
            found = await bench.ask(lambda reader: read_wanted(reader, [wanted("BT28.values[2]")]))
            profile = await bench.ask(lambda reader: read_profile(reader, Period()))
        assert found[0].rows[0].name
        assert profile.channels[0].name

    run(work)
