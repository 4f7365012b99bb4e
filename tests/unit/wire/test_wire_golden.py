"""Small declarations whose bytes are written out by hand."""

from __future__ import annotations

import struct

import pytest

from osgp.errors import DecodeError, DimensionError, EncodeError, Truncated
from osgp.wire import (
    INDEX,
    NO_DIMS,
    Dims,
    Record,
    Ref,
    array,
    bcd,
    bind,
    bits,
    bitset,
    flag,
    int8,
    int24,
    int32,
    nested,
    ni_fmat1,
    octets,
    rest,
    text,
    this,
    uint8,
    uint16,
    uint40,
)


class Numbers(Record):
    a = uint8()
    b = int8()
    c = uint16()
    d = int24()
    e = uint40()


class BigNumbers(Numbers, byte_order="big"):
    pass


def test_integers_of_any_width_in_both_byte_orders() -> None:
    record = Numbers(1, -1, 0x0203, -2, 0x0405060708)
    assert bind(Numbers, NO_DIMS).encode(record) == bytes.fromhex("01 ff 0302 feffff 0807060504")
    big = BigNumbers(1, -1, 0x0203, -2, 0x0405060708)
    assert bind(BigNumbers, NO_DIMS).encode(big) == bytes.fromhex("01 ff 0203 fffffe 0405060708")


class Word(Record):
    low = bits(0, 2, word=16)
    set = flag(9, word=16)
    high = bits(12, 15, word=16)


def test_bit_fields_count_from_the_lsb_and_unnamed_bits_are_kept() -> None:
    layout = bind(Word, NO_DIMS)
    record = layout.decode(b"\xfd\x52")
    assert (record.low, record.set, record.high) == (5, True, 5)
    assert layout.encode(record) == b"\xfd\x52"
    assert layout.encode(record.with_(set=False)) == b"\xfd\x50"
    assert layout.encode(Word(low=5, set=True, high=5)) == b"\x05\x52"


class Words(Record):
    first = bits(0, 3)
    second = bits(4, 7)
    third = bits(0, 7)
    fourth = bits(0, 3)
    fifth = bits(4, 5, starts=True)


def test_a_word_ends_where_the_next_bits_do_not_rise() -> None:
    record = bind(Words, NO_DIMS).decode(b"\x21\x03\x04\x10")
    assert [getattr(record, f.name) for f in Words.wire_fields] == [1, 2, 3, 4, 1]


class Strings(Record):
    raw = octets(2)
    name = text(3)
    number = bcd(2)
    members = bitset(2)


def test_strings_and_sets() -> None:
    record = bind(Strings, NO_DIMS).decode(b"\x00\xff" + b"\xe9x " + b"\x12\x34" + b"\x81\x02")
    assert record == Strings(b"\x00\xff", "éx ", "1234", frozenset({0, 7, 9}))


class Point(Record):
    x = int8()
    y = int8()


class Shape(Record):
    count = uint8()
    origin = nested(Point)
    points = array(nested(Point), this.count)
    grid = array(array(uint8(), 2), 2)
    labels = array(text(this.count), 2)
    extra = rest()


def test_nesting_and_counts_by_earlier_fields() -> None:
    image = bytes.fromhex("02 0102 0304 05ff 01020304") + b"abcd" + b"tail"
    record = bind(Shape, NO_DIMS).decode(image)
    assert record.points == (Point(3, 4), Point(5, -1))
    assert record.grid == ((1, 2), (3, 4))
    assert record.labels == ("ab", "cd")
    assert record.extra == b"tail"
    assert bind(Shape, NO_DIMS).encode(record) == image


class Choice(Record):
    kind = bits(0, 3)
    optional = uint16(when=this.kind.eq(1))
    last = uint8()


def test_conditions_over_earlier_fields() -> None:
    layout = bind(Choice, NO_DIMS)
    assert layout.decode(b"\x01\x34\x12\x09") == Choice(1, 0x1234, 9)
    assert layout.decode(b"\x02\x09") == Choice(2, None, 9)
    with pytest.raises(EncodeError, match=r"optional.*no such field"):
        layout.encode(Choice(2, 5, 9))
    with pytest.raises(EncodeError, match="optional"):
        layout.encode(Choice(1, None, 9))


SIZES = Ref("SIZES")


class Element(Record):
    values = array(uint8(), SIZES.widths[INDEX])
    status = uint8(when=SIZES.status[INDEX])


class Ragged(Record):
    elements = array(nested(Element), SIZES.count)


def test_array_elements_whose_layout_depends_on_their_number() -> None:
    sizes = {"count": 3, "widths": (2, 0, 1), "status": (False, True, True)}
    layout = bind(Ragged, Dims({"SIZES": sizes}))
    record = layout.decode(b"\x01\x02" + b"\x03" + b"\x04\x05")
    assert record.elements == (Element((1, 2), None), Element((), 3), Element((4,), 5))
    assert layout.span("elements[2].status") == (4, 1)
    with pytest.raises(EncodeError):
        layout.encode(Ragged(record.elements[:2]))


