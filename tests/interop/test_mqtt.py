"""The bridge against real brokers: mosquitto if this machine has it, amqtt from PyPI otherwise."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from osgp.run.bridge.config import BridgeConfig, MeterSection, MqttSection
from osgp.run.bridge.main import Bridge
from tests.unit.bridge.test_sensors import check
from tests.unit.reading.bench import RK, run, served, virtual

ROOT = Path(__file__).parents[2]
UP_WITHIN = 15.0
ENOUGH = 1.5

if find_spec("aiomqtt") is None:
    pytest.skip("aiomqtt is not installed", allow_module_level=True)


def brokers() -> list[str]:
    found = ["mosquitto"] if shutil.which("mosquitto") else []
    return found + (["amqtt"] if find_spec("amqtt") else [])


if not brokers():
    pytest.skip("no MQTT broker is installed", allow_module_level=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def broker(kind: str, port: int) -> Iterator[None]:
    command = {
        "mosquitto": ["mosquitto", "-p", str(port)],
        "amqtt": [sys.executable, "-W", "ignore", "-m", "tests.interop.broker", str(port)],
    }[kind]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await(port)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _await(port: int) -> None:
    deadline = time.monotonic() + UP_WITHIN
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError("the broker does not come up")


async def retained(port: int) -> dict[str, Any]:
    """What a client that comes later finds."""
    import aiomqtt

    found: dict[str, Any] = {}
    async with aiomqtt.Client("127.0.0.1", port, identifier="later") as client:
        await client.subscribe("#", qos=1)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENOUGH):
                async for message in client.messages:
                    found[str(message.topic)] = message.payload
    return found


def bridge_of(tmp_path: Path, place: str, port: int) -> Bridge:
    (tmp_path / "rk.txt").write_text(RK)
    meter = MeterSection(name="Main meter", optical=place, key_file="rk.txt", idle=0.0)
    return Bridge(BridgeConfig((meter,), MqttSection(port=port)), tmp_path)


@pytest.mark.parametrize("kind", brokers())
def test_what_home_assistant_finds(tmp_path: Path, kind: str) -> None:
    port = free_port()

    async def work() -> dict[str, Any]:
        async with served(virtual(1.0)) as bench:
            assert await bridge_of(tmp_path, bench.place, port).once()
        return await retained(port)

    with broker(kind, port):
        found = run(work)
    from osgp.run.bridge.discovery import Message

    configurations = [topic for topic in found if topic.startswith("homeassistant/")]
    payloads = [check(Message(topic, found[topic])) for topic in configurations]
    assert len(payloads) > 20
    state = msgspec.json.decode(found["osgp/main_meter/state"])
    assert state["values"]["fwd_active_wh_l1l2l3"] > 0
    assert found["osgp/main_meter/availability"] == b"online"
    assert found["osgp/bridge/availability"] == b"offline"


@pytest.mark.parametrize("kind", brokers())
def test_nothing_is_lost_or_repeated_while_the_broker_is_away(tmp_path: Path, kind: str) -> None:
    """Readings before the broker comes up, while it is there, after it was away, and a restart."""
    port = free_port()
    numbers: list[int] = []

    async def listen(stop: asyncio.Event) -> None:
        import aiomqtt

        async with aiomqtt.Client("127.0.0.1", port, identifier="listener") as client:
            await client.subscribe("osgp/main_meter/state", qos=1)

            async def take() -> None:
                async for message in client.messages:
                    body = msgspec.json.decode(bytes(message.payload))
                    numbers.append(body["number"])

            task = asyncio.ensure_future(take())
            await stop.wait()
            await asyncio.sleep(0.5)
            task.cancel()

    async def away() -> None:
        async with served(virtual(1.0)) as bench:
            for _ in range(3):
                made = bridge_of(tmp_path, bench.place, port)
                with pytest.raises(Exception, match="no broker"):
                    await made.once()
                await asyncio.sleep(0.05)

    async def there() -> None:
        stop = asyncio.Event()
        listener = asyncio.ensure_future(listen(stop))
        await asyncio.sleep(0.5)
        async with served(virtual(1.0)) as bench:
            for _ in range(2):
                assert await bridge_of(tmp_path, bench.place, port).once()
                await asyncio.sleep(0.05)
        stop.set()
        await listener

    run(away)
    with broker(kind, port):
        run(there)
    assert numbers == [1, 2, 3, 4, 5]


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
                await client.publish("osgp/main_meter/state", one.payload, qos=1, retain=True)
            sent: list[str] = []
            original = publisher._send

            async def watched(client: Any, message: Any) -> None:
                sent.append(message.topic)
                await original(client, message)

            publisher._send = watched  # type: ignore[method-assign]
            await publisher.flush()
            publisher.spool.close()
            return sent.count("osgp/main_meter/state"), await retained(port)

    with broker(kind, port):
        count, found = run(work)
    assert count == 0
    assert msgspec.json.decode(found["osgp/main_meter/state"])["number"] == 1
