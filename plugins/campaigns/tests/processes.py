"""Web, worker and scheduler as processes of their own, to be killed at will and started again."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx

from elsehu.testing.databases import Services
from elsehu.testing.installation import SECRET_KEY
from elsehu.testing.serving import listen_on_loopback

ADMIN = {"email": "admin@example.com", "password": "correct horse battery"}
KINDS = ("web", "worker", "scheduler")


class Processes:
    """An installation on services that are there already."""

    def __init__(self, services: Services, database_url: str, folder: Path, **settings: str) -> None:
        with listen_on_loopback() as probe:
            self.port = probe.getsockname()[1]
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self.log = folder / "log"
        self._folder = folder
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._environment = {
            **kept,
            "DATABASE_URL": database_url,
            "REDIS_URL": services.redis_url,
            "ELSEHU_SECRET_KEY": SECRET_KEY,
            "ELSEHU_DATA_DIR": str(folder / "var"),
            "ELSEHU_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "ELSEHU_SERVER__PORT": str(self.port),
            "ELSEHU_LOGGING__LEVEL": "warning",
            **settings,
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    async def __aenter__(self) -> Self:
        made = self._popen("user", "create", ADMIN["email"], "--name=Admin", "--role=ADMIN", "--password-stdin")
        await asyncio.to_thread(made.communicate, ADMIN["password"].encode())
        for kind in KINDS:
            self.start(kind)
        token = (await self.call("POST", "/api/auth/login", json=ADMIN))["accessToken"]
        self.http.headers["authorization"] = f"Bearer {token}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                await asyncio.to_thread(process.wait, 20)
            except subprocess.TimeoutExpired:
                process.kill()

    def _popen(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "elsehu", *arguments],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def start(self, kind: str) -> None:
        """Start one of KINDS."""
        self._running[kind] = self._popen(kind)

    async def kill(self, kind: str) -> None:
        """kill -9 one of KINDS, as the system does that runs out of memory."""
        process = self._running[kind]
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """Make an API call that must succeed, again while the server is away."""
        async with asyncio.timeout(90):
            while True:
                try:
                    answer = await self.http.request(method, path, **options)
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code != 503:
                    assert answer.is_success, (method, path, answer.text)
                    return answer.json() if answer.content else None
                await asyncio.sleep(0.05)

    async def everything(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a list."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await self.call("GET", path, params={"limit": 200, **({"cursor": cursor} if cursor else {})})
            items += page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return items
