"""`campaign:updated`: told at each change of state, and while messages leave at most once a second."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from elsehu.plugin import (
    SUPERVISORS,
    Audience,
    Change,
    EventType,
    Kernel,
    OutboxEvent,
    Rendered,
    UnitOfWork,
    record_events,
)
from elsehu_campaigns.model import Campaign, campaign_of
from elsehu_campaigns.views import campaign_view

UPDATED = "campaign:updated"
SEVERAL = "SELECT * FROM campaigns WHERE id = ANY($1::uuid[])"


async def tell(uow: UnitOfWork, campaign_id: UUID) -> None:
    """Tell that a campaign changed."""
    await record_events(uow, [Change(UPDATED, campaign_id)])


async def render(kernel: Kernel, events: Sequence[OutboxEvent]) -> Mapping[int, Rendered]:
    """Show campaigns with the figures that were counted when they were told of: nobody counts for each listener."""
    rows = await kernel.db.fetch(SEVERAL, list({event.subject_id for event in events}))
    shown = {row["id"]: _rendered(campaign_of(row)) for row in rows}
    return {event.seq: shown[event.subject_id] for event in events if event.subject_id in shown}


def _rendered(campaign: Campaign) -> Rendered:
    return Rendered(campaign_view(campaign, campaign.told), Audience(SUPERVISORS))


EVENT_TYPES: Sequence[EventType] = (EventType(UPDATED, render),)
