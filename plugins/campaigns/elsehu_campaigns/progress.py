"""Telling how campaigns come along: at most once a second each, less often where counting is slow or nothing runs."""

import time
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from elsehu.plugin import Kernel, UnitOfWork
from elsehu_campaigns import realtime, stats
from elsehu_campaigns.model import Campaign, find
from elsehu_campaigns.states import State

SHORTEST = timedelta(seconds=1)
CLOSELY = timedelta(minutes=1)
"""For how long after its end a campaign is watched as closely as one that runs."""
SHARE = 0.05
"""Which part of the time may go into counting; and of a campaign's rest, into the pause before it is counted again."""
TAKE_TURN = """
UPDATE campaigns SET told_at = $2 WHERE id = $1 AND told_at IS NOT DISTINCT FROM $3 RETURNING id
"""
KEEP = "UPDATE campaigns SET told = $2::jsonb WHERE id = $1"
MOVING = ("rate", "eta")
"""What changes with every look, and is no news by itself."""


class Progress:
    """Counts and tells. Remembers how long counting took."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._cost: dict[UUID, float] = {}

    async def tell_if_due(self, campaign_id: UUID) -> None:
        """Count a campaign's recipients if it is time to, and tell if any figure is new."""
        async with self._kernel.db.transaction() as uow:
            campaign = await find(uow, campaign_id)
            if self._is_due(campaign, self._kernel.now()):
                await self._tell(uow, campaign)

    def _is_due(self, campaign: Campaign, now: datetime) -> bool:
        if campaign.told_at is None:
            return True
        pause = max(SHORTEST, timedelta(seconds=self._cost.get(campaign.id, 0) / SHARE))
        if campaign.state is not State.RUNNING:
            pause = max(pause, (now - (campaign.finished_at or campaign.updated_at)) * SHARE)
        return now - campaign.told_at >= pause

    async def _tell(self, uow: UnitOfWork, campaign: Campaign) -> None:
        """Of several runners the one tells that takes the turn."""
        now = self._kernel.now()
        if not await uow.fetch_value(TAKE_TURN, campaign.id, now, campaign.told_at):
            return
        started = time.monotonic()
        shown = stats.shown(await stats.count(uow, campaign, now), campaign, now)
        self._cost[campaign.id] = time.monotonic() - started
        told = campaign.told or {}
        if any(shown[name] != told.get(name) for name in shown if name not in MOVING):
            await uow.execute(KEEP, campaign.id, orjson.dumps(shown).decode())
            await realtime.tell(uow, campaign.id)
