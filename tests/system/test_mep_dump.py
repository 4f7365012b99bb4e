"""A meter read over MEP into a dump, and the dump served over MEP: with digests and in TLS."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from osgp.cli.main import FAILED, OK, run

from .test_reading import Said, Served, asked

pytest.importorskip("serialx")


def test_from_mep_to_mep(tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "dump.json"
    modes: list[list[str]] = [[]]
    if importlib.util.find_spec("mbedtls") is not None:
        modes.append(["--tls", "MAK"])
    meter = Served(tmp_path, "demo", "--mep", "pty")
    before = asked(capsys, "read", *meter.options("mak", "mep"))
    assert asked(capsys, "dump", str(file), *meter.options("mak", "mep"))["tables"] > 25
    assert meter.stop() == 0
    served = Served(tmp_path, "--from-dump", str(file), "--mep", "tcp://127.0.0.1:0")
    for mode in modes:
        after = asked(capsys, "read", *served.options("mak", "mep"), *mode)
        assert after["meter"] == before["meter"]
        assert len(after["energies"]) == len(before["energies"])
        profile = asked(capsys, "profile", "--days", "0.25", *served.options("mak", "mep"), *mode)
        assert profile
    assert run(["read", "BT01", *served.options("rk", "mep")]) == FAILED
    assert "key" in capsys.readouterr().err
    assert served.stop() == 0


def test_a_call_over_mep_is_answered_in_et59(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    meter = Served(tmp_path, "demo", "--mep", "pty", "--mep2", "pty")
    options = meter.options("mak", "mep")

    assert run(["write", "ET50", "clients[0].et59_response=1", *options, "--yes"]) == OK
    assert run(["call", "EP16", "delta=5", *options, "--yes"]) == OK
    capsys.readouterr()
    answer = asked(capsys, "read", "ET59", *options)[0]["fields"]
    assert answer["procedure_number"]["value"] == 16
    assert answer["sequence_number"]["value"] in range(5, 10)
    second = ["--mep2", meter.said["mep2"], *options[2:]]
    assert run(["call", "EP16", "delta=5", *second, "--yes"]) == OK
    capsys.readouterr()
    assert asked(capsys, "read", "ET85", *second)[0]["fields"]["procedure_number"]["value"] == 16
    assert meter.stop() == 0
