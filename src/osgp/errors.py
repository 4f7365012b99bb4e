"""One tree of errors, in the protocol's own terms.

Every error prints as one line that says what happened and, where it helps, what to do (`hint`).
None of them ever carries a key or plaintext of a message that failed authentication.
"""

from __future__ import annotations

from typing import ClassVar


class OsgpError(Exception):
    """Root of everything this package raises on purpose."""

    hint: str = ""


class DecodeError(OsgpError):
    """Bytes that are no image of the layout they were read with."""

    def __init__(self, reason: str, *, table: str = "", field: str = "", offset: int | None = None):
        self.reason, self.table, self.field, self.offset = reason, table, field, offset
        super().__init__(_located(reason, table, field, offset))


class Truncated(DecodeError):
    """The image ends before the layout does."""


class DimensionError(DecodeError):
    """A dimension is missing, or larger than any device may ask for."""


class EncodeError(OsgpError):
    """A value that its field cannot carry."""

    def __init__(self, reason: str, *, table: str = "", field: str = ""):
        self.reason, self.table, self.field = reason, table, field
        super().__init__(_located(reason, table, field, None))


class PathError(OsgpError):
    """A field path that the layout does not have, or whose place depends on the data."""


class SecurityError(OsgpError):
    """Authentication or decryption failed. Deliberately says no more than that."""

    def __init__(self, reason: str = "message refused") -> None:
        super().__init__(reason)


class LocalProtocolError(OsgpError):
    """This side asked for something its own state does not allow: a bug of the caller."""


class RemoteProtocolError(OsgpError):
    """The peer broke the protocol."""


class TransportError(OsgpError):
    """The medium failed. `retryable` says whether trying again can help."""

    def __init__(self, reason: str, *, retryable: bool = True) -> None:
        self.retryable = retryable
        super().__init__(reason)


class StoreError(OsgpError):
    """The store cannot be opened, read or written."""


class UsageError(OsgpError):
    """A request that makes no sense as it was typed."""


class ServiceError(OsgpError):
    """A table service answered with a response code other than OK (clause 9.8)."""

    code: ClassVar[int] = -1
    meaning: ClassVar[str] = "unknown response code"
    _by_code: ClassVar[dict[int, type[ServiceError]]] = {}

    def __init_subclass__(cls) -> None:
        ServiceError._by_code[cls.code] = cls

    def __init__(self, detail: str = "", *, code: int | None = None) -> None:
        self.response_code = self.code if code is None else code
        text = f"response {self.response_code:02X}: {self.meaning}"
        super().__init__(f"{text} ({detail})" if detail else text)

    @staticmethod
    def from_code(code: int, detail: str = "") -> ServiceError:
        """The error for a response `code`; unknown codes keep their number."""
        cls = ServiceError._by_code.get(code)
        return cls(detail) if cls else ServiceError(detail, code=code)


class ServiceFailed(ServiceError):
    code, meaning = 0x01, "error"


class ServiceNotSupported(ServiceError):
    code, meaning = 0x02, "service not supported"


class InsufficientSecurityClearance(ServiceError):
    code, meaning = 0x03, "insufficient security clearance"


class OperationNotPossible(ServiceError):
    code, meaning = 0x04, "operation not possible"


class InappropriateActionRequested(ServiceError):
    code, meaning = 0x05, "inappropriate action requested"


class DeviceBusy(ServiceError):
    code, meaning = 0x06, "device busy"


class DataNotReady(ServiceError):
    """ANSI C12.18 `dnr`."""

    code, meaning = 0x07, "data not ready"


class DataLocked(ServiceError):
    """ANSI C12.18 `dlk`."""

    code, meaning = 0x08, "data locked"


class RenegotiateRequest(ServiceError):
    """ANSI C12.18 `rno`: the device wants the session to begin anew with identification."""

    code, meaning = 0x09, "renegotiation requested"


class InvalidServiceSequenceState(ServiceError):
    code, meaning = 0x0A, "invalid service sequence state"


class DigestError(ServiceError):
    code, meaning = 0x0B, "digest error"
    hint = "the key is not this device's key"


class SequenceNumberError(ServiceError):
    code, meaning = 0x0C, "sequence number error"


class IncompleteData(ServiceError):
    """The name is inferred from the abbreviation `inc`; no public source spells it out."""

    code, meaning = 0x1E, "incomplete"


class InterfaceChangeAlarm(ServiceError):
    code, meaning = 0x1F, "interface changed since it was last read (ICA NACK)"
    hint = "read the dimension tables again"


class ProcedureError(OsgpError):
    """A procedure ended with a result other than 'completed' (BT08, ANSI C12.19)."""

    result: ClassVar[int] = -1
    meaning: ClassVar[str] = "unknown result code"
    _by_result: ClassVar[dict[int, type[ProcedureError]]] = {}

    def __init_subclass__(cls) -> None:
        ProcedureError._by_result[cls.result] = cls

    def __init__(self, detail: str = "", *, result: int | None = None) -> None:
        self.result_code = self.result if result is None else result
        text = f"procedure result {self.result_code}: {self.meaning}"
        super().__init__(f"{text} ({detail})" if detail else text)

    @staticmethod
    def from_result(result: int, detail: str = "") -> ProcedureError:
        """The error for a BT08 `result` code; unknown ones keep their number."""
        cls = ProcedureError._by_result.get(result)
        return cls(detail) if cls else ProcedureError(detail, result=result)


class ProcedureNotFinished(ProcedureError):
    result, meaning = 1, "accepted, not yet completed"


class InvalidParameter(ProcedureError):
    result, meaning = 2, "invalid parameter, ignored"


class ProcedureConflict(ProcedureError):
    result, meaning = 3, "conflicts with the device's set-up, ignored"


class TimingConstraint(ProcedureError):
    result, meaning = 4, "timing constraint, ignored"


class NoAuthorization(ProcedureError):
    result, meaning = 5, "no authorisation for this procedure"


class UnrecognizedProcedure(ProcedureError):
    result, meaning = 6, "unrecognised procedure"


def _located(reason: str, table: str, field: str, offset: int | None) -> str:
    field_path = ".".join(part for part in (table, field) if part).replace(".[", "[")
    at = "" if offset is None else f"at offset {offset}"
    where = " ".join(part for part in (field_path, at) if part)
    return f"{where}: {reason}" if where else reason
