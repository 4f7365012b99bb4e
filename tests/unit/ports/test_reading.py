"""The same reading code on every port: DeviceReader and procedures know no difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from osgp.errors import ProcedureNotFinished
from osgp.ports import PortTables
from osgp.ports.mep import KeyId, MepPort, MepServer, TlsPort, oma_tables, tls_tables
from osgp.ports.mep.tls import IDENTITY, Identity, TlsKeys
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession
from osgp.session.procedures import POLLS, call
from osgp.session.reader import DeviceReader
from osgp.spec import procedures, tables
from osgp.wire import Dims

from .cable import Cable, Shelf, calling
from .test_mep import KEYS as MEP_KEYS
from .test_mep import MAK
from .test_optical import KEYS, MK
from .tls_psk import PskClient, PskServer

CLOCK = bytes((26, 11, 22, 21, 34, 56, 0))
Bench = tuple[Cable, PortTables, Shelf]


def shelf() -> Shelf:
    assert tables["BT52"].bind().size == len(CLOCK)
    return Shelf({52: CLOCK, 7: bytes(20), 8: bytes(16)})


def optical() -> Bench:
    images, port = shelf(), OpticalPort()
    cable, session = calling(port, OpticalServer(images, KEYS)), OpticalSession(port, MK)
    cable.call(session.open())
    return cable, session.tables, images


def mep() -> Bench:
    images = shelf()
    return calling(MepPort(), MepServer(images, MEP_KEYS)), oma_tables(MAK), images


def mep_tls() -> Bench:
    images, keys = shelf(), TlsKeys({"MAK": MAK})
    identity = IDENTITY.encode(Identity(7, KeyId.MAK))
    server = MepServer(images, {}, engine=lambda: PskServer(keys.of, bytes(32), b""))
    port = TlsPort(MepPort(), lambda: PskClient(MAK, identity, bytes(range(32))))
    return calling(port, server), tls_tables(), images


PORTS = {"optical": optical, "mep": mep, "mep with tls": mep_tls}


@pytest.fixture(params=PORTS)
def bench(request: pytest.FixtureRequest) -> Bench:
    make: Callable[[], Bench] = PORTS[request.param]
    return make()


def test_a_table_and_a_field(bench: Bench) -> None:
    cable, client, images = bench
    reader = DeviceReader(client, Dims(firmware=(4, 30)))
    layout = tables["BT52"].bind()
    assert cable.call(reader.table("BT52")) == layout.decode(CLOCK)
    first = tables["BT52"].wire_fields[0].name
    assert cable.call(reader.part("BT52", first)) is not None
    offset, count = layout.span(first)
    assert images.reads[-1][:3] == (52, offset, count)


def test_a_procedure_that_the_meter_does_not_answer(bench: Bench) -> None:
    cable, client, images = bench
    parameters = procedures["BP05"].make(list=2, entries_read=1)
    with pytest.raises(ProcedureNotFinished):
        cable.call(call(client, parameters, sequence=3))
    assert images.writes[0][0] == 7
    assert [table for table, *_ in images.reads].count(8) == POLLS
