"""The load-profile recorder: blocks of one day (UTC by the meter's clock) in a circular list.

Every interval is one memory cell, and the cells are the only truth: blocks, counters and images
are made from them and from one small cell of state. An interval carries the register values at its
end and what happened during it (optical guide, 'Extended Status Field Description').

Setting the clock (`Source.PROJECT` where the guide is silent):

* forward, past the end of the interval in progress: that interval closes at once with what was
  measured; intervals that never were are not processed (simple status 0); the one that the clock
  lands in is partial too;
* back by up to a day: nothing is recorded twice; the interval in progress is long, and ends when
  the clock passes its end;
* back by more than a day: recording goes on in a new block at the new time.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final

import msgspec

from osgp.errors import DecodeError, InvalidParameter
from osgp.meter.clockwork import DAY, moment
from osgp.meter.dims import ROLLOVER, DataSet
from osgp.meter.nvm import Nvm
from osgp.spec.codes import CHANNEL_STATUS_PRECEDENCE, extended_status
from osgp.spec.tables.load_profile import LoadProfileBlock, LoadProfileInterval
from osgp.wire import Layout, STimeDate

_SEQUENCES: Final = 1 << 32
NO_FLAG, PARTIAL, LONG = 0, 2, 3
"""Channel statuses (`osgp.spec.codes.CHANNEL_STATUS`)."""


class Common(IntEnum):
    """Bits of the common status (`osgp.spec.codes.COMMON_STATUS`)."""

    SUMMER = 1
    POWER_FAILED = 2
    CLOCK_FORWARD = 4
    CLOCK_BACK = 8


class Interval(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One recorded interval: its block's sequence number, its end (reading, s), its image."""

    block: int
    end: int
    image: bytes


