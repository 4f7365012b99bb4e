"""What the tables show of security is what the suite has, at any time and over power cuts."""

from __future__ import annotations

from typing import Any

import pytest

from osgp.errors import OperationNotPossible
from osgp.meter import VirtualMeter
from osgp.meter.security import LineSecurity
from osgp.security.aes_client import DomainWish
from osgp.security.aes_device import AesServer, Limits
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.profile import AUTHENTICATION_FAILURE
from osgp.spec import tables

from .bench import DAY, DOMAIN, START, Asker, meter
from .test_security import aes_client, aes_meter, alarms, secured, shout, speak, work, written

SYSTEM, STATUS, CONFIGURATION = 2052, 2102, 2103
KEY = DomainKey(1, DOMAIN.ljust(6, b"\0"), b"D" * 16)


def table(device: VirtualMeter, number: int, now: float) -> Any:
    """As any other port of the meter would show it, without a message on the power line."""
    image = device.tables.image(number, now)[:]
    return tables[number].bind(device.parts.dims).decode(image)


def suite(device: VirtualMeter) -> AesServer:
    security: LineSecurity = device._security
    assert security._aes is not None
    return security._aes


def assert_true(device: VirtualMeter, now: float) -> None:
    aes, system = suite(device), table(device, SYSTEM, now)
    status, configuration = table(device, STATUS, now), table(device, CONFIGURATION, now)
    assert system.security_mode == aes.mode
    assert system.fcm_message_count == aes.handshakes_today
    assert system.maximum_key_usage_count == aes._limits.uses
    assert (system.broadcast_base, system.broadcast_delta) == (
        aes.broadcast_base,
        aes.broadcast_delta,
    )
    assert status.unicast_key_usage_count == aes.unicast_uses
    assert status.broadcast_key_usage_count == aes.broadcast_uses
    assert status.supported_security_modes == {0, 2}
    shown = configuration.plc_lockout_threshold, configuration.plc_lockout_duration
    assert shown == aes.lockout


def test_tables_follow_the_suite_through_a_life() -> None:
    asker, client = Asker(aes_meter(security=Limits(5000, 30, 2))), aes_client()
    assert_true(asker.device, asker.now)
    asker.commission()
    assert_true(asker.device, asker.now)
    client.want_long_term_key(bytes(range(100, 116)))
    client.want_domain_key(DomainWish(KEY, base=10, delta=50))
    while (message := client.work()) is not None:
        answer = asker.ask(message, asker.place)
        assert answer is not None
        client.answer(answer)
        assert_true(asker.device, asker.now)
    shout(asker, BroadcastSender(KEY, 10).seal(written("3" * 20)))
    assert_true(asker.device, asker.now)
    assert table(asker.device, SYSTEM, asker.now).broadcast_base == 11
    again = aes_meter(asker.device.nvm, asker.now, security=Limits(5000, 30, 2))  # type: ignore[arg-type]
    assert_true(again, asker.now)
    assert table(again, SYSTEM, asker.now).broadcast_base == 11


def test_the_last_valid_broadcast_is_dated_and_an_invalid_one_is_not() -> None:
    asker, client = secured()
    client.want_domain_key(DomainWish(KEY))
    work(asker, client)
    sealed = BroadcastSender(KEY).seal(written("3" * 20))
    never = table(asker.device, SYSTEM, asker.now).broadcast_receipt
    shout(asker, sealed[:-1] + bytes((sealed[-1] ^ 1,)))
    assert table(asker.device, SYSTEM, asker.now).broadcast_receipt == never
    before = asker.now
    shout(asker, sealed)
    dated = table(asker.device, SYSTEM, asker.now).broadcast_receipt
    assert before - 1 <= dated.to_datetime().timestamp() <= asker.now
    asker.now += 100
    shout(asker, sealed)
    again = aes_meter(asker.device.nvm, asker.now)  # type: ignore[arg-type]
    assert table(again, SYSTEM, asker.now).broadcast_receipt == dated


def test_handshakes_are_counted_until_the_meter_s_own_midnight() -> None:
    """The clock is an hour fast, so its midnight comes an hour early; nobody speaks meanwhile."""
    asker, client = Asker(aes_meter(clock_error=3600.0)), aes_client()
    asker.commission()
    work(asker, client)
    midnight = START + DAY - 3600
    assert table(asker.device, SYSTEM, midnight - 1).fcm_message_count == 1
    assert table(asker.device, SYSTEM, midnight).fcm_message_count == 0


def test_keys_age_by_true_days_and_the_channel_is_renewed() -> None:
    asker, client = secured(security=Limits(validity_days=10))
    asker.now = START + 8 * DAY
    assert asker.table(1) is not None and alarms(asker) == {34}
    asker.now = START + 10 * DAY + 5
    assert asker.ask(client.seal_request(b"\0\x30\0\1"), asker.place) == AUTHENTICATION_FAILURE
    client.want_channel()
    work(asker, client)
    assert asker.table(1) is not None


def test_setting_the_clock_does_not_age_keys() -> None:
    asker, _ = secured(security=Limits(validity_days=10))
    year = 365 * DAY
    asker.device.parts.set_clock(asker.now, asker.now + year, 0)
    assert asker.table(1) is not None
    assert alarms(asker) == frozenset()


def test_the_lockout_is_set_where_it_is_shown() -> None:
    asker, client = secured()
    asker.run(asker.client.write(CONFIGURATION, bytes((3, 2)), 20))
    assert_true(asker.device, asker.now)
    again = Asker(aes_meter(asker.device.nvm, asker.now), asker.now)  # type: ignore[arg-type]
    again.stack = asker.stack
    speak(again, client)
    assert again.table(CONFIGURATION).plc_lockout_threshold == 3
    for _ in range(3):
        again.ask(b"\x10" * 20, again.place)
    assert again.ask(b"\x10" * 20, again.place) is None


@pytest.mark.parametrize(
    ("offset", "data"), [(14, b"\1"), (17, b"\1"), (20, b"\3\2\1"), (22, b"\5")]
)
def test_nothing_else_of_the_configuration_can_be_set(offset: int, data: bytes) -> None:
    asker, _ = secured()
    before = asker.image(CONFIGURATION)
    wanted = asker.client.write(CONFIGURATION, data, offset)
    assert asker.refusal(wanted) == OperationNotPossible.code
    assert asker.image(CONFIGURATION) == before


def test_a_meter_of_the_old_suite_alone_has_no_lockout_to_set() -> None:
    asker = Asker(meter())
    asker.commission()
    assert asker.table(CONFIGURATION).plc_lockout_threshold == 0
    wanted = asker.client.write(CONFIGURATION, bytes((3, 2)), 20)
    assert asker.refusal(wanted) == OperationNotPossible.code
