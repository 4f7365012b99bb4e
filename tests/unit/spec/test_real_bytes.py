"""Bytes that others printed decode to what they say and encode back to the same bytes.

Sources: MEP Client Developer's Guide v1.1, chapter 3 (transactions) and Appendix B (messages);
the published digest vector (tests/vectors/osgp.json).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osgp.errors import DecodeError, EncodeError, Truncated
from osgp.spec import procedures, services, tables, transactions
from osgp.spec.tables.interface import DataSetInterface, InterfaceDefinition, LogSize
from osgp.spec.transactions import Batch
from osgp.wire import Dims

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "osgp.json").read_text()
)
BT21 = bytes.fromhex("3f0e0c0f08000104081a")
"""An actual register table, as a transaction's third response has it."""

ONE_READ = bytes.fromhex("1100000200 0800 3f0017000000002c 0200")
SIX_READS = bytes.fromhex(
    "4300000100 0800 3f080b000000000a 0800 3f0014000000000a 0800 3f0015000000000a"
    "0800 3f08040000370001 0800 3f080e000000000c 0800 3f080f000000001f 0100"
)
SIX_ANSWERS = bytes.fromhex(
    "6f00010100 0d00 00000a 054224050605020103f9 0d00 00000a 3f0efd0f08100104081a"
    "0d00 00000a 3f0e0c0f08000104081a 0400 000001 04 0f00 00000c 00000000001101000104 2f00"
    "2200 00001f 0042000100020145000100020148000100020103 00f80302014b0001000201 0100"
)


def test_the_status_of_the_published_digest_vector() -> None:
    response = bytes.fromhex(VECTORS["plc_response"][0]["response"])[1:]
    answer = services.READ_RESPONSE.decode(response)
    layout = tables["BT03"].bind({"BT00": {"manufacturer_status_length": 9}})
    status: Any = layout.decode(answer.data)
    assert not status.metering_mode
    assert status.non_volatile_memory_failure
    assert status.power_failure
    assert status.disconnect_switch_error
    assert status.manufacturer_alarms == {0, 4, 5, 8, 9, 14, 15, 27}
    assert layout.encode(status) == answer.data


def test_a_read_of_registers() -> None:
    example = VECTORS["mep_response"][1]
    request = bytes.fromhex(example["request"])[:-4]
    asked: Any = services.REQUESTS[request[0]].decode(request)
    assert (asked.table, asked.offset, asked.count) == (23, 0, 44)
    answer = services.READ_RESPONSE.decode(bytes.fromhex(example["response"]))
    dims = Dims({"BT21": tables["BT21"].bind().blank().with_(number_of_summations=11)})
    summations = tables["BT23"].bind(dims).part("total_data_block.summations")
    assert summations.span == (0, 44)
    assert summations.decode(answer.data) == (0, 0, 0, 0, 8, 3, 0, 0, 0, 0, 6)


def test_a_call_of_ep17() -> None:
    request = bytes.fromhex(VECTORS["mep_request"][3]["request"])[:-4]
    written: Any = services.REQUESTS[request[0]].decode(request)
    assert written.table == 7
    layout = tables["BT07"].bind()
    call: Any = layout.decode(written.data)
    assert (call.procedure, call.sequence_number, call.response_handling) == (2065, 7, 0)
    parameters: Any = procedures[call.procedure].bind().decode(call.parameters)
    assert (parameters.action, parameters.device_handle) == (0, 1016)
    assert layout.encode(call) == written.data


def test_dimensions_of_registers() -> None:
    layout = tables["BT21"].bind()
    found: Any = layout.decode(BT21)
    assert (found.number_of_self_reads, found.number_of_summations) == (12, 15)
    assert (found.number_of_demands, found.number_of_tiers) == (8, 4)
    assert found.number_of_present_values == 26
    assert layout.encode(found) == BT21
    registers = tables["BT23"].bind(Dims({"BT21": found}))
    assert registers.size == 1 + (1 + 4) * (15 * 4 + 8 * (5 + 4 + 4 + 4))


def test_a_transaction_is_where_the_guide_says() -> None:
    batch = transactions.unpack(ONE_READ)
    assert batch == Batch(2, transactions.REQUESTS, (ONE_READ[7:15],))
    assert transactions.pack(batch) == ONE_READ
    message: Any = services.REQUESTS[0x3F].decode(batch.messages[0])
    assert (message.table, message.count) == (23, 44)
    broadcast = Batch(7, 3, (b"\x30\x00\x03",), groups=(0x01FF, 0xFFFF))
    image = transactions.pack(broadcast)
    groups = 2 * 2 + 1
    assert image[5] == 2
    assert image[6:10] == bytes.fromhex("ff01ffff")
    assert image[groups + 5 : groups + 7] == b"\x03\x00"
    assert image[-2:] == b"\x07\x00"
    assert int.from_bytes(image[:2], "little") == len(image)
    assert transactions.unpack(image) == broadcast


