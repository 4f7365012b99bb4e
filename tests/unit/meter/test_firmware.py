"""Firmware over the power line: loaded, proven, started; refused when it is not what was meant."""

from __future__ import annotations

import random
from typing import Any

import pytest

from osgp.errors import InvalidParameter, NoAuthorization, ProcedureConflict
from osgp.lon import crc16
from osgp.meter import MemoryNvm
from osgp.meter.firmware import SETTLING, Firmware
from osgp.meter.measuring import Kind, Spell
from osgp.meter.nvm import PowerCut
from osgp.security.aes_client import AesClient, DomainWish
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.firmware import image_mac
from osgp.spec import procedures
from osgp.spec.services import REQUESTS, Command, FullWriteRequest
from osgp.spec.tables.hardware import BankState

from .bench import DOMAIN, HOUR, START, Asker, meter, profile, request
from .test_security import UTILITY, aes_meter, alarms, events, secured, shout, speak, work

PROGRAM = b"PROGRAM2"
IMAGE = PROGRAM + random.Random(3).randbytes(230)
PACKET = 50
ERASE, DOWNLOAD, SWITCH = 2056, 2057, 2058
SYSTEM, BANKS = 2052, 2065
INVALID_PASSWORD, SOFTWARE_CRC, CODE_BANK_CHANGED, POWER_UP = 72, 77, 78, 2


def packets(image: bytes = IMAGE) -> list[bytes]:
    return [image[at : at + PACKET] for at in range(0, len(image), PACKET)]


class Loader:
    """Calls procedures with numbers that count."""

    def __init__(self, asker: Asker) -> None:
        self.asker, self.sequence = asker, 0

    def call(self, number: int, *, secured_mode: bool = True, **parameters: Any) -> int:
        dims = self.asker.device.parts.dims
        if secured_mode:
            dims = dims.with_table("ET04", {"security_mode": 2})
        data = procedures[number].bind(dims).encode(procedures[number].make(**parameters))
        self.sequence = self.sequence % 255 + 1
        result: int = self.asker.initiate(number, self.sequence, data).result_code
        return result

    def load(self, image: bytes = IMAGE, crc: int | None = None, bank: int = 1) -> None:
        self.erase(image, crc, bank)
        for number, data in enumerate(packets(image)):
            assert self.call(DOWNLOAD, bank=bank, packet_number=number, data=data) == 0

    def erase(self, image: bytes = IMAGE, crc: int | None = None, bank: int = 1) -> None:
        wanted = crc16(image) if crc is None else crc
        announced: dict[str, Any] = {
            "image_length": len(image),
            "packet_size": PACKET,
            "image_crc": wanted,
        }
        assert self.call(ERASE, bank=bank, **announced) == 0

    def switch(self, mac: bytes, bank: int = 1, switch_time: int = 0) -> int:
        return self.call(SWITCH, bank=bank, switch_time=switch_time, image_mac=mac)


def ready() -> tuple[Loader, AesClient]:
    asker, client = secured()
    return Loader(asker), client


def settle(asker: Asker) -> None:
    asker.now += SETTLING + 1
    asker.device.handle_timer(asker.now)


def test_a_proven_image_runs_after_a_restart_and_the_channel_goes_on() -> None:
    loader, client = ready()
    asker = loader.asker
    loader.load()
    banks = asker.table(BANKS)
    assert (banks.active_bank, banks.banks[1].state) == (0, BankState.COMPLETE)
    assert banks.banks[1].packets_received == len(packets())
    assert banks.verification_bitmap[0] == 0b11111 and len(banks.verification_bitmap) == 1250
    version = asker.table(SYSTEM).idt_version
    assert loader.switch(client.image_mac(IMAGE)) == 0
    assert asker.table(SYSTEM).program_id == profile().program_id
    settle(asker)
    system, banks = asker.table(SYSTEM), asker.table(BANKS)
    assert system.program_id == PROGRAM
    assert system.idt_version == (version + 1) % 256
    assert (banks.active_bank, banks.banks[1].state) == (1, BankState.RUNNING)
    assert events(asker)[-2:] == [CODE_BANK_CHANGED, POWER_UP] and 14 in alarms(asker)
    assert asker.device.parts.log.entries()[-1].argument == 5


@pytest.mark.parametrize("at", [0, 7, 15])
def test_a_wrong_mac_starts_nothing_and_is_an_event_and_the_right_one_still_works(at: int) -> None:
    loader, client = ready()
    loader.load()
    mac = bytearray(client.image_mac(IMAGE))
    mac[at] ^= 1
    assert loader.switch(bytes(mac)) == NoAuthorization.result
    assert events(loader.asker)[-1] == INVALID_PASSWORD and 8 in alarms(loader.asker)
    settle(loader.asker)
    assert loader.asker.table(BANKS).active_bank == 0
    assert loader.switch(client.image_mac(IMAGE)) == 0


