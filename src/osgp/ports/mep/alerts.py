"""What a meter's alert sequence is about: the flags of the MEP client's entry in ET13.

The meter repeats the sequence every second until the reason is dealt with: scheduled read data are
posted (EP39), the request in ET15 is carried out, the M-Bus or delta data alert is cleared (EP39).
Source: MEP guide v1.1, 'Alert Sequence', ET13.
"""

from __future__ import annotations

from typing import Final

from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec.tables.mbus import M_BUS_DEVICES, MepClientConfig
from osgp.wire import bind

FLAGS: Final = (
    "scheduled_read_request_alert",
    "on_demand_request",
    "m_bus_change",
    "delta_data_alert",
)


def alert_flags(reader: DeviceReader, port: int = 1) -> Exchange[frozenset[str]]:
    """Names of the flags that are set for the client of `port`; none where it has no entry.

    Raises as `DeviceReader.table`.
    """
    if not (yield from reader.has("ET13")):
        return frozenset()
    yield from reader.layout("ET13")
    entry = M_BUS_DEVICES + port - 1
    if entry >= reader.dims["ET11"].number_of_devices:
        return frozenset()
    details = yield from reader.part("ET13", f"devices[{entry}].details")
    config = bind(MepClientConfig, reader.dims).decode(details)
    return frozenset(name for name in FLAGS if getattr(config, name))


__all__ = ["FLAGS", "alert_flags"]
