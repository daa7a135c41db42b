"""Which conversations are stale."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.contracts.rules import Closing
from elsehu.desk.stale.schemas import CloseStale
from elsehu.messaging.conversations.filters import Filters
from elsehu.messaging.conversations.views import WAITING_SINCE

Order = Mapping[str, Any]
"""What was ordered, as it is kept: JSON."""


def order_of(request: CloseStale, now: datetime) -> Order:
    """Return a request as an order: "idle for so long" is a time from then on, whenever it is carried out."""
    order = request.model_dump(mode="json", exclude={"idle_hours", "dry_run"})
    return {**order, "idle_since": (now - timedelta(hours=request.idle_hours)).isoformat()}


def stale(order: Order) -> Filters:
    """Return the conditions that the conversations `v` of an order fulfil."""
    filters = Filters()
    filters.add("v.status = ANY({}::text[])", order["status"])
    filters.add("coalesce(v.last_inbound_at, v.opened_at) < {}", datetime.fromisoformat(order["idle_since"]))
    if order["service_instance_id"]:
        filters.add("v.instance_id = {}", UUID(order["service_instance_id"]))
    if order["team_id"]:
        filters.add("v.team_id = {}", UUID(order["team_id"]))
    if order["tag"]:
        filters.add("v.tags @> ARRAY[{}::text]::varchar[]", order["tag"])
    if not order["include_unanswered"]:
        filters.conditions.append(f"({WAITING_SINCE}) IS NULL")
    return filters


def closing_of(order: Order, tabulation: Mapping[str, Any], row: Mapping[str, Any], user_id: UUID | None) -> Closing:
    """Return the closing of one conversation (its row) that an order asks for."""
    return Closing(
        conversation_id=row["id"],
        instance_id=row["instance_id"],
        tabulation_id=tabulation["id"],
        tabulation_name=tabulation["name"],
        notes=order["notes"] or None,
        fields=order["fields"],
        user_id=user_id,
        rule=tabulation["rule"],
    )
