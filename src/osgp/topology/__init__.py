"""Finding devices, giving them addresses, and following their lives and links (clause 4)."""

from .addressing import AddressPool
from .agent import Agent
from .atm import Responder
from .discovery import Ask, Discovery, ask_for
from .lifecycle import Happening, Life, after
from .links import Carrier, LinkKey, LinkRecord, Links
from .routes import DIRECT, Route, RouteRecord, Routes
from .search import FieldClient

__all__ = [
    "DIRECT",
    "AddressPool",
    "Agent",
    "Ask",
    "Carrier",
    "Discovery",
    "FieldClient",
    "Happening",
    "Life",
    "LinkKey",
    "LinkRecord",
    "Links",
    "Responder",
    "Route",
    "RouteRecord",
    "Routes",
    "after",
    "ask_for",
]
