"""Conversations as they are shown, who may see them, and their list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.clock import isoformat
from elsehu.contracts.errors import NotFound, PermissionDenied
from elsehu.contracts.user import Caller, Queue
from elsehu.db import Database, Row, UnitOfWork
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.names import SHOWN_NAME
from elsehu.phones import to_e164
from elsehu.settings import Settings

WAITING_SINCE = """
CASE WHEN v.status <> 'closed' AND v.last_inbound_at IS NOT NULL THEN (
    SELECT unanswered.at FROM (
        (SELECT at, seq FROM messages WHERE conversation_id = v.id AND direction = 'OUTBOUND' AND lane = 0
            AND status <> 'failed' ORDER BY at DESC, seq DESC LIMIT 1)
        UNION ALL SELECT '-infinity', 0 ORDER BY at DESC LIMIT 1
    ) answer, LATERAL (
        SELECT at FROM messages WHERE conversation_id = v.id AND direction = 'INBOUND' AND kind <> 'system'
            AND (at, seq) > (answer.at, answer.seq) ORDER BY at, seq LIMIT 1
    ) unanswered
) END
"""
"""Since when the customer of the conversation `v` waits: the first of their messages that nobody has answered."""

COLUMNS = f"""
SELECT v.id, v.status, v.unread_count, v.window_expires_at, v.tags, v.opened_at, v.assigned_at, v.first_reply_at,
       v.closed_at, v.last_activity_at, v.last_message_kind, v.last_message_preview, v.last_message_direction,
       v.last_message_at, v.tabulation_id, v.tabulation_name, v.contact_id, v.assigned_to, v.instance_id,
       v.team_id, {WAITING_SINCE} AS waiting_since,
       {SHOWN_NAME} AS contact_name, c.phone AS contact_phone,
       i.name AS instance_name, i.provider AS instance_provider, u.name AS assignee_name
FROM conversations v
JOIN contacts c ON c.id = v.contact_id
JOIN service_instances i ON i.id = v.instance_id
LEFT JOIN users u ON u.id = v.assigned_to
"""  # noqa: S608 - a constant
BY_IDS = COLUMNS + "WHERE v.id = ANY($1::uuid[])"


def _time(at: datetime | None) -> str | None:
    return None if at is None else isoformat(at)


def _id(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def conversation_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a conversation's REST shape from a row of COLUMNS."""
    return {
        "id": str(row["id"]),
        "contact": {
            "id": str(row["contact_id"]),
            "name": row["contact_name"],
            "phone": to_e164(row["contact_phone"]) if row["contact_phone"] else None,
        },
        "serviceInstance": {
            "id": str(row["instance_id"]),
            "name": row["instance_name"],
            "provider": row["instance_provider"],
        },
        "status": row["status"],
        "assignedTo": _named(row["assigned_to"], row["assignee_name"]),
        "teamId": _id(row["team_id"]),
        "lastMessage": _last_message(row),
        "unreadCount": row["unread_count"],
        "waitingSince": _time(row["waiting_since"]),
        "windowExpiresAt": _time(row["window_expires_at"]),
        "tags": list(row["tags"]),
        "openedAt": isoformat(row["opened_at"]),
        "assignedAt": _time(row["assigned_at"]),
        "firstReplyAt": _time(row["first_reply_at"]),
        "closedAt": _time(row["closed_at"]),
        "tabulation": _named(row["tabulation_id"], row["tabulation_name"]),
    }


def _named(identifier: UUID | None, name: str | None) -> dict[str, Any] | None:
    return None if identifier is None else {"id": _id(identifier), "name": name}


def _last_message(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["last_message_at"] is None:
        return None
    return {
        "kind": row["last_message_kind"],
        "preview": row["last_message_preview"],
        "direction": row["last_message_direction"],
        "at": isoformat(row["last_message_at"]),
    }


async def conversation_views(db: Database | UnitOfWork, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the REST shapes of conversations by id; unknown ids are missing."""
    rows: list[Row] = await db.fetch(BY_IDS, list(ids))
    return {row["id"]: conversation_view(row) for row in rows}


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides who may see a conversation: whether it waits, with whom it is, and where it waits or would."""

    status: str
    assigned_to: UUID | None
    queue: Queue

    @classmethod
    def of_view(cls, view: Mapping[str, Any]) -> "Standing":
        """Return how the conversation stands that has this REST shape."""
        team_id = view["teamId"] and UUID(view["teamId"])
        return cls(view["status"], owner_of(view), Queue(UUID(view["serviceInstance"]["id"]), team_id))

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Standing":
        """Return how the conversation stands that has this row."""
        return cls(row["status"], row["assigned_to"], Queue(row["instance_id"], row["team_id"]))

    def is_open_to_all(self, settings: Settings) -> bool:
        """Whether everybody may see it who serves its queue."""
        return settings.desk.operators_see_all or (self.status == "queued" and self.assigned_to is None)


def sees(caller: Caller, settings: Settings, standing: Standing) -> bool:
    """Whether `caller` may see a conversation: his own, queued ones that are his to take, or all by role.

    With `[desk] operators_see_all` those of others too, in the queues that he serves.
    """
    if caller.sees_all or (caller.user_id is not None and standing.assigned_to == caller.user_id):
        return True
    return standing.is_open_to_all(settings) and caller.serves(standing.queue)


def visible_to(caller: Caller, settings: Settings, view: Mapping[str, Any]) -> bool:
    """Whether `caller` may see the conversation that has this REST shape."""
    return sees(caller, settings, Standing.of_view(view))


async def require_visible(kernel: Kernel, caller: Caller, conversation_id: UUID) -> dict[str, Any]:
    """Return a conversation's REST shape. Raises NotFound where there is none that `caller` may see."""
    view = (await conversation_views(kernel.db, [conversation_id])).get(conversation_id)
    if view is None or not visible_to(caller, kernel.settings, view):
        raise conversation_not_found()
    return view


def conversation_not_found() -> NotFound:
    """Return the refusal for a conversation that is not there for the caller."""
    return NotFound("conversation_not_found", "There is no such conversation among those that you may see.")


def owner_of(view: Mapping[str, Any]) -> UUID | None:
    """Return who has the conversation that `view` shows."""
    assignee = view["assignedTo"]
    return None if assignee is None else UUID(assignee["id"])


def require_owner(caller: Caller, owner: UUID | None) -> None:
    """Raise PermissionDenied unless `caller` is the owner, or a supervisor."""
    if not caller.sees_all and (owner is None or owner != caller.user_id):
        raise PermissionDenied(
            "not_your_conversation", "This is for its operator or a supervisor. Take it first (POST …/assign)."
        )
