"""`values` is `walk` without the paths."""

from __future__ import annotations

import pytest

from osgp.spec import tables
from osgp.wire import Dims
from osgp.wire.walk import values, walk

DIMS = Dims(
    {
        "BT21": tables["BT21"].bind().decode(bytes((0, 0, 2, 3, 2, 4, 1, 2, 1, 5))),
        "BT71": tables["BT71"].bind().decode(bytes((6, 8, 19, 2, 2, 5, 0, 0, 0))),
    }
)


@pytest.mark.parametrize("name", ["BT23", "BT28", "BT26", "BT74"])
def test_values_are_those_of_walk_in_its_order(name: str) -> None:
    layout = tables[name].bind(DIMS)
    assert layout.size
    record = layout.decode(bytes(n % 251 for n in range(layout.size)))
    assert values(record) == [leaf.value for leaf in walk(record)]
