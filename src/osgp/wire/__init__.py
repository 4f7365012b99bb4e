"""The record language: declare a table once, read it in many ways. Knows nothing of OSGP.

Declare with `Record` and the constructors of `fields`; bind to dimensions with `bind`; the
`Layout` decodes, encodes, gives the place of every field and turns long lists into columns.
"""

from .dims import NO_DIMS, Dims
from .expr import INDEX, Expr, Ref, set_bytes, this
from .fields import (
    array,
    bcd,
    bits,
    bitset,
    flag,
    int8,
    int16,
    int24,
    int32,
    int40,
    int48,
    int64,
    nested,
    ni_fmat1,
    ni_fmat2,
    octets,
    rest,
    text,
    uint8,
    uint16,
    uint24,
    uint32,
    uint40,
    uint48,
    uint64,
)
from .layout import Layout, Part, Span, bind
from .record import Field, Record, Version
from .rings import Ring
from .times import Date, LTimeDate, RDate, STimeDate, Time

__all__ = [
    "INDEX",
    "NO_DIMS",
    "Date",
    "Dims",
    "Expr",
    "Field",
    "LTimeDate",
    "Layout",
    "Part",
    "RDate",
    "Record",
    "Ref",
    "Ring",
    "STimeDate",
    "Span",
    "Time",
    "Version",
    "array",
    "bcd",
    "bind",
    "bits",
    "bitset",
    "flag",
    "int8",
    "int16",
    "int24",
    "int32",
    "int40",
    "int48",
    "int64",
    "nested",
    "ni_fmat1",
    "ni_fmat2",
    "octets",
    "rest",
    "set_bytes",
    "text",
    "this",
    "uint8",
    "uint16",
    "uint24",
    "uint32",
    "uint40",
    "uint48",
    "uint64",
]
