"""Whatever can be declared can be coded: generated code, interpreter, spans and columns agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError, EncodeError, PathError, Truncated
from osgp.wire import Dims, Layout, Record, bind, interpret
from osgp.wire.bound import BoundArray, BoundRecord, BoundRest, BoundSlot
from tests.support.records import (
    Place,
    Sample,
    dimensions,
    layouts,
    places,
    record_types,
    replaced,
    samples,
    values,
)

wire = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

JUNK: list[Any] = [
    None, -1, 1 << 70, -(1 << 70), 1.5, float("nan"), "x" * 70_000, "é", "€", "0g",
    b"", b"\0" * 70_000, (), [1], {"a": 1}, {-1}, {1.5}, {1 << 20}, object(), memoryview(b"abcd"),
]  # fmt: skip


def ends_in_rest(layout: Layout[Any]) -> bool:
    return any(isinstance(member.node, BoundRest) for member in layout.tree.members)


@wire
@given(samples())
def test_round_trip(sample: Sample) -> None:
    layout, value = sample
    image = layout.encode(value)
    assert layout.decode(image) == value
    assert layout.encode(layout.decode(image)) == image
    assert layout.size in (None, len(image))


@wire
@given(samples(), st.binary(max_size=5))
def test_generated_code_does_what_the_interpreter_does(sample: Sample, before: bytes) -> None:
    layout, value = sample
    image = layout._code.encode(value)
    assert image == interpret.encode(layout.tree, value, "T")
    found = layout._code.decode(before + image, len(before))
    expected, end = interpret.decode(layout.tree, before + image, "T", len(before))
    assert found == (expected if layout.size is not None else (expected, end))
    assert end == len(before) + len(image)


@wire
@given(samples(), st.data())
def test_every_proper_prefix_is_truncated(sample: Sample, data: st.DataObject) -> None:
    layout, value = sample
    assume(not ends_in_rest(layout))
    image = layout.encode(value)
    assume(image)
    with pytest.raises(Truncated):
        layout.decode(image[: data.draw(st.integers(0, len(image) - 1))])
    with pytest.raises(DecodeError):
        layout.decode(image + b"\0")


@wire
@given(layouts(), st.binary(max_size=400), st.booleans())
def test_any_bytes_decode_or_raise_decode_error(
    layout: Layout[Any], noise: bytes, fit: bool
) -> None:
    if fit and layout.size is not None:
        noise = (noise * (layout.size + 1))[: layout.size].ljust(layout.size, b"\x5a")
    try:
        value = layout.decode(noise)
    except DecodeError:
        with pytest.raises(DecodeError):
            whole(layout, noise)
    else:
        assert layout.encode(value) == noise
        assert whole(layout, noise) == value


def whole(layout: Layout[Any], image: bytes) -> Any:
    """As the interpreter decodes it."""
    value, end = interpret.decode(layout.tree, image, layout.name)
    if end != len(image):
        raise DecodeError("too long")
    return value


@wire
@given(samples(), st.data())
def test_a_wrong_value_is_refused_by_name_and_harms_no_neighbour(
    sample: Sample, data: st.DataObject
) -> None:
    layout, value = sample
    found = list(places(layout.tree, value))
    assume(found)
    place: Place = data.draw(st.sampled_from(found))
    wrong = replaced(value, place.steps, data.draw(st.sampled_from(JUNK)))
    try:
        image = layout.encode(wrong)
    except EncodeError as error:
        if not fits(place, wrong):
            assert error.field == place.path
        return
    assert fits(place, wrong)
    again = layout.decode(image)
    before, after = (
        {leaf.path: leaf.value for leaf in places(layout.tree, record)} for record in (value, again)
    )
    before.pop(place.path)
    after.pop(place.path)
    assert before == after or depended_upon(layout.tree, place)
    assert layout.encode(again) == image


def fits(place: Place, record: Any) -> bool:
    """Whether the value that `record` has at `place` can be coded by itself."""
    value = record
    for step in place.steps:
        value = value[step] if isinstance(step, int) else getattr(value, step)
    try:
        if isinstance(place.node, BoundSlot):
            return 0 <= value <= place.node.slot.mask and isinstance(value, int)
        writer = interpret.Writer("T")
        interpret._write(place.node, value, writer, place.scope)
    except (EncodeError, TypeError):
        return False
    return True


def depended_upon(tree: BoundRecord, place: Place) -> bool:
    """Whether the layout of some record asks for the field at `place`."""
    return any(place.steps[-1] in fields for fields in formulas(tree))


def formulas(node: Any) -> Iterator[frozenset[str]]:
    if isinstance(node, BoundArray):
        yield node.count.field_names()
        for element in node.elements:
            yield from formulas(element)
    elif isinstance(node, BoundRecord):
        for member in node.members:
            if member.when is not None:
                yield member.when.field_names()
            yield from formulas(member.node)
    elif hasattr(node, "length"):
        yield node.length.field_names()


@wire
@given(samples())
def test_spans_are_where_the_fields_are(sample: Sample) -> None:
    layout, value = sample
    image = layout.encode(value)
    for place in places(layout.tree, value):
        try:
            part = layout.part(place.path)
        except PathError:
            assert layout.size is None
            continue
        offset, size = layout.span(place.path)
        piece = image[offset : offset + size]
        assert len(piece) == size
        assert part.decode(piece) == place.value
        if not isinstance(place.node, BoundSlot):
            assert part.encode(place.value) == piece


@wire
@given(layouts(), st.integers(1, 3), st.data())
def test_columns_hold_what_decode_finds(
    layout: Layout[Any], images: int, data: st.DataObject
) -> None:
    assume(layout.size)
    records = [data.draw(values(layout.tree)) for _ in range(images)]
    columns = layout.columns(b"".join(map(layout.encode, records)))
    for path in columns:
        found = columns[path]
        assert found.shape[0] == images
        for row, record in zip(found, records, strict=True):
            assert same(row, gathered(layout.tree, record, path.split(".")))


def gathered(node: Any, value: Any, names: list[str]) -> Any:
    """Values at a path without indices, as nested lists; strings as their bytes."""
    if isinstance(node, BoundArray) and node.uniform:
        return [gathered(node.elements[0], item, names) for item in value]
    if isinstance(node, BoundRecord) and names:
        member = next(member for member in node.members if names[0] in member.names)
        return gathered(member.node, getattr(value, names[0]), names[1:])
    if isinstance(value, int | float):
        return value
    return list(interpret.encode_node(node, value, "T"))


def same(found: Any, expected: Any) -> bool:
    """Equal element by element; the shapes of empty arrays are not looked at."""
    wanted = np.array(expected, dtype=object)
    return bool(found.size == wanted.size and np.all(found == wanted))


@wire
@given(samples())
def test_extent_reaches_the_end_of_the_image(sample: Sample) -> None:
    layout, value = sample
    image = layout.encode(value)
    known = layout.extent(b"")
    steps = 0
    while known < (reached := layout.extent(image[:known])):
        assert reached <= len(image)
        known, steps = reached, steps + 1
        assert steps <= len(image)
    if ends_in_rest(layout):
        assert layout.decode(image[:known])
    else:
        assert known == len(image)


@wire
@given(record_types(), dimensions())
def test_equal_dimensions_share_a_layout(record: type[Record], dims: Dims) -> None:
    again = Dims({name: dims[name] for name in dims}, firmware=dims.firmware)
    assert bind(record, dims) is bind(record, again) is bind(record, dims)
