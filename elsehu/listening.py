"""The socket that the web process answers on, and what is said when it cannot be had."""

import os
import socket

from elsehu.contracts.errors import ConfigError

BACKLOG = 2048


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port` (0: any free one). Raises ConfigError `port_unusable`."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise ConfigError(
            "port_unusable",
            f"Cannot listen on {host} port {port}: {reason}. Choose others with --host and --port, or in [server].",
        ) from None
    return sock
