"""Every frame that can be written can be read back, and nothing else gets out of the decoder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import DecodeError
from osgp.lon import (
    AuthPdu,
    Broadcast,
    Group,
    GroupMember,
    Lpdu,
    NeuronId,
    Npdu,
    PduType,
    Spdu,
    SubnetNode,
    Tpdu,
    crc16,
    destination_key,
)
from osgp.lon.addresses import AddressFormat
from osgp.lon.tpdu import AuthType, SpduType, TpduType, in_m_list, m_list

BYTE = st.integers(0, 255)
NODE = st.integers(0, 127)
TIDS = {0: st.integers(0, 15), 2: st.integers(0, 4095)}
VERSIONS = st.sampled_from([0, 2])
DESTINATIONS = st.one_of(
    st.builds(SubnetNode, BYTE, NODE),
    st.builds(NeuronId, st.binary(min_size=6, max_size=6), BYTE),
    st.builds(Broadcast, BYTE),
    st.builds(Group, BYTE),
    st.builds(GroupMember, BYTE, NODE, BYTE, BYTE),
)
DOMAINS = st.sampled_from([0, 1, 3, 6]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
FRAMES = st.builds(
    Lpdu,
    st.booleans(),
    st.booleans(),
    st.integers(0, 63),
    st.builds(
        Npdu,
        st.sampled_from(PduType),
        st.builds(SubnetNode, BYTE, NODE),
        DESTINATIONS,
        DOMAINS,
        st.binary(max_size=40),
        VERSIONS,
    ),
)


@given(FRAMES)
def test_frame_round_trip(frame: Lpdu) -> None:
    assert Lpdu.decode(frame.encode()) == frame


@given(st.binary(max_size=60))
def test_any_bytes_decode_or_raise_decode_error(noise: bytes) -> None:
    sealed = noise + crc16(noise).to_bytes(2, "big")
    for data in (noise, sealed):
        destination_key(data)
        try:
            frame = Lpdu.decode(data)
            pdu = frame.npdu.enclosed()
        except DecodeError:
            continue
        if isinstance(pdu, Tpdu | Spdu | AuthPdu):
            assert type(pdu).decode(pdu.encode(frame.npdu.version), frame.npdu.version) == pdu


@given(st.data(), VERSIONS, st.booleans(), st.binary(min_size=1, max_size=30))
def test_transaction_pdu_round_trip(
    data: st.DataObject, version: int, authenticated: bool, apdu: bytes
) -> None:
    tid = data.draw(TIDS[version])
    acked = data.draw(st.binary(max_size=8))
    for tpdu in (
        Tpdu(TpduType.ACKD, tid, apdu, authenticated),
        Tpdu(TpduType.ACK, tid),
        Tpdu(TpduType.REMINDER, tid, b"", authenticated, acked),
        Tpdu(TpduType.REM_MSG, tid, apdu, authenticated, acked),
    ):
        assert Tpdu.decode(tpdu.encode(version), version) == tpdu
    response = Spdu(SpduType.RESPONSE, tid, apdu)
    assert Spdu.decode(response.encode(version), version) == response


@given(st.data(), VERSIONS, st.sampled_from(AuthType), st.sampled_from(AddressFormat))
def test_auth_pdu_round_trip(
    data: st.DataObject, version: int, kind: AuthType, form: AddressFormat
) -> None:
    group = data.draw(BYTE) if form is AddressFormat.GROUP else None
    value = data.draw(st.binary(min_size=8, max_size=8))
    pdu = AuthPdu(kind, data.draw(TIDS[version]), form, value, group)
    assert AuthPdu.decode(pdu.encode(version), version) == pdu


@given(st.sets(st.integers(0, 63)))
def test_member_list_holds_exactly_its_members(members: set[int]) -> None:
    wire = m_list(members)
    assert len(wire) <= 8
    assert {member for member in range(64) if in_m_list(wire, member)} == members
