"""What is known of a request that failed: it certainly never left, or nobody knows what became of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from elsehu.contracts.http import AnswerLost, HttpClient, NotSent
from elsehu.http_client import open_http_client
from elsehu.settings import HttpClientSettings

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with open_http_client(HttpClientSettings(timeout=2)) as client:
        yield client


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """Serve raw TCP on loopback; yields the URL."""
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"


def answering(answer: bytes, *, resets: bool = False) -> Serve:
    """Read a whole request, write `answer`, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            await reader.readexactly(len(b"{}"))
        writer.write(answer)
        if resets:
            writer.transport.abort()
        writer.close()

    return serve


@pytest.mark.parametrize(
    "serve",
    [
        answering(b""),
        answering(b"", resets=True),
        answering(b"HTTP/1.1 200 OK\r\nContent-Le"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        answering(b"this is no HTTP at all\r\n\r\n"),
    ],
    ids=["closed", "reset", "cut in the head", "cut in the body", "no HTTP"],
)
async def test_a_broken_answer_leaves_the_outcome_unknown(http: HttpClient, serve: Serve) -> None:
    async with server(serve) as url:
        with pytest.raises(AnswerLost):
            await http.request("POST", url, json={})


async def test_a_time_out_leaves_the_outcome_unknown(http: HttpClient) -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read(-1)
        writer.close()

    async with server(silent) as url:
        with pytest.raises(AnswerLost):
            await http.request("POST", url, json={}, timeout=0.2)
        assert asked.is_set()


async def test_a_server_that_closed_its_idle_connection_is_asked_anew(http: HttpClient) -> None:
    """Each answer closes the connection although it did not say so."""
    async with server(answering(WHOLE)) as url:
        for _ in range(3):
            assert (await http.request("POST", url, json={})).ok
            await asyncio.sleep(0)


async def _free_port() -> int:
    listening = await asyncio.start_server(answering(b""), "127.0.0.1", 0)
    port: int = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()
    return port


async def test_a_refused_connection_never_left(http: HttpClient) -> None:
    with pytest.raises(NotSent):
        await http.request("POST", f"http://127.0.0.1:{await _free_port()}/", json={})


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://", "no address", "http://127.0.0.1:99999/"])
async def test_what_is_no_address_never_left(http: HttpClient, url: str) -> None:
    with pytest.raises(NotSent):
        await http.request("POST", url, json={})


async def test_a_handshake_that_fails_never_left(http: HttpClient) -> None:
    async with server(answering(WHOLE)) as url:
        with pytest.raises(NotSent):
            await http.request("POST", url.replace("http:", "https:"), json={})


async def test_a_stream_that_breaks_off(http: HttpClient) -> None:
    async with (
        server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")) as url,
        http.stream("GET", url) as answer,
    ):
        with pytest.raises(AnswerLost):
            _ = [chunk async for chunk in answer.chunks()]


async def test_what_outlives_the_kernel_never_left() -> None:
    async with open_http_client(HttpClientSettings()) as http:
        pass
    with pytest.raises(NotSent, match="stopping"):
        await http.request("GET", "http://127.0.0.1:9/")
    with pytest.raises(NotSent, match="stopping"):
        async with http.stream("GET", "http://127.0.0.1:9/"):
            pass
