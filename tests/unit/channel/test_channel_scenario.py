from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from osgp.channel import Carrier, Feeder, NoiseSettings, Scheduler
from osgp.channel.noise import Noise, placed
from osgp.channel.scenario import Scenario, load, names, parse
from osgp.errors import UsageError

from .channel_fakes import Node, destination_key, frame

FLAWED = [
    ("layout = 3", "layout"),
    ("[layout]\nkind = 'castle'", "castle"),
    ("[layout]\nkind = 'street'\nmeters = 0", "meters"),
    ("[layout]\nkind = 'street'\nmeters = -5", "meters"),
    ("[layout]\nkind = 'street'\nmeters = 100000", "meters"),
    ("[layout]\nkind = 'street'\nmetres = 5", "metres"),
    ("[noise]\nfloor = [1.0]", "floor"),
    ("[noise]\nsecondary_offset = nan", "secondary_offset"),
    ("[line]\ntx_level = inf", "tx_level"),
    ("[line]\nresidual_loss = 1.5", "residual_loss"),
    ("band = 'X'", "band"),
    ("not toml at all", "scenario x: "),
    ("[layout]\nkind = 'rural'\nmeters = 3\nhops = 8", "8 hops"),
    (
        "[layout]\nkind = 'tree'\n[[layout.feeder.segments]]\nname = 'a'\nparent = 'b'\n",
        "not connected",
    ),
    ("[layout]\nkind = 'tree'\n[[layout.feeder.sites]]\nname = 'a'\nphases = [4]\n", "phases"),
]

SPELLED_OUT = """
[layout]
kind = "tree"
[[layout.feeder.segments]]
name = "a"
length = 100.0
attenuation = 5.0
[[layout.feeder.sites]]
name = "c"
phases = [1, 2, 3]
role = "concentrator"
[[layout.feeder.sites]]
name = "m"
at = "a"
"""


@pytest.mark.parametrize(("band", "rate"), [("A", 3600), ("C", 5400)])
def test_the_band_sets_the_time_that_frames_take(band: str, rate: int) -> None:
    """35 bits of preamble and 8 for each byte."""
    scheduler = Scheduler()
    medium = parse(f'band = "{band}"' + SPELLED_OUT, "x").medium(
        scheduler, Random(1), destination_key
    )
    sender, receiver = Node(1, [frame(2, 1, bytes(18))]), Node(2)
    stations = [medium.attach(sender, "c"), medium.attach(receiver, "m")]
    scheduler.run_until(10.0)
    assert receiver.texts == [bytes(18)]
    assert medium.counts.airtime == pytest.approx((35 + 8 * 20) / rate)
    assert stations[0].counts.airtime == medium.counts.airtime
    assert stations[1].counts.airtime == 0


@pytest.mark.parametrize("meters", [2, 5, 29, 31])
@pytest.mark.parametrize("name", ["noisy-night", "urban-street"])
def test_appliances_leave_with_the_meters_that_they_stand_at(name: str, meters: int) -> None:
    load(name).medium(Scheduler(), Random(1), destination_key, meters=meters)


def test_an_appliance_nowhere_is_one_line() -> None:
    scenario = parse('[[noise.appliance]]\nat = "moon"\nlevel = 80.0', "x")
    with pytest.raises(UsageError, match="moon"):
        scenario.medium(Scheduler(), Random(1), destination_key)


