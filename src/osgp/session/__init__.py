"""Table services and procedures over any port: conversations, client and server (clause 9)."""

from .client import TableClient
from .exchange import Exchange, Send, Wait
from .server import Tables, TableServer

__all__ = ["Exchange", "Send", "TableClient", "TableServer", "Tables", "Wait"]
