"""Making and changing campaigns. What is changed is checked as a whole, as if it were new."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from elsehu.plugin import Conflict, Kernel, UnitOfWork, invalid, new_id
from elsehu_campaigns import realtime, stopping
from elsehu_campaigns.config import NAME, CampaignSettings
from elsehu_campaigns.model import Campaign, campaign_of, find
from elsehu_campaigns.schemas import CampaignBody, CampaignPatch
from elsehu_campaigns.states import EDITABLE, State, refused
from elsehu_campaigns.views import campaign_view

COLUMNS = (
    "name",
    "instance_id",
    "text",
    "template_id",
    "header_media_id",
    "file_id",
    "contact_filter",
    "mapping",
    "check_numbers",
    "gap_ms",
    "jitter",
    "start_at",
    "sending_window",
    "timezone",
    "daily_limit",
    "warm_up",
    "stop_rules",
    "quiet_hours",
)
INSERT = f"""
INSERT INTO campaigns (id, created_by, created_at, {", ".join(COLUMNS)})
VALUES ($1, $2, $3, {", ".join(f"${number}" for number in range(4, 4 + len(COLUMNS)))})
RETURNING *
"""  # noqa: S608 - constants
UPDATE = f"""
UPDATE campaigns SET updated_at = $2, frozen_after = $3, judged_after = $4,
    {", ".join(f"{name} = ${number}" for number, name in enumerate(COLUMNS, 5))}
WHERE id = $1 RETURNING *
"""  # noqa: S608 - constants
DELETE = "DELETE FROM campaigns WHERE id = $1"
FIXED = ("serviceInstanceId", "fileId", "contactFilter", "checkNumbers")
"""What a campaign that has begun keeps: from which number, and to whom."""
FROZEN = ("text", "templateId", "headerMediaId", "mapping")
"""What the frozen texts were made of."""
ALTERNATIVES = (("text", "template_id"), ("file_id", "contact_filter"))


async def create(uow: UnitOfWork, kernel: Kernel, body: CampaignBody, by: UUID | None, now: datetime) -> Campaign:
    """Make a draft of what was checked."""
    row = await uow.fetch_row(INSERT, new_id(), by, now, *_values(kernel, body))
    assert row is not None
    await realtime.tell(uow, row["id"])
    return campaign_of(row)


async def change(uow: UnitOfWork, kernel: Kernel, campaign_id: UUID, patch: CampaignPatch, now: datetime) -> Campaign:
    """Change a draft or a paused campaign, as was checked. Raises NotFound, Conflict and Invalid."""
    before = await find(uow, campaign_id, lock=True)
    body = changed(before, patch)
    frozen, judged = before.frozen_after, before.judged_after
    if before.started_at is not None:
        if _differs(before, body, FROZEN):
            frozen = 0
        if body.stop_rules.model_dump(by_alias=True) != before.stop_rules:
            judged = await stopping.latest(uow, before.lane_id)
    row = await uow.fetch_row(UPDATE, campaign_id, now, frozen, judged, *_values(kernel, body))
    assert row is not None
    await realtime.tell(uow, campaign_id)
    return campaign_of(row)


async def delete(uow: UnitOfWork, campaign_id: UUID) -> None:
    """Throw a draft away. Raises NotFound and Conflict."""
    campaign = await find(uow, campaign_id, lock=True)
    if campaign.state is not State.DRAFT:
        raise refused("deletion", campaign.state)
    await uow.execute(DELETE, campaign_id)


def changed(before: Campaign, patch: CampaignPatch) -> CampaignBody:
    """Return all that a campaign is to be. Of two alternatives the one that is given replaces the other.

    Raises Conflict where it stands or has begun, and Invalid where it does not fit together.
    """
    if before.state not in EDITABLE:
        raise refused("change", before.state)
    given = patch.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for pair in ALTERNATIVES:
        names = [CampaignBody.model_fields[name].alias or name for name in pair]
        for one, other in (names, names[::-1]):
            if given.get(one) is not None and other not in given:
                given[other] = None
    try:
        body = CampaignBody.model_validate_json(orjson.dumps({**_shown(before), **given}), strict=True)
    except ValidationError as error:
        raise invalid(error) from None
    if before.started_at is not None:
        _require_fixed(before, body)
    return body


def _shown(campaign: Campaign) -> dict[str, Any]:
    view = campaign_view(campaign, None)
    return {field.alias or name: view[field.alias or name] for name, field in CampaignBody.model_fields.items()}


def _values(kernel: Kernel, body: CampaignBody) -> Sequence[Any]:
    window = body.window
    config = kernel.plugins.context(NAME).config
    assert isinstance(config, CampaignSettings)
    values = {
        **{name: getattr(body, name, None) for name in COLUMNS},
        "instance_id": body.service_instance_id,
        "contact_filter": _json(body.contact_filter and body.contact_filter.model_dump(mode="json", by_alias=True)),
        "mapping": _json(dict(body.mapping)),
        "gap_ms": round(body.delay_seconds * 1000),
        "sending_window": _json(window and window.model_dump(mode="json", by_alias=True, exclude={"timezone"})),
        "timezone": (window and window.timezone) or config.timezone,
        "stop_rules": _json(body.stop_rules.model_dump(by_alias=True)),
    }
    return [values[name] for name in COLUMNS]


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _require_fixed(before: Campaign, body: CampaignBody) -> None:
    fixed = [name for name in FIXED if _differs(before, body, (name,))]
    fixed += ["mapping.phone"] if before.mapping.get("phone") != body.mapping.get("phone") else []
    if fixed:
        detail = f"This campaign has begun, so {', '.join(fixed)} cannot be changed. Cancel it and make a new one."
        raise Conflict("campaign_begun", detail, fields=fixed)


def _differs(before: Campaign, body: CampaignBody, names: Sequence[str]) -> bool:
    shown, wanted = _shown(before), body.model_dump(mode="json", by_alias=True)
    return any(shown[name] != wanted[name] for name in names)
