"""What OSGP's tables, procedures, services and events look like: declarations only.

Classes are in `tables`, `procedures` and `services` modules; the registries `tables` and
`procedures` hold them by name and number.
"""

from . import procedures as _procedures
from . import tables as _tables
from .declare import (
    EXTENDED,
    PENDING,
    Procedure,
    ProcedureInfo,
    Registry,
    Rights,
    Table,
    TableInfo,
    procedure_name,
    procedures,
    table_name,
    tables,
)
from .source import Source

__all__ = [
    "EXTENDED",
    "PENDING",
    "Procedure",
    "ProcedureInfo",
    "Registry",
    "Rights",
    "Source",
    "Table",
    "TableInfo",
    "procedure_name",
    "procedures",
    "table_name",
    "tables",
]

del _procedures, _tables
