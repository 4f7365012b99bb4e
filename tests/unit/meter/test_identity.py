"""Set-ups and neighbourhoods."""

from __future__ import annotations

from typing import Any

import pytest

from osgp.errors import UsageError
from osgp.meter import DataSet, MeterProfile, SetUp, neighbourhood
from osgp.security.keys import device_omak
from osgp.security.secret import Secret

MASTER = Secret(bytes(16))


def omak(neuron_id: bytes) -> Secret:
    return device_omak(MASTER, neuron_id)


def test_a_neighbourhood_is_repeatable_and_varied() -> None:
    one, two = neighbourhood(50, 7, omak), neighbourhood(50, 7, omak)
    assert one == two
    assert neighbourhood(50, 8, omak) != one
    assert len({profile.neuron_id for profile in one}) == 50
    assert len({profile.serial for profile in one}) == 50
    assert len({profile.omak.reveal() for profile in one}) == 50
    assert {profile.phases for profile in one} == {1, 3}
    assert len({profile.traits for profile in one}) == 50


def test_a_neighbourhood_may_be_empty_but_not_less() -> None:
    assert neighbourhood(0, 1, omak) == []
    with pytest.raises(UsageError):
        neighbourhood(-1, 1, omak)


def test_a_profile_does_not_show_its_key() -> None:
    (profile,) = neighbourhood(1, 1, lambda _: Secret(b"very secret!"))
    assert "very secret" not in repr(profile)


@pytest.mark.parametrize(
    "wrong",
    [{"neuron_id": b"short"}, {"program_id": b""}, {"omak": Secret(b"short")}],
)
def test_impossible_meters_are_refused(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"neuron_id": bytes(6), "omak": Secret(bytes(12))}
    with pytest.raises(UsageError):
        MeterProfile(**given | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval": 0},
        {"interval": 7},
        {"interval": 120},
        {"blocks": 0},
        {"blocks": 10_000},
        {"sources": ()},
        {"sources": (0,) * 17},
        {"sources": (255,)},
    ],
)
def test_impossible_data_sets_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        DataSet(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_sets": ()},
        {"data_sets": (DataSet(),) * 5},
        {"log_entries": 0},
        {"log_entries": 1000},
        {"present_values": (0,)},
    ],
)
def test_impossible_set_ups_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        SetUp(**wrong)