def margins(
    scenario: Scenario, feeder: Feeder, hour: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """dB by which each site (row) is above the limit at each other (column)."""
    loss = feeder.path_loss()
    there = placed(scenario.noise, [site.name for site in feeder.sites], loss)
    noise = Noise(scenario.noise, np.array([site.noise for site in feeder.sites]), 1, there)
    level = scenario.line.tx_level - loss[Carrier.PRIMARY]
    here = noise.levels(hour * 3600.0)[Carrier.PRIMARY]
    return np.asarray(level - here[None, :] - scenario.line.required_sinr)


def hops(scenario: Scenario, hour: float, least: float = 2.0) -> dict[int, int]:
    """Meters per number of hops over links with `least` dB both ways; -1: out of reach."""
    feeder = scenario.feeder(Random(1))
    margin = margins(scenario, feeder, hour)
    usable = np.minimum(margin, margin.T) > least
    depth = np.where([site.role == "concentrator" for site in feeder.sites], 0, -1)
    for hop in range(1, 20):
        reached = usable[depth == hop - 1].any(axis=0) & (depth < 0)
        depth[reached] = hop
    values, counts = np.unique(depth[depth != 0], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_the_package_brings_its_scenarios() -> None:
    assert names() == (
        "block",
        "default",
        "noisy-night",
        "rural-feeder",
        "two-transformers",
        "urban-street",
    )


@pytest.mark.parametrize("name", names())
def test_every_scenario_builds_a_line(name: str) -> None:
    scenario = load(name)
    medium = scenario.medium(Scheduler(), Random(1), destination_key)
    assert scenario.description
    assert medium.feeder.with_role("meter")
    assert medium.feeder.with_role("concentrator")
    assert medium.feeder == scenario.medium(Scheduler(), Random(1), destination_key).feeder


@pytest.mark.parametrize("name", ["default", "urban-street"])
@pytest.mark.parametrize("hour", [3, 12, 20])
def test_streets_are_in_direct_reach_at_any_hour(name: str, hour: float) -> None:
    assert set(hops(load(name), hour)) == {1}


@pytest.mark.parametrize("hour", [3, 12, 20])
def test_the_rural_feeder_takes_eight_hops(hour: float) -> None:
    assert hops(load("rural-feeder"), hour) == dict.fromkeys(range(1, 9), 3)


def test_the_block_needs_repeaters_when_it_is_noisy() -> None:
    block = load("block")
    assert hops(block, 3.0) == {1: 1000}
    evening = hops(block, 20.0)
    assert set(evening) == {1, 2}
    assert 10 < evening[2] < 100


def test_the_noisy_night_is_worse_than_its_day() -> None:
    night = load("noisy-night")
    assert set(hops(night, 14.0)) == {1}
    assert hops(night, 3.0).get(2, 0) > 0


def test_between_two_transformers_meters_hear_both() -> None:
    scenario = load("two-transformers")
    feeder = scenario.feeder(Random(1))
    heads = [feeder.site_index(f"concentrator-{side}") for side in "ab"]
    reached = margins(scenario, feeder, 12.0)[heads] > 2.0
    reached[:, heads] = False
    from_a, from_b = reached
    assert np.count_nonzero(from_a & from_b) > 5
    assert np.count_nonzero(from_a & ~from_b) > 5
    assert np.count_nonzero(from_b & ~from_a) > 5


@pytest.mark.parametrize("meters", [1, 7, 50, 300])
def test_the_number_of_meters_can_be_chosen(meters: int) -> None:
    for name in ("default", "block", "two-transformers"):
        assert len(load(name).feeder(Random(1), meters).with_role("meter")) == meters


def test_more_meters_mean_more_branches_not_longer_ones() -> None:
    few, many = (Scenario().feeder(Random(1), meters).path_loss() for meters in (50, 500))
    assert many[0, 0].max() < few[0, 0].max() + 7.0


@pytest.mark.parametrize("meters", [0, -1, 10**12])
def test_absurd_numbers_of_meters_are_refused(meters: int) -> None:
    with pytest.raises(UsageError, match="meters"):
        Scenario().feeder(Random(1), meters)


def test_a_layout_spelled_out() -> None:
    scenario = parse(SPELLED_OUT, "x")
    medium = scenario.medium(Scheduler(), Random(1), destination_key)
    assert medium.attach(Node(1), "m").site == 1
    assert medium.feeder.path_loss()[0].tolist() == [[0.0, 5.0], [5.0, 0.0]]
    with pytest.raises(UsageError, match="fixed"):
        scenario.feeder(Random(1), 3)


def test_a_scenario_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("band = 'C'\n[noise]\nimpulses_per_hour = 0.0\n", encoding="utf-8")
    assert load(path) == load(str(path))
    assert load(path) == Scenario(band="C", noise=NoiseSettings(impulses_per_hour=0.0))


@pytest.mark.parametrize(("text", "complaint"), FLAWED)
def test_nonsense_in_a_file_is_one_line(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, "x").feeder(Random(1))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are: block, default"):
        load("atlantis")
    with pytest.raises(UsageError):
        load(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError):
        load(tmp_path / "binary.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UsageError):
        load(tmp_path / "folder.toml")
