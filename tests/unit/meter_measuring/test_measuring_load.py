"""The standard load profile against the published figures and the calendar."""

from __future__ import annotations

import csv
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from importlib.resources import files

import numpy as np
import pytest

from osgp.errors import UsageError
from osgp.meter.measuring import StandardLoad, standard_load
from osgp.meter.measuring.units import Floats

pytest.importorskip("demandlib", reason="the standard load profile is in osgp[sim]")


def quarter(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) // 900  # type: ignore[misc,arg-type]  # date and time in parts


def published(month: int, kind: str) -> Floats:
    """Figures of H25 in kWh per quarter-hour and GWh/year, shape [96]; kind SA, FT or WT."""
    path = files("demandlib") / "bdew" / "bdew_data" / "h25.csv"
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    column = 1 + 3 * (month - 1) + ("SA", "FT", "WT").index(kind)
    assert rows[1][column] == kind
    return np.array([float(row[column]) for row in rows[2:]])


def shape(values: Floats) -> Floats:
    normal: Floats = values / values.sum()
    return normal


def german_day(year: int, month: int, day: int, offset: int) -> Floats:
    """The 96 values of a German day `offset` hours ahead of UTC."""
    return standard_load().power(quarter(year, month, day) - 4 * offset, 96)


@pytest.mark.parametrize(
    ("day", "offset", "kind"),
    [
        ((2025, 1, 15), 1, "WT"),
        ((2025, 7, 16), 2, "WT"),
        ((2025, 7, 19), 2, "SA"),
        ((2025, 7, 20), 2, "FT"),
        ((2025, 1, 1), 1, "FT"),  # New Year begins in the UTC year before
        ((2025, 4, 18), 2, "FT"),  # Good Friday
        ((2025, 4, 21), 2, "FT"),  # Easter Monday
        ((2025, 5, 29), 2, "FT"),  # Ascension
        ((2025, 6, 9), 2, "FT"),  # Whit Monday
        ((2025, 10, 3), 2, "FT"),
        ((2024, 12, 26), 1, "FT"),
        ((2024, 2, 29), 1, "WT"),
    ],
)
def test_day_has_the_published_shape(day: tuple[int, int, int], offset: int, kind: str) -> None:
    np.testing.assert_allclose(shape(german_day(*day, offset)), shape(published(day[1], kind)))


def test_summer_time_begins_at_one_utc() -> None:
    """30 March 2025: German 01:59 is followed by 03:00; the Sunday has 92 quarter-hours."""
    sunday = standard_load().power(quarter(2025, 3, 29, 23), 92)
    figures = published(3, "FT")
    np.testing.assert_allclose(shape(sunday), shape(np.concatenate((figures[:8], figures[12:]))))


def test_summer_time_ends_at_one_utc() -> None:
    """26 October 2025: German 02:00 to 02:59 comes twice; the Sunday has 100 quarter-hours."""
    sunday = standard_load().power(quarter(2025, 10, 25, 22), 100)
    figures = published(10, "FT")
    np.testing.assert_allclose(shape(sunday), shape(np.concatenate((figures[:12], figures[8:]))))


@pytest.mark.parametrize("year", [2024, 2025])
def test_year_is_one_kilowatt_hour(year: int) -> None:
    first, following = quarter(year, 1, 1), quarter(year + 1, 1, 1)
    energy = standard_load().power(first, following - first).sum() * 0.25
    assert energy == pytest.approx(1000.0, rel=0.005)


def test_scale_is_that_of_the_published_figures() -> None:
    """kWh per quarter-hour and GWh, times the seasonal function of the day (BDEW)."""
    day_of_year = 196.0
    seasonal = float(
        np.polynomial.Polynomial([1.24, 2.1e-3, -7.02e-5, 3.2e-7, -3.92e-10])(day_of_year)
    )
    watts = published(7, "WT") * seasonal * 4.0 / 1000.0
    np.testing.assert_allclose(german_day(2025, 7, 15, 2), watts)


def test_range_over_new_year_is_seamless() -> None:
    load, middle = StandardLoad(), quarter(2026, 1, 1)
    joined = load.power(middle - 50, 100)
    parts = [load.power(middle - 50, 50), load.power(middle, 50)]
    np.testing.assert_array_equal(joined, np.concatenate(parts))
    assert joined.min() > 0.02


def test_values_cannot_be_changed_by_a_reader() -> None:
    with pytest.raises(ValueError, match="read-only"):
        standard_load().power(quarter(2025, 6, 1), 4)[0] = 0.0


def test_empty_range() -> None:
    assert standard_load().power(quarter(2025, 6, 1), 0).shape == (0,)


@pytest.mark.parametrize("when", [quarter(1989, 12, 31), quarter(2200, 1, 1), -(10**15)])
def test_time_without_profile_is_refused(when: int) -> None:
    with pytest.raises(UsageError, match="outside 1990 to 2199"):
        standard_load().power(when, 1)


def test_missing_extra_is_one_line_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "demandlib.bdew", None)
    with pytest.raises(UsageError, match=r"pip install 'osgp\[sim\]'") as refused:
        StandardLoad().power(quarter(2025, 6, 1), 1)
    assert "\n" not in str(refused.value)


def test_demandlib_is_imported_only_when_asked_for_a_profile() -> None:
    code = "import sys, osgp.meter.measuring as m; m.standard_load(); m.GridConditions(1); "
    code += "sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_profile_is_made_without_a_warning() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        StandardLoad().power(quarter(2025, 6, 1), 1)
    assert caught == []
