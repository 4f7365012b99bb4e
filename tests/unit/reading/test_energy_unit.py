"""One count of a register may be 1, 10 or 100 Wh: every way of reading shows the same energy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import DecodeError
from osgp.meter.dims import maxima
from osgp.run.reading.energy_unit import energy_unit
from osgp.run.reading.profile import Period, read_profile
from osgp.run.reading.survey import survey
from osgp.run.reading.wanted import in_full, read_wanted, shortened, wanted
from osgp.spec import tables

from .bench import Bench, images_of, imagined, listing, made, run, served, virtual, without

ET42, ET55 = 2090, 2103
FORWARD = "BT23.summations[0]"


async def with_units(configured: int | None, declared: int | None) -> dict[int, bytes]:
    """A virtual meter's images, with the unit in ET55, in ET42, or in neither."""
    meter = virtual(1.0)
    images = await images_of(meter)
    dims = meter.meter.parts.dims
    if configured is None:
        images[0] = without(images[0], "ET55")
    else:
        images[0] = listing(images[0], ["ET55"])
        known = dims.with_table("BT20", maxima(meter.meter.profile.set_up)[0])
        images[ET55] = made("ET55", {"energy_register_unit": configured}, known)
    layout: Any = tables["ET42"].bind(dims)
    table = layout.decode(images[ET42])
    images[ET42] = layout.encode(table.with_(energy_register_unit=declared or 0))
    return images


BOTH = [
    (None, None, 1),
    (0, 10, 1),
    (None, 1, 1),
    (None, 10, 10),
    (1, 1, 1),
    (10, 10, 10),
    (100, 0, 100),
]


@pytest.mark.parametrize(("configured", "declared", "unit"), BOTH)
def test_the_unit_is_found_wherever_it_stands(
    configured: int | None, declared: int | None, unit: int
) -> None:
    async def work() -> None:
        async with served(imagined(await with_units(configured, declared))) as bench:
            assert await bench.ask(energy_unit) == unit

    run(work)


@pytest.mark.parametrize(("configured", "declared"), [(7, 1), (None, 2), (255, 0)])
def test_a_unit_that_nobody_knows_is_no_unit(configured: int | None, declared: int | None) -> None:
    async def work() -> None:
        async with served(imagined(await with_units(configured, declared))) as bench:
            with pytest.raises(DecodeError, match="not 1, 10 or 100"):
                await bench.ask(survey)

    run(work)


async def energies(bench: Bench) -> tuple[Any, Any, Any, Any]:
    """The forward energy of the survey, of a field by name, of the whole table, of the profile."""
    found = await bench.ask(survey)
    asked = [wanted(FORWARD), wanted("BT23")]
    field, table = await bench.ask(lambda reader: read_wanted(reader, asked))
    profile = await bench.ask(lambda reader: read_profile(reader, Period()))
    (row,) = field.rows
    (same,) = [one for one in table.rows if one.path == row.path]
    return found.energies[0].value, row.value, same.value, profile.intervals[-1].values[0]


@pytest.mark.parametrize("unit", [10, 100])
def test_every_way_shows_the_same(unit: int) -> None:
    async def work() -> None:
        async with served(imagined(await with_units(None, 1))) as bench:
            plain = await energies(bench)
        for configured, declared in ((unit, 0), (None, unit)):
            async with served(imagined(await with_units(configured, declared))) as bench:
                assert await energies(bench) == tuple(unit * value for value in plain)

    run(work)


def test_apparent_energy_has_no_register_unit() -> None:
    """The guide speaks of what is measured in Wh and varh."""

    async def work() -> None:
        found = []
        for unit in (1, 10):
            async with served(imagined(await with_units(unit, 0))) as bench:
                found.append({one.place: one for one in (await bench.ask(survey)).energies})
        plain, tens = found
        apparent = next(place for place, one in plain.items() if one.unit == "VAh")
        assert tens[apparent].value == plain[apparent].value > 0
        counts = next(place for place, one in plain.items() if one.unit == "varh" and one.value)
        assert tens[counts].value == 10 * plain[counts].value

    run(work)


# --- short names ------------------------------------------------------------------------------


def test_every_place_that_is_shown_can_be_read() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            found = await bench.ask(survey)
            for one in (*found.energies[::17], *found.present[::13]):
                asked = [wanted(shortened(one.place)), wanted(one.place)]
                short, full = await bench.ask(lambda reader, a=asked: read_wanted(reader, a))
                assert (short.offset, short.rows[0].path) == (full.offset, full.rows[0].path)

    run(work)


@given(st.integers(0, 40), st.one_of(st.none(), st.integers(0, 7)))
def test_short_names_are_paths(index: int, tier: int | None) -> None:
    block = "total_data_block" if tier is None else f"tier_data_block[{tier}]"
    path = f"{block}.summations[{index}]"
    short = shortened(f"BT23.{path}")
    assert len(short) < len(f"BT23.{path}")
    assert in_full("BT23", short.removeprefix("BT23.")) == path
    assert in_full("BT23", path) == path


@pytest.mark.parametrize("place", ["BT28.values[3]", "ET50.30", "BT26.entries[0].season", "BT23.0"])
def test_other_names_stay(place: str) -> None:
    table, _, field = place.partition(".")
    assert shortened(place) == place
    assert in_full(table, field) == field
