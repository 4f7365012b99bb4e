"""The load curve as picture and in the terminal."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from osgp.errors import StoreError, UsageError
from osgp.export.curve import LoadCurve, peak_text, save_curve, short, summary, tick_text
from osgp.export.terminal import TerminalCurve, resampled

T0 = 1_704_067_200
NAN = float("nan")
SUFFIXES = {".png": b"\x89PNG\r\n", ".svg": b"<?xml"}


def _curve(*watts: float, meters: int | list[int] = 20, step: int = 900) -> LoadCurve:
    count = len(watts)
    known = np.full(count, meters) if isinstance(meters, int) else np.array(meters)
    ends = T0 + step * np.arange(1, count + 1, dtype=np.int64)
    return LoadCurve(ends, np.array(watts, dtype=np.float64), step, known)


DAY = _curve(*(5000 + 3000 * np.sin(np.arange(96) / 96 * 7)))


def _printed(curve: LoadCurve, width: int, *, encoding: str = "utf-8", height: int = 8) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    Console(file=file, width=width).print(TerminalCurve(curve, height=height))
    file.seek(0)
    return file.read()


def test_figures_of_a_curve() -> None:
    curve = _curve(1000, NAN, 4000, 3000, meters=[20, 0, 20, 19])
    assert curve.peak == 2
    assert curve.watt_hours == 2000
    assert curve.mean_watts == pytest.approx(8000 / 3)
    assert curve.complete.tolist() == [True, False, True, False]
    assert peak_text(curve) == "peak 4.00 kW, 00:30-00:45"
    assert (
        summary(curve) == "20 meters · 1 Jan 2024 · 15-minute means, UTC · 2.00 kWh · mean 2.67 kW"
    )


def test_texts_of_a_long_curve_name_the_days() -> None:
    curve = _curve(*[1.0] * 30, 2.0, meters=1, step=86_400)
    assert peak_text(curve) == "peak 0.002 kW, 31 Jan 00:00-00:00"
    assert summary(curve).startswith("1 meter · 1 Jan to 31 Jan 2024 · 1440-minute means")
    assert [tick_text(T0 + 86_400), tick_text(T0 + 900)] == ["2 Jan", "00:15"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.0123, "0.012"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345, "12,345"),
    ],
)
def test_short_numbers(number: float, text: str) -> None:
    assert short(number) == text


def test_an_empty_curve_knows_nothing() -> None:
    for curve in (_curve(), _curve(NAN, NAN, meters=0)):
        assert not curve.known
        assert curve.watt_hours == curve.mean_watts == 0
        with pytest.raises(UsageError):
            _ = curve.peak


def test_a_curve_needs_arrays_of_one_length() -> None:
    with pytest.raises(UsageError):
        LoadCurve(DAY.ends, DAY.watts[1:], 900, DAY.meters)
    with pytest.raises(UsageError):
        LoadCurve(DAY.ends, DAY.watts, 900, DAY.meters, {"fed in": DAY.watts[1:]})
    with pytest.raises(UsageError):
        LoadCurve(DAY.ends, DAY.watts, 0, DAY.meters)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pictures_are_the_same_every_time(suffix: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_curve(DAY, (tmp_path / name).with_suffix(suffix))
    one, two = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert one == two
    assert one.startswith(SUFFIXES[suffix])
    assert b"dc:date" not in one and b"Software" not in one


@pytest.mark.parametrize(
    "curve",
    [
        pytest.param(_curve(4000), id="one interval"),
        pytest.param(_curve(0, 0, 0), id="no load"),
        pytest.param(_curve(NAN, 3000, NAN, 4000, meters=[0, 19, 0, 20]), id="gaps"),
        pytest.param(_curve(*[1.0, 9e9] * 500), id="a thousand"),
    ],
)
def test_awkward_curves_are_drawn(curve: LoadCurve, tmp_path: Path) -> None:
    save_curve(curve, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000
    assert "peak" in _printed(curve, 80)


def test_parts_are_drawn_beside_the_sum(tmp_path: Path) -> None:
    import matplotlib.pyplot  # noqa: F401  (what another part of a program may have loaded)

    both = LoadCurve(DAY.ends, DAY.watts, 900, DAY.meters, {"fed in": DAY.watts / 3})
    save_curve(both, tmp_path / "both.svg")
    save_curve(DAY, tmp_path / "sum.svg")
    colours = [b"#d9480f" in (tmp_path / name).read_bytes() for name in ("both.svg", "sum.svg")]
    assert colours == [True, False]


def test_no_picture_where_it_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        save_curve(DAY, tmp_path / "x.gif")
    with pytest.raises(UsageError, match="no load curve"):
        save_curve(_curve(), tmp_path / "x.png")
    with pytest.raises(StoreError, match="cannot be written"):
        save_curve(DAY, tmp_path / "nowhere" / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_no_picture_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(StoreError, match="pip install"):
        save_curve(DAY, tmp_path / "x.png")


def test_drawing_leaves_matplotlibs_global_state_alone(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, matplotlib\n"
        "from pathlib import Path\n"
        "from osgp.export.curve import LoadCurve, save_curve\n"
        "import osgp.export.terminal\n"
        "def settings():\n"
        "    return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = settings()\n"
        "n = np.arange(1, 5)\n"
        f"save_curve(LoadCurve(n * 900, n * 1.0, 900, n), Path({str(tmp_path / 'x.png')!r}))\n"
        "assert settings() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [1, 20, 31, 32, 60, 80, 400])
def test_terminal_keeps_to_its_width(width: int, encoding: str) -> None:
    lines = _printed(DAY, width, encoding=encoding).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert any("█" in line or "#" in line for line in lines) == (width >= 32)


def test_terminal_chart() -> None:
    curve = _curve(*[1000.0] * 48, *[NAN] * 24, *[2000.0] * 24)
    lines = [line.rstrip() for line in _printed(curve, 33, height=2).splitlines()]
    assert lines[-5:] == [
        "2.00 kW │                  ██████",
        "        │████████████      ██████",
        "      0 └┬───────────┬───────────",
        "         1 Jan       12:00",
        "peak 2.00 kW, 18:00-18:15",
    ]


def test_terminal_without_a_curve() -> None:
    assert "nothing to draw yet" in _printed(_curve(), 80)


def test_piped_output_has_no_control_characters() -> None:
    assert "\x1b" not in _printed(DAY, 80)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.integers(1, 200))
def test_resampling_stays_within_what_is_known(watts: list[float], columns: int) -> None:
    found = resampled(np.array(watts), columns)
    assert len(found) == columns
    assert min(watts) - 1e-6 <= found.min() <= found.max() <= max(watts) + 1e-6
