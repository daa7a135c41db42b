"""Serving campaigns: a step for one after the other, each in one transaction under the lock of the campaign's row.

Whoever finds a row locked leaves it to the other, so any number of runners may run; and whatever a step does is whole
or not at all, so a runner may die at any moment. The pace is kept by the lane: no runner is needed for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.plugin import (
    BulkDrafter,
    Directory,
    DomainError,
    Instance,
    Kernel,
    NotFound,
    UnitOfWork,
    open_lane,
    steer_lane,
)
from elsehu_campaigns import content, feeding, freezing, holding, planning, progress, realtime, stopping
from elsehu_campaigns.config import NAME, CampaignSettings
from elsehu_campaigns.model import Campaign, find_if_free
from elsehu_campaigns.states import State, Step
from elsehu_campaigns.steering import move, take_back

WATCHED_FOR = timedelta(days=1)
"""For how long after a campaign ended or paused what comes of its messages is told of."""

SERVED = """
SELECT id FROM campaigns
WHERE state = 'running' OR (state = 'scheduled' AND start_at <= $1)
   OR (state = 'paused' AND (frozen_after IS NOT NULL OR updated_at > $2))
   OR (state IN ('finished', 'cancelled', 'failed') AND finished_at > $2)
ORDER BY id
"""
LANE = "UPDATE campaigns SET lane_id = $2 WHERE id = $1"
HOLD = "UPDATE campaigns SET hold_reason = $2 WHERE id = $1 AND hold_reason IS DISTINCT FROM $2 RETURNING id"
WAITS = """
SELECT EXISTS (SELECT FROM campaign_recipients WHERE campaign_id = $1 AND fate = 'planned')
    OR EXISTS (SELECT FROM public_messages WHERE lane_id = $2 AND status = 'pending')
