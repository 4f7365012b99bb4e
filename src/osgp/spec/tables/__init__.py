"""Declarations of all tables, by C12.19 decade (basic) and by function (extended)."""

from . import registers

__all__ = ["registers"]
