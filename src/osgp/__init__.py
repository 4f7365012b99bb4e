"""The Open Smart Grid Protocol (CLC/TS 50586) in Python.

`tables` and `procedures` hold every declaration; `oma_digest` is the digest of Annex E; `lon` is
EN 14908-1. Everything is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import errors, lon
    from .security.oma import oma_digest
    from .spec import Source, procedures, tables
    from .wire import Dims

_HOMES = {
    "Dims": "osgp.wire",
    "Source": "osgp.spec",
    "errors": "osgp.errors",
    "lon": "osgp.lon",
    "oma_digest": "osgp.security.oma",
    "procedures": "osgp.spec",
    "tables": "osgp.spec",
}

__all__ = [
    "Dims",
    "Source",
    "__version__",
    "errors",
    "lon",
    "oma_digest",
    "procedures",
    "tables",
]


def __getattr__(name: str) -> Any:
    """Imports a public name from where it lives (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'osgp' has no attribute {name!r}")
    module = import_module(home)
    return module if home == f"osgp.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
