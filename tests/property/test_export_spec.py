"""What is said about declarations is true of every one of them, bound and decoded."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError, EncodeError, OsgpError, PathError
from osgp.export.declared import declaration_json
from osgp.export.describe import Description, Row, describe
from osgp.export.explain import explain
from osgp.export.plain import plain, record_of
from osgp.export.schema import schema_of
from osgp.spec import overlay, procedures, tables
from osgp.spec.notation import NotationError, formula_of
from osgp.wire import Dims, Layout, bind
from osgp.wire.places import Place, places
from osgp.wire.resolve import resolve

from .spec_samples import NEWEST, TABLES, changed

SMALL = changed(
    BT21={"number_of_demands": 0, "date_time": False, "number_of_tiers": 0},
    ET54={"multiple_load_profile_data_sets": False},
)
REGISTRIES: tuple[Any, ...] = (tables, procedures)
DECLARATIONS: dict[str, Any] = {name: one[name] for one in REGISTRIES for name in one}
each_declaration = pytest.mark.parametrize("name", DECLARATIONS)
few = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=80)


def image(layout: Layout[Any], seed: int) -> tuple[Any, bytes]:
    """A record and its image; random where the layout takes random bytes."""
    rng = random.Random(seed)
    for data in (rng.randbytes(layout.size or 600), bytes(rng.choices(range(3), k=400))):
        try:
            record, end = layout.decode_from(data)
        except DecodeError:
            continue
        return record, data[:end]
    record, end = layout.decode_from(bytes(70_000))
    return record, bytes(end)


class Lookup:
    """A dimension table for formulas: attributes and indices; what is not there is 0."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getattr__(self, name: str) -> Any:
        return _shown(self.value.get(name, 0))

    def __getitem__(self, index: int) -> Any:
        return _shown(self.value[index] if index < len(self.value) else {})


def _shown(value: Any) -> Any:
    return int(value) if isinstance(value, int) else Lookup(value)


class Evaluator:
    """The numbers that formulas stand for, in elements `index` of all arrays of one device."""

    def __init__(self, described: Description, images: dict[str, Any], index: int) -> None:
        self.rows = {row.path: row for row in described.rows}
        self.index = index
        self.names: dict[str, Any] = {name: Lookup(value) for name, value in images.items()}
        self.names |= dict.fromkeys("nmkj", index) | {
            "max": max,
            "holds": lambda value: int(bool(value)),
            "size": self.size,
            "end": self.end,
        }

    def size(self, path: str) -> int:
        before = re.fullmatch(r"(.*)\[0\.\.(\w)-1\]", path)
        if before:
            return sum(self.size(f"{before[1]}[{before[2]}]") for _ in range(self.index))
        row = self.rows[path]
        return self.value(row.size) if self.is_there(row) else 0

    def end(self, path: str) -> int:
        return self.value(self.rows[path].offset) + self.size(path)

    def is_there(self, row: Row) -> bool:
        return row.condition is None or bool(self.value(row.condition))

    def value(self, text: int | str | None) -> int:
        if not isinstance(text, str):
            assert text is not None
            return text
        quoted = re.sub(r"\b(size|end)\(([\w.\[\]-]+)\)", r"\1('\2')", text)
        return int(eval(_conditions(quoted), {"__builtins__": {}}, self.names))


def _conditions(text: str) -> str:
    """Brackets that are no index become calls."""
    out, closing = "", []
    in_name = False
    for place, sign in enumerate(text):
        in_name ^= sign == "'"
        before = text[place - 1] if place else " "
        if sign == "[" and not in_name:
            index = before.isalnum() or before in "_]"
            closing.append("]" if index else ")")
            out += "[" if index else "holds("
        elif sign == "]" and not in_name:
            out += closing.pop()
        else:
            out += sign
    return out


