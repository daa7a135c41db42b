"""A small installation around the real hub: notes in rooms, people with tokens."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from elsehu.background import running
from elsehu.contracts.errors import NotFound, Unauthenticated
from elsehu.contracts.user import Caller, Role
from elsehu.events import Change, Event, record
from elsehu.http.operations import Authenticator, routes_of
from elsehu.http.problems import EXCEPTION_HANDLERS
from elsehu.http.rate_limits import RateLimits
from elsehu.ids import new_id, new_token
from elsehu.kernel import Kernel, open_kernel
from elsehu.plugins import Plugins
from elsehu.realtime.hub import Hub
from elsehu.realtime.notifier import Notifier
from elsehu.realtime.registry import Audience, ClientEvent, EventType, Farewell, Registry, Rendered
from elsehu.realtime.relay import Relay
from elsehu.realtime.routes import OPERATIONS
from elsehu.realtime.schemas import ConversationRef, Nothing
from elsehu.realtime.session import Session
from elsehu.realtime.socket import socket_endpoint
from elsehu.settings import Settings

TABLE = """
CREATE TABLE notes (id uuid PRIMARY KEY, room uuid, text text, roles text[], users uuid[], labels jsonb);
CREATE TABLE secret_rooms (id uuid PRIMARY KEY);
"""
ALL = tuple(Role)
BOSSES = (Role.ADMIN, Role.SUPERVISOR)
WRITE = """
INSERT INTO notes (id, room, text, roles, users, labels) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET text = $3, roles = $4, users = $5, labels = $6
"""


@dataclass(frozen=True, slots=True)
class Note:
    """A thing to be told of. The same `id` written again changes it."""

    room: UUID | None
    text: str = "hello"
    roles: Sequence[Role] = ALL
    users: Sequence[UUID] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    id: UUID = field(default_factory=new_id)


async def write(kernel: Kernel, *notes: Note, kind: str = "note:new", data: dict[str, Any] | None = None) -> None:
    """Commit notes and their events in one transaction."""
    async with kernel.db.transaction() as uow:
        for note in notes:
            labels = orjson.dumps(note.labels).decode()
            await uow.execute(WRITE, note.id, note.room, note.text, list(note.roles), list(note.users), labels)
        await record(uow, [Change(kind, note.id, note.room, data) for note in notes])


async def render_notes(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    rows = await kernel.db.fetch("SELECT * FROM notes WHERE id = ANY($1)", [event.subject_id for event in events])
    by_id = {row["id"]: row for row in rows}
    if any(row["text"] == "cannot be rendered" for row in rows):
        raise ValueError("this note breaks whoever renders it")
    return {event.seq: _rendered(event, by_id[event.subject_id]) for event in events if event.subject_id in by_id}


def _rendered(event: Event, row: Mapping[str, Any]) -> Rendered:
    data = {"id": str(row["id"]), "room": str(row["room"]), "text": row["text"]}
    audience = Audience(frozenset(map(Role, row["roles"])), frozenset(row["users"]))
    lost = (event.data or {}).get("lostBy", [])
    farewell = Farewell({"id": data["id"]}, Audience(frozenset(), frozenset(map(UUID, lost)))) if lost else None
    return Rendered(data, audience, orjson.loads(row["labels"]), farewell)


async def join(kernel: Kernel, caller: Caller, session: Session, data: ConversationRef) -> None:
    if await kernel.db.fetch_value("SELECT 1 FROM secret_rooms WHERE id = $1", data.conversation_id):
        raise NotFound("conversation_not_found", "There is no such conversation.")
    session.join(data.conversation_id)


async def explode(kernel: Kernel, caller: Caller, session: Session, data: Nothing) -> None:
    raise RuntimeError("a handler with a bug")


EVENT_TYPES = (
    EventType("note:new", render_notes, hook="message_received"),
    EventType("note:moved", render_notes, moves=True),
)
CLIENT_EVENTS = (ClientEvent("conversation:join", ConversationRef, join), ClientEvent("explode", Nothing, explode))


class People(Authenticator):
    """Who has which token."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}
        self.asked = 0

    async def authenticate(self, token: str) -> Caller:
        self.asked += 1
        caller = self.callers.get(token)
        if caller is None or (caller.expires_at is not None and caller.expires_at < time.time()):
            raise Unauthenticated("token_invalid", "Log in again.")
        return caller

    def add(
        self, role: Role = Role.OPERATOR, *, user_id: UUID | None = None, seconds: float | None = None, **more: Any
    ) -> "Person":
        expires_at = None if seconds is None else time.time() + seconds
        caller = Caller(role, user_id or new_id(), f"{role.title()} {new_token(3)}", new_id(), None, expires_at, **more)
        token = new_token()
        self.callers[token] = caller
        return Person(token, caller)


@dataclass(frozen=True, slots=True)
class Person:
    """A caller and their token."""

    token: str
    caller: Caller

    @property
    def id(self) -> UUID:
        assert self.caller.user_id
        return self.caller.user_id

    @property
    def auth(self) -> dict[str, str]:
        return {"token": self.token}


def create_app(settings: Settings, people: People, plugins: Plugins) -> Starlette:
    """Return a web process with nothing in it but realtime."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_kernel(settings, plugins) as kernel:
            app.state.kernel = kernel
            registry = Registry(EVENT_TYPES, CLIENT_EVENTS)
            kernel.provide(RateLimits, RateLimits(kernel.redis, kernel.settings.rate_limits))
            kernel.provide(Authenticator, people)  # type: ignore[type-abstract]
            hub = kernel.provide(Hub, Hub(kernel, registry))
            relay, notifier = Relay(kernel, hub, registry), Notifier(kernel, registry)
            async with running({"hub": hub.run, "relay": relay.run, "notifier": notifier.run}):
                yield

    routes = [WebSocketRoute("/ws", socket_endpoint), *routes_of(OPERATIONS)]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=dict(EXCEPTION_HANDLERS))
