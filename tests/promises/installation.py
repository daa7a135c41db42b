"""An installation as an admin runs it: `elsehu serve` in a directory of its own, to be killed at will."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx

from elsehu.testing.serving import listen_on_loopback

AWAY_SECONDS = 0.3
"""How long a client waits before it tries a server again that could not be reached."""
ADMIN = {"email": "admin@example.com", "password": "correct horse battery"}


class Installation:
    """`elsehu serve` with its embedded services. It can be killed and started again on the same data."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with listen_on_loopback() as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self.data_dir = folder / "var"
        self._folder = folder
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.AsyncClient(base_url=self.url, timeout=30)

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"ELSEHU_DATA_DIR": str(self.data_dir), "ELSEHU_PUBLIC_URL": self.url}
        first = {"ELSEHU_ADMIN_EMAIL": ADMIN["email"], "ELSEHU_ADMIN_PASSWORD": ADMIN["password"]}
        return {**kept, **own, **first, "ELSEHU_LOGGING__LEVEL": "warning", **self._settings}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        self.stop()

    async def start(self) -> None:
        """Start, and return at the first 200 of `/health`."""
        command = [str(Path(sys.executable).with_name("elsehu")), "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        async with asyncio.timeout(120):
            while not await self._answers():
                assert self._process.poll() is None, self.log.read_text()[-3000:]
                await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        try:
            return (await self.http.get("/health", timeout=2)).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """kill -9 of the whole program, as a power cut would."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """Stop as Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()

    async def log_in(self) -> None:
        """Log in as the first admin."""
        answer = await self.http.post("/api/auth/login", json=ADMIN)
        answer.raise_for_status()
        self.http.headers["authorization"] = f"Bearer {answer.json()['accessToken']}"

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """Make an API call that must succeed, again while the server is away."""
        async with asyncio.timeout(90):
            while True:
                try:
                    answer = await self.http.request(method, path, **options)
                except httpx.HTTPError:
                    await asyncio.sleep(AWAY_SECONDS)
                    continue
                if answer.status_code == 503:
                    await asyncio.sleep(0.05)
                    continue
                assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
                return answer.json() if answer.content else None

    async def everything(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a paginated list."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await self.call("GET", path, params={"limit": 200, **({"cursor": cursor} if cursor else {})})
            items += page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return items
