"""`osgp up --capture`: what was on the line is in the file, and Wireshark reads it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from osgp.channel import A_BAND
from osgp.cli.main import run
from osgp.export.pcapng import Captured, read
from osgp.lon import Lpdu, PduType, Spdu
from osgp.lon.tpdu import SpduType
from tests.support.tshark import check_with_tshark, needs_tshark

UP = ("up", "--once", "--json", "--days", "0.05", "--meters", "9", "--scenario", "rural-feeder")


def captured(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, float]:
    """The capture of a feeder with chains, and the airtime that the run counted."""
    path = folder / "line.pcapng"
    run([*UP, "--store", f"sqlite:///{folder / 'x.db'}", "--capture", str(path)])
    return path, json.loads(capsys.readouterr().out)["airtime_seconds"]


def frames_of(found: list[Captured]) -> list[bytes]:
    return [one.lpdu for one in found if one.lpdu is not None]


def relayed(frame: bytes) -> bool:
    """Whether a frame is a request to repeat (Annex G)."""
    pdu = Lpdu.decode(frame).npdu.enclosed()
    return isinstance(pdu, Spdu) and pdu.kind is SpduType.REQUEST and pdu.apdu[:1] == b"\x4d"


def test_every_frame_on_the_line_is_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, airtime = captured(tmp_path, capsys)
    found = list(read(path.read_bytes()))
    frames = frames_of(found)
    assert len(frames) == len(found) > 500
    assert sum(A_BAND.airtime(len(frame)) for frame in frames) == pytest.approx(airtime, abs=1e-3)
    assert all(a.time <= b.time for a, b in pairwise(found))
    assert {one.comment for one in found} >= {"concentrator", "meter-0001"}
    kinds = {Lpdu.decode(frame).npdu.pdu_type for frame in frames}
    assert PduType.SPDU in kinds
    assert any(relayed(frame) for frame in frames), "no chain was used"


@needs_tshark
def test_wireshark_reads_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = captured(tmp_path, capsys)
    check_with_tshark(path, frames_of(list(read(path.read_bytes()))))


def test_a_file_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "line.pcapng"
    store = f"sqlite:///{tmp_path / 'x.db'}"
    assert run([*UP, "--store", store, "--capture", str(path)]) == 2
    err = capsys.readouterr().err
    assert str(path) in err
    assert "Traceback" not in err
