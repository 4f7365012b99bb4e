"""Sequence numbers of MEP ports, kept between sessions, so that none begins with a correction.

One file of four bytes for each place. Numbers are no secret, and a wrong one costs one exchange:
the meter says which it expects. A file that cannot be read or written is no error.
(`Source.PROJECT`)
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from osgp.security.sequence import SEQUENCE_SIZE

_NAME_DIGITS: Final = 16


class SequenceFile:
    """The number of the MEP port at `place`."""

    def __init__(self, directory: Path, place: str) -> None:
        name = sha256(place.encode()).hexdigest()[:_NAME_DIGITS]
        self._path = directory / f"mep-{name}.sequence"

    def load(self) -> bytes | None:
        """What was kept; None where there is nothing of use."""
        try:
            kept = self._path.read_bytes()
        except OSError:
            return None
        return kept if len(kept) == SEQUENCE_SIZE else None

    def keep(self, state: bytes) -> None:
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_suffix(".new")
            beside.write_bytes(state)
            beside.replace(self._path)
