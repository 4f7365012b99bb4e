"""Declarations of all procedures: basic ones by number, extended ones by function."""

from . import basic, clock

__all__ = ["basic", "clock"]
