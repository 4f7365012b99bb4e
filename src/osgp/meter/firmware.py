"""Firmware of a virtual meter: two code banks, loaded in packets, proven before they run (F.9).

    EP08 erase ──► loading ──EP09, in any order, also broadcast──► complete
                                                                     │ EP10
                   bad ◄──── CRC wrong ──────────────────────────────┤
                                                                     ▼
                   running ◄── switch time, then a restart ────── verified

The bank that runs is never written, so a power cut or a bad image at any point leaves a meter that
works. ET17 shows the banks and which packets have come.

An image goes to many meters at once, and nothing of it is secret. In security mode 2 EP10 carries
its MAC for this one meter (`osgp.security.firmware`), without which nothing is started; a wrong one
is logged as a failed authentication (72) and leaves the image for another try, a wrong CRC as event
77. In mode 0 the CRC is all there is. EP19 has a MAC too, for images of MEP devices, of which this
meter has none.

The layouts of EP08 to EP10 and ET17, the CRC (that of EN 14908-1's link layer, over the image), the
image's first eight bytes as its program id, and the few seconds before a restart are this
project's: `Source.PROJECT`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from osgp.errors import (
    DecodeError,
    InvalidParameter,
    NoAuthorization,
    ProcedureConflict,
    SecurityError,
)
from osgp.lon import crc16
from osgp.meter.clockwork import Clockwork
from osgp.meter.nvm import Nvm
from osgp.security.firmware import ImageCheck
from osgp.spec.tables.hardware import MOST_PACKETS, PROGRAM_ID_SIZE, BankState

CELL: Final = "firmware"
SETTLING: Final = 5
"""Seconds between the order to switch at once and the restart: the answer has to get out."""

_BANKS: Final = 2
_TAG: Final = 4

StartCheck = Callable[[int], ImageCheck]
"""Begins the check of an image of so many bytes under the device's long-term key."""