DATA = re.compile(r"(?<![\w.])(?!size|end|max|holds|sum|for)[a-z]\w*(?=[.\s)*]|$)")


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("dims", [NEWEST, SMALL], ids=["much", "little"])
@each_declaration
def test_offsets_and_sizes_are_those_of_the_bound_layout(name: str, dims: Dims, index: int) -> None:
    declaration = DECLARATIONS[name]
    layout = declaration.bind(dims)
    described = describe(declaration)
    evaluator = Evaluator(described, dict(dims), index)
    for row in described.rows:
        path = re.sub(r"\[[nmkj]\]", f"[{index}]", row.path)
        try:
            found = resolve(layout, path)
        except PathError:
            continue
        if found.path != path or (index and "0..n-1" in f"{row.offset}"):
            continue
        assert evaluator.value(row.offset) == found.offset, row
        if "sum(" not in str(row.size):
            assert evaluator.value(row.size) == found.size, row
        if row.bits is not None:
            assert row.bits == found.bits


def test_formulas_are_compared() -> None:
    """The comparison above reaches formulas, not only numbers."""
    described = describe(tables["BT23"])
    evaluator = Evaluator(described, TABLES, 1)
    layout = tables["BT23"].bind(NEWEST)
    rows = [row for row in described.leaves if isinstance(row.offset, str)]
    assert len(rows) > 10
    last = "tier_data_block[n].coincidents[m].coincidents"
    offset = evaluator.value(evaluator.rows[last].offset)
    assert offset == layout.span("tier_data_block[1].coincidents[1].coincidents").offset > 300
    assert evaluator.value(described.size) == layout.size


@each_declaration
def test_json_has_the_promised_keys(name: str) -> None:
    shown = declaration_json(DECLARATIONS[name])
    rights = {"call", "response", "results"} if name[1] == "P" else {"read", "write"}
    assert shown.keys() == {"name", "number", "title", "source", "size", "fields"} | rights
    for field in shown["fields"]:
        assert tuple(field) == PROMISED
        assert field["offset"] is not None


PROMISED = (
    *("path", "offset", "size", "bits", "type", "unit", "default", "vci"),
    *("since", "source", "meaning"),
)


@each_declaration
@few
@given(seed=st.integers(0, 2**32 - 1))
def test_an_image_in_words(name: str, seed: int) -> None:
    layout = DECLARATIONS[name].bind(NEWEST)
    record, data = image(layout, seed)
    assert layout.encode(record_of(layout.record, plain(record))) == data
    found = list(places(layout, record))
    assert end_of(found) == len(data)
    check_schema(schema_of(DECLARATIONS[name]), plain(record), name)
    rows = list(explain(name, layout, record, {}))
    assert [row.path for row in rows] == [place.path for place in found]
    assert all(isinstance(row.text, str) for row in rows)
    if layout.size is not None:
        check_offsets(layout, random.Random(seed).sample(found, min(10, len(found))))


def check_schema(schema: dict[str, Any], value: Any, where: str) -> None:
    """As much of JSON Schema as the schemas use."""
    if "anyOf" in schema:
        chosen = schema["anyOf"][isinstance(value, dict)]
        check_schema(chosen, value, where)
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(type(value) in TYPES[kind] for kind in kinds), where
    if isinstance(value, dict):
        assert schema["additionalProperties"] is False
        for name, inner in value.items():
            hidden = name.startswith("_fill")
            known = schema["patternProperties"].values() if hidden else ()
            wanted = next(iter(known), None) or schema["properties"][name]
            check_schema(wanted, inner, f"{where}.{name}")
    elif isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**6), where
        for inner in value:
            check_schema(schema["items"], inner, where)
    elif isinstance(value, str):
        assert re.search(schema.get("pattern", ""), value), where
        assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**6), where
    else:
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), where


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def end_of(found: list[Place]) -> int:
    """Bytes that places cover in order, without a gap."""
    end = 0
    for place in found:
        assert place.offset in (end, end - place.size) if place.bits else place.offset == end
        end = place.offset + place.size
    return end


def check_offsets(layout: Layout[Any], found: list[Place]) -> None:
    """Byte and bit lead to the field that stands there."""
    for place in found:
        if not place.size:
            continue
        bit = "" if place.bits is None else f".{place.bits[0]}"
        resolved = resolve(layout, f"{layout.name}.{place.offset}{bit}")
        assert resolved.offset == place.offset
        if not resolved.names:
            assert place.path.startswith(resolved.path) or resolved.path.startswith(place.path)
            assert resolved.bits == place.bits or place.bits is None


