"""Puts the bridge together: a poller for each meter, and whoever wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from osgp.errors import TransportError, UsageError

from .config import BridgeConfig, MeterSection
from .metrics import serve_metrics
from .mqtt import Publisher
from .pages import serve_pages
from .poller import Poller
from .sample import Sample

OnSample = Callable[[MeterSection, Sample], None]


class Bridge:
    """A configured bridge. Made inside a running loop.

    Relative paths of what is read begin at `directory`, of what is kept (spool, cache) at `state`,
    which is the same if not given.
    """

    def __init__(
        self,
        config: BridgeConfig,
        directory: Path,
        on_sample: OnSample | None = None,
        state: Path | None = None,
    ) -> None:
        self._config, self._on_sample = config, on_sample
        kept = state or directory
        self.publisher = None if config.mqtt is None else Publisher(config, directory, kept)
        cache = None if config.cache is None else kept / config.cache
        self.pollers = [
            Poller(section, self._take, directory=directory, cache=cache)
            for section in config.meters
        ]
        if self.publisher is not None:
            for poller in self.pollers:
                self.publisher.watch(poller)

    async def run(self) -> None:
        """Until it is cancelled. Raises TransportError where a port to listen on is in use."""
        if self.publisher is None and not (self._config.prometheus or self._config.http):
            raise UsageError("nobody would see anything: add [mqtt], [prometheus] or [http]")
        with ExitStack() as stack:
            if self._config.prometheus is not None:
                stack.callback(serve_metrics(self._config.prometheus, self.pollers))
            if self._config.http is not None:
                stack.callback(serve_pages(self._config.http, self.pollers))
            work: list[Awaitable[Any]] = [poller.run() for poller in self.pollers]
            if self.publisher is not None:
                work.append(self.publisher.run())
                stack.callback(self.publisher.spool.close)
            await asyncio.gather(*work)

    async def once(self) -> bool:
        """Reads every meter once and publishes; whether all were read and taken.

        Raises TransportError where there is no broker: what was read waits in the spool.
        """
        samples = [await poller.once() for poller in self.pollers]
        if self.publisher is not None:
            try:
                await self.publisher.flush()
            except Exception as error:
                raise _broker_error(error) from error
            finally:
                self.publisher.spool.close()
        return all(sample is not None for sample in samples)

    def _take(self, section: MeterSection, sample: Sample) -> None:
        if self._on_sample is not None:
            self._on_sample(section, sample)
        if self.publisher is not None:
            self.publisher.publish(section, sample)


def _broker_error(error: Exception) -> Exception:
    """An MqttError as this program's; anything else as it is."""
    if type(error).__module__.split(".")[0] != "aiomqtt":
        return error
    failure = TransportError(f"no broker: {error}")
    failure.hint = "the reading waits in the spool"
    return failure
