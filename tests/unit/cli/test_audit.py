"""`osgp audit`: the attacks on a meter of this process, and what a store says of a fleet."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from osgp.concentrator.sink import Device, Reading, TableImage
from osgp.headend.store import open_store
from osgp.run import audit

from .conftest import Runner
from .test_keys import MASTER, imported

T0 = 1_780_012_800.0
ET04, ET54 = 2052, 2102


def device(number: int, sequence: int = 0) -> Device:
    neuron = bytes((5, 0, 0, 0, 0, number))
    return Device(neuron, b"PROGRAM\0", "active", T0, sequence=sequence)


def system(mode: int, limit: int = 1_000_000) -> TableImage:
    """Bytes 123 to 127 of ET04, as a partial read brings them."""
    return TableImage(ET04, 123, limit.to_bytes(4, "little") + bytes((mode,)), T0)


def uses(count: int) -> TableImage:
    return TableImage(ET54, 82, count.to_bytes(4, "little"), T0)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Meter 1 in the old suite, 2 in the new with a worn key, 3 talked to, 4 never heard of."""
    place = f"sqlite:///{tmp_path / 'fleet.db'}"
    read = {1: (system(0), uses(10)), 2: (system(2, 1000), uses(800))}
    with open_store(place) as store:
        for number, sequence in ((1, 9), (2, 9), (3, 9), (4, 0)):
            store.save_device(device(number, sequence))
        for number, images in read.items():
            store.store(Reading(device(number).neuron_id, T0, images=images))
    return place


def test_the_attacks_recover_the_keys_within_the_published_numbers(osgp: Runner) -> None:
    found = osgp("audit", "omak", "--seed", "1", "--json").json
    queries = {one["name"]: one["queries"] for one in found["attacks"]}
    assert all(one["correct"] and len(one["key"]) == 24 for one in found["attacks"])
    assert queries["chosen messages"] == 13
    assert queries["verification"] == 96
    assert 96 <= queries["verification over the power line"] <= 192
    assert any("AES" in line for line in found["advice"])


def test_keys_are_new_each_time() -> None:
    once, again = ({one.key for one in audit.attack_omak()} for _ in range(2))
    assert len(once | again) == 6


def test_attacks_as_a_table_and_without_an_address(osgp: Runner) -> None:
    result = osgp("audit", "omak", "--seed", "2")
    assert result.code == 0
    assert "over the power line" in result.out and "ET04.127" in result.out
    for option in ("--optical", "--mep", "--store", "10.0.0.1"):
        assert osgp("audit", "omak", option).code == 2


def test_a_wrong_key_would_be_seen(osgp: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = audit.Attack("x", "", "13", 13, 0.0, "00" * 12, False)
    monkeypatch.setattr(audit, "attack_omak", lambda rng: [wrong])
    assert osgp("audit", "omak").code == 1


def test_findings_of_a_store(osgp: Runner, url: str) -> None:
    found = osgp("audit", "fleet", "--store", url, "--json").json
    assert found["meters"] == 4
    assert [(one["meter"], one["weakness"]) for one in found["findings"]] == [
        ("050000000001", "old_suite"),
        ("050000000002", "worn_key"),
        ("050000000003", "old_suite"),
    ]
    assert list(found["unknown"].values()) == [1, 2, 4, 3]
    assert found["suites"] == {"oma": 2, "aes": 1, "unknown": 1}


def test_the_newest_reading_counts(osgp: Runner, url: str) -> None:
    newer = msgspec.structs.replace(system(2), read_at=T0 + 60)
    with open_store(url) as store:
        store.store(Reading(device(1).neuron_id, T0 + 60, images=(newer,)))
    found = osgp("audit", "fleet", "--store", url, "--json").json
    assert "050000000001" not in {one["meter"] for one in found["findings"]}


def test_findings_about_keys_and_no_key_shown(osgp: Runner, url: str, tmp_path: Path) -> None:
    shared, own = bytes(range(12)).hex(), bytes(range(16)).hex()
    store = imported(osgp, tmp_path, {"050000000001.omak": shared, "050000000003.omak": shared})
    imported(osgp, tmp_path, {"050000000002.aes": own, "050000000002.mep": "00" * 16})
    options = ("--keys", str(store), "--master-file", str(tmp_path / "master.txt"))
    result = osgp("audit", "fleet", "--store", url, *options, "--json")
    kinds = {(one["meter"], one["weakness"]) for one in result.json["findings"]}
    assert kinds == {
        ("050000000001", "old_suite"),
        ("050000000001", "shared_key"),
        ("050000000003", "old_suite"),
        ("050000000003", "shared_key"),
        ("050000000002", "worn_key"),
        ("050000000002.mep", "default_key"),
    }
    shown = osgp("audit", "fleet", "--store", url, *options)
    for text in (result.out, result.err, shown.out, shown.err):
        assert not any(key in text for key in (shared, own, MASTER))


def test_findings_in_words(osgp: Runner, url: str) -> None:
    result = osgp("audit", "fleet", "--store", url)
    assert "old suite: 2 of 4 meters" in result.out
    assert "cannot tell of 3: whether a meter still has its factory key" in result.out


def test_an_empty_fleet_and_no_store(osgp: Runner, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path / 'empty.db'}"
    open_store(place).close()
    assert "no finding in 0 meters" in osgp("audit", "fleet", "--store", place).out
    assert osgp("audit", "fleet", "--store", f"sqlite:///{tmp_path / 'none.db'}").code == 1