class ProfileState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`recorded` is the end of the newest interval dealt with (reading, s).

    `common` and `channel` are statuses of the interval in progress, the rest is BT63.
    """

    recorded: int
    sequence: int = 0
    element: int = 0
    valid: int = 0
    unread: int = 0
    overflow: bool = False
    common: int = 0
    channel: int = NO_FLAG


class Block:
    """One day. `processed` has bit n for interval n, `body` the images of all intervals."""

    __slots__ = ("body", "end", "processed", "sequence")

    def __init__(self, sequence: int, size: int) -> None:
        self.sequence, self.end, self.processed = sequence, 0, 0
        self.body = bytearray(size)

    @property
    def start(self) -> int:
        return block_start(self.end)


class Recorder:
    """One data set. Cells are put, not committed; `reading` is where a new recorder begins."""

    def __init__(
        self,
        nvm: Nvm,
        number: int,
        data_set: DataSet,
        layout: Layout[LoadProfileBlock],
        reading: float,
    ) -> None:
        self.data_set, self.layout = data_set, layout
        self._nvm, self._cell = nvm, f"lp{number}"
        self._interval: Layout[LoadProfileInterval] = layout.element("intervals[0]")
        self.interval_size = self._interval.size or 0
        self.values_offset = self._interval.span("values").offset
        self.header_size = layout.span("intervals").offset
        self.seconds = data_set.interval * 60
        self.blocks: list[Block | None] = [None] * data_set.blocks
        self._image: tuple[int, int, int, bytes] | None = None
        self.state = ProfileState(self._floor(reading))
        self._restore()

    # --- recording ---------------------------------------------------------------------------

    @property
    def next_end(self) -> int:
        """Reading at which the interval in progress ends."""
        return self.state.recorded + self.seconds

    def record(self, values: Sequence[int], summer: bool) -> bool:
        """Close the interval in progress with its values. True if unread data was lost now."""
        return self._close(values, summer)

    def mark(self, common: int, channel: int = NO_FLAG) -> None:
        """Something happens to the interval in progress."""
        state = self.state
        ranks = CHANNEL_STATUS_PRECEDENCE
        worse = channel if ranks[channel] > ranks[state.channel] else state.channel
        self._keep(msgspec.structs.replace(state, common=state.common | common, channel=worse))

    def clock_set(self, old: float, new: float, values: Sequence[int], summer: bool) -> bool:
        """The clock went from `old` to `new`; `values` are those of now. As `record`."""
        if new < old:
            return self._set_back(new)
        self.mark(Common.CLOCK_FORWARD, PARTIAL)
        if new < self.next_end:
            return False
        lost = self._close(values, summer)
        self._keep(msgspec.structs.replace(self.state, recorded=self._floor(new)))
        if new > self.state.recorded:
            self.mark(Common.CLOCK_FORWARD, PARTIAL)
        return lost

    def _set_back(self, new: float) -> bool:
        if self.state.recorded - new > DAY:
            self._keep(msgspec.structs.replace(self.state, recorded=self._floor(new)))
        self.mark(Common.CLOCK_BACK, LONG)
        return False

    def _close(self, values: Sequence[int], summer: bool) -> bool:
        state, end = self.state, self.next_end
        common = state.common | (Common.SUMMER if summer else 0)
        status = _status(common, state.channel, len(values))
        counted = tuple([value % ROLLOVER for value in values])
        image = self._interval.encode(self._interval.record(status, counted))
        entered, lost = self._entered(end)
        index = self._index(end)
        record = Interval(entered.sequence, end, image)
        self._store(record, entered.element, index)
        self._nvm.put(
            f"{self._cell}/{entered.element:05d}.{index:04d}", msgspec.msgpack.encode(record)
        )
        self._keep(entered)
        return lost

    def _entered(self, end: int) -> tuple[ProfileState, bool]:
        """The state after an interval with this end; whether unread data is lost by it."""
        state = self.state
        block = self.blocks[state.element] if state.valid else None
        fresh = msgspec.structs.replace(state, recorded=end, common=0, channel=NO_FLAG)
        if block is not None and block.start == block_start(end):
            return fresh, False
        capacity = self.data_set.blocks
        lost = state.unread == capacity
        opened = msgspec.structs.replace(
            fresh,
            sequence=(state.sequence + 1) % _SEQUENCES,
            element=(state.element + 1) % capacity if state.sequence else 0,
            valid=min(state.valid + 1, capacity),
            unread=min(state.unread + 1, capacity),
            overflow=state.overflow or lost,
        )
        return opened, lost

    def _store(self, record: Interval, element: int, index: int) -> None:
        block = self.blocks[element]
        if block is None or block.sequence != record.block:
            block = Block(record.block, self.interval_size * self.data_set.intervals)
            self.blocks[element] = block
        block.end = max(block.end, record.end)
        block.processed |= 1 << index
        at = index * self.interval_size
        block.body[at : at + self.interval_size] = record.image

    # --- the host's pointers -----------------------------------------------------------------

    def update_last_read(self, count: int) -> None:
        """The oldest `count` unread blocks were read. Raises InvalidParameter for too many."""
        if count > self.state.unread:
            raise InvalidParameter(f"{count} read, {self.state.unread} unread")
        unread = self.state.unread - count
        self._keep(msgspec.structs.replace(self.state, unread=unread, overflow=False))

    def reset_pointers(self) -> None:
        """Forget every block; sequence numbers go on, and so does recording."""
        self.blocks = [None] * self.data_set.blocks
        self._keep(msgspec.structs.replace(self.state, valid=0, unread=0, overflow=False))

    # --- images ------------------------------------------------------------------------------

    @property
    def newest(self) -> Block | None:
        """The block that is being filled."""
        return self.blocks[self.state.element] if self.state.valid else None

    def __len__(self) -> int:
        """Bytes of the data set's table."""
        return (self.layout.size or 0) * self.data_set.blocks

    def __getitem__(self, part: slice) -> bytes:
        """Bytes of the data set's table; only the blocks that they touch are made."""
        start, stop, _ = part.indices(len(self))
        size = self.layout.size or 1
        if start >= stop:
            return b""
        elements = range(start // size, (stop - 1) // size + 1)
        image = b"".join([self.block_image(element) for element in elements])
        first = elements.start * size
        return image[start - first : stop - first]

    def block_image(self, element: int) -> bytes:
        """The image of the block in `element`; zeros where there never was one."""
        block = self.blocks[element]
        if block is None:
            return bytes(self.layout.size or 0)
        kept = self._image
        if kept is not None and kept[:3] == (element, block.sequence, block.processed):
            return kept[3]
        image = self._header(block) + block.body
        self._image = (element, block.sequence, block.processed, image)
        return image

    def _header(self, block: Block) -> bytes:
        """The block's fields before its intervals, from an image without any data."""
        done = frozenset(_bits(block.processed))
        end = STimeDate.of(moment(block.end))
        filled = self.layout.encode(self._blank.with_(end_time=end, simple_status=done))
        return filled[: self.header_size]

    # --- inside ------------------------------------------------------------------------------

    @property
    def _blank(self) -> LoadProfileBlock:
        return _blank_block(self.layout)

    def _floor(self, reading: float) -> int:
        return int(reading // self.seconds) * self.seconds

    def _index(self, end: int) -> int:
        return (end - block_start(end)) // self.seconds - 1

    def _keep(self, state: ProfileState) -> None:
        self.state = state
        self._nvm.put(self._cell, msgspec.msgpack.encode(state))

    def _restore(self) -> None:
        stored = self._nvm.get(self._cell)
        if stored is None:
            self._keep(self.state)
            return
        try:
            self.state = msgspec.msgpack.decode(stored, type=ProfileState)
            cells = [
                msgspec.msgpack.decode(value, type=Interval)
                for _, value in self._nvm.items(f"{self._cell}/")
            ]
        except msgspec.MsgspecError as error:
            raise DecodeError(f"no saved load profile: {error}") from error
        for record in cells:
            self._place(record)

    def _place(self, record: Interval) -> None:
        """Cells of blocks that were overwritten, or forgotten, are left over."""
        age = self.state.sequence - record.block
        if 0 <= age < self.state.valid:
            element = (self.state.element - age) % self.data_set.blocks
            self._store(record, element, self._index(record.end))


def block_start(end: int) -> int:
    """Reading at which the block begins that an interval with this end is in."""
    return (end - 1) // DAY * DAY


@lru_cache(maxsize=64)
def _blank_block(layout: Layout[LoadProfileBlock]) -> LoadProfileBlock:
    return layout.blank()


@lru_cache(maxsize=256)
def _status(common: int, channel: int, channels: int) -> bytes:
    return extended_status(common, (channel,) * channels)


def _bits(number: int) -> list[int]:
    return [bit for bit in range(number.bit_length()) if number >> bit & 1]
