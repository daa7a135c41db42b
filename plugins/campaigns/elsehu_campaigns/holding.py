"""Why a running campaign sends nothing now, though nobody paused it: it goes on by itself."""

from dataclasses import dataclass
from datetime import datetime

from elsehu.plugin import Instance, InstanceStatus
from elsehu_campaigns.model import Campaign
from elsehu_campaigns.windows import end_of_day, opening


@dataclass(frozen=True, slots=True)
class Leave:
    """Whether messages may leave: until `until` (None: without end), or not at all for `reason`."""

    until: datetime | None = None
    reason: str | None = None


def leave(campaign: Campaign, instance: Instance, now: datetime) -> Leave:
    """Return whether a running campaign's messages may leave `instance` now."""
    reason = _of_instance(instance)
    if reason is not None:
        return Leave(reason=reason)
    day = end_of_day(now, campaign.zone) if campaign.is_limited else None
    window = campaign.window
    if window is None:
        return Leave(day)
    span = opening(window, now)
    if now < span.start:
        return Leave(reason=f"Outside of its sending window; it goes on at {_local(span.start, campaign)}.")
    return Leave(span.end if day is None else min(span.end, day))


def _of_instance(instance: Instance) -> str | None:
    if not instance.is_active:
        return f"The number {instance.name!r} is switched off; it goes on once an admin activates that."
    if instance.status is not InstanceStatus.CONNECTED:
        return f"The number {instance.name!r} is {instance.status}; it goes on by itself once that is connected."
    return None


def why(campaign: Campaign, now: datetime, *, is_full: bool, is_dry: bool) -> str | None:
    """Return why nothing more is queued: its day is full, or (`is_dry`) whoever is left has yet to be looked up."""
    if is_full:
        return _limit_reached(campaign, now)
    return "Its next numbers are being checked with the provider." if is_dry and campaign.check_numbers else None


def _limit_reached(campaign: Campaign, now: datetime) -> str:
    tomorrow = end_of_day(now, campaign.zone)
    at = tomorrow if campaign.window is None else opening(campaign.window, tomorrow).start
    return f"Today's limit is reached; it goes on at {_local(max(at, tomorrow), campaign)}."


def _local(at: datetime, campaign: Campaign) -> str:
    return at.astimezone(campaign.zone).isoformat(timespec="minutes")
