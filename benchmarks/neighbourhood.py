"""One simulated day of 1,000 meters, as `osgp up` runs it, in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from .table import Row

TITLE = "A day of 1,000 meters: found, commissioned, read, stored"
METERS, DAY = 1000, 86_400.0


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder) / 'day.db'}"
        options = ["up", "--once", "--json", "--days", "1", "--seed", "7", "--store", store]
        command = [sys.executable, "-m", "osgp.cli.main", *options, "--meters", str(METERS)]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        summary = json.loads(out)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    wall = summary["wall_seconds"]
    simulated = summary["sim_seconds"]
    missing = summary["intervals_missing"]
    return [
        Row("wall time", f"{wall:.1f} s", f"{simulated / wall:,.0f} x real time", "< 60 s"),
        Row("memory", f"{peak:,.0f} MiB", f"{peak / METERS:.2f} MiB per meter", "< 1,024 MiB"),
        Row(
            "airtime",
            f"{summary['airtime_seconds']:,.0f} s",
            f"{summary['airtime_seconds'] / simulated:.0%} of the line",
        ),
        Row("intervals missing", f"{missing}", "", "0"),
    ]
