"""Binding and looking up layouts, decoding every table of one meter, importing the registry."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

from osgp.meter.device import VirtualMeter
from osgp.meter.identity import neighbourhood
from osgp.meter.nvm import MemoryNvm
from osgp.meter.tables import readable
from osgp.security.secret import Secret
from osgp.spec import tables
from osgp.wire import Dims
from osgp.wire import layout as layouts

from .table import Row, best

TITLE = "Declarations"
NOON = 1_767_614_400.0
LOOKUPS = 100_000


def run() -> list[Row]:
    meter = _meter()
    dims = meter.parts.dims
    images = _images(meter, dims)
    cold = [_cold(name, dims) for name, _ in images]
    bound = [(tables[name].bind(dims), image) for name, image in images]
    nothing = best(lambda: [None for _ in range(LOOKUPS)])
    bind = tables["BT23"].bind
    cached = (best(lambda: [bind(dims) for _ in range(LOOKUPS)]) - nothing) / LOOKUPS
    decoding = best(lambda: [layout.decode(image) for layout, image in bound])
    size = sum(len(image) for _, image in images)
    bare = _import("pass")
    spec = _import("import osgp.spec") - bare
    return [
        Row(
            "bind a table and make its codec, median",
            f"{statistics.median(cold) * 1e3:.2f} ms",
            "",
            "< 1 ms",
        ),
        Row("look a layout up", f"{cached * 1e6:.2f} us", "", "< 1 us"),
        Row(
            f"decode {len(images)} tables of a meter",
            f"{decoding * 1e3:.2f} ms",
            f"{size / decoding / 1e6:,.0f} MB/s",
            "< 2 ms",
        ),
        Row(
            "import osgp.spec", f"{spec * 1e3:.0f} ms", f"{spec / bare:.1f} x bare Python", "< 150"
        ),
    ]


def _meter() -> VirtualMeter:
    (profile,) = neighbourhood(1, 1, lambda neuron: Secret(bytes(12)))
    return VirtualMeter(profile, MemoryNvm(), random.Random(1), NOON)


def _images(meter: VirtualMeter, dims: Dims) -> list[tuple[str, bytes]]:
    """Every readable table, but for load-profile data, whose speed is measured by itself."""
    numbers = sorted(readable(meter.profile.set_up) - set(range(64, 68)))
    names = [tables[number].info.name for number in numbers]
    return [
        (name, bytes(meter.tables.read(number, 0, None, "OMAK", NOON)))
        for name, number in zip(names, numbers, strict=True)
    ]


def _cold(name: str, dims: Dims) -> float:
    layouts._cache.clear()
    fresh = Dims(dict(dims), firmware=dims.firmware)
    start = time.perf_counter()
    tables[name].bind(fresh).source  # noqa: B018 (generates the codec)
    return time.perf_counter() - start


def _import(statement: str) -> float:
    """Seconds of a fresh interpreter that has compiled these modules before."""
    command = [sys.executable, "-c", statement]
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    root = Path(__file__).parent.parent

    def work() -> None:
        subprocess.run(command, check=True, cwd=root, env=settings)

    work()
    return best(work)
