"""docs/security.md says how the virtual meter shows security events."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from osgp.meter.parts import CODE_BANK_CHANGED, INVALID_PASSWORD, REPROGRAMMED, SOFTWARE_CRC
from osgp.meter.security import _ALARMS, _REPROGRAMMING
from osgp.security.guard import EventKind
from osgp.spec.events import alarm_event

PAGE = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")


def names(kinds: list[EventKind]) -> str:
    return ", ".join(f"`{kind.name}`" for kind in kinds)


def shown(alarm: int) -> str:
    event = alarm_event(alarm)
    return f"| {alarm} | {event} |" if event is not None else f"| {alarm} | |"


def test_alarms_of_the_suite() -> None:
    by_alarm: dict[int, list[EventKind]] = defaultdict(list)
    for kind, alarm in _ALARMS.items():
        by_alarm[alarm].append(kind)
    for alarm, kinds in by_alarm.items():
        assert f"| {names(kinds)} {shown(alarm)}" in PAGE


def test_what_counts_as_reprogramming() -> None:
    kinds = [kind for kind in EventKind if kind in _REPROGRAMMING]
    assert f"| {names(kinds)} | | {REPROGRAMMED} |" in PAGE


def test_events_of_firmware() -> None:
    assert f"wrong MAC {shown(INVALID_PASSWORD)}" in PAGE
    assert f"wrong CRC {shown(SOFTWARE_CRC)}" in PAGE
    assert (
        f"| {CODE_BANK_CHANGED} | {alarm_event(CODE_BANK_CHANGED)}, and 2 with argument 5 |" in PAGE
    )
