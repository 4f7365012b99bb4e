"""Networks that nobody hears as a whole: found, commissioned and read over chains, and kept."""

from __future__ import annotations

import json
import random
from pathlib import Path

import msgspec
import pytest

from osgp.channel import Station
from osgp.cli.main import run
from osgp.concentrator.plan import Plan
from osgp.lon import SubnetNode
from osgp.run.up import BEGINNING
from osgp.topology import Life
from tests.support.scene import HOUR, Scene, scene

RURAL = 24
LONGEST = 8
OFTEN = Plan(ranges=4, visit_every=6 * HOUR)
"""Every hour of the day sees visits."""


def check_places(told: Scene) -> None:
    """Concentrators and meters agree on who has which address, and nobody shares one."""
    places: dict[bytes, SubnetNode] = {}
    for concentrator in told.world.concentrators:
        addresses = [known.address for known in concentrator.devices.values()]
        assert len(set(addresses)) == len(addresses)
        places |= {node: known.address for node, known in concentrator.devices.items()}
    for meter in told.world.meters:
        assert meter.address == places[meter.profile.neuron_id]


def test_eight_hops_with_one_frame_in_five_lost(tmp_path: Path) -> None:
    """Every meter is found, commissioned and read; none is lost after a day of changing noise."""
    with scene(tmp_path, "rural-feeder", RURAL, plan=OFTEN) as told:
        told.run_to(10, lambda: told.unread() > 0)
        assert told.unread() == 0, f"after {told.hour:.1f} h"
        told.run_to(25)
        assert told.lives() == {Life.OPERATING: RURAL}
        assert set(told.commissioned.values()) == {1}
        check_places(told)
        hops = [told.concentrator.network.hops_to(node) for node in told.concentrator.devices]
        assert max(hops) >= LONGEST - 1
        newest = min(device.last_contact or 0.0 for device in told.store.devices())
        assert newest > BEGINNING + 16 * HOUR
        lost = told.world.medium.links
        assert lost.delivered.sum() < 0.85 * lost.attempts.sum()


def test_fifty_restarts_of_the_concentrator(tmp_path: Path) -> None:
    """Cut off at any moment: nothing is commissioned twice, nobody changes places or is lost."""
    moments = sorted(random.Random(3).uniform(0, 5 * HOUR) for _ in range(50))
    places: dict[bytes, SubnetNode] = {}
    with scene(tmp_path, "rural-feeder", 16) as told:
        for moment in moments:
            told.run_to(moment / HOUR)
            for node, known in told.world.restart_concentrator().devices.items():
                if known.commissioned:
                    assert places.setdefault(node, known.address) == known.address
        told.run_to(20)
        assert told.lives() == {Life.OPERATING: 16}
        assert set(told.commissioned.values()) == {1}
        assert len(told.commissioned) == 16
        assert not told.store.conflicts
        check_places(told)
        ends = [(row.device, row.interval.end) for row in told.store.intervals()]
        assert len(ends) == len(set(ends))


def test_links_and_chains_survive_a_restart(tmp_path: Path) -> None:
    with scene(tmp_path, "rural-feeder", 8) as told:
        told.run_to(6, lambda: told.unread() > 0)
        before = told.concentrator
        told.run_to(told.hour + 0.1, lambda: not before.idle)
        links, chains = list(before.network.links), _chains(told)
        told.world.restart_concentrator()
        assert sorted(told.concentrator.network.links, key=_ends) == sorted(links, key=_ends)
        assert _chains(told) == chains
        assert max(len(hops) for hops in chains.values()) >= 6


def _chains(told: Scene) -> dict[bytes, tuple[bytes, ...]]:
    network = told.concentrator.network
    routes = {node: network.routes.current(node) for node in network.roster.devices}
    return {node: route.hops for node, route in routes.items() if route is not None}


def _ends(link: object) -> tuple[object, ...]:
    return tuple(getattr(link, name) for name in ("one", "other", "carrier"))


