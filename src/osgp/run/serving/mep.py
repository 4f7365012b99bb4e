"""What a meter keeps for its MEP clients, on top of its tables.

ET50 is what clients write; ET59 and ET85 hold the answers to procedures that they called; ET04
shows the numbers of their messages; BT00 lists all of it. An answer is in BT08 as well, where the
guide leaves open what happens to it (`Source.PROJECT`).
Source: MEP guide v1.1, 'Calling Procedures', 'Multiple MEP Ports', ET04, ET50, ET59, ET85.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from osgp.errors import InsufficientSecurityClearance, OperationNotPossible, PathError
from osgp.meter import VirtualMeter
from osgp.session import Tables
from osgp.spec import tables
from osgp.spec.declare import EXTENDED
from osgp.spec.tables.general import (
    GeneralConfiguration,
    ProcedureInitiate,
    ProcedureResponse,
)
from osgp.spec.tables.mep import MepInboundDataSpace, MepProcedureResponse, MepProcedureResponse2
from osgp.spec.tables.system import SystemInformation

CELL: Final = "mep space"
CONFIGURATION: Final = GeneralConfiguration.info.number
SYSTEM: Final = SystemInformation.info.number
SPACE: Final = MepInboundDataSpace.info.number
CALL, ANSWER = ProcedureInitiate.info.number, ProcedureResponse.info.number
ANSWERS: Final = (MepProcedureResponse.info.number, MepProcedureResponse2.info.number)
NO_ANSWER: Final = bytes(4)
NUMBER_SIZE: Final = 4
ET59_FLAG: Final = "clients[0].et59_response"


class MepSpace:
    """Implements `osgp.session.Tables` for every local port of a served meter."""

    def __init__(self, meter: VirtualMeter) -> None:
        self._meter = meter
        self._answers = [NO_ANSWER, NO_ANSWER]
        self.numbers: list[Callable[[], int]] = []
        stored = meter.nvm.get(CELL)
        self._space = self._blank() if stored is None else stored

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        """Raises ServiceError as a meter does."""
        own = self._own(table)
        if own is None:
            data = self._meter.tables.read(table, offset, count, key, now)
            return _overlaid(data, offset, self._patches(table, now))
        if key not in tables[table].info.rights.read:
            raise InsufficientSecurityClearance
        end = len(own) if count is None else offset + count
        if end > len(own):
            raise OperationNotPossible(f"{tables[table].info.name} has {len(own)} bytes")
        return own[offset:end]

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        """Raises ServiceError as a meter does."""
        if table != SPACE:
            self._meter.tables.write(table, offset, data, key, now)
            return
        if key not in MepInboundDataSpace.info.rights.write:
            raise InsufficientSecurityClearance
        start, whole = offset or 0, offset is None
        if start + len(data) > len(self._space) or (whole and len(data) != len(self._space)):
            raise OperationNotPossible(f"ET50 has {len(self._space)} bytes")
        self._space = self._space[:start] + data + self._space[start + len(data) :]
        self._meter.nvm.put(CELL, self._space)

    def answered(self, port: int, now: float) -> None:
        """A procedure that the client of `port` (1, 2) called has its answer in BT08."""
        if port == 1 and not self._wants_et59():
            return
        self._answers[port - 1] = bytes(self._meter.tables.image(ANSWER, now)[:])

    def _own(self, table: int) -> bytes | None:
        if table == SPACE:
            return self._space
        return self._answers[ANSWERS.index(table)] if table in ANSWERS else None

    def _patches(self, table: int, now: float) -> list[tuple[int, bytes]]:
        if table == SYSTEM:
            return self._shown_numbers()
        return [(0, self._configuration(now))] if table == CONFIGURATION else []

    def _shown_numbers(self) -> list[tuple[int, bytes]]:
        layout = SystemInformation.bind(self._meter.parts.dims)
        shown = []
        for port, number in enumerate(self.numbers):
            for path in (f"mep_sequence_numbers[{port}]", "mep_sequence_number"):
                try:
                    place = layout.span(path)
                except PathError:
                    continue
                shown.append((place.offset, number().to_bytes(NUMBER_SIZE, "little")))
                break
        return shown

    def _configuration(self, now: float) -> bytes:
        layout = GeneralConfiguration.bind()
        general: Any = layout.decode(bytes(self._meter.tables.image(CONFIGURATION, now)[:]))
        there = {number - EXTENDED for number in (SPACE, *ANSWERS)}
        return layout.encode(
            general.with_(
                extended_tables_used=general.extended_tables_used | there,
                extended_tables_write=general.extended_tables_write | {SPACE - EXTENDED},
            )
        )

    def _wants_et59(self) -> bool:
        layout: Any = MepInboundDataSpace.bind(self._meter.parts.dims)
        place = layout.part(ET59_FLAG)
        start, count = place.span
        return bool(place.decode(self._space[start : start + count]))

    def _blank(self) -> bytes:
        layout = MepInboundDataSpace.bind(self._meter.parts.dims)
        return bytes(layout.size or 0)


class MepPortTables:
    """The same tables as the client of one MEP port sees them: its calls are answered elsewhere."""

    def __init__(self, served: Tables, space: MepSpace, port: int) -> None:
        self._served, self._space, self._port = served, space, port

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        return self._served.read(table, offset, count, key, now)

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        self._served.write(table, offset, data, key, now)
        if table == CALL:
            self._space.answered(self._port, now)


def _overlaid(data: bytes, offset: int, patches: list[tuple[int, bytes]]) -> bytes:
    """`data`, which begins at `offset` of its table, with patches at their places."""
    image = bytearray(data)
    for at, patch in patches:
        for index, byte in enumerate(patch, at - offset):
            if 0 <= index < len(image):
                image[index] = byte
    return bytes(image)
