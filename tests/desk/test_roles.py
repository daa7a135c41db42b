"""Who may do what: every operation on contacts, conversations and tabulations, for every kind of caller."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from elsehu.desk.routes import OPERATIONS as DESK
from elsehu.messaging.contacts.routes import OPERATIONS as CONTACTS
from elsehu.messaging.conversations.routes import OPERATIONS as CONVERSATIONS
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import customer_writes
from elsehu.testing.serving import RunningServer

from .conftest import Conversation, taken

MARIA = "5511988887777"
Body = Callable[["Place"], Any]


@dataclass(frozen=True)
class Place:
    """What the requests of one test are about. The conversation is the operator's."""

    number: UUID
    contact: str
    conversation: str
    tabulation: str
    somebody: str
    team: str
    reply: str

    def path(self, template: str) -> str:
        """Return the path of an operation, its id filled in."""
        ids = {
            "contacts": self.contact,
            "conversations": self.conversation,
            "tabulations": self.tabulation,
            "teams": self.team,
            "operators": self.somebody,
            "quick-replies": self.reply,
        }
        return template.replace("{id}", ids.get(template.split("/")[2], ""))


@dataclass(frozen=True)
class Answers:
    """What each caller is answered: the conversation's operator, a colleague, a supervisor, an admin."""

    owner: int
    colleague: int
    supervisor: int
    admin: int


def everybody(status: int) -> Answers:
    return Answers(status, status, status, status)


def not_a_colleague(status: int) -> Answers:
    return Answers(status, 404, status, status)


def supervisors(status: int) -> Answers:
    return Answers(403, 403, status, status)


ADMINS_ONLY = Answers(403, 403, 403, 200)

TABLE: Mapping[str, tuple[Body, Answers]] = {
    "GET /api/contacts": (lambda place: None, everybody(200)),
    "POST /api/contacts": (lambda place: {"name": "Ana", "phone": "+5511977776666"}, everybody(201)),
    "POST /api/contacts/merge": (lambda place: {"contactIds": [place.contact, place.contact]}, ADMINS_ONLY),
    "GET /api/contacts/{id}": (lambda place: None, everybody(200)),
    "PATCH /api/contacts/{id}": (lambda place: {"name": "Maria"}, everybody(200)),
    "DELETE /api/contacts/{id}": (lambda place: None, everybody(204)),
    "GET /api/contacts/{id}/export": (lambda place: None, ADMINS_ONLY),
    "POST /api/contacts/{id}/opt-out": (lambda place: None, everybody(200)),
    "POST /api/contacts/{id}/opt-in": (lambda place: None, everybody(200)),
    "GET /api/conversations": (lambda place: None, everybody(200)),
    "POST /api/conversations": (
        lambda place: {"contactId": place.contact, "serviceInstanceId": str(place.number)},
        everybody(409),
    ),
    "GET /api/conversations/{id}": (lambda place: None, not_a_colleague(200)),
    "POST /api/conversations/{id}/read": (lambda place: None, not_a_colleague(200)),
    "POST /api/conversations/{id}/assign": (lambda place: None, Answers(200, 404, 409, 409)),
    "POST /api/conversations/{id}/transfer": (lambda place: {"userId": place.somebody}, not_a_colleague(200)),
    "POST /api/conversations/{id}/release": (lambda place: None, not_a_colleague(200)),
    "POST /api/conversations/{id}/close": (lambda place: {"tabulationId": place.tabulation}, not_a_colleague(200)),
    "POST /api/conversations/{id}/reopen": (lambda place: None, not_a_colleague(409)),
    "POST /api/conversations/{id}/tags": (lambda place: {"tags": ["vip"]}, not_a_colleague(200)),
    "POST /api/conversations/{id}/notes": (lambda place: {"text": "hm"}, not_a_colleague(201)),
    "GET /api/conversations/{id}/history": (lambda place: None, not_a_colleague(200)),
    "POST /api/conversations/close-stale": (
        lambda place: {"tabulationId": place.tabulation, "idleHours": 1, "dryRun": True},
        supervisors(200),
    ),
    "GET /api/conversations/close-stale/{id}": (lambda place: None, supervisors(404)),
    "GET /api/queue": (lambda place: None, everybody(200)),
    "GET /api/tabulations": (lambda place: None, everybody(200)),
    "POST /api/tabulations": (lambda place: {"name": "Sold"}, supervisors(201)),
    "PATCH /api/tabulations/{id}": (lambda place: {"name": "Solved"}, supervisors(200)),
    "DELETE /api/tabulations/{id}": (lambda place: None, supervisors(204)),
    "GET /api/teams": (lambda place: None, everybody(200)),
    "POST /api/teams": (lambda place: {"name": "Sales"}, supervisors(201)),
    "GET /api/teams/{id}": (lambda place: None, everybody(200)),
    "PATCH /api/teams/{id}": (lambda place: {"memberIds": []}, supervisors(200)),
    "DELETE /api/teams/{id}": (lambda place: None, supervisors(204)),
    "GET /api/operators": (lambda place: None, supervisors(200)),
    "GET /api/operators/{id}": (lambda place: None, supervisors(200)),
    "PATCH /api/operators/{id}": (lambda place: {"capacity": 3}, supervisors(200)),
    "GET /api/quick-replies": (lambda place: None, everybody(200)),
    "POST /api/quick-replies": (lambda place: {"shortcut": "bye", "text": "Bye", "shared": True}, supervisors(201)),
    "GET /api/quick-replies/{id}": (lambda place: None, everybody(200)),
    "PATCH /api/quick-replies/{id}": (lambda place: {"text": "Hi"}, supervisors(200)),
    "DELETE /api/quick-replies/{id}": (lambda place: None, supervisors(204)),
    "POST /api/quick-replies/{id}/render": (
        lambda place: {"conversationId": place.conversation},
        not_a_colleague(200),
    ),
}
SERVED = {f"{one.method} {one.path}": one for one in (*CONTACTS, *CONVERSATIONS, *DESK)}


