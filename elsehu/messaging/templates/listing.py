"""Templates as they are shown, and their list."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from elsehu.clock import isoformat
from elsehu.contracts.errors import NotFound
from elsehu.contracts.template import TemplateStatus
from elsehu.db import Database, Row, UnitOfWork
from elsehu.http.pages import decode_cursor, page_of
from elsehu.kernel import Kernel
from elsehu.messaging.conversations.filters import Filters
from elsehu.messaging.templates.schemas import TemplateQuery
from elsehu.messaging.templates.stored import CONTENT, template_of
from elsehu.messaging.templates.variables import variables_of

COLUMNS = f"""
SELECT id, instance_id, name, language, {", ".join(CONTENT)},
       changed_at, category_at, quality_at, archived_at, created_at, updated_at
FROM message_templates
"""  # noqa: S608
ONE = COLUMNS + "WHERE id = $1 AND archived_at IS NULL"
SEVERAL = COLUMNS + "WHERE id = ANY($1::uuid[])"
OF_NAME = """
SELECT id FROM message_templates
WHERE instance_id IS NOT DISTINCT FROM $1 AND name = $2 AND language = $3 AND archived_at IS NULL
"""


def template_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template's REST shape from a row of COLUMNS."""
    template = template_of(row)
    return {
        "id": str(row["id"]),
        "name": template.name,
        "language": template.language,
        "category": template.category,
        "status": template.status,
        "reason": template.reason,
        "quality": template.quality,
        "header": asdict(template.header) if template.header else None,
        "body": template.body,
        "footer": template.footer,
        "buttons": [asdict(button) for button in template.buttons],
        "variables": [asdict(variable) for variable in variables_of(template)],
        "named": template.named,
        "examples": list(template.examples),
        "supported": template.supported,
        "serviceInstanceId": str(row["instance_id"]) if row["instance_id"] else None,
        "createdAt": isoformat(row["created_at"]),
        "updatedAt": isoformat(row["updated_at"]),
    }


async def one(db: Database | UnitOfWork, template_id: UUID) -> Row:
    """Return the row of a template. Raises NotFound, also for one that was deleted."""
    row = await db.fetch_row(ONE, template_id)
    if row is None:
        raise NotFound("template_not_found", "There is no such template. See GET /api/templates.")
    return row


async def several(db: Database | UnitOfWork, template_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return the rows of templates by id, those of deleted ones too."""
    return {row["id"]: row for row in await db.fetch(SEVERAL, list(template_ids))}


async def id_of(db: Database | UnitOfWork, instance_id: UUID | None, name: str, language: str) -> UUID | None:
    """Return the id of the template of a name and language, or None."""
    found: UUID | None = await db.fetch_value(OF_NAME, instance_id, name, language)
    return found


async def template_page(kernel: Kernel, query: TemplateQuery) -> dict[str, Any]:
    """Return a page of templates, by name and language. Raises Invalid for a bad cursor."""
    filters = _filters(query)
    sql = f"{COLUMNS} WHERE {filters.where()} ORDER BY name, language, id LIMIT {query.limit + 1:d}"
    rows = await kernel.db.fetch(sql, *filters.arguments)
    return page_of(rows, query.limit, lambda row: (row["name"], row["language"], row["id"]), template_view)


def _filters(query: TemplateQuery) -> Filters:
    filters = Filters(["archived_at IS NULL"])
    if query.sendable_from is not None:
        filters.add("(instance_id IS NULL OR instance_id = {}) AND supported", query.sendable_from)
        filters.add("status = {}", TemplateStatus.APPROVED.value)
    for column in ("status", "category", "language"):
        if (value := getattr(query, column)) is not None:
            filters.add(f"{column} = {{}}", str(value))
    if query.service_instance_id is not None:
        filters.add("instance_id = {}", query.service_instance_id)
    if query.search:
        filters.add("strpos(lower(name || ' ' || body), lower({})) > 0", query.search)
    if query.cursor:
        filters.add("(name, language, id) > ({}::text, {}::text, {})", *decode_cursor(query.cursor, (str, str, UUID)))
    return filters
