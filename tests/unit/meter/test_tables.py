"""Rights, slices, writes, and images that hold still while they are read in parts."""

from __future__ import annotations

import pytest

from osgp.errors import (
    InappropriateActionRequested,
    InsufficientSecurityClearance,
    OperationNotPossible,
    ServiceError,
)
from osgp.meter import DataSet, SetUp
from osgp.spec import tables

from .bench import DAY, START, meter, request

KEY = "OMAK"
SEVERAL = SetUp(data_sets=(DataSet(), DataSet((0, 1), 60, 5), DataSet((0,), 1440, 40)))


def refused(error: type[ServiceError], table: int, offset: int, count: int, key: str) -> None:
    with pytest.raises(error):
        meter().tables.read(table, offset, count, key, START)


@pytest.mark.parametrize(
    ("table", "offset", "count"),
    [(1, 0, 25), (1, 24, 1), (1, 25, 0), (1, 0xFFFFFF, 0xFFFF), (64, 18_410, 1), (23, -1, 2)],
)
def test_beyond_the_end_is_not_possible(table: int, offset: int, count: int) -> None:
    refused(OperationNotPossible, table, offset, count, KEY)


@pytest.mark.parametrize("table", [9, 7, 65, 2047, 2048 + 255, 4096 + 54, 0xFFFF])
def test_what_cannot_be_read_is_inappropriate(table: int) -> None:
    refused(InappropriateActionRequested, table, 0, 1, KEY)


def test_the_key_decides() -> None:
    refused(InsufficientSecurityClearance, 63, 0, 1, "NONE")
    refused(InsufficientSecurityClearance, 2069, 0, 1, "RK")
    assert meter().tables.read(0, 0, 1, "NONE", START)


@pytest.mark.parametrize("table", [0, 1, 21, 23, 61, 64, 74, 2052, 9999])
def test_read_only_tables_are_not_written(table: int) -> None:
    device = meter()
    with pytest.raises(InappropriateActionRequested):
        device.tables.write(table, 0, b"\0", KEY, START)


def test_writing_needs_its_right() -> None:
    with pytest.raises(InsufficientSecurityClearance):
        meter().tables.write(53, 0, b"\0", "RK", START)
    with pytest.raises(InsufficientSecurityClearance):
        meter().tables.write(7, None, request(5, 1), "NONE", START)


def test_every_slice_is_part_of_the_whole() -> None:
    device = meter()
    whole = device.tables.read(0, 0, None, KEY, START)
    assert whole == device.tables.read(0, 0, len(whole), KEY, START)
    assert whole[3:50] == device.tables.read(0, 3, 47, KEY, START)
    assert device.tables.read(0, len(whole), 0, KEY, START) == b""


def test_the_identification_and_the_zone_can_be_written_whole_or_in_part() -> None:
    device = meter()
    device.tables.write(5, None, bytes(range(10)), KEY, START)
    device.tables.write(5, 8, b"\x99", KEY, START)
    assert device.tables.read(5, 0, None, KEY, START) == bytes(range(8)) + b"\x99\x09"
    device.tables.write(53, 4, (-90).to_bytes(2, "little", signed=True), KEY, START)
    zone = tables[53].bind().decode(device.tables.read(53, 0, None, KEY, START))
    assert zone.time_zone_offset == -90  # type: ignore[attr-defined]  # as declared


@pytest.mark.parametrize(
    ("table", "offset", "data"),
    [
        (5, None, b"short"),
        (5, 8, b"beyond"),
        (53, 4, b"\xff\x7f"),
        (7, None, b""),
        (7, 1, request(5, 1)),
        (5, 0xFFFFFF, b"\0"),
    ],
)
def test_writes_that_say_nothing_are_refused(table: int, offset: int | None, data: bytes) -> None:
    device = meter()
    before = dict(device.nvm.items())
    with pytest.raises(OperationNotPossible):
        device.tables.write(table, offset, data, KEY, START)
    assert dict(device.nvm.items()) == before


def test_an_image_holds_still_for_a_reader_that_goes_on() -> None:
    device = meter()
    device.handle_timer(START + 0.5 * DAY)
    now = START + 0.5 * DAY
    parts = [device.tables.read(23, 84 * n, 84, KEY, now + 10 * n) for n in range(4)]
    parts.append(device.tables.read(23, 336, 44, KEY, now + 40))
    assert b"".join(parts) == device.tables.last_image(23)
    again = device.tables.read(23, 0, None, KEY, now + 3600)
    assert again != device.tables.last_image(28)
    assert again[:4] > parts[0][:4] or again != b"".join(parts)


def test_a_part_by_itself_is_always_fresh() -> None:
    device = meter()
    one = device.tables.read(52, 4, 2, KEY, START + 61)
    two = device.tables.read(52, 4, 2, KEY, START + 62)
    assert one == two, "asked again: the same image"
    assert device.tables.read(52, 3, 3, KEY, START + 63) == bytes((0, 1, 3))
    assert device.tables.read(52, 4, 2, KEY, START + 200) == bytes((3, 20))


def test_bt00_names_what_there_is() -> None:
    device = meter()
    general = tables[0].bind().decode(device.tables.read(0, 0, None, KEY, START))
    assert {0, 1, 3, 7, 8, 23, 63, 64, 74} <= general.basic_tables_used  # type: ignore[attr-defined]  # as declared
    assert 65 not in general.basic_tables_used  # type: ignore[attr-defined]  # as declared
    assert general.extended_tables_used == {4, 11, 17, 21, 42, 54, 55}  # type: ignore[attr-defined]  # as declared
    assert general.basic_procedures_used == {4, 5, 10}  # type: ignore[attr-defined]  # as declared
    assert general.extended_procedures_used == {3, 8, 9, 10, 16}  # type: ignore[attr-defined]  # as declared
    assert general.basic_tables_write == {5, 7, 53}  # type: ignore[attr-defined]  # as declared


def test_several_data_sets_have_their_tables() -> None:
    device = meter(set_up=SEVERAL)
    device.handle_timer(START + 2 * DAY)
    dims = device.parts.dims
    status = tables[63].bind(dims).decode(device.tables.read(63, 0, None, KEY, START + 2 * DAY))
    counts = [
        (each.number_of_valid_blocks, each.number_of_valid_intervals)
        for each in status.data_sets  # type: ignore[attr-defined]  # as declared
    ]
    assert counts == [(2, 96), (2, 24), (2, 1), (0, 0)]
    sizes = [len(device.tables.image(number, START)) for number in (64, 65, 66)]
    assert sizes == [10 * 1841, 5 * (5 + 3 + 24 * 10), 40 * (5 + 1 + 5)]
    definition = tables[2090].bind(dims).decode(device.tables.read(2090, 0, None, KEY, START))
    assert [each.number_of_blocks for each in definition.data_sets] == [5, 40]  # type: ignore[attr-defined]  # as declared


@pytest.mark.parametrize("firmware", [(3, 10, 0), (3, 70, 5), (4, 30, 0)])
def test_every_table_encodes_for_every_firmware(firmware: tuple[int, ...]) -> None:
    device = meter(set_up=SetUp(firmware=firmware))
    general = tables[0].bind().decode(device.tables.read(0, 0, None, KEY, START))
    numbers = general.basic_tables_used - {7}  # type: ignore[attr-defined]  # as declared
    for number in numbers | {2048 + n for n in general.extended_tables_used}:  # type: ignore[attr-defined]  # as declared
        image = device.tables.read(number, 0, None, KEY, START)
        record = tables[number].bind(device.parts.dims).decode(image)
        assert tables[number].bind(device.parts.dims).encode(record) == image
