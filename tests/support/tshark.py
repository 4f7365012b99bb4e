"""What Wireshark's dissectors say about a capture, beside what this project's codec says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from osgp.lon import Lpdu, NeuronId, Spdu, SubnetNode, Tpdu

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def shown_by_tshark(path: Path, *fields: str) -> list[dict[str, str]]:
    wanted = [part for name in fields for part in ("-e", name)]
    command = ["tshark", "-r", str(path), "-T", "fields", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [dict(zip(fields, line.split("\t"), strict=True)) for line in done.stdout.splitlines()]


def fields_of(lpdu: bytes) -> dict[str, str]:
    """Fields of Wireshark's dissector as this project's codec reads them."""
    frame = Lpdu.decode(lpdu)
    npdu = frame.npdu
    fields: dict[str, Any] = {
        "cnip.protocol": 0,
        "lon.prio": int(frame.priority),
        "lon.alt_path": int(frame.alternate_path),
        "lon.delta_bl": frame.delta_backlog,
        "lon.pdufmt": f"0x{npdu.pdu_type:02x}",
        "lon.srcnet": f"0x{npdu.source.subnet:02x}",
        "lon.srcnode": f"0x{npdu.source.node:02x}",
    }
    if npdu.domain:
        fields["lon.domain"] = npdu.domain.hex()
    to = npdu.destination
    if isinstance(to, SubnetNode):
        fields |= {"lon.dstnet": f"0x{to.subnet:02x}", "lon.dstnode": f"0x{to.node:02x}"}
    if isinstance(to, NeuronId):
        fields["lon.uid"] = to.neuron.hex()
    enclosed = npdu.enclosed()
    if isinstance(enclosed, Tpdu | Spdu):
        fields["lon.trans_no"] = f"0x{enclosed.tid:02x}"
        fields["lon.auth"] = f"0x{enclosed.authenticated:02x}"
    return {name: str(value) for name, value in fields.items()}


def check_with_tshark(path: Path, frames: list[bytes]) -> None:
    """Every frame of the capture at `path` has the fields that the codec reads in it."""
    wanted = [fields_of(lpdu) for lpdu in frames]
    names = sorted({name for one in wanted for name in one})
    shown = shown_by_tshark(path, *names)
    assert len(shown) == len(frames)
    for found, fields in zip(shown, wanted, strict=True):
        assert {name: found[name] for name in fields} == fields
