"""The domain key over restarts, power cuts, full disks and damaged files."""

from __future__ import annotations

import msgspec
import pytest

from osgp.concentrator.happenings import Failed
from osgp.errors import SecurityError, StoreError
from osgp.topology import Life
from tests.support.domain import (
    DAY,
    HOUR,
    OWN_ID,
    PLAN,
    READ,
    all_read,
    generations,
    heard,
    receiver,
    said,
    taken_in,
)
from tests.support.street import MemoryVault, Street, meter


def test_a_concentrator_without_its_vault_begins_a_domain_that_is_taken() -> None:
    street = taken_in(1)
    street.vault = MemoryVault()
    street.meters = [meter(0, street.now, aes=True)]
    street.sink.held.clear()
    street.restart()
    before = receiver(street, 0).generation
    street.run(HOUR, all_read(street, 2))
    assert (before, generations(street)) == (0, [1])


@pytest.mark.parametrize("record", [b"", b"\x90", b"\x93\xc4\x00\x00\x05", b"\x92\xc4\x01\x90\x00"])
def test_a_damaged_record_is_a_new_domain_and_stops_no_reading(record: bytes) -> None:
    street = taken_in(2)
    before = {receiver(street, number)._held[-1].key.domain for number in range(2)}
    street.vault.records[OWN_ID] = record
    street.restart()
    street.run(DAY, all_read(street, 3))
    after = {receiver(street, number)._held[-1].key.domain for number in range(2)}
    assert len(before) == len(after) == 1
    assert before != after
    assert street.told(Failed) == []
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    assert heard(street) == [1, 1]


def test_a_record_that_was_altered_is_a_new_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that opens records refuses those (`osgp.run.vault`)."""
    street = taken_in(1)
    before = street.vault.get

    def get(neuron_id: bytes) -> bytes | None:
        if neuron_id == OWN_ID and street.vault.saves == saves:
            raise SecurityError("this record was altered")
        return before(neuron_id)

    saves = street.vault.saves
    monkeypatch.setattr(street.vault, "get", get)
    street.restart()
    street.run(7 * HOUR, all_read(street, 2))
    assert street.told(Failed) == []


def test_nothing_is_said_that_could_not_be_written() -> None:
    street = taken_in(1)
    domain = street.concentrator.suites.domain
    domain.seal(b"\0" + READ)

    def full(number: int) -> None:
        raise StoreError("the disk is full")

    street.vault.cut = full
    said_before = set[bytes]()
    with pytest.raises(StoreError):
        for _ in range(20):
            said_before.add(domain.seal(b"\0" + READ))
    street.vault.cut = lambda number: None
    after = {domain.seal(b"\0" + READ) for _ in range(20)}
    assert (len(said_before), len(after)) == (7, 20)
    assert not said_before & after


class _Cut(Exception):
    """The concentrator's power."""


class CuttingVault(MemoryVault):
    """Its power is cut at one `put`, before or after the record is there."""

    def __init__(self, records: dict[bytes, bytes], at: int, *, after: bool) -> None:
        super().__init__()
        self.records, self._at, self._after = records, at, after

    def put(self, neuron_id: bytes, record: bytes) -> None:
        due = self.saves == self._at
        if not due or self._after:
            super().put(neuron_id, record)
        if due:
            raise _Cut


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(16))
def test_power_cuts_of_the_concentrator_lose_no_device_and_no_number(at: int, after: bool) -> None:
    """While both devices get the next generation."""
    plan = msgspec.structs.replace(PLAN, key_validity_days=1)
    street = Street(2, plan, aes={0, 1})
    street.vault = CuttingVault(street.vault.records, at, after=after)
    street.restart()
    with pytest.raises(_Cut):
        street.run(2 * DAY)
    street.vault = CuttingVault(street.vault.records, -1, after=after)
    street.restart()
    street.run(3 * DAY)
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    assert len(set(heard(street))) == len(set(generations(street))) == 1
    assert heard(street)[0] > 0
    assert [known.life for known in street.concentrator.devices.values()] == [Life.OPERATING] * 2
