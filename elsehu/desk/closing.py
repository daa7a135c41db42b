"""Closing a conversation with a tabulation, and opening it again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from elsehu.contracts.errors import Conflict, Invalid
from elsehu.contracts.rules import Closing
from elsehu.contracts.user import Caller
from elsehu.db import UnitOfWork
from elsehu.desk import timeline
from elsehu.desk.assignment import active_user
from elsehu.desk.closing_rules import misplaced, missing
from elsehu.desk.holding import Held, hold, require_open, tell
from elsehu.desk.placing import team_of
from elsehu.desk.schemas import Close
from elsehu.desk.tabulations import active_tabulation, unusable
from elsehu.events import Change
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.folding import fold
from elsehu.messaging.conversations.opening import ALREADY, already_open
from elsehu.messaging.conversations.views import owner_of, require_owner

STILL_THERE = "SELECT true FROM tabulations WHERE id = $1 AND is_active FOR KEY SHARE"
CLOSE = """
UPDATE conversations SET status = 'closed', closed_at = $2, closed_by = $3, tabulation_id = $4,
    tabulation_name = $5, closing_notes = $6, closing_fields = $7::jsonb
WHERE id = $1
"""
DORMANT = """
SELECT id FROM conversations WHERE contact_id = $1 AND instance_id = $2 AND status = 'dormant' FOR UPDATE
"""
REOPEN = """
UPDATE conversations SET status = CASE WHEN $2::uuid IS NULL THEN 'queued' ELSE 'assigned' END,
    assigned_to = $2, assigned_at = CASE WHEN $2::uuid IS NOT NULL THEN $3::timestamptz END,
    queued_at = $3, team_id = $4, closed_at = NULL, closed_by = NULL, tabulation_id = NULL, tabulation_name = NULL,
    closing_notes = NULL, closing_fields = NULL
WHERE id = $1
"""


async def check(kernel: Kernel, caller: Caller, view: Mapping[str, Any], request: Close) -> Closing:
    """Return the closing that is asked for, of the conversation that `view` shows, if it may be.

    Raises PermissionDenied, and Invalid where the tabulation is none that can be used, a field that it demands
    is missing, or a plugin's rule refuses.
    """
    require_owner(caller, owner_of(view))
    tabulation = await active_tabulation(kernel.db, request.tabulation_id)
    closing = Closing(
        conversation_id=UUID(view["id"]),
        instance_id=UUID(view["serviceInstance"]["id"]),
        tabulation_id=tabulation["id"],
        tabulation_name=tabulation["name"],
        notes=request.notes or None,
        fields=request.fields,
        user_id=caller.user_id,
        rule=tabulation["rule"],
    )
    lacking = missing(tabulation, closing)
    if lacking is not None:
        raise Invalid("invalid_request", lacking.detail, errors=lacking.errors)
    refusal = misplaced(tabulation, closing) or kernel.plugins.tabulation_rules(closing)
    if refusal is not None:
        raise Invalid("closing_refused", refusal.detail, errors=refusal.errors)
    return closing


async def close(uow: UnitOfWork, caller: Caller, closing: Closing, now: datetime) -> None:
    """Close a conversation. It stays its operator's; what he sent before still leaves.

    Raises PermissionDenied and Conflict where it is not as it was checked, Invalid for the tabulation.
    """
    held = await hold(uow, closing.conversation_id)
    require_owner(caller, held.assigned_to)
    require_open(held)
    if not await uow.fetch_value(STILL_THERE, closing.tabulation_id):
        raise unusable()
    fields = orjson.dumps(closing.fields).decode()
    tabulation = (closing.tabulation_id, closing.tabulation_name)
    await uow.execute(CLOSE, held.id, now, caller.user_id, *tabulation, closing.notes, fields)
    details = {
        "tabulation": {"id": str(closing.tabulation_id), "name": closing.tabulation_name},
        "notes": closing.notes,
        "fields": closing.fields,
    }
    await timeline.record(uow, caller, held.id, "closed", details)
    await tell(uow, held.moved("conversation:closed"))


async def reopen(uow: UnitOfWork, caller: Caller, conversation_id: UUID, *, queue: bool, now: datetime) -> None:
    """Open a closed conversation again, for the caller or the queue; what it was closed with stays in its timeline.

    What was sent in bulk meanwhile becomes part of it. Raises NotFound, PermissionDenied, and Conflict, also if the
    contact has another one by now that people work in.
    """
    owner = None if queue else caller.user_id
    shown = None if owner is None else await active_user(uow, owner)
    held = await hold(uow, conversation_id)
    require_owner(caller, held.assigned_to)
    if held.status != "closed":
        raise already_open(held.id)
    if held.merged_into is not None:
        detail = "This conversation became part of another one: see conversationId."
        raise Conflict("conversation_merged", detail, conversationId=str(held.merged_into))
    await _take_in_dormant(uow, held)
    team_id = await team_of(uow, held)
    try:
        async with uow.savepoint():
            await uow.execute(REOPEN, held.id, owner, now, team_id)
    except asyncpg.UniqueViolationError:
        raise already_open(await uow.fetch_value(ALREADY, held.contact_id, held.instance_id)) from None
    await timeline.record(uow, caller, held.id, "reopened", {"from": held.owner, "to": shown})
    await tell(uow, held.moved())


async def _take_in_dormant(uow: UnitOfWork, held: Held) -> None:
    dormant: UUID | None = await uow.fetch_value(DORMANT, held.contact_id, held.instance_id)
    if dormant is not None:
        await fold(uow, held.id, dormant)
        await tell(uow, Change("conversation:updated", dormant, dormant))
