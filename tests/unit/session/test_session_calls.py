"""Procedure calls of one session are told apart."""

from __future__ import annotations

import itertools

from osgp.security.omak import PlcScope
from osgp.security.suite import OmaClient
from osgp.session import TableClient
from osgp.session.reader import DeviceReader


def test_calls_of_a_session_never_have_the_number_of_the_one_before() -> None:
    reader = DeviceReader(TableClient(OmaClient(bytes(12), PlcScope(1, 2))))
    numbers = [reader.next_call(first=1_767_571_455 + 43_264 * visit) for visit in range(600)]
    assert numbers[0] == 1_767_571_455 & 0xFF
    assert all(0 <= number <= 255 for number in numbers)
    assert all(one != other for one, other in itertools.pairwise(numbers))
