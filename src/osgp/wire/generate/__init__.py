"""Source of a decoder and an encoder for one bound layout.

A record becomes a function. Runs of fields of fixed size become one `struct` call; arrays of
flat records become one `iter_unpack`, those of plain ones (`elements`) not even a loop. Generated
code only has to be right on good data: anything odd raises one of a few exceptions, and the caller
lets the interpreter find the words for it.

Names in the source are identifiers of declared classes and fields (Python has checked them) and
numbered helpers; no text of a peer's ever reaches it.
"""

from __future__ import annotations

from osgp.wire.bound import BoundRecord

from .decoder import Decoder
from .encoder import Encoder
from .program import Program

__all__ = ["Program", "codec"]


def codec(node: BoundRecord) -> tuple[Program, str, str]:
    """The program, and the names of its decoder `(data, position)` and encoder `(record)`."""
    built = Program()
    decoder = Decoder(built).function(node, node.record.wire_order)
    return built, decoder, Encoder(built).function(node)
