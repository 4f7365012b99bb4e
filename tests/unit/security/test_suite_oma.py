"""The OMAK/RC4 suite behind the common session API: both ends against each other and the guide."""

from __future__ import annotations

import pytest

from osgp.errors import LocalProtocolError, SecurityError
from osgp.security import omak
from osgp.security.omak import MepScope, PlcScope, Scope
from osgp.security.suite import OmaClient, OmaServer, Outcome

OMAK = bytes(range(12))
MAK, MBK = b"\x01" * 16, b"\x02" * 16
PLC = PlcScope(2, 3)
READ_BT03 = bytes.fromhex("00300003")


def pair(scope: Scope, *, encrypt: bool = False) -> tuple[OmaClient, OmaServer]:
    if isinstance(scope, PlcScope):
        return OmaClient(OMAK, scope, encrypt=encrypt), OmaServer(OMAK, scope)
    return OmaClient(MBK, scope, encrypt=encrypt), OmaServer({"MAK": MAK, "MBK": MBK}, scope)


BOTH = pytest.mark.parametrize("scope", [PLC, MepScope()], ids=["plc", "mep"])
CRYPT = pytest.mark.parametrize("encrypt", [False, True], ids=["plain", "rc4"])


@BOTH
@CRYPT
def test_a_request_and_its_response(scope: Scope, encrypt: bool) -> None:
    client, server = pair(scope, encrypt=encrypt)
    apdu = scope.head + bytes.fromhex("300003")
    sealed = client.seal_request(apdu)
    assert len(sealed) == len(apdu) + 12
    assert (apdu in sealed) is not encrypt
    opened = server.open_request(sealed)
    assert opened.outcome is Outcome.ACCEPTED
    assert (opened.apdu, opened.sequence) == (apdu, 1)
    body = scope.head + bytes.fromhex("0000020102")
    answer = server.seal_response(opened, body)
    assert len(answer) == len(body) + 8
    assert client.open_response(sealed, answer) == body


@BOTH
@CRYPT
def test_a_repeated_request_is_answered_from_the_store(scope: Scope, encrypt: bool) -> None:
    client, server = pair(scope, encrypt=encrypt)
    sealed = client.seal_request(scope.head + b"\x30\0\3")
    opened = server.open_request(sealed)
    early = server.open_request(sealed)
    assert (early.outcome, early.reply) == (Outcome.REPEATED, None)
    answer = server.seal_response(opened, scope.head + b"\0")
    again = server.open_request(sealed)
    assert (again.outcome, again.reply) == (Outcome.REPEATED, answer)


@BOTH
@CRYPT
def test_an_unknown_sequence_number_is_corrected_in_one_exchange(
    scope: Scope, encrypt: bool
) -> None:
    client, _ = pair(scope, encrypt=encrypt)
    server = OmaServer(OMAK if isinstance(scope, PlcScope) else MBK, scope, last=0x77635B90)
    sealed = client.seal_request(scope.head + b"\x30\0\3")
    refused = server.open_request(sealed)
    assert refused.outcome is Outcome.BAD_SEQUENCE
    assert refused.reply is not None
    body = client.open_response(sealed, refused.reply)
    assert body == scope.head + bytes.fromhex("0c77635b90")
    opened = server.open_request(client.seal_request(scope.head + b"\x30\0\3"))
    assert (opened.outcome, opened.sequence) == (Outcome.ACCEPTED, 0x77635B91)


def test_the_mep_guides_own_exchange() -> None:
    # MEP guide v1.1, RC4 example 1: first request, 0C response, second request.
    server = OmaServer({"MAK": MAK, "MBK": MBK}, MepScope(), last=0x77635B90)
    client = OmaClient(MAK, MepScope(), last=0x01020303)
    first = client.seal_request(bytes.fromhex("3f0017000000002c"))
    assert first.hex() == "3f0017000000002c0102030474861f6d7658dd56"
    refused = server.open_request(first)
    assert refused.reply is not None
    assert refused.reply.hex() == "0c77635b9035863c1df5b91482"
    client.open_response(first, refused.reply)
    second = client.seal_request(bytes.fromhex("3f0017000000002c"))
    assert second.hex() == "3f0017000000002c77635b9113db85a135a0575e"
    opened = server.open_request(second)
    assert (opened.outcome, opened.key) == (Outcome.ACCEPTED, "MAK")