class Bank(msgspec.Struct, frozen=True, array_like=True):
    """One code bank."""

    state: BankState = BankState.EMPTY
    program_id: bytes = bytes(PROGRAM_ID_SIZE)
    length: int = 0
    crc: int = 0
    packet_size: int = 0

    @property
    def packets(self) -> int:
        return -(-self.length // self.packet_size) if self.packet_size else 0

    def size_of(self, packet: int) -> int:
        """Bytes of one packet; the last one may be short."""
        return min(self.packet_size, self.length - packet * self.packet_size)


class FirmwareState(msgspec.Struct, frozen=True, array_like=True):
    """What survives a power cut. `download` tells packets of one image from another's; `switch_at`
    is a reading of the clock, 0 for none; `switches` counts starts of new images.
    """

    banks: tuple[Bank, Bank]
    active: int = 0
    download: int = 0
    switch_at: int = 0
    switches: int = 0


class Firmware:
    """The code banks of one meter. Cells are put, not committed; one image at a time is loaded."""

    def __init__(self, nvm: Nvm, clock: Clockwork, program_id: bytes) -> None:
        self._nvm = nvm
        factory = Bank(BankState.RUNNING, program_id)
        self.state = _stored(nvm) or FirmwareState((factory, Bank()))
        self.received = self._received() if self.state.download else set()
        self.reschedule(clock)

    @property
    def program_id(self) -> bytes:
        """That of the image that runs, ET04.14."""
        return self.state.banks[self.state.active].program_id

    @property
    def loading(self) -> Bank:
        """The bank that does not run."""
        return self.state.banks[1 - self.state.active]

    def reschedule(self, clock: Clockwork) -> None:
        """`due` is the true time of the switch-over, infinite for none."""
        at = self.state.switch_at
        self.due = clock.when(at) if at else math.inf

    def erase(self, bank: int, length: int, packet_size: int, crc: int) -> None:
        """EP08: empties the other bank for an image. Raises ProcedureError."""
        self._check_bank(bank)
        fresh = Bank(BankState.LOADING, length=length, crc=crc, packet_size=packet_size)
        if length < PROGRAM_ID_SIZE or not 1 <= fresh.packets <= MOST_PACKETS:
            raise InvalidParameter(f"an image has 8 bytes or more, in 1 to {MOST_PACKETS} packets")
        self.received, self.due = set(), math.inf
        self._change(fresh, download=self.state.download + 1, switch_at=0)

    def store(self, bank: int, packet: int, data: bytes) -> None:
        """EP09: one packet; a repeated one replaces itself. Raises ProcedureError."""
        self._check_bank(bank)
        loading = self.loading
        if loading.state is not BankState.LOADING:
            raise ProcedureConflict("no image is being loaded")
        if packet >= loading.packets or len(data) != loading.size_of(packet):
            raise InvalidParameter("no such packet of the announced image")
        self._nvm.put(_cell(packet), self._tag + data)
        self.received.add(packet)
        if len(self.received) == loading.packets:
            self._change(msgspec.structs.replace(loading, state=BankState.COMPLETE))

    def verify(self, bank: int, start: StartCheck | None, mac: bytes | None) -> None:
        """EP10's first half: may the image run? `start` None: this mode has no MAC.

        Raises ProcedureError: NoAuthorization for a wrong MAC; ProcedureConflict for a wrong CRC,
        which makes the bank bad.
        """
        self._check_bank(bank)
        if self.loading.state not in (BankState.COMPLETE, BankState.VERIFIED):
            raise ProcedureConflict("the image is not complete")
        image = b"".join(self._packets())
        if crc16(image) != self.loading.crc:
            self._change(msgspec.structs.replace(self.loading, state=BankState.BAD))
            raise ProcedureConflict("the image's CRC is wrong")
        if start is not None:
            _check_mac(image, start(len(image)), mac or b"")
        identified = image[:PROGRAM_ID_SIZE]
        self._change(
            msgspec.structs.replace(self.loading, state=BankState.VERIFIED, program_id=identified)
        )

    def schedule(self, reading: int, clock: Clockwork) -> None:
        """EP10's second half: the verified image starts when the clock reads so."""
        self._keep(msgspec.structs.replace(self.state, switch_at=reading))
        self.reschedule(clock)

    def switch(self) -> None:
        """The verified image runs from now on; the other one stays as it was."""
        state, new = self.state, 1 - self.state.active
        banks = {
            state.active: msgspec.structs.replace(
                state.banks[state.active], state=BankState.VERIFIED
            ),
            new: msgspec.structs.replace(state.banks[new], state=BankState.RUNNING),
        }
        self.due = math.inf
        self._keep(
            FirmwareState((banks[0], banks[1]), new, state.download, switches=state.switches + 1)
        )

    # --- inside ------------------------------------------------------------------------------

    @property
    def _tag(self) -> bytes:
        return self.state.download.to_bytes(_TAG, "big")

    def _check_bank(self, bank: int) -> None:
        if bank >= _BANKS:
            raise InvalidParameter("there are banks 0 and 1")
        if bank == self.state.active:
            raise ProcedureConflict("this bank is running")

    def _packets(self) -> Iterator[bytes]:
        for packet in range(self.loading.packets):
            yield (self._nvm.get(_cell(packet)) or b"")[_TAG:]

    def _received(self) -> set[int]:
        """Packets of the newest download; those of older ones are not erased but marked."""
        cells = self._nvm.items(f"{CELL}/")
        return {int(name[-5:]) for name, cell in cells if cell[:_TAG] == self._tag}

    def _change(self, loading: Bank, **changes: int) -> None:
        active = self.state.active
        banks = {active: self.state.banks[active], 1 - active: loading}
        self._keep(msgspec.structs.replace(self.state, banks=(banks[0], banks[1]), **changes))

    def _keep(self, state: FirmwareState) -> None:
        self.state = state
        self._nvm.put(CELL, msgspec.msgpack.encode(state))


def _check_mac(image: bytes, check: ImageCheck, mac: bytes) -> None:
    check.update(image)
    try:
        check.verify(mac)
    except SecurityError:
        raise NoAuthorization("the image's MAC is wrong") from None


def _cell(packet: int) -> str:
    return f"{CELL}/{packet:05d}"


def _stored(nvm: Nvm) -> FirmwareState | None:
    stored = nvm.get(CELL)
    if stored is None:
        return None
    try:
        return msgspec.msgpack.decode(stored, type=FirmwareState)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"no saved firmware: {error}") from error