def test_a_repeater_that_falls_silent_is_passed_by_and_taken_back(tmp_path: Path) -> None:
    with scene(tmp_path, "rural-feeder", RURAL) as told:
        told.run_to(8, lambda: told.unread() > 0)
        network = told.concentrator.network
        busiest = _busiest(told)
        used = [node for node, hops in _chains(told).items() if busiest in hops]
        assert len(used) >= 8
        station = _station_of(told, busiest)
        told.world.medium.detach(station)
        told.world.visit_all(told.world.now)
        told.run_to(told.hour + 10)
        assert told.lives() == {Life.OPERATING: RURAL - 1, Life.LOST: 1}
        assert not any(busiest in hops for hops in _chains(told).values())
        told.world.medium.attach(station.endpoint, station.site)
        told.run_to(told.hour + 3, lambda: told.unread() > 0)
        assert told.lives() == {Life.OPERATING: RURAL}
        assert set(told.commissioned.values()) == {1}
        assert network.roster.repeats(busiest)


def _busiest(told: Scene) -> bytes:
    hops = [hop for chain in _chains(told).values() for hop in chain]
    return max(set(hops), key=lambda hop: (hops.count(hop), hop))


def _station_of(told: Scene, neuron_id: bytes) -> Station:
    meter = next(each for each in told.world.meters if each.profile.neuron_id == neuron_id)
    return next(each for each in told.world.medium.stations if each.endpoint is meter)


def test_two_concentrators_share_a_street(tmp_path: Path) -> None:
    """Each device belongs to one of them, also where both hear it."""
    with scene(tmp_path, "two-transformers", 40) as told:
        told.run_to(6, lambda: told.unread() > 0)
        told.run_to(told.hour + 2)
        one, other = told.world.concentrators
        assert not one.devices.keys() & other.devices.keys()
        assert len(one.devices) + len(other.devices) == 40
        assert min(len(one.devices), len(other.devices)) >= 12
        assert told.lives() == {Life.OPERATING: 40}
        check_places(told)
        assert len({device.domain for device in told.store.devices()}) == 2


def test_devices_move_when_their_concentrator_is_gone_for_long(tmp_path: Path) -> None:
    """In contact elsewhere they keep silent; after `Plan.adopt_after` the neighbour takes them."""
    plan = msgspec.structs.replace(OFTEN, adopt_after=26 * HOUR)
    with scene(tmp_path, "two-transformers", 30, plan=plan) as told:
        told.run_to(3)
        _, other = told.world.concentrators
        kept = len(other.devices)
        told.world.medium.detach(told.world._stations[0])
        told.run_to(20)
        assert len(other.devices) == kept, "taken while they were in contact"
        told.run_to(36)
        assert len(other.devices) == 30
        assert {known.life for known in other.devices.values()} == {Life.OPERATING}
        assert {device.domain for device in told.store.devices()} == {other.plan.domain}


@pytest.mark.parametrize(("scenario", "meters"), [("noisy-night", 40), ("urban-street", 24)])
def test_noise_all_day(scenario: str, meters: int, tmp_path: Path) -> None:
    with scene(tmp_path, scenario, meters, plan=OFTEN) as told:
        told.run_to(25)
        assert told.lives() == {Life.OPERATING: meters}
        assert set(told.commissioned.values()) == {1}
        phases = {known.device.phase for known in told.concentrator.devices.values()}
        assert {1, 3, 5} <= phases


@pytest.mark.slow
def test_a_block_of_a_thousand_meters(tmp_path: Path) -> None:
    """Complete discovery, commissioning and a first reading of everybody within a night."""
    with scene(tmp_path, "block", 1000) as told:
        told.chunk = 600.0
        told.run_to(8, lambda: told.unread() > 0)
        assert told.lives() == {Life.OPERATING: 1000}
        assert set(told.commissioned.values()) == {1}
        check_places(told)


def test_up_draws_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = f"sqlite:///{tmp_path / 'x.db'}"
    options = ["--meters", "8", "--days", "0.25", "--seed", "7", "--store", store]
    command = ["up", "--once", "--scenario", "rural-feeder", *options, "--out", str(tmp_path)]
    assert run(command) == 0
    assert "topology.svg" in capsys.readouterr().out
    assert (tmp_path / "topology.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "topology.svg").stat().st_size > 10_000
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["intervals_missing"] == 0
