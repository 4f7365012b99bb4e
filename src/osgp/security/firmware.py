"""The MAC of a firmware image (F.9): EP19 request type 9 carries length and MAC to each device.

The image itself goes to many devices at once and is secret to none; the MAC is for one device.
``MAC = OSGP_MAC(firmware key, length 4 ‖ image)``, the key from the long-term key (see `profile`).
Source.PROJECT; the sizes (UINT32 length, 16-byte MAC) are the MEP guide's (EP19).
"""

from __future__ import annotations

import hmac

from osgp.errors import LocalProtocolError, SecurityError
from osgp.security import profile
from osgp.security.aes import MAC_SIZE
from osgp.security.secret import KeyLike, key_bytes


def image_mac(long_term: KeyLike, device: bytes, image: bytes) -> bytes:
    """The 16-byte MAC of `image` for the device (id of 6 bytes) with this long-term key."""
    check = ImageCheck(long_term, device, len(image))
    check.update(image)
    return check.finish()


class ImageCheck:
    """The MAC of an image that comes in pieces, each used once and in order."""

    def __init__(self, long_term: KeyLike, device: bytes, length: int) -> None:
        self._running = profile.firmware_key(key_bytes(long_term), device).running()
        self._running.update(length.to_bytes(4, "big"))
        self._left = length

    def update(self, piece: bytes) -> None:
        """The next piece; LocalProtocolError beyond the announced length."""
        self._left -= len(piece)
        if self._left < 0:
            raise LocalProtocolError("more image than was announced")
        self._running.update(piece)

    def finish(self) -> bytes:
        """The MAC of the whole image; SecurityError if some of it is missing."""
        if self._left:
            raise SecurityError("the image is incomplete")
        return self._running.finalize()

    def verify(self, mac: bytes) -> None:
        """SecurityError unless `mac` is the whole image's MAC.  Ends the check."""
        if len(mac) != MAC_SIZE or not hmac.compare_digest(self.finish(), mac):
            raise SecurityError
