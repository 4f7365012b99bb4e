"""A record bound to dimensions: what decodes, encodes, and knows where every field is."""

from __future__ import annotations

import linecache
import struct
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from osgp.errors import DecodeError, DimensionError, EncodeError, OsgpError, Truncated

from . import interpret
from .bind import bind as bind_tree
from .bind import dependencies
from .bound import BoundNode, BoundRecord
from .dims import Dims
from .extent import extent
from .generate import Program, program
from .path import locate
from .record import Record

if TYPE_CHECKING:
    from .columns import Columns

R = TypeVar("R", bound=Record)

_SOFT_ERRORS = (
    struct.error,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    ArithmeticError,
    IndexError,
)
"""What generated code raises on bad data; the interpreter then explains it."""

_CACHE_LIMIT = 4096
_cache: dict[Any, Layout[Any]] = {}


class Span(NamedTuple):
    """Where a field is in the image: what a partial read or write asks for."""

    offset: int
    size: int


class Part(NamedTuple):
    """A field's place, and the means to decode just its bytes."""

    span: Span
    node: BoundNode
    name: str

    def decode(self, data: bytes) -> Any:
        """The field's value from exactly its bytes. Raises DecodeError."""
        value, end = interpret.decode_node(self.node, data, self.name)
        if end != len(data):
            raise DecodeError(f"{len(data) - end} bytes too many", table=self.name, offset=end)
        return value

    def encode(self, value: Any) -> bytes:
        """The field's bytes. Raises EncodeError."""
        return interpret.encode_node(self.node, value, self.name)


class Layout(Generic[R]):
    """One record under one set of dimensions. Made by `bind`, shared, immutable."""

    def __init__(self, tree: BoundRecord, name: str) -> None:
        self.tree, self.name = tree, name

    @property
    def record(self) -> type[R]:
        return self.tree.record  # type: ignore[return-value]

    @property
    def size(self) -> int | None:
        """Bytes of an image; None where they depend on the data."""
        return self.tree.size

    @cached_property
    def _compiled(self) -> tuple[Program, Callable[..., Any], Callable[..., bytes]]:
        built, decoder, encoder = program(self.tree)
        filename = f"<osgp layout {self.name} {id(self):x}>"
        namespace = dict(built.globals)
        # The package's only exec. The text is deterministic and made of declared identifiers.
        exec(compile(built.source, filename, "exec"), namespace)  # noqa: S102
        linecache.cache[filename] = (
            len(built.source),
            None,
            built.source.splitlines(True),
            filename,
        )
        return built, namespace[decoder], namespace[encoder]

    @property
    def source(self) -> str:
        """The generated Python, for reading."""
        return self._compiled[0].source

    def decode(self, data: bytes) -> R:
        """The record of a whole image. Raises Truncated, DimensionError or DecodeError."""
        record, end = self.decode_from(data)
        if end != len(data):
            raise DecodeError(f"{len(data) - end} bytes too many", table=self.name, offset=end)
        return record

    def decode_from(self, data: bytes, position: int = 0) -> tuple[R, int]:
        """The record at `position`, and the position after it."""
        size = self.tree.size
        try:
            if size is None:
                return self._compiled[1](data, position)  # type: ignore[no-any-return]
            if len(data) - position >= size:
                return self._compiled[1](data, position), position + size
        except _SOFT_ERRORS:
            pass
        except DecodeError:
            pass
        return interpret.decode(self.tree, data, self.name, position)

    def encode(self, record: R) -> bytes:
        """The image of `record`. Raises EncodeError, which names the field."""
        try:
            return self._compiled[2](record)
        except _SOFT_ERRORS:
            return self._explain(record)

    def _explain(self, record: R) -> bytes:
        try:
            return interpret.encode(self.tree, record, self.name)
        except DecodeError as error:
            raise EncodeError(str(error), table=self.name) from error

    def extent(self, beginning: bytes) -> int:
        """Bytes the image has, as far as its beginning tells; see `osgp.wire.extent`."""
        return extent(self.tree, beginning, self.name)

    def blank(self) -> R:
        """The record of an image of zeros; DimensionError where the size is not fixed."""
        if self.size is None:
            raise DimensionError("the size depends on the data", table=self.name)
        return self.decode(bytes(self.size))

    def span(self, path: str) -> Span:
        """Offset and byte count of a field: `"current.summations[2]"`, `"blocks[1:3]"`.

        Raises PathError where there is no such field or its place depends on the data.
        """
        _, offset, count = locate(self.tree, path, self.name)
        return Span(offset, count)

    def part(self, path: str) -> Part:
        """The field at `path`, decodable by itself. Raises PathError."""
        node, offset, count = locate(self.tree, path, self.name)
        return Part(Span(offset, count), node, f"{self.name}.{path}")

    def element(self, path: str) -> Layout[Any]:
        """The layout of a record inside this one. Raises PathError."""
        node, _, _ = locate(self.tree, path, self.name)
        if not isinstance(node, BoundRecord):
            raise EncodeError("not a record", table=self.name, field=path)
        return _shared(("part", self.tree, path), lambda: Layout(node, f"{self.name}.{path}"))

    def columns(self, data: bytes) -> Columns:
        """Fields of one or more whole images one after another, as numpy arrays."""
        from .columns import Columns

        return Columns(self.tree, data, self.name)

    def __repr__(self) -> str:
        return f"Layout({self.name}, {self.size} bytes)"


def bind(record: type[R], dims: Dims, name: str = "") -> Layout[R]:
    """The layout of `record` under `dims`; the same one for equal dimensions.

    Raises DimensionError where a dimension is missing or beyond its cap.
    """
    known = dims.bound.get(record)
    if known is not None:
        return known
    title = name or record.__name__
    key = ("record", record, title, dims.key(dependencies(record)))
    layout = _shared(key, lambda: Layout(bind_tree(record, dims), title))
    dims.bound[record] = layout
    return layout


def _shared(key: Any, make: Callable[[], Layout[Any]]) -> Layout[Any]:
    """A layout from the cache. Dimensions that cannot be hashed are bound anew."""
    try:
        found = _cache.get(key)
    except TypeError:
        return make()
    if found is None:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        found = _cache[key] = make()
    return found


__all__ = ["Layout", "OsgpError", "Part", "Span", "Truncated", "bind"]
