"""A broker from PyPI (amqtt) in a process of its own: `python -m tests.interop.broker PORT`."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Any


async def main(port: int) -> None:
    """Serves until the process ends."""
    anonymous = "amqtt.plugins.authentication.AnonymousAuthPlugin"
    configuration: dict[str, Any] = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {anonymous: {"allow_anonymous": True}},
    }
    broker = import_module("amqtt.broker").Broker(configuration)
    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
