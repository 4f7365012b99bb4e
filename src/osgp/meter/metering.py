"""The measuring engine as a meter drives it: day by day, with its disturbances and its memory.

Times here are true time (unix s). The engine's state is kept once a day and when disturbances are
added; everything between follows from it again. Register values at the coming interval ends are
computed a day at a time, which is what makes thousands of meters cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from osgp.errors import DecodeError, LocalProtocolError
from osgp.meter.measuring import (
    Disturbance,
    EnergyRegisters,
    Happening,
    Kind,
    MeasuringEngine,
    PresentValues,
    Spell,
    spells,
)
from osgp.meter.measuring.disturbances import EDGES
from osgp.meter.nvm import Nvm

DAY: Final = 86_400
CELL: Final = "metering"
ENGINE_CELL: Final = "engine"

Row = list[int]
Sources = tuple[int, ...]


class MeteringState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`day` begins the first day not drawn; `edges` of known spells are still to be seen."""

    day: int
    edges: list[Disturbance] = []


class Metering:
    """One meter's measuring. Cells are put, not committed.

    `feeder` seeds the disturbances of `phases` phases; None keeps the supply undisturbed.
    """

    def __init__(self, nvm: Nvm, engine: MeasuringEngine, feeder: int | None, phases: int) -> None:
        self.engine = engine
        self._nvm, self._feeder, self._phases = nvm, feeder, phases
        self._ahead: dict[int, dict[int, Row]] = {}
        self._state = MeteringState(int(engine.time // DAY) * DAY)
        self._restore()

    # --- what happens when -------------------------------------------------------------------

    @property
    def next_day(self) -> int:
        """When `begin_day` is due."""
        return self._state.day

    @property
    def next_edge(self) -> float | None:
        """When the next disturbance begins or ends; None if none is known yet."""
        return self._state.edges[0].time if self._state.edges else None

    @property
    def power_returns(self) -> float | None:
        """When the supply comes back; None if no failure is known."""
        edges = self._state.edges
        return next((edge.time for edge in edges if edge.kind is Happening.POWER_UP), None)

    def begin_day(self) -> None:
        """Integrate up to the day's begin and draw its disturbances."""
        day = self._state.day
        if day > self.engine.time:
            self.engine.advance(day)
        self._state = msgspec.structs.replace(self._state, day=day + DAY)
        drawn = self._drawn(max(day, self.engine.time), day + DAY)
        try:
            self.undergo(drawn)
        except LocalProtocolError:
            # An outage that somebody let happen before lasts into one of this day.
            self.undergo(spell for spell in drawn if spell.kind is not Kind.POWER_FAILURE)

    def undergo(self, added: Iterable[Spell]) -> None:
        """Let disturbances happen. Raises LocalProtocolError as the engine does."""
        fresh = list(added)
        self.engine.undergo(fresh)
        edges = self._state.edges + [edge for spell in fresh for edge in _edges(spell)]
        edges.sort(key=lambda edge: edge.time)
        self._ahead.clear()
        self._nvm.put(ENGINE_CELL, self.engine.save())
        self._keep(msgspec.structs.replace(self._state, edges=edges))

    def take_edge(self) -> Disturbance:
        """The disturbance that `next_edge` announced."""
        edge, *others = self._state.edges
        self._keep(msgspec.structs.replace(self._state, edges=others))
        return edge

    # --- what is measured --------------------------------------------------------------------

    def values(
        self, recorder: int, sources: Sources, due: int, coming: Callable[[], Sequence[int]]
    ) -> Row:
        """Registers `sources` at `due`, an interval end of recorder number `recorder`.

        `coming` gives the following ones, in order.
        """
        row = self._ahead.get(recorder, {}).pop(due, None)
        if row is not None:
            return row
        midnight = -(-due // DAY) * DAY
        times = [due, *(time for time in coming() if due < time <= midnight)]
        rows = self.engine.snapshots(times, sources).tolist()
        ahead = self._ahead[recorder] = dict(zip(times, rows, strict=True))
        return ahead.pop(due)

    def registers(self, now: float) -> EnergyRegisters:
        """The registers at `now`, or at the latest time that was asked for before."""
        if now > self.engine.time:
            self.engine.advance(now)
        return self.engine.registers

    def present(self, now: float) -> PresentValues:
        """Present values at `now`, or at the latest time that was asked for before."""
        return self.engine.present(max(now, self.engine.time))

    # --- inside ------------------------------------------------------------------------------

    def _drawn(self, begin: float, end: float) -> list[Spell]:
        if self._feeder is None:
            return []
        return spells(self._feeder, begin, end, phases=self._phases)

    def _keep(self, state: MeteringState) -> None:
        self._state = state
        self._nvm.put(CELL, msgspec.msgpack.encode(state))

    def _restore(self) -> None:
        stored = self._nvm.get(CELL)
        if stored is None:
            self.begin_day()
            return
        try:
            self._state = msgspec.msgpack.decode(stored, type=MeteringState)
        except msgspec.MsgspecError as error:
            raise DecodeError(f"no saved metering: {error}") from error
        self.engine.restore(self._nvm.get(ENGINE_CELL) or b"")


def _edges(spell: Spell) -> tuple[Disturbance, Disturbance]:
    first, last = EDGES[spell.kind]
    return Disturbance(spell.begin, first, spell), Disturbance(spell.end, last, spell)
