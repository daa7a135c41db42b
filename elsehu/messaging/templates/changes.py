"""What providers tell of templates by webhook: a changed status, category or quality.

News of each of the three have times of their own, so that in whatever order they come the latest stands. A template
that is not known here yet (its creation may still be on its way into the database) is noted by its name, not
sendable, until a sync reads it; so is one of which we are told only that it changed.
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import structlog

from elsehu.contracts.inbound import TemplateChanged
from elsehu.db import UnitOfWork
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.messaging.templates.stored import LONGEST_WORD, can_be_named
from elsehu.messaging.templates.storing import tell

log = structlog.get_logger("elsehu.templates")

FIND = """
SELECT id, archived_at IS NOT NULL AS is_gone FROM message_templates
WHERE instance_id = $1 AND (external_id = $2 OR (
    archived_at IS NULL AND name = $3 AND language = $4 AND ($2::text IS NULL OR external_id IS NULL)))
ORDER BY archived_at IS NOT NULL, external_id IS DISTINCT FROM $2 LIMIT 1
"""

NOTE = """
INSERT INTO message_templates (id, instance_id, name, language, external_id, category, status, body, supported)
VALUES ($1, $2, $3, $4, $5, '', 'PENDING', '', false)
ON CONFLICT (instance_id, name, language) WHERE archived_at IS NULL DO UPDATE SET synced_at = NULL
RETURNING id, external_id
"""
"""Where the name is another template's, that one is old: it is read again soon."""

READ_AGAIN = "UPDATE message_templates SET synced_at = NULL WHERE id = $1"

APPLY = """
WITH news AS (
    SELECT *, $3::text IS NOT NULL AND coalesce(changed_at <= $2, true) AS of_status,
        $5::text IS NOT NULL AND coalesce(category_at <= $2, true) AS of_category,
        $6::text IS NOT NULL AND coalesce(quality_at <= $2, true) AS of_quality
    FROM message_templates WHERE id = $1 FOR UPDATE
)
UPDATE message_templates t SET
    status = CASE WHEN of_status THEN $3 ELSE n.status END,
    reason = CASE WHEN of_status THEN $4 ELSE n.reason END,
    changed_at = CASE WHEN of_status THEN $2 ELSE n.changed_at END,
    category = CASE WHEN of_category THEN $5 ELSE n.category END,
    category_at = CASE WHEN of_category THEN $2 ELSE n.category_at END,
    quality = CASE WHEN of_quality THEN $6 ELSE n.quality END,
    quality_at = CASE WHEN of_quality THEN $2 ELSE n.quality_at END,
    updated_at = CASE WHEN (of_status AND (n.status, n.reason) <> ($3, $4)) OR (of_category AND n.category <> $5)
                        OR (of_quality AND n.quality <> $6) THEN $7 ELSE n.updated_at END
FROM news n WHERE t.id = n.id AND (of_status OR of_category OR of_quality)
RETURNING t.updated_at = $7 AS looks_new
"""


async def apply(uow: UnitOfWork, kernel: Kernel, changes: Sequence[tuple[UUID, TemplateChanged]]) -> None:
    """Apply what webhooks say of the templates of numbers: any number of times, in any order."""
    told: list[UUID] = []
    for instance_id, change in sorted(changes, key=lambda one: (one[0], one[1].name, one[1].language)):
        template_id = await _find(uow, instance_id, change)
        if template_id is None:
            continue
        if change.status is change.category is change.quality is None:
            await uow.execute(READ_AGAIN, template_id)
        elif await _apply(uow, kernel, template_id, change):
            told.append(template_id)
    await tell(uow, list(dict.fromkeys(told)))


async def _find(uow: UnitOfWork, instance_id: UUID, change: TemplateChanged) -> UUID | None:
    """Return the template that a change is of, made where it was unknown; None for one that is deleted here."""
    row = await uow.fetch_row(FIND, instance_id, change.external_id, change.name, change.language)
    if row is not None:
        return None if row["is_gone"] else cast(UUID, row["id"])
    if not can_be_named(change.name, change.language, change.external_id):
        log.warning("template_change_of_unknown", instance=str(instance_id), external_id=change.external_id)
        return None
    names = (change.name, change.language, change.external_id)
    noted = await uow.fetch_row(NOTE, new_id(), instance_id, *names)
    return noted["id"] if noted is not None and noted["external_id"] == change.external_id else None


async def _apply(uow: UnitOfWork, kernel: Kernel, template_id: UUID, change: TemplateChanged) -> bool:
    """Apply what is news; return whether the template looks different now."""
    now = kernel.now()
    at = min(change.at or now, now)
    category = change.category and change.category[:LONGEST_WORD]
    quality = change.quality and change.quality[:LONGEST_WORD]
    reason = change.reason or ""
    return bool(await uow.fetch_value(APPLY, template_id, at, change.status, reason, category, quality, now))
