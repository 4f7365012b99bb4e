"""Named caps: no value that a peer sends decides an allocation beyond these."""

from typing import Final

MAX_IMAGE_BYTES: Final = 1 << 20
"""No table of any known device is larger than 64 KiB; load profiles stay below 512 KiB."""

MAX_ARRAY_ELEMENTS: Final = 65_535
"""The widest dimension field of ANSI C12.19 is a UINT16."""

MAX_FIELD_BYTES: Final = 65_535
"""Octet strings and texts whose length a peer gives."""

MAX_VARIED_ELEMENTS: Final = 256
"""Array elements that each have a layout of their own (data sets: at most 4)."""