@pytest.mark.parametrize(
    "mac",
    [
        image_mac(UTILITY, b"others", IMAGE),
        image_mac(bytes(16), profile().neuron_id, IMAGE),
        image_mac(UTILITY, profile().neuron_id, IMAGE[:-1]),
        bytes(16),
    ],
    ids=["another meter's", "another key's", "another image's", "none"],
)
def test_a_mac_for_something_else_is_refused(mac: bytes) -> None:
    loader, _ = ready()
    loader.load()
    assert loader.switch(mac) == NoAuthorization.result


def test_an_order_without_mac_is_refused_in_mode_2() -> None:
    loader, _ = ready()
    loader.load()
    wanted = {"bank": 1, "switch_time": 0}
    assert loader.call(SWITCH, secured_mode=False, **wanted) == InvalidParameter.result


def test_an_altered_image_is_refused_even_if_its_crc_was_announced() -> None:
    loader, client = ready()
    altered = IMAGE[:100] + bytes((IMAGE[100] ^ 1,)) + IMAGE[101:]
    loader.load(altered)
    assert loader.switch(client.image_mac(IMAGE)) == NoAuthorization.result


def test_a_wrong_crc_makes_the_bank_bad_and_is_an_event() -> None:
    loader, client = ready()
    loader.load(crc=crc16(IMAGE) ^ 1)
    assert loader.switch(client.image_mac(IMAGE)) == ProcedureConflict.result
    assert events(loader.asker)[-1] == SOFTWARE_CRC
    assert loader.asker.table(BANKS).banks[1].state == BankState.BAD
    assert loader.switch(client.image_mac(IMAGE)) == ProcedureConflict.result
    loader.load()
    assert loader.switch(client.image_mac(IMAGE)) == 0


def test_in_the_old_suite_the_crc_is_all_there_is() -> None:
    asker = Asker(meter())
    asker.commission()
    loader = Loader(asker)
    loader.load()
    assert loader.call(SWITCH, secured_mode=False, bank=1, switch_time=0) == 0
    settle(asker)
    asker.use_place(asker.place)
    assert asker.table(SYSTEM).program_id == PROGRAM


def test_broadcast_packets_and_the_missing_ones_afterwards() -> None:
    loader, client = ready()
    asker, key = loader.asker, DomainKey(1, DOMAIN.ljust(6, b"\0"), b"D" * 16)
    client.want_domain_key(DomainWish(key))
    work(asker, client)
    loader.erase()
    sender = BroadcastSender(key)
    for number, data in enumerate(packets()):
        sealed = sender.seal(order(number, data))
        if number != 2:
            shout(asker, sealed)
    banks = asker.table(BANKS)
    assert banks.verification_bitmap[0] == 0b11011
    assert loader.switch(client.image_mac(IMAGE)) == ProcedureConflict.result
    assert loader.call(DOWNLOAD, bank=1, packet_number=2, data=packets()[2]) == 0
    assert loader.switch(client.image_mac(IMAGE)) == 0


def order(number: int, data: bytes) -> bytes:
    """A packet as it is broadcast: a write of BT07."""
    parameters = (
        procedures[DOWNLOAD]
        .bind()
        .encode(procedures[DOWNLOAD].make(bank=1, packet_number=number, data=data))
    )
    written = request(DOWNLOAD, 100 + number, parameters)
    write = FullWriteRequest(Command.FULL_WRITE, 7, len(written), written)
    return b"\0" + REQUESTS[Command.FULL_WRITE].encode(write)


@pytest.mark.parametrize(
    ("number", "parameters", "result"),
    [
        (ERASE, {"bank": 0, "image_length": 99, "packet_size": 50, "image_crc": 0}, 3),
        (ERASE, {"bank": 2, "image_length": 99, "packet_size": 50, "image_crc": 0}, 2),
        (ERASE, {"bank": 1, "image_length": 7, "packet_size": 50, "image_crc": 0}, 2),
        (ERASE, {"bank": 1, "image_length": 99, "packet_size": 0, "image_crc": 0}, 2),
        (ERASE, {"bank": 1, "image_length": 20_001, "packet_size": 2, "image_crc": 0}, 2),
        (DOWNLOAD, {"bank": 1, "packet_number": 0, "data": bytes(50)}, 3),
        (SWITCH, {"bank": 1, "switch_time": 0, "image_mac": bytes(16)}, 3),
        (SWITCH, {"bank": 0, "switch_time": 0, "image_mac": bytes(16)}, 3),
    ],
)
def test_orders_that_make_no_sense(number: int, parameters: dict[str, Any], result: int) -> None:
    loader, _ = ready()
    assert loader.call(number, **parameters) == result
    assert loader.asker.table(BANKS).banks[0].state == BankState.RUNNING


