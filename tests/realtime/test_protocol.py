"""Frames: what is answered to what, and what ends the conversation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from elsehu.testing.serving import RunningServer

from .client import Socket
from .world import Note, People, write

Open = Callable[..., Awaitable[Socket]]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"realtime": {"max_frame_bytes": 2048, "client_events_per_second": 10}}


@pytest.fixture
async def socket(site: RunningServer, people: People, open_socket: Open) -> Socket:
    return await open_socket(site, people.add())


@pytest.mark.parametrize("request_id", [7, "seven", None, {"any": ["thing"]}])
async def test_answers_carry_the_id_of_what_they_answer(socket: Socket, request_id: Any) -> None:
    await socket.send("ping", id=request_id)
    assert (await socket.next("pong"))["id"] == request_id


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "malformed_json"),
        ("{", "malformed_json"),
        ("NaN", "malformed_json"),
        ("[]", "malformed_frame"),
        ("{}", "malformed_frame"),
        ('{"event":7}', "malformed_frame"),
        (b"{}", "binary_frame"),
        ('{"event":"no:such"}', "unknown_event"),
        ('{"event":"conversation:join"}', "invalid_request"),
        ('{"event":"conversation:join","data":{"conversationId":"seven"}}', "invalid_request"),
        ('{"event":"conversation:join","data":[1]}', "invalid_request"),
        ('{"event":"inbox:subscribe","data":{"filter":{"color":"red"}}}', "invalid_request"),
        ('{"event":"operator:status","data":{"status":"asleep"}}', "invalid_request"),
        ('{"event":"resume","data":{"cursor":"???"}}', "invalid_cursor"),
        ('{"event":"explode"}', "internal_error"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_the_socket_lives(socket: Socket, raw: str | bytes, code: str) -> None:
    await socket.connection.send(raw)
    answer = await socket.next("error")
    assert answer["error"]["code"] == code
    assert "bug" not in answer["error"]["detail"]
    assert await socket.ask("ping")


async def test_a_refusal_names_the_fields(socket: Socket) -> None:
    answer = await socket.ask("conversation:join", {"conversationId": "seven", "extra": 1})
    assert {error["field"] for error in answer["error"]["errors"]} == {"conversationId", "extra"}


async def test_a_frame_that_is_too_large_ends_it(socket: Socket) -> None:
    await socket.connection.send(orjson.dumps({"event": "ping", "data": {"filler": "x" * 2048}}).decode())
    assert await socket.closed() == 1009


async def test_who_is_too_fast_is_refused_and_may_go_on_slower(socket: Socket) -> None:
    for number in range(60):
        await socket.send("ping", id=number)
    refusal = await socket.next("error")
    assert refusal["error"]["code"] == "rate_limited"
    assert 40 <= len(socket.all("pong")) <= 45
    await asyncio.sleep(2.5)  # two seconds' worth above the limit run off, and one ping's
    assert (await socket.ask("ping"))["event"] == "pong"


async def test_who_never_slows_down_is_shown_out(socket: Socket) -> None:
    async def flood() -> None:
        while socket.close_code is None:
            await socket.send("ping")

    flooding = asyncio.create_task(flood())
    assert await socket.closed() == 4429
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)


async def test_events_come_in_the_order_of_recording(site: RunningServer, socket: Socket) -> None:
    texts = [f"note {number}" for number in range(50)]
    for text in texts[:25]:
        await write(site.kernel, Note(None, text))
    await write(site.kernel, *(Note(None, text) for text in texts[25:]))
    await socket.says(*texts)


async def test_events_arrive_at_once(site: RunningServer, socket: Socket) -> None:
    """From commit to screen without waiting for a poll: a hundred in a row in well under a hundred polls."""
    loop = asyncio.get_running_loop()
    await write(site.kernel, Note(None, "warm-up"))
    await socket.next("note:new")
    times = []
    for number in range(2, 52):
        began = loop.time()
        await write(site.kernel, Note(None, "now"))
        await socket.next("note:new", number)
        times.append(loop.time() - began)
    assert sorted(times)[25] < 0.05
