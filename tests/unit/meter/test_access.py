"""The hardware lock stands above all keys, for tables and procedures alike (6.3)."""

from __future__ import annotations

import pytest

from osgp.errors import InsufficientSecurityClearance, NoAuthorization
from osgp.security.access import HardwareLock
from osgp.spec.procedures.device import ClearAlarms
from osgp.spec.tables.general import ProcedureInitiate

from .bench import START, Asker, meter, request
from .test_security import identification, secured

LOCK = HardwareLock(read=frozenset({23}), write=frozenset({5}), call=frozenset({2064}))
REFUSED = InsufficientSecurityClearance.code
DELTA = bytes(4)


def locked() -> Asker:
    asker = Asker(meter(hardware_lock=LOCK))
    asker.commission()
    return asker


def test_what_the_lock_holds_no_key_opens_and_the_rest_is_served() -> None:
    asker = locked()
    assert asker.refusal(asker.client.read(23, 0, 4)) == REFUSED
    assert asker.refusal(asker.client.write_whole(5, identification("1" * 20))) == REFUSED
    assert asker.refusal(asker.client.write_whole(7, request(2064, 1, DELTA))) == REFUSED
    assert asker.refusal(asker.client.read(5, 0, 4)) == 0
    assert asker.initiate(4, 2, b"\x07").result_code == 0


def test_the_lock_holds_in_the_secure_channel_too() -> None:
    asker, _ = secured(hardware_lock=LOCK)
    assert asker.refusal(asker.client.read(23, 0, 4)) == REFUSED
    assert asker.refusal(asker.client.write_whole(7, request(2064, 1, DELTA))) == REFUSED


def test_a_locked_call_uses_up_no_number() -> None:
    asker = locked()
    assert asker.refusal(asker.client.write_whole(7, request(2064, 9, DELTA))) == REFUSED
    assert asker.initiate(4, 9, b"\x07").result_code == 0


@pytest.mark.parametrize("key", ["OMAK", "AES", "MK", "PK", "MAK"])
def test_without_the_lock_every_declared_key_opens(key: str) -> None:
    tables = meter().tables
    if key != "PK":
        assert len(tables.read(2102, 0, 4, key, START)) == 4
    assert key in ClearAlarms.info.call


def test_a_key_without_the_right_is_told_in_bt08() -> None:
    device = meter()
    call = ProcedureInitiate.bind().decode(request(2056, 1, bytes(9)))
    device.tables.procedures.initiate(call, "MAK", START)
    assert device.tables.procedures.response[3] == NoAuthorization.result
