"""A broker from PyPI (amqtt) in a process of its own.

python -m tests.interop.broker PORT [CERTIFICATE PRIVATE_KEY]
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Any

ANONYMOUS = "amqtt.plugins.authentication.AnonymousAuthPlugin"


async def main(port: int, *files: str) -> None:
    """Serves until the process ends."""
    listener: dict[str, Any] = {"type": "tcp", "bind": f"127.0.0.1:{port}"}
    if files:
        certificate, key = files
        listener |= {"ssl": True, "certfile": certificate, "keyfile": key}
    configuration = {
        "listeners": {"default": listener},
        "plugins": {ANONYMOUS: {"allow_anonymous": True}},
    }
    broker = import_module("amqtt.broker").Broker(configuration)
    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
