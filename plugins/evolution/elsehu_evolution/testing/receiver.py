"""A receiver of webhooks, for tests of the stand-in itself and of anything else that sends them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Received:
    """One POST: where to, with what headers and body, and when (monotonic seconds)."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def event(self) -> str:
        """The event's name."""
        return str(self.body["event"])

    @property
    def data(self) -> Any:
        """The event's data."""
        return self.body["data"]


class WebhookReceiver:
    """Answers every POST and remembers it, also those that it refuses.

    ``answers`` are the statuses of the next requests; when they are used up it answers 200. ``delay`` is
    waited before each answer.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []
        self.answers: list[int] = []
        self.delay = 0.0

    def of(self, event: str) -> list[Received]:
        """Return what came of one event, oldest first."""
        return [received for received in self.received if received.event == event]

    def take(self, received: Received) -> int:
        """Remember one request and return the status to answer."""
        self.received.append(received)
        time.sleep(self.delay)
        return self.answers.pop(0) if self.answers else 200


@contextmanager
def webhook_receiver() -> Iterator[WebhookReceiver]:
    """Listen on a free port while the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    receiver = WebhookReceiver(f"http://127.0.0.1:{server.server_port}")
    server.take = receiver.take  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received = Received(self.path, dict(self.headers.items()), orjson.loads(body), time.monotonic())
        status = self.server.take(received)  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
