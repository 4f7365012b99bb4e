"""Arrays of plain records: decoded without a line of Python for each element."""

from __future__ import annotations

import random
from typing import Any

import pytest

from osgp.errors import Truncated
from osgp.wire import (
    Dims,
    Record,
    Ref,
    array,
    bcd,
    bind,
    bits,
    int8,
    int24,
    int32,
    interpret,
    nested,
    octets,
    this,
    uint8,
    uint16,
)

DIM = Ref("DIM")


class Pair(Record):
    number = uint16()
    mark = octets(3)


class Interval(Record, byte_order="big"):
    status = octets(2)
    values = array(int32(), 3)
    kind = int8()
    gone = uint8(since=(9, 0, 0))
    more = array(uint16(), 2)


class Absent(Record):
    gone = uint8(since=(9, 0, 0))
    values = array(uint8(), 4)


class Odd(Record):
    values = array(int24(), 2)


class Word(Record):
    low = bits(0, 3)
    high = bits(4, 7)


class Digits(Record):
    digits = bcd(2)


class Empty(Record):
    values = array(uint8(), 0)
    number = uint8()


def known(element: type[Record], count: int = 5) -> type[Record]:
    class Known(Record):
        before = uint8()
        elements = array(nested(element), count)
        after = uint16()

    return Known


def counted(element: type[Record]) -> type[Record]:
    class Counted(Record):
        count = uint8()
        elements = array(nested(element), this.count)
        after = uint16()

    return Counted


OLD = Dims(firmware=(8, 0, 0))


@pytest.mark.parametrize(
    ("element", "loops"),
    [
        (Pair, "_f"),
        (Interval, "tuple(map("),
        (Absent, "tuple(map("),
        (Odd, "for t0 in"),
        (Word, "for t0 in"),
        (Digits, "for t0 in"),
        (Empty, "for t0 in"),
    ],
)
def test_elements_are_those_that_the_interpreter_finds(element: Any, loops: str) -> None:
    layout = bind(known(element), OLD)
    image = random.Random(1).randbytes(layout.size or 0)
    record, end = interpret.decode(layout.tree, image, layout.name)
    assert (layout.decode(image), len(image)) == (record, end)
    assert layout.encode(record) == image
    assert loops in layout.source
    with pytest.raises(Truncated):
        layout.decode(image[:-3])


@pytest.mark.parametrize("element", [Pair, Interval, Odd])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_elements_that_the_data_counts(element: Any, count: int) -> None:
    layout = bind(counted(element), OLD)
    size = bind(element, OLD).size or 0
    image = bytes([count]) + random.Random(2).randbytes(count * size + 2)
    record = layout.decode(image)
    assert len(getattr(record, "elements")) == count  # noqa: B009 (no declared attribute)
    assert record == interpret.decode(layout.tree, image, layout.name)[0]
    with pytest.raises(Truncated):
        layout.decode(image[:-3])


def test_very_many_elements_need_no_format_as_long() -> None:
    layout = bind(known(Interval, 600), OLD)
    image = random.Random(3).randbytes(layout.size or 0)
    assert "tuple(map(" not in layout.source
    assert layout.decode(image) == interpret.decode(layout.tree, image, layout.name)[0]
