"""OSGP-AES-128-PSK: sealed and opened messages against bare AES-CCM calls; handshakes.

Both sides of the comparison do the same four AES-CCM calls for each exchange, on plain texts of the
same sizes, with key objects that are made once. The bare side does nothing else: its nonce is a
constant. So the ratio is what numbers, windows, usage counts, nonces, stored responses and the
objects that carry them cost.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from osgp.security.context import ChannelState, ClientContext, DeviceContext
from osgp.security.handshake import Initiator, LongTermKey, Responder

from .table import Row, best, paired

TITLE = "OSGP-AES-128-PSK: partial read of 84 bytes, both directions"
EXCHANGES, HANDSHAKES = 1_000, 500
READ = bytes.fromhex("003f00170000000054")
BODY = bytes.fromhex("00000054") + bytes(84)
DEVICE, CONCENTRATOR = b"device", b"concen"


def run() -> list[Row]:
    sealed, bare, ratio = paired(_exchanges, _bare)
    shaken = best(_handshakes)
    return [
        Row("bare AESCCM", f"{2 * EXCHANGES / bare:,.0f} /s"),
        Row(
            "sealed and opened",
            f"{2 * EXCHANGES / sealed:,.0f} /s",
            f"{ratio:.0%}",
            ">= 40%",
        ),
        Row("handshakes, both sides", f"{HANDSHAKES / shaken:,.0f} /s"),
    ]


def _exchanges() -> Callable[[], None]:
    state = ChannelState(0x02, DEVICE, 1, bytes(16), bytes(16))
    client = ClientContext(state, deque(), 10 * EXCHANGES)
    device = DeviceContext(state, deque(), 10 * EXCHANGES)

    def work() -> None:
        for _ in range(EXCHANGES):
            request = client.seal_request(READ)
            response = device.seal_response(device.open_request(request), BODY)
            client.open_response(request, response)

    return work


def _bare() -> Callable[[], None]:
    ccm, nonce, associated = AESCCM(bytes(16), tag_length=8), bytes(13), b"\x10"
    plains = READ[1:], BODY[1:]

    def work() -> None:
        for _ in range(EXCHANGES):
            for plain in plains:
                ccm.decrypt(nonce, ccm.encrypt(nonce, plain, associated), associated)

    return work


def _handshakes() -> None:
    entropy, key = random.Random(1).randbytes, LongTermKey(1, bytes(16))
    for epoch in range(1, HANDSHAKES + 1):
        initiator = Initiator(CONCENTRATOR, DEVICE, (0x02,), entropy)
        responder = Responder(DEVICE, (0x02,), entropy)
        answer = responder.challenged(initiator.start(key, epoch - 1), (key,), epoch)
        confirm = initiator.receive(answer)
        assert isinstance(confirm, bytes)
        initiator.receive(responder.confirmed(confirm)[0])
