"""The Open Smart Grid Protocol (CLC/TS 50586) in Python."""

__version__ = "0.1.0"
