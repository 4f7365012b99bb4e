"""Sizes that several declarations share."""

from __future__ import annotations

from typing import Final

from osgp.wire import Expr, Ref

MOST_DATA_SETS: Final = 4

DATA_SETS: Final[Expr] = (
    Ref("ET54").multiple_load_profile_data_sets.or_else(0) * (MOST_DATA_SETS - 1) + 1
)
"""Load profile data sets in BT60 to BT63 and ET21: four where ET54.0.2 says that the device has
several, else one. The guides give no dimension for it ("one element for each data set", one element
in devices without several); that the tables then always hold four is this project's reading.
Where ET54 has not been read, one. `data_sets_in` counts from an image.
"""


def data_sets_in(image: bytes) -> int:
    """Data sets that an image of BT60 or BT61 describes: 7 bytes, then 6 for each."""
    return max(0, len(image) - 7) // 6