@pytest.fixture
async def place(
    server: RunningServer, number: UUID, operator: ApiClient, colleague: ApiClient, tabulation: dict[str, Any]
) -> Place:
    conversation = await taken(operator, str(await customer_writes(server, number, MARIA)))
    contact = (await operator.get(f"/api/conversations/{conversation}")).json()["contact"]["id"]
    place = Place(number, contact, conversation, tabulation["id"], colleague.user["id"], str(uuid4()), str(uuid4()))
    await put_back(server, operator, place)
    return place


def test_every_operation_is_in_the_table() -> None:
    assert set(TABLE) == set(SERVED)


async def test_the_table(
    operator: ApiClient,
    colleague: ApiClient,
    supervisor: ApiClient,
    admin: ApiClient,
    place: Place,
    server: RunningServer,
) -> None:
    """Each caller asks in turn, from who may least to who may most; what one changed is put back."""
    callers = {"owner": operator, "colleague": colleague, "supervisor": supervisor, "admin": admin}
    for name, (body, expected) in TABLE.items():
        method, template = name.split()
        answered = {}
        for who in ("colleague", "supervisor", "admin", "owner"):
            answer = await callers[who].http.request(method, place.path(template), json=body(place))
            answered[who] = answer.status_code
            await put_back(server, operator, place)
        assert answered == asdict(expected), name


