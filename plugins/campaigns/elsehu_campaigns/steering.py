"""A campaign goes from state to state: each time one guarded UPDATE, with what it means for its lane."""

from datetime import datetime
from uuid import UUID

from elsehu.plugin import Kernel, UnitOfWork, steer_lane, withdraw
from elsehu_campaigns import realtime, stopping
from elsehu_campaigns.model import Campaign, campaign_of, find
from elsehu_campaigns.states import OVER, State, Step, after, refused

MOVE = """
UPDATE campaigns SET state = $3::varchar, state_reason = $4, hold_reason = NULL, updated_at = $5,
    started_at = CASE WHEN $3::varchar = 'running' THEN coalesce(started_at, $5) ELSE started_at END,
    finished_at = CASE WHEN $6 THEN $5::timestamptz END, judged_after = coalesce($7, judged_after)
WHERE id = $1 AND state = $2 RETURNING *
"""
BACK = """
UPDATE campaign_recipients SET fate = 'planned', queued_at = NULL
WHERE campaign_id = $1 AND id = ANY($2::uuid[]) AND fate = 'queued'
"""


async def move(uow: UnitOfWork, campaign: Campaign, step: Step, now: datetime, reason: str | None = None) -> Campaign:
    """Take `step`, for `reason`, and return the campaign as it is then. Raises Conflict if its state takes none such.

    Where it stops sending, its lane is closed in the same transaction, and what waits there is taken back.
    """
    state = after(step, campaign.state)
    since = await stopping.latest(uow, campaign.lane_id) if state is State.RUNNING else None
    row = await uow.fetch_row(MOVE, campaign.id, campaign.state, state, reason, now, state in OVER, since)
    if row is None:
        raise refused(step, (await find(uow, campaign.id)).state)
    if state is not State.RUNNING and campaign.lane_id is not None:
        await steer_lane(uow, campaign.lane_id, is_open=False)
        await take_back(uow, campaign.id, campaign.lane_id)
    await realtime.tell(uow, campaign.id)
    return campaign_of(row)


async def halt(kernel: Kernel, campaign_id: UUID) -> None:
    """Close the lane of a campaign that is to stop now, without waiting for whoever works on the campaign.

    Call it before the step that stops it: should that not follow, the next runner opens the lane again.
    """
    async with kernel.db.transaction() as uow:
        campaign = await find(uow, campaign_id)
        if campaign.state is State.RUNNING and campaign.lane_id is not None:
            await steer_lane(uow, campaign.lane_id, is_open=False)


async def take_back(uow: UnitOfWork, campaign_id: UUID, lane_id: UUID, ids: list[UUID] | None = None) -> int:
    """Take messages (all, or those with `ids`) that no provider has seen out of the queue; return how many.

    Their recipients are planned again.
    """
    withdrawn = await withdraw(uow, lane_id, ids)
    if withdrawn:
        await uow.execute(BACK, campaign_id, withdrawn)
    return len(withdrawn)


async def start(uow: UnitOfWork, campaign: Campaign, now: datetime) -> Campaign:
    """Start a draft: at once, or at its `start_at`. Raises Conflict."""
    return await move(uow, campaign, Step.SCHEDULE if _is_early(campaign, now) else Step.START, now)


async def resume(uow: UnitOfWork, campaign: Campaign, now: datetime) -> Campaign:
    """Let a paused campaign go on, or wait again for its time if that has not come. Raises Conflict."""
    return await move(uow, campaign, Step.SCHEDULE if _is_early(campaign, now) else Step.RESUME, now)


def _is_early(campaign: Campaign, now: datetime) -> bool:
    return campaign.started_at is None and campaign.start_at is not None and campaign.start_at > now
