"""What messaging tells on the socket, and what it does for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from elsehu.contracts.errors import PermissionDenied
from elsehu.contracts.user import Caller, Role
from elsehu.events import Event
from elsehu.http.operations import EVERYBODY, SUPERVISORS
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.reading import mark_read
from elsehu.messaging.conversations.typing import tell_operator_typing
from elsehu.messaging.conversations.views import conversation_views, owner_of, require_visible
from elsehu.messaging.messages.views import message_views
from elsehu.messaging.outbound.schemas import SendMessage
from elsehu.messaging.outbound.sending import send
from elsehu.messaging.templates.realtime import render_templates
from elsehu.realtime.registry import Audience, ClientEvent, EventType, Farewell, Rendered
from elsehu.realtime.schemas import ConversationRef
from elsehu.realtime.session import Session
from elsehu.settings import Settings

FACTS = "SELECT id, status, assigned_to, instance_id FROM conversations WHERE id = ANY($1::uuid[])"


class Typing(ConversationRef):
    """`typing`."""

    state: Literal["composing", "recording", "paused"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides who may see a conversation, and what inboxes are filtered by."""

    status: str
    assigned_to: UUID | None
    instance_id: UUID

    @classmethod
    def of_view(cls, view: Mapping[str, Any]) -> "Facts":
        """Return the facts in a conversation's REST shape."""
        return cls(view["status"], owner_of(view), UUID(view["serviceInstance"]["id"]))

    def audience(self, settings: Settings) -> Audience:
        """Return who may see the conversation: the same people whom `visible_to` lets in."""
        is_open_to_all = settings.desk.operators_see_all or (self.status == "queued" and self.assigned_to is None)
        return Audience(EVERYBODY if is_open_to_all else SUPERVISORS, _only(self.assigned_to))

    def labels(self) -> dict[str, str]:
        """Return what inbox filters compare."""
        assignee = str(self.assigned_to) if self.assigned_to else "none"
        return {"status": self.status, "assignedTo": assignee, "serviceInstanceId": str(self.instance_id)}


def _only(user_id: UUID | None) -> frozenset[UUID]:
    return frozenset({user_id}) if user_id else frozenset()


async def render_messages(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    """Render `message:*`: the message, to whoever may see its conversation."""
    views = await message_views(kernel.db, [event.subject_id for event in events if event.subject_id])
    rows = await kernel.db.fetch(FACTS, list({UUID(view["conversationId"]) for view in views.values()}))
    facts = {str(row["id"]): Facts(row["status"], row["assigned_to"], row["instance_id"]) for row in rows}
    rendered = {}
    for event in events:
        if event.subject_id in views:
            view = views[event.subject_id]
            of = facts[view["conversationId"]]
            rendered[event.seq] = Rendered(view, of.audience(kernel.settings), of.labels())
    return rendered


async def render_conversations(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    """Render `conversation:*`: its list item, to whoever may see it; a farewell to whoever could before."""
    views = await conversation_views(kernel.db, [event.subject_id for event in events if event.subject_id])
    rendered = {}
    for event in events:
        if event.subject_id in views:
            view = views[event.subject_id]
            of = Facts.of_view(view)
            rendered[event.seq] = Rendered(view, of.audience(kernel.settings), of.labels(), _farewell(event, view))
    return rendered


def _farewell(event: Event, view: Mapping[str, Any]) -> Farewell | None:
    """Return what those get who saw the conversation before the change and may not now: a list can drop it."""
    if not event.data:
        return None
    before = event.data.get("previousAssignee")
    roles = frozenset({Role.OPERATOR}) if event.data.get("wasQueued") else frozenset[Role]()
    trimmed = {name: view[name] for name in ("id", "status", "assignedTo")}
    return Farewell(trimmed, Audience(roles, _only(before and UUID(before))))


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
    EventType("message:new", render_messages, hook="message_received"),
    EventType("message:updated", render_messages, hook="message_updated"),
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
