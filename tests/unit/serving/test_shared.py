"""A served meter of an old generation: one line for its optical and MEP ports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from osgp.errors import TransportError
from osgp.run.reading.device import Access, open_device
from osgp.run.serve import ServeOptions, open_serving
from tests.unit.reading.bench import calm, key_of, run

HERE = "tcp://127.0.0.1:0"


@asynccontextmanager
async def both() -> AsyncIterator[tuple[Access, Access]]:
    """How to reach the optical and the MEP port of one meter."""
    served = calm("flat")
    serving = await open_serving(served, ServeOptions(optical=HERE, mep=HERE))
    try:
        where = serving.addresses
        yield (
            Access(optical=where["optical"], key=key_of(served, "RK")),
            Access(mep=where["mep"], key=key_of(served, "MBK")),
        )
    finally:
        await serving.close()


def first_bytes(reader: Any) -> Any:
    return reader.client.read(1, 0, 4)


def test_each_port_works_while_the_other_rests() -> None:
    async def work() -> None:
        async with both() as ports:
            for access in (*ports, *ports):
                async with open_device(access) as device:
                    assert await device.run(first_bytes) == b"OSGP"

    run(work)


def test_an_optical_session_keeps_mep_out_until_it_ends() -> None:
    async def work() -> None:
        async with both() as (optical, mep), open_device(mep) as client:
            assert await client.run(first_bytes) == b"OSGP"
            async with open_device(optical) as device:
                assert await device.run(first_bytes) == b"OSGP"
                with pytest.raises(TransportError, match="no answer"):
                    await client.run(first_bytes)
                assert await device.run(first_bytes) == b"OSGP"
            assert await client.run(first_bytes) == b"OSGP"

    run(work)


def test_an_optical_session_comes_about_beside_a_busy_mep_client() -> None:
    async def work() -> None:
        async with both() as (optical, mep), open_device(mep) as client:
            for _ in range(5):
                assert await client.run(first_bytes) == b"OSGP"
            # What MEP was sent is seen on the optical side too, and taken for what it is.
            async with open_device(optical) as device:
                assert await device.run(first_bytes) == b"OSGP"

    run(work)
