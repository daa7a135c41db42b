"""`GET /api/events`: the outbox for admins, page by page."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from elsehu.contracts.user import Role
from elsehu.events.cursors import Cursor, read_cursor
from elsehu.ids import new_id
from elsehu.testing.serving import RunningServer

from .world import Note, People, write


@pytest.fixture
async def api(site: RunningServer, people: People) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {people.add(Role.ADMIN).token}"}
    async with httpx.AsyncClient(base_url=site.url, headers=headers) as client:
        yield client


async def test_it_shows_what_was_recorded(site: RunningServer, api: httpx.AsyncClient) -> None:
    note = Note(new_id())
    await write(site.kernel, note, data={"lostBy": []})
    [event] = (await api.get("/api/events")).json()["items"]
    assert event.pop("at").endswith("Z")
    assert event == {
        "eventId": event["eventId"],
        "type": "note:new",
        "subjectId": str(note.id),
        "conversationId": str(note.room),
        "data": {"lostBy": []},
    }


async def test_the_cursor_goes_on_for_ever(site: RunningServer, api: httpx.AsyncClient) -> None:
    for _ in range(7):
        await write(site.kernel, Note(None))
    seen: list[str] = []
    cursor = ""
    for _ in range(5):
        page = (await api.get("/api/events", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [event["eventId"] for event in page["items"]]
        cursor = page["nextCursor"]
    assert len(set(seen)) == len(seen) == 7
    await write(site.kernel, Note(None))
    page = (await api.get("/api/events", params={"cursor": cursor})).json()
    assert len(page["items"]) == 1


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.OPERATOR])
async def test_only_admins_may_read_it(api: httpx.AsyncClient, people: People, role: Role) -> None:
    headers = {"authorization": f"Bearer {people.add(role).token}"}
    assert (await api.get("/api/events", headers=headers)).status_code == 403


async def test_an_old_cursor_is_gone_and_a_strange_one_refused(api: httpx.AsyncClient) -> None:
    cursor = read_cursor((await api.get("/api/events")).json()["nextCursor"])
    old = Cursor(cursor.position, cursor.at - timedelta(days=2), cursor.life).encode()
    assert (await api.get("/api/events", params={"cursor": old})).status_code == 410
    assert (await api.get("/api/events", params={"cursor": "strange"})).status_code == 422
