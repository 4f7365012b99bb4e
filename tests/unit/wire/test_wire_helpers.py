"""Dates, circular lists, and walking over a record."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from osgp.errors import DecodeError
from osgp.wire import (
    NO_DIMS,
    Date,
    LTimeDate,
    RDate,
    Record,
    Ring,
    STimeDate,
    Time,
    array,
    bind,
    nested,
    uint8,
    uint16,
)
from osgp.wire.rings import Entry
from osgp.wire.walk import walk


def test_dates_and_times() -> None:
    moment = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
    assert LTimeDate.of(moment) == LTimeDate(24, 2, 29, 23, 59, 58)
    assert LTimeDate.of(moment).to_datetime() == moment
    assert STimeDate.of(moment).to_datetime() == moment.replace(second=0)
    assert Time(23, 59, 58).to_time() == time(23, 59, 58)
    assert bind(LTimeDate, NO_DIMS).encode(LTimeDate.of(moment)).hex() == "18021d173b3a"


def test_date_in_sixteen_bits() -> None:
    """ANSI C12.19 DATE: year 0..6, month 7..10, day 11..15."""
    image = (24 | 2 << 7 | 29 << 11).to_bytes(2, "little")
    assert bind(Date, NO_DIMS).decode(image).to_date() == date(2024, 2, 29)


def test_recurring_dates() -> None:
    """RDATE with month 15: every `period`, plus `delta`; bits 4..9 and 10..15."""
    image = (15 | 37 << 4 | 51 << 10).to_bytes(2, "little")
    record = bind(RDate, NO_DIMS).decode(image)
    assert (record.month, record.period, record.delta) == (15, 37, 51)
    fixed = bind(RDate, NO_DIMS).decode((12 | 3 << 4 | 5 << 8 | 24 << 11).to_bytes(2, "little"))
    assert (fixed.month, fixed.offset, fixed.weekday, fixed.day) == (12, 3, 5, 24)


@pytest.mark.parametrize(
    "record",
    [LTimeDate(24, 0, 1, 0, 0, 0), LTimeDate(24, 2, 30, 0, 0, 0), LTimeDate(24, 1, 1, 24, 0, 0),
     STimeDate(255, 13, 1, 0, 0), LTimeDate(24, 1, 1, 0, 0, 255)],
)  # fmt: skip
def test_what_is_no_date(record: LTimeDate | STimeDate) -> None:
    with pytest.raises(DecodeError, match="no date or time"):
        record.to_datetime()
    with pytest.raises(DecodeError):
        Time(24, 0, 0).to_time()
    with pytest.raises(DecodeError):
        Date(24, 13, 1).to_date()


def test_rings_wrap() -> None:
    ring = Ring(capacity=5, valid=3, last_element=1, last_sequence=40)
    assert list(ring.entries()) == [Entry(4, 38), Entry(0, 39), Entry(1, 40)]
    assert list(ring.entries(after=38)) == [Entry(0, 39), Entry(1, 40)]
    assert list(ring.entries(after=40)) == []
    assert list(Ring(5, 0, 200, 7).entries()) == []


@pytest.mark.parametrize("ring", [Ring(5, 6, 0, 9), Ring(5, 1, 5, 9), Ring(0, 1, 0, 9)])
def test_rings_that_contradict_themselves(ring: Ring) -> None:
    with pytest.raises(DecodeError):
        list(ring.entries())


class Channel(Record):
    source = uint8(enum={1: "energy"})
    values = array(uint16(), 2, "counts", unit="Wh", scale=0.5)


class Tree(Record):
    number = uint8(unit="V")
    channels = array(nested(Channel), 2)
    absent = uint8(since=(9,))


def test_walk_lists_every_field_with_path_and_unit() -> None:
    record = Tree(7, (Channel(1, (2, 3)), Channel(4, (5, 6))), None)
    leaves = list(walk(record))
    assert [(leaf.path, leaf.scaled) for leaf in leaves] == [
        ("number", 7),
        ("channels[0].source", 1),
        ("channels[0].values[0]", 1.0),
        ("channels[0].values[1]", 1.5),
        ("channels[1].source", 4),
        ("channels[1].values[0]", 2.5),
        ("channels[1].values[1]", 3.0),
    ]
    assert [leaf.field.unit for leaf in leaves] == ["V", None, "Wh", "Wh", None, "Wh", "Wh"]
    assert leaves[1].field.enum == {1: "energy"}
    assert next(leaf.path for leaf in walk(Channel(1, (2, 3)), "x.")) == "x.source"
