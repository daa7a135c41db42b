"""Writing down what a provider says of its templates, or (for our own) what we say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.contracts.template import ProviderTemplate
from elsehu.db import UnitOfWork
from elsehu.events import Change, record
from elsehu.ids import new_id
from elsehu.messaging.inbound.raw_events import to_jsonb
from elsehu.messaging.templates.stored import CONTENT, columns_of

STALE = timedelta(minutes=1)
"""News from longer than this before we asked cannot change what the answer said. Clocks differ, and webhooks give
whole seconds, so younger news can."""

NEWS = {"changed_at": 8, "category_at": 9, "quality_at": 10}
"""The times of news, and the parameters that hold what they were before a template was saved."""

TOLD_BY = {"status": "changed_at", "reason": "changed_at", "category": "category_at", "quality": "quality_at"}


def _becomes(name: str) -> str:
    """Return what a column becomes: news that came by webhook after we had asked are newer than the answer.

    Of a template that was saved we know what had come before; a listing's answers are compared by time.
    """
    if name not in TOLD_BY:
        return f"excluded.{name}"
    at = TOLD_BY[name]
    is_newer = f"CASE WHEN $7 THEN t.{at} IS DISTINCT FROM ${NEWS[at]} ELSE t.{at} >= date_trunc('second', $3) END"
    return f"CASE WHEN {is_newer} THEN t.{name} ELSE excluded.{name} END"


NEW = {name: _becomes(name) for name in CONTENT}

STORE = f"""
INSERT INTO message_templates AS t (id, instance_id, name, language, {", ".join(CONTENT)},
    changed_at, category_at, quality_at, synced_at, created_at, updated_at)
SELECT n.id, $1, n.name, n.language, {", ".join(f"n.{name}" for name in CONTENT)}, $4, $4, $4, $6, $5, $5
FROM jsonb_to_recordset($2::jsonb)
    AS n(id uuid, name text, language text, {", ".join(f"{name} {kind}" for name, kind in CONTENT.items())})
WHERE $7::boolean OR NOT EXISTS (SELECT 1 FROM message_templates gone WHERE gone.instance_id = $1
                        AND (gone.name, gone.language) = (n.name, n.language) AND gone.archived_at >= $3::timestamptz)
ORDER BY n.name, n.language
ON CONFLICT (instance_id, name, language) WHERE archived_at IS NULL DO UPDATE SET
    {", ".join(f"{name} = {new}" for name, new in NEW.items())},
    {", ".join(f"{at} = greatest(t.{at}, excluded.{at})" for at in NEWS)},
    synced_at = excluded.synced_at,
    updated_at = CASE WHEN ({", ".join(f"t.{name}" for name in NEW)}) IS DISTINCT FROM ({", ".join(NEW.values())})
                      THEN excluded.updated_at ELSE t.updated_at END
WHERE $7 OR t.updated_at < $3
RETURNING t.id, xmax = 0 AS is_new, t.updated_at = $5 AS is_changed
"""  # noqa: S608
"""What was changed since we asked is left alone, unless the answer is to that very change; what was deleted since
then is not brought back."""

REVIVE = """
UPDATE message_templates t SET archived_at = NULL, updated_at = $4
FROM (SELECT DISTINCT ON (a.name, a.language) a.id
      FROM message_templates a JOIN jsonb_to_recordset($2::jsonb) AS n(name text, language text, external_id text)
          ON (a.name, a.language, a.external_id) = (n.name, n.language, n.external_id)
      WHERE a.instance_id = $1 AND a.archived_at < $3
        AND NOT EXISTS (SELECT 1 FROM message_templates other WHERE other.instance_id = $1
                        AND (other.name, other.language) = (a.name, a.language) AND other.archived_at IS NULL)
      ORDER BY a.name, a.language, a.archived_at DESC) gone
WHERE t.id = gone.id RETURNING t.id
"""

ARCHIVE = """
UPDATE message_templates t SET archived_at = $5, updated_at = $5
WHERE t.instance_id = $1 AND t.archived_at IS NULL AND t.updated_at < $4
  AND NOT EXISTS (SELECT 1 FROM unnest($2::text[], $3::text[]) AS told(name, language)
                  WHERE (told.name, told.language) = (t.name, t.language))
RETURNING t.id
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """The ids of what was new (or back again), changed, and gone."""

    created: Sequence[UUID] = ()
    updated: Sequence[UUID] = ()
    removed: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """When a provider was asked to save a template, and what row that had before, if there was one."""

    at: datetime
    before: Mapping[str, Any] | None = None

    def news(self) -> list[datetime | None]:
        """Return the times of the news that had come before."""
        return [self.before[name] if self.before else None for name in NEWS]


async def store_one(
    uow: UnitOfWork, instance_id: UUID | None, template: ProviderTemplate, asked: Asked, now: datetime
) -> UUID:
    """Write down what became of a template that was saved, by the answer of the provider; return its id.

    Without an instance, and for a provider without templates, it is our own.
    """
    rows = to_jsonb([{"id": new_id(), **columns_of(template)}])
    row = await uow.fetch_row(STORE, instance_id, rows, asked.at, asked.at - STALE, now, now, True, *asked.news())
    assert row is not None
    template_id: UUID = row["id"]
    await tell(uow, [template_id])
    return template_id


async def store_all(
    uow: UnitOfWork, instance_id: UUID, templates: Sequence[ProviderTemplate], asked_at: datetime, now: datetime
) -> Stored:
    """Make a number's templates those that its provider listed, asked at `asked_at`; the others are gone."""
    rows = to_jsonb([{"id": new_id(), **columns_of(template)} for template in templates])
    revived = {row["id"] for row in await uow.fetch(REVIVE, instance_id, rows, asked_at, asked_at - STALE)}
    written = await uow.fetch(STORE, instance_id, rows, asked_at, asked_at - STALE, now, now, False, None, None, None)
    names = ([one.name for one in templates], [one.language for one in templates])
    gone = await uow.fetch(ARCHIVE, instance_id, *names, asked_at, now)
    created = [row["id"] for row in written if row["is_new"] or row["id"] in revived]
    updated = [row["id"] for row in written if row["is_changed"] and row["id"] not in created]
    return Stored(created, updated, [row["id"] for row in gone])


async def archive(uow: UnitOfWork, template_id: UUID, now: datetime) -> None:
    """Hide a template that is deleted."""
    await uow.execute("UPDATE message_templates SET archived_at = $2, updated_at = $2 WHERE id = $1", template_id, now)
    await tell(uow, [template_id])


async def tell(uow: UnitOfWork, template_ids: Sequence[UUID]) -> None:
    """Tell everybody how templates look now."""
    await record(uow, [Change("template:updated", template_id) for template_id in template_ids])
