"""What a declaration says, how formulas print, and which declarations are refused."""

from __future__ import annotations

import types
from typing import Any

import pytest

from osgp.errors import DimensionError
from osgp.wire import (
    INDEX,
    NO_DIMS,
    Dims,
    Expr,
    Record,
    Ref,
    array,
    bcd,
    bind,
    bits,
    bitset,
    flag,
    int32,
    nested,
    ni_fmat2,
    octets,
    rest,
    set_bytes,
    text,
    this,
    uint8,
    uint16,
)
from osgp.wire.bind import dependencies, uses_index
from osgp.wire.record import Field

BT21 = Ref("BT21")


@pytest.mark.parametrize(
    ("formula", "printed"),
    [
        (BT21.summations, "BT21.summations"),
        (BT21.sets[INDEX].size + 1, "BT21.sets[n].size + 1"),
        ((BT21.a + 7) // 8, "(BT21.a + 7) // 8"),
        (set_bytes(20), "(20 + 7) // 8"),
        (1 + this.count * 2, "1 + (count * 2)"),
        (10 - this.head.length, "10 - head.length"),
        ((this.n - 3).max(0), "max(n - 3, 0)"),
        (~BT21.flag, "BT21.flag == 0"),
        ((this.a >= 1) & (this.b < 2), "(a >= 1) & (b < 2)"),
        ((this.a > 1) | (this.b <= 2), "(a > 1) | (b <= 2)"),
        (this.a.ne(3), "a != 3"),
        (this.word >> 4, "word >> 4"),
        (this.a % 4, "a % 4"),
        (2 * this.a, "2 * a"),
    ],
)
def test_formulas_print_as_documentation_shows_them(formula: Expr, printed: str) -> None:
    assert str(formula) == printed


class Everything(Record):
    count = uint8("how many")
    low = bits(0, 3)
    high = flag(4)
    values = array(int32(), this.count)
    raw = octets(BT21.size)
    name = text(4)
    number = bcd(BT21.digits // 2)
    members = bitset(set_bytes(Ref("BT00").tables))
    quantity = ni_fmat2()
    inner = array(nested(Record), BT21.sets[INDEX].count)
    end = rest()


def test_labels_are_those_of_the_guides() -> None:
    assert [field.kind.label for field in Everything.wire_fields] == [
        "UINT8",
        "UINT(0..3)",
        "BOOL(4)",
        "ARRAY[count] OF INT32",
        "ARRAY[BT21.size] OF UINT8",
        "ARRAY[4] OF CHAR",
        "ARRAY[BT21.digits // 2] OF BCD",
        "SET((BT00.tables + 7) // 8)",
        "NI_FMAT2",
        "ARRAY[BT21.sets[n].count] OF Record",
        "REST",
    ]


def test_dependencies_name_every_table_that_decides_the_layout() -> None:
    assert dependencies(Everything) == {"BT21", "BT00"}
    assert uses_index(Everything)
    assert dependencies(Outer) == {"BT21", "BT00"}
    assert not uses_index(Outer)


class Outer(Record):
    parts = array(nested(Everything), 2)


class Parent(Record):
    first = uint8()
    low = bits(0, 3)
    high = bits(4, 7)


class Child(Parent):
    second = uint16()


def test_a_record_can_extend_another() -> None:
    record = bind(Child, NO_DIMS).decode(b"\x01\x52\x03\x04")
    assert record == Child(1, 2, 5, 0x0403)
    assert bind(Child, NO_DIMS).encode(record) == b"\x01\x52\x03\x04"


class Unnamed(Record):
    low = bits(0, 3)


def test_a_record_with_unused_bits_cannot_be_extended() -> None:
    """They are members with a default, after which no field can follow."""
    with pytest.raises(TypeError, match="name the bits"):
        declare(Unnamed, second=uint8())
    assert issubclass(declare(Unnamed), Unnamed)


def declare(base: type[Record] = Record, /, **fields: Any) -> type[Record]:
    return types.new_class("Declared", (base,), {}, lambda body: body.update(fields))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"a": array(uint8(), this.later), "later": uint8()}, "later is no earlier field"),
        ({"a": octets(this.missing)}, "missing is no earlier field"),
        ({"a": uint8(when=this.a)}, "a is no earlier field"),
        ({"a": bits(0, 1), "b": flag(2, when=BT21.x)}, "its word's first field"),
        ({"a": rest(), "b": uint8()}, "nothing can follow"),
    ],
)
def test_declarations_that_no_image_can_follow(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        declare(**fields)


def test_formulas_have_no_truth_value() -> None:
    """`and`, `or`, `not` and chained comparisons would silently drop half of a formula."""
    for mistake in (
        lambda: this.a and this.b,
        lambda: not this.a,
        lambda: 0 < this.a < 5,
    ):
        with pytest.raises(TypeError, match=r"use &, \| and ~"):
            mistake()


def test_an_index_into_a_dimension_must_be_known_when_it_is_bound() -> None:
    with pytest.raises(TypeError, match="must be known"):
        BT21.sets[this.n]


def test_bits_must_lie_in_their_word() -> None:
    for lo, hi, word in ((0, 8, 8), (3, 2, 8), (-1, 0, 8), (0, 1, 9)):
        with pytest.raises(ValueError, match="no bits"):
            bits(lo, hi, word=word)
    with pytest.raises(TypeError, match="element"):
        array(5, 3)


def test_metadata_is_kept_for_listings() -> None:
    field: Field = declare(
        a=uint8("volts", unit="V", scale=0.1, enum={1: "one"}, vci="H", note="see there")
    ).wire_fields[0]
    assert (field.name, field.meaning, field.unit, field.scale) == ("a", "volts", "V", 0.1)
    assert (field.enum, field.vci, field.note) == ({1: "one"}, "H", "see there")


class NeedsDims(Record):
    values = array(uint8(), BT21.count)
    more = array(uint8(), BT21.sets[INDEX].count)


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({}, "depends on BT21, which has not been read"),
        ({"BT21": {}}, "BT21 has no 'count'"),
        ({"BT21": {"count": "3"}}, "'3', not a number"),
        ({"BT21": {"count": None}}, "not a number"),
        ({"BT21": {"count": -1}}, "-1 is outside 0..65535"),
        ({"BT21": {"count": 70_000}}, "70000 is outside 0..65535"),
        ({"BT21": {"count": 1, "sets": [{"count": 1}]}}, "index is used outside an array"),
    ],
)
def test_missing_and_absurd_dimensions(tables: dict[str, Any], reason: str) -> None:
    with pytest.raises(DimensionError, match=reason) as caught:
        bind(NeedsDims, Dims(tables), "BT23")
    assert caught.value.table == "BT23"


class Previous(Record):
    values = array(octets(BT21.sizes[INDEX - 1]), 2)


def test_an_index_never_counts_from_the_end() -> None:
    with pytest.raises(DimensionError, match="BT21 has no -1"):
        bind(Previous, Dims({"BT21": {"sizes": (1, 2)}}))
