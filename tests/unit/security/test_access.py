"""Access control over declared rights: keys, the hardware lock above them, switched-off keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from osgp.errors import InsufficientSecurityClearance
from osgp.security.access import AccessControl, HardwareLock
from osgp.spec.declare import ProcedureInfo, Rights, TableInfo
from osgp.spec.source import Source

TABLE = TableInfo(
    2052,
    "System Information",
    Source.MEP_GUIDE,
    Rights(read=frozenset({"RK", "MK", "MBK", "AES"}), write=frozenset({"MK", "PK", "AES"})),
)
CALIBRATION = TableInfo(
    2055, "Calibration", Source.PROJECT, Rights(frozenset({"MK"}), frozenset({"MK"}), locked=True)
)
PROCEDURE = ProcedureInfo(2071, "Remote Disconnect", Source.PROJECT, frozenset({"AES", "MK"}))
LOCK = HardwareLock(read=frozenset({2055}), write=frozenset({2052}), call=frozenset({2071}))


def test_declared_keys_pass() -> None:
    control = AccessControl()
    for key in ("RK", "MK", "MBK", "AES"):
        control.check_read(TABLE, key)
    for key in ("MK", "PK", "AES"):
        control.check_write(TABLE, key)
    control.check_write(CALIBRATION, "MK")
    control.check_call(PROCEDURE, "AES")


@pytest.mark.parametrize("key", ["", "NONE", "FACTORY", "OMAK", "rk", "PK"])
def test_other_keys_do_not_read(key: str) -> None:
    with pytest.raises(InsufficientSecurityClearance, match="may not read ET04"):
        AccessControl().check_read(TABLE, key)


@pytest.mark.parametrize("key", ["RK", "MBK", "FACTORY"])
def test_reading_is_not_writing_or_calling(key: str) -> None:
    with pytest.raises(InsufficientSecurityClearance, match="may not write ET04"):
        AccessControl().check_write(TABLE, key)
    with pytest.raises(InsufficientSecurityClearance, match="may not call EP23"):
        AccessControl().check_call(PROCEDURE, key)


def test_the_hardware_lock_stands_above_all_keys() -> None:
    control = AccessControl(LOCK)
    control.check_read(TABLE, "MK")
    checks: list[Callable[[], None]] = [
        partial(control.check_write, TABLE, "MK"),
        partial(control.check_read, CALIBRATION, "MK"),
        partial(control.check_write, CALIBRATION, "MK"),
        partial(control.check_call, PROCEDURE, "AES"),
    ]
    for check in checks:
        with pytest.raises(InsufficientSecurityClearance, match="hardware lock"):
            check()


def test_a_declared_lock_needs_no_listing() -> None:
    with pytest.raises(InsufficientSecurityClearance, match="hardware lock"):
        AccessControl(HardwareLock()).check_write(CALIBRATION, "MK")


def test_a_disabled_key_opens_nothing() -> None:
    control = AccessControl(disabled=frozenset({"PK"}))
    with pytest.raises(InsufficientSecurityClearance):
        control.check_write(TABLE, "PK")
    control.check_write(TABLE, "MK")
