"""A meter in mode 2 gets another place inside the channel, and in no other way."""

from __future__ import annotations

import random

import pytest

from osgp.errors import InsufficientSecurityClearance, OperationNotPossible, RemoteProtocolError
from osgp.lon import DomainEntry, NeuronId, NodeState, SubnetNode, nm
from osgp.meter import MemoryNvm
from osgp.meter.nvm import PowerCut
from osgp.security.aes_client import AesClient, DomainWish
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.management import NETWORK_SERVICE
from osgp.security.profile import Mode
from osgp.session import Exchange, Send
from osgp.session.managing import inside
from osgp.topology.commissioning import commission, decommission

from .bench import DOMAIN, OMAK, PLACE, Asker
from .test_security import NEURON, aes_client, aes_meter, manage, secured, shout, speak, work

ELSEWHERE = SubnetNode(2, 9)
NEW_PLACE = DomainEntry(DOMAIN, ELSEWHERE.subnet, ELSEWHERE.node)


def move(asker: Asker, client: AesClient) -> None:
    """The answer to the move itself still comes from the old place."""
    script = inside(client, commission(NEW_PLACE))
    wanted = next(script)
    for place in (PLACE, ELSEWHERE):
        answer = asker.ask(wanted.apdu, place)  # type: ignore[union-attr]
        assert answer is not None
        try:
            wanted = script.send(answer)
        except StopIteration:
            return
    raise AssertionError("commissioning takes two messages")


def test_another_place_without_a_moment_of_the_old_suite() -> None:
    asker, client = secured()
    move(asker, client)
    assert asker.device.address == ELSEWHERE
    assert asker.device._security.mode is Mode.AES
    asker.place = ELSEWHERE
    assert asker.table(2052).subnet_id == ELSEWHERE.subnet
    refused = manage(asker, nm.set_node_mode(nm.Mode.CHANGE_STATE, NodeState.UNCONFIGURED))
    assert refused is not None and refused[:1] == bytes((nm.response_code(0x6C, False),))
    again = Asker(aes_meter(asker.device.nvm, asker.now), asker.now)  # type: ignore[arg-type]
    assert again.device.address == ELSEWHERE


def test_a_meter_leaves_its_domain_inside_the_channel() -> None:
    asker, client = secured()
    asker.run(inside(client, decommission()), NeuronId(NEURON))
    assert asker.device.address is None
    assert asker.device._security.mode is Mode.AES


def test_a_repeated_order_is_answered_and_not_executed_again() -> None:
    asker, client = secured()
    order = nm.join_domain(0, NEW_PLACE)
    sealed = client.seal_request(bytes((0, NETWORK_SERVICE)) + order)
    assert asker.ask(sealed, PLACE) is not None
    back = DomainEntry(DOMAIN, PLACE.subnet, PLACE.node)
    again = client.seal_request(bytes((0, NETWORK_SERVICE)) + nm.join_domain(0, back))
    assert asker.ask(again, ELSEWHERE) is not None
    assert asker.device.address == PLACE
    asker.ask(sealed, PLACE)
    assert asker.device.address == PLACE


def test_the_factory_key_and_the_old_suite_open_none_of_it() -> None:
    asker, client = Asker(aes_meter()), aes_client()
    asker.commission()
    for security in (asker.security, client):
        if security is client:
            work(asker, client)
        with pytest.raises(InsufficientSecurityClearance):
            asker.run(inside(security, decommission()))
    assert asker.device.address == PLACE


def test_a_domain_key_does_not_move_anybody() -> None:
    asker, client = secured()
    key = DomainKey(1, DOMAIN.ljust(6, b"\0"), b"D" * 16)
    client.want_domain_key(DomainWish(key))
    work(asker, client)
    order = bytes((0, NETWORK_SERVICE)) + nm.join_domain(0, NEW_PLACE)
    sender = BroadcastSender(key)
    shout(asker, sender.seal(order))
    asker.ask(sender.seal(order), PLACE)
    assert asker.device.parts.link.security(asker.now).base == 2
    assert asker.device.address == PLACE


def test_what_network_management_refuses_is_refused_inside_too() -> None:
    asker, client = secured()
    with pytest.raises(RemoteProtocolError):
        asker.run(inside(client, senseless()))
    speak(asker, client)
    request = bytes((0, NETWORK_SERVICE)) + bytes((nm.Code.QUERY_ID, 0))
    sealed = client.seal_request(request)
    answer = asker.ask(sealed, PLACE)
    assert answer is not None
    assert client.open_response(sealed, answer) == bytes((0, OperationNotPossible.code))
    assert asker.device.address == PLACE


def senseless() -> Exchange[None]:
    answer = yield Send(bytes((nm.Code.SET_NODE_MODE, 9)))
    nm.expect(nm.Code.SET_NODE_MODE, answer)


def test_a_power_cut_leaves_the_old_place_or_the_new_one() -> None:
    asker, client = secured()
    cells, state = dict(asker.device.nvm.items()), client.export_state()
    places = set()
    for kept in (True, False):
        for cut in range(60):
            nvm = MemoryNvm(cells, cut_at=cut)
            again = AesClient.restore(state, b"concen", bytes)
            try:
                fresh = Asker(aes_meter(nvm, asker.now), asker.now)
                speak(fresh, again)
                fresh.table(1)
                move(fresh, again)
            except PowerCut:
                pass
            after = aes_meter(nvm.survivor(unsynchronised=kept), asker.now + 60)
            places.add(after.address)
            assert after._security.mode is Mode.AES
    assert places == {PLACE, ELSEWHERE}


def test_plain_management_stays_refused_with_any_proof() -> None:
    asker, _ = secured()
    for proof in (None, OMAK):
        answer = manage(asker, nm.join_domain(0, NEW_PLACE), proof)
        assert answer is not None and answer[0] == nm.response_code(nm.Code.EXPANDED, False)
    assert asker.device.address == PLACE


def test_no_management_however_odd_breaks_the_meter_or_its_mode() -> None:
    asker, client = secured()
    rng = random.Random(12)
    codes = [*nm.Code, 0, 0x30, 0x79, 0xFF]
    for _ in range(400):
        request = bytes((rng.choice(codes),)) + rng.randbytes(rng.randrange(30))
        sealed = client.seal_request(bytes((0, NETWORK_SERVICE)) + request)
        answer = asker.ask(sealed, NeuronId(NEURON))
        if answer is not None:
            client.open_response(sealed, answer)
        assert asker.device._security.mode is Mode.AES
    place = DomainEntry(DOMAIN, PLACE.subnet, PLACE.node)
    asker.run(inside(client, commission(place)), NeuronId(NEURON))
    speak(asker, client)
    assert asker.table(2052).node_id == PLACE.node
