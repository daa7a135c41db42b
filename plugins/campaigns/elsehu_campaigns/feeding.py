"""From frozen recipients to messages in the queue: so many ahead, no more than the day allows, and nobody twice."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from elsehu.plugin import BulkMessage, Draft, Kernel, Kind, Row, UnitOfWork, queue_messages
from elsehu_campaigns import limits
from elsehu_campaigns.config import CampaignSettings
from elsehu_campaigns.limits import Days
from elsehu_campaigns.model import Campaign
from elsehu_campaigns.steering import take_back
from elsehu_campaigns.windows import local_day

SLICE = 500
WAITING = "SELECT count(*) FROM public_messages WHERE lane_id = $1 AND status = 'pending'"
EVER = "SELECT count(*) FROM public_messages WHERE lane_id = $1"
COUNT_DAY = "UPDATE campaigns SET day = $2, used_before = $3, days_used = $4 WHERE id = $1"
NEWEST = """
SELECT id FROM public_messages WHERE lane_id = $1 AND status = 'pending' ORDER BY seq DESC LIMIT $2
"""
NEXT = """
SELECT r.id, r.contact_id, r.kind, r.text, r.payload, r.media_id, r.template_id, p.merged_into
FROM campaign_recipients r LEFT JOIN public_contacts p ON p.id = r.contact_id
WHERE r.campaign_id = $1 AND r.fate = 'planned' AND r.position <= $2 ORDER BY r.position LIMIT $3
"""
KEPT = """
WITH RECURSIVE chain AS (
    SELECT c.id AS asked, c.id, c.merged_into FROM public_contacts c WHERE c.id = ANY($1::uuid[])
    UNION ALL
    SELECT chain.asked, c.id, c.merged_into FROM chain JOIN public_contacts c ON c.id = chain.merged_into
)
SELECT asked, id FROM chain WHERE merged_into IS NULL
"""
TAKEN = "SELECT contact_id FROM campaign_recipients WHERE campaign_id = $1 AND contact_id = ANY($2::uuid[])"
FOLLOW = "UPDATE campaign_recipients SET contact_id = $2 WHERE id = $1"
RECENT = """
SELECT DISTINCT contact_id FROM campaign_recipients
WHERE contact_id = ANY($1::uuid[]) AND fate = 'queued' AND queued_at > $2 AND campaign_id <> $3
"""
QUEUED = "UPDATE campaign_recipients SET fate = 'queued', queued_at = $2 WHERE id = ANY($1::uuid[])"
SKIP = """
UPDATE campaign_recipients r SET fate = 'skipped', reason = s.reason
FROM unnest($1::uuid[], $2::text[]) AS s(id, reason) WHERE r.id = s.id
"""
LAST_POSITION = 2**31 - 1
DUPLICATE, RECENTLY, ALREADY = "duplicate", "recently_contacted", "already_queued"


def depth(campaign: Campaign, config: CampaignSettings) -> int:
    """Return how many messages of a campaign wait in the queue while it runs."""
    if campaign.gap_ms == 0:
        return config.ahead
    return min(config.ahead, max(1, round(config.ahead_seconds / campaign.gap)))


async def room(uow: UnitOfWork, campaign: Campaign, config: CampaignSettings, now: datetime) -> tuple[int, bool]:
    """Return how many messages may be queued now, and whether the day's limit is reached.

    Where more wait than the day allows, for the limit was lowered, the newest are taken back.
    """
    assert campaign.lane_id is not None
    waiting: int = await uow.fetch_value(WAITING, campaign.lane_id)
    free = depth(campaign, config) - waiting
    if not campaign.is_limited:
        return free, False
    used = await uow.fetch_value(EVER, campaign.lane_id) - waiting
    days = await _count_day(uow, campaign, used, now)
    limit = limits.limit_of(days, campaign.daily_limit, campaign.warm_up)
    if limit is None:
        return free, False
    left = limits.left(days, limit, used, waiting)
    if left < 0:
        await _take_newest_back(uow, campaign, -left)
    return min(free, left), left <= 0 and waiting + min(left, 0) <= 0


async def _count_day(uow: UnitOfWork, campaign: Campaign, used: int, now: datetime) -> Days:
    days = limits.on(campaign.days, local_day(now, campaign.zone), used)
    if days != campaign.days:
        await uow.execute(COUNT_DAY, campaign.id, days.day, days.used_before, days.days_used)
    return days


async def _take_newest_back(uow: UnitOfWork, campaign: Campaign, count: int) -> None:
    assert campaign.lane_id is not None
    rows = await uow.fetch(NEWEST, campaign.lane_id, count)
    await take_back(uow, campaign.id, campaign.lane_id, [row["id"] for row in rows])


async def feed(uow: UnitOfWork, kernel: Kernel, campaign: Campaign, most: int, now: datetime) -> int:
    """Queue the next recipients' messages, at most `most`; return how many recipients were dealt with."""
    checked = campaign.checked_after or 0 if campaign.check_numbers else LAST_POSITION
    rows = await uow.fetch(NEXT, campaign.id, checked, min(most, SLICE))
    if not rows:
        return 0
    assert campaign.lane_id is not None
    contacts, skipped = await _contacts(uow, campaign, rows)
    skipped |= await _recently_contacted(uow, campaign, contacts, now)
    messages = [BulkMessage(row["id"], contacts[row["id"]], _draft(row)) for row in rows if row["id"] not in skipped]
    refused = await queue_messages(uow, kernel, campaign.lane_id, messages, now)
    skipped |= {one: reason for one, reason in refused.items() if reason != ALREADY}
    await uow.execute(QUEUED, [one.id for one in messages if one.id not in skipped], now)
    await uow.execute(SKIP, list(skipped), list(skipped.values()))
    return len(rows)


def _draft(row: Row) -> Draft:
    return Draft(
        Kind(row["kind"]),
        row["text"],
        orjson.loads(row["payload"]) if row["payload"] else None,
        row["media_id"],
        template_id=row["template_id"],
    )


async def _contacts(
    uow: UnitOfWork, campaign: Campaign, rows: Sequence[Row]
) -> tuple[dict[UUID, UUID], dict[UUID, str]]:
    """Return whose each recipient is by now, by its id, and which became a second one of the same person."""
    contacts: dict[UUID, UUID] = {row["id"]: row["contact_id"] for row in rows}
    merged = {row["id"]: row["contact_id"] for row in rows if row["merged_into"] is not None}
    if not merged:
        return contacts, {}
    kept = {row["asked"]: row["id"] for row in await uow.fetch(KEPT, list(merged.values()))}
    taken = {row["contact_id"] for row in await uow.fetch(TAKEN, campaign.id, list(kept.values()))}
    skipped: dict[UUID, str] = {}
    for recipient_id, contact_id in merged.items():
        person = kept.get(contact_id, contact_id)
        if person in taken:
            skipped[recipient_id] = DUPLICATE
            continue
        taken.add(person)
        contacts[recipient_id] = person
        await uow.execute(FOLLOW, recipient_id, person)
    return contacts, skipped


async def _recently_contacted(
    uow: UnitOfWork, campaign: Campaign, contacts: Mapping[UUID, UUID], now: datetime
) -> dict[UUID, str]:
    """Return which recipients another campaign wrote to in the last `quiet_hours`."""
    if not campaign.quiet_hours:
        return {}
    since = now - timedelta(hours=campaign.quiet_hours)
    rows = await uow.fetch(RECENT, list(contacts.values()), since, campaign.id)
    recent: set[Any] = {row["contact_id"] for row in rows}
    return {recipient: RECENTLY for recipient, contact in contacts.items() if contact in recent}
