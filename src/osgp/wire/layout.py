"""A record bound to dimensions: what decodes, encodes, and knows where every field is."""

from __future__ import annotations

import linecache
import struct
import weakref
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from osgp.errors import DecodeError, DimensionError, PathError

from . import interpret
from .bind import bind as bind_tree
from .bind import dependencies
from .bound import BoundNode, BoundRecord
from .dims import Dims
from .extent import extent
from .path import locate
from .record import Record

if TYPE_CHECKING:
    from .columns import Columns, Plan

R = TypeVar("R", bound=Record)

_SOFT_ERRORS = (
    struct.error,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    ArithmeticError,
    DecodeError,
)
"""What generated code raises on bad data; the interpreter then explains it."""

_CACHE_LIMIT = 1024
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


class Code(NamedTuple):
    """Generated functions and their source."""

    decode: Callable[..., Any]
    encode: Callable[..., bytes]
    source: str


class Layout(Generic[R]):
    """One record under one set of dimensions. Made by `bind`, shared, immutable."""

    def __init__(self, tree: BoundRecord, name: str) -> None:
        self.tree, self.name = tree, name
        self._elements: dict[str, Layout[Any]] = {}

    @property
    def record(self) -> type[R]:
        return self.tree.record  # type: ignore[return-value]  # a tree forgets which record it is of

    @property
    def size(self) -> int | None:
        """Bytes of an image; None where they depend on the data."""
        return self.tree.size

    @cached_property
    def _code(self) -> Code:
        from .generate import codec  # only what decodes needs it: importing a registry does not

        built, decoder, encoder = codec(self.tree)
        filename, source = f"<osgp layout {self.name} {id(self):x}>", built.source
        namespace = dict(built.globals)
        # The package's only exec. The text is deterministic and made of declared identifiers.
        exec(compile(source, filename, "exec"), namespace)  # noqa: S102  # see above
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        weakref.finalize(self, linecache.cache.pop, filename, None)
        return Code(namespace[decoder], namespace[encoder], source)

    @property
    def source(self) -> str:
        """The generated Python, for reading."""
        return self._code.source

    def decode(self, data: bytes) -> R:
        """The record of a whole image. Raises Truncated, DimensionError or DecodeError."""
        if len(data) == self.tree.size:
            try:
                return self._code.decode(data, 0)  # type: ignore[no-any-return]  # it is generated
            except _SOFT_ERRORS:
                pass
        record, end = self.decode_from(data)
        if end != len(data):
            raise DecodeError(f"{len(data) - end} bytes too many", table=self.name, offset=end)
        return record

    def decode_from(self, data: bytes, position: int = 0) -> tuple[R, int]:
        """The record at `position`, and the position after it. Raises as `decode`."""
        size, decoder = self.tree.size, self._code.decode
        try:
            if size is None:
                return decoder(data, position)  # type: ignore[no-any-return]  # it is generated
            if len(data) - position >= size:
                return decoder(data, position), position + size
        except _SOFT_ERRORS:
            pass
        return interpret.decode(self.tree, data, self.name, position)

    def encode(self, record: R) -> bytes:
        """The image of `record`. Raises EncodeError, which names the field."""
        encoder = self._code.encode
        try:
            return encoder(record)
        except _SOFT_ERRORS:
            return interpret.encode(self.tree, record, self.name)

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
        found = self._elements.get(path)
        if found is None:
            node, _, _ = locate(self.tree, path, self.name)
            if not isinstance(node, BoundRecord):
                raise PathError(f"{self.name}.{path}: no record")
            found = self._elements[path] = Layout(node, f"{self.name}.{path}")
        return found

    @cached_property
    def _plan(self) -> Plan:
        from .columns import Plan

        return Plan(self.tree, self.name)

    def columns(self, data: bytes) -> Columns:
        """Fields of one or more whole images one after another, as numpy arrays.

        Raises DimensionError for a layout of variable size, Truncated for a partial image.
        """
        return self._plan.columns(data)

    def __repr__(self) -> str:
        return f"Layout({self.name}, {self.size} bytes)"


def bind(record: type[R], dims: Dims, name: str = "") -> Layout[R]:
    """The layout of `record` under `dims`; the same one for equal dimensions.

    Raises DimensionError where a dimension is missing or beyond its cap.
    """
    known = dims.bound.get(record)
    if known is None:
        known = dims.bound[record] = _shared(record, dims, name or record.__name__)
    return known


def _shared(record: type[R], dims: Dims, name: str) -> Layout[R]:
    """A layout from the cache. Dimensions that cannot be hashed are bound anew."""
    key = (record, name, dims.key(dependencies(record)))
    try:
        found = _cache.get(key)
    except TypeError:
        return _made(record, dims, name)
    if found is None:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        found = _cache[key] = _made(record, dims, name)
    return found


def _made(record: type[R], dims: Dims, name: str) -> Layout[R]:
    try:
        return Layout(bind_tree(record, dims), name)
    except DimensionError as error:
        raise DimensionError(error.reason, table=name, field=error.field) from error


__all__ = ["Layout", "Part", "Span", "bind"]
