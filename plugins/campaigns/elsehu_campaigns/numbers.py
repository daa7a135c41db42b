"""Asking the provider which recipients exist, before anything is sent to them: a few at once, with pauses.

Recipients are sent to only as far as they were checked (`checked_after`), so a check that dies goes on where it was.
One that cannot be had, or keeps failing, is given up: it spares a campaign bounces, and must not be what stops it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.plugin import (
    Directory,
    Identity,
    Instance,
    InstanceStatus,
    Job,
    Kernel,
    ProviderError,
    Rejected,
    Row,
    digits_of,
    enqueue,
    isoformat,
)
from elsehu_campaigns.config import NAME, CampaignSettings
from elsehu_campaigns.feeding import LAST_POSITION

BATCH = 50
SLICE_SECONDS = 15.0
ASK_SECONDS = 60.0
LOCK = 0x6E756D62
REASON, DETAIL = "invalid_number", "The provider says that nobody has this number."

UNCHECKED = """
SELECT id, instance_id, coalesce(checked_after, 0) AS checked_after, planned_at IS NOT NULL AS is_planned FROM campaigns
WHERE state = 'running' AND check_numbers AND coalesce(checked_after, 0) < $1 ORDER BY id
"""
NEXT = """
SELECT id, position, phone FROM campaign_recipients
WHERE campaign_id = $1 AND position > $2 AND fate = 'planned' ORDER BY position LIMIT $3
"""
SKIP = """
UPDATE campaign_recipients SET fate = 'skipped', reason = $2, detail = $3
WHERE id = ANY($1::uuid[]) AND fate = 'planned'
"""
GO_ON = "UPDATE campaigns SET checked_after = greatest(checked_after, $2) WHERE id = $1"


async def check(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Check the numbers of running campaigns for some seconds, and ask to go on if any are left. One at a time."""
    async with kernel.db.session() as uow:
        if not await uow.fetch_value("SELECT pg_try_advisory_lock($1)", LOCK):
            return
        end = time.monotonic() + SLICE_SECONDS
        while is_left := await check_some(kernel):
            if time.monotonic() > end:
                break
            await asyncio.sleep(_config(kernel).check_seconds)
    if is_left:
        await enqueue(kernel, CHECK)


async def check_some(kernel: Kernel) -> bool:
    """Check the next few recipients of each campaign. Whether there may soon be more to check."""
    campaigns = await kernel.db.fetch(UNCHECKED, LAST_POSITION)
    return any([await _check_campaign(kernel, campaign) for campaign in campaigns])


async def _check_campaign(kernel: Kernel, campaign: Row) -> bool:
    directory = kernel.parts.get(Directory) or kernel.provide(Directory, Directory(kernel))
    instance = await directory.get(campaign["instance_id"])
    if instance is None or not instance.is_active or instance.status is not InstanceStatus.CONNECTED:
        return False  # the campaign waits for its number, and the check with it
    if not kernel.plugins.can(instance, "check_numbers"):
        await _give_up(kernel, campaign, "the provider cannot tell")
        return False
    rows = await kernel.db.fetch(NEXT, campaign["id"], campaign["checked_after"], BATCH)
    if rows:
        await _check_rows(kernel, campaign, instance, rows)
    return bool(rows) or not campaign["is_planned"]


async def _check_rows(kernel: Kernel, campaign: Row, instance: Instance, rows: Sequence[Row]) -> None:
    phones = {row["id"]: digits_of(row["phone"]) for row in rows}
    try:
        found = await _ask(kernel, instance, sorted(set(filter(None, phones.values()))))
    except Rejected as error:
        await _give_up(kernel, campaign, error.detail)
    except Exception as error:  # noqa: BLE001 - the edge: whatever a provider breaks on, a campaign does not
        await _be_patient(kernel, campaign, instance, error)
    else:
        gone = [recipient for recipient, phone in phones.items() if phone in found and found[phone] is None]
        await _go_on(kernel, campaign["id"], rows[-1]["position"], gone)
        await kernel.plugins.context(NAME).cache.drop(_failing(instance))


async def _ask(kernel: Kernel, instance: Instance, phones: Sequence[str]) -> Mapping[str, Identity | None]:
    if not phones:
        return {}
    async with asyncio.timeout(ASK_SECONDS):
        return await kernel.plugins.check_numbers(instance, phones)


async def _go_on(kernel: Kernel, campaign_id: UUID, position: int, gone: Sequence[UUID]) -> None:
    async with kernel.db.transaction() as uow:
        await uow.execute(SKIP, list(gone), REASON, DETAIL)
        await uow.execute(GO_ON, campaign_id, position)


async def _be_patient(kernel: Kernel, campaign: Row, instance: Instance, error: Exception) -> None:
    """Try again later, unless it has failed for too long."""
    cache, now = kernel.plugins.context(NAME).cache, kernel.now()
    since = await cache.get(_failing(instance))
    patience = timedelta(seconds=_config(kernel).check_patience)
    if since is None:
        await cache.put(_failing(instance), isoformat(now), int(2 * patience.total_seconds()) + 60)
    if now - (datetime.fromisoformat(since) if since else now) >= patience:
        await _give_up(kernel, campaign, error.detail if isinstance(error, ProviderError) else type(error).__name__)


async def _give_up(kernel: Kernel, campaign: Row, why: str) -> None:
    kernel.plugins.context(NAME).log("numbers_not_checked", campaign=str(campaign["id"]), why=why)
    await kernel.db.execute(GO_ON, campaign["id"], LAST_POSITION)


def _failing(instance: Instance) -> str:
    return f"check-failing:{instance.id}"


def _config(kernel: Kernel) -> CampaignSettings:
    config: CampaignSettings = kernel.plugins.context(NAME).config
    return config


CHECK = Job("campaigns.check_numbers", check, cron="* * * * *", queue="low")
JOBS: Sequence[Job] = (CHECK,)
