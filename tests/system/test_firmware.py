"""`osgp up --firmware`: a whole neighbourhood gets an image, as a user brings it."""

from __future__ import annotations

import io
import json
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from osgp.cli.main import run
from osgp.concentrator.image import PACKET
from osgp.headend.store import open_store
from osgp.meter.nvm import FileStore
from osgp.run.progress import Progress
from osgp.run.up import Run, UpOptions, plan_window

SMALL = ("up", "--once", "--json", "--days", "0.25", "--seed", "7", "--meters", "4")
IMAGE = b"PROGRAM2" + random.Random(1).randbytes(2000)


def up(tmp_path: Path, *options: str) -> int:
    return run([*SMALL, "--store", f"sqlite:///{tmp_path / 'x.db'}", *options])


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "image.bin"
    path.write_bytes(IMAGE)
    return str(path)


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(("suite", "able"), [("aes", 4), ("mixed", 2), ("migrate", 4)])
def test_all_meters_that_can_prove_it_run_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], image: str, suite: str, able: int
) -> None:
    assert up(tmp_path, "--suite", suite, "--firmware", image) == 0
    told = summary(capsys)
    assert told["firmware"] == {"running": able, "refused": 0, "waiting": 0}
    assert (told["read"], told["intervals_missing"]) == (4, 0)


def test_the_next_run_finds_it_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], image: str
) -> None:
    assert up(tmp_path, "--suite", "aes", "--firmware", image) == 0
    airtime = summary(capsys)["airtime_seconds"]
    assert up(tmp_path, "--firmware", image) == 0
    again = summary(capsys)
    assert again["firmware"] == {"running": 4, "refused": 0, "waiting": 0}
    assert again["airtime_seconds"] < airtime / 2


def test_without_an_image_nothing_is_said_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert up(tmp_path, "--suite", "aes") == 0
    assert "firmware" not in summary(capsys)


@pytest.mark.parametrize(
    ("suite", "content", "reason"),
    [
        ("oma", IMAGE, "meters that speak AES"),
        ("aes", b"short", "an image has 8 to"),
        ("aes", None, "No such file"),
    ],
    ids=["old suite", "no image", "no file"],
)
def test_what_cannot_be_loaded_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    suite: str,
    content: bytes | None,
    reason: str,
) -> None:
    path = tmp_path / "other.bin"
    if content is not None:
        path.write_bytes(content)
    assert up(tmp_path, "--suite", suite, "--firmware", str(path)) == 2
    shown = capsys.readouterr().err
    assert reason in shown
    assert len(shown.strip().splitlines()) == 1


def test_what_is_shown_while_it_runs(tmp_path: Path, image: str) -> None:
    """The bars, drawn into a file instead of a terminal."""
    store = f"sqlite:///{tmp_path / 'x.db'}"
    with open_store(store) as opened, closing(FileStore(tmp_path / "m.db")) as memory:
        options = UpOptions(store, meters=2, days=0.1, suite="aes")
        running = Run(opened, memory, plan_window(options, opened))
        running.load(Path(image).read_bytes())
        drawn = io.StringIO()
        with Progress(running, Console(file=drawn, force_terminal=True, width=120)) as progress:
            running.go(progress)
    shown = drawn.getvalue()
    assert "new firmware" in shown
    assert "2/2" in shown
    assert f"{-(-len(IMAGE) // PACKET)} packets said to all" in shown