def test_the_key_that_fits_is_named() -> None:
    server = OmaServer({"MAK": MAK, "MBK": MBK}, MepScope())
    opened = server.open_request(OmaClient(MBK, MepScope()).seal_request(b"\x30\0\3"))
    assert opened.key == "MBK"


def test_a_wrong_key_gets_a_bare_refusal() -> None:
    client, server = OmaClient(b"\xee" * 12, PLC), OmaServer(OMAK, PLC)
    sealed = client.seal_request(READ_BT03)
    server.export_state()
    opened = server.open_request(sealed)
    assert (opened.outcome, opened.reply) == (Outcome.BAD_DIGEST, b"\0\x0b")
    assert not server.must_persist
    with pytest.raises(SecurityError, match="another key"):
        client.open_response(sealed, b"\0\x0b")


def test_another_device_does_not_accept_the_request() -> None:
    sealed = OmaClient(OMAK, PLC).seal_request(READ_BT03)
    for other in (PlcScope(2, 4), PlcScope(3, 3)):
        assert OmaServer(OMAK, other).open_request(sealed).outcome is Outcome.BAD_DIGEST


def test_a_response_belongs_to_its_request() -> None:
    client, server = pair(PLC)
    one, two = client.seal_request(READ_BT03), client.seal_request(READ_BT03)
    answer = server.seal_response(server.open_request(one), b"\0\0\0\1\x55")
    with pytest.raises(SecurityError):
        client.open_response(two, answer)


def test_plain_answers_to_encrypted_requests_are_refused() -> None:
    client, server = OmaClient(OMAK, PLC, encrypt=True), OmaServer(OMAK, PLC)
    sealed = client.seal_request(READ_BT03)
    opened = server.open_request(sealed)
    assert opened.asked is not None
    plain = omak.Asked(opened.asked.body, opened.asked.digest, encrypted=False)
    forged = server._seal(server._keys[0], plain, b"\0\0\0\1\x55")
    with pytest.raises(SecurityError):
        client.open_response(sealed, forged)


@pytest.mark.parametrize("size", range(14))
def test_short_messages_are_refused(size: int) -> None:
    client, server = pair(PLC)
    assert server.open_request(bytes(size)).outcome is Outcome.BAD_DIGEST
    sealed = client.seal_request(READ_BT03)
    with pytest.raises(SecurityError):
        client.open_response(sealed, b"\x01" * size)


def test_a_power_cut_makes_nothing_old_acceptable() -> None:
    client, server = pair(PLC)
    sealed = [client.seal_request(READ_BT03) for _ in range(5)]
    for message in sealed:
        server.seal_response(server.open_request(message), b"\0\0")
    assert server.must_persist
    revived = OmaServer(OMAK, PLC, restore=server.export_state())
    for message in sealed:
        assert revived.open_request(message).outcome is Outcome.BAD_SEQUENCE


def test_the_client_resumes_beyond_what_it_sent() -> None:
    client, _ = pair(PLC)
    sent = {client.seal_request(READ_BT03) for _ in range(5)}
    revived = OmaClient(OMAK, PLC, restore=client.export_state())
    assert revived.seal_request(READ_BT03) not in sent


def test_misuse_is_the_callers_bug() -> None:
    client, server = pair(PLC)
    with pytest.raises(LocalProtocolError):
        OmaClient(MAK, PLC)
    with pytest.raises(LocalProtocolError):
        server.seal_response(server.open_request(bytes(20)), b"\0\0")
    with pytest.raises(LocalProtocolError):
        client.open_response(bytes(20), bytes(20))


def test_base_encryption_key() -> None:
    # osgp-facts section 4: own values, recomputed after ePrint 2015/428.
    bek = omak.base_encryption_key(b"\xdf" * 12)
    assert bek.hex() == "c33ef2ffb0aaae76ed039ad0804d67aa"
    digest = bytes.fromhex("dbe5cde507b1cb3d")
    assert omak.message_key(bek, digest).hex() == "18db3f1ab71b654bed039ad0804d67aa"
    assert omak.base_encryption_key(b"\xdf" * 6 + b"\0" * 6) == bek


def test_keys_are_not_shown() -> None:
    client, server = pair(PLC)
    assert OMAK.hex() not in repr((vars(client), vars(server), server._keys))
