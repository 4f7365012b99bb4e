from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from osgp.channel import Carrier, Feeder, Segment, Site
from osgp.channel.feeder import MAX_SITES
from osgp.errors import UsageError

FORK = Feeder(
    segments=(
        Segment("left", "trunk", 100.0, 2.0, 1.0, tap_loss=3.0),
        Segment("trunk", "transformer", 200.0, 4.0),
        Segment("right", "trunk", 50.0, 2.0, tap_loss=1.0),
    ),
    sites=(
        Site("head", phases=(1, 2, 3), role="concentrator"),
        Site("l1", "left", (1,), loss=2.0, loss_secondary=0.5),
        Site("l2", "left", (2,)),
        Site("r1", "right", (1, 3)),
    ),
    coupling_loss=10.0,
    coupling_loss_secondary=7.0,
)


def test_path_loss_adds_segments_taps_drops_and_coupling() -> None:
    primary = FORK.path_loss()[Carrier.PRIMARY]
    assert primary.tolist() == [
        [0.0, 8 + 5 + 2, 8 + 5, 8 + 2],
        [15.0, 0.0, 2 + 10, 2 + 5 + 2],
        [13.0, 12.0, 0.0, 5 + 2 + 10],
        [10.0, 9.0, 17.0, 0.0],
    ]


def test_the_secondary_carrier_has_its_own_losses_where_declared() -> None:
    secondary = FORK.path_loss()[Carrier.SECONDARY]
    assert secondary[0].tolist() == [0.0, 8 + 4 + 0.5, 8 + 4, 8 + 2]
    assert secondary[1, 2] == 0.5 + 7


def test_path_loss_is_symmetric() -> None:
    loss = FORK.path_loss()
    assert np.array_equal(loss, loss.transpose(0, 2, 1))


def test_sites_are_found_by_name_and_role() -> None:
    assert FORK.site_index("r1") == 3
    assert [site.name for site in FORK.with_role("concentrator")] == ["head"]
    with pytest.raises(UsageError, match="r9"):
        FORK.site_index("r9")


@pytest.mark.parametrize(
    ("segments", "sites", "complaint"),
    [
        ((Segment("a", "b"), Segment("b", "a")), (), "not connected to transformer: a, b"),
        ((Segment("a", "nowhere"),), (), "not connected"),
        ((Segment("a"), Segment("a")), (), "segment a is declared twice"),
        ((Segment("transformer"),), (), "declared twice"),
        ((), (Site("s"), Site("s")), "site s is declared twice"),
        ((), (Site("s", at="a"),), "which the feeder lacks"),
        ((), (Site("s", phases=(1, 1)),), "phase of site s 1 is declared twice"),
        ((), tuple(Site(str(n)) for n in range(MAX_SITES + 1)), "more than one feeder takes"),
    ],
)
def test_what_is_no_tree_with_sites_on_it_is_refused(
    segments: tuple[Segment, ...], sites: tuple[Site, ...], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        Feeder(segments=segments, sites=sites)


def test_a_deep_line_needs_no_recursion() -> None:
    names = ["transformer", *(f"p{n}" for n in range(1500))]
    segments = tuple(
        Segment(name, parent, length=10.0, attenuation=1.0) for parent, name in pairwise(names)
    )
    feeder = Feeder(segments=segments, sites=(Site("a"), Site("z", at="p1499")))
    assert feeder.path_loss()[0, 0, 1] == pytest.approx(150.0, abs=0.01)
