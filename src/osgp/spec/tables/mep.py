"""MEP clients and transactions: ET27, ET28, ET50 to ET53, ET59, ET71, ET85."""

from __future__ import annotations

from osgp.spec.access import EVERY, FULL, MEP_WRITE, OPTICAL_WRITE
from osgp.spec.declare import Table
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import (
    Record,
    Ref,
    array,
    bits,
    flag,
    nested,
    ni_fmat1,
    octets,
    this,
    uint8,
    uint16,
)

from .general import ProcedureOutcome

ET11 = Ref("ET11")

ICON_STATES = {0: "off", 1: "on", 2: "flashing"}

TRANSACTION_TYPES = {
    0: "requests",
    1: "responses",
    2: "partial responses",
    3: "group broadcast",
    4: "group broadcast denied",
}

GROUP_BROADCAST = 3

HEADER_AND_TRAILER = 7
"""Bytes of a transaction besides groups and messages."""


class TransactionMessage(Record):
    """A request or response in a transaction, without security."""

    length = uint16("the message, not 0", unit="bytes", vci="H")
    message = octets(this.length, "request or response", vci="H")


class Groups(Record):
    """Who a group broadcast is for."""

    count = uint8("group ids", vci="H")
    group_ids = array(
        uint16(), this.count, "YYFF: all of YY; FFYY and FFFF: everybody; 0: nobody", vci="H"
    )


class Transaction(Record):
    """Header of a transaction: what is in front of its `TransactionMessage`s.

    They fill `transaction_size` up to its last two bytes, which repeat the number.
    """

    transaction_size = uint16("everything, from here on", unit="bytes", vci="H")
    transaction_type = uint8("what is in it", enum=TRANSACTION_TYPES, vci="H")
    transaction_number = uint16("links request and response", vci="H")
    groups = nested(Groups, "of a group broadcast", when=this.transaction_type.eq(GROUP_BROADCAST))


class TransactionTable(Table):
    """What the transaction tables have in common; `Transaction` reads the content."""

    transaction_size = uint16("everything, from here on", unit="bytes", vci="H")
    transaction_type = uint8("what is in it", enum=TRANSACTION_TYPES, vci="H")
    transaction_number = uint16("links request and response", vci="H")


class TransactionRequestTable(
    TransactionTable,
    number=2075,
    title="Transaction Request Table",
    source=Source.PROJECT,
    read=EVERY,
    write=OPTICAL_WRITE,
    note="Layout of ET52; taken to have the length that ET11 gives for RAM-only requests.",
):
    """Requests that the device executes in turn."""

    content = octets(ET11.ram_only_transaction_request_length - 5, "messages, number, unused")


class TransactionResponseTable(
    TransactionTable,
    number=2076,
    title="Transaction Response Table",
    source=Source.PROJECT,
    read=EVERY,
    note="Layout of ET52; taken to have the length that ET11 gives for RAM-only responses.",
):
    """Responses to the requests of ET27."""

    content = octets(ET11.ram_only_transaction_response_length - 5, "messages, number, unused")


class MepTransactionRequestTable(
    TransactionTable,
    number=2100,
    title="MEP Transaction Request Table",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=f"{MEP_WRITE} MBK",
    nvm_read=True,
    nvm_write=True,
    note=(
        "The length of the first message is printed as L1 for L0. The text has 769 bytes, "
        "which is the length of a response in RAM."
    ),
):
    """Requests of a concentrator for a MEP client, or of the client for its meter."""

    content = octets(ET11.transaction_request_length - 5, "messages, number, unused", vci="H")


class MepTransactionResponseTable(
    TransactionTable,
    number=2101,
    title="MEP Transaction Response Table",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    nvm_write=True,
):
    """Responses to the requests of ET52."""

    content = octets(ET11.transaction_response_length - 5, "messages, number, unused", vci="H")


class InboundClient(Record):
    """What a MEP client tells its meter."""

    identification = octets(30, "MEP ID of the client", vci="M", default=bytes(30))
    device_registered = flag(0, "the client is present", vci="M", default=False)
    et59_response = flag(1, "procedures answer in ET59, not BT08", vci="M", default=False)
    m_bus_alerts = flag(2, "wants alerts of M-Bus events", vci="M", default=False)
    delta_data_alerts = flag(3, "wants alerts of ET71", vci="M", default=False)
    icon_display_control = array(
        uint16(), ET11.mep_data_sources, "icons with each value, one bit each", vci="M"
    )
    data_sources = array(
        ni_fmat1(), ET11.mep_data_sources, "values for display and load profile", vci="M"
    )
    house_icon = bits(0, 3, "house icon", enum=ICON_STATES, vci="M", default=0)
    short_bar = bits(4, 7, "reserved", vci="M", default=0)
    medium_bar = bits(0, 3, "reserved", starts=True, vci="M", default=0)
    long_bar = bits(4, 7, "reserved", vci="M", default=0)
    reserved = uint16("", vci="M")


