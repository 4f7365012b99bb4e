"""Firmware versions as declarations and dimensions name them.

A meter's version 3.70.5 is `(3, 70, 5)`. Control point modules (CPM) count on a line of their own,
written with a leading zero, `(0, 1, 20)`, so that they are never mistaken for a meter. Fixes reach
older branches too ("3.13; 3.80"), and modules at another number than meters ("3.70; CPM 1.20"):
`since` takes them all.
"""

from __future__ import annotations

from typing import Final

from osgp.wire import Expr, Version
from osgp.wire.dims import Binding
from osgp.wire.expr import Const, Scope

CPM: Final = 0
"""First number of a control point module's version."""

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


class Releases(tuple[int, ...]):
    """Releases that brought a change: one for each line and branch.

    As a tuple it is the newest meter release. `firmware >= releases` asks whether `firmware`
    has the change, which is what binding does with a field's `since` and `until`.
    """

    alternatives: tuple[Version, ...]

    def __new__(cls, *alternatives: Version) -> Releases:
        self = super().__new__(cls, max(alternatives))
        self.alternatives = tuple(sorted(alternatives))
        return self

    def __le__(self, firmware: Version) -> bool:
        """`firmware >= self`: Python asks the subclass first."""
        return any(_reached(firmware, self, release) for release in self.alternatives)

    def __gt__(self, firmware: Version) -> bool:
        """`firmware < self`."""
        return not self.__le__(firmware)

    def __str__(self) -> str:
        return "; ".join(str_of(release) for release in self.alternatives)


def since(*meter: str, cpm: str | None = None) -> Releases:
    """`since("3.13", "3.80", cpm="1.20")`: first releases with a change.

    Without a meter release only modules have it, without a CPM release only meters.
    """
    modules = () if cpm is None else ((CPM, *version(cpm)),)
    return Releases(*(version(text) for text in meter), *modules)


class FirmwareHas(Expr):
    """1 where the firmware has a change, else 0: sizes that grew with a release."""

    __slots__ = ("_releases",)

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    def bind(self, scope: Scope) -> Expr:
        assert isinstance(scope, Binding)
        return Const(int(scope.applies(self._releases, None)))

    def __str__(self) -> str:
        return f"[firmware from {self._releases}]"


def has(*meter: str, cpm: str | None = None) -> Expr:
    """1 in sizes of firmware from these releases on, else 0; arguments as of `since`."""
    return FirmwareHas(since(*meter, cpm=cpm))


def version(text: str) -> Version:
    """`"2.10q"` as `(2, 10, 17)`. ValueError where it is no version."""
    numbers = [int(part.rstrip(_LETTERS)) for part in text.split(".")]
    letters = [_LETTERS.index(letter) + 1 for letter in text if letter in _LETTERS]
    return (*numbers, *letters)


def str_of(release: Version) -> str:
    """`"3.70"`, `"CPM 1.20"`."""
    first, *others = release[1:] if release[0] == CPM else release
    dotted = ".".join([str(first), *(f"{number:02d}" for number in others)])
    return f"CPM {dotted}" if release[0] == CPM else dotted


def packed_version(high: int, low: int) -> Version:
    """The version in BT01 bytes 14 and 15: `(0x30, 0x18)` is 3.00.24."""
    number = high << 8 | low
    return (number >> 12, number >> 5 & 0x7F, number & 0x1F)


def _reached(firmware: Version, newest: Version, release: Version) -> bool:
    """Whether `firmware` is at or after `release`, on the same line and, if older, branch."""
    if firmware < release or (firmware[0] == CPM) != (release[0] == CPM):
        return False
    return release[0] == CPM or release == tuple(newest) or _branch(firmware) == _branch(release)


def _branch(firmware: Version) -> tuple[int, int]:
    """3.13 and 3.12 are of one branch, 3.80 is of another."""
    return firmware[0], firmware[1] // 10


__all__ = ["CPM", "FirmwareHas", "Releases", "has", "packed_version", "since", "str_of", "version"]
