import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from elsehu.contracts.inbound import MediaContent
from elsehu.kernel import Kernel
from elsehu.media.retention import expire
from elsehu.media.service import NewFile, pending_file
from elsehu.media.views import media_url, media_view
from elsehu.plugins import Plugins
from elsehu.testing.serving import RunningServer

from .rows import row_of, stored_file, until, written

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
WHOLE = PNG + bytes(range(256)) * 4000
SIZE = len(WHOLE)
ETAG = f'"{hashlib.sha256(WHOLE).hexdigest()}"'


@pytest.fixture
async def url(kernel: Kernel) -> str:
    return f"/files/{await stored_file(kernel, WHOLE, name='férias.png')}"


async def test_the_whole_file(api: httpx.AsyncClient, url: str) -> None:
    answer = await api.get(url)
    assert (answer.status_code, answer.content) == (200, WHOLE)
    headers = answer.headers
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == str(SIZE)
    assert headers["content-disposition"] == "inline; filename=\"f_rias.png\"; filename*=UTF-8''f%C3%A9rias.png"
    assert (headers["etag"], headers["accept-ranges"]) == (ETAG, "bytes")
    assert headers["cache-control"] == "private, no-cache"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("sent", "status", "start", "end"),
    [
        ({"range": "bytes=0-0"}, 206, 0, 0),
        ({"range": "bytes=0-"}, 206, 0, SIZE - 1),
        ({"range": "bytes=1000-299999"}, 206, 1000, 299_999),
        ({"range": "bytes=-500"}, 206, SIZE - 500, SIZE - 1),
        ({"range": f"bytes=5-{SIZE * 2}"}, 206, 5, SIZE - 1),
        ({"range": "bytes=1-2,5-6"}, 200, 0, SIZE - 1),
        ({"range": "lines=1-2"}, 200, 0, SIZE - 1),
        ({"range": "bytes=9-1"}, 200, 0, SIZE - 1),
        ({"range": "bytes=0-9", "if-range": ETAG}, 206, 0, 9),
        ({"range": "bytes=0-9", "if-range": '"another"'}, 200, 0, SIZE - 1),
        ({"range": "bytes=0-9", "if-range": f"W/{ETAG}"}, 200, 0, SIZE - 1),
        ({"range": "bytes=0-9", "if-range": "Mon, 01 Jan 2024 00:00:00 GMT"}, 200, 0, SIZE - 1),
        ({"range": "bytes=0-9", "if-none-match": '"another"'}, 206, 0, 9),
    ],
)
async def test_ranges(
    api: httpx.AsyncClient, url: str, sent: dict[str, str], status: int, start: int, end: int
) -> None:
    answer = await api.get(url, headers=sent)
    assert (answer.status_code, answer.content) == (status, WHOLE[start : end + 1])
    assert answer.headers["content-length"] == str(end - start + 1)
    assert answer.headers.get("content-range") == (f"bytes {start}-{end}/{SIZE}" if status == 206 else None)


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", "bytes=-0", "bytes=9999999999-"])
async def test_a_range_outside_of_the_file(api: httpx.AsyncClient, url: str, header: str) -> None:
    answer = await api.get(url, headers={"range": header})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("header", [ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"])
async def test_not_modified(api: httpx.AsyncClient, url: str, header: str) -> None:
    answer = await api.get(url, headers={"if-none-match": header, "range": "bytes=0-9"})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == ETAG


async def test_head(api: httpx.AsyncClient, url: str) -> None:
    answer = await api.head(url, headers={"range": "bytes=0-9"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["etag"] == ETAG


async def test_an_empty_file(api: httpx.AsyncClient, kernel: Kernel) -> None:
    answer = await api.get(f"/files/{await stored_file(kernel, b'')}")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    answer = await api.get(f"/files/{await stored_file(kernel, b'')}", headers={"range": "bytes=0-"})
    assert answer.status_code == 416


@pytest.mark.parametrize(
    ("data", "served", "how"),
    [
        (b"<!DOCTYPE html><script>alert(1)</script>", "application/octet-stream", "attachment"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', "application/octet-stream", "attachment"),
        (b"alert(document.cookie)", "text/plain; charset=utf-8", "inline"),
        (b"MZ" + bytes(300), "application/x-msdownload", "attachment"),
        (b"%PDF-1.7\n" + bytes(300), "application/pdf", "inline"),
        (b"OggS\0\x02" + bytes(300), "audio/ogg", "inline"),
        (bytes(300), "application/octet-stream", "attachment"),
    ],
)
async def test_nothing_that_a_customer_sent_runs(
    api: httpx.AsyncClient, kernel: Kernel, data: bytes, served: str, how: str
) -> None:
    answer = await api.get(f"/files/{await stored_file(kernel, data, 'image/png', 'a.png')}")
    assert answer.content == data
    assert answer.headers["content-type"] == served
    assert answer.headers["content-disposition"].startswith(how)
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_states(api: httpx.AsyncClient, kernel: Kernel, instance_id: UUID) -> None:
    pending = await written(kernel, pending_file(instance_id, MediaContent("image/png", reference={"name": "x"})))
    failed = await written(kernel, NewFile("failed", error="The file is gone at WhatsApp."))
    expired = await stored_file(kernel, WHOLE)
    await expire(kernel, kernel.now())
    for media_id, status, code in (
        (pending, 409, "media_pending"),
        (failed, 409, "media_failed"),
        (expired, 410, "media_expired"),
        (uuid4(), 404, "media_not_found"),
    ):
        answer = await api.get(f"/files/{media_id}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await api.get(f"/files/{pending}")).headers["retry-after"] == "1"
    assert "gone at WhatsApp" in (await api.get(f"/files/{failed}")).json()["detail"]
    await kernel.db.execute("UPDATE media_files SET next_attempt_at = now() + interval '90 s' WHERE id = $1", pending)
    assert (await api.get(f"/files/{pending}")).headers["retry-after"] in {"89", "90"}


async def test_bytes_that_are_lost_are_said_to_be(api: httpx.AsyncClient, kernel: Kernel, url: str) -> None:
    key = (await row_of(kernel, UUID(url.rpartition("/")[2])))["storage_key"]
    await kernel.plugins.storage_delete(key)
    answer = await api.get(url)
    assert (answer.status_code, answer.json()["code"]) == (410, "media_lost")
    assert key not in answer.text


async def test_a_storage_that_is_not_enabled_any_more(api: httpx.AsyncClient, kernel: Kernel, url: str) -> None:
    await kernel.db.execute("UPDATE media_files SET storage = 'storage_s3'")
    answer = await api.get(url)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_not_enabled")


async def test_presigned_urls(
    api: httpx.AsyncClient, kernel: Kernel, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def presigned(_: Plugins, key: str, disposition: str, mime_type: str, seconds: int, *, storage: str) -> str:
        return f"https://bucket.example/{key}?type={mime_type}&seconds={seconds}&as={disposition}"

    monkeypatch.setattr(Plugins, "storage_url", presigned)
    key = (await row_of(kernel, UUID(url.rpartition("/")[2])))["storage_key"]
    answer = await api.get(url)
    assert answer.status_code == 307
    assert answer.headers["location"].startswith(f"https://bucket.example/{key}?type=image/png&seconds=300&as=inline;")
    assert answer.headers["cache-control"] == "no-store"
    assert (await api.head(url)).status_code == 200
    assert (await api.get(url, headers={"if-none-match": ETAG})).status_code == 304


async def test_a_client_that_goes_away_stops_the_reading(
    server: RunningServer, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id = await stored_file(kernel, WHOLE)
    read, closed = 0, asyncio.Event()

    async def endless(*_: object, **__: object) -> AsyncIterator[bytes]:
        nonlocal read
        try:
            while True:
                read += 65536
                yield bytes(65536)
                await asyncio.sleep(0)
        finally:
            closed.set()

    monkeypatch.setattr(Plugins, "storage_open", endless)
    await kernel.db.execute("UPDATE media_files SET size = 1000000000")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(f"GET /files/{media_id} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    assert b" 200 " in await reader.readline()
    writer.transport.abort()
    async with asyncio.timeout(10):
        await closed.wait()
    assert read < 1_000_000_000


async def test_a_slow_client_is_waited_for(
    server: RunningServer, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id = await stored_file(kernel, WHOLE)
    read = 0

    async def counted(*_: object, **__: object) -> AsyncIterator[bytes]:
        nonlocal read
        while read < 500_000_000:
            read += 65536
            yield bytes(65536)

    monkeypatch.setattr(Plugins, "storage_open", counted)
    await kernel.db.execute("UPDATE media_files SET size = 500000000")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(f"GET /files/{media_id} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    assert b" 200 " in await reader.readline()
    before = -1
    while before != read:  # until nothing more is read ahead
        before = read
        await asyncio.sleep(0.2)
    assert read < 32 * 1024 * 1024
    writer.transport.abort()


async def test_files_are_not_left_open(server: RunningServer, kernel: Kernel, api: httpx.AsyncClient) -> None:
    def open_objects() -> int:
        links = list(Path("/proc/self/fd").iterdir())
        return sum("storage_local/media" in str(link.resolve()) for link in links if link.exists())

    media_id = await stored_file(kernel, PNG + bytes(3_900_000))
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(f"GET /files/{media_id} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        await reader.readuntil(PNG)
        writer.transport.abort()
    assert (await api.get(f"/files/{media_id}")).status_code == 200
    await until(lambda: open_objects() == 0)


async def test_the_rest_shape(kernel: Kernel) -> None:
    media_id = await stored_file(kernel, WHOLE, name="a.png")
    assert media_view(await row_of(kernel, media_id), media_url("m1")) == {
        "id": str(media_id),
        "mimeType": "image/png",
        "size": SIZE,
        "fileName": "a.png",
        "state": "ready",
        "url": "/api/messages/m1/media",
        "thumbnailUrl": "/api/messages/m1/media?thumbnail=true",
    }
