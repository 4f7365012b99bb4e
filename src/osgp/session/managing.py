"""Network management inside a secure channel: how a device in security mode 2 gets another address.

EN 14908-1 proves the sender of network management with the OMAK, which mode 2 must not trust. So
such a device executes it only as the content of a sealed request, service code 79: no moment of the
old suite is needed (`Source.PROJECT`; see docs/security.md). Any conversation of network management
is put into the channel by `inside`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from osgp.errors import RemoteProtocolError, ServiceError
from osgp.security.management import NETWORK_SERVICE, OK
from osgp.security.suite import SEQUENCE_ERROR, ClientSecurity

from .exchange import Exchange, Send

T = TypeVar("T")

_HEAD = bytes((0, NETWORK_SERVICE))


def inside(
    security: ClientSecurity, script: Exchange[T], persist: Callable[[bytes], None] | None = None
) -> Exchange[T]:
    """`script`, whose APDUs are network management, with each of them sealed by `security`.

    `persist` is as in `osgp.session.client.TableClient`.

    Raises what `script` raises, SecurityError for an answer that cannot be verified, ServiceError
    where the device refuses.
    """
    answer = b""
    try:
        wanted = next(script)
        while True:
            if isinstance(wanted, Send):
                answer = yield from _asked(security, wanted.apdu, persist)
            else:
                answer = yield wanted
            wanted = script.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _asked(
    security: ClientSecurity, request: bytes, persist: Callable[[bytes], None] | None
) -> Exchange[bytes]:
    for _ in range(2):
        sealed = security.seal_request(_HEAD + request)
        if persist is not None and security.must_persist:
            persist(security.export_state())
        response = yield Send(sealed)
        body = security.open_response(sealed, response)
        code = body[1] if len(body) > 1 else SEQUENCE_ERROR
        if code == OK:
            return body[2:]
        if code != SEQUENCE_ERROR:
            raise ServiceError.from_code(code, "network management")
    raise RemoteProtocolError("the device's sequence numbers do not settle")


__all__ = ["inside"]
