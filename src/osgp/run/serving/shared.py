"""The one line that optical and MEP port of a meter before generation 4 share.

Whichever side is used first after the meter started makes the line for both.
"""

from __future__ import annotations

from collections.abc import Callable

from osgp.ports.optical import OpticalServer
from osgp.ports.sharing import MepSide, OpticalSide, Port, SharedUart


class SharedLine:
    """`restarts` is the number of the meter's life; `on_sent`: the optical side has something to
    say although nothing reached it.
    """

    def __init__(
        self,
        optical: Callable[[], OpticalServer],
        mep: Callable[[], Port],
        restarts: Callable[[], int],
        on_sent: Callable[[], None],
    ) -> None:
        self._optical, self._mep = optical, mep
        self._restarts, self._on_sent = restarts, on_sent
        self._made: tuple[int, SharedUart] | None = None

    def optical_side(self) -> OpticalSide:
        return self._uart().optical_side

    def mep_side(self) -> MepSide:
        return self._uart().mep_side

    def _uart(self) -> SharedUart:
        life = self._restarts()
        if self._made is None or self._made[0] != life:
            self._made = life, SharedUart(self._optical(), self._mep(), self._on_sent)
        return self._made[1]


__all__ = ["SharedLine"]
