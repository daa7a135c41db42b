"""Who a campaign is for: rows of its file, or contacts by its filter, read in pieces that are never the same twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from elsehu.plugin import Filters, Row, UnitOfWork, parse_phone
from elsehu_campaigns.model import Campaign

FILE = "SELECT columns, mapping, default_region FROM campaign_files WHERE id = $1"
ROWS = """
SELECT number, cells, phone FROM campaign_file_rows WHERE file_id = $1 AND number > $2 ORDER BY number LIMIT $3
"""
SOME_ROWS = "SELECT number, cells FROM campaign_file_rows WHERE file_id = $1 AND number = ANY($2::int[])"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is known of a campaign's file; without one there are no columns."""

    columns: Sequence[str] = ()
    mapping: Mapping[str, str] | None = None
    default_region: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One of those whom a campaign is for.

    Attributes:
        key: how far the source is read with it: a row's number, a contact's id.
        written: the phone as the file has it.
        phone: its canonical digits, or None where it is no number (or the entry is a contact).
    """

    key: str
    row_number: int | None = None
    contact_id: UUID | None = None
    written: str = ""
    phone: str | None = None
    name: str = ""
    cells: Sequence[str] = ()


async def sheet_of(uow: UnitOfWork, file_id: UUID | None) -> Sheet:
    """Return what is known of a file; nothing where there is none."""
    row = await uow.fetch_row(FILE, file_id) if file_id else None
    if row is None:
        return Sheet()
    return Sheet(orjson.loads(row["columns"]), orjson.loads(row["mapping"]), row["default_region"])


async def read(uow: UnitOfWork, campaign: Campaign, sheet: Sheet, limit: int, region: str) -> list[Entry]:
    """Return the next entries after `campaign.planned_after`, at most `limit`; none when all were read."""
    if campaign.file_id is None:
        return await _contacts(uow, campaign, limit, region)
    rows = await uow.fetch(ROWS, campaign.file_id, int(campaign.planned_after or -1), limit)
    return [_entry(row, campaign, sheet, region) for row in rows]


def _entry(row: Row, campaign: Campaign, sheet: Sheet, region: str) -> Entry:
    cells = orjson.loads(row["cells"])
    guessed = sheet.mapping or {}
    phone_column = campaign.mapping.get("phone", guessed.get("phone", ""))
    written = _cell(cells, sheet, phone_column)
    is_parsed = phone_column == guessed.get("phone")
    phone = row["phone"] if is_parsed else parse_phone(written, sheet.default_region or region)
    name = _cell(cells, sheet, campaign.mapping.get("name", guessed.get("name", "")))
    return Entry(str(row["number"]), row["number"], None, written, phone, name, cells)


def _cell(cells: Sequence[str], sheet: Sheet, column: str) -> str:
    return cells[sheet.columns.index(column)].strip() if column in sheet.columns else ""


async def _contacts(uow: UnitOfWork, campaign: Campaign, limit: int, region: str) -> list[Entry]:
    wanted = filters_of(campaign.contact_filter or {}, region)
    if campaign.planned_after:
        wanted.add("id > {}", UUID(campaign.planned_after))
    found = f"SELECT id FROM public_contacts WHERE {wanted.where()} ORDER BY id LIMIT {int(limit)}"  # noqa: S608
    return [Entry(str(row["id"]), None, row["id"]) for row in await uow.fetch(found, *wanted.arguments)]


def filters_of(shown: Mapping[str, Any], region: str) -> Filters:
    """Return the conditions on `public_contacts` that a `contactFilter` means."""
    filters = Filters()
    filters.add("archived_at IS NULL AND merged_into IS NULL")
    if shown.get("tags"):
        filters.add("tags @> {}::varchar[]", list(shown["tags"]))
    if shown.get("ids") is not None:
        filters.add("id = ANY({}::uuid[])", [UUID(one) for one in shown["ids"]])
    if shown.get("search"):
        filters.add_search("search_text", shown["search"], region)
    return filters


async def cells_of(uow: UnitOfWork, campaign: Campaign, numbers: Sequence[int]) -> dict[int, list[str]]:
    """Return the cells of those rows of the campaign's file, by their numbers."""
    rows = await uow.fetch(SOME_ROWS, campaign.file_id, list(numbers)) if campaign.file_id else []
    return {row["number"]: orjson.loads(row["cells"]) for row in rows}
