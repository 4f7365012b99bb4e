"""The seven registers in which a power-line transceiver reports the last frame it received.

0 version and threshold | 1 average signal to noise | 2 flags | 3 primary carrier |
4 secondary carrier | 5 format | 6 unused. A carrier byte has the signal strength in its high
nibble and the margin in its low one, 0..15 for -6..39 dB in steps of 3 dB; margin 15 with
strength 0 means not measured. (Register meanings: public headers of lon-stack-ex. Strength is
not modelled here and always 0, so 36 dB is the largest margin that is reported.)
"""

from __future__ import annotations

import msgspec

from osgp.errors import Truncated

REGISTERS = 7
MARGIN_STEP_DB = 3
MIN_MARGIN_DB = -6
NOT_MEASURED = 0x0F

_FLAGS, _PRIMARY, _SECONDARY = 2, 3, 4
_ON_SECONDARY = 0x10
_ONE_PACKET = 0x20
_MAX_MARGIN_CODE = 14


class SignalQuality(msgspec.Struct, frozen=True):
    """Margins in dB above the receiver's threshold; None for a carrier that was not measured."""

    primary_db: int | None
    secondary_db: int | None
    on_secondary: bool

    @property
    def margin_db(self) -> int | None:
        """Margin of the last frame, on the carrier that it came on."""
        return self.secondary_db if self.on_secondary else self.primary_db

    @classmethod
    def from_registers(cls, registers: bytes) -> SignalQuality:
        """Raises Truncated for fewer than seven registers."""
        if len(registers) < REGISTERS:
            raise Truncated(f"{len(registers)} of 7", table="transceiver registers")
        return cls(
            _margin(registers[_PRIMARY]),
            _margin(registers[_SECONDARY]),
            registers[_FLAGS] & _ON_SECONDARY != 0,
        )


def registers_for(margin_db: float, alternate_path: bool) -> bytes:
    """The registers after a frame with `margin_db` on the primary or the alternate carrier."""
    step = round((margin_db - MIN_MARGIN_DB) / MARGIN_STEP_DB)
    registers = bytearray(REGISTERS)
    registers[_FLAGS] = _ONE_PACKET | (_ON_SECONDARY if alternate_path else 0)
    registers[_PRIMARY] = registers[_SECONDARY] = NOT_MEASURED
    measured = _SECONDARY if alternate_path else _PRIMARY
    registers[measured] = max(0, min(_MAX_MARGIN_CODE, step))
    return bytes(registers)


def _margin(carrier: int) -> int | None:
    return None if carrier == NOT_MEASURED else (carrier & 0x0F) * MARGIN_STEP_DB + MIN_MARGIN_DB
