"""Every declared record: what is decoded encodes back, codecs agree, nothing bad gets through."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError, DimensionError, OsgpError, Truncated
from osgp.spec import Procedure, Table, procedures, services, tables, transactions
from osgp.wire import Dims, Layout, Record, bind, interpret

from .spec_samples import NEWEST, changed, with_firmware

LONGEST_PREFIXES = 400
DEVICES = (
    NEWEST,
    with_firmware((3, 10, 0)),
    with_firmware((4, 2, 0)),
    with_firmware((0, 1, 32)),
    changed(
        BT21={"number_of_demands": 0, "date_time": False, "cumulative_demand": False},
        BT61={"end_reading_supported": False, "set_1_scalar_divisor": False},
        BT50={"separate_week_days": True},
        ET54={"multiple_load_profile_data_sets": False},
    ),
)
"""The newest meter, an old one, one of the middle, a module, a meter without much."""


def declared() -> dict[str, type[Record]]:
    """Every record that can be decoded by itself: those inside others may need their index."""
    found: dict[str, type[Record]] = {}
    waiting: list[Any] = [Record]
    while waiting:
        for record in waiting.pop().__subclasses__():
            waiting.append(record)
            if record.__module__.startswith("osgp.spec") and record.wire_fields:
                found[f"{record.__module__.rpartition('.')[2]}.{record.__name__}"] = record
    return {name: record for name, record in sorted(found.items()) if binds(record)}


def binds(record: type[Record]) -> bool:
    try:
        bind(record, NEWEST)
    except DimensionError:
        return False
    return True


RECORDS = declared()
each_record = pytest.mark.parametrize("name", RECORDS)
each_device = st.sampled_from(DEVICES)
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def layout_of(name: str, dims: Dims) -> Layout[Any]:
    return bind(RECORDS[name], dims)


def image(layout: Layout[Any], seed: int) -> tuple[Any, bytes]:
    """A record and its image out of random bytes; counts in them are made small where need be."""
    rng = random.Random(seed)
    if layout.size is not None:
        data = rng.randbytes(layout.size)
        return layout.decode(data), data
    for _ in range(20):
        for data in (rng.randbytes(2000), bytes(rng.choices(range(4), k=300)), bytes(300)):
            try:
                record, end = layout.decode_from(data)
            except DecodeError:
                continue
            return record, data[:end]
    pytest.fail("no image of this layout was found")


def test_there_are_many() -> None:
    assert len(RECORDS) > 250
    assert {"registers.CurrentRegisterData", "services.ReadResponse"} <= set(RECORDS)


@pytest.mark.parametrize("dims", DEVICES, ids=str)
def test_every_table_and_procedure_binds(dims: Dims) -> None:
    declarations: list[type[Table | Procedure]] = [*tables.values(), *procedures.values()]
    for declaration in declarations:
        layout = declaration.bind(dims)
        assert layout.size is None or layout.size <= 4096, layout


@each_record
@few
@given(seed=seeds, dims=each_device)
def test_what_is_decoded_encodes_to_the_same_bytes(name: str, seed: int, dims: Dims) -> None:
    layout = layout_of(name, dims)
    record, data = image(layout, seed)
    assert layout.encode(record) == data


@each_record
@few
@given(seed=seeds, dims=each_device)
def test_generated_and_interpreted_codecs_agree(name: str, seed: int, dims: Dims) -> None:
    layout = layout_of(name, dims)
    record, data = image(layout, seed)
    assert interpret.decode(layout.tree, data, layout.name) == (record, len(data))
    assert interpret.encode(layout.tree, record, layout.name) == data


@each_record
@few
@given(dims=each_device, seed=seeds)
def test_a_prefix_is_truncated(name: str, dims: Dims, seed: int) -> None:
    layout = layout_of(name, dims)
    if not layout.size:
        return
    cut = random.Random(seed).randrange(layout.size)
    with pytest.raises(Truncated):
        layout.decode(bytes(cut))


@each_record
@few
@given(seed=seeds, size=st.integers(0, LONGEST_PREFIXES), dims=each_device)
def test_random_bytes_raise_nothing_else(name: str, seed: int, size: int, dims: Dims) -> None:
    layout = layout_of(name, dims)
    data = random.Random(seed).randbytes(size)
    try:
        record = layout.decode(data)
    except DecodeError:
        return
    assert layout.encode(record) == data


@each_record
def test_a_missing_dimension_is_named(name: str) -> None:
    record = RECORDS[name]
    try:
        bind(record, Dims())
    except DimensionError as error:
        assert "has not been read" in str(error)


@given(st.binary(max_size=120))
def test_no_request_breaks_the_services(data: bytes) -> None:
    answers: list[Layout[Any]] = [services.READ_RESPONSE, services.WRITE_RESPONSE]
    for layout in [*services.REQUESTS.values(), *answers]:
        try:
            assert layout.encode(layout.decode(data)) == data
        except DecodeError:
            continue


batches = st.builds(
    transactions.Batch,
    number=st.integers(0, 0xFFFF),
    type=st.sampled_from((0, 1, 2, 4)),
    messages=st.lists(st.binary(min_size=1, max_size=40), max_size=6).map(tuple),
)
group_batches = st.builds(
    transactions.Batch,
    number=st.integers(0, 0xFFFF),
    type=st.just(3),
    messages=st.lists(st.binary(min_size=1, max_size=40), max_size=6).map(tuple),
    groups=st.lists(st.integers(1, 0xFFFF), min_size=1, max_size=9).map(tuple),
)


@given(batches | group_batches, st.binary(max_size=9))
def test_transactions_unpack_to_what_was_packed(batch: transactions.Batch, after: bytes) -> None:
    assert transactions.unpack(transactions.pack(batch) + after) == batch


@given(st.binary(max_size=200))
def test_no_transaction_breaks_the_reader(data: bytes) -> None:
    try:
        transactions.unpack(data)
    except OsgpError as error:
        assert isinstance(error, DecodeError)
