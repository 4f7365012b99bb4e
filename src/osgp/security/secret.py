"""A value that must not be seen: no repr, no JSON, no pickle, no early-out comparison."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Key bytes that do not show themselves; `reveal()` is the only way to them."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves: for a cipher, never for a log."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash would compare by value, and not in constant time

    def __repr__(self) -> str:
        return f"<Secret of {len(self._value)} bytes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not serialised")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


KeyLike = bytes | Secret


def key_bytes(key: KeyLike) -> bytes:
    """The bytes of a key given plain or as a Secret."""
    return key.reveal() if isinstance(key, Secret) else key
