"""One UART for both ports: who has it, and what the other side notices."""

from __future__ import annotations

import pytest

from osgp.errors import TransportError
from osgp.ports import Caller
from osgp.ports.mep import MepPort, MepServer, oma_tables
from osgp.ports.optical import DenialOfService, OpticalPort, OpticalServer, OpticalSession
from osgp.ports.sharing import Owner, SharedUart

from .cable import Cable
from .test_mep import KEYS as MEP_KEYS
from .test_mep import MAK
from .test_optical import KEYS, RK, shelf


def bench() -> tuple[SharedUart, Cable, OpticalSession, Cable]:
    tables = shelf()
    uart = SharedUart(OpticalServer(tables, KEYS), MepServer(tables, MEP_KEYS))
    port = OpticalPort()
    optical = Cable(Caller(port), uart.optical_side)
    return uart, optical, OpticalSession(port, RK), Cable(Caller(MepPort()), uart.mep_side)


def test_the_first_packet_is_lost_and_the_session_comes_about() -> None:
    uart, optical, session, _ = bench()
    optical.call(session.open())
    assert uart.machine.state is Owner.OPTICAL
    assert b"".join(optical.sent[1]).startswith(b"\x15")
    assert optical.call(session.tables.read(0, 0, 2)) == b"\0\1"


def test_mep_is_deaf_during_an_optical_session() -> None:
    uart, optical, session, mep = bench()
    optical.call(session.open())
    mep.now = optical.now
    client = oma_tables(MAK)
    with pytest.raises(TransportError):
        mep.call(client.read(0, 0, 2), within=3)
    optical.now = mep.now
    optical.call(session.close())
    optical.wait(3)
    mep.now = optical.now
    assert uart.with_mep
    assert mep.call(client.read(0, 0, 2)) == b"\0\1"


def test_a_start_without_a_session_gives_the_port_back() -> None:
    uart, optical, _, mep = bench()
    uart.optical_side.receive(b"\xee", optical.now)
    assert uart.machine.state is Owner.SWITCHED
    optical.wait(7)
    assert uart.with_mep
    mep.now = optical.now
    assert mep.call(oma_tables(MAK).read(0, 0, 2)) == b"\0\1"


def test_the_rest_of_the_lost_packet_is_lost_too() -> None:
    uart, optical, _, _ = bench()
    uart.optical_side.receive(b"\xee", optical.now)
    uart.optical_side.receive(bytes.fromhex("ee0000000001201310"), optical.now + 0.01)
    optical.wait(1)
    assert not uart.optical.active
    assert optical.sent[1] == [b"\x15"]


def test_what_goes_to_mep_is_seen_on_the_optical_side() -> None:
    uart, _, _, mep = bench()
    mep.call(oma_tables(MAK).read(0, 0, 2))
    assert uart.optical_side.data_to_send(mep.now) == b"".join(mep.sent[1])


def test_noise_on_the_optical_side_does_not_disturb_mep() -> None:
    uart, optical, _, mep = bench()
    uart.optical_side.receive(b"\x00\xff\x55", optical.now)
    assert uart.with_mep
    assert mep.call(oma_tables(MAK).read(0, 0, 2)) == b"\0\1"


def test_an_optical_port_that_is_held_off_does_not_silence_mep() -> None:
    tables = shelf()
    server = OpticalServer(tables, KEYS, denial=DenialOfService(session=20.0, hold_off=60.0))
    uart = SharedUart(server, MepServer(tables, MEP_KEYS))
    port = OpticalPort()
    optical = Cable(Caller(port), uart.optical_side)
    optical.call(OpticalSession(port, RK).open())
    optical.wait(25)
    assert uart.with_mep, "the overlong session was ended"
    uart.optical_side.receive(b"\xee", optical.now)
    assert uart.with_mep
    optical.wait(61)
    uart.optical_side.receive(b"\xee", optical.now)
    assert not uart.with_mep


def test_what_nobody_takes_on_the_optical_side_is_gone() -> None:
    uart, _, _, mep = bench()
    for _ in range(40):
        mep.call(oma_tables(MAK).read(0, 0, 2))
    assert len(uart.optical_side.data_to_send(mep.now)) <= 478
