"""Meters with a modem: ET92 to ET96, ET98.

The optical guide names these tables and ET90 has the lengths of their texts; the rest is this
project's.
"""

from __future__ import annotations

from osgp.spec.access import OPTICAL, OPTICAL_WRITE
from osgp.spec.declare import Table
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import LTimeDate, Record, Ref, array, flag, int8, nested, octets, text, uint8, uint16

ET90 = Ref("ET90")

CONNECTION_STATES = {0: "closed", 1: "opening", 2: "open", 3: "closing", 4: "failed"}


class Service(Record):
    """A host that the meter connects to."""

    address = text(ET90.ip_address_length, "host name or address")
    port = uint16("TCP port")
    enabled = flag(0, "the meter connects")
    use_tls = flag(1, "with TLS")


class P2pConnectionConfiguration(
    Table,
    number=2140,
    title="P2P Connection Configuration",
    source=Source.PROJECT,
    read=OPTICAL,
    write=OPTICAL_WRITE,
    since=since("4.10"),
):
    """When and where the meter connects."""

    services = array(nested(Service), ET90.modem_maximum_connection_services, "hosts")
    urgent_alarms = octets(ET90.urgent_alarm_bitmask_length, "alarms that connect at once")
    connection_interval = uint16("regular connections", unit="min")
    retry_interval = uint16("after a failure", unit="s")
    idle_timeout = uint16("silence that closes", unit="s")


class P2pConnectionStatus(
    Table,
    number=2141,
    title="P2P Connection Status",
    source=Source.PROJECT,
    read=OPTICAL,
    since=since("4.10"),
):
    """Connections of the meter."""

    state = uint8("state", enum=CONNECTION_STATES)
    reasons = octets(ET90.connection_reason_bitmap_length, "why it connects, one bit each")
    last_connected = nested(LTimeDate, "last connection, UTC")
    local_address = text(ET90.ip_address_length, "address of the meter")
    phone_number = text(ET90.modem_sim_phone_number_length, "number that may wake it")


class P2pGatewayConfiguration(
    Table,
    number=2142,
    title="P2P Gateway Module Configuration",
    source=Source.PROJECT,
    read=OPTICAL,
    write=OPTICAL_WRITE,
    since=since("4.10"),
):
    """Set-up of the modem."""

    enabled = flag(0, "the modem is on")
    roaming = flag(1, "foreign networks are allowed")
    sim_pin = text(ET90.modem_sim_pin_length, "PIN of the SIM")
    technology = uint8("radio technology", enum={0: "any", 2: "GSM", 3: "UMTS", 4: "LTE"})
    address = text(ET90.ip_address_length, "own address, empty = by the network")


class P2pGatewayStatus(
    Table,
    number=2143,
    title="P2P Gateway Module Status",
    source=Source.PROJECT,
    read=OPTICAL,
    since=since("4.10"),
):
    """The modem and its network."""

    signal_strength = int8("received power, dBm")
    registered = flag(0, "in a network")
    apn = text(ET90.modem_apn_length, "access point")
    apn_user = text(ET90.modem_apn_user_length, "user there")
    apn_password = text(ET90.modem_apn_password_length, "password there")
    manufacturer = text(ET90.modem_manufacturer_length, "maker of the modem")
    model = text(ET90.modem_model_length, "model")
    revision = text(ET90.modem_revision_length, "revision")
    imei = text(ET90.modem_imei_length, "IMEI")
    phone_number = text(ET90.modem_sim_phone_number_length, "number of the SIM")
    operator_name = text(ET90.modem_operator_name_length, "network")
    address = text(ET90.ip_address_length, "address in the network")
    sim_iccid = text(
        ET90.modem_sim_iccid_length.or_else(0), "ICCID of the SIM", since=since("4.20")
    )


class SocketStatus(Record):
    """A connection of the modem."""

    state = uint8("state", enum=CONNECTION_STATES)
    remote_address = text(ET90.ip_address_length, "peer")
    remote_port = uint16("its TCP port")
    opened = nested(LTimeDate, "since when, UTC")


class P2pSocketStatus(
    Table,
    number=2144,
    title="P2P Gateway Modem Socket Status",
    source=Source.PROJECT,
    read=OPTICAL,
    since=since("4.10"),
    note="Also printed as Gateway Model Socket Status.",
):
    """Connections of the modem."""

    sockets = array(nested(SocketStatus), ET90.modem_socket_maximum_connections, "connections")


class P2pAtCommandResponse(
    Table,
    number=2146,
    title="P2P AT Command Response",
    source=Source.PROJECT,
    read=OPTICAL,
    since=since("4.20"),
):
    """What the modem answered to a command."""

    length = uint16("the reply", unit="bytes")
    reply = octets(ET90.modem_at_reply_length, "the reply, padded")


__all__ = [
    "P2pAtCommandResponse",
    "P2pConnectionConfiguration",
    "P2pConnectionStatus",
    "P2pGatewayConfiguration",
    "P2pGatewayStatus",
    "P2pSocketStatus",
    "Service",
    "SocketStatus",
]