@many
@given(st.text(max_size=30))
def test_no_name_breaks_the_resolver(text: str) -> None:
    layout = bind(tables["BT52"], NEWEST)
    try:
        found = resolve(layout, text)
    except PathError:
        return
    assert 0 <= found.offset < 7


@many
@given(st.text(alphabet="BT61.data_sets[n]0 +-*/()max,=<>andornot%", max_size=60))
def test_no_formula_breaks_the_notation(text: str) -> None:
    try:
        formula_of(text)
    except (NotationError, TypeError):
        return


_types = st.sampled_from(
    (
        *("UINT8", "INT24", "UINT48", "NI_FMAT1", "LTIME_DATE", "RDATE", "BOOL(2)", "UINT(1..4)"),
        *("ARRAY[3] OF UINT8", "ARRAY[ET11.data_entry_size - 500] OF CHAR", "SET(2)"),
        *("LIST[2] OF INT16", "LIST[ET11.number_of_devices] OF Part", "Part"),
    )
)
_fields = st.lists(
    st.tuples(_types, st.sampled_from((None, "ET11.number_of_devices > 5", "first == 1"))),
    min_size=1,
    max_size=8,
)


@few
@given(_fields, st.booleans(), st.integers(0, 2**32 - 1))
def test_overlays_bind_decode_and_come_undone(
    fields: list[tuple[str, str | None]], extend: bool, seed: int
) -> None:
    before: Any = tables["ET48"]
    lines = ["[ET48]", f"extend = {str(extend).lower()}", "[[ET48.fields]]"]
    lines += ['name = "first"', 'type = "UINT8"']
    for number, (kind, when) in enumerate(fields):
        lines += ["[[ET48.fields]]", f'name = "field_{number}"', f'type = "{kind}"']
        if kind.startswith(("BOOL", "UINT(")):
            lines.append("starts = true")
        lines += [] if when is None else [f'when = "{when}"']
    lines += ["[[ET48.records.Part.fields]]", 'name = "a"', 'type = "INT16"']
    applied = overlay.loads("\n".join(lines))
    try:
        layout: Layout[Any] = tables["ET48"].bind(NEWEST)
        record, data = image(layout, seed)
        assert layout.encode(record_of(layout.record, plain(record))) == data
        assert describe(tables["ET48"]).rows[-1].path.startswith(f"field_{len(fields) - 1}")
    finally:
        applied.undo()
    assert tables["ET48"] is before


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("fields", "name", "type", "records", "x")), inner)
    ),
    max_leaves=8,
)


@many
@given(st.dictionaries(st.sampled_from(("EP16", "ET48", "BT23", "about", "XX")), _values))
def test_no_overlay_breaks_the_loader(content: dict[str, Any]) -> None:
    before = {name: DECLARATIONS[name] for name in ("EP16", "ET48")}
    try:
        text = "\n".join(_toml(name, value) for name, value in content.items())
        applied = overlay.loads(text)
    except OsgpError:
        assert before == {"EP16": procedures["EP16"], "ET48": tables["ET48"]}
        return
    applied.undo()


def _toml(name: str, value: Any) -> str:
    return f"{name} = {_inline(value)}"


def _inline(value: Any) -> str:
    match value:
        case None:
            return '""'
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case list():
            return f"[{', '.join(_inline(item) for item in value)}]"
        case dict():
            return "{" + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items()) + "}"
    return "'" + re.sub(r"[\x00-\x1f\x7f']", "", str(value)) + "'"


@many
@given(st.binary(max_size=40), st.sampled_from(sorted(TABLES)))
def test_no_tree_breaks_the_builder(data: bytes, name: str) -> None:
    layout = tables[name].bind(NEWEST)
    tree: Any = {layout.record.wire_fields[0].name: data.hex(), "_fill0": data[:1].hex()}
    with pytest.raises(EncodeError):
        record_of(layout.record, tree | {"nonsense": 1})
