"""What OSGP's tables, procedures, services and events look like: declarations only."""

from . import tables as _tables
from .declare import Procedure, Registry, Table, procedures, tables
from .source import Source

__all__ = ["Procedure", "Registry", "Source", "Table", "procedures", "tables"]

del _tables
