"""The bridge and a broker that goes away, is cut off, or must be convinced."""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from osgp.errors import TransportError, UsageError
from tests.unit.reading.bench import Bench, run, served, virtual

from .brokers import (
    MOSQUITTO,
    STATE,
    Listener,
    Secured,
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
each_broker = pytest.mark.parametrize("kind", brokers())
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO not in brokers(), reason="mosquitto is not installed: apt-get install mosquitto"
)


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of the bridge that a test need not sit through."""
    monkeypatch.setattr("osgp.run.bridge.mqtt.FIRST_PAUSE", 0.05)
    monkeypatch.setattr("osgp.run.bridge.mqtt.RECALL", 0.5)
    monkeypatch.setattr("osgp.run.bridge.mqtt.ANSWERS_WITHIN", 1.0)


# --- going away -------------------------------------------------------------------------------


@each_broker
@pytest.mark.usefixtures("_hurried")
def test_a_broker_that_is_killed_gets_every_reading_when_it_is_back(
    tmp_path: Path, kind: str
) -> None:
    """It forgets everything; what had no acknowledgement may come again, but never changed."""
    port = free_port()

    async def work(bench: Bench, ears: Listener, kill: Any, start: Any) -> None:
        async with running(bridge_of(tmp_path, bench.place, port, interval=0.1)) as made:
            await until(lambda: len(ears.numbers) >= 3)
            await asyncio.to_thread(kill)
            taken = made.pollers[0].status.readings
            await until(lambda: made.pollers[0].status.readings >= taken + 3)
            await asyncio.to_thread(start)
            newest = made.pollers[0].status.readings + 2
            await until(lambda: bool(ears.numbers) and ears.numbers[-1] >= newest)

    async def all_of_it() -> Listener:
        with broker(kind, port, tmp_path) as process:
            async with served(virtual(1.0)) as bench, heard(port) as ears:
                await work(bench, ears, process.kill, process.start)
                return ears

    ears = run(all_of_it)
    first, last = ears.numbers[0], ears.numbers[-1]
    assert sorted(set(ears.numbers)) == list(range(first, last + 1))
    assert len(set(ears.payloads)) == len(set(ears.numbers))


class Cutter:
    """A way to the broker that is cut after some bytes, again and again; then it holds.

    Which direction and after how much is drawn: requests, acknowledgements, half packets.
    """

    def __init__(self, port: int, rng: random.Random, cuts: int) -> None:
        self._port, self._rng, self.left = port, rng, cuts
        self.port = 0
        self._open: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._through, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            ends = list(self._open)
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            await asyncio.sleep(0)

    async def _through(self, near: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        far, into = await asyncio.open_connection("127.0.0.1", self._port)
        limits: list[float] = [float("inf"), float("inf")]
        if self.left > 0:
            self.left -= 1
            side = self._rng.randrange(2)
            limits[side] = (
                self._rng.randrange(60, 30_000) if side == 0 else self._rng.randrange(400)
            )
        ways = [self._pump(near, into, limits[0]), self._pump(far, out, limits[1])]
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in tasks:
                pump.cancel()
            for writer in (into, out):
                writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: float
    ) -> None:
        passed = 0
        with suppress(OSError):
            while data := await reader.read(65536):
                kept = data[: max(0, int(min(len(data), limit - passed)))]
                writer.write(kept)
                await writer.drain()
                passed += len(data)
                if passed >= limit:
                    return


@each_broker
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.usefixtures("_hurried")
def test_a_line_that_is_cut_anywhere_loses_and_repeats_nothing(
    tmp_path: Path, kind: str, seed: int
) -> None:
    """The broker lives on, and remembers: what it has is not sent again."""
    port = free_port()

    async def work() -> list[int]:
        cutter = Cutter(port, random.Random(seed), cuts=5)
        async with served(virtual(1.0)) as bench, heard(port) as ears, cutter.open():
            await asyncio.sleep(0.3)
            made = bridge_of(tmp_path, bench.place, cutter.port, interval=0.1)
            async with running(made):
                await until(lambda: cutter.left == 0)
                newest = made.pollers[0].status.readings + 3
                await until(lambda: bool(ears.numbers) and ears.numbers[-1] >= newest)
            return ears.numbers

    with broker(kind, port, tmp_path):
        numbers = run(work)
    assert numbers == list(range(1, numbers[-1] + 1))


# --- being convinced --------------------------------------------------------------------------


def authority(directory: Path, name: str) -> Secured:
    """A self-signed certificate for this machine, made for one test."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Secured(directory / f"{name}.pem", directory / f"{name}.key")
    assert made.certificate is not None
    assert made.private_key is not None
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.private_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