@pytest.mark.parametrize(
    ("ni_format", "image", "value"),
    [
        (0, struct.pack("<d", 1.5), 1.5),
        (1, struct.pack("<f", -0.25), -0.25),
        (2, b"        12.5", "        12.5"),
        (3, b"  12.5", "  12.5"),
        (4, b"\xff\xff\xff\xff", -1),
        (5, bytes.fromhex("123456789012"), "123456789012"),
        (6, bytes.fromhex("12345678"), "12345678"),
        (7, b"\x01\x00\x80", -0x7FFFFF),
        (8, b"\x01\x00\x00\x00", 1),
        (9, b"\x01\x00\x00\x00\x80", 1 - (1 << 39)),
        (10, b"\x01\x00\x00\x00\x00\x80", 1 - (1 << 47)),
        (11, b"\xff" * 8, -1),
        (12, bytes(8), "0" * 16),
        (13, b" " * 21, " " * 21),
    ],
)
def test_non_integer_formats(ni_format: int, image: bytes, value: object) -> None:
    """ANSI C12.19-1997 clause 6.2."""
    layout = bind(Quantity, Dims({"BT00": {"ni_format_1": ni_format}}))
    assert layout.decode(image).value == value
    assert layout.encode(Quantity(value)) == image


class Quantity(Record):
    value = ni_fmat1()


def test_non_integers_are_int32_where_bt00_is_unknown() -> None:
    assert bind(Quantity, NO_DIMS).size == 4
    with pytest.raises(DimensionError, match="format 14"):
        bind(Quantity, Dims({"BT00": {"ni_format_1": 14}}))


def test_not_a_number_is_no_quantity() -> None:
    layout = bind(Quantity, Dims({"BT00": {"ni_format_1": 1}}))
    for number in (float("nan"), float("inf")):
        with pytest.raises(DecodeError, match="value at offset 4: not a finite number"):
            layout.decode(struct.pack("<f", number))
        with pytest.raises(EncodeError, match="value"):
            layout.encode(Quantity(number))


class Versions(Record):
    always = uint8()
    since = uint8(since=(2,))
    until = uint8(until=(3,))
    placed = uint8(since=(2,), in_place=True)


@pytest.mark.parametrize(
    ("firmware", "present"),
    [
        ((1,), {"always", "until", "placed"}),
        ((2,), {"always", "since", "until", "placed"}),
        ((3,), {"always", "since", "placed"}),
        (None, {"always", "since", "placed"}),
    ],
)
def test_fields_come_and_go_with_firmware(
    firmware: tuple[int, ...] | None, present: set[str]
) -> None:
    layout = bind(Versions, Dims(firmware=firmware))
    record = layout.decode(bytes(len(present)))
    found = {f.name for f in Versions.wire_fields if getattr(record, f.name) is not None}
    assert found == present


class Inner(Record):
    code = uint8()
    values = array(int32(), 2)


class Outer(Record):
    head = uint16()
    parts = array(nested(Inner), 2)


def test_errors_say_which_field_and_where() -> None:
    layout = bind(Outer, NO_DIMS, "T1")
    with pytest.raises(Truncated) as truncated:
        layout.decode(bytes(17))
    assert (truncated.value.table, truncated.value.field) == ("T1", "parts[1].values[1]")
    assert truncated.value.offset == 16
    assert str(truncated.value).startswith("T1.parts[1].values[1] at offset 16: ")
    with pytest.raises(DecodeError, match="2 bytes too many"):
        layout.decode(bytes(22))
    wrong = Outer(1, (Inner(1, (1, 2)), Inner(1, (1, 1 << 31))))
    with pytest.raises(EncodeError) as unfit:
        layout.encode(wrong)
    assert (unfit.value.table, unfit.value.field) == ("T1", "parts[1].values[1]")
    with pytest.raises(EncodeError, match=r"parts: 1 elements, not 2"):
        layout.encode(Outer(1, (Inner(1, (1, 2)),)))
    with pytest.raises(EncodeError, match=r"parts\[0\]: a Inner is needed, not Point"):
        layout.encode(Outer(1, (Point(1, 2), Inner(1, (1, 2)))))


def test_records_are_values() -> None:
    record = Point(1, 2)
    assert record == Point(1, 2)
    assert hash(record) == hash(Point(1, 2))
    assert record.with_(x=3) == Point(3, 2)
    assert Choice.make(kind=2) == Choice(2, None, None)
    assert repr(Word(1, True, 2)) == "Word(low=1, set=True, high=2)"
    with pytest.raises(AttributeError):
        record.x = 5
