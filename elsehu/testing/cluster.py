"""The PostgreSQL and Valkey of a test run: made and migrated once, then copied for each of its processes.

Only here PostgreSQL waits for no disk: what a killed server leaves is whole as ever, and no test cuts the power.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elsehu.embedded import EmbeddedServices, embedded_services
from elsehu.testing import databases

WITHOUT_DISK = """
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
wal_compression = off
autovacuum = off
jit = off
"""
"""No test lasts until it pays to vacuum or to compile; an autovacuum holds up who drops its database."""
OWN_TO_EACH = shutil.ignore_patterns("lock", "log", "run", "socket_directory")
"""What a copy of a data directory must not have in common with it."""


@contextmanager
def run_services(shared: Path | None) -> Iterator[EmbeddedServices]:
    """Run PostgreSQL, with a migrated template database, and Valkey while the block runs.

    Args:
        shared: a directory of all processes of the run, where the first of them leaves what it made to the others;
            None if there is only one process.
    """
    with tempfile.TemporaryDirectory(prefix="elsehu-tests-") as folder:
        place = Path(folder, "var")
        if shared is None:
            _make(place)
        else:
            shutil.copytree(_made_once(shared), place, ignore=OWN_TO_EACH)
        with embedded_services(place) as running:
            yield running


def _made_once(shared: Path) -> Path:
    """Return the run's data directory; make it if this process is the first."""
    shared.mkdir(parents=True, exist_ok=True)
    made = shared / "var"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory(prefix="elsehu-tests-") as folder:
                place = Path(folder, "var")
                _make(place)
                shutil.copytree(place, shared / "new", ignore=OWN_TO_EACH)
            (shared / "new").rename(made)
    return made


def _make(place: Path) -> None:
    with embedded_services(place) as running:
        (place / "postgres" / "custom.conf").write_text(WITHOUT_DISK)
        running.restart_postgres()
        databases.make_template(running.database_url)