async def published(tmp_path: Path, port: int, **mqtt: Any) -> int:
    """Reads once; how much waits in the spool afterwards. Raises as the command."""
    async with served(virtual(1.0)) as bench:
        made = bridge_of(tmp_path, bench.place, port, **mqtt)
        assert made.publisher is not None
        spool = made.publisher.spool
        waits: list[int] = []
        close = spool.close

        def closing() -> None:
            waits.append(len(spool))
            close()

        spool.close = closing  # type: ignore[method-assign]  # the test's own in its place
        try:
            assert await made.once()
        except TransportError:
            assert waits == [1]
            raise
        return waits[0]


@each_broker
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_tls_with_an_authority_of_one_s_own(tmp_path: Path, kind: str) -> None:
    import ssl

    port, secured = free_port(), authority(tmp_path, "broker")
    authority(tmp_path, "stranger")
    context = ssl.create_default_context(cafile=secured.certificate)
    with broker(kind, port, tmp_path, secured):
        for wrong in ("stranger.pem", None):
            refused = partial(
                published, tmp_path, port, spool=f"{wrong}.spool", tls=True, ca_file=wrong
            )
            with pytest.raises(TransportError, match="certificate"):
                run(refused)
        gc.collect()  # paho-mqtt leaves sockets to it whose handshake failed
        assert run(lambda: published(tmp_path, port, tls=True, ca_file="broker.pem")) == 0
        found = run(lambda: retained(port, tls_context=context))
    assert msgspec.json.decode(found[STATE])["number"] == 1


@needs_mosquitto
@pytest.mark.parametrize(("password", "right"), [("open sesame", True), ("not this one", False)])
def test_a_password_from_a_file(tmp_path: Path, password: str, right: bool) -> None:
    passwords, port = tmp_path / "passwords", free_port()
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "osgp", "open sesame"], check=True
    )
    passwords.chmod(0o644)
    (tmp_path / "pw.txt").write_text(password + "\n")
    given = {"username": "osgp", "password_file": "pw.txt"}
    with broker(MOSQUITTO, port, tmp_path, Secured(passwords=passwords)):
        if right:
            assert run(lambda: published(tmp_path, port, **given)) == 0
            return
        with pytest.raises(TransportError) as caught:
            run(lambda: published(tmp_path, port, **given))
    assert password not in str(caught.value)
    assert "authori" in str(caught.value).lower()


@pytest.mark.parametrize(
    "given",
    [
        {"tls": True, "ca_file": "nowhere.pem"},
        {"tls": True, "ca_file": "rubbish.pem"},
        {"tls": True, "certificate_file": "rubbish.pem", "private_key_file": "rubbish.pem"},
        {"password_file": "nowhere.txt"},
    ],
)
def test_files_that_are_not_there_or_not_what_they_should_be(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    (tmp_path / "rubbish.pem").write_text("-----BEGIN NOTHING-----\n")

    async def work() -> None:
        with pytest.raises(UsageError) as caught:
            bridge_of(tmp_path, "tcp://127.0.0.1:1", 1, **given)
        assert "\n" not in str(caught.value)
        assert next(name for name in given.values() if isinstance(name, str)) in str(caught.value)

    run(work)
