"""What only shows from outside of a process: its memory, and its death."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from elsehu.contracts.inbound import MediaContent
from elsehu.kernel import Kernel
from elsehu.media.fetcher import Fetcher
from elsehu.media.queries import load
from elsehu.media.retention import remove_orphans
from elsehu.media.service import pending_file
from elsehu.settings import Settings

from .conftest import Settlements
from .provider import FileProvider
from .rows import row_of, until, written

MIB = 1024 * 1024
LARGE = 60 * MIB
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Web:
    """A web process of the media slice."""

    process: subprocess.Popen[str]
    url: str

    def memory(self, what: str) -> int:
        """Return bytes of `VmRSS` (resident now) or `VmHWM` (the most that it ever was)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(what + ":"))
        return int(line.split()[1]) * 1024

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "plugins": {"enabled": ["files", "storage_local"]},
        "media": {"fetch_timeout": 30.0},
    }


@pytest.fixture
def web(settings: Settings) -> Iterator[Web]:
    plain = settings.model_dump(mode="json", exclude={"database_url", "redis_url", "secret_key"})
    secret = {name: getattr(settings, name).get_secret_value() for name in ("database_url", "redis_url", "secret_key")}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.media.web", orjson.dumps({**plain, **secret}).decode()],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as process:
        try:
            assert process.stdout
            yield Web(process, process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.fixture
async def api(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": "Bearer ana"}
    async with httpx.AsyncClient(base_url=web.url, headers=headers, timeout=60) as client:
        yield client


def large_file() -> Iterator[bytes]:
    yield b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    for _ in range(LARGE // (MIB // 4)):
        yield bytes(MIB // 4)


async def large_upload() -> AsyncIterator[bytes]:
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    for piece in large_file():
        yield piece
    yield b"\r\n--b--\r\n"


async def upload(api: httpx.AsyncClient, content: Any) -> httpx.Response:
    return await api.post("/api/media", content=content, headers={"content-type": "multipart/form-data; boundary=b"})


async def test_a_large_file_goes_in_and_out_in_little_memory(api: httpx.AsyncClient, web: Web) -> None:
    small = await api.post("/api/media", files={"file": b"warm up"})
    assert (await api.get(f"/files/{small.json()['id']}")).status_code == 200
    before = web.memory("VmRSS")
    answer = await upload(api, large_upload())
    assert answer.status_code == 201, answer.text
    read = 0
    async with api.stream("GET", f"/files/{answer.json()['id']}") as body:
        async for piece in body.aiter_raw():
            read += len(piece)
    assert read == answer.json()["size"] == sum(map(len, large_file()))
    grown = web.memory("VmHWM") - before
    print(f"grown by {grown / MIB:.1f} MiB at the most")
    assert grown < 32 * MIB


async def test_many_large_files_at_once_take_little_memory(api: httpx.AsyncClient, web: Web) -> None:
    await api.post("/api/media", files={"file": b"warm up"})
    before = web.memory("VmRSS")
    answers = await asyncio.gather(*(upload(api, large_upload()) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    grown = web.memory("VmHWM") - before
    print(f"grown by {grown / MIB:.1f} MiB at the most")
    assert grown < 32 * MIB


async def test_kill_in_the_middle_of_an_upload(api: httpx.AsyncClient, web: Web, kernel: Kernel) -> None:
    root = kernel.settings.data_dir / "plugins" / "storage_local"

    async def endless() -> AsyncIterator[bytes]:
        async for piece in large_upload():
            yield piece
            if sum(path.stat().st_size for path in root.rglob("*")) > MIB:
                web.kill()

    with pytest.raises(httpx.HTTPError):
        await upload(api, endless())
    assert await kernel.db.fetch_value("SELECT count(*) FROM media_files") == 0
    assert not list(root.glob("media/**/*-*"))
    assert await remove_orphans(kernel, timedelta(0)) == 1
    assert await kernel.db.fetch_value("SELECT count(*) FROM unclaimed_objects") == 0


async def test_kill_in_the_middle_of_a_fetch(
    web: Web, kernel: Kernel, instance_id: UUID, provider: FileProvider, settlements: Settlements
) -> None:
    async def is_claimed() -> bool:
        return (await row_of(kernel, media_id))["claimed_until"] is not None

    async def quickly() -> AsyncIterator[bytes]:
        yield b"GIF89a" + bytes(1000)

    content = MediaContent("image/png", reference={"name": "slow"})
    media_id = await written(kernel, pending_file(instance_id, content))
    await until(is_claimed)
    web.kill()
    provider.files["slow"] = quickly
    await kernel.db.execute("UPDATE media_files SET claimed_until = now() + interval '1 second'")
    fetching = asyncio.create_task(Fetcher(kernel, settlements).run())
    await until(lambda: settlements.ids == [media_id])
    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    assert await (await load(kernel, media_id)).read() == b"GIF89a" + bytes(1000)
