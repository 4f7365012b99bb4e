"""HTTP: the last reading of every meter as JSON, at `/` and `/NAME`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import msgspec

from osgp.errors import TransportError

from .config import ListenSection
from .poller import Poller


def page_of(poller: Poller) -> dict[str, Any]:
    """What is known of a meter; values only while they are not stale."""
    status = poller.status
    fresh = poller.is_fresh()
    last = status.last if fresh else None
    return {
        "name": poller.section.name,
        "fresh": fresh,
        "age": status.age(time.time()),
        "reading": None if last is None else msgspec.Raw(last.body),
        "readings": status.readings,
        "failures": status.failures,
        "error": status.last_error,
    }


def serve_pages(listen: ListenSection, pollers: Sequence[Poller]) -> Callable[[], None]:
    """Serves until what is returned is called. Raises TransportError (port in use)."""
    by_name = {poller.section.id: poller for poller in pollers}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/")
            if name and name not in by_name:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            found: Any = {key: page_of(poller) for key, poller in by_name.items()}
            body = msgspec.json.encode(found[name] if name else found)
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Requests are not logged."""

    try:
        server = ThreadingHTTPServer((listen.host, listen.port), Handler)
    except OSError as error:
        raise TransportError(f"cannot listen on {listen.host}:{listen.port}: {error}") from error
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
