"""Files that go out as multipart forms: the bytes are exact, memory stays flat, and what broke off is told."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from elsehu.contracts.http import AnswerLost, HttpClient, NotSent, Upload
from elsehu.http_client import open_http_client
from elsehu.settings import HttpClientSettings
from elsehu.testing.serving import RunningServer, running_server

MIB = 1024 * 1024
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with open_http_client(HttpClientSettings(timeout=5)) as client:
        yield client


@dataclass
class Received:
    """What the server got."""

    fields: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
async def received() -> Received:
    return Received()


@pytest.fixture
async def server(received: Received) -> AsyncIterator[RunningServer]:
    async def take(request: Request) -> JSONResponse:
        received.headers = dict(request.headers)
        async with request.form() as form:
            for name, value in form.items():
                if isinstance(value, str):
                    received.fields[name] = value
                else:
                    received.fields[name] = (value.filename, value.content_type, await value.read())
        return JSONResponse({})

    async with running_server(Starlette(routes=[Route("/", take, methods=["POST"])])) as running:
        yield running


def pieces(*chunks: bytes | Exception) -> Callable[[], AsyncIterator[bytes]]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            await asyncio.sleep(0)
            yield chunk

    return stream


NAMES = ["a.pdf", 'say "hi".pdf', "ação\r\nX: y.pdf", "名前.pdf"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_form_arrives_as_it_was_meant(
    http: HttpClient, server: RunningServer, received: Received, name: str
) -> None:
    content = [bytes(range(256)), b"", b"\r\n--not the boundary--\r\n"]
    upload = Upload(name, "application/pdf", sum(map(len, content)), pieces(*content))
    files = {"file": upload, "small": ("s.txt", b"inline", "text/plain")}
    answer = await http.request("POST", server.url, data={"to": "Zoë"}, files=files)
    assert answer.ok
    shown = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    assert received.fields == {
        "to": "Zoë",
        "file": (shown, "application/pdf", b"".join(content)),
        "small": ("s.txt", "text/plain", b"inline"),
    }
    assert "transfer-encoding" not in received.headers


async def test_the_length_is_told_and_kept(http: HttpClient) -> None:
    lengths: list[int] = []

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        boundary = head.split(b"boundary=")[1].split(b"\r\n")[0]
        body = await reader.readexactly(promised)
        assert body.endswith(b"--" + boundary + b"--\r\n")
        lengths.extend([promised, len(body)])
        await answer(writer)

    async with raw_server(count) as url:
        upload = Upload("a.bin", "application/octet-stream", 5, pieces(b"abc", b"de"))
        assert (await http.request("POST", url, files={"file": upload})).ok
    assert lengths[0] == lengths[1]


BROKEN = {
    "too short": Upload("a", "image/png", 10, pieces(b"12345")),
    "too long": Upload("a", "image/png", 3, pieces(b"12345")),
    "missing": Upload("a", "image/png", 3, pieces(FileNotFoundError("gone"))),
    "broken off": Upload("a", "image/png", 10, pieces(b"12345", RuntimeError("the storage failed"))),
    "away": Upload("a", "image/png", 10, pieces(b"12345", TimeoutError("the storage hangs"))),
}


@pytest.mark.parametrize("upload", BROKEN.values(), ids=BROKEN.keys())
async def test_a_file_that_breaks_off_was_not_sent(
    http: HttpClient, server: RunningServer, received: Received, upload: Upload
) -> None:
    with pytest.raises(NotSent, match="file to send could not be read whole"):
        await http.request("POST", server.url, files={"file": upload})
    assert received.fields == {}
    whole = Upload("b", "image/png", 3, pieces(b"123"))
    assert (await http.request("POST", server.url, files={"file": whole})).ok


async def test_a_server_that_hangs_up_in_the_middle_has_not_got_it(http: HttpClient) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with raw_server(hang_up) as url:
        with pytest.raises(NotSent):
            await http.request("POST", url, files={"file": zeros(20)})


async def test_a_server_that_hangs_up_at_the_end_may_have_it(http: HttpClient) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()

    async with raw_server(swallow) as url:
        with pytest.raises(AnswerLost):
            await http.request("POST", url, files={"file": zeros(1)})


async def test_sixty_megabytes_take_no_memory(http: HttpClient) -> None:
    got = 0

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        head = await reader.readuntil(b"\r\n\r\n")
        promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while got < promised:
            got += len(await reader.read(MIB))
        await answer(writer)

    async with raw_server(swallow) as url:
        assert (await http.request("POST", url, files={"file": zeros(1)})).ok
        got = 0
        gc.collect()
        tracemalloc.start()
        try:
            assert (await http.request("POST", url, files={"file": zeros(60)}, timeout=60)).ok
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert got > 60 * MIB
    assert peak < 8 * MIB


def zeros(megabytes: int) -> Upload:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(megabytes * 4):
            yield bytes(MIB // 4)

    return Upload("zeros.bin", "application/octet-stream", megabytes * MIB, stream)


async def answer(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
    await writer.drain()
    writer.close()


@asynccontextmanager
async def raw_server(serve: Serve) -> AsyncIterator[str]:
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
