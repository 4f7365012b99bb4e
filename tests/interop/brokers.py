"""MQTT brokers of this machine, and what is said through them."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from osgp.run.bridge.config import BridgeConfig, MeterSection, MqttSection
from osgp.run.bridge.main import Bridge
from tests.unit.reading.bench import RK

ROOT = Path(__file__).parents[2]
UP_WITHIN = 15.0
ENOUGH = 1.5
STATE = "osgp/main_meter/state"
MOSQUITTO, AMQTT = "mosquitto", "amqtt"


class Secured(msgspec.Struct, frozen=True):
    """How a broker is protected: certificate and key (PEM), mosquitto's password file."""

    certificate: Path | None = None
    private_key: Path | None = None
    passwords: Path | None = None


OPEN = Secured()


def brokers() -> list[str]:
    """Brokers that can be started here."""
    if find_spec("aiomqtt") is None:
        return []
    found = [MOSQUITTO] if shutil.which(MOSQUITTO) else []
    return found + ([AMQTT] if find_spec("amqtt") else [])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """A broker in a process of its own."""

    def __init__(self, kind: str, port: int, directory: Path, secured: Secured = OPEN) -> None:
        self.port = port
        self._command = {MOSQUITTO: _mosquitto, AMQTT: _amqtt}[kind](port, directory, secured)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it takes connections."""
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _await(self.port)

    def kill(self) -> None:
        """At once, with everything it knows."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def _mosquitto(port: int, directory: Path, secured: Secured) -> list[str]:
    lines = [f"listener {port} 127.0.0.1", "user root", "persistence false"]
    if secured.certificate is not None:
        lines += [f"certfile {secured.certificate}", f"keyfile {secured.private_key}"]
    if secured.passwords is None:
        lines.append("allow_anonymous true")
    else:
        lines += ["allow_anonymous false", f"password_file {secured.passwords}"]
    path = directory / "mosquitto.conf"
    path.write_text("\n".join(lines) + "\n")
    return [MOSQUITTO, "-c", str(path)]


def _amqtt(port: int, directory: Path, secured: Secured) -> list[str]:
    files = [str(path) for path in (secured.certificate, secured.private_key) if path]
    return [sys.executable, "-W", "ignore", "-m", "tests.interop.broker", str(port), *files]


@contextmanager
def broker(kind: str, port: int, directory: Path, secured: Secured = OPEN) -> Iterator[Broker]:
    made = Broker(kind, port, directory, secured)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def _await(port: int) -> None:
    deadline = time.monotonic() + UP_WITHIN
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError("the broker does not come up")


async def retained(port: int, **more: Any) -> dict[str, Any]:
    """What a client that comes later finds."""
    import aiomqtt

    found: dict[str, Any] = {}
    async with aiomqtt.Client("127.0.0.1", port, identifier="later", **more) as client:
        await client.subscribe("#", qos=1)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENOUGH):
                async for message in client.messages:
                    found[str(message.topic)] = message.payload
    return found


class Listener:
    """Everything that is said about the meter's state, in order: numbers, and whole payloads."""

    def __init__(self, port: int) -> None:
        self.numbers: list[int] = []
        self.payloads: list[bytes] = []
        self._port = port

    async def listen(self) -> None:
        """Until it is cancelled; comes back when the broker does."""
        import aiomqtt

        while True:
            with suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self._port, identifier="ears") as client:
                    await client.subscribe(STATE, qos=1)
                    async for message in client.messages:
                        if not message.retain:
                            self._take(bytes(message.payload))
            await asyncio.sleep(0.05)

    def _take(self, payload: bytes) -> None:
        self.payloads.append(payload)
        self.numbers.append(msgspec.json.decode(payload)["number"])


def bridge_of(
    directory: Path,
    place: str,
    port: int,
    interval: float = 60.0,
    stale_after: float | None = None,
    **mqtt: Any,
) -> Bridge:
    (directory / "rk.txt").write_text(RK)
    meter = MeterSection(
        name="Main meter",
        optical=place,
        key_file="rk.txt",
        idle=0.0,
        interval=interval,
        stale_after=stale_after,
    )
    return Bridge(BridgeConfig((meter,), MqttSection(port=port, **mqtt)), directory)


@asynccontextmanager
async def running(made: Bridge) -> AsyncIterator[Bridge]:
    task = asyncio.ensure_future(made.run())
    try:
        yield made
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def heard(port: int) -> AsyncIterator[Listener]:
    ears = Listener(port)
    task = asyncio.ensure_future(ears.listen())
    try:
        yield ears
    finally:
        task.cancel()


async def until(reached: Callable[[], bool]) -> None:
    while not reached():  # noqa: ASYNC110  (what is waited for happens in other processes)
        await asyncio.sleep(0.02)