"""
IN_FLIGHT = "SELECT EXISTS (SELECT FROM public_messages WHERE lane_id = $1 AND status = 'sending')"
PENDING = "SELECT EXISTS (SELECT FROM public_messages WHERE lane_id = $1 AND status = 'pending')"


@dataclass(frozen=True, slots=True)
class Served:
    """What a step came to: whether there is more to do at once, and whether there soon will be."""

    is_busy: bool = False
    is_active: bool = False


BUSY = Served(is_busy=True, is_active=True)
ACTIVE = Served(is_active=True)
IDLE = Served()


class Runner:
    """Serves all campaigns, and remembers what it would else ask for at every step."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._context = kernel.plugins.context(NAME)
        self._config: CampaignSettings = self._context.config
        self._directory = kernel.parts.get(Directory) or kernel.provide(Directory, Directory(kernel))
        self._progress = progress.Progress(kernel)
        self._drafters: dict[UUID, tuple[datetime, BulkDrafter]] = {}
        self._steered: dict[UUID, tuple[Any, ...]] = {}

    async def round(self) -> Sequence[Served]:
        """Take a step for each campaign; return what each came to. One that cannot be served stops no other."""
        now = self._kernel.now()
        ids = [row["id"] for row in await self._kernel.db.fetch(SERVED, now, now - WATCHED_FOR)]
        return [await self._serve_patiently(one) for one in ids]

    async def _serve_patiently(self, campaign_id: UUID) -> Served:
        try:
            return await self.serve(campaign_id)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: what one campaign breaks on must not stop the others
            self._steered.pop(campaign_id, None)
            name = type(error).__name__
            self._context.log("campaign_step_failed", campaign=str(campaign_id), error=name, exc_info=True)
            return IDLE

    async def serve(self, campaign_id: UUID) -> Served:
        """Take a step for one campaign. One that somebody else serves in this moment is active: he may be the last."""
        async with self._kernel.db.transaction() as uow:
            campaign = await find_if_free(uow, campaign_id)
            if campaign is None:
                return ACTIVE
            served = await self._step(uow, campaign)
        await self._progress.tell_if_due(campaign_id)
        return served

    async def _step(self, uow: UnitOfWork, campaign: Campaign) -> Served:
        now = self._kernel.now()
        if campaign.state is State.SCHEDULED:
            await move(uow, campaign, Step.START, now)
            return BUSY
        if campaign.state is State.RUNNING:
            return await self._run(uow, campaign, now)
        if campaign.state is State.PAUSED and campaign.frozen_after is not None:
            return await self._prepare(uow, campaign, now)
        return await self._clear(uow, campaign, now)

    async def _clear(self, uow: UnitOfWork, campaign: Campaign, now: datetime) -> Served:
        """Take back what was being sent when the campaign stopped and came back to the queue to be tried again."""
        if campaign.lane_id is not None and await uow.fetch_value(PENDING, campaign.lane_id):
            await take_back(uow, campaign.id, campaign.lane_id)
        since = campaign.finished_at or campaign.updated_at
        return ACTIVE if now - since < progress.CLOSELY else IDLE

    async def _run(self, uow: UnitOfWork, campaign: Campaign, now: datetime) -> Served:
        try:
            instance = await self._directory.load(campaign.instance_id)
        except NotFound:
            await move(uow, campaign, Step.FAIL, now, "The number that it was to leave from is gone.")
            return IDLE
        if campaign.frozen_after is not None or campaign.planned_at is None:
            return await self._prepare(uow, campaign, now)
        campaign = await self._with_lane(uow, campaign)
        assert campaign.lane_id is not None
        stop = await stopping.reason_to_stop(uow, campaign.lane_id, campaign.judged_after, campaign.rules)
        if stop is not None:
            await move(uow, campaign, Step.PAUSE, now, f"It stopped itself: {stop}")
            return ACTIVE
        return await self._send(uow, campaign, self._leave(campaign, instance, now), now)

    def _leave(self, campaign: Campaign, instance: Instance, now: datetime) -> holding.Leave:
        if self._kernel.plugins.spec(instance.provider) is None:
            return holding.Leave(reason=f"The provider {instance.provider!r} is not enabled; it goes on once that is.")
        return holding.leave(campaign, instance, now)

    async def _prepare(self, uow: UnitOfWork, campaign: Campaign, now: datetime) -> Served:
        """Freeze the next piece of the recipients, or of their texts anew."""
        try:
            drafter = await self._drafter(campaign)
        except DomainError as error:
            if campaign.state is State.RUNNING:
                await move(uow, campaign, Step.PAUSE, now, f"Its message cannot be sent: {error.detail}")
            return IDLE
        if campaign.frozen_after is not None:
            await freezing.freeze_anew(uow, campaign, drafter)
        else:
            await planning.plan(uow, self._kernel, campaign, drafter, now)
        return BUSY

    async def _drafter(self, campaign: Campaign) -> BulkDrafter:
        made, drafter = self._drafters.get(campaign.id, (None, None))
        if drafter is None or made != campaign.updated_at:
            drafter = await content.drafter_of(self._kernel, campaign)
            self._drafters[campaign.id] = (campaign.updated_at, drafter)
        return drafter

    async def _with_lane(self, uow: UnitOfWork, campaign: Campaign) -> Campaign:
        if campaign.lane_id is not None:
            return campaign
        lane_id = await open_lane(uow, campaign.instance_id, NAME)
        await uow.execute(LANE, campaign.id, lane_id)
        return replace(campaign, lane_id=lane_id)

    async def _send(self, uow: UnitOfWork, campaign: Campaign, leave: holding.Leave, now: datetime) -> Served:
        await self._steer(uow, campaign, leave)
        if leave.reason is not None:
            await self._clear(uow, campaign, now)
            await self._hold(uow, campaign, leave.reason)
            return IDLE
        room, is_full = await feeding.room(uow, campaign, self._config, now)
        fed = await feeding.feed(uow, self._kernel, campaign, room, now) if room > 0 else 0
        is_over = fed == 0 and await self._is_over(uow, campaign)
        if is_over:
            await move(uow, campaign, Step.FINISH, now)
            return ACTIVE
        is_dry = fed == 0 and room == feeding.depth(campaign, self._config)
        await self._hold(uow, campaign, holding.why(campaign, now, is_full=is_full, is_dry=is_dry))
        if is_full:
            return IDLE
        return BUSY if feeding.SLICE == fed < room else ACTIVE

    async def _steer(self, uow: UnitOfWork, campaign: Campaign, leave: holding.Leave) -> None:
        """Have the lane as it should be, unless this runner did so already."""
        assert campaign.lane_id is not None
        wanted = (campaign.updated_at, leave.reason is None, leave.until)
        if self._steered.get(campaign.id) == wanted:
            return
        await steer_lane(
            uow,
            campaign.lane_id,
            is_open=leave.reason is None,
            gap=campaign.gap,
            jitter=campaign.jitter,
            open_until=leave.until,
        )
        self._steered[campaign.id] = wanted

    async def _hold(self, uow: UnitOfWork, campaign: Campaign, reason: str | None) -> None:
        if await uow.fetch_value(HOLD, campaign.id, reason):
            await realtime.tell(uow, campaign.id)

    async def _is_over(self, uow: UnitOfWork, campaign: Campaign) -> bool:
        if await uow.fetch_value(WAITS, campaign.id, campaign.lane_id):
            return False
        return not await uow.fetch_value(IN_FLIGHT, campaign.lane_id)
