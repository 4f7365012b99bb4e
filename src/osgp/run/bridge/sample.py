"""One reading of a meter as it is published: judged, named, in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from osgp.run.reading.mbus import DOWN, MBusDevice
from osgp.run.reading.survey import Meter, Survey

from .plausible import Plausibility
from .sensors import Measured, Sensor, measured, measured_mbus


class Sample(msgspec.Struct, frozen=True):
    """What one visit brought. `withheld`: keys of values that were not believed, with the reason.

    `old`: why the whole reading is not believed; '' where it is.
    """

    taken: datetime
    meter: Meter
    values: tuple[Measured, ...]
    withheld: dict[str, str]
    old: str = ""

    @property
    def body(self) -> bytes:
        """The JSON object that is published; values by key, and by OBIS code where there is one."""
        coded = {one.sensor.obis: one.value for one in self.values if one.sensor.obis}
        tree: dict[str, Any] = {
            "taken": self.taken,
            "values": {one.sensor.key: one.value for one in self.values},
            "obis": coded,
        }
        if self.withheld:
            tree["withheld"] = self.withheld
        return msgspec.json.encode(tree)


def sample_of(
    survey: Survey, devices: Iterable[MBusDevice], judge: Plausibility, now: float
) -> Sample:
    """Judges everything that was read. `now`: true time, s."""
    old = judge.clock(survey.state.clock, now) or ""
    found = [(one, "") for one in measured(survey)]
    for device in devices:
        found += [(one, _unheard(device, one)) for one in measured_mbus(device)]
    believed: list[Measured] = []
    withheld: dict[str, str] = {}
    for one, unheard in () if old else found:
        reason = unheard or judge.judge(one, now)
        if not reason:
            believed.append(one)
        else:
            withheld[one.sensor.key] = reason
    taken = datetime.fromtimestamp(now, UTC)
    return Sample(taken, survey.meter, tuple(believed), withheld, old)


def _unheard(device: MBusDevice, one: Measured) -> str:
    """Why a value of a device is old: the meter does not reach it any more."""
    silent = device.state == DOWN and one.number is not None
    return "the M-Bus device does not answer the meter" if silent else ""


def worth_showing(values: Iterable[Measured]) -> list[Sensor]:
    """Sensors of values that are not zero: meters list many quantities that they never measure."""
    return [one.sensor for one in values if one.value or one.sensor.key == "net_power"]
