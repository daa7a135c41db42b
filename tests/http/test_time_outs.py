"""Nothing waits for ever: neither we for a body, nor a client for an answer."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from elsehu.app import create_app
from elsehu.http.operations import Call, Operation, routes_of
from elsehu.http.schemas import ApiModel, NoQuery
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing.serving import RunningServer, running_server

WEBHOOK = "/api/webhooks/sandbox"


class Naps(ApiModel):
    """How long to sleep."""

    seconds: float


async def nap(call: Call[Naps, NoQuery]) -> dict[str, Any]:
    await asyncio.sleep(call.body.seconds)
    return {"slept": call.body.seconds}


async def stumble(call: Call[None, NoQuery]) -> None:
    raise TimeoutError("one of its own")


OPERATIONS = [
    Operation("POST", "/api/nap", nap, "Sleep.", "test", roles=None, body=Naps),
    Operation("POST", "/api/upload-nap", nap, "Sleep.", "test", roles=None, body=Naps, accepted=Naps),
    Operation("GET", "/api/stumble", stumble, "Stumble.", "test", roles=None),
]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "server": {"body_timeout": 0.3, "request_timeout": 0.3},
        "messaging": {"send_wait": 0.1},
        "media": {"url_timeout": 0.1},
    }


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[RunningServer]:
    app = create_app(settings, load_plugins(settings))
    app.router.routes[:0] = routes_of(OPERATIONS)
    async with running_server(app) as running:
        yield running


async def sent_slowly(server: RunningServer, path: str, kind: str, *pieces: bytes, length: int, every: float) -> str:
    """Send a body's pieces with pauses, and return all that comes back until the connection ends or pauses."""
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, family=socket.AF_INET)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode())
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(every)
    try:
        async with asyncio.timeout(10):
            return (await reader.read(65536)).decode()
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["/api/auth/login", WEBHOOK])
async def test_a_body_that_does_not_arrive_is_408(server: RunningServer, path: str) -> None:
    answer = await sent_slowly(server, path, "application/json", b"{", length=100, every=0)
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 408")
    assert "connection: close" in head.lower()
    assert orjson.loads(body)["code"] == "body_too_slow"


async def test_a_drop_now_and_then_is_no_body(server: RunningServer) -> None:
    drops = [b" "] * 10
    answer = await sent_slowly(server, "/api/auth/login", "application/json", *drops, length=1000, every=0.1)
    assert answer.startswith("HTTP/1.1 408")


async def test_a_large_body_may_take_longer(server: RunningServer) -> None:
    body = orjson.dumps({"email": "nobody@example.com", "password": "x" * 200}) + b" " * 60_000
    pieces = [body[start : start + 6000] for start in range(0, len(body), 6000)]
    answer = await sent_slowly(server, "/api/auth/login", "application/json", *pieces, length=len(body), every=0.1)
    assert answer.startswith("HTTP/1.1 401")


async def test_an_upload_that_stops_is_408(server: RunningServer, admin: Any) -> None:
    async def stops() -> AsyncIterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello'
        await asyncio.sleep(5)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await admin.http.post("/api/media", content=stops(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (408, "body_too_slow")


async def test_an_answer_that_does_not_come_is_503(server: RunningServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        late = await http.post("/api/nap", json={"seconds": 30})
        assert (late.status_code, late.json()["code"]) == (503, "request_timeout")
        assert int(late.headers["retry-after"]) >= 1
        assert (await http.post("/api/nap", json={"seconds": 0.0})).status_code == 200
        assert (await http.post("/api/upload-nap", json={"seconds": 0.5})).json() == {"slept": 0.5}


async def test_a_time_out_of_the_handlers_own_is_not_taken_for_ours(server: RunningServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.get("/api/stumble")).json()["code"] != "request_timeout"
