"""Text from a device, made harmless: a terminal would obey escape sequences in a meter's name."""

from __future__ import annotations

from typing import Final

INSTEAD: Final = "·"


def printable(text: str) -> str:
    """`text` with a dot for each control character; line feeds stay."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else INSTEAD for one in text)


__all__ = ["printable"]
