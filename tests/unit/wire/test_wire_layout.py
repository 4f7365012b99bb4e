"""Layouts: sharing, generated source, paths, parts, extent, columns."""

from __future__ import annotations

import gc
import linecache
import traceback
from typing import Any

import numpy as np
import pytest

from osgp.errors import DecodeError, DimensionError, EncodeError, PathError, Truncated
from osgp.wire import (
    NO_DIMS,
    Dims,
    Layout,
    Record,
    Ref,
    array,
    bind,
    bits,
    flag,
    int24,
    int32,
    nested,
    octets,
    rest,
    this,
    uint8,
    uint16,
)

DIM = Ref("DIM")


class Reading(Record):
    status = uint8()
    low = bits(0, 3)
    valid = flag(7)
    values = array(int32(), DIM.channels)


class Block(Record):
    sequence = uint16()
    readings = array(nested(Reading), DIM.intervals)


class Variable(Record):
    kind = uint8()
    maybe = uint16(when=this.kind.eq(1))
    count = uint8()
    values = array(uint16(), this.count)
    end = rest()


def block(channels: int = 2, intervals: int = 3) -> Layout[Block]:
    return bind(Block, Dims({"DIM": {"channels": channels, "intervals": intervals}}))


def test_layouts_are_shared_by_equal_dimensions() -> None:
    assert block() is block()
    assert block() is not block(channels=3)
    lists = Dims({"DIM": {"channels": [2], "intervals": 3}})
    assert lists.key(frozenset({"DIM"})) == lists.key(frozenset({"DIM"}))


class Unhashable:
    """A dimension table that cannot be a key."""

    __hash__ = None  # type: ignore[assignment]  # on purpose
    channels, intervals = 2, 3


def test_dimensions_that_cannot_be_hashed_still_bind() -> None:
    dims = Dims({"DIM": Unhashable()})
    layout = bind(Block, dims)
    assert layout is bind(Block, dims)
    assert layout.size == block().size


def test_firmware_is_part_of_the_key() -> None:
    old, new = (Dims({"DIM": {"channels": 1, "intervals": 1}}, firmware=f) for f in ((1,), (2,)))
    assert bind(Block, old) is not bind(Block, new)
    assert old.with_firmware((2,)).firmware == (2,)
    assert "DIM" in repr(old.with_table("BT00", {}))


def test_generated_source_is_shown_in_tracebacks_and_goes_with_its_layout() -> None:
    layout = bind(Block, Dims({"DIM": Unhashable()}))
    assert "unpack" in layout.source
    (name,) = [name for name in linecache.cache if linecache.getlines(name) == shown(layout)]
    try:
        layout._code.encode(None)
    except AttributeError as error:
        text = "".join(traceback.format_exception(error))
        assert name in text
        assert any(line.strip() in text for line in shown(layout) if "sequence" in line)
    del layout
    gc.collect()
    assert name not in linecache.cache


def shown(layout: Layout[Any]) -> list[str]:
    return layout.source.splitlines(True)


def test_the_same_layout_always_has_the_same_source() -> None:
    first: Layout[Block] = Layout(block().tree, "T")
    assert first.source == block().source


@pytest.mark.parametrize(
    ("path", "span"),
    [
        ("", (0, 32)),
        ("sequence", (0, 2)),
        ("readings", (2, 30)),
        ("readings[0]", (2, 10)),
        ("readings[2].status", (22, 1)),
        ("readings[1].low", (13, 1)),
        ("readings[1].valid", (13, 1)),
        ("readings[1].values[1]", (18, 4)),
        ("readings[1:3]", (12, 20)),
        ("readings[0].values[0:2]", (4, 8)),
    ],
)
def test_spans(path: str, span: tuple[int, int]) -> None:
    assert block().span(path) == span


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing", "Block has no field nothing"),
        ("sequence.x", "a field x is not there"),
        ("sequence[0]", "an element 0 is not there"),
        ("sequence[0:1]", r"an element \[0:1\] is not there"),
        ("readings.status", "a field status"),
        ("readings[3]", "it has 3 elements"),
        ("readings[2:2]", "it has 3 elements"),
        ("readings[999999999]", "it has 3 elements"),
        (".sequence", "no field path"),
        ("readings[0]status", "no field path"),
        ("readings[-1]", "no field path"),
        ("readings[" + "9" * 5000 + "]", "no field path"),
        ("readings..x", "no field path"),
        ("sequence ", "no field path"),
        ("readings[0", "no field path"),
    ],
)
def test_paths_that_lead_nowhere(path: str, reason: str) -> None:
    with pytest.raises(PathError, match=reason):
        block().span(path)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("maybe", "whether maybe is there depends"),
        ("count", "the place of count depends"),
        ("values[0]", "the place of values depends"),
        ("", "its length depends"),
    ],
)
def test_paths_that_only_data_decides(path: str, reason: str) -> None:
    layout = bind(Variable, NO_DIMS)
    assert layout.span("kind") == (0, 1)
    with pytest.raises(PathError, match=reason):
        layout.span(path)


