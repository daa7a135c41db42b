"""Reading instances for the API."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from elsehu.db import Row
from elsehu.http.pages import decode_cursor, page_of
from elsehu.instances.refusals import not_found
from elsehu.instances.views import SHOWN, instance_view
from elsehu.kernel import Kernel

PAGE = f"""
SELECT {SHOWN} FROM service_instances
WHERE (is_active OR $1) AND ($2::text IS NULL OR name > $2)
ORDER BY name LIMIT $3
"""  # noqa: S608
ONE = f"SELECT {SHOWN} FROM service_instances WHERE id = $1"  # noqa: S608
SEVERAL = f"SELECT {SHOWN} FROM service_instances WHERE id = ANY($1::uuid[])"  # noqa: S608


async def page(kernel: Kernel, limit: int, cursor: str | None, include_inactive: bool) -> dict[str, Any]:
    """Return a page of instances in the order of their names."""
    after = decode_cursor(cursor, [str])[0] if cursor else None
    rows = await kernel.db.fetch(PAGE, include_inactive, after, limit + 1)
    return page_of(rows, limit, lambda row: [row["name"]], lambda row: instance_view(kernel, row))


async def one(kernel: Kernel, instance_id: UUID) -> dict[str, Any]:
    """Return the REST shape of an instance. Raises NotFound."""
    row = await kernel.db.fetch_row(ONE, instance_id)
    if row is None:
        raise not_found(instance_id)
    return instance_view(kernel, row)


async def several(kernel: Kernel, instance_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return the rows of those instances that exist, by id."""
    return {row["id"]: row for row in await kernel.db.fetch(SEVERAL, list(instance_ids))}
