"""To the broker: availability, discovery, and every reading once (aiomqtt, extra `osgp[mqtt]`)."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from osgp.errors import UsageError

from .config import BridgeConfig, MeterSection, MqttSection
from .discovery import OFFLINE, ONLINE, Message, Topics, discovery, registers
from .poller import Poller
from .sample import Sample, worth_showing
from .sensors import Sensor
from .spool import Spool

AT_LEAST_ONCE: Final = 1
RECALL: Final = 2.0
"""Seconds to wait for what the broker has retained; it sends it at once, if there is any."""

ANSWERS_WITHIN: Final = 10.0
"""Seconds that a broker has for an acknowledgement."""

FAREWELL: Final = 2.0
"""Seconds that the end of the bridge may take."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

log = structlog.get_logger()


class _Retained(msgspec.Struct):
    """What the newest reading at the broker says of itself."""

    number: int
    spool: str


class Publisher:
    """Takes samples at any time, and brings them to the broker whenever there is one.

    Paths of passwords and certificates begin at `directory`, that of the spool at `state`.
    """

    def __init__(self, config: BridgeConfig, directory: Path, state: Path) -> None:
        assert config.mqtt is not None
        self._config, self._mqtt = config, config.mqtt
        self._aiomqtt = _library()
        self._password = _password(self._mqtt, directory)
        self._tls = _tls(self._mqtt, directory)
        self.spool = Spool(state / self._mqtt.spool, self._mqtt.spool_limit)
        self._sensors: dict[str, dict[str, Sensor]] = {m.id: {} for m in config.meters}
        self._announce: dict[str, tuple[MeterSection, Sample]] = {}
        self._ready = asyncio.Event()
        self.connected = False
        self._pollers: list[Poller] = []

    def watch(self, poller: Poller) -> None:
        """Its meter's availability is published too."""
        self._pollers.append(poller)

    def publish(self, section: MeterSection, sample: Sample) -> None:
        """Keeps a sample for the broker; it is safe in the spool when this returns.

        Raises StoreError.
        """
        self.spool.add(section.id, sample.body)
        known = self._sensors[section.id]
        fresh = [sensor for sensor in worth_showing(sample.values) if sensor.key not in known]
        if fresh:
            known.update((sensor.key, sensor) for sensor in fresh)
            self._announce[section.id] = section, sample
        self._ready.set()

    async def run(self) -> None:
        """Connects, and connects again, until it is cancelled."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._session()
                pause = FIRST_PAUSE
            except self._aiomqtt.MqttError as error:
                log.warning("no broker", reason=str(error), waiting=len(self.spool))
                pause = FIRST_PAUSE if self.connected else min(2 * pause, LONGEST_PAUSE)
            finally:
                self.connected = False
            await asyncio.sleep(pause)

    async def flush(self) -> None:
        """One session, until nothing waits; what was said holds until it expires.

        Raises MqttError.
        """
        async with self._client() as client:
            await self._recall(client)
            await self._begin(client)
            await self._deliver(client)

    async def _session(self) -> None:
        """Until the connection is lost, which only the library's incoming side notices at once."""
        async with self._client() as client:
            await self._recall(client)
            tasks = [asyncio.ensure_future(run(client)) for run in (self._work, _until_lost)]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            except asyncio.CancelledError:
                await self._finish(client)
                raise
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, client: Any) -> None:
        await self._begin(client)
        while True:
            await self._deliver(client)
            await self._tell_availability(client)
            await self._wait()

    async def _wait(self) -> None:
        """Until there is something to publish, or availability may have changed."""
        shortest = min(meter.expires for meter in self._config.meters)
        try:
            async with asyncio.timeout(min(shortest, 30.0)):
                await self._ready.wait()
        except TimeoutError:
            pass
        self._ready.clear()

    def _client(self) -> Any:
        mqtt = self._mqtt
        bridge = f"{mqtt.topic}/bridge/availability"
        return self._aiomqtt.Client(
            mqtt.host,
            mqtt.port,
            username=mqtt.username,
            password=self._password,
            identifier=mqtt.client_id,
            tls_context=self._tls,
            timeout=ANSWERS_WITHIN,
            will=self._aiomqtt.Will(bridge, OFFLINE, AT_LEAST_ONCE, retain=True),
        )

    async def _begin(self, client: Any) -> None:
        self.connected = True
        await self._send(client, Message(f"{self._mqtt.topic}/bridge/availability", b"online"))
        self._announce |= {
            poller.section.id: (poller.section, poller.status.last)
            for poller in self._pollers
            if poller.status.last is not None
        }

    async def _finish(self, client: Any) -> None:
        """Says that nobody reads any more; a broker that does not take it will be told nothing."""
        word = Message(f"{self._mqtt.topic}/bridge/availability", OFFLINE.encode())
        with suppress(self._aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._send(client, word)

    async def _recall(self, client: Any) -> None:
        """Drops from the spool what the broker has already, says its retained state."""
        waiting = {Topics.of(self._mqtt, meter).state: meter.id for meter in self._config.meters}
        if not len(self.spool):
            return
        for topic in waiting:
            await client.subscribe(topic, qos=AT_LEAST_ONCE)
        try:
            async with asyncio.timeout(RECALL):
                async for message in client.messages:
                    self._recalled(waiting.pop(str(message.topic), ""), message.payload)
                    if not waiting:
                        break
        except TimeoutError:
            pass
        for meter in self._config.meters:
            await client.unsubscribe(Topics.of(self._mqtt, meter).state)

    def _recalled(self, meter: str, payload: Any) -> None:
        try:
            newest = msgspec.json.decode(payload, type=_Retained)
        except (msgspec.MsgspecError, TypeError):
            return
        self.spool.has_arrived(meter, newest.number, newest.spool)

    async def _deliver(self, client: Any) -> None:
        """Everything that waits, oldest first; what is acknowledged leaves the spool."""
        for meter in list(self._announce):
            section, sample = self._announce.pop(meter)
            await self._introduce(client, section, sample)
        while (one := self.spool.oldest()) is not None:
            topic = f"{self._mqtt.topic}/{one.meter}/state"
            await self._send(client, Message(topic, one.payload))
            self.spool.delivered(one.number)

    async def _introduce(self, client: Any, section: MeterSection, sample: Sample) -> None:
        sensors = list(self._sensors[section.id].values())
        topics = Topics.of(self._mqtt, section)
        for message in discovery(self._mqtt, section, sample.meter, sensors):
            await self._send(client, message)
        everything = [one.sensor for one in sample.values]
        await self._send(client, Message(topics.registers, registers(everything)))
        await self._send(client, Message(topics.availability, ONLINE.encode()))

    async def _tell_availability(self, client: Any) -> None:
        for poller in self._pollers:
            topics = Topics.of(self._mqtt, poller.section)
            word = ONLINE if poller.is_fresh() else OFFLINE
            await self._send(client, Message(topics.availability, word.encode()))

    async def _send(self, client: Any, message: Message) -> None:
        await client.publish(message.topic, message.payload, qos=AT_LEAST_ONCE, retain=True)


async def _until_lost(client: Any) -> None:
    """Raises MqttError when the connection is lost."""
    async for _ in client.messages:
        continue


def _library() -> Any:
    try:
        return import_module("aiomqtt")
    except ImportError:
        raise UsageError("MQTT needs the extra: pip install 'osgp[mqtt]'") from None


def _tls(mqtt: MqttSection, directory: Path) -> ssl.SSLContext | None:
    """What a broker must prove; None for a connection in clear. Raises UsageError."""
    if not mqtt.tls:
        return None
    name = mqtt.ca_file or ""
    try:
        trusted = str(directory / name) if name else None
        context = ssl.create_default_context(cafile=trusted)
        if mqtt.certificate_file and mqtt.private_key_file:
            name = mqtt.certificate_file
            context.load_cert_chain(
                directory / mqtt.certificate_file, directory / mqtt.private_key_file
            )
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "no certificate in PEM form"
        raise UsageError(f"{directory / name}: {reason}") from None
    return context


def _password(mqtt: MqttSection, directory: Path) -> str | None:
    if mqtt.password_file is None:
        return None
    path = directory / mqtt.password_file
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