@pytest.mark.parametrize(("packet", "size"), [(0, 49), (0, 51), (4, 50), (5, 50)])
def test_packets_that_do_not_fit(packet: int, size: int) -> None:
    loader, _ = ready()
    loader.erase()
    wanted: dict[str, Any] = {"bank": 1, "packet_number": packet, "data": bytes(size)}
    assert loader.call(DOWNLOAD, **wanted) == InvalidParameter.result


def test_a_switch_waits_for_its_time_on_the_meter_s_clock() -> None:
    loader, client = ready()
    asker = loader.asker
    loader.load()
    since_2000 = int(START + HOUR) - 946_684_800
    assert loader.switch(client.image_mac(IMAGE), switch_time=since_2000) == 0
    asker.device.handle_timer(START + HOUR - 2)
    assert asker.device.parts.firmware.program_id == profile().program_id
    assert asker.device.next_timer() <= START + HOUR
    asker.device.parts.set_clock(START + HOUR - 2, START + HOUR - 60, 0)
    asker.device.handle_timer(START + HOUR + 10)
    assert asker.device.parts.firmware.program_id == profile().program_id
    asker.device.handle_timer(START + HOUR + 60)
    assert asker.device.parts.firmware.program_id == PROGRAM


def test_a_switch_that_a_power_failure_met_happens_afterwards() -> None:
    loader, client = ready()
    device = loader.asker.device
    loader.load()
    device.parts.metering.undergo([Spell(Kind.POWER_FAILURE, 0, START + HOUR, START + 2 * HOUR)])
    since_2000 = int(START + HOUR + 60) - 946_684_800
    assert loader.switch(client.image_mac(IMAGE), switch_time=since_2000) == 0
    device.handle_timer(START + 2 * HOUR - 1)
    assert device.parts.firmware.program_id == profile().program_id
    device.handle_timer(START + 2 * HOUR + 1)
    assert device.parts.firmware.program_id == PROGRAM
    times = [entry.time for entry in device.parts.log.entries()]
    assert times == sorted(times)


def test_packets_of_an_older_download_do_not_count() -> None:
    loader, _ = ready()
    loader.load()
    loader.erase()
    again = aes_meter(loader.asker.device.nvm, loader.asker.now)  # type: ignore[arg-type]  # the same memory
    assert again.parts.firmware.received == set()
    assert loader.call(DOWNLOAD, bank=1, packet_number=3, data=packets()[3]) == 0
    again = aes_meter(loader.asker.device.nvm, loader.asker.now)  # type: ignore[arg-type]  # the same memory
    assert again.parts.firmware.received == {3}


@pytest.mark.parametrize("kept", [True, False])
def test_a_power_cut_at_any_operation_leaves_an_image_that_runs(kept: bool) -> None:
    """The concentrator asks ET17 what is missing and goes on from there."""
    loader, client = ready()
    cells = dict(loader.asker.device.nvm.items())
    state = client.export_state()
    mac, now = client.image_mac(IMAGE), loader.asker.now

    def life(nvm: MemoryNvm, at: float) -> Firmware:
        asker = Asker(aes_meter(nvm, at), at)
        speaker = AesClient.restore(state, b"concen", random.Random(nvm.operations).randbytes)
        speaker.want_channel()
        work(asker, speaker)
        speak(asker, speaker)
        loader = Loader(asker)
        loader.sequence = int(at) % 200
        resume(loader, mac)
        settle(asker)
        return asker.device.parts.firmware

    whole = MemoryNvm(cells, cut_at=10**9)
    assert life(whole, now).program_id == PROGRAM
    for cut in range(40, whole.operations, 3):
        nvm = MemoryNvm(cells, cut_at=cut)
        with pytest.raises(PowerCut):
            life(nvm, now)
        survivor = nvm.survivor(unsynchronised=kept)
        running = aes_meter(survivor, now + 50).parts.firmware
        assert running.program_id in (PROGRAM, profile().program_id)
        assert life(survivor, now + 100).program_id == PROGRAM, f"cut at {cut}"


def resume(loader: Loader, mac: bytes) -> None:
    banks = loader.asker.table(BANKS)
    if banks.active_bank == 1:
        return
    if banks.banks[1].state == BankState.EMPTY:
        loader.erase()
        banks = loader.asker.table(BANKS)
    if banks.banks[1].state == BankState.LOADING:
        for number, data in enumerate(packets()):
            if not banks.verification_bitmap[0] >> number & 1:
                assert loader.call(DOWNLOAD, bank=1, packet_number=number, data=data) == 0
    assert loader.switch(mac) == 0
