"""The repeating mechanism of Annex G: chains of repeaters, in both roles, on one lon stack."""

from .chain import MAX_APDU, Chain, Link
from .keys import key_delta
from .message import MAX_HOPS, REQUEST_CODE, AgentPart, Hop, Mode, Request, TargetType
from .repeater import Repeater, RepeaterStatistics
from .source import Broken, Delivered, Outcome, Responded, interpret, message_via, send_via
from .timing import Timing, timings
from .uplink import FAILURE_CODE, SUCCESS, Failure, Reason

__all__ = [
    "FAILURE_CODE",
    "MAX_APDU",
    "MAX_HOPS",
    "REQUEST_CODE",
    "SUCCESS",
    "AgentPart",
    "Broken",
    "Chain",
    "Delivered",
    "Failure",
    "Hop",
    "Link",
    "Mode",
    "Outcome",
    "Reason",
    "Repeater",
    "RepeaterStatistics",
    "Request",
    "Responded",
    "TargetType",
    "Timing",
    "interpret",
    "key_delta",
    "message_via",
    "send_via",
    "timings",
]