def test_a_transaction_of_six_reads_and_its_answers() -> None:
    asked, answered = transactions.unpack(SIX_READS), transactions.unpack(SIX_ANSWERS)
    assert transactions.pack(asked) == SIX_READS
    assert transactions.pack(answered) == SIX_ANSWERS
    wanted = [services.REQUESTS[m[0]].decode(m) for m in asked.messages]
    got = [services.READ_RESPONSE.decode(m) for m in answered.messages]
    assert [r.table for r in wanted] == [2059, 20, 21, 2052, 2062, 2063]  # type: ignore[attr-defined]  # as declared
    assert [len(a.data) for a in got] == [r.count for r in wanted]  # type: ignore[attr-defined]  # as declared
    sizes: Any = tables["ET11"].bind().part("data_entry_size").decode(got[0].data[5:7])
    assert sizes == 517
    assert got[2].data == BT21


def test_a_transaction_in_its_table() -> None:
    dims = Dims({"ET11": {"transaction_request_length": 896}})
    layout = tables["ET52"].bind(dims)
    table: Any = layout.decode(ONE_READ + bytes(896 - len(ONE_READ)))
    assert (table.transaction_size, table.transaction_number) == (17, 2)
    assert transactions.unpack(layout.encode(table)).number == 2


def test_transactions_that_are_not_complete() -> None:
    with pytest.raises(Truncated):
        transactions.unpack(ONE_READ[:4])
    with pytest.raises(DecodeError, match="not complete"):
        transactions.unpack(ONE_READ[:-1] + b"\x09")
    with pytest.raises(DecodeError):
        transactions.unpack(ONE_READ[:-2])
    with pytest.raises(EncodeError, match="group"):
        transactions.pack(Batch(1, 3, ()))


def test_sizes_of_the_adjustable_logs_are_where_the_guide_says() -> None:
    layout = tables["ET36"].bind()
    image = bytearray(121)
    image[0] = 7
    image[1:3] = (2079 | 1 << 12).to_bytes(2, "little")
    image[92:94] = (3).to_bytes(2, "little")
    image[109:111] = (4).to_bytes(2, "little")
    image[105:107] = (12).to_bytes(2, "little")
    image[120] = 0b0100_0001
    sizes: Any = layout.decode(bytes(image))
    assert sizes.logs[0].table_number + 2048 * sizes.logs[0].extended == 2079
    assert sizes.logs[0].procedure_flag
    assert (sizes.logs[5].current_entries, sizes.logs[6].current_entries) == (3, 4)
    assert sizes.logs[6].entry_size == 12
    assert sizes.unread_entries == {0, 6}
    assert layout.encode(sizes) == bytes(image)


def interface(**changes: Any) -> InterfaceDefinition:
    zeros = {field.name: 0 for field in InterfaceDefinition.wire_fields}
    sources = {
        "demand_sources": (8, 9),
        "coincident_sources": (15,),
        "load_profile_extended_sources": (0, 0x4001, 20),
        "mdtt_entries": (b"\x01\x02\x03\x04",),
        "log_list": tuple(LogSize(n, 100 + n) for n in range(7)),
        "fixed_section_reserved": b"",
        "data_sets": (),
        "additions": b"",
    }
    counts = {
        "fixed_section_length": 41,
        "log_list_size": 7,
        "number_of_demands": 2,
        "number_of_coincident_values": 1,
        "number_of_channels": 3,
        "mdtt_current_entries": 1,
    }
    return InterfaceDefinition(**zeros | sources | counts | changes)


def test_the_interface_definition_is_where_the_guide_says() -> None:
    """Offsets of MEP guide table ET42: FSL + 3*LLS, then sources, data types, the bit mask."""
    dims = Dims({"ET54": {"multiple_load_profile_data_sets": True}})
    layout = tables["ET42"].bind(dims)
    second = DataSetInterface(1, 2, 2, 15, 9, 0, 96, 0, 0, (1, 2))
    image = layout.encode(interface(set_3_active=True, data_sets=(second,)))
    fixed, logs, demands, coincident, channels = 41, 7, 2, 1, 3
    assert image[fixed : fixed + 6] == bytes.fromhex("006400 016500")
    sources = fixed + 3 * logs
    assert image[sources : sources + demands + coincident] == bytes((8, 9, 15))
    extended = sources + demands + coincident
    assert image[extended + 2 : extended + 4] == b"\x01\x40"
    types = extended + 2 * channels
    assert image[types : types + 5] == b"\x01\x01\x02\x03\x04"
    mask = types + 1 + 4
    assert image[mask] == 0b010
    required = mask + 1 + 14 + 2 * 2
    assert len(image) == required + 8
    assert layout.decode(image) == interface(
        set_3_active=True, data_sets=(second,), **_flags(layout.decode(image))
    )


def _flags(decoded: Any) -> dict[str, Any]:
    """Flags come back as booleans."""
    return {
        field.name: getattr(decoded, field.name)
        for field in InterfaceDefinition.wire_fields
        if isinstance(getattr(decoded, field.name), bool) and field.name != "set_3_active"
    }


def test_a_longer_fixed_section_is_kept() -> None:
    layout = tables["ET42"].bind()
    longer = interface(
        fixed_section_length=43,
        fixed_section_reserved=b"\xaa\xbb",
        set_2_active=None,
        set_3_active=None,
        set_4_active=None,
        data_sets=None,
    )
    image = layout.encode(longer)
    assert image[41:43] == b"\xaa\xbb"
    again: Any = layout.decode(image)
    assert again.fixed_section_reserved == b"\xaa\xbb"
    assert layout.encode(again) == image
