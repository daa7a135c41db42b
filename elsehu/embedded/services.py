"""The two servers together: started and watched by one thread, stopped with the block that uses them."""

import logging
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from elsehu.embedded.datadir import DataDir, claimed
from elsehu.embedded.postgres import Postgres
from elsehu.embedded.server import Cancelled, Server
from elsehu.embedded.valkey import Valkey

WATCH_SECONDS = 0.25
LONGEST_RETRY_SECONDS = 30.0

logger = logging.getLogger(__name__)


class EmbeddedServices:
    """Running servers. All that is done to them is done in one thread, one thing after the other.

    The thread is also their parent in the kernel's eyes: it lives until the process ends or the block is
    left, so they do too, whichever thread asks for a restart.
    """

    def __init__(self, data: DataDir, progress: Callable[[str], None]) -> None:
        self._cancelled = Event()
        self._valkey = Valkey(data, self._cancelled, progress)
        self._postgres = Postgres(data, self._cancelled, progress)
        self._servers: tuple[Server, ...] = (self._valkey, self._postgres)
        self._orders: queue.SimpleQueue[tuple[Callable[[], None], Future[None]] | None] = queue.SimpleQueue()
        self._failures = 0
        self._retry_at = 0.0
        self._started = False
        self._is_held = False
        self._thread = Thread(target=self._work, name="elsehu-embedded", daemon=True)
        self._thread.start()

    @property
    def database_url(self) -> str:
        """PostgreSQL's URL, the same over restarts."""
        return self._postgres.url

    @property
    def redis_url(self) -> str:
        """Valkey's URL (`unix://…`), the same over restarts."""
        return self._valkey.url

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the servers that run, by name: `postgres`, `valkey`."""
        return {server.name: server.pid for server in self._servers if server.pid}

    def restart_postgres(self) -> None:
        """Stop PostgreSQL in order, which cuts its connections, and start it again. Raises EmbeddedError."""
        self._do(lambda: _restart(self._postgres))

    def restart_valkey(self) -> None:
        """Stop Valkey in order, which cuts its connections, and start it again. Raises EmbeddedError."""
        self._do(lambda: _restart(self._valkey))

    @contextmanager
    def postgres_stopped(self) -> Iterator[None]:
        """Keep PostgreSQL stopped while the block runs, then start it again. Raises EmbeddedError."""
        self._do(self._stop_postgres)
        try:
            yield
        finally:
            self._do(self._start_postgres)

    def start(self) -> None:
        """Start both and wait until they answer. Raises EmbeddedError."""
        self._do(self._start)

    def stop(self) -> None:
        """Stop both, whatever is under way, and end the thread."""
        self._cancelled.set()
        self._orders.put(None)
        self._thread.join()

    def _do(self, action: Callable[[], None]) -> None:
        if self._cancelled.is_set():
            raise RuntimeError("the bundled servers were stopped")
        done: Future[None] = Future()
        self._orders.put((action, done))
        done.result()

    def _work(self) -> None:
        while order := self._next_order():
            action, done = order
            try:
                done.set_result(action())
            except BaseException as error:  # noqa: BLE001  the asker gets it
                done.set_exception(error)
        for server in self._servers:
            server.stop()

    def _next_order(self) -> tuple[Callable[[], None], Future[None]] | None:
        while True:
            try:
                return self._orders.get(timeout=WATCH_SECONDS)
            except queue.Empty:
                self._watch()

    def _start(self) -> None:
        for server in self._servers:
            server.launch()
        for server in self._servers:
            server.wait_ready()
        self._started = True

    def _stop_postgres(self) -> None:
        self._is_held = True
        self._postgres.stop()

    def _start_postgres(self) -> None:
        _restart(self._postgres)
        self._is_held = False

    def _watch(self) -> None:
        """Bound the logs; bring back a server that died."""
        for server in self._servers:
            server.trim_log()
            is_wanted = self._started and not (self._is_held and server is self._postgres)
            if is_wanted and server.pid is None and time.monotonic() >= self._retry_at:
                self._revive(server)

    def _revive(self, server: Server) -> None:
        logger.warning("%s ended unexpectedly; starting it again", server.title)
        try:
            _restart(server)
            self._failures = 0
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001  the thread must go on and try again
            logger.error("%s", error)
            self._failures += 1
            self._retry_at = time.monotonic() + min(2.0**self._failures, LONGEST_RETRY_SECONDS)


@contextmanager
def embedded_services(data_dir: Path, progress: Callable[[str], None] = lambda _: None) -> Iterator[EmbeddedServices]:
    """Run the bundled PostgreSQL and Valkey in `data_dir` while the block runs.

    A killed owner takes its servers with it (Linux); what survives nevertheless is stopped by the next start.

    Args:
        data_dir: made with mode 0700 if it is not there.
        progress: told, in words, what takes longer than a moment.

    Raises:
        EmbeddedError: the directory is in use or not ours, or a server does not start.
    """
    with claimed(data_dir) as data:
        services = EmbeddedServices(data, progress)
        try:
            services.start()
            yield services
        finally:
            services.stop()


def _restart(server: Server) -> None:
    server.stop()
    server.launch()
    server.wait_ready()
