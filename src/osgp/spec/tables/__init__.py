"""Declarations of all tables, by C12.19 decade (basic) and by function (extended)."""

from . import (
    dimensions,
    general,
    interface,
    load_profile,
    load_profile_internal,
    logs,
    registers,
    system,
    time_tou,
)

__all__ = [
    "dimensions",
    "general",
    "interface",
    "load_profile",
    "load_profile_internal",
    "logs",
    "registers",
    "system",
    "time_tou",
]
