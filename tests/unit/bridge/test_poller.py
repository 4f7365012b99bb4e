"""When meters are read, when they are left alone, and what is served of them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from structlog.testing import capture_logs

from osgp.errors import TransportError, UsageError
from osgp.run.bridge.config import ListenSection, MeterSection, load_config
from osgp.run.bridge.metrics import Exporter, serve_metrics
from osgp.run.bridge.pages import serve_pages
from osgp.run.bridge.poller import LONGEST_PAUSE, Poller
from osgp.run.bridge.sample import Sample
from osgp.run.reading.alerts import MEANINGS
from osgp.run.reading.device import Access, open_device
from osgp.run.serve import ServeOptions, open_serving
from tests.unit.reading.bench import (
    MK,
    NOON,
    calm,
    images_of,
    imagined,
    key_of,
    run,
    served,
    virtual,
)
from tests.unit.reading.test_alerts import register

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


class Time:
    """True time that a test moves."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.now = moment.timestamp()

    def __call__(self) -> float:
        return self.now


def poller(tmp_path: Path, place: str, text: str = MK, **more: Any) -> tuple[Poller, list[Sample]]:
    (tmp_path / "key.txt").write_text(text)
    given: dict[str, Any] = {"name": "m", "optical": place, "key_file": "key.txt"}
    clock = more.pop("clock", Time())
    section = MeterSection(**given | more)
    published: list[Sample] = []
    made = Poller(
        section,
        lambda _, sample: published.append(sample),
        directory=tmp_path,
        cache=tmp_path / "cache",
        clock=clock,
    )
    return made, published


