"""A dry run: who would get what, until when it would take, and what to mend before. Nothing is written or sent."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from elsehu.plugin import (
    SUPERVISORS,
    ApiModel,
    BulkDrafter,
    Call,
    Conflict,
    Directory,
    DomainError,
    Instance,
    Kernel,
    Kind,
    NoQuery,
    Operation,
    ProviderSpec,
    isoformat,
)
from elsehu_campaigns.checking import require_whole
from elsehu_campaigns.content import drafter_of
from elsehu_campaigns.dry_run import DryRun, NoDrafter, Told, dry_run
from elsehu_campaigns.estimating import Plan, end_of
from elsehu_campaigns.holding import leave
from elsehu_campaigns.model import Campaign, find

UNFILLED = ("missing_variables", "invalid_variables")
OTHERS = "SELECT count(*) FROM campaigns WHERE instance_id = $1 AND id <> $2 AND state IN ('running', 'scheduled')"


class PreviewBody(ApiModel):
    """How many recipients to show."""

    sample: Annotated[int, Field(ge=0, le=100)] = 5


class PreviewRecipient(ApiModel):
    """One of the first recipients, with the text that it would get, or why it would get nothing."""

    row_number: int | None
    contact_id: UUID | None
    name: str
    phone: str
    status: Literal["planned", "skipped"]
    reason: str | None
    detail: str | None
    text: str | None
    variables: dict[str, str]


class Warned(ApiModel):
    """Something to look at before the campaign is started; `count` is of recipients."""

    code: str
    message: str
    count: int | None


class Preview(ApiModel):
    """What a campaign would come to if it were started now. `endsAt` is null if that is more than ten years away."""

    total: int
    would_send: int
    skipped: dict[str, int]
    sample: list[PreviewRecipient]
    starts_at: datetime
    ends_at: datetime | None
    warnings: list[Warned]


async def preview(call: Call[PreviewBody, NoQuery]) -> dict[str, Any]:
    """Say what a campaign that has not begun would come to."""
    kernel, now = call.kernel, call.kernel.now()
    async with kernel.db.reader() as uow:
        campaign = await find(uow, call.path_id())
        others = await uow.fetch_value(OTHERS, campaign.instance_id, campaign.id)
    if campaign.started_at is not None:
        detail = "This campaign has begun: GET …/recipients shows who gets what, GET …/stats when it is likely to end."
        raise Conflict("campaign_begun", detail)
    drafter, warnings = await _content(kernel, campaign)
    run = await dry_run(kernel, campaign, drafter, call.body.sample, now)
    instance = await kernel.part(Directory).get(campaign.instance_id)
    spec = kernel.plugins.spec(instance.provider) if instance else None
    warnings += [*_of_number(kernel, campaign, instance, now), *_of_recipients(run), *_of_window(run, spec)]
    if others:
        message = f"{others} other campaigns share this number's budget, so it takes longer than it says here."
        warnings.append(_warning("number_shared", message))
    return _shown(campaign, run, _pace(campaign, instance, spec), now, warnings)


async def _content(kernel: Kernel, campaign: Campaign) -> tuple[BulkDrafter, list[dict[str, Any]]]:
    """Return what drafts the messages, and what is wrong with that."""
    try:
        drafter = await drafter_of(kernel, campaign)
    except DomainError as error:
        return NoDrafter(), [_refusal(error)]
    try:
        await require_whole(kernel, campaign)
    except DomainError as error:
        return drafter, [_refusal(error)]
    return drafter, []


def _refusal(error: DomainError) -> dict[str, Any]:
    problems = "".join(f" {one.field}: {one.message}." for one in error.errors)
    return _warning(error.code, f"It cannot be started like this. {error.detail}{problems}")


def _of_number(
    kernel: Kernel, campaign: Campaign, instance: Instance | None, now: datetime
) -> Iterator[dict[str, Any]]:
    if instance is None:
        yield _warning("instance_unknown", "The number that it is to leave from is gone. Choose another.")
        return
    reason = leave(replace(campaign, sending_window=None), instance, now).reason
    if reason is not None:
        yield _warning("number_not_connected", reason)
    if campaign.check_numbers and not kernel.plugins.can(instance, "check_numbers"):
        message = f"The provider {instance.provider} cannot tell which numbers exist: they are sent to unchecked."
        yield _warning("numbers_not_checked", message)


def _of_recipients(run: DryRun) -> Iterator[dict[str, Any]]:
    if not run.counts[None]:
        yield _warning("nobody", "Nobody would get it; `skipped` says why.")
    for reason in UNFILLED:
        if reason in run.examples:
            example = run.examples[reason]
            where = f"row {example.entry.row_number}" if example.entry.row_number else example.name or example.phone
            count = run.counts[reason]
            message = (
                f"{count} recipients get nothing, for their text cannot be filled; {where}: {example.frozen.detail}"
            )
            yield _warning(reason, message, count)


def _of_window(run: DryRun, spec: ProviderSpec | None) -> Iterator[dict[str, Any]]:
    if spec is not None and spec.window_hours is not None and run.kinds - {Kind.TEMPLATE}:
        message = (
            f"{spec.name} takes free messages only for {spec.window_hours:g} hours after a customer wrote: everybody "
            "else is skipped (window_closed). Use a template to reach all."
        )
        yield _warning("window_closed", message)


def _warning(code: str, message: str, count: int | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "count": count}


def _pace(campaign: Campaign, instance: Instance | None, spec: ProviderSpec | None) -> float:
    """Return the seconds between two messages: the campaign's own, unless its number is slower."""
    own = instance.settings.get("messages_per_second") if instance else None
    rate = own or (spec.messages_per_second if spec else None)
    return max(campaign.gap, 1 / rate if rate else 0.0)


def _shown(
    campaign: Campaign, run: DryRun, gap: float, now: datetime, warnings: list[dict[str, Any]]
) -> dict[str, Any]:
    start, count = max(now, campaign.start_at or now), run.counts[None]
    plan = Plan(gap, campaign.window, campaign.daily_limit, campaign.warm_up, campaign.zone)
    end = end_of(plan, count, start)
    if end is None:
        warnings.append(_warning("takes_too_long", "With these limits it takes more than ten years. Loosen them."))
    skipped = {reason: number for reason, number in sorted(run.counts.items(), key=str) if reason is not None}
    return {
        "total": run.counts.total(),
        "wouldSend": count,
        "skipped": skipped,
        "sample": [_recipient(one) for one in run.first],
        "startsAt": isoformat(end_of(plan, 1, start) or start),
        "endsAt": None if end is None else isoformat(end),
        "warnings": warnings,
    }


def _recipient(told: Told) -> dict[str, Any]:
    frozen, contact_id = told.frozen, told.entry.contact_id
    return {
        "rowNumber": told.entry.row_number,
        "contactId": contact_id and str(contact_id),
        "name": told.name,
        "phone": told.phone,
        "status": "planned" if frozen.reason is None else "skipped",
        "reason": frozen.reason,
        "detail": frozen.detail,
        "text": frozen.draft and frozen.draft.text,
        "variables": dict(frozen.values),
    }


OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST",
        "/api/campaigns/{id}/preview",
        preview,
        "Dry run: who would get what, until when, and what to mend before",
        "campaigns",
        SUPERVISORS,
        PreviewBody,
        answer=Preview,
        body_optional=True,
        refusals=(404, 409),
    ),
)
