"""The picture of a network: where devices stand, and what is drawn."""

from __future__ import annotations

from math import hypot
from pathlib import Path

import pytest

from osgp.errors import UsageError
from osgp.export.tree import (
    IN_A_ROW,
    MARGINS,
    ROW,
    UNMEASURED,
    NetworkTree,
    TreeDevice,
    drawn,
    margin_colour,
    save_trees,
    summary,
)


def device(name: str, parent: str | None = None, margin: float | None = 20.0) -> TreeDevice:
    return TreeDevice(name, f"1/{name}", parent, margin, phase=1)


CHAIN = [device("a"), device("b", "a", 7.0), device("c", "b", 2.0), device("d", "a", None)]


def test_a_ring_for_each_hop() -> None:
    tree = NetworkTree("", CHAIN)
    assert tree.hops == {"a": 1, "b": 2, "d": 2, "c": 3}
    places = tree.places()
    assert {name: round(hypot(*place), 9) for name, place in places.items()} == tree.hops
    assert len(set(places.values())) == len(CHAIN)
    assert tree.farthest == 3


def test_many_on_one_ring_stand_in_rows_and_nobody_on_another() -> None:
    tree = NetworkTree("", [device(f"{n:04d}") for n in range(3 * IN_A_ROW)])
    places = tree.places()
    assert len({(round(x, 6), round(y, 6)) for x, y in places.values()}) == 3 * IN_A_ROW
    radii = {round(hypot(*place), 6) for place in places.values()}
    assert radii == {1.0 - ROW, 1.0, 1.0 + ROW}


@pytest.mark.parametrize(
    "devices",
    [
        [device("a"), device("a")],
        [device("a", "nobody")],
        [device("a"), device("b", "c"), device("c", "b")],
    ],
)
def test_what_is_no_tree_is_refused(devices: list[TreeDevice]) -> None:
    with pytest.raises(UsageError):
        NetworkTree("", devices)


def test_colours_follow_the_steps_of_et04() -> None:
    values = (40.0, 18.0, 17.9, 12.0, 11.9, 6.0, 5.9, -20.0)
    classes = [colour for _, colour, _ in MARGINS for _ in range(2)]
    assert [margin_colour(value) for value in values] == classes
    assert margin_colour(None) == UNMEASURED[0]


def test_the_legend_names_what_occurs() -> None:
    figure = drawn([NetworkTree("", CHAIN)], "Network")
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [
        "concentrator",
        "18 dB and more",
        "6 to 12 dB",
        "less than 6 dB",
        "not measured",
        "L1",
    ]


def test_the_summary_counts() -> None:
    lost = TreeDevice("e", "1/5", None, 3.0, lost=True)
    text = summary(NetworkTree("", [*CHAIN, lost]))
    assert text == "5 devices · 2 in direct reach · up to 3 links · 1 lost"
    assert summary(NetworkTree("", CHAIN[:1])) == "1 device · 1 in direct reach"


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_network_gives_the_same_bytes(form: str, tmp_path: Path) -> None:
    pictures = []
    for name in ("one", "other"):
        path = tmp_path / f"{name}.{form}"
        save_trees([NetworkTree("", CHAIN), NetworkTree("", CHAIN[:1])], path)
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) > 5000


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no network"):
        save_trees([NetworkTree("", [])], tmp_path / "x.svg")
    with pytest.raises(UsageError, match="png"):
        save_trees([NetworkTree("", CHAIN)], tmp_path / "x.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_ring_is_that_of_the_devices_own_chain() -> None:
    """Its parent may be reached over another, longer chain."""
    tree = NetworkTree(
        "",
        [
            TreeDevice("a", "1/1", None, 20.0, links=1),
            TreeDevice("b", "1/2", "a", 20.0, links=4),
            TreeDevice("c", "1/3", "b", 20.0, links=3),
            TreeDevice("d", "1/4", "c", 20.0),
        ],
    )
    assert tree.hops == {"a": 1, "b": 4, "c": 3, "d": 4}
    assert summary(tree) == "4 devices · 1 in direct reach · up to 4 links"
    radii = {name: hypot(*place) for name, place in tree.places().items()}
    assert radii == pytest.approx({"a": 1.0, "b": 4.0, "c": 3.0, "d": 4.0})
