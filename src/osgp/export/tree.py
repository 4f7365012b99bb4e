"""The network of a concentrator, as a picture: who repeats for whom, and how well they hear it.

The concentrator is the root in the middle; each ring is one link farther out, by the device's own
chain. A link has the colour of its margin, in the steps of ET04.90; a device has that of its phase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil, cos, hypot, pi, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osgp.errors import UsageError

from .picture import FAINT, GRID, INK, form_of, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGINS: Final = (
    (18.0, "#1b7837", "18 dB and more"),
    (12.0, "#7fbf7b", "12 to 18 dB"),
    (6.0, "#e08214", "6 to 12 dB"),
    (float("-inf"), "#b2182b", "less than 6 dB"),
)
"""Lower bound, colour and name of each class of links, the strongest first."""
UNMEASURED: Final = ("#9aa5b1", "not measured")
PHASES: Final = {1: ("#3b4cc0", "L1"), 3: ("#c44e9c", "L2"), 5: ("#2a9d8f", "L3")}
OTHER_PHASE: Final = ("#9aa5b1", "phase unknown")
CENTRE: Final = (0.0, 0.0)
WIDTH, HEIGHT = 7.0, 8.0
BESIDE: Final = 6.8
"""Height of pictures with several networks."""
LABELLED: Final = 40
"""Devices, at most, whose labels have room."""
LONELY: Final = 12
"""Devices on one ring, at most, that leave room for labels beside them."""
LABEL_GAP: Final = 9
"""Points between a device and its label, outward."""
IN_A_ROW: Final = 72
"""Devices on one ring, at most, before they stand in several rows."""
ROW: Final = 0.16
SECONDARY_DASHES: Final = (0, (4, 2))

Point = tuple[float, float]


class TreeDevice(msgspec.Struct, frozen=True):
    """A device and the link to its parent (None: the concentrator).

    `margin_db`: that of the worse direction; `phase`: 1..6, 0 unknown; `lost`: it does not answer;
    `secondary`: the link uses the alternate path; `links`: those of its chain, 0 for one more than
    its parent's. Chains are chosen device by device: that of a parent may be another, longer one.
    """

    name: str
    label: str
    parent: str | None
    margin_db: float | None
    phase: int = 0
    lost: bool = False
    secondary: bool = False
    links: int = 0


class NetworkTree:
    """The devices of one concentrator. Raises UsageError for names used twice, parents that are not
    there, and circles."""

    def __init__(self, root: str, devices: Iterable[TreeDevice]) -> None:
        self.root = root
        self.devices: dict[str, TreeDevice] = {}
        self.children: dict[str | None, list[TreeDevice]] = {}
        for device in sorted(devices, key=lambda each: (each.phase, each.label, each.name)):
            if device.name in self.devices:
                raise UsageError(f"two devices are called {device.name}")
            self.devices[device.name] = device
            self.children.setdefault(device.parent, []).append(device)
        self._depths = self._measured()
        self.hops = {
            name: self.devices[name].links or depth for name, depth in self._depths.items()
        }

    @property
    def farthest(self) -> int:
        """Links to the farthest device; 0 without any."""
        return max(self.hops.values(), default=0)

    def _measured(self) -> dict[str, int]:
        """Parents between the concentrator and each device, and one."""
        hops: dict[str, int] = {}
        ring = [(device, 1) for device in self.children.get(None, ())]
        for device, distance in ring:
            hops[device.name] = distance
            ring += [(child, distance + 1) for child in self.children.get(device.name, ())]
        missing = self.devices.keys() - hops.keys()
        if missing:
            raise UsageError(f"no way leads to {', '.join(sorted(missing))}")
        return hops

    def places(self) -> dict[str, Point]:
        """Where each device stands: rings around (0, 0), one unit apart."""
        angles = self._angles()
        crowds = {ring: list(self.hops.values()).count(ring) for ring in set(self.hops.values())}
        seen = dict.fromkeys(crowds, 0)
        places: dict[str, Point] = {}
        for name in sorted(angles, key=lambda each: angles[each]):
            ring = self.hops[name]
            rows = ceil(crowds[ring] / IN_A_ROW)
            radius = ring + ROW * (seen[ring] % rows - (rows - 1) / 2)
            seen[ring] += 1
            places[name] = (radius * cos(angles[name]), radius * sin(angles[name]))
        return places

    def _angles(self) -> dict[str, float]:
        """Leaves evenly around the circle, everybody else in the middle of those behind him."""
        order = [name for device in self.children.get(None, ()) for name in self._leaves(device)]
        angles = {name: pi / 2 - 2 * pi * (n + 0.5) / len(order) for n, name in enumerate(order)}
        for name in sorted(self._depths, key=lambda each: -self._depths[each]):
            children = self.children.get(name)
            if children:
                angles[name] = sum(angles[child.name] for child in children) / len(children)
        return angles

    def _leaves(self, device: TreeDevice) -> list[str]:
        leaves: list[str] = []
        stack = [device]
        while stack:
            last = stack.pop()
            children = self.children.get(last.name)
            if children:
                stack.extend(reversed(children))
            else:
                leaves.append(last.name)
        return leaves


def save_trees(trees: Sequence[NetworkTree], path: Path, *, title: str = "Network") -> None:
    """Draws the networks side by side to `path`, by its suffix a PNG or an SVG.

    Raises UsageError for another suffix or without any device, StoreError where the file cannot be
    written or matplotlib is missing.
    """
    form = form_of(path, "a network")
    trees = [tree for tree in trees if tree.devices]
    if not trees:
        raise UsageError("there is no network to draw: no device is stored")
    save_figure(drawn(trees, title), path, form)


def drawn(trees: Sequence[NetworkTree], title: str) -> Figure:
    """The figure that `save_trees` saves."""
    figure = new_figure(WIDTH * len(trees) ** 0.8, HEIGHT if len(trees) == 1 else BESIDE)
    figure.suptitle(title, x=0.03, ha="left", color=INK, fontsize=15, fontweight="bold")
    panels = figure.subplots(1, len(trees), squeeze=False)[0]
    for axes, tree in zip(panels, trees, strict=True):
        _draw(axes, tree)
    figure.legend(
        handles=_legend(trees),
        loc="outside lower center",
        ncols=5 if len(trees) == 1 else 10,
        frameon=False,
        labelcolor=INK,
        fontsize=9,
        handletextpad=0.4,
        columnspacing=1.4,
    )
    return figure


def summary(tree: NetworkTree) -> str:
    """`24 devices · 3 in direct reach · up to 8 links`."""
    count, direct = len(tree.devices), len(tree.children.get(None, ()))
    parts = [f"{count:,} device{'' if count == 1 else 's'}", f"{direct:,} in direct reach"]
    if tree.farthest > 1:
        parts.append(f"up to {tree.farthest} links")
    lost = sum(device.lost for device in tree.devices.values())
    if lost:
        parts.append(f"{lost} lost")
    return " · ".join(parts)


def _draw(axes: Axes, tree: NetworkTree) -> None:
    places = tree.places()
    _draw_rings(axes, tree.farthest)
    _draw_links(axes, tree, places)
    _draw_devices(axes, tree, places)
    axes.plot(*CENTRE, "s", color=INK, markersize=11, markeredgecolor="white", zorder=4)
    if len(tree.devices) <= LABELLED:
        _draw_labels(axes, tree, places)
    reach = tree.farthest + 0.55
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title(
        f"{tree.root}: {summary(tree)}" if tree.root else summary(tree),
        loc="left",
        color=FAINT,
        fontsize=10,
    )


def _draw_rings(axes: Axes, farthest: int) -> None:
    from matplotlib.patches import Circle

    for ring in range(1, farthest + 1):
        axes.add_patch(Circle(CENTRE, ring, fill=False, color=GRID, linewidth=0.8, zorder=0))


def _draw_links(axes: Axes, tree: NetworkTree, places: dict[str, Point]) -> None:
    width = 1.9 if len(tree.devices) <= 100 else 0.7
    for device in tree.devices.values():
        start = CENTRE if device.parent is None else places[device.parent]
        end = places[device.name]
        axes.plot(
            (start[0], end[0]),
            (start[1], end[1]),
            color=margin_colour(device.margin_db),
            linewidth=width,
            linestyle=SECONDARY_DASHES if device.secondary else "-",
            alpha=0.35 if device.lost else 1.0,
            zorder=1,
        )


def _draw_devices(axes: Axes, tree: NetworkTree, places: dict[str, Point]) -> None:
    size = 70 if len(tree.devices) <= 100 else 14
    for device in tree.devices.values():
        repeats = device.name in tree.children
        colour = PHASES.get(device.phase, OTHER_PHASE)[0]
        axes.scatter(
            *places[device.name],
            s=size * (1.7 if repeats else 1.0),
            facecolor="white" if device.lost else colour,
            edgecolor=colour if device.lost else "white",
            linewidth=1.4 if device.lost else 0.8,
            zorder=3,
        )


def _draw_labels(axes: Axes, tree: NetworkTree, places: dict[str, Point]) -> None:
    from matplotlib.patheffects import withStroke

    crowds = Counter(tree.hops.values())
    for name, place in places.items():
        lonely = crowds[tree.hops[name]] <= LONELY
        away = _away(place, beside=lonely and name in tree.children)
        axes.annotate(
            tree.devices[name].label,
            place,
            xytext=away,
            textcoords="offset points",
            ha="left" if away[0] >= 0 else "right",
            va="center",
            color=INK,
            fontsize=7.5,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            zorder=5,
        )


def _away(place: Point, *, beside: bool) -> Point:
    """From a device to its label: outward, or `beside` one that has others behind it."""
    x, y = place
    distance = hypot(x, y)
    along, across = LABEL_GAP * x / distance, LABEL_GAP * y / distance
    return (across * 1.2, -along * 1.2) if beside else (along, across)


def margin_colour(margin_db: float | None) -> str:
    """The colour of a link."""
    if margin_db is None:
        return UNMEASURED[0]
    return next(colour for least, colour, _ in MARGINS if margin_db >= least)


def _legend(trees: Sequence[NetworkTree]) -> list[Any]:
    """What occurs in the pictures: margins, then phases."""
    from matplotlib.lines import Line2D

    devices = [device for tree in trees for device in tree.devices.values()]
    used = {margin_colour(device.margin_db) for device in devices}
    links = [(colour, name) for _, colour, name in MARGINS] + [UNMEASURED]
    marks: list[Any] = [Line2D([], [], color=INK, marker="s", linestyle="", label="concentrator")]
    marks += [
        Line2D([], [], color=colour, linewidth=2.5, label=name)
        for colour, name in links
        if colour in used
    ]
    if any(device.secondary for device in devices):
        marks.append(Line2D([], [], color=INK, linestyle=SECONDARY_DASHES, label="second carrier"))
    phases = {PHASES.get(device.phase, OTHER_PHASE) for device in devices}
    for colour, name in (*PHASES.values(), OTHER_PHASE):
        if (colour, name) in phases:
            marks.append(Line2D([], [], color=colour, marker="o", linestyle="", label=name))
    if any(device.lost for device in devices):
        hollow = Line2D([], [], color=INK, marker="o", linestyle="", fillstyle="none", label="lost")
        marks.append(hollow)
    return marks
