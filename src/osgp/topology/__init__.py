"""Finding devices, giving them addresses, and following their lives (clause 4)."""

from .addressing import AddressPool
from .atm import Responder
from .discovery import Ask, Discovery
from .lifecycle import Happening, Life, after

__all__ = ["AddressPool", "Ask", "Discovery", "Happening", "Life", "Responder", "after"]
