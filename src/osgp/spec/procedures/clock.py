"""Extended procedures that act on the clock."""

from __future__ import annotations

from osgp.spec.access import EVERY
from osgp.spec.declare import Procedure
from osgp.spec.source import Source
from osgp.wire import int32


class ChangeSystemClockByDelta(
    Procedure,
    number=2064,
    title="Change System Clock by Delta",
    source=Source.PROJECT,
    call=EVERY,
    note=(
        "Known: it adjusts gradually, by ET55's increment of seconds each minute; RK may call it "
        "while ET04.71.0 is 0. Its parameters are printed nowhere."
    ),
):
    """Moves the clock by a number of seconds."""

    delta = int32("seconds to go forward, negative: back", unit="s")


__all__ = ["ChangeSystemClockByDelta"]
