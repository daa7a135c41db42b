"""Campaigns over HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.plugin import SUPERVISORS, Call, NoQuery, Operation, UnitOfWork, origin, record_audit
from elsehu_campaigns import editing, queries, steering
from elsehu_campaigns.checking import check, require_whole
from elsehu_campaigns.jobs import wake
from elsehu_campaigns.model import Campaign, find
from elsehu_campaigns.numbers import CHECK
from elsehu_campaigns.schemas import (
    CampaignBody,
    CampaignPage,
    CampaignPatch,
    CampaignQuery,
    CampaignRef,
    CampaignView,
    RecipientPage,
    RecipientQuery,
    Stats,
)
from elsehu_campaigns.states import Step, after

TAG = "campaigns"
Step_ = Callable[[UnitOfWork, Campaign, datetime], Awaitable[Campaign]]


async def _list(call: Call[None, CampaignQuery]) -> dict[str, Any]:
    return await queries.page(call.kernel, call.query.state, call.query.limit, call.query.cursor)


async def _create(call: Call[CampaignBody, NoQuery]) -> dict[str, Any]:
    await check(call.kernel, call.body)
    async with call.transaction() as uow:
        campaign = await editing.create(uow, call.kernel, call.body, call.caller.user_id, call.kernel.now())
        await _note(call, uow, "campaign_created", campaign.id)
        return await queries.shown(uow, campaign, call.kernel.now())


async def _get(call: Call[None, NoQuery]) -> dict[str, Any]:
    return await queries.one(call.kernel, call.path_id())


async def _stats(call: Call[None, NoQuery]) -> dict[str, Any]:
    async with call.kernel.db.reader() as uow:
        return await queries.figures(uow, await find(uow, call.path_id()), call.kernel.now())


async def _recipients(call: Call[None, RecipientQuery]) -> dict[str, Any]:
    query = call.query
    return await queries.recipients(call.kernel, call.path_id(), query.status, query.limit, query.cursor)


async def _change(call: Call[CampaignPatch, NoQuery]) -> dict[str, Any]:
    before = await _found(call, call.path_id())
    await check(call.kernel, editing.changed(before, call.body), before)
    async with call.transaction() as uow:
        campaign = await editing.change(uow, call.kernel, call.path_id(), call.body, call.kernel.now())
        await _note(call, uow, "campaign_changed", campaign.id)
        shown = await queries.shown(uow, campaign, call.kernel.now())
    await wake(call.kernel)
    return shown


async def _delete(call: Call[None, NoQuery]) -> None:
    async with call.transaction() as uow:
        await editing.delete(uow, call.path_id())
        await _note(call, uow, "campaign_deleted", call.path_id())


async def _start(call: Call[None, NoQuery]) -> dict[str, Any]:
    campaign = await _found(call, call.path_id())
    after(Step.START, campaign.state)
    await require_whole(call.kernel, campaign)
    return await _step(call, campaign.id, "campaign_started", steering.start)


async def _pause(call: Call[None, NoQuery]) -> dict[str, Any]:
    return await _step(call, call.path_id(), "campaign_paused", pause, stops=True)


async def _resume(call: Call[None, NoQuery]) -> dict[str, Any]:
    return await _step(call, call.path_id(), "campaign_resumed", steering.resume)


async def _cancel(call: Call[None, NoQuery]) -> dict[str, Any]:
    return await _step(call, call.path_id(), "campaign_cancelled", cancel, stops=True)


async def _pause_named(call: Call[CampaignRef, NoQuery]) -> dict[str, Any]:
    return await _step(call, call.body.campaign_id, "campaign_paused", pause, stops=True)


async def _resume_named(call: Call[CampaignRef, NoQuery]) -> dict[str, Any]:
    return await _step(call, call.body.campaign_id, "campaign_resumed", steering.resume)


async def pause(uow: UnitOfWork, campaign: Campaign, now: datetime) -> Campaign:
    """Stop what has not been handed to the provider. Raises Conflict."""
    return await steering.move(uow, campaign, Step.PAUSE, now)


async def cancel(uow: UnitOfWork, campaign: Campaign, now: datetime) -> Campaign:
    """Stop for good. Raises Conflict."""
    return await steering.move(uow, campaign, Step.CANCEL, now)


async def _found(call: Call[Any, Any], campaign_id: UUID) -> Campaign:
    async with call.kernel.db.reader() as uow:
        return await find(uow, campaign_id)


async def _step(
    call: Call[Any, NoQuery], campaign_id: UUID, action: str, step: Step_, *, stops: bool = False
) -> dict[str, Any]:
    """Take `step`, note it as `action`, have the runner look, and return the campaign as it is then."""
    if stops:
        await steering.halt(call.kernel, campaign_id)
    async with call.transaction() as uow:
        campaign = await step(uow, await find(uow, campaign_id), call.kernel.now())
        await _note(call, uow, action, campaign_id)
    await wake(call.kernel, *([CHECK] if campaign.check_numbers else ()))
    return await queries.one(call.kernel, campaign.id)


async def _note(call: Call[Any, Any], uow: UnitOfWork, action: str, campaign_id: UUID) -> None:
    await record_audit(uow, call.caller, action, f"campaign:{campaign_id}", **origin(call.request))


def _operation(method: str, path: str, handler: Callable[..., Awaitable[Any]], summary: str, **more: Any) -> Operation:
    return Operation(method, f"/api/campaigns{path}", handler, summary, TAG, SUPERVISORS, **more)


OPERATIONS: Sequence[Operation] = (
    _operation("GET", "", _list, "List campaigns", query=CampaignQuery, answer=CampaignPage),
    _operation("POST", "", _create, "Make a campaign", body=CampaignBody, answer=CampaignView, status=201),
    _operation(
        "POST", "/pause", _pause_named, "Pause a campaign", body=CampaignRef, answer=CampaignView, refusals=[404, 409]
    ),
    _operation(
        "POST", "/resume", _resume_named, "Resume one", body=CampaignRef, answer=CampaignView, refusals=[404, 409]
    ),
    _operation("GET", "/{id}", _get, "Show a campaign", answer=CampaignView),
    _operation("PATCH", "/{id}", _change, "Change one", body=CampaignPatch, answer=CampaignView, refusals=[409]),
    _operation("DELETE", "/{id}", _delete, "Throw a draft away", refusals=[409]),
    _operation(
        "POST", "/{id}/start", _start, "Start a draft, or schedule it", answer=CampaignView, refusals=[409, 422]
    ),
    _operation("POST", "/{id}/pause", _pause, "Pause it", answer=CampaignView, refusals=[409]),
    _operation("POST", "/{id}/resume", _resume, "Let it go on", answer=CampaignView, refusals=[409]),
    _operation("POST", "/{id}/cancel", _cancel, "Stop it for good", answer=CampaignView, refusals=[409]),
    _operation("GET", "/{id}/stats", _stats, "Count its recipients", answer=Stats),
    _operation("GET", "/{id}/recipients", _recipients, "List them", query=RecipientQuery, answer=RecipientPage),
)
