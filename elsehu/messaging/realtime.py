"""What messaging tells on the socket, and what it does for it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from elsehu.contracts.errors import PermissionDenied
from elsehu.contracts.user import Caller, Queue, Role
from elsehu.events import Event
from elsehu.http.operations import EVERYBODY, SUPERVISORS
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.importing.realtime import render_imports
from elsehu.messaging.conversations.reading import mark_read
from elsehu.messaging.conversations.typing import tell_operator_typing
from elsehu.messaging.conversations.views import Standing, conversation_views, require_visible
from elsehu.messaging.messages.views import message_views
from elsehu.messaging.outbound.schemas import SendMessage
from elsehu.messaging.outbound.sending import send
from elsehu.messaging.templates.realtime import render_templates
from elsehu.realtime.registry import Audience, ClientEvent, EventType, Farewell, Rendered
from elsehu.realtime.schemas import ConversationRef
from elsehu.realtime.session import Session
from elsehu.settings import Settings

STANDING = "SELECT id, status, assigned_to, instance_id, team_id FROM conversations WHERE id = ANY($1::uuid[])"


class Typing(ConversationRef):
    """`typing`."""

    state: Literal["composing", "recording", "paused"]


def audience(settings: Settings, standing: Standing) -> Audience:
    """Return who may see a conversation: the same people whom `sees` lets in."""
    roles = EVERYBODY if standing.is_open_to_all(settings) else SUPERVISORS
    return Audience(roles, _only(standing.assigned_to), standing.queue)


def _labels(standing: Standing) -> dict[str, str]:
    """Return what inbox filters compare."""
    assignee = str(standing.assigned_to) if standing.assigned_to else "none"
    instance_id = str(standing.queue.instance_id)
    return {"status": standing.status, "assignedTo": assignee, "serviceInstanceId": instance_id}


def _only(user_id: UUID | None) -> frozenset[UUID]:
    return frozenset({user_id}) if user_id else frozenset()


async def render_messages(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    """Render `message:*`: the message, to whoever may see its conversation."""
    views = await message_views(kernel.db, [event.subject_id for event in events if event.subject_id])
    standings = await _standings(kernel, {UUID(view["conversationId"]) for view in views.values()})
    rendered = {}
    for event in events:
        if event.subject_id in views:
            view = views[event.subject_id]
            of = standings[UUID(view["conversationId"])]
            rendered[event.seq] = Rendered(view, audience(kernel.settings, of), _labels(of))
    return rendered


async def render_withdrawn(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    """Render `message:withdrawn` from the event itself, for its row is gone: to whoever may see its conversation."""
    standings = await _standings(kernel, {event.conversation_id for event in events if event.conversation_id})
    return {
        event.seq: Rendered(event.data, audience(kernel.settings, of), _labels(of))
        for event in events
        if event.data and event.conversation_id and (of := standings.get(event.conversation_id))
    }


async def _standings(kernel: Kernel, conversation_ids: Collection[UUID]) -> dict[UUID, Standing]:
    rows = await kernel.db.fetch(STANDING, list(conversation_ids))
    return {row["id"]: Standing.of_row(row) for row in rows}


async def render_conversations(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    """Render `conversation:*`: its list item, to whoever may see it; a farewell to whoever could before."""
    views = await conversation_views(kernel.db, [event.subject_id for event in events if event.subject_id])
    rendered = {}
    for event in events:
        if event.subject_id in views:
            view = views[event.subject_id]
            of = Standing.of_view(view)
            farewell = _farewell(event, view, of)
            rendered[event.seq] = Rendered(view, audience(kernel.settings, of), _labels(of), farewell)
    return rendered


def _farewell(event: Event, view: Mapping[str, Any], standing: Standing) -> Farewell | None:
    """Return what those get who saw the conversation before the change and may not now: a list can drop it."""
    if not event.data:
        return None
    before, team = event.data.get("previousAssignee"), event.data.get("wasTeam")
    roles = frozenset({Role.OPERATOR}) if event.data.get("wasQueued") else frozenset[Role]()
    queue = Queue(standing.queue.instance_id, team and UUID(team))
    trimmed = {name: view[name] for name in ("id", "status", "assignedTo")}
    return Farewell(trimmed, Audience(roles, _only(before and UUID(before)), queue))


async def join(kernel: Kernel, caller: Caller, session: Session, data: ConversationRef) -> None:
    """`conversation:join`: enter the room of a conversation that the user may see."""
    await require_visible(kernel, caller, data.conversation_id)
    session.join(data.conversation_id)


async def send_message(kernel: Kernel, caller: Caller, _: Session, data: SendMessage) -> Mapping[str, Any]:
    """`message:send`: as over HTTP, but nobody waits for the provider: `message:updated` tells."""
    return await send(kernel, caller, data, wait=0)


async def read(kernel: Kernel, caller: Caller, _: Session, data: ConversationRef) -> None:
    """`message:read`: nothing in the conversation is unread any more."""
    await require_visible(kernel, caller, data.conversation_id)
    await mark_read(kernel, data.conversation_id)


async def typing(kernel: Kernel, caller: Caller, _: Session, data: Typing) -> None:
    """`typing`: show the room, and the customer where the provider can, that somebody answers."""
    view = await require_visible(kernel, caller, data.conversation_id)
    if caller.user_id is None:
        raise PermissionDenied("users_only", "Only a person types; this socket belongs to an API key.")
    await tell_operator_typing(kernel, caller, view, data.state)


EVENT_TYPES: Sequence[EventType] = (
    EventType("template:updated", render_templates),
    EventType("import:updated", render_imports),
    EventType("message:new", render_messages, hook="message_received"),
    EventType("message:updated", render_messages, hook="message_updated"),
    EventType("message:withdrawn", render_withdrawn),
    EventType("conversation:new", render_conversations, hook="conversation_opened"),
    EventType("conversation:updated", render_conversations, moves=True, hook="conversation_updated"),
    EventType("conversation:closed", render_conversations, moves=True, hook="conversation_closed"),
)
CLIENT_EVENTS: Sequence[ClientEvent] = (
    ClientEvent("conversation:join", ConversationRef, join),
    ClientEvent("message:send", SendMessage, send_message),
    ClientEvent("message:read", ConversationRef, read),
    ClientEvent("typing", Typing, typing),
)
