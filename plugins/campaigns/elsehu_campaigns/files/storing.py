"""Lists in the database: stored in one transaction, read anew by another mapping, deleted when nobody needs them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from elsehu.plugin import Conflict, FieldError, Invalid, Kernel, NotFound, Row, UnitOfWork, new_id
from elsehu_campaigns.config import NAME, CampaignSettings
from elsehu_campaigns.files.reading import PhoneReader, Table, copied, polite

COPY_SECONDS = 600.0
PAGE = 1_000

INSERT = """
INSERT INTO campaign_files (id, name, columns, mapping, default_region, created_by, created_at)
VALUES ($1, $2, $3::jsonb, $4::jsonb, $5, $6, $7)
"""
COLUMNS = ("file_id", "number", "cells", "phone")
COUNT = """
UPDATE campaign_files SET rows = (SELECT count(*) FROM campaign_file_rows WHERE file_id = $1) WHERE id = $1
"""
MARK_SAME = """
UPDATE campaign_file_rows r SET same_as = d.first
FROM (SELECT id, number, min(number) OVER (PARTITION BY phone) AS first
      FROM campaign_file_rows WHERE file_id = $1 AND phone IS NOT NULL) d
WHERE r.id = d.id AND d.number <> d.first
"""
FIND = "SELECT * FROM campaign_files WHERE id = $1"
LOCK = FIND + " FOR UPDATE"
USED_BY = "SELECT count(*) FILTER (WHERE state <> 'draft') AS begun, count(*) AS used FROM campaigns WHERE file_id = $1"
CELLS = "SELECT id, number, cells FROM campaign_file_rows WHERE file_id = $1 AND number > $2 ORDER BY number LIMIT $3"
SET_PHONES = """
UPDATE campaign_file_rows r SET phone = p.phone, same_as = NULL
FROM unnest($1::bigint[], $2::text[]) AS p(id, phone) WHERE r.id = p.id
"""
REMAP = "UPDATE campaign_files SET mapping = $2::jsonb, default_region = $3 WHERE id = $1"
DELETE = "DELETE FROM campaign_files WHERE id = $1"
EXPIRE = """
DELETE FROM campaign_files f
WHERE f.created_at < $1 AND NOT EXISTS (SELECT 1 FROM campaigns c WHERE c.file_id = f.id)
"""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One row of `campaign_files` (see tables.py)."""

    id: UUID
    name: str
    columns: Sequence[str]
    rows: int
    mapping: Mapping[str, str]
    default_region: str


def file_of(row: Row) -> StoredFile:
    """Return the file of a row."""
    columns, mapping = orjson.loads(row["columns"]), orjson.loads(row["mapping"])
    return StoredFile(row["id"], row["name"], columns, row["rows"], mapping, row["default_region"])


async def find(uow: UnitOfWork, file_id: UUID, *, lock: bool = False) -> StoredFile:
    """Return a file, with `lock` for the rest of the transaction. Raises NotFound."""
    row = await uow.fetch_row(LOCK if lock else FIND, file_id)
    if row is None:
        raise NotFound("file_not_found", f"There is no file {file_id}, or it has expired. Upload the list again.")
    return file_of(row)


async def store(uow: UnitOfWork, table: Table, name: str, region: str, *, by: UUID | None, now: datetime) -> StoredFile:
    """Store all rows of `table`. Raises what reading them raises."""
    file_id = new_id()
    columns, mapping = _json(table.columns), _json(table.mapping)
    await uow.execute(INSERT, file_id, name, columns, mapping, region, by, now)
    source: AsyncIterator[bytes] = copied(table, str(file_id), region)
    await uow.connection.copy_to_table("campaign_file_rows", source=source, columns=COLUMNS, timeout=COPY_SECONDS)
    await uow.execute(COUNT, file_id)
    await uow.execute(MARK_SAME, file_id)
    return await find(uow, file_id)


async def remap(uow: UnitOfWork, file_id: UUID, mapping: Mapping[str, str], region: str | None) -> StoredFile:
    """Read the phones anew, from another column or by another region; what a begun campaign uses stays as it is.

    Raises NotFound, Invalid for a column that is not there, and Conflict `file_in_use`.
    """
    file = await find(uow, file_id, lock=True)
    wanted, region = {**file.mapping, **mapping}, region or file.default_region
    _check_columns(file, wanted)
    if (wanted, region) == (file.mapping, file.default_region):
        return file
    await _require_unused(uow, file_id, "begun")
    await uow.execute(REMAP, file_id, _json(wanted), region)
    if (wanted.get("phone"), region) != (file.mapping.get("phone"), file.default_region):
        await _read_phones(uow, file, PhoneReader(file.columns, wanted, region))
    return await find(uow, file_id)


def _check_columns(file: StoredFile, mapping: Mapping[str, str]) -> None:
    problems = [
        FieldError(f"mapping.{place}", f"the file has no column {column!r}")
        for place, column in mapping.items()
        if column not in file.columns
    ]
    if problems:
        raise Invalid("unknown_column", f"The columns of {file.name} are: {', '.join(file.columns)}.", errors=problems)


async def _require_unused(uow: UnitOfWork, file_id: UUID, how: str) -> None:
    used = await uow.fetch_row(USED_BY, file_id)
    if used and used[how]:
        raise Conflict("file_in_use", "A campaign uses this list. Upload it again and make a campaign of that.")


async def _read_phones(uow: UnitOfWork, file: StoredFile, phone_of: PhoneReader) -> None:
    after = -1
    while rows := await uow.fetch(CELLS, file.id, after, PAGE):
        phones = await asyncio.to_thread(lambda: [phone_of(orjson.loads(row["cells"])) for row in polite(rows)])
        await uow.execute(SET_PHONES, [row["id"] for row in rows], phones)
        after = rows[-1]["number"]
    await uow.execute(MARK_SAME, file.id)


async def delete(uow: UnitOfWork, file_id: UUID) -> None:
    """Delete a file that no campaign uses. Raises NotFound and Conflict `file_in_use`."""
    await find(uow, file_id, lock=True)
    await _require_unused(uow, file_id, "used")
    await uow.execute(DELETE, file_id)


async def expire(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Delete the lists that no campaign uses after some days."""
    config: CampaignSettings = kernel.plugins.context(NAME).config
    await kernel.db.execute(EXPIRE, kernel.now() - timedelta(days=config.keep_files_days))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
