"""The bridge against real brokers: mosquitto if this machine has it, amqtt from PyPI otherwise."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from osgp.run.bridge.discovery import Message
from tests.unit.bridge.test_sensors import check
from tests.unit.reading.bench import run, served, virtual

from .brokers import (
    STATE,
    Listener,
    bridge_of,
    broker,
    brokers,
    free_port,
    heard,
    retained,
    running,
    until,
)

pytestmark = pytest.mark.skipif(not brokers(), reason="no MQTT broker or no aiomqtt is installed")


@pytest.mark.parametrize("kind", brokers())
def test_what_home_assistant_finds(tmp_path: Path, kind: str) -> None:
    port = free_port()

    async def work() -> dict[str, Any]:
        async with served(virtual(1.0)) as bench:
            assert await bridge_of(tmp_path, bench.place, port).once()
        return await retained(port)

    with broker(kind, port, tmp_path):
        found = run(work)
    configurations = [topic for topic in found if topic.startswith("homeassistant/")]
    payloads = [check(Message(topic, found[topic])) for topic in configurations]
    assert len(payloads) > 20
    state = msgspec.json.decode(found[STATE])
    assert state["values"]["fwd_active_wh_l1l2l3"] > 0
    assert found["osgp/main_meter/availability"] == b"online"
    assert found["osgp/bridge/availability"] == b"online", "until what was read expires"
    water = "homeassistant/sensor/osgp_main_meter/mbus_1_water_volume/config"
    assert msgspec.json.decode(found[water])["device"]["via_device"] == "osgp_20260105"
    assert state["values"]["mbus_1_water_volume"] == state["obis"]["0-1:24.2.1"] > 0


@pytest.mark.parametrize("kind", brokers())
def test_nothing_is_lost_or_repeated_while_the_broker_is_away(tmp_path: Path, kind: str) -> None:
    """Readings before the broker comes up, while it is there, after it was away, and a restart."""
    port = free_port()

    async def away() -> None:
        async with served(virtual(1.0)) as bench:
            for _ in range(3):
                made = bridge_of(tmp_path, bench.place, port)
                with pytest.raises(Exception, match="no broker"):
                    await made.once()
                await asyncio.sleep(0.05)

    async def there() -> list[int]:
        ears = Listener(port)
        listening = asyncio.ensure_future(ears.listen())
        await asyncio.sleep(0.5)
        async with served(virtual(1.0)) as bench:
            for _ in range(2):
                assert await bridge_of(tmp_path, bench.place, port).once()
        await asyncio.sleep(0.5)
        listening.cancel()
        return ears.numbers

    run(away)
    with broker(kind, port, tmp_path):
        assert run(there) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", brokers())
def test_what_the_broker_has_is_not_sent_again(tmp_path: Path, kind: str) -> None:
    """The acknowledgement of a reading was lost: it is still in the spool, and retained there."""
    port = free_port()

    async def work() -> tuple[int, dict[str, Any]]:
        async with served(virtual(1.0)) as bench:
            made = bridge_of(tmp_path, bench.place, port)
            await made.pollers[0].once()
            publisher = made.publisher
            assert publisher is not None
            one = publisher.spool.oldest()
            assert one is not None
            import aiomqtt

            async with aiomqtt.Client("127.0.0.1", port, identifier="before") as client:
                await client.publish(STATE, one.payload, qos=1, retain=True)
            sent: list[str] = []
            original = publisher._send

            async def watched(client: Any, message: Any) -> None:
                sent.append(message.topic)
                await original(client, message)

            publisher._send = watched  # type: ignore[method-assign]  # the test's own in its place
            await publisher.flush()
            publisher.spool.close()
            return sent.count(STATE), await retained(port)

    with broker(kind, port, tmp_path):
        count, found = run(work)
    assert count == 0
    assert msgspec.json.decode(found[STATE])["number"] == 1


@pytest.mark.parametrize("kind", brokers())
def test_a_bridge_that_ends_says_so(tmp_path: Path, kind: str) -> None:
    port = free_port()

    async def work() -> dict[str, Any]:
        async with served(virtual(1.0)) as bench, heard(port) as ears:
            async with running(bridge_of(tmp_path, bench.place, port)):
                await until(lambda: bool(ears.numbers))
            return await retained(port)

    with broker(kind, port, tmp_path):
        found = run(work)
    assert found["osgp/bridge/availability"] == b"offline"
    assert found["osgp/main_meter/availability"] == b"online"


@pytest.mark.parametrize("kind", brokers())
def test_a_meter_that_is_not_read_any_more_is_not_there(tmp_path: Path, kind: str) -> None:
    port = free_port()

    async def gone() -> bool:
        found = await retained(port)
        return found.get("osgp/main_meter/availability") == b"offline"

    async def work() -> dict[str, Any]:
        async with heard(port) as ears, AsyncExitStack() as plugged:
            meter = await plugged.enter_async_context(served(virtual(1.0)))
            made = bridge_of(tmp_path, meter.place, port, interval=0.2, stale_after=1.0)
            async with running(made):
                await until(lambda: bool(ears.numbers))
                await plugged.aclose()
                while not await gone():
                    continue
                return await retained(port)

    with broker(kind, port, tmp_path):
        found = run(work)
    assert found["osgp/bridge/availability"] == b"online"
