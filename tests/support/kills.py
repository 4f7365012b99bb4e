"""`osgp up` as a process that is killed, and what its store must be like after the next run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from osgp.headend.store import open_store

PATIENCE = 60.0
"""Seconds until it is killed, whatever has been reached."""


def killed(arguments: Sequence[str], reached: Callable[[], bool]) -> None:
    """Runs `osgp` with these arguments and kills it (-9) as soon as `reached`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "osgp.cli.main", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline and not reached():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def assert_stored_once(url: str) -> None:
    """No interval is there twice, and none contradicts another."""
    with open_store(url) as store:
        ends = [(row.device, row.interval.end) for row in store.intervals()]
        assert len(ends) == len(set(ends))
        assert not store.conflicts
