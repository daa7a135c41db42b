"""Lists of campaigns and of their recipients."""

from datetime import datetime
from typing import Any
from uuid import UUID

from elsehu.plugin import Kernel, UnitOfWork, decode_cursor, page_of, serial
from elsehu_campaigns import stats
from elsehu_campaigns.model import Campaign, campaign_of, find
from elsehu_campaigns.outcomes import OUTCOMES
from elsehu_campaigns.views import campaign_view, recipient_view

PAGE = """
SELECT * FROM campaigns WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3
"""
RECIPIENTS = f"""
SELECT * FROM ({OUTCOMES}) o
WHERE o.campaign_id = $1 AND ($2::text IS NULL OR o.status = $2) AND o.position > $3
ORDER BY o.position LIMIT $4
"""  # noqa: S608 - a constant


async def page(kernel: Kernel, state: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of campaigns, newest first, with the figures that were told of them last."""
    [before] = decode_cursor(cursor, [UUID]) if cursor else [None]
    rows = await kernel.db.fetch(PAGE, state, before, limit + 1)
    return page_of(
        [campaign_of(row) for row in rows],
        limit,
        lambda campaign: [campaign.id],
        lambda campaign: campaign_view(campaign, campaign.told),
    )


async def one(kernel: Kernel, campaign_id: UUID) -> dict[str, Any]:
    """Return the REST shape of a campaign, counted now. Raises NotFound."""
    async with kernel.db.reader() as uow:
        return await shown(uow, await find(uow, campaign_id), kernel.now())


async def shown(uow: UnitOfWork, campaign: Campaign, now: datetime) -> dict[str, Any]:
    """Return the REST shape of a campaign, counted in `uow`."""
    return campaign_view(campaign, await figures(uow, campaign, now))


async def figures(uow: UnitOfWork, campaign: Campaign, now: datetime) -> dict[str, Any]:
    """Return the REST shape of a campaign's stats, counted in `uow`."""
    return stats.shown(await stats.count(uow, campaign, now), campaign, now)


async def recipients(
    kernel: Kernel, campaign_id: UUID, status: str | None, limit: int, cursor: str | None
) -> dict[str, Any]:
    """Return a page of a campaign's recipients, in its order. Raises NotFound."""
    [after] = decode_cursor(cursor, [serial]) if cursor else [0]
    async with kernel.db.reader() as uow:
        await find(uow, campaign_id)
        rows = await uow.fetch(RECIPIENTS, campaign_id, status, after, limit + 1)
    return page_of(rows, limit, lambda row: [row["position"]], recipient_view)
