"""Integer time and energy shared by the measuring modules.

Time is whole milliseconds since 1970-01-01 UTC and power is whole milliwatts (mvar, mVA), so that
energy is whole microjoules: sums of products of integers do not depend on how time is cut up.
An int64 of microjoules holds 2.5 GWh.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MS: Final = 1000
"""Milliseconds in a second."""
QUARTER: Final = 900
"""Seconds in a quarter-hour; number `q` begins `q * QUARTER` s after 1970-01-01 UTC."""
QUARTER_MS: Final = QUARTER * MS
QUARTERS_PER_DAY: Final = 96
UNIT_HOUR: Final = 3_600_000_000
"""Microjoules in a watt-hour (and the same for varh and VAh)."""
PHASES: Final = 3


def to_ms(now: float) -> int:
    """Milliseconds of `now` (unix s), to the nearest one."""
    return round(now * MS)
