"""Whole neighbourhoods in OSGP-AES-128-PSK: as a user runs them, over chains, and between
concentrators."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from osgp.cli.main import run
from osgp.concentrator.plan import Plan
from osgp.headend.store import Store, open_store
from osgp.meter.device import VirtualMeter
from osgp.run.fleet import audit_store
from osgp.run.suites import DEMO_WRAPPING, Knows, spoken
from osgp.run.up import DEMO_MASTER
from osgp.run.vault import FileVault
from osgp.security.keys import device_psk
from osgp.security.keystore import LocalWrapper
from osgp.security.profile import Mode
from osgp.security.secret import Secret
from osgp.spec import tables
from osgp.topology import Life
from tests.support.kills import assert_stored_once, killed
from tests.support.scene import HOUR, scene

SMALL = ("up", "--once", "--json", "--days", "0.25", "--seed", "7")
SYSTEM, REGISTERS = tables["ET04"].info.number, tables["BT23"].info.number
PATH = "total_data_block.summations[14]"


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'x.db'}"


def up(tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert run([*SMALL, "--store", url(tmp_path), *options]) == 0
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


def modes(store: Store) -> Counter[int]:
    """ET04.127 of each device, as last read."""
    found = {
        row.device: row.record.data[4]
        for row in store.images(table=SYSTEM)
        if row.record.offset == 123
    }
    return Counter(found.values())


@pytest.mark.parametrize(
    ("suite", "spoken", "read"),
    [
        ("oma", {"oma": 6, "aes": 0}, {0: 6}),
        ("aes", {"oma": 0, "aes": 6}, {2: 6}),
        ("mixed", {"oma": 3, "aes": 3}, {0: 3, 2: 3}),
        ("migrate", {"oma": 0, "aes": 6}, {2: 6}),
    ],
)
def test_a_neighbourhood_in_each_suite(
    suite: str,
    spoken: dict[str, int],
    read: dict[int, int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = up(tmp_path, capsys, "--meters", "6", "--suite", suite)
    assert summary["read"] == 6
    assert summary["intervals_missing"] == 0
    assert summary["suites"] == spoken
    with open_store(url(tmp_path)) as store:
        assert modes(store) == read
        audit = audit_store(store)
    old = [finding.meter for finding in audit.findings if finding.weakness.name == "OLD_SUITE"]
    assert len(old) == spoken["oma"]
    assert audit.suites == spoken | {"unknown": 0}


def test_a_second_run_goes_on_in_the_same_suite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    up(tmp_path, capsys, "--meters", "4", "--suite", "aes")
    second = up(tmp_path, capsys)
    assert second["suites"] == {"oma": 0, "aes": 4}
    assert second["intervals_missing"] == 0
    assert run([*SMALL, "--store", url(tmp_path), "--suite", "oma"]) == 2
    assert "has suite aes, not oma" in capsys.readouterr().err


@pytest.mark.parametrize("emptied", [False, True], ids=["missing", "empty"])
def test_without_its_keys_a_neighbourhood_does_not_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], emptied: bool
) -> None:
    """SQLite takes an empty file for a new one, and every device would be as good as new."""
    up(tmp_path, capsys, "--meters", "2", "--suite", "aes")
    (tmp_path / "x.keys.db").unlink()
    if emptied:
        (tmp_path / "x.keys.db").touch()
    assert run([*SMALL, "--store", url(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "keys of this store's devices are missing" in error
    assert error.count("\n") == 1


def test_nonsense_is_no_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SMALL, "--store", url(tmp_path), "--suite", "rot13"]) == 2
    assert "there are: oma, aes, mixed, migrate" in capsys.readouterr().err


def test_a_scenario_may_say_what_meters_speak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = tmp_path / "street.toml"
    scenario.write_text('suite = "mixed"\n[layout]\nkind = "street"\n')
    summary = up(tmp_path, capsys, "--meters", "4", "--scenario", str(scenario))
    assert summary["suites"] == {"oma": 2, "aes": 2}


def test_no_key_lies_in_clear_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Store, vault and output; the meters' own memories have to have them."""
    up(tmp_path, capsys, "--meters", "2", "--suite", "aes")
    with open_store(url(tmp_path)) as store:
        ids = [device.neuron_id for device in store.devices()]
    wrapper = LocalWrapper(lambda: DEMO_WRAPPING)
    vault = FileVault(tmp_path / "x.keys.db", wrapper)
    for neuron_id in ids:
        key = device_psk(Secret(DEMO_MASTER), neuron_id, 1).reveal()
        assert key in (vault.get(neuron_id) or b"")
        for file in (*tmp_path.glob("x.db*"), *tmp_path.glob("x.keys*")):
            assert key not in file.read_bytes(), file.name
    vault.close()


