"""What a failed send says of the template that it was made with."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from elsehu.contracts.template import TemplateStatus
from elsehu.db import UnitOfWork
from elsehu.messaging.templates.storing import tell

PAUSE = f"""
WITH held AS (
    SELECT id FROM message_templates
    WHERE id = ANY($1::uuid[]) AND archived_at IS NULL AND status = '{TemplateStatus.APPROVED}'
      AND coalesce(changed_at <= $3, true)
    ORDER BY id FOR UPDATE
)
UPDATE message_templates t SET status = '{TemplateStatus.PAUSED}', reason = $2, changed_at = $3, updated_at = now()
FROM held WHERE t.id = held.id RETURNING t.id
"""  # noqa: S608


async def mark_template(uow: UnitOfWork, template_ids: Sequence[UUID], reason: str, at: datetime) -> None:
    """Pause templates of which the provider said at the time `at` that it will not send them; `reason` is for people.

    News of a later time stand. The provider's next word, by webhook or sync, lifts it.
    """
    paused = await uow.fetch(PAUSE, list(template_ids), reason, at)
    await tell(uow, [row["id"] for row in paused])
