"""A 60 MB document of a customer: in from the provider to S3, out to a browser by ranges, in little memory."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from elsehu_storage_s3.testing import S3Server, s3_server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from elsehu.identity import users
from elsehu.kernel import open_kernel
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing.client import PASSWORD
from elsehu.testing.serving import listen_on_loopback, running_server

MIB = 1024 * 1024
SIZE = 60 * MIB
STEP = 4 * MIB
BLOCK = 64 * 1024
HERE = Path(__file__).parent
EMAIL = "ana@example.com"


def document(size: int) -> Iterator[bytes]:
    """Yield a PDF in which no two blocks are alike."""
    yield b"%PDF-1.7\n".ljust(BLOCK)
    for number in range(1, size // BLOCK):
        yield number.to_bytes(8, "big") * (BLOCK // 8)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
async def documents() -> AsyncIterator[str]:
    """The URL under which the provider has documents, by their size."""

    async def give(request: Request) -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            for block in document(int(request.path_params["size"])):
                yield block

        return StreamingResponse(body())

    async with running_server(Starlette(routes=[Route("/{size}", give)])) as server:
        yield server.url


@dataclass(frozen=True)
class Web:
    """A web process of Elsehu, and a logged-in client of it."""

    process: subprocess.Popen[bytes]
    api: httpx.AsyncClient

    def memory(self, what: str) -> int:
        """Return bytes of `VmRSS` (resident now) or `VmHWM` (the most that it ever was)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(what + ":"))
        return int(line.split()[1]) * 1024

    def memory_from_now_on(self) -> int:
        """Forget what memory starting took at its height, and return what is resident now."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.memory("VmRSS")

    async def comes(self, webhook: str, url: str, size: int) -> str:
        """Have a customer send a document; return the path of its file when it is there."""
        said = {"id": f"d{size}", "url": f"{url}/{size}", "size": size}
        (await self.api.post(webhook, json=said)).raise_for_status()
        async with asyncio.timeout(60):
            while True:
                conversation = (await self.api.get("/api/conversations")).json()["items"][0]["id"]
                page = (await self.api.get(f"/api/messages/conversation/{conversation}")).json()
                media = next(one["media"] for one in page["items"] if one["externalId"] == said["id"])
                assert media["state"] in {"pending", "ready"}, media
                if media["state"] == "ready":
                    return str(media["url"])
                await asyncio.sleep(0.1)


@pytest.fixture(params=[False, True], ids=["through us", "redirected"])
def redirects(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def settings_overrides(s3: S3Server, redirects: bool) -> dict[str, Any]:
    table = s3.config(presigned_redirects=redirects)
    return {"plugins": {"enabled": ["storage_s3"], "storage_s3": table}, "media": {"storage": "storage_s3"}}


@pytest.fixture
async def web(settings: Settings, tmp_path: Path) -> AsyncIterator[Web]:
    async with open_kernel(settings, load_plugins(settings)) as kernel, kernel.db.transaction() as uow:
        await users.create(uow, settings, name="Ana", email=EMAIL, password=PASSWORD, role="ADMIN")
    with listen_on_loopback() as probe:
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "elsehu", "web", "--port", str(port)], cwd=tmp_path, env=_environment(settings, tmp_path)
    ) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as api:
            try:
                await _until_healthy(process, api)
                answer = await api.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
                api.headers["authorization"] = f"Bearer {answer.json()['accessToken']}"
                yield Web(process, api)
            finally:
                process.terminate()


def _environment(settings: Settings, folder: Path) -> dict[str, str]:
    """Install the provider beside Elsehu and return the environment that makes up the settings."""
    info = folder / "site" / "documents-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: documents\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[elsehu]\ndocuments = documents_provider\n")
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    secrets = {name: getattr(settings, name).get_secret_value() for name in ("database_url", "redis_url", "secret_key")}
    table = {f"ELSEHU_PLUGINS__STORAGE_S3__{name.upper()}": str(value) for name, value in _s3_table(settings).items()}
    return {
        **kept,
        **table,
        "PYTHONPATH": f"{folder / 'site'}:{HERE}",
        "DATABASE_URL": secrets["database_url"],
        "REDIS_URL": secrets["redis_url"],
        "ELSEHU_SECRET_KEY": secrets["secret_key"],
        "ELSEHU_PLUGINS__ENABLED": "documents,storage_s3",
        "ELSEHU_MEDIA__STORAGE": "storage_s3",
        "ELSEHU_LOGGING__LEVEL": "warning",
    }


def _s3_table(settings: Settings) -> dict[str, Any]:
    table: dict[str, Any] = dict(settings.plugins["storage_s3"])
    return table


async def _until_healthy(process: subprocess.Popen[bytes], api: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            assert process.poll() is None
            try:
                if (await api.get("/health")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def _by_ranges(web: Web, path: str, size: int, s3: S3Server, redirects: bool) -> str:
    """Read a file as a browser does that shows a long document; return the SHA-256 of all."""
    digest = hashlib.sha256()
    for start in range(0, size, STEP):
        end = min(start + STEP, size) - 1
        headers = {"range": f"bytes={start}-{end}"}
        answer = await web.api.get(path, headers=headers)
        if redirects:
            assert answer.status_code == 307
            assert urlsplit(answer.headers["location"]).netloc == urlsplit(s3.url).netloc
            async with httpx.AsyncClient() as browser:
                answer = await browser.get(answer.headers["location"], headers=headers)
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {start}-{end}/{size}"
        assert answer.headers["content-disposition"] == 'inline; filename="contract.pdf"'
        assert answer.headers["content-type"] == "application/pdf"
        digest.update(answer.content)
    return digest.hexdigest()


async def test_it_goes_in_and_out_in_little_memory(web: Web, documents: str, s3: S3Server, redirects: bool) -> None:
    new = {"name": "Support", "phone": "+5511955550001", "provider": "documents", "credentials": {}}
    instance = (await web.api.post("/api/service-instances", json=new)).json()
    webhook = urlsplit(instance["webhookUrl"]).path
    small = await web.comes(webhook, documents, 64 * 1024)
    await _by_ranges(web, small, 64 * 1024, s3, redirects)
    before = web.memory_from_now_on()
    large = await web.comes(webhook, documents, SIZE)
    told = hashlib.sha256()
    for block in document(SIZE):
        told.update(block)
    assert await _by_ranges(web, large, SIZE, s3, redirects) == told.hexdigest()
    if not redirects:
        assert len((await web.api.get(large, headers={"range": "bytes=0-"})).content) == SIZE
    grown = web.memory("VmHWM") - before
    print(f"grown by {grown / MIB:.1f} MiB at the most")
    assert grown < 32 * MIB