async def put_back(server: RunningServer, operator: ApiClient, place: Place) -> None:
    """Undo what any request of the table did."""
    db = server.kernel.db
    await db.execute(
        "UPDATE conversations SET status = 'assigned', assigned_to = $2, closed_at = NULL WHERE id = $1",
        UUID(place.conversation),
        UUID(operator.user["id"]),
    )
    await db.execute("DELETE FROM contact_identities WHERE value = '5511977776666'")
    await db.execute("DELETE FROM tabulations WHERE name = 'Sold'")
    await db.execute("DELETE FROM teams WHERE name = 'Sales'")
    await db.execute("INSERT INTO teams (id, name) VALUES ($1, 'Support') ON CONFLICT DO NOTHING", UUID(place.team))
    await db.execute("DELETE FROM quick_replies WHERE shortcut = 'bye'")
    reply = """INSERT INTO quick_replies (id, shortcut, text, search_text) VALUES ($1, 'hi', 'Hi', 'hi')
               ON CONFLICT DO NOTHING"""
    await db.execute(reply, UUID(place.reply))
    await db.execute(
        "INSERT INTO tabulations (id, name) VALUES ($1, 'Resolved') ON CONFLICT (id) DO UPDATE SET is_active = true",
        UUID(place.tabulation),
    )


async def test_without_a_token_nothing(server: RunningServer, place: Place) -> None:
    async with httpx.AsyncClient(base_url=server.url) as stranger:
        for name, (body, _) in TABLE.items():
            method, template = name.split()
            for token in ("", "Bearer x.y.z", "Bearer elk_nothing"):
                headers = {"authorization": token} if token else {}
                answer = await stranger.request(method, place.path(template), json=body(place), headers=headers)
                assert answer.status_code == 401, name
                assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_not_there_is_404(admin: ApiClient, place: Place) -> None:
    for name, (body, _) in TABLE.items():
        method, template = name.split()
        for unknown in (str(uuid4()), "7", "%00"):
            if "{id}" in template:
                answer = await admin.http.request(method, template.replace("{id}", unknown), json=body(place))
                assert answer.status_code == 404, f"{name}: {answer.text}"


async def test_bodies_that_are_refused(admin: ApiClient, place: Place) -> None:
    is_json = {"content-type": "application/json"}
    large = b'"' + b"x" * 2**21 + b'"'
    for name in (name for name, one in SERVED.items() if one.body is not None):
        method, template = name.split()
        path, body = place.path(template), TABLE[name][0](place)
        answer = await admin.http.request(method, path, json={**(body or {}), "unknownField": 1})
        assert answer.status_code == 422, name
        assert "unknownField" in {error["field"] for error in answer.json()["errors"]}
        assert (await admin.http.request(method, path, content=b"{", headers=is_json)).status_code == 400, name
        assert (await admin.http.request(method, path, content=b"[1]", headers=is_json)).status_code == 422, name
        assert (await admin.http.request(method, path, content=b"a=b")).status_code == 415, name
        assert (await admin.http.request(method, path, content=large, headers=is_json)).status_code == 413, name


@pytest.mark.parametrize("role", ["OPERATOR", "SUPERVISOR", "ADMIN"])
async def test_a_machine_may_what_its_role_may(
    admin: ApiClient, place: Place, waiting: Conversation, role: str
) -> None:
    """A machine with an operator's role has no conversations of its own: it sees the queue."""
    key = (await admin.post("/api/api-keys", {"name": "bot", "role": role})).json()["key"]
    machine = {"authorization": f"Bearer {key}"}
    queued = await waiting()
    sees_all = role != "OPERATOR"
    listed = (await admin.get("/api/conversations", headers=machine)).json()["items"]
    assert {one["id"] for one in listed} == ({queued, place.conversation} if sees_all else {queued})
    answer = await admin.get(f"/api/conversations/{place.conversation}", headers=machine)
    assert answer.status_code == (200 if sees_all else 404)
    answer = await admin.post("/api/tabulations", {"name": "x"}, headers=machine)
    assert answer.status_code == (201 if sees_all else 403)
    answer = await admin.delete(f"/api/contacts/{place.contact}?erase=true", headers=machine)
    assert answer.status_code == (409 if role == "ADMIN" else 403)
