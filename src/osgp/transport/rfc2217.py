"""RFC 2217 with servers that do not answer everything. Needs the extra `osgp[serial]`.

serialx subscribes to changes of modem and line state and waits for an answer, which pyserial's
server (`rfc2217_server.py`, and what is built on `serial.rfc2217.PortManager`) never gives. A port
of a meter has no modem lines to watch: here nobody waits for that answer.
"""

from __future__ import annotations

from typing import Any, Final

from serialx.platforms.serial_rfc2217 import RFC2217SerialTransport
from serialx.platforms.serial_rfc2217.types import SetLinestateMaskCmd, SetModemstateMaskCmd

UNANSWERED: Final = (SetModemstateMaskCmd, SetLinestateMaskCmd)


class Rfc2217Transport(RFC2217SerialTransport):
    """serialx's transport, with more patience for less polite servers."""

    async def _send_and_wait(self, cmd: Any) -> Any:
        if isinstance(cmd, UNANSWERED):
            self._send_command(cmd)
            return cmd
        return await super()._send_and_wait(cmd)


__all__ = ["Rfc2217Transport"]