def test_a_killed_run_is_finished_by_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--meters", "12", "--suite", "aes", "--store", url(tmp_path), "--days", "1")
    killed([*SMALL, *options], lambda: _read(tmp_path) >= 6)
    summary = up(tmp_path, capsys)
    assert summary["read"] == 12
    assert summary["intervals_missing"] == 0
    assert summary["suites"] == {"oma": 0, "aes": 12}
    assert_stored_once(url(tmp_path))


def _read(tmp_path: Path) -> int:
    if not (tmp_path / "x.db").exists():
        return 0
    try:
        with open_store(url(tmp_path), create=False) as store:
            return sum(device.state == Life.OPERATING for device in store.devices())
    except Exception:
        return 0


# --- on the line -----------------------------------------------------------------------------


def mode(meter: VirtualMeter) -> Mode:
    return meter._security.mode


def served(meter: VirtualMeter) -> list[bytes]:
    """BT23 as the meter gives it away from now on."""
    images: list[bytes] = []
    read = meter.tables.read

    def noting(table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        if table == REGISTERS:
            images.append(read(table, 0, None, key, now))
        return read(table, offset, count, key, now)

    setattr(meter.tables, "read", noting)  # noqa: B010  # a method of one instance
    return images


@pytest.mark.parametrize("suite", [Knows.AES, Knows.MIGRATE, Knows.MIXED])
def test_stored_registers_are_the_meters_own(suite: Knows, tmp_path: Path) -> None:
    """Values move while a table is read piece by piece: each is one that the meter showed."""
    with scene(tmp_path, "default", 4, plan=Plan(visit_every=2 * HOUR), suite=suite) as told:
        shown = [served(meter) for meter in told.world.meters]
        told.run_to(7)
        assert told.lives() == {Life.OPERATING: 4}
        for meter, images in zip(told.world.meters, shown, strict=True):
            layout = tables["BT23"].bind(meter.parts.dims)
            own = [layout.part(PATH).decode(_at(image, layout.span(PATH))) for image in images]
            rows = [row.record for row in told.store.registers(meter.profile.neuron_id)]
            values = [row.value for row in rows if (row.table, row.path) == (REGISTERS, PATH)]
            assert len(values) >= 4
            assert set(values) <= set(own)
            assert values[-1] > values[0]


def _at(image: bytes, span: tuple[int, int]) -> bytes:
    return image[span[0] : span[0] + span[1]]


def test_over_chains_of_repeaters(tmp_path: Path) -> None:
    with scene(tmp_path, "rural-feeder", 16, suite=Knows.AES) as told:
        told.run_to(10, lambda: told.unread() > 0)
        assert told.unread() == 0, f"after {told.hour:.1f} h"
        assert spoken(told.world.concentrators) == {"oma": 0, "aes": 16}
        assert {mode(meter) for meter in told.world.meters} == {Mode.AES}
        hops = [told.concentrator.network.hops_to(node) for node in told.concentrator.devices]
        assert max(hops) >= 4
        told.world.restart_concentrator()
        told.run_to(26)
        assert told.lives() == {Life.OPERATING: 16}


def test_two_concentrators_with_one_vault(tmp_path: Path) -> None:
    """Whoever registers a device has its keys; nobody takes it over by network management."""
    with scene(tmp_path, "two-transformers", 20, suite=Knows.AES) as told:
        told.run_to(8, lambda: told.unread() > 0)
        assert told.unread() == 0
        assert spoken(told.world.concentrators) == {"oma": 0, "aes": 20}
        station = told.world._stations[1]
        told.world.medium.detach(station)
        left = set(told.world.concentrators[1].devices)
        told.run_to(8 + 60)
        taken = left & set(told.concentrator.devices)
        assert taken, "nobody in reach of both"
        lives = {told.concentrator.devices[neuron_id].life for neuron_id in taken}
        assert lives == {Life.OPERATING}
        assert {mode(meter) for meter in told.world.meters} == {Mode.AES}
