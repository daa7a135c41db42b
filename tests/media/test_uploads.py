import asyncio
import hashlib
import resource
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.requests import Request

from elsehu.contracts.errors import DomainError, Gone, NotFound
from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import MediaLimit, NoConfig, ProviderSpec
from elsehu.contracts.user import Caller
from elsehu.kernel import Kernel
from elsehu.media.multipart import file_part
from elsehu.media.queries import load, sendable_upload
from elsehu.media.retention import expire
from elsehu.media.uploads import limit_of
from elsehu.plugins import Plugins
from elsehu.settings import Settings
from elsehu.testing.serving import RunningServer

from .rows import row_of, stored_file, until

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(2000)
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 100
OGG = b"OggS\0\x02" + bytes(20) + b"\x01\x13OpusHead" + bytes(300)
WEBP = b"RIFF\x24\0\0\0WEBPVP8 " + bytes(300)
MIB = 1024 * 1024


def objects_in(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "plugins" / "storage_local").rglob("*") if path.is_file()]


async def stores_nothing(kernel: Kernel) -> bool:
    return not objects_in(kernel.settings) and await kernel.db.fetch_value("SELECT count(*) FROM media_files") == 0


async def test_an_upload_is_stored_under_its_own_type(api: httpx.AsyncClient, kernel: Kernel) -> None:
    answer = await api.post("/api/media", files={"file": ("../../holiday.exe", PNG, "text/html")})
    assert answer.status_code == 201
    body = answer.json()
    media_id = UUID(body.pop("id"))
    assert body == {"mimeType": "image/png", "size": len(PNG), "sha256": hashlib.sha256(PNG).hexdigest()}
    media = await load(kernel, media_id)
    assert (media.file_name, media.mime_type, media.size, media.is_voice) == (
        "holiday.exe.png",
        "image/png",
        len(PNG),
        False,
    )
    assert await media.read() == PNG
    assert b"".join([chunk async for chunk in media.stream()]) == PNG


@pytest.mark.parametrize(
    ("query", "data", "declared", "mime_type"),
    [
        ("", PDF, "image/png", "application/pdf"),
        ("", b"a;b\n1;2\n", "text/csv", "text/csv"),
        ("", b"<html><script>1</script>", "image/png", "text/html"),
        ("?kind=document", PNG, "image/png", "image/png"),
        ("?kind=sticker", WEBP, "image/webp", "image/webp"),
        ("?voice=true", OGG, "audio/ogg", "audio/ogg"),
        ("?kind=document", bytes(10), "application/x-foo", "application/octet-stream"),
    ],
)
async def test_types_and_kinds(
    api: httpx.AsyncClient, kernel: Kernel, query: str, data: bytes, declared: str, mime_type: str
) -> None:
    answer = await api.post(f"/api/media{query}", files={"file": ("x", data, declared)})
    assert answer.status_code == 201, answer.text
    assert answer.json()["mimeType"] == mime_type
    assert (await load(kernel, UUID(answer.json()["id"]))).is_voice is ("voice" in query)


@pytest.mark.parametrize(
    ("query", "files", "status", "code"),
    [
        ("", {"file": ("x.png", b"", "image/png")}, 422, "invalid_request"),
        ("", {"picture": ("x.png", PNG, "image/png")}, 422, "invalid_request"),
        ("", {"file": (None, "just text")}, 422, "invalid_request"),
        ("?kind=image", {"file": ("x.png", PDF, "image/png")}, 422, "media_kind_mismatch"),
        ("?kind=sticker", {"file": ("x.png", PNG, "image/webp")}, 422, "media_kind_mismatch"),
        ("?voice=true", {"file": ("x.ogg", PDF, "audio/ogg")}, 422, "media_kind_mismatch"),
        ("?kind=location", {"file": ("x.png", PNG)}, 422, "invalid_request"),
        ("?type=image", {"file": ("x.png", PNG)}, 422, "invalid_request"),
    ],
)
async def test_what_does_not_fit_is_refused(
    api: httpx.AsyncClient, kernel: Kernel, query: str, files: dict[str, tuple[str, bytes]], status: int, code: str
) -> None:
    answer = await api.post(f"/api/media{query}", files=files)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await stores_nothing(kernel)


