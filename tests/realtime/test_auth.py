"""Who gets in, by which door, and when they are shown out."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from elsehu.contracts.user import Role
from elsehu.ids import new_id
from elsehu.testing.serving import RunningServer

from .client import Socket
from .world import BOSSES, Note, People, write

Open = Callable[..., Awaitable[Socket]]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"realtime": {"auth_timeout": 0.4, "ping_interval": 0.3, "sockets_per_user": 3}}


async def test_the_first_frame_may_bring_the_token(site: RunningServer, people: People, open_socket: Open) -> None:
    person = people.add(Role.ADMIN)
    socket = await open_socket(site)
    welcome = await socket.do("auth", person.auth)
    assert welcome["user"] == {"id": str(person.id), "name": person.caller.name, "role": "ADMIN"}
    assert welcome["expiresAt"] is None
    assert welcome["cursor"]


async def test_a_subprotocol_may_bring_the_token(site: RunningServer, people: People, open_socket: Open) -> None:
    socket = await open_socket(site, subprotocols=["elsehu.jwt", people.add().token])
    assert socket.connection.subprotocol == "elsehu.jwt"
    assert (await socket.next("ack"))["data"]["cursor"]


async def test_the_query_may_bring_the_token_and_nobody_logs_it(
    site: RunningServer, people: People, open_socket: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    token = people.add().token
    socket = await open_socket(site, query=f"?token={token}")
    assert (await socket.next("ack"))["data"]["cursor"]
    assert token not in caplog.text


class TestWithoutQueryTokens:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"realtime": {"auth_timeout": 0.4, "token_in_query": False}}

    async def test_the_query_may_be_closed_to_tokens(
        self, site: RunningServer, people: People, open_socket: Open
    ) -> None:
        socket = await open_socket(site, query=f"?token={people.add().token}")
        assert await socket.closed() == 4401
        assert socket.frames[0]["error"]["code"] == "auth_timeout"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"subprotocols": ["elsehu.jwt", "stale"]}, "token_invalid"),
        ({"subprotocols": ["elsehu.jwt"]}, "token_invalid"),
        ({"query": "?token=stale"}, "token_invalid"),
        ({}, "auth_timeout"),
    ],
)
async def test_who_has_no_good_token_is_shown_out(
    site: RunningServer, open_socket: Open, options: dict[str, Any], code: str
) -> None:
    socket = await open_socket(site, **options)
    assert await socket.closed() == 4401
    assert [frame["error"]["code"] for frame in socket.frames] == [code]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ('{"event":"auth","id":7,"data":{"token":"stale"}}', "token_invalid"),
        ('{"event":"auth","id":7,"data":{"token":""}}', "token_missing"),
        ('{"event":"auth","id":7,"data":{"token":1}}', "token_missing"),
        ('{"event":"auth","id":7,"data":{"token":"x","role":"ADMIN"}}', "token_missing"),
        ('{"event":"auth","id":7}', "token_missing"),
        ('{"event":"inbox:subscribe","id":7}', "token_missing"),
        ("[]", "token_missing"),
        ("not json", "token_missing"),
        (b"\x00\x01", "token_missing"),
    ],
)
async def test_a_bad_first_frame_ends_it(site: RunningServer, open_socket: Open, raw: str | bytes, code: str) -> None:
    socket = await open_socket(site)
    await socket.connection.send(raw)
    assert await socket.closed() == 4401
    assert [frame["error"]["code"] for frame in socket.frames] == [code]


async def test_nothing_is_told_before_the_token(site: RunningServer, open_socket: Open) -> None:
    socket = await open_socket(site)
    await write(site.kernel, Note(None, "not for strangers"))
    assert await socket.closed() == 4401
    assert socket.texts() == []


async def test_an_expiring_token_is_announced_and_then_ends_the_socket(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    person = people.add(seconds=2.0)
    assert person.caller.expires_at
    socket = await open_socket(site, person)
    assert (await socket.next("auth:expiring"))["data"]["expiresIn"] <= 1
    assert time.time() < person.caller.expires_at
    assert await socket.closed() == 4401
    assert time.time() >= person.caller.expires_at - 0.01


async def test_a_newer_token_keeps_the_socket_open(site: RunningServer, people: People, open_socket: Open) -> None:
    person = people.add(seconds=1.0)
    newer = people.add(user_id=person.id, seconds=600)
    socket = await open_socket(site, person)
    await socket.next("auth:expiring")
    expires_at = datetime.fromisoformat((await socket.do("auth", newer.auth))["expiresAt"])
    assert newer.caller.expires_at
    assert abs(expires_at.timestamp() - newer.caller.expires_at) < 0.01
    await asyncio.sleep(0.5)  # past the first token's end
    await write(site.kernel, Note(None, "still here"))
    await socket.says("still here")


async def test_a_newer_token_may_change_what_is_seen(site: RunningServer, people: People, open_socket: Open) -> None:
    person = people.add(Role.SUPERVISOR)
    demoted = people.add(Role.OPERATOR, user_id=person.id)
    socket = await open_socket(site, person)
    await socket.do("inbox:subscribe")
    await socket.do("auth", demoted.auth)
    await write(site.kernel, Note(new_id(), "bosses", BOSSES), Note(new_id(), "all"))
    await socket.says("all")


@pytest.mark.parametrize("whose", ["another's", "nobody's"])
async def test_a_token_that_is_not_ones_own_ends_the_socket(
    site: RunningServer, people: People, open_socket: Open, whose: str
) -> None:
    socket = await open_socket(site, people.add())
    await socket.send("auth", people.add().auth if whose == "another's" else {"token": "stale"}, id=1)
    assert await socket.closed() == 4401
    error = next(frame for frame in socket.frames if frame["event"] == "error")
    assert error["error"]["code"] == ("other_user" if whose == "another's" else "token_invalid")


async def test_an_ended_session_ends_its_sockets_everywhere(
    site: RunningServer, start: Callable[[], Awaitable[RunningServer]], people: People, open_socket: Open
) -> None:
    second = await start()
    one = people.add()
    other_session = people.add(user_id=one.id)
    sockets = [await open_socket(site, one), await open_socket(second, one), await open_socket(site, other_session)]
    hint = {"user_id": str(one.id), "session_ids": [str(one.caller.session_id)], "api_key_id": None}
    await site.kernel.bus.publish("elsehu.sessions", hint)
    assert [await socket.closed() for socket in sockets[:2]] == [4401, 4401]
    assert await sockets[2].ask("ping")


async def test_changed_rights_take_effect_on_open_sockets(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    demoted, removed = people.add(Role.SUPERVISOR), people.add(Role.SUPERVISOR)
    sockets = [await open_socket(site, one) for one in (demoted, removed)]
    await sockets[0].do("inbox:subscribe")
    people.callers[demoted.token] = people.add(Role.OPERATOR, user_id=demoted.id).caller
    del people.callers[removed.token]
    for person in (demoted, removed):
        hint: dict[str, Any] = {"user_id": str(person.id), "session_ids": [], "api_key_id": None}
        await site.kernel.bus.publish("elsehu.sessions", hint)
    assert await sockets[1].closed() == 4401
    await write(site.kernel, Note(new_id(), "bosses", BOSSES), Note(new_id(), "all"))
    await sockets[0].says("all")


async def test_an_ended_session_is_noticed_even_if_nobody_tells(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    person = people.add()
    socket = await open_socket(site, person)
    del people.callers[person.token]
    assert await socket.closed() == 4401


async def test_a_user_may_have_so_many_sockets_and_no_more(
    site: RunningServer, people: People, open_socket: Open
) -> None:
    person = people.add()
    sockets = [await open_socket(site, person) for _ in range(3)]
    refused = await open_socket(site)
    await refused.send("auth", person.auth, id=1)
    assert await refused.closed() == 4429
    assert refused.frames[0]["error"]["code"] == "too_many_sockets"
    await sockets[0].close()
    await open_socket(site, people.add())
    await open_socket(site, person)
