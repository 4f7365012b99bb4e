"""Extended procedures on M-Bus and MEP devices: EP17 to EP19, EP39, EP41, EP61."""

from __future__ import annotations

from osgp.spec.access import FULL, MEP_WRITE, OPTICAL_WRITE
from osgp.spec.codes import REQUEST_TYPES
from osgp.spec.declare import Procedure
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import Expr, Record, Ref, octets, rest, this, uint8, uint16, uint32

ET04 = Ref("ET04")

AES = 2
"""ET04 security_mode of OSGP-AES-128-PSK."""

SWITCHOVER = 9

SCHEDULED_DATA, SCHEDULED_DATA_AND_ALARMS, ON_DEMAND_DATA, ALARMS = 1, 2, 3, 4
CLEAR_M_BUS_ALERT = 5
CLEAR_DELTA_DATA_ALERT = 12

POST_TYPES = {
    SCHEDULED_DATA: "scheduled read data",
    SCHEDULED_DATA_AND_ALARMS: "scheduled read data and alarms",
    ON_DEMAND_DATA: "on-demand data",
    ALARMS: "alarms",
    CLEAR_M_BUS_ALERT: "clear M-Bus alert",
    CLEAR_DELTA_DATA_ALERT: "clear delta data alert",
}
"""Of EP39. Only 12 is printed; the other numbers are this project's."""

WRITES: Expr = this.request_type.eq(4) + this.request_type.eq(6) + this.request_type.eq(10)
"""Request types of EP19 with data."""

SIGNED_SWITCHOVER: Expr = this.request_type.eq(SWITCHOVER) * ET04.security_mode.or_else(0).eq(AES)


class RemoveMepDevice(
    Procedure,
    number=2065,
    title="Remove M-Bus/MEP Device",
    source=Source.MEP_GUIDE,
    call=f"{MEP_WRITE} PK MBK",
    results={1: "not all removed yet", 2: "invalid action", 3: "no such handle", 4: "going on"},
    note="MBK removes only the MEP client itself.",
):
    """Takes a device out of ET13 and ET14."""

    action = uint8("primary address it gets", enum={0: "0", 1: "250"}, vci="H")
    device_handle = uint16("handle as in ET14, 65535 = all", vci="H")


class ClearMepAlarm(
    Procedure,
    number=2066,
    title="Clear MEP Alarm",
    source=Source.PROJECT,
    call=f"{MEP_WRITE} PK",
    note="Known: it clears the latched alarms of ET14.",
):
    """Clears alarms of a device where the masks have ones."""

    device_handle = uint16("handle as in ET14, 65535 = all")
    mep_alarms = uint16("bits of mep_alarms")
    device_alarms = uint8("bits of device_alarms")


class PostedRequest(Record):
    """Where a request waits."""

    entry_index = uint8("entry in ET15", vci="M")


class PostOnDemandRequest(
    Procedure,
    number=2067,
    title="Post On-demand M-Bus Request",
    source=Source.MEP_GUIDE,
    call=f"{MEP_WRITE} PK",
    response=PostedRequest,
    results={2: "invalid request type", 3: "no such device", 7: "queue full"},
    note="Data has its own length; the dimension printed is ET11.20, the rule for 4, 10 ET11.11.",
):
    """Asks a device for something; ET15 has what becomes of it."""

    transaction_number = uint16(
        "to 3FF optical, 4FF MEP, 5FF broadcast, FF00 on concentrator", vci="H"
    )
    device = uint16("handle; multicast: group mask; 10: bits of indexes", vci="H")
    request_type = uint8("what to do", enum=REQUEST_TYPES, vci="H")
    write_data_length = uint8("data", unit="bytes", when=WRITES, vci="H")
    write_data = octets(this.write_data_length, "data as sent", when=WRITES, vci="H")
    image_length = uint32(
        "image that was downloaded",
        unit="bytes",
        when=SIGNED_SWITCHOVER,
        vci="H",
        since=since("3.80", cpm="1.30"),
    )
    image_mac = octets(
        16, "MAC of the image", when=SIGNED_SWITCHOVER, vci="H", since=since("3.80", cpm="1.30")
    )


class PostMepData(
    Procedure,
    number=2087,
    title="Post MEP Data (Urgent or Non-Urgent)",
    source=Source.PROJECT,
    call=f"{MEP_WRITE} MBK",
    note=(
        "Known: types for scheduled read data, with alarms, clear M-Bus alert, 12 clear delta "
        "data alert; sized by BT00 and ET11."
    ),
):
    """What a MEP client gives to its meter: the answer to a read, or alarms."""

    post_type = uint8("what it is", enum=POST_TYPES)
    transaction_number = uint16("request it answers, 0 = none")
    device_alarms = uint8("alarms, one bit each")
    data = rest("data")


class MepDownloadInitialize(
    Procedure,
    number=2089,
    title="MEP Download Initialize",
    source=Source.PROJECT,
    call=OPTICAL_WRITE,
    note="Known: it posts requests of type 7; packets follow as type 8, then 9 switches over.",
):
    """Starts a firmware download to a MEP client."""

    device_handle = uint16("handle as in ET14")
    image_length = uint32("image to come", unit="bytes")
    packet_size = uint8("packets to come, at most 56", unit="bytes")
    image_crc = uint16("CRC of the image to come")


class MepTransactionLock(
    Procedure,
    number=2109,
    title="MEP Transaction Lock Control",
    source=Source.MEP_GUIDE,
    call=f"{FULL} MBK MAK",
    results={3: "locked by the other client", 5: "caller is no MEP client"},
    since=since("4.0"),
    note="Meters with two MEP ports. The lock ends by itself after 10 s.",
):
    """Keeps the other MEP client from ET52 and ET53."""

    lock = uint8("what to do", enum={0: "unlock", 1: "lock"}, vci="H")


__all__ = [
    "POST_TYPES",
    "ClearMepAlarm",
    "MepDownloadInitialize",
    "MepTransactionLock",
    "PostMepData",
    "PostOnDemandRequest",
    "PostedRequest",
    "RemoveMepDevice",
]
