"""A device's dimension tables with sizes that make every branch of every layout appear."""

from __future__ import annotations

from typing import Any, Final

from osgp.wire import Dims, Version

_LOG: Final = {"current_entries": 2, "entry_size": 0}

SETS: Final = tuple(
    {"number_of_blocks": 2, "number_of_intervals": 9, "number_of_channels": channels}
    for channels in (3, 1, 0, 2)
)
"""Data sets of BT61: odd, even and no channels, two status bytes."""

TABLES: Final[dict[str, Any]] = {
    "BT00": {
        "ni_format_1": 8,
        "ni_format_2": 8,
        "dim_basic_tables_used": 10,
        "dim_extended_tables_used": 20,
        "manufacturer_status_length": 9,
        "number_of_pending_tables": 4,
    },
    "BT10": {
        "power_fail_exclusion": True,
        "reset_exclusion": True,
        "number_of_uom_entries": 3,
        "number_of_demand_control_entries": 1,
        "number_of_sources": 5,
    },
    "BT20": {"number_of_tiers": 4, "number_of_demands": 8},
    "BT21": {
        "season_info": True,
        "date_time": True,
        "demand_reset_counter": True,
        "cumulative_demand": True,
        "continuous_cumulative_demand": True,
        "time_remaining": True,
        "number_of_self_reads": 2,
        "number_of_summations": 19,
        "number_of_demands": 2,
        "number_of_coincident_values": 4,
        "number_of_occurrences": 1,
        "number_of_tiers": 4,
        "number_of_present_demands": 2,
        "number_of_present_values": 84,
    },
    "BT30": {"number_of_primary_list_items": 30, "number_of_primary_lists": 1},
    "BT50": {
        "separate_week_days": False,
        "number_of_seasons": 12,
        "number_of_special_schedules": 2,
        "number_of_non_recurring_dates": 25,
        "number_of_recurring_dates": 23,
        "number_of_tier_switches": 200,
    },
    "BT60": {"data_sets": ({"number_of_channels": 16},)},
    "BT61": {
        "set_1_scalar_divisor": True,
        "set_2_scalar_divisor": False,
        "set_3_scalar_divisor": False,
        "set_4_scalar_divisor": True,
        "end_reading_supported": True,
        "extended_interval_status": True,
        "simple_interval_status": True,
        "data_sets": SETS,
    },
    "BT71": {
        "event_number": False,
        "history_date_time": True,
        "history_sequence_number": True,
        "number_of_standard_event_bytes": 8,
        "number_of_manufacturer_event_bytes": 19,
        "history_data_length": 2,
        "number_of_history_entries": 3,
    },
    "ET04": {
        "max_power_outages_recorded": 10,
        "max_number_of_te_registers": 4,
        "security_mode": 2,
    },
    "ET11": {
        "number_of_devices": 6,
        "config_entry_size": 66,
        "status_entry_size": 36,
        "on_demand_request_queue_size": 5,
        "on_demand_request_entry_size": 6,
        "data_entry_size": 517,
        "transaction_request_length": 896,
        "transaction_response_length": 1785,
        "on_demand_write_entry_size": 25,
        "config_entry_2_size": 22,
        "meter_one_time_read_queue_size": 3,
        "m_bus_one_time_read_queue_size": 4,
        "number_of_group_ids": 10,
        "m_bus_multicast_message_length": 65,
        "et22_alarm_size": 120,
        "mep_data_sources": 20,
        "et48_entry_count": 10,
        "maximum_critical_event_bitmaps": 10,
        "et57_entry_count": 16,
        "time_based_relay_switches": 80,
        "mep_data_alert_sources": 10,
        "ram_only_transaction_request_length": 261,
        "ram_only_transaction_response_length": 769,
        "firmware_module_entry_count": 6,
        "firmware_module_entry_length": 7,
        "mep_channel_count": 2,
        "et17_verification_bitmap_size": 1250,
        "error_screen_count": 3,
    },
    "ET36": {"logs": (_LOG,) * 7},
    "ET54": {
        "multiple_load_profile_data_sets": True,
        "et74_entry_count": 2,
        "et77_entry_count": 5,
        "et79_entry_count": 3,
    },
    "ET90": {
        "ip_address_length": 50,
        "urgent_alarm_bitmask_length": 20,
        "connection_reason_bitmap_length": 2,
        "modem_apn_length": 64,
        "modem_apn_user_length": 32,
        "modem_apn_password_length": 32,
        "modem_sim_pin_length": 5,
        "modem_manufacturer_length": 32,
        "modem_model_length": 32,
        "modem_revision_length": 32,
        "modem_imei_length": 32,
        "modem_sim_phone_number_length": 32,
        "modem_operator_name_length": 40,
        "modem_socket_maximum_connections": 2,
        "modem_maximum_connection_services": 10,
        "number_of_ftz_messages": 3,
        "modem_at_reply_length": 200,
        "modem_sim_iccid_length": 23,
    },
}

NEWEST: Final = Dims(TABLES)


def with_firmware(firmware: Version) -> Dims:
    """The same device with another firmware."""
    return Dims(TABLES, firmware=firmware)


def changed(**tables: dict[str, Any]) -> Dims:
    """The newest firmware with some fields of some tables changed."""
    return Dims(TABLES | {name: TABLES[name] | fields for name, fields in tables.items()})
