"""How uvicorn must serve the socket: limits, pings, and connections that can be dropped."""

import logging
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from elsehu.realtime.outgoing import ABORT
from elsehu.settings import RealtimeSettings

SHUTDOWN_SECONDS = 2.0
LOGGER = logging.getLogger("uvicorn.error.socket")
LOGGER.setLevel(logging.WARNING)
"""Says less than uvicorn's own: that tells the URL of each socket, and a token may be in it."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, for clients that have stopped reading.

    A connection is closed only once what was written to it has left, which never happens while the other
    side does not read. So the app gets a way to drop it (`scope["extensions"]["elsehu.abort"]`), and where
    uvicorn itself gives a client up, it is dropped, too.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = LOGGER

    def handle_connect(self, event: Request) -> None:
        """Offer the app to drop the connection."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[ABORT] = self.transport.abort

    def handle_ping(self) -> None:
        """Answer a ping, but queue no answers for a client that does not read them."""
        pong = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pong))

    def keepalive_timeout(self) -> None:
        """Drop a client that answers no pings."""
        super().keepalive_timeout()
        self.transport.abort()

    def shutdown(self) -> None:
        """Say goodbye, and wait for no client longer than SHUTDOWN_SECONDS."""
        super().shutdown()
        self.loop.call_later(SHUTDOWN_SECONDS, self.transport.abort)


def socket_options(settings: RealtimeSettings) -> dict[str, Any]:
    """Return what `uvicorn.Config` needs for the socket.

    Compression is off: it costs more time and memory for each socket than all the rest, and what it saves on
    short messages is little.
    """
    return {
        "ws": SocketProtocol,
        "ws_max_size": settings.max_frame_bytes,
        "ws_ping_interval": settings.ping_interval,
        "ws_ping_timeout": settings.ping_interval,
        "ws_per_message_deflate": False,
    }
