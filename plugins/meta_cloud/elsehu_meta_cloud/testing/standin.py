"""A stand-in at hand: in a thread of this process, or as a process of its own."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from .backend import Backend
from .control import perform
from .handle import Standin
from .options import Options
from .server import Server

PATIENCE = 30.0
T = TypeVar("T")


class MetaStandin(Standin):
    """A stand-in in a thread of this process, with an event loop of its own."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._looping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="meta-standin", daemon=True)

    def open(self) -> None:
        """Start the thread and both servers."""
        self._thread.start()
        self._looping.wait(PATIENCE)
        self._backend, self._server = self._wait(self._start())
        self.url, self.files_url = self._backend.url, self._backend.files_url

    def close(self) -> None:
        """Stop the servers and end the thread."""
        self._wait(self._server.stop())
        if self._loop:
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def call(self, action: str, **arguments: Any) -> Any:
        """Do one action in the stand-in's own loop."""

        async def act() -> Any:
            return perform(self._backend, action, arguments)

        return self._wait(act())

    async def _start(self) -> tuple[Backend, Server]:
        backend = Backend(self.options)
        server = Server(backend)
        await server.start()
        return backend, server

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            raise RuntimeError("the stand-in is not running: use running_standin()")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(self._looping.set)
            self._loop.run_forever()


class RemoteStandin(Standin):
    """A stand-in in another process, held by its two URLs."""

    def __init__(self, url: str, files_url: str) -> None:
        self.url, self.files_url = url, files_url
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE)

    def call(self, action: str, **arguments: Any) -> Any:
        """Do one action over HTTP."""
        response = self._client.post(f"/_test/{action}", json=arguments)
        if response.is_client_error:
            raise ValueError(response.text)
        response.raise_for_status()
        return response.json()

    def close(self) -> None:
        """Close the connection to it; the process goes on."""
        self._client.close()


@contextmanager
def running_standin(**options: Any) -> Iterator[MetaStandin]:
    """Run a stand-in in a thread while the block lasts; ``options`` are those of ``Options``."""
    standin = MetaStandin(Options(**options))
    standin.open()
    try:
        yield standin
    finally:
        standin.close()


@contextmanager
def standin_process(**options: Any) -> Iterator[RemoteStandin]:
    """Run a stand-in as a process of its own while the block lasts: it takes nothing of our memory and CPU share."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    process = subprocess.Popen([sys.executable, "-m", __package__, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        urls = process.stdout.readline().split() if process.stdout else []
        if len(urls) != 2:
            raise RuntimeError("the stand-in did not start: see its error output above")
        standin = RemoteStandin(*urls)
        yield standin
        standin.close()
    finally:
        process.terminate()
        process.wait(PATIENCE)
