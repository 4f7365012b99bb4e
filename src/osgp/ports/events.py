"""What ports report. A client's request ends with `Answered` or `Failed`, never with both."""

from __future__ import annotations

import msgspec

from osgp.errors import OsgpError


class Answered(msgspec.Struct, frozen=True):
    """The response to the request."""

    message: bytes


class Failed(msgspec.Struct, frozen=True):
    """The request has no response: TransportError (silence), SecurityError, RemoteProtocolError."""

    error: OsgpError


class Unsolicited(msgspec.Struct, frozen=True):
    """A message that nobody asked for; it was acknowledged and dropped."""

    message: bytes


class Echoed(msgspec.Struct, frozen=True):
    """What was sent came back: the optical head reflects, or the line is looped."""


class Broken(msgspec.Struct, frozen=True):
    """The peer broke the framing and the message was dropped; `reason` says how."""

    reason: str


class Alert(msgspec.Struct, frozen=True):
    """The meter's alert sequence: read ET13's alert flags."""


class SpeedChanged(msgspec.Struct, frozen=True):
    """The line goes on at `line_speed` bits a second, once what was sent has left."""

    line_speed: int


class SessionEnded(msgspec.Struct, frozen=True):
    """The session is over, in this side's view; `reason` says why."""

    reason: str


class PasswordRefused(msgspec.Struct, frozen=True):
    """A server refused a password of the user `user_id`, or does not listen to any."""

    user_id: int


PortEvent = (
    Answered
    | Failed
    | Unsolicited
    | Echoed
    | Broken
    | Alert
    | SpeedChanged
    | SessionEnded
    | PasswordRefused
)
