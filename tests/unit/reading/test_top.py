"""The live view: what it shows, in terminals of every width."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from osgp.run.reading.survey import Meter, Reading, State
from osgp.run.top import Glance, View, bar, glance

from .bench import run, served, virtual

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
WIDTHS = (40, 60, 80, 132)


def looked(*powers: float, signal: str = "margin of 18 dB or more") -> View:
    """A view that has seen these powers, evenly on three phases."""
    view = View()
    for power in powers:
        view.show(_glance(power, signal))
    return view


def _glance(power: float, signal: str) -> Glance:
    drawn, fed = max(power, 0.0), max(-power, 0.0)
    shown = [("L1L2L3", 1.0), *((f"L{n}", 1 / 3) for n in (1, 2, 3))]
    readings: list[Reading] = []
    for place, share in shown:
        for name, value, unit in (
            ("Fwd Active W", drawn * share, "W"),
            ("Rev Active W", fed * share, "W"),
            ("RMS Voltage", 230.1, "V"),
            ("RMS Current", 12.34, "A"),
            ("Power Factor", 0.98, "1"),
        ):
            readings.append(Reading("", 0, f"{name} {place}", value, unit))
    state = State(local="2026-06-10 14:00:00", tier=1, contactor="closed", signal=signal)
    return Glance(NOON, Meter(serial="7", model="VIRTUAL"), state, tuple(readings))


def picture(view: View, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(view)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", WIDTHS)
def test_everything_is_there_in_every_width(width: int) -> None:
    lines = picture(looked(300, 6000, 11_850), width)
    assert {len(line) for line in lines} == {min(width, 100)}
    text = "\n".join(lines)
    for words in ("11,850 W", "drawn", "L1", "L3", "3,950", "230.1", "12.34", "0.98", "T2"):
        assert words in text
    for words in ("closed", "18 dB", "2026-06-10 14:00:00", "none"):
        assert words in text


def test_what_is_fed_in_has_its_own_word() -> None:
    text = "\n".join(picture(looked(-2400), 80))
    assert "2,400 W fed in" in text
    assert "-800" in text


def test_trouble_is_shown_beside_the_last_look() -> None:
    view = looked(500)
    view.trouble("no answer: check head position")
    text = "\n".join(picture(view, 80))
    assert "500 W" in text
    assert "and not since: no answer" in text
    view.show(_glance(600, ""))
    assert "not since" not in "\n".join(picture(view, 80))


def test_before_the_first_look() -> None:
    assert picture(View(), 60) == ["logging on …"]


@given(
    st.integers(20, 200),
    st.lists(st.floats(-1e6, 1e6), max_size=200),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40),
)
def test_no_reading_breaks_the_picture(width: int, powers: list[float], signal: str) -> None:
    assert picture(looked(*powers, signal=signal), width)


@given(st.floats(-5, 5), st.integers(0, 120))
def test_bars_fit(share: float, width: int) -> None:
    assert len(bar(share, width)) == width


def test_what_a_meter_says() -> None:
    async def work() -> Any:
        async with served(virtual(1.0)) as bench:
            return await bench.ask(lambda reader: glance(reader, None, NOON))

    seen: Glance = run(work)
    view = View()
    view.show(seen)
    text = "\n".join(picture(view, 80))
    assert "OSGP VIRTUAL 57110000000000000042" in text
    total, phases = seen.power(), [seen.power(place) or 0.0 for place in ("L1", "L2", "L3")]
    assert total == pytest.approx(sum(phases), abs=3.0)