def test_elements_that_the_data_counts_have_places() -> None:
    """As ET36, whose first byte is the number of its logs."""

    class Logs(Record):
        count = uint8()
        logs = array(nested(Reading), this.count)
        after = uint8()

    layout = bind(Logs, Dims({"DIM": {"channels": 2}}))
    assert layout.span("logs[0]") == (1, 10)
    assert layout.span("logs[2].values[1]") == (1 + 2 * 10 + 6, 4)
    assert layout.span("logs[1:3]") == (11, 20)
    with pytest.raises(PathError, match="at most"):
        layout.span("logs[99999]")
    for path in ("logs", "after"):
        with pytest.raises(PathError, match="depends on the data"):
            layout.span(path)
    assert layout.element("logs[4]").size == 10


def test_fields_that_this_device_lacks_have_no_place() -> None:
    class Newer(Record):
        added = uint8(since=(2,))

    with pytest.raises(PathError, match="this device has no added"):
        bind(Newer, Dims(firmware=(1,))).span("added")


def test_parts_code_just_their_bytes() -> None:
    layout = block()
    part = layout.part("readings[1].values")
    assert part.decode(bytes.fromhex("01000000 ffffffff")) == (1, -1)
    assert part.encode((1, -1)) == bytes.fromhex("01000000 ffffffff")
    with pytest.raises(Truncated, match=r"Block\.readings\[1\]\.values\[1\]"):
        part.decode(bytes(7))
    with pytest.raises(DecodeError, match="1 bytes too many"):
        part.decode(bytes(9))
    with pytest.raises(EncodeError, match="1 elements, not 2"):
        part.encode((1,))


def test_a_bit_field_is_read_from_its_word_and_never_written_alone() -> None:
    assert block().part("readings[0].low").decode(b"\x85") == 5
    assert block().part("readings[0].valid").decode(b"\x85") is True
    with pytest.raises(EncodeError, match="shares its bytes"):
        block().part("readings[0].low").encode(5)


def test_elements_have_layouts_of_their_own() -> None:
    layout = block()
    inner = layout.element("readings[0]")
    assert inner is layout.element("readings[0]")
    assert inner.record is Reading
    assert inner.size == 10
    with pytest.raises(PathError, match="no record"):
        layout.element("sequence")


def test_decode_from_gives_the_position_behind_the_record() -> None:
    layout = block(1, 1)
    assert layout.decode_from(b"\xff" * 3 + bytes(8), 3) == (layout.blank(), 11)
    with pytest.raises(Truncated):
        layout.decode_from(bytes(8), 3)
    record, end = bind(Variable, NO_DIMS).decode_from(bytes.fromhex("ee 00 01 0203"), 1)
    assert (record.count, record.values, end) == (1, (0x0302,), 5)


def test_blank_is_the_record_of_zeros() -> None:
    assert block().blank() == block().decode(bytes(32))
    with pytest.raises(DimensionError, match="depends on the data"):
        bind(Variable, NO_DIMS).blank()


def test_extent_grows_with_what_is_known() -> None:
    layout = bind(Variable, NO_DIMS)
    image = bytes.fromhex("01 3412 02 0100 0200")
    assert [layout.extent(image[:n]) for n in (0, 1, 3, 4, 8)] == [1, 4, 4, 8, 8]
    assert layout.extent(b"\x00") == 2
    assert block().extent(b"") == 32


def test_extent_refuses_absurd_announcements() -> None:
    class Long(Record):
        count = uint16()
        values = array(octets(100), this.count)

    assert bind(Long, NO_DIMS).extent(b"\x10\x00") == 1602
    with pytest.raises(DimensionError, match="announces 6553502 bytes"):
        bind(Long, NO_DIMS).extent(b"\xff\xff")


def test_columns_are_views_with_one_row_for_each_image() -> None:
    layout = block()
    image = bytes(range(32))
    columns = layout.columns(image * 4)
    assert set(columns) == {"sequence", "readings.status", "readings.low", "readings.valid",
                            "readings.values"}  # fmt: skip
    assert len(columns) == 5
    values = columns["readings.values"]
    assert values.shape == (4, 3, 2)
    assert values.dtype == np.dtype("<i4")
    assert not values.flags.owndata
    expected = [reading.values for reading in layout.decode(image).readings]
    assert values[2].tolist() == [list(row) for row in expected]
    assert columns["readings.valid"].dtype == bool
    assert columns["readings.low"].tolist()[0] == [3, 13, 7]


def test_columns_of_odd_widths_are_widened() -> None:
    class Odd(Record, byte_order="big"):
        a = int24()
        b = bits(4, 19, word=24)

    columns = bind(Odd, NO_DIMS).columns(bytes.fromhex("ffffff 012345 800000 fedcba"))
    assert columns["a"].tolist() == [-1, -0x800000]
    assert columns["b"].tolist() == [0x1234, 0xEDCB]


def test_columns_need_whole_images_of_fixed_size() -> None:
    with pytest.raises(Truncated, match="33 bytes"):
        block().columns(bytes(33))
    with pytest.raises(DimensionError, match="fixed size"):
        bind(Variable, NO_DIMS).columns(b"")
    with pytest.raises(PathError, match="no column 'x'"):
        block().columns(b"")["x"]
