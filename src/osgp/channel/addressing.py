"""Which stations a frame is for: an index from address keys to sites.

The medium computes reception for these stations only.  Keys are whatever the composition's
`destination_key` makes of a frame: the channel knows no address format.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


class AddressIndex:
    """Site indices per key, in ascending order; and all attached sites."""

    __slots__ = ("_arrays", "_by_key", "_keys", "_sites")

    def __init__(self) -> None:
        self._by_key: dict[Hashable, list[int]] = {}
        self._keys: dict[int, frozenset[Hashable]] = {}
        self._sites: list[int] = []
        self._arrays: dict[Hashable, NDArray[np.intp]] = {}

    def keys_of(self, site: int) -> frozenset[Hashable]:
        return self._keys.get(site, frozenset())

    def add(self, site: int, keys: frozenset[Hashable]) -> None:
        insort(self._sites, site)
        self._arrays.pop(None, None)
        self.change(site, keys)

    def remove(self, site: int) -> None:
        self.change(site, frozenset())
        del self._keys[site]
        self._sites.remove(site)
        self._arrays.pop(None, None)

    def change(self, site: int, keys: frozenset[Hashable]) -> None:
        """Replace the keys of `site`."""
        before = self.keys_of(site)
        self._keys[site] = keys
        for key in before - keys:
            self._arrays.pop(key, None)
            self._discard(key, site)
        for key in keys - before:
            self._arrays.pop(key, None)
            insort(self._by_key.setdefault(key, []), site)

    def find(self, key: Hashable | None) -> Sequence[int] | NDArray[np.intp]:
        """Sites with `key`, ascending; all sites for None."""
        sites = self._sites if key is None else self._by_key.get(key, ())
        if len(sites) < 16:
            return sites
        array = self._arrays.get(key)
        if array is None:
            array = self._arrays[key] = np.array(sites, dtype=np.intp)
        return array

    def _discard(self, key: Hashable, site: int) -> None:
        sites = self._by_key[key]
        del sites[bisect_left(sites, site)]
        if not sites:
            del self._by_key[key]
