"""ATM messages byte for byte (this project's own, version 1), and who answers them."""

from __future__ import annotations

import pytest

from osgp.errors import DecodeError
from osgp.topology import atm
from osgp.topology.atm import EVERYBODY, HashRange, Registration, Responder

NEURON = bytes.fromhex("050012345678")
PROGRAM = bytes.fromhex("9fffff0501840430")
OURS, THEIRS = b"OSG", b"OSH"


def answer(registration: Registration, **asked: object) -> bytes | None:
    query = atm.query(7, EVERYBODY, domain=OURS, **asked)  # type: ignore[arg-type]  # a mapping of arguments
    return Responder(NEURON, PROGRAM).answer(query, 10.2, registration)


def test_a_query() -> None:
    query = atm.query(0x1234, HashRange(0x10, 0x20FF), domain=OURS, members=True, idle=90)
    assert query.hex() == "020101" + "1234" + "0010" + "20ff" + "01" + "005a" + "03" + "4f5347"


def test_an_answer() -> None:
    given = answer(Registration())
    assert given is not None
    assert given.hex() == "020102" + "0007" + NEURON.hex() + PROGRAM.hex() + "00" + "14"
    parsed = atm.parse_answer(given, 7)
    assert (parsed.neuron_id, parsed.program_id, parsed.margin) == (NEURON, PROGRAM, 20)
    assert not parsed.member and not parsed.foreign


@pytest.mark.parametrize(
    ("registration", "asked", "speaks"),
    [
        (Registration(), {}, True),
        (Registration(OURS), {}, False),
        (Registration(OURS, idle=9000), {}, False),
        (Registration(OURS), {"members": True}, True),
        (Registration(THEIRS, idle=59), {"idle": 0}, False),
        (Registration(THEIRS, idle=60), {"idle": 0}, True),
        (Registration(THEIRS, idle=60), {"idle": 1440}, False),
        (Registration(THEIRS, idle=1440), {"idle": 1440}, True),
        (Registration(THEIRS, idle=60, active=120), {"idle": 0}, False),
        (Registration(THEIRS, idle=9000), {}, False),
        (Registration(THEIRS), {"members": True}, False),
    ],
)
def test_who_speaks(registration: Registration, asked: dict[str, object], speaks: bool) -> None:
    """A device in contact elsewhere keeps silent for ET55.15, and as long as the asker wants."""
    assert (answer(registration, **asked) is not None) is speaks


def test_an_answer_says_where_the_device_is_registered() -> None:
    member = answer(Registration(OURS), members=True)
    foreign = answer(Registration(THEIRS, idle=9000), idle=60)
    assert member is not None and foreign is not None
    assert atm.parse_answer(member).member and not atm.parse_answer(member).foreign
    assert atm.parse_answer(foreign).foreign and not atm.parse_answer(foreign).member


def test_only_the_range_that_holds_its_hash_is_a_devices_own() -> None:
    own = atm.id_hash(NEURON, 7)
    responder = Responder(NEURON, PROGRAM)
    for low, high, speaks in ((own, own, True), (0, own - 1, False), (own + 1, 0xFFFF, False)):
        query = atm.query(7, HashRange(low, high))
        assert (responder.answer(query, 0.0, Registration()) is not None) is speaks
    assert atm.alone(NEURON, 7) == HashRange(own, own)


@pytest.mark.parametrize("salt", [8, 0xFFFF])
def test_an_answer_to_another_query_is_none(salt: int) -> None:
    given = answer(Registration())
    assert given is not None
    with pytest.raises(DecodeError):
        atm.parse_answer(given, salt)


@pytest.mark.parametrize("cut", range(21))
def test_a_cut_message_is_refused(cut: int) -> None:
    given = answer(Registration())
    assert given is not None
    with pytest.raises(DecodeError):
        atm.parse_answer(given[:cut])
    query = atm.query(7, EVERYBODY, domain=OURS)
    if cut < len(query):
        assert Responder(NEURON, PROGRAM).answer(query[:cut], 0.0, Registration()) is None


@pytest.mark.parametrize("place", [0, 1, 2])
def test_another_code_version_or_kind_is_refused(place: int) -> None:
    given = answer(Registration())
    assert given is not None
    with pytest.raises(DecodeError):
        atm.parse_answer(given[:place] + b"\x09" + given[place + 1 :])


def test_sealed_commands_are_no_table_services() -> None:
    from osgp.spec.services import REQUESTS

    assert not set(atm.COMMANDS) & set(REQUESTS)


def test_a_page_fits_the_port() -> None:
    """With envelope, code and digest (clause 9.3: 114 bytes)."""
    found = atm.FoundDevice.make(
        neuron_id=NEURON, program_id=PROGRAM, member=False, foreign=False, outward=1, inward=2
    )
    page = atm.FETCH_RESPONSE.encode(
        atm.FetchResponse.make(
            code=0, salt=1, running=False, total=9, count=atm.PAGE, found=(found,) * atm.PAGE
        )
    )
    assert len(atm.ENVELOPE) + 1 + len(page) + 8 <= 114
