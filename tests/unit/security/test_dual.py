"""Both suites on one port: the way from the old to the new, and no way back from outside."""

from __future__ import annotations

import random

import pytest

from osgp.errors import DecodeError
from osgp.security.aes_client import AesClient, ClientState
from osgp.security.aes_device import DEFAULT_LIMITS, AesServer, DeviceState, Limits
from osgp.security.dual import PlcServer
from osgp.security.handshake import LongTermKey
from osgp.security.omak import PlcScope
from osgp.security.profile import AUTHENTICATION_FAILURE, Mode
from osgp.security.suite import ClientSecurity, OmaClient, OmaServer, Outcome, ServerSecurity

from .aes_world import BODY, CONCENTRATOR, DEVICE, FACTORY_KEY, READ, UTILITY_KEY

OMAK, SCOPE = bytes(range(12)), PlcScope(1, 2)
ENTROPY = random.Random(3).randbytes


def device(limits: Limits = DEFAULT_LIMITS) -> PlcServer:
    state = DeviceState(DEVICE, LongTermKey(0, FACTORY_KEY))
    return PlcServer(OmaServer(OMAK, SCOPE), AesServer(state, ENTROPY, limits))


def client() -> AesClient:
    state = ClientState(DEVICE, LongTermKey(0, FACTORY_KEY))
    aes = AesClient(state, CONCENTRATOR, ENTROPY)
    aes.want_long_term_key(UTILITY_KEY)
    aes.want_mode(Mode.AES)
    return aes


def read(port: ServerSecurity, security: ClientSecurity) -> bytes:
    """One exchange as the session makes it, whatever the suites."""
    sealed = security.seal_request(READ)
    opened = port.open_request(sealed)
    reply = opened.reply
    if opened.outcome is Outcome.ACCEPTED:
        reply = port.seal_response(opened, BODY)
    assert reply is not None
    return security.open_response(sealed, reply)


def migrate(port: PlcServer, aes: AesClient) -> None:
    while (message := aes.work()) is not None:
        reply = port.open_request(message).reply
        assert reply is not None
        aes.answer(reply)


def test_migration_while_the_old_suite_still_reads() -> None:
    port, legacy, aes = device(), OmaClient(OMAK, SCOPE), client()
    assert read(port, legacy) == BODY
    while (message := aes.work()) is not None:
        if port.aes.mode is Mode.RC4:
            assert read(port, legacy) == BODY
        reply = port.open_request(message).reply
        assert reply is not None
        aes.answer(reply)
    assert port.aes.mode is Mode.AES
    assert read(port, aes) == BODY


@pytest.mark.parametrize("encrypt", [False, True])
def test_in_aes_mode_every_legacy_message_is_refused(encrypt: bool) -> None:
    port, aes = device(), client()
    migrate(port, aes)
    legacy = OmaClient(OMAK, SCOPE, encrypt=encrypt)
    refused = port.open_request(legacy.seal_request(READ))
    assert (refused.outcome, refused.reply) == (Outcome.BAD_DIGEST, AUTHENTICATION_FAILURE)


def test_the_mode_survives_a_power_cut() -> None:
    port, aes = device(), client()
    migrate(port, aes)
    assert port.must_persist
    revived = PlcServer.restore(port.export_state(), OMAK, SCOPE, ENTROPY)
    legacy = OmaClient(OMAK, SCOPE)
    assert revived.open_request(legacy.seal_request(READ)).outcome is Outcome.BAD_DIGEST
    assert read(revived, aes)[1] == 0x0C
    assert read(revived, aes) == BODY


def test_lockout_holds_for_both_suites() -> None:
    port = device(Limits(lockout_threshold=3, lockout_minutes=1))
    legacy = OmaClient(OMAK, SCOPE)
    for _ in range(3):
        port.open_request(b"\0" * 20, 10.0)
    assert port.open_request(legacy.seal_request(READ), 11.0).outcome is Outcome.LOCKED_OUT
    assert port.open_request(b"\x10" * 20, 11.0).outcome is Outcome.LOCKED_OUT
    assert port.open_request(legacy.seal_request(READ), 80.0).outcome is Outcome.ACCEPTED


def test_other_bytes_are_no_state() -> None:
    with pytest.raises(DecodeError):
        PlcServer.restore(b"\x90", OMAK, SCOPE, ENTROPY)