def test_a_reading_is_published_and_the_port_left(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            made, published = poller(tmp_path, bench.place)
            assert await made.once() is published[0]
            await asyncio.sleep(0.05)
            assert not bench.driver.connected
        assert published[0].meter.serial
        assert made.is_fresh()
        assert made.status.readings == 1

    run(work)


@pytest.mark.parametrize("text", ["nobody's key, really", "another wrong key---"])
def test_a_wrong_key_publishes_nothing(tmp_path: Path, text: str) -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            made, published = poller(tmp_path, bench.place, text)
            assert await made.once() is None
        assert published == []
        assert text not in made.status.last_error
        assert not made.is_fresh()

    run(work)


@pytest.mark.parametrize(
    ("serial", "published"), [("20260105", 1), ("0000000020260105", 1), ("7", 0)]
)
def test_only_the_meter_that_is_meant(tmp_path: Path, serial: str, published: int) -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            made, samples = poller(tmp_path, bench.place, serial=serial)
            await made.once()
        assert len(samples) == published
        assert ("another meter answers" in made.status.last_error) is (published == 0)

    run(work)


def test_old_data_is_not_published(tmp_path: Path) -> None:
    """A meter (or what pretends to be one) that says the same for ever."""

    async def work() -> None:
        images = await images_of(virtual(1.0))
        time = Time()
        published: list[Sample] = []
        for _ in range(2):
            async with served(imagined(images)) as bench:
                if not published:
                    made, published = poller(tmp_path, bench.place, clock=time)
                made._access = bench.access(MK)
                await made.once()
            time.now += 3600
        assert len(published) == 1
        assert "stands still" in made.status.last_error

    run(work)


def test_nobody_there_and_pauses_grow(tmp_path: Path) -> None:
    async def work() -> None:
        made, published = poller(tmp_path, "tcp://127.0.0.1:1", interval=60.0)
        pauses = []
        for _ in range(8):
            assert await made.once() is None
            pauses.append(made.pause(0.0))
        assert pauses[:3] == [120.0, 240.0, 480.0]
        assert max(pauses) == LONGEST_PAUSE
        assert published == []

    run(work)


def test_a_long_reading_still_leaves_the_port_free(tmp_path: Path) -> None:
    made, _ = poller(tmp_path, "tcp://127.0.0.1:1", interval=10.0, idle=5.0)
    assert made.pause(3.0) == 7.0
    assert made.pause(9.0) == 5.0
    assert made.pause(100.0) == 5.0


@pytest.mark.parametrize(
    ("span", "hour", "quiet"),
    [
        ("02:00-04:30", 3, True),
        ("02:00-04:30", 5, False),
        ("22:00-06:00", 23, True),
        ("22:00-06:00", 5, True),
        ("22:00-06:00", 12, False),
    ],
)
def test_quiet_hours(tmp_path: Path, span: str, hour: int, quiet: bool) -> None:
    moment = datetime(2026, 6, 10, hour).astimezone()
    made, _ = poller(tmp_path, "tcp://127.0.0.1:1", quiet_hours=(span,), clock=Time(moment))
    assert made.is_quiet() is quiet


def test_what_was_read_grows_stale(tmp_path: Path) -> None:
    async def work() -> None:
        time = Time()
        async with served(virtual(1.0)) as bench:
            made, _ = poller(tmp_path, bench.place, clock=time, stale_after=300.0)
            await made.once()
        time.now += 299
        assert made.is_fresh()
        time.now += 2
        assert not made.is_fresh()
        assert not any(family.samples for family in _values(made))

    run(work)


def test_an_alert_is_logged(tmp_path: Path) -> None:
    async def work() -> None:
        meter = calm()
        serving = await open_serving(meter, ServeOptions(mep="tcp://127.0.0.1:0"))
        place, key = serving.addresses["mep"], meter.keys["MAK"].reveal().hex()
        access = Access(mep=place, key=key_of(meter, "MAK"))
        async with open_device(access) as device:
            await device.run(register)
        made, _ = poller(tmp_path, place, f"hex:{key}", optical=None, mep=place, clock=time.time)
        with capture_logs() as lines:
            await made.once()
        await serving.close()
        assert "alert: " + MEANINGS["delta_data_alert"] in [line["event"] for line in lines]

    run(work)


def _values(made: Poller) -> list[Any]:
    pytest.importorskip("prometheus_client")
    families = list(Exporter([made]).collect())
    return [family for family in families if family.name in ("osgp_value", "osgp_total")]


def test_pages_and_metrics(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")

    async def work() -> Poller:
        async with served(virtual(1.0)) as bench:
            made, _ = poller(tmp_path, bench.place)
            await made.once()
        return made

    made = run(work)
    pages, metrics = free_port(), free_port()
    stop = serve_pages(ListenSection(port=pages), [made])
    try:
        with urlopen(f"http://127.0.0.1:{pages}/m", timeout=5) as answer:
            page = json.load(answer)
        with pytest.raises(TransportError):
            serve_pages(ListenSection(port=pages), [made])
    finally:
        stop()
    assert page["fresh"]
    assert page["reading"]["values"]["fwd_active_wh_l1l2l3"] > 0
    stop = serve_metrics(ListenSection(port=metrics), [made])
    try:
        with urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        stop()
    assert 'osgp_total{key="fwd_active_wh_l1l2l3",meter="m",obis="1-0:1.8.0",unit="kWh"}' in text
    assert 'osgp_readings_total{meter="m"} 1.0' in text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("name", ["bridge.toml", "bridge-minimal.toml"])
def test_the_examples_make_sense(name: str) -> None:
    found = load_config(EXAMPLES / name)
    assert found.mqtt is not None
    assert all(meter.key_file for meter in found.meters)


def test_the_owner_s_page_has_a_configuration(tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "meter-owner.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 1
    (tmp_path / "bridge.toml").write_text(blocks[0])
    assert load_config(tmp_path / "bridge.toml").mqtt is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "meters"),
        ("[[meters]]\nname='a'", "one of optical and mep"),
        ("[[meters]]\nname='a'\noptical='x'\nmep='y'", "one of optical and mep"),
        ("[[meters]]\nname='-'\noptical='x'", "name"),
        ("[[meters]]\nname='a'\noptical='x'\n[[meters]]\nname='A'\noptical='y'", "same name"),
        ("[[meters]]\nname='a'\noptical='x'\nquiet_hours=['night']", "02:00-04:30"),
        ("[[meters]]\nname='a'\noptical='x'\nquiet_hours=['25:00-26:00']", "02:00-04:30"),
        ("[[meters]]\nname='a'\noptical='x'\ninterval=0", "interval"),
        ("[[meters]]\nname='a'\noptical='x'\ntls='RK'", "tls"),
        ("[[meters]]\nname='a'\noptical='x'\nkey='secret'", "key"),
        ("[[meters]]\nname='a'\noptical='x'\n[mqtt]\npassword='secret'", "password"),
        ("nonsense", "nonsense"),
    ],
)
def test_configurations_that_make_no_sense(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_config(file)
    assert reason in str(caught.value) or text == "nonsense"


def test_expiry_follows_the_interval() -> None:
    assert MeterSection(name="m", optical="x", interval=600).expires == 1800
    assert MeterSection(name="m", optical="x", interval=5).expires == 180