async def test_one_file_and_nothing_beside_it(api: httpx.AsyncClient, kernel: Kernel) -> None:
    for files, data in (
        ([("file", ("a.png", PNG)), ("file", ("b.png", PNG))], None),
        ([("file", ("a.png", PNG))], {"note": "x"}),
    ):
        answer = await api.post("/api/media", files=files, data=data)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert await stores_nothing(kernel)


@pytest.mark.parametrize(
    ("content_type", "content", "status", "code"),
    [
        ("application/json", b"{}", 415, "unsupported_media_type"),
        ("multipart/form-data", b"x", 415, "unsupported_media_type"),
        ("multipart/mixed; boundary=b", b"--b--", 415, "unsupported_media_type"),
        ("multipart/form-data; boundary=b", b"", 400, "malformed_multipart"),
        ("multipart/form-data; boundary=b", b"no boundary here", 400, "malformed_multipart"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Dispo", 400, "malformed_multipart"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf of it',
            400,
            "malformed_multipart",
        ),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nno headers\r\n--b--\r\n", 422, "invalid_request"),
    ],
)
async def test_broken_bodies(
    api: httpx.AsyncClient, kernel: Kernel, content_type: str, content: bytes, status: int, code: str
) -> None:
    answer = await api.post("/api/media", content=content, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await stores_nothing(kernel)


async def test_no_token_no_upload(server: RunningServer, kernel: Kernel) -> None:
    async with httpx.AsyncClient(base_url=server.url) as nobody:
        assert (await nobody.post("/api/media", files={"file": PNG})).status_code == 401
    assert await stores_nothing(kernel)


async def test_too_large_is_refused_before_it_is_sent(server: RunningServer, kernel: Kernel) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(
        b"POST /api/media HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ana\r\n"
        b"content-type: multipart/form-data; boundary=b\r\ncontent-length: 3000000\r\n\r\n"
    )
    async with asyncio.timeout(5):
        assert b" 413 " in await reader.readline()
    writer.close()
    assert await stores_nothing(kernel)


async def test_too_large_is_refused_while_it_is_sent(server: RunningServer, kernel: Kernel) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(
        b"POST /api/media HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ana\r\n"
        b"content-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    pieces = [b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + PNG]
    with suppress(ConnectionError):
        while not answer.done():
            piece = pieces.pop() if pieces else bytes(MIB // 4)
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        assert b" 413 " in await answer
    assert await stores_nothing(kernel)


async def test_a_client_that_sends_first_and_reads_then_sees_the_refusal(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/media", files={"file": ("x.png", PNG + bytes(20 * MIB))})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_client_that_goes_away_leaves_nothing(server: RunningServer, kernel: Kernel) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + PNG
    writer.write(
        b"POST /api/media HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ana\r\n"
        b"content-type: multipart/form-data; boundary=b\r\ncontent-length: 1000000\r\n\r\n" + head + bytes(400_000)
    )
    await until(lambda: objects_in(kernel.settings))
    writer.close()
    await until(lambda: stores_nothing(kernel))


async def test_a_full_disk_is_said(api: httpx.AsyncClient, kernel: Kernel) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        answer = await api.post("/api/media", files={"file": ("x.png", PNG + bytes(MIB + MIB // 2))})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
    assert answer.headers["retry-after"]
    assert await stores_nothing(kernel)


async def test_the_same_idempotency_key_gives_the_same_file(api: httpx.AsyncClient, kernel: Kernel) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, again = [await api.post("/api/media", files={"file": ("x.png", PNG)}, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert await kernel.db.fetch_value("SELECT count(*) FROM media_files") == 1


@pytest.mark.parametrize(
    ("uploader", "allowed"),
    [("ana", {"ana", "sup"}), ("bot", {"bot", "sup"}), ("sup", {"sup"})],
)
async def test_who_may_send_an_upload(
    api: httpx.AsyncClient, kernel: Kernel, callers: dict[str, Caller], uploader: str, allowed: set[str]
) -> None:
    headers = {"authorization": f"Bearer {uploader}"}
    answer = await api.post("/api/media", files={"file": ("x.png", PNG)}, headers=headers)
    media_id = UUID(answer.json()["id"])
    for name, caller in callers.items():
        if name in allowed:
            assert (await sendable_upload(kernel.db, caller, media_id))["id"] == media_id
        else:
            with pytest.raises(NotFound):
                await sendable_upload(kernel.db, caller, media_id)


async def test_what_is_no_upload_cannot_be_sent(kernel: Kernel, callers: dict[str, Caller]) -> None:
    received = await stored_file(kernel, PNG)
    for media_id in (received, UUID(int=0)):
        with pytest.raises(NotFound):
            await sendable_upload(kernel.db, callers["sup"], media_id)


async def test_an_expired_upload_cannot_be_sent(
    api: httpx.AsyncClient, kernel: Kernel, callers: dict[str, Caller]
) -> None:
    answer = await api.post("/api/media", files={"file": ("x.png", PNG)})
    await expire(kernel, kernel.now())
    async with kernel.db.transaction() as uow:
        with pytest.raises(Gone):
            await sendable_upload(uow, callers["ana"], UUID(answer.json()["id"]))
    assert (await row_of(kernel, UUID(answer.json()["id"])))["uploaded_by"] == callers["ana"].user_id


def spec_with(limits: dict[Kind, MediaLimit], *kinds: Kind) -> ProviderSpec:
    return ProviderSpec("p", NoConfig, NoConfig, frozenset(kinds), media_limits=limits)


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ([], 2 * MIB),
        ([spec_with({}, Kind.IMAGE)], 2 * MIB),
        ([spec_with({Kind.IMAGE: MediaLimit(1000)}, Kind.IMAGE)], 1000),
        ([spec_with({Kind.IMAGE: MediaLimit(1000)}, Kind.AUDIO)], 2 * MIB),
        ([spec_with({Kind.IMAGE: MediaLimit(size)}, Kind.IMAGE) for size in (1000, 3000)], 3000),
        ([spec_with({Kind.IMAGE: MediaLimit(1000)}, Kind.IMAGE), spec_with({}, Kind.IMAGE)], 2 * MIB),
        ([spec_with({Kind.IMAGE: MediaLimit(9 * MIB)}, Kind.IMAGE)], 2 * MIB),
    ],
)
def test_the_most_generous_provider_sets_the_limit(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, specs: list[ProviderSpec], expected: int
) -> None:
    monkeypatch.setattr(Plugins, "providers", lambda _: specs)
    assert limit_of(kernel, Kind.IMAGE) == expected


async def test_a_kinds_limit(api: httpx.AsyncClient, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Plugins, "providers", lambda _: [spec_with({Kind.IMAGE: MediaLimit(1000)}, Kind.IMAGE, Kind.DOCUMENT)]
    )
    refused = await api.post("/api/media", files={"file": ("x.png", PNG)})
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
    assert "kind=document" in refused.json()["detail"]
    assert await stores_nothing(kernel)
    assert (await api.post("/api/media?kind=document", files={"file": ("x.png", PNG)})).status_code == 201


def request_with(body: bytes, piece: int) -> Request:
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]

    async def receive() -> dict[str, object]:
        more = len(pieces) > 1
        return {"type": "http.request", "body": pieces.pop(0) if pieces else b"", "more_body": more}

    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


@given(st.binary(max_size=300), st.integers(1, 50))
async def test_any_cut_gives_the_same_file(data: bytes, piece: int) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a b.png"\r\nContent-Type: image/png\r\n\r\n'
    part = await file_part(request_with(head + data + b"\r\n--b--\r\n", piece), 1000, 5.0)
    assert (part.file_name, part.declared_type) == ("a b.png", "image/png")
    assert b"".join([chunk async for chunk in part.chunks]) == data.partition(b"\r\n--b")[0]


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300) | st.text(alphabet='-b\r\n:;="fileNamContent-Disposition', max_size=300).map(str.encode))
async def test_any_body_is_a_file_or_refused(body: bytes) -> None:
    try:
        part = await file_part(request_with(body, 7), 1000, 5.0)
        assert all([isinstance(chunk, bytes) async for chunk in part.chunks])
    except DomainError as refusal:
        assert refusal.status in {400, 413, 422}


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ('filename="a.png"', "a.png"),
        ('filename="açaí.png"', "açaí.png"),
    ],
)
async def test_file_names(disposition: str, expected: str) -> None:
    body = f'--b\r\nContent-Disposition: form-data; name="file"; {disposition}\r\n\r\nx\r\n--b--\r\n'.encode()
    assert (await file_part(request_with(body, 1000), 1000, 5.0)).file_name == expected
