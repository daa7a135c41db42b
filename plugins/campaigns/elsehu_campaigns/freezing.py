"""Freezing the texts anew of recipients that have no message yet, after a campaign was changed: a piece at a time."""

from collections.abc import Sequence

from elsehu.plugin import BulkDrafter, Row, UnitOfWork
from elsehu_campaigns import sources
from elsehu_campaigns.model import Campaign
from elsehu_campaigns.places import origins_of, values_of
from elsehu_campaigns.planning import PEOPLE, SLICE, Frozen, columns_of, freeze, person_of, wanted

NEXT = """
SELECT id, position, row_number, contact_id FROM campaign_recipients
WHERE campaign_id = $1 AND position > $2 AND (fate = 'planned' OR reason IN ('missing_variables', 'invalid_variables'))
ORDER BY position LIMIT $3
"""
CHANGE = """
UPDATE campaign_recipients r SET variables = n.variables, kind = n.kind, text = n.text, payload = n.payload,
    media_id = n.media_id, template_id = n.template_id, reason = n.reason, detail = n.detail,
    fate = CASE WHEN n.reason IS NULL THEN 'planned' ELSE 'skipped' END
FROM unnest($1::uuid[], $2::jsonb[], $3::text[], $4::text[], $5::jsonb[], $6::uuid[], $7::uuid[], $8::text[],
            $9::text[]) AS n(id, variables, kind, text, payload, media_id, template_id, reason, detail)
WHERE r.id = n.id
"""
GO_ON = "UPDATE campaigns SET frozen_after = $2 WHERE id = $1"


async def freeze_anew(uow: UnitOfWork, campaign: Campaign, drafter: BulkDrafter) -> bool:
    """Freeze the next piece anew. Whether any are left."""
    rows = await uow.fetch(NEXT, campaign.id, campaign.frozen_after, SLICE)
    if rows:
        frozen = await _frozen(uow, campaign, rows, drafter)
        await uow.execute(CHANGE, [row["id"] for row in rows], *columns_of(frozen))
    await uow.execute(GO_ON, campaign.id, rows[-1]["position"] if rows else None)
    return bool(rows)


async def _frozen(uow: UnitOfWork, campaign: Campaign, rows: Sequence[Row], drafter: BulkDrafter) -> list[Frozen]:
    sheet = await sources.sheet_of(uow, campaign.file_id)
    origins = origins_of(wanted(campaign, drafter), campaign.mapping, sheet.columns)
    cells = await sources.cells_of(uow, campaign, [row["row_number"] for row in rows if row["row_number"] is not None])
    people = {row["id"]: row for row in await uow.fetch(PEOPLE, [row["contact_id"] for row in rows])}
    return [
        freeze(drafter, values_of(origins, cells.get(row["row_number"], ()), person_of(people.get(row["contact_id"]))))
        for row in rows
    ]