class MepInboundDataSpace(
    Table,
    number=2098,
    title="MEP Inbound Data Space",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=f"{MEP_WRITE} MBK",
    note="The spare bytes of the id string are printed one too few.",
):
    """What MEP clients write: who they are, and values to show or record."""

    clients = array(
        nested(InboundClient),
        ET11.mep_channel_count.or_else(1),
        "for each client; one before 4.0",
    )


class MepClientSettings(Record):
    """How a MEP client is watched."""

    enable_optical_dos_timer = flag(
        0, "long optical sessions are ended", vci="H", default=True, note="4.0: see ET55"
    )
    monitor_mep_health = flag(1, "the client's activity is watched", vci="H", default=False)
    reset_device_down_mep = flag(2, "a silent client is reset", vci="H", default=False)
    reset_mep_now = flag(
        3,
        "toggles the reset line, clears itself",
        vci="H",
        since=since("3.60", cpm="1.20"),
        default=False,
    )
    disable_mep = flag(7, "no MEP operation", vci="H", default=False)
    mep_health_timeout = uint16("silence of a client that is down", unit="s", default=60, vci="H")
    on_demand_timeout = uint8("in ET15 and ET20", unit="s", default=30, vci="H")
    optical_session_timeout = uint16(
        "longest optical session", unit="s", default=600, vci="H", note="4.0: see ET55"
    )
    optical_session_hold_off = uint16(
        "pause after a session that was ended", unit="s", default=300, vci="H"
    )
    mep_down_reset_duration = uint8(
        "reset pulse, 0 = 1 s", unit="s", default=1, vci="H", since=since("3.40", cpm="1.0")
    )
    deactivate_han = flag(
        0, "no home area network", starts=True, vci="H", since=since("3.70", cpm="1.20")
    )


class MepDeviceConfiguration(
    Table,
    number=2099,
    title="MEP Device Configuration",
    source=Source.MEP_GUIDE,
    read=f"{FULL} PK MBK MAK",
    write=f"{FULL} PK MBK MAK",
    nvm_write=True,
):
    """How MEP clients are watched."""

    clients = array(
        nested(MepClientSettings),
        ET11.mep_channel_count.or_else(1),
        "for each client; one before 4.0",
    )


class MepProcedureResponse(
    ProcedureOutcome,
    number=2107,
    title="MEP Procedure Response",
    source=Source.MEP_GUIDE,
    read=EVERY,
):
    """Outcome of the procedure that MEP client 1 last started."""


class MepProcedureResponse2(
    ProcedureOutcome,
    number=2133,
    title="MEP Procedure Response (MEP2)",
    source=Source.MEP_GUIDE,
    read=EVERY,
    since=since("4.0"),
):
    """Outcome of the procedure that MEP client 2 last started."""


class DeltaData(Record):
    """A value that is watched for changes."""

    source = uint16("extended source id, 255 = unused", default=255, vci="H")
    delta = uint16("change that raises the alert, 0 = off", default=0, vci="H")
    comparison_value = ni_fmat1("value that is compared with", vci="M,H", default=0)
    sampled_value = ni_fmat1("value now, once a second", vci="M", default=0)
    source_id_invalid = flag(0, "no such source", vci="M", default=False)


class DeltaDataAlerts(
    Table,
    number=2119,
    title="Delta Data Alerts",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write="MBK MAK",
    since=since("3.40", cpm="1.0"),
    note=(
        "In RAM. Chapter 4 prints write access for MBK and MAK, without which it is of no use, "
        "Appendix C none. The text's alert state has no bit."
    ),
):
    """Which values MEP clients want to hear of."""

    sources = array(nested(DeltaData), ET11.mep_data_alert_sources, "values that are watched")


__all__ = [
    "GROUP_BROADCAST",
    "HEADER_AND_TRAILER",
    "DeltaData",
    "DeltaDataAlerts",
    "Groups",
    "InboundClient",
    "MepClientSettings",
    "MepDeviceConfiguration",
    "MepInboundDataSpace",
    "MepProcedureResponse",
    "MepProcedureResponse2",
    "MepTransactionRequestTable",
    "MepTransactionResponseTable",
    "Transaction",
    "TransactionMessage",
    "TransactionRequestTable",
    "TransactionResponseTable",
]
