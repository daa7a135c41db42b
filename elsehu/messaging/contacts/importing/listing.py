"""Imports as they are shown, and the rows of theirs that failed."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from elsehu.clock import isoformat
from elsehu.contracts.errors import NotFound
from elsehu.db import Database, Row
from elsehu.http.pages import decode_cursor, page_of
from elsehu.http.schemas import PageQuery
from elsehu.messaging.contacts.importing.mapping import PROBLEM, ROW
from elsehu.sheets import Meaning

UNNAMED = re.compile(r"Column \d+")
ONE = "SELECT * FROM contact_imports WHERE id = $1"
SEVERAL = "SELECT * FROM contact_imports WHERE id = ANY($1::uuid[])"
PAGE = "SELECT * FROM contact_imports WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"
FAILED = """
SELECT id, number, cells, problem FROM contact_import_rows
WHERE import_id = $1 AND id > $2 AND problem IS NOT NULL ORDER BY id LIMIT 1000
"""


def import_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an import's REST shape."""
    return {
        "id": str(row["id"]),
        "status": row["status"],
        "fileName": row["file_name"],
        "columns": orjson.loads(row["columns"]),
        "mapping": orjson.loads(row["mapping"]),
        "defaultRegion": row["default_region"],
        **{name: row[name] for name in ("total", "created", "updated", "skipped", "failed")},
        "progress": _progress(row),
        "error": {"code": row["error_code"], "detail": row["error_detail"]} if row["error_code"] else None,
        "errorsUrl": f"/api/contacts/imports/{row['id']}/errors.csv" if row["failed"] else None,
        "createdAt": isoformat(row["created_at"]),
        "finishedAt": row["finished_at"] and isoformat(row["finished_at"]),
    }


def _progress(row: Mapping[str, Any]) -> float:
    """Return which part is done; all of it only when the import is finished."""
    if row["status"] == "finished":
        return 1.0
    done = row["created"] + row["updated"] + row["skipped"] + row["failed"]
    return min(round(done / row["total"], 3), 0.999) if row["total"] else 0.0


async def find(db: Database, import_id: UUID) -> Row:
    """Return the row of an import. Raises NotFound."""
    row = await db.fetch_row(ONE, import_id)
    if row is None:
        raise NotFound("import_not_found", "There is no such import; they are forgotten after 30 days.")
    return row


async def several(db: Database, import_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the REST shapes of imports by their ids."""
    return {row["id"]: import_view(row) for row in await db.fetch(SEVERAL, list(import_ids))}


async def import_page(db: Database, query: PageQuery) -> dict[str, Any]:
    """Return a page of imports, newest first. Raises Invalid."""
    before = decode_cursor(query.cursor, (UUID,))[0] if query.cursor else None
    rows = await db.fetch(PAGE, before, query.limit + 1)
    return page_of(rows, query.limit, lambda row: (row["id"],), import_view)


class ErrorTable:
    """The failed rows of an import as they were, with two columns of ours; those of an earlier time are left out."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        columns: list[str] = orjson.loads(row["columns"])
        meanings = {column: meaning for meaning in Meaning if (column := orjson.loads(row["mapping"]).get(meaning))}
        self._import_id: UUID = row["id"]
        self._width = len(columns)
        self._kept = [place for place, name in enumerate(columns) if name not in (ROW, PROBLEM)]
        self.header = [*(_heading(columns[place], meanings) for place in self._kept), ROW, PROBLEM]

    async def pages(self, db: Database) -> AsyncIterator[list[list[str]]]:
        """Yield the rows, many at a time."""
        last = 0
        while rows := await db.fetch(FAILED, self._import_id, last):
            yield [self._line(row) for row in rows]
            last = rows[-1]["id"]

    def _line(self, row: Row) -> list[str]:
        """Return the cells of a row. What is beyond the headings follows ours."""
        cells: list[str] = orjson.loads(row["cells"])
        ours = [str(row["number"]), row["problem"]]
        return [*(cells[place] for place in self._kept), *ours, *cells[self._width :]]


def _heading(column: str, meanings: Mapping[str, Meaning]) -> str:
    """Return a column's heading; one without is called after what it means, so that it can be told again."""
    return meanings[column].capitalize() if UNNAMED.fullmatch(column) and column in meanings else column
