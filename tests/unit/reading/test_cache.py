"""Dimensions are read once, and never believed where they may not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from osgp.run.reading.cache import (
    CONFIGURATION,
    DIMENSION_TABLES,
    SYSTEM,
    Cached,
    DimensionCache,
    Interface,
)
from osgp.run.reading.survey import survey
from osgp.spec import tables

from .bench import images_of, imagined, run, served, virtual

DIMENSIONS = {tables[name].info.number for name in DIMENSION_TABLES - {SYSTEM, CONFIGURATION}}
"""ET04 and BT00 are asked each time: they say whether the others hold."""

INTERFACE = Interface(b"programs", b"device", 3, (4, 30))


def test_the_second_reading_asks_for_no_dimensions(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(virtual(1.0), tmp_path) as bench:
            first = await bench.ask(survey)
            asked = bench.tables.numbers & DIMENSIONS
            bench.tables.reads.clear()
            second = await bench.ask(survey)
            again = bench.tables.numbers & DIMENSIONS
        assert {20, 21} <= asked
        assert again == set()
        assert [r.place for r in second.energies] == [r.place for r in first.energies]

    run(work)


@pytest.mark.parametrize("field", ["idt_version", "transceiver_id"])
def test_another_interface_is_read_anew(tmp_path: Path, field: str) -> None:
    async def work() -> None:
        meter = virtual(1.0)
        images = await images_of(meter)
        async with served(imagined(images), tmp_path) as bench:
            await bench.ask(survey)
        place = tables["ET04"].bind(meter.meter.parts.dims).span(field)
        changed = bytearray(images[2052])
        changed[place.offset] ^= 1
        async with served(imagined({**images, 2052: bytes(changed)}), tmp_path) as bench:
            await bench.ask(survey)
            assert {0, 21} <= bench.tables.numbers

    run(work)


def test_tables_that_came_meanwhile_are_seen(tmp_path: Path) -> None:
    async def work() -> None:
        images = await images_of(virtual(1.0))
        layout: Any = tables["BT00"].bind()
        general = layout.decode(images[0])
        fewer = layout.encode(
            general.with_(extended_tables_used=general.extended_tables_used - {14})
        )
        async with served(imagined({**images, 0: fewer}), tmp_path) as bench:
            assert await bench.ask(lambda reader: reader.has("ET14")) is False
        async with served(imagined(images), tmp_path) as bench:
            assert await bench.ask(lambda reader: reader.has("ET14")) is True

    run(work)


def test_cached_images_that_fit_no_layout_are_not_used(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(virtual(1.0), tmp_path) as bench:
            before = await bench.ask(survey)
            _shorten(tmp_path)
            bench.tables.reads.clear()
            after = await bench.ask(survey)
            assert {0, 21} <= bench.tables.numbers
        assert [r.place for r in before.energies] == [r.place for r in after.energies]

    run(work)


def _shorten(directory: Path) -> None:
    """Leaves every cached image with one byte less."""
    (file,) = directory.glob("*.json")
    found = msgspec.json.decode(file.read_bytes(), type=Cached)
    images = {name: image[:-1] for name, image in found.images.items()}
    DimensionCache(directory).remember(found.interface, images)


@pytest.mark.parametrize("content", [b"", b"{}", b"nonsense", b'{"version":1}', b"\xff" * 100])
def test_a_damaged_file_is_no_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / INTERFACE.file_name).write_bytes(content)
    assert DimensionCache(tmp_path).recall(INTERFACE) == {}


def test_only_the_same_interface_is_recalled(tmp_path: Path) -> None:
    cache = DimensionCache(tmp_path)
    cache.remember(INTERFACE, {"BT21": b"image"})
    assert cache.recall(INTERFACE) == {"BT21": b"image"}
    assert cache.recall(Interface(b"programs", b"device", 4, (4, 30))) == {}
    assert cache.recall(Interface(b"programs", b"device", 3, (4, 31))) == {}
    assert cache.recall(Interface(b"programs", b"other!", 3, (4, 30))) == {}
    cache.forget(INTERFACE)
    assert cache.recall(INTERFACE) == {}


def test_a_directory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = DimensionCache(tmp_path / "file")
    cache.remember(INTERFACE, {})
    assert cache.recall(INTERFACE) == {}
