"""What `osgp read` shows: who the meter is, its clock, state and alarms, and all its registers.

Every table is read only if BT00 has it. One that the meter refuses, or that does not fit its
layout, is noted in `missing` and nothing more; what could not be authenticated ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from osgp.errors import DecodeError, ServiceError
from osgp.export import obis
from osgp.export.quantities import Named, source_at
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec.firmware import str_of
from osgp.spec.source_ids import PRESENT_VALUES, SUMMATIONS, Quantity
from osgp.spec.units import UNITS

from .energy_unit import energy_unit, scale_of

MANUFACTURER_ALARMS: Final = "manufacturer_alarms"
EXTENDED_ALARMS: Final = "extended_alarms"
_MODES: Final = frozenset({"metering_mode", "test_mode", "meter_shop_mode"})


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """One register or present value, in its base unit (Wh, W, V, A, Hz).

    `place` is its path in the tables, `source` its source id; `tier` 0 is the first tariff, None
    the total.
    """

    place: str
    source: int
    name: str
    value: float
    unit: str
    obis: str | None = None
    tier: int | None = None


class Meter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who the meter is."""

    serial: str = ""
    utility_number: str = ""
    manufacturer: str = ""
    model: str = ""
    hardware: str = ""
    firmware: str = ""
    transceiver_id: str = ""


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """How it is. `clock` is the meter's UTC, `behind` seconds that it lags this machine's."""

    clock: datetime | None = None
    behind: float | None = None
    local: str = ""
    tier: int | None = None
    season: int | None = None
    contactor: str = ""
    signal: str = ""
    alarms: tuple[str, ...] = ()


