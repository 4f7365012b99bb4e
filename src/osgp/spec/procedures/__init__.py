"""Declarations of all procedures: basic ones by number, extended ones by function."""

from . import basic, clock, control, device, energy, mep, opaque

__all__ = ["basic", "clock", "control", "device", "energy", "mep", "opaque"]
