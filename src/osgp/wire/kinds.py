"""Wire types of the C12.19 family, as declarations use them (unbound)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from .expr import Expr, Ref

if TYPE_CHECKING:
    from .record import Field, Record


Form = Literal["octets", "text", "bcd", "set"]


class Kind(msgspec.Struct, frozen=True):
    """Base of all wire types. `label` is the name that guides and documentation use."""

    @property
    def label(self) -> str:
        raise NotImplementedError

    @property
    def formulas(self) -> tuple[Expr, ...]:
        """Sizes and counts in it, over dimensions or fields of the record that declares it."""
        return ()


class Integer(Kind, frozen=True):
    """A signed or unsigned integer of 1 to 8 bytes, in the record's byte order."""

    size: int
    signed: bool

    @property
    def label(self) -> str:
        return f"{'INT' if self.signed else 'UINT'}{8 * self.size}"


class Bits(Kind, frozen=True):
    """Bits `lo`..`hi` of a word of `word` bits.

    Neighbours with rising `lo` share one word, up to one that says it starts the next.
    """

    lo: int
    hi: int
    word: int
    boolean: bool
    starts: bool = False

    @property
    def label(self) -> str:
        return f"BOOL({self.lo})" if self.boolean else f"UINT({self.lo}..{self.hi})"


class Sized(Kind, frozen=True):
    """Bytes read in one `form`, as many as `size` says."""

    form: ClassVar[Form]

    size: Expr

    @property
    def formulas(self) -> tuple[Expr, ...]:
        return (self.size,)


class Octets(Sized, frozen=True):
    """Raw bytes."""

    form = "octets"

    @property
    def label(self) -> str:
        return f"ARRAY[{self.size}] OF UINT8"


class Text(Sized, frozen=True):
    """Characters, one byte each (ISO 646 or ISO 8859-1, by BT00), padding kept."""

    form = "text"

    @property
    def label(self) -> str:
        return f"ARRAY[{self.size}] OF CHAR"


class Bcd(Sized, frozen=True):
    """Two digits a byte, high nibble first; decoded as the string of its hex digits."""

    form = "bcd"

    @property
    def label(self) -> str:
        return f"ARRAY[{self.size}] OF BCD"


class BitSet(Sized, frozen=True):
    """SET: one bit a member, LSB first; decoded as the frozenset of the members that are set."""

    form = "set"

    @property
    def label(self) -> str:
        return f"SET({self.size})"


class Rest(Kind, frozen=True):
    """Everything up to the end of the image."""

    @property
    def label(self) -> str:
        return "REST"


class NonInteger(Kind, frozen=True):
    """NI_FMAT1 / NI_FMAT2: its representation is a number in BT00 (ANSI C12.19 clause 6.2)."""

    number: int
    format: Ref

    @property
    def label(self) -> str:
        return f"NI_FMAT{self.number}"

    @property
    def formulas(self) -> tuple[Expr, ...]:
        return (self.format,)


class Nested(Kind, frozen=True):
    """Another record."""

    record: type[Record]

    @property
    def label(self) -> str:
        return str(self.record.__name__)


class Array(Kind, frozen=True):
    """`count` elements of the same declaration."""

    element: Field
    count: Expr
    cap: int

    @property
    def label(self) -> str:
        return f"ARRAY[{self.count}] OF {self.element.kind.label}"

    @property
    def formulas(self) -> tuple[Expr, ...]:
        return (self.count, *self.element.kind.formulas)