class Survey(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of it. `missing`: tables that could not be read, and why."""

    taken: datetime
    meter: Meter
    state: State
    energies: tuple[Reading, ...] = ()
    present: tuple[Reading, ...] = ()
    missing: dict[str, str] = {}


def survey(reader: DeviceReader, now: datetime | None = None) -> Exchange[Survey]:
    """Reads all that `osgp read` shows. Raises as `DeviceReader.table`, but for refusals."""
    surveyor = Surveyor(reader)
    meter = yield from surveyor.meter()
    state = yield from surveyor.state(now)
    energies = yield from surveyor.energies()
    present = yield from surveyor.present()
    taken = now or datetime.now(UTC)
    return Survey(taken, meter, state, energies, present, surveyor.missing)


class Surveyor:
    """Reads tables as far as the meter gives them."""

    def __init__(self, reader: DeviceReader) -> None:
        self._reader = reader
        self.missing: dict[str, str] = {}

    def meter(self) -> Exchange[Meter]:
        """BT01, BT05, ET03, ET04."""
        made = yield from self._try("BT01", once=True)
        device = yield from self._try("BT05", once=True)
        number = yield from self._field("ET03", "utility_serial_number")
        transceiver = yield from self._field("ET04", "transceiver_id")
        firmware = self._reader.dims.firmware
        utility = (number or "").strip("\0 ") or _digits(device and device.identification)
        known = Meter(utility_number=utility, transceiver_id=(transceiver or b"").hex())
        if made is None:
            return known
        return msgspec.structs.replace(
            known,
            serial=_digits(made.manufacturer_serial_number),
            manufacturer=made.manufacturer.strip("\0 "),
            model=made.model.strip("\0 "),
            hardware=f"{made.hardware_version_number}.{made.hardware_revision_number}",
            firmware=str_of(firmware) if firmware else "",
        )

    def state(self, now: datetime | None = None) -> Exchange[State]:
        """BT52, BT55, BT03; ET23 and ET04 as far as the key opens them."""
        clock = yield from self._try("BT52")
        moment = now or datetime.now(UTC)
        local = yield from self._try("BT55")
        status = yield from self._try("BT03")
        contactor = yield from self._coded("ET23", "disconnect_internal_status")
        signal = yield from self._coded("ET04", "plc_signal_quality_status")
        reads = None if clock is None else _moment(clock)
        return State(
            clock=reads,
            behind=None if reads is None else (moment - reads).total_seconds(),
            local=_local(local),
            tier=None if local is None else local.current_tier,
            season=None if local is None else local.season,
            contactor=contactor,
            signal=signal,
            alarms=() if status is None else tuple(alarms_of(status)),
        )

    def energies(self) -> Exchange[tuple[Reading, ...]]:
        """BT22 and BT23: every register that is not zero in a unit of its own."""
        record = yield from self._try("BT23")
        if record is None:
            return ()
        selection = yield from self._try("BT22", once=True)
        images = yield from self._images({"BT22": selection})
        unit = yield from energy_unit(self._reader)
        sources = () if selection is None else selection.summation_sources
        default = tuple(quantity.number for quantity in SUMMATIONS)
        return tuple(_registers(record, sources or default, images, unit))

    def present(self) -> Exchange[tuple[Reading, ...]]:
        """BT27 and BT28."""
        record = yield from self._try("BT28")
        if record is None:
            return ()
        selection = yield from self._try("BT27", once=True)
        images = yield from self._images({"BT27": selection})
        sources = () if selection is None else selection.present_value_sources
        default = tuple(quantity.number for quantity in PRESENT_VALUES)
        numbered = enumerate(zip(sources or default, record.values, strict=False))
        found = (
            _reading(f"BT28.values[{n}]", source, value, images) for n, (source, value) in numbered
        )
        return tuple(found)

    def optional(self, table: str) -> Exchange[Any]:
        """A table, or None where the device has none or refuses it; `missing` says why."""
        return (yield from self._try(table))

    def _images(self, known: dict[str, Any]) -> Exchange[dict[str, Any]]:
        """What names sources: the selection, and ET66 where the device has it."""
        mapping = yield from self._try("ET66", once=True)
        found = known | {"ET66": mapping}
        return {name: record for name, record in found.items() if record is not None}

    def _coded(self, table: str, field: str) -> Exchange[str]:
        value = yield from self._field(table, field)
        if value is None:
            return ""
        layout = yield from self._reader.layout(table)
        codes = next(f.enum for f in layout.record.wire_fields if f.name == field) or {}
        return str(dict(codes).get(value, value))

    def _try(self, table: str, *, once: bool = False) -> Exchange[Any]:
        """A table, or None where the device has none or refuses it."""
        if table in self.missing or not (yield from self._reader.has(table)):
            return None
        try:
            return (yield from (self._reader.once if once else self._reader.table)(table))
        except (ServiceError, DecodeError) as error:
            self.missing[table] = str(error)
            return None

    def _field(self, table: str, path: str) -> Exchange[Any]:
        """One field, or None; what one key may not see is no surprise."""
        if not (yield from self._reader.has(table)):
            return None
        try:
            return (yield from self._reader.part(table, path))
        except ServiceError as error:
            self.missing[table] = str(error)
        except DecodeError as error:
            self.missing[f"{table}.{path}"] = str(error)
        return None


def alarms_of(status: Any) -> Iterator[str]:
    """BT03 in words: every flag that is set, every alarm by its name."""
    for field in status.wire_fields:
        value = getattr(status, field.name)
        if field.name in (MANUFACTURER_ALARMS, EXTENDED_ALARMS):
            names = dict(field.enum or {})
            yield from (names.get(number, f"alarm {number}") for number in sorted(value or ()))
        elif value is True and field.name not in _MODES:
            yield field.meaning


def _registers(
    record: Any, sources: tuple[int, ...], images: dict[str, Any], unit: int
) -> Iterator[Reading]:
    blocks: list[tuple[int | None, str, Any]] = [
        (None, "total_data_block", record.total_data_block)
    ]
    blocks += [
        (tier, f"tier_data_block[{tier}]", block)
        for tier, block in enumerate(record.tier_data_block)
    ]
    for tier, path, block in blocks:
        for index, (source, value) in enumerate(zip(sources, block.summations, strict=False)):
            place = f"BT23.{path}.summations[{index}]"
            yield _reading(place, source, value, images, tier=tier, unit=unit, energy=True)


def _reading(
    place: str,
    source: int,
    stored: int,
    images: dict[str, Any],
    *,
    tier: int | None = None,
    unit: int = 1,
    energy: bool = False,
) -> Reading:
    quantity = energy_quantity(source, images) if energy else source_at(images, source)
    symbol = quantity.unit if isinstance(quantity, Quantity) else ""
    stored *= scale_of(symbol, unit)
    factor, base = (UNITS[symbol].factor, UNITS[symbol].base) if symbol in UNITS else (1.0, symbol)
    value = round(stored * factor, 6) if factor != 1.0 else stored
    name = quantity.name if isinstance(quantity, Quantity) else str(quantity)
    code = obis.code_of(source, tier, energy=energy)
    return Reading(place, source, name, value, base, code, tier)


def energy_quantity(source: int, images: dict[str, Any]) -> Named:
    """A summation's quantity: some ids stand for energies there and for powers elsewhere."""
    for quantity in SUMMATIONS:
        if quantity.number == source:
            return quantity
    return source_at(images, source)


def _digits(text: str | None) -> str:
    """A number without leading zeros; all of them where nothing else is there."""
    shown = (text or "").strip("\0 ")
    return shown.lstrip("0") or shown


def _moment(clock: Any) -> datetime | None:
    try:
        moment: datetime = clock.clock_calendar.to_datetime()
    except DecodeError:
        return None
    return moment


def _local(clock: Any) -> str:
    moment = None if clock is None else _moment(clock)
    if moment is None:
        return ""
    summer = " (summer time)" if clock.daylight_saving_time else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{summer}"
