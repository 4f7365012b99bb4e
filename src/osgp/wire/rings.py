"""Circular lists with a header, as self reads, logs and load profiles keep them.

A header says how many entries are valid, which array element is the newest, and the sequence
number of the newest entry. Elements fill upwards and wrap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from osgp.errors import DecodeError


class Entry(NamedTuple):
    """A valid entry: the array element it is in, and its sequence number."""

    element: int
    sequence: int


class Ring(NamedTuple):
    """The state of a circular list of `capacity` elements."""

    capacity: int
    valid: int
    last_element: int
    last_sequence: int

    def entries(self, after: int | None = None) -> Iterator[Entry]:
        """Valid entries, oldest first; only those with a sequence number above `after`.

        Raises DecodeError where the header contradicts itself or the capacity.
        """
        self._check()
        for age in range(self.valid - 1, -1, -1):
            sequence = self.last_sequence - age
            if after is None or sequence > after:
                yield Entry((self.last_element - age) % self.capacity, sequence)

    def _check(self) -> None:
        if self.valid > self.capacity:
            raise DecodeError(f"{self.valid} valid entries in a list of {self.capacity}")
        if self.valid and self.last_element >= self.capacity:
            raise DecodeError(f"last entry {self.last_element} in a list of {self.capacity}")
