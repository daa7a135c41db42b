"""Campaigns and recipients as they are shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from elsehu.plugin import isoformat
from elsehu_campaigns.model import Campaign


def campaign_view(campaign: Campaign, stats: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a campaign's REST shape, with `stats` in theirs."""
    return {
        "id": str(campaign.id),
        "name": campaign.name,
        "state": campaign.state,
        "stateReason": campaign.state_reason,
        "holdReason": campaign.hold_reason,
        "serviceInstanceId": str(campaign.instance_id),
        "text": campaign.text,
        "templateId": _id(campaign.template_id),
        "headerMediaId": _id(campaign.header_media_id),
        "fileId": _id(campaign.file_id),
        "contactFilter": campaign.contact_filter,
        "mapping": campaign.mapping,
        "checkNumbers": campaign.check_numbers,
        **_pace(campaign),
        "planned": campaign.planned_at is not None,
        "stats": stats,
        "createdBy": _id(campaign.created_by),
        "createdAt": isoformat(campaign.created_at),
        "startedAt": _time(campaign.started_at),
        "finishedAt": _time(campaign.finished_at),
    }


def _pace(campaign: Campaign) -> dict[str, Any]:
    window = campaign.sending_window
    return {
        "delaySeconds": campaign.gap,
        "jitter": round(campaign.jitter, 4),
        "startAt": _time(campaign.start_at),
        "window": None if window is None else {**window, "timezone": campaign.timezone},
        "dailyLimit": campaign.daily_limit,
        "warmUp": list(campaign.warm_up),
        "stopRules": campaign.stop_rules,
        "quietHours": campaign.quiet_hours,
    }


def recipient_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipient's REST shape from a row of OUTCOMES."""
    return {
        "id": str(row["id"]),
        "rowNumber": row["row_number"],
        "contactId": _id(row["contact_id"]),
        "conversationId": _id(row["conversation_id"]),
        "name": row["name"],
        "phone": row["phone"],
        "status": row["status"],
        "reason": row["reason"],
        "detail": row["detail"],
        "providerCode": row["provider_code"],
        "text": row["text"],
        "variables": orjson.loads(row["variables"]),
        **{f"{word}At": _time(row[f"{word}_at"]) for word in ("sent", "delivered", "read", "replied", "failed")},
    }


def _id(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _time(value: datetime | None) -> str | None:
    return None if value is None else isoformat(value)
