"""A firmware image on its way into one device (F.9): EP08 to EP10, judged by ET17.

EP08 to EP10 and ET17 are Source.PROJECT, and so is what is made of them here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from osgp.errors import LocalProtocolError, RemoteProtocolError
from osgp.lon import crc16
from osgp.security.aes_client import AesClient
from osgp.security.profile import Mode
from osgp.session import Exchange, TableClient
from osgp.session.procedures import call
from osgp.spec import Procedure
from osgp.spec.procedures.device import DownloadCodePacket, EraseCodeMemory, SwitchCodeBank
from osgp.spec.tables.hardware import (
    MOST_PACKETS,
    PROGRAM_ID_SIZE,
    BankState,
    CodeBank,
    CodeBankInfo,
)
from osgp.wire import Dims

PACKET: Final = 48
"""Bytes: what a broadcast has room for behind eight repeaters."""
_TABLE: Final = CodeBankInfo.info.number
_WITHOUT_BITMAP: Final = CodeBankInfo.bind(
    Dims().with_table("ET11", {"et17_verification_bitmap_size": 0})
)
_HEAD: Final = _WITHOUT_BITMAP.span("verification_bitmap").offset
_SECURED: Final = Dims().with_table("ET04", {"security_mode": int(Mode.AES)})


class Image(msgspec.Struct, frozen=True):
    """Raises LocalProtocolError for bytes that are no image for a meter."""

    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) < PROGRAM_ID_SIZE or self.count > MOST_PACKETS:
            most = MOST_PACKETS * PACKET
            raise LocalProtocolError(f"an image has {PROGRAM_ID_SIZE} to {most} bytes")

    @property
    def count(self) -> int:
        """Its packets."""
        return -(-len(self.data) // PACKET)

    @property
    def crc(self) -> int:
        return crc16(self.data)

    def packet(self, bank: int, number: int) -> DownloadCodePacket:
        """The call that brings one packet."""
        data = self.data[number * PACKET : (number + 1) * PACKET]
        return DownloadCodePacket(bank, number, data)

    def runs(self, info: CodeBankInfo) -> bool:
        bank = info.banks[info.active_bank]
        return self._is_in(bank) and bank.state == BankState.RUNNING

    def is_complete(self, bank: CodeBank) -> bool:
        return self._is_in(bank) and bank.state in (BankState.COMPLETE, BankState.VERIFIED)

    def is_loading(self, bank: CodeBank) -> bool:
        """Whether packets of this size are expected there."""
        expected = bank.state == BankState.LOADING and bank.packet_size == PACKET
        return self._is_in(bank) and expected

    def _is_in(self, bank: CodeBank) -> bool:
        """Whether the bank was announced this image; not whether it is complete."""
        return (bank.image_length, bank.image_crc) == (len(self.data), self.crc)


class Loading:
    """What is done in one device; `number`: of the first procedure call.

    All methods raise OsgpError as `TableClient.read` and `call` do, and may be tried again.
    """

    def __init__(self, image: Image, client: TableClient, number: int) -> None:
        self._image, self._client, self._number = image, client, number

    def banks(self) -> Exchange[CodeBankInfo]:
        """ET17 without its bitmap."""
        return _WITHOUT_BITMAP.decode((yield from self._client.read(_TABLE, 0, _HEAD)))

    def erase(self, bank: int) -> Exchange[None]:
        """Empties the bank for the image."""
        image = self._image
        yield from self._call(EraseCodeMemory(bank, len(image.data), PACKET, image.crc))

    def lacking(self) -> Exchange[frozenset[int]]:
        """Packets that have not come."""
        count = self._image.count
        bits = int.from_bytes(
            (yield from self._client.read(_TABLE, _HEAD, -(-count // 8))), "little"
        )
        return frozenset(number for number in range(count) if not bits >> number & 1)

    def send(self, bank: int, packets: frozenset[int]) -> Exchange[None]:
        """Brings packets to this device alone. RemoteProtocolError if they do not make it whole."""
        for packet in sorted(packets):
            yield from self._call(self._image.packet(bank, packet))
        if not self._image.is_complete((yield from self.banks()).banks[bank]):
            raise RemoteProtocolError("the device has all packets and says that it has not")

    def start(self, bank: int, keys: AesClient) -> Exchange[None]:
        """The order to run it now, with its MAC for this device."""
        mac = keys.image_mac(self._image.data)
        yield from self._call(SwitchCodeBank(bank, 0, mac), _SECURED)

    def prove(self) -> Exchange[None]:
        """RemoteProtocolError if the image does not run."""
        if not self._image.runs((yield from self.banks())):
            raise RemoteProtocolError("the new image does not run")

    def _call(self, parameters: Procedure, dims: Dims | None = None) -> Exchange[None]:
        number, self._number = self._number & 0xFF, self._number + 1
        yield from call(self._client, parameters, number, dims)
