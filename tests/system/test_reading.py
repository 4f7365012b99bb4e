"""The commands, from a user's side: a virtual meter on a pseudo-terminal, and what they print."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osgp.cli.main import FAILED, OK, USAGE, run

ROOT = Path(__file__).parents[2]

pytest.importorskip("serialx")


class Served:
    """`osgp meter serve` in a process of its own."""

    def __init__(self, directory: Path, *more: str) -> None:
        self.directory = directory
        command = [sys.executable, "-m", "osgp.cli.main", "meter", "serve", *more, "--json"]
        command += ["--keys", str(directory / "keys")]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if line.startswith("}"):
                break
        self.said: dict[str, Any] = json.loads("".join(lines))

    def options(self, key: str = "rk", port: str = "optical") -> list[str]:
        file = str(self.directory / "keys" / f"{key}.txt")
        return [f"--{port}", self.said[port], "--key-file", file]

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._process.wait(10)


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("meter")
    served = Served(directory, "demo", "--optical", "pty", "--mep", "tcp://127.0.0.1:0")
    yield served
    assert served.stop() == 0


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


Said = pytest.CaptureFixture[str]


def asked(capsys: Said, *arguments: str) -> Any:
    """What a command prints as JSON."""
    assert run([*arguments, "--json"]) == OK
    return json.loads(capsys.readouterr().out)


def test_a_table_of_everything(meter: Served, capsys: Said) -> None:
    assert run(["read", *meter.options()]) == OK
    said = capsys.readouterr()
    for words in ("Fwd Active Wh L1L2L3", "kWh", "1-0:1.8.0", "RMS Voltage L1", "T1", "alarms"):
        assert words in said.out
    assert "40 hex digits" in said.err


@pytest.mark.parametrize(("key", "port"), [("rk", "optical"), ("mk", "optical"), ("mbk", "mep")])
def test_every_port_says_the_same(meter: Served, capsys: Said, key: str, port: str) -> None:
    found = asked(capsys, "read", *meter.options(key, port))
    assert found["meter"]["serial"] == "20260105"
    assert found["energies"][0]["obis"] == "1-0:1.8.0"


def test_tls(meter: Served, capsys: Said) -> None:
    pytest.importorskip("mbedtls")
    found = asked(capsys, "read", "BT01", *meter.options("mak", "mep"), "--tls", "MAK")
    assert found[0]["fields"]["manufacturer"]["value"].startswith("OSGP")


def test_named_fields(meter: Served, capsys: Said) -> None:
    found = asked(capsys, "read", "BT28.values[3]", "ET04.30", *meter.options())
    assert [one["offset"] for one in found] == [12, 30]


def test_profile_as_csv(meter: Served, capsys: Said) -> None:
    assert run(["profile", "--days", "0.5", *meter.options()]) == OK
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0][0] == "end_utc"
    assert 46 <= len(rows) - 1 <= 48


def test_profile_as_files(meter: Served, capsys: Said, tmp_path: Path) -> None:
    for name in ("a.csv", "a.svg"):
        out = str(tmp_path / name)
        assert run(["profile", "--days", "0.5", "--out", out, *meter.options()]) == OK
        assert (tmp_path / name).stat().st_size > 100
    assert run(["profile", "--days", "0.5", "--chart", *meter.options()]) == OK
    assert "kW" in capsys.readouterr().out


def test_logs_and_the_rest(meter: Served, capsys: Said) -> None:
    assert isinstance(asked(capsys, "events", *meter.options()), list)
    assert asked(capsys, "selfreads", *meter.options()) == []


def test_water_and_heat_behind_the_meter(meter: Served, capsys: Said) -> None:
    pytest.importorskip("meterbus")
    water, heat = asked(capsys, "mbus", *meter.options("mbk", "mep"))
    assert (water["medium"], water["serial"], water["manufacturer"]) == ("water", "20260101", "OSG")
    assert [one["quantity"] for one in heat["values"]][:3] == ["energy", "volume", "power"]
    assert heat["remarks"] == ["power is low"]
    now = asked(capsys, "mbus", "--now", *meter.options("mk"))
    assert now[0]["read_at"] > water["read_at"]
    assert now[0]["values"][0]["value"] >= water["values"][0]["value"]
    assert run(["mbus", "--now", *meter.options("mbk", "mep")]) == FAILED
    assert "authorisation" in capsys.readouterr().err
    assert run(["mbus"]) == USAGE
    assert run(["mbus", *meter.options()]) == OK
    assert "power is low" in capsys.readouterr().out


def test_a_meter_without_an_m_bus_port(tmp_path: Path, capsys: Said) -> None:
    served = Served(tmp_path, "flat", "--optical", "tcp://127.0.0.1:0")
    assert run(["mbus", *served.options()]) == USAGE
    assert "ET14" in capsys.readouterr().err
    served.stop()


def test_top(meter: Served, capsys: Said) -> None:
    assert run(["top", "--count", "2", "--every", "0.5", *meter.options()]) == OK
    said = capsys.readouterr().out
    assert "L1" in said
    assert " W" in said


def test_watching_ends_with_an_error_when_the_meter_goes(tmp_path: Path, capsys: Said) -> None:
    served = Served(tmp_path, "flat", "--optical", "tcp://127.0.0.1:0")
    options = served.options()
    assert run(["read", "BT01", *options]) == OK
    served.stop()
    capsys.readouterr()
    assert run(["read", "BT01", "--watch", "1", *options]) == FAILED
    assert capsys.readouterr().err.count("\n") == 2


def test_dump_and_impersonate(meter: Served, capsys: Said, tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    before = asked(capsys, "read", *meter.options("mk"))
    assert asked(capsys, "dump", str(file), *meter.options("mk"))["tables"] > 25
    served = Served(tmp_path, "--from-dump", str(file), "--optical", "pty")
    after = asked(capsys, "read", *served.options())
    served.stop()
    assert after["meter"] == before["meter"]
    assert [one["place"] for one in after["energies"]] == [
        one["place"] for one in before["energies"]
    ]


def test_an_impersonator_says_the_same_of_everything(
    meter: Served, capsys: Said, tmp_path: Path
) -> None:
    """Two dumps, of the meter and of its dump: alike, but for the clocks that go on."""
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    assert run(["dump", str(first), *meter.options("mk")]) == OK
    served = Served(tmp_path, "--from-dump", str(first), "--optical", "pty")
    assert run(["dump", str(second), *served.options("mk")]) == OK
    for command in (["mbus"], ["events"], ["profile", "--days", "0.2"], ["selfreads"]):
        assert run([*command, *served.options(), "--json"]) == OK
    assert run(["write", "BT53", "time_zone_offset=0", *served.options("mk"), "--yes"]) == FAILED
    served.stop()
    capsys.readouterr()
    one, other = (json.loads(file.read_text())["tables"] for file in (first, second))
    assert list(one) == list(other)
    differ = {name for name in one if one[name]["hex"] != other[name]["hex"]}
    assert differ <= {"BT52", "BT55"}


def test_write_and_call(meter: Served, capsys: Said) -> None:
    options = meter.options("mk")
    change = ["write", "BT53", "time_zone_offset=120", *options]
    planned = asked(capsys, *change, "--dry-run")
    assert planned == [{"table": "BT53", "offset": 4, "before": "3c00", "after": "7800"}]
    assert run([*change, "--json"]) == USAGE
    capsys.readouterr()
    assert asked(capsys, *change, "--yes") == planned
    assert run(["write", "BT53", "time_zone_offset=60", *options, "--yes"]) == OK
    capsys.readouterr()
    shown = asked(capsys, "call", "EP16", "delta=1", *options, "--dry-run")
    assert shown["bt07"].startswith("1008")
    assert "response" not in shown
    assert asked(capsys, "call", "EP16", "delta=1", *options, "--yes")["response"] == ""


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [("y", OK, "written"), ("n", FAILED, "nothing was sent"), ("", USAGE, "--yes or --dry-run")],
)
def test_asked_first(
    meter: Served,
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    said: str,
) -> None:
    """No session is open while somebody thinks: a meter's would run out."""
    options = meter.options("mk")

    class Thinking(io.StringIO):
        def readline(self, *args: Any) -> Any:
            assert run(["read", "BT53.time_zone_offset", *options, "--json"]) == OK
            return super().readline(*args)

    monkeypatch.setattr("sys.stdin", Thinking(f"{answer}\n" if answer else ""))
    assert run(["write", "BT53", "time_zone_offset=60", *options]) == code
    shown = capsys.readouterr()
    assert "BT53 at 4: 3c 00 → 3c 00" in shown.out
    assert said in shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["read"], USAGE, "one port"),
        (["read", "--optical", "/dev/nowhere", "--no-key"], FAILED, "/dev/nowhere"),
        (["read", "--optical", "tcp://127.0.0.1:1", "--no-key"], FAILED, "connect"),
        (["read", "XX1", "--optical", "x", "--no-key"], USAGE, "XX1"),
        (["read", "--optical", "x", "--key-file", "/nowhere"], USAGE, "/nowhere"),
        (["read", "--mep", "tcp://127.0.0.1:1", "--no-key"], USAGE, "key"),
        (["profile", "--from", "noon", "--optical", "x", "--no-key"], USAGE, "noon"),
        (["bridge", "/nowhere.toml"], USAGE, "/nowhere.toml"),
        (["meter", "serve", "nobody"], USAGE, "demo"),
        (["meter", "serve", "demo"], USAGE, "--optical"),
        (["meter", "serve", "--optical", "tcp://0.0.0.0:0"], USAGE, "--expose"),
        (["write", "BT53", "--optical", "x", "--no-key"], USAGE, "FIELD=VALUE"),
    ],
)
def test_one_line_and_a_code(capsys: Said, arguments: list[str], code: int, reason: str) -> None:
    assert run(arguments) == code
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    assert reason in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [("not a key", "20 characters"), ("nobody's key, really", "insufficient security")],
)
def test_wrong_keys(meter: Served, capsys: Said, tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "key.txt"
    file.write_text(text)
    arguments = ["read", "--optical", meter.said["optical"], "--key-file", str(file), "--json"]
    assert run(arguments) == (USAGE if "20" in reason else FAILED)
    said = capsys.readouterr()
    assert reason in said.err
    assert text not in said.err
    assert said.out == ""


def test_another_program_has_the_port(meter: Served, capsys: Said) -> None:
    serialx = pytest.importorskip("serialx")
    held = serialx.serial_for_url(meter.said["optical"], baudrate=9600, exclusive=True)
    held.open()
    try:
        assert run(["read", *meter.options()]) == FAILED
    finally:
        held.close()
    assert "another program" in capsys.readouterr().err


def test_bridge_check(meter: Served, capsys: Said, tmp_path: Path) -> None:
    config = tmp_path / "bridge.toml"
    keys = meter.directory / "keys"
    config.write_text(
        f"[[meters]]\nname = 'm'\noptical = '{meter.said['optical']}'\n"
        f"key_file = '{keys / 'rk.txt'}'\n"
    )
    assert run(["bridge", str(config), "--check"]) == OK
    assert "40 hex digits" in capsys.readouterr().err
    assert run(["bridge", str(config), "--once", "--json"]) == OK
    line = json.loads(capsys.readouterr().out)
    assert line["meter"] == "m"
    assert line["reading"]["obis"]["1-0:1.8.0"] > 0


def test_the_bridge_keeps_its_things_where_systemd_wants_them(
    meter: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiomqtt")
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    config = tmp_path / "bridge.toml"
    config.write_text(
        f"cache = 'cache'\n[[meters]]\nname = 'm'\noptical = '{meter.said['optical']}'\n"
        f"key_file = '{meter.directory / 'keys' / 'rk.txt'}'\n[mqtt]\nport = 1\n"
    )
    assert run(["bridge", str(config), "--once"]) == FAILED
    assert {path.name for path in state.iterdir()} >= {"cache", "osgp-spool.sqlite"}
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".sqlite"] == []


def test_a_meter_s_name_gives_the_terminal_no_orders(
    meter: Served, tmp_path: Path, capsys: Said
) -> None:
    """Escape sequences, bells and line feeds where manufacturer and model stand."""
    dump = tmp_path / "evil.json"
    assert run(["dump", str(dump), *meter.options("mk")]) == OK
    tree = json.loads(dump.read_text())
    image = bytearray.fromhex(tree["tables"]["BT01"]["hex"])
    image[:12] = b"\x1b[2J\x9b1m\n\r\x07\x08\x1b"
    tree["tables"]["BT01"]["hex"] = image.hex()
    dump.write_text(json.dumps(tree))
    served = Served(tmp_path, "--from-dump", str(dump), "--optical", "pty")
    capsys.readouterr()
    for command in (["read"], ["read", "BT01"], ["top", "--count", "1"], ["dump", str(dump)]):
        assert run([*command, *served.options("mk")]) == OK
        said = capsys.readouterr()
        assert all(letter.isprintable() or letter == "\n" for letter in said.out + said.err)
    served.stop()
