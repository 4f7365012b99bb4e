"""A peer's numbers never decide an allocation, and its bytes never break a decoder."""

from __future__ import annotations

import tracemalloc
from array import array as machine_array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError, DimensionError, EncodeError, Truncated
from osgp.wire import (
    INDEX,
    NO_DIMS,
    Dims,
    Record,
    Ref,
    array,
    bind,
    int32,
    nested,
    octets,
    this,
    uint8,
    uint16,
    uint24,
    uint32,
)
from osgp.wire.limits import MAX_FIELD_BYTES, MAX_IMAGE_BYTES, MAX_VARIED_ELEMENTS

PEER = Ref("PEER")
MEBIBYTE = 1 << 20


@contextmanager
def little_memory(most: int = MEBIBYTE) -> Iterator[None]:
    """Fails where the block allocates more than `most` bytes at a time."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most


class Wide(Record):
    values = array(int32(), PEER.count)


class Deep(Record):
    rows = array(array(array(uint8(), PEER.count), PEER.count), PEER.count)


class Long(Record):
    data = octets(PEER.count)


class Element(Record):
    data = octets(PEER.sizes[INDEX])


class Ragged(Record):
    elements = array(nested(Element), PEER.count)


@pytest.mark.parametrize("record", [Wide, Deep, Long, Ragged])
@pytest.mark.parametrize("count", [-1, MAX_IMAGE_BYTES + 1, 1 << 24, 1 << 64])
def test_absurd_dimensions_are_refused_without_allocating(record: type[Record], count: int) -> None:
    dims = Dims({"PEER": {"count": count, "sizes": (1,) * 4}})
    with little_memory(), pytest.raises(DimensionError):
        bind(record, dims)


def test_dimensions_that_multiply_beyond_any_table_are_refused() -> None:
    with little_memory(), pytest.raises(DimensionError, match="no table is longer"):
        bind(Deep, Dims({"PEER": {"count": 255}}))
    many = MAX_VARIED_ELEMENTS + 1
    with little_memory(), pytest.raises(DimensionError, match=f"{many} is outside"):
        bind(Ragged, Dims({"PEER": {"count": many, "sizes": (1,) * many}}))


class Counted(Record):
    count = uint32()
    values = array(uint8(), this.count)


class Sized(Record):
    size = uint24()
    data = octets(this.size)


class Listed(Record):
    count = uint16()
    items = array(nested(Counted), this.count)


def test_absurd_counts_in_the_data_are_refused_without_allocating() -> None:
    with little_memory(), pytest.raises(DimensionError, match=r"4294967295 is outside 0\.\.65535"):
        bind(Counted, NO_DIMS).decode(b"\xff" * 100)
    with little_memory(), pytest.raises(DimensionError):
        bind(Sized, NO_DIMS).decode(b"\xff" * 100)
    with little_memory(), pytest.raises(Truncated):
        bind(Listed, NO_DIMS).decode(b"\xff\xff" + bytes(100))
    with little_memory(), pytest.raises(DimensionError):
        bind(Counted, NO_DIMS).extent(b"\xff\xff\xff\xff")


def test_what_cannot_be_decoded_is_not_encoded() -> None:
    size = MAX_FIELD_BYTES + 1
    with pytest.raises(EncodeError, match="data"):
        bind(Sized, NO_DIMS).encode(Sized(size, bytes(size)))
    with pytest.raises(EncodeError, match="values"):
        bind(Counted, NO_DIMS).encode(Counted(size, (0,) * size))


class Divided(Record):
    by = uint8()
    values = array(uint8(), (this.by + 11) % this.by)


class Optional(Record):
    kind = uint8()
    header = nested(Counted, when=this.kind.eq(1))
    values = array(uint8(), this.header.count)


@given(st.binary(max_size=12))
@settings(max_examples=200)
def test_formulas_without_a_value_are_dimension_errors(data: bytes) -> None:
    """Division by zero, and a size that an absent field would have given."""
    for record in (Divided, Optional):
        with suppress(DecodeError):
            bind(record, NO_DIMS).decode(data)
    with pytest.raises(DimensionError, match=r"values.*has no value"):
        bind(Divided, NO_DIMS).decode(b"\x00" + data)
    with pytest.raises(DimensionError, match="values"):
        bind(Optional, NO_DIMS).decode(b"\x00" + data)


@pytest.mark.parametrize(
    "tables",
    [
        {"PEER": None},
        {"PEER": 5},
        {"PEER": []},
        {"PEER": {"count": 2.0}},
        {"PEER": {"count": {}}},
        {"PEER": {"count": 2, "sizes": 7}},
        {"PEER": {"count": 2, "sizes": (1,)}},
        {"PEER": {"count": 2, "sizes": {0: 1}}},
        {"PEER": {"count": 2, "sizes": (1, b"x")}},
    ],
)
def test_dimensions_of_the_wrong_shape(tables: dict[str, Any]) -> None:
    with pytest.raises(DimensionError):
        bind(Ragged, Dims(tables))


def test_values_that_only_look_like_bytes_do_not_shift_their_neighbours() -> None:
    class Pair(Record):
        size = uint8()
        data = octets(this.size)

    for wrong in (
        machine_array("I", [1, 2, 3, 4]),
        memoryview(bytes(16)).cast("I"),
        "abcd",
        [1] * 4,
    ):
        with pytest.raises(EncodeError, match="data"):
            bind(Pair, NO_DIMS).encode(Pair(4, wrong))
