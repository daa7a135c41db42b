"""What is to be known of a list before it is used: who can be sent to, and of every other row why not."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson

from elsehu.plugin import Kernel, Row, UnitOfWork, to_e164
from elsehu_campaigns.files.storing import StoredFile

SAMPLE = 5
MOST_ERRORS = 100
PAGE = 250

PROBLEM = """
    CASE WHEN r.phone IS NULL THEN 'invalid_number' WHEN r.same_as IS NOT NULL THEN 'duplicate'
         WHEN r.phone IN (SELECT p.phone FROM public_contacts c JOIN public_phones p ON p.contact_id = c.id
                          WHERE c.opted_out_at IS NOT NULL)
         THEN 'opted_out' END
"""
COUNT = f"""
SELECT p.problem, count(*) AS count
FROM (SELECT {PROBLEM} AS problem FROM campaign_file_rows r WHERE r.file_id = $1) p GROUP BY 1
"""  # noqa: S608 - a constant
ERRORS = f"""
SELECT * FROM (
    SELECT r.number, r.cells, r.phone, r.same_as, {PROBLEM} AS problem
    FROM campaign_file_rows r WHERE r.file_id = $1 AND r.number > $2
) p WHERE p.problem IS NOT NULL ORDER BY p.number LIMIT $3
"""  # noqa: S608 - a constant
FIRST = "SELECT number, cells, phone FROM campaign_file_rows WHERE file_id = $1 ORDER BY number LIMIT $2"


async def report(uow: UnitOfWork, file: StoredFile) -> dict[str, Any]:
    """Return the REST shape of what is known of a list. Every row is one of valid, invalid, duplicate, opted out."""
    counts = {row["problem"]: row["count"] for row in await uow.fetch(COUNT, file.id)}
    errors = await uow.fetch(ERRORS, file.id, -1, MOST_ERRORS)
    sample = await uow.fetch(FIRST, file.id, SAMPLE)
    return {
        "fileId": str(file.id),
        "name": file.name,
        "columns": list(file.columns),
        "mapping": dict(file.mapping),
        "defaultRegion": file.default_region,
        "rows": file.rows,
        "valid": counts.get(None, 0),
        "invalid": counts.get("invalid_number", 0),
        "duplicates": counts.get("duplicate", 0),
        "optedOut": counts.get("opted_out", 0),
        "sample": [_sample(file, row) for row in sample],
        "errors": [_error(file, row) for row in errors],
        "errorsTotal": file.rows - counts.get(None, 0),
    }


def _sample(file: StoredFile, row: Row) -> dict[str, Any]:
    values = dict(zip(file.columns, orjson.loads(row["cells"]), strict=False))
    return {"row": row["number"], "phone": row["phone"] and to_e164(row["phone"]), "values": values}


def _error(file: StoredFile, row: Row) -> dict[str, Any]:
    return {"row": row["number"], "code": row["problem"], "value": _written(file, row), "message": words(file, row)}


def words(file: StoredFile, row: Mapping[str, Any]) -> str:
    """Return in words why a row (of ERRORS) is not sent to."""
    if row["problem"] == "opted_out":
        return "this person does not want campaigns"
    if row["problem"] == "duplicate":
        return f"the same person as in row {row['same_as']}"
    if "phone" not in file.mapping:
        return "no column was taken for phone numbers; name it in `mapping`"
    written = _written(file, row)
    if not written:
        return f"no number in the column {file.mapping['phone']}"
    return f"{written[:40]!r} is no phone number; write it with its country code, as +5511999990000"


def _written(file: StoredFile, row: Mapping[str, Any]) -> str:
    """Return what the row has in the column of phone numbers."""
    column = file.mapping.get("phone")
    cells: Sequence[str] = orjson.loads(row["cells"])
    place = file.columns.index(column) if column in file.columns else len(cells)
    return cells[place].strip() if place < len(cells) else ""


async def error_rows(kernel: Kernel, file: StoredFile) -> AsyncIterator[Sequence[Sequence[str]]]:
    """Yield, page by page, the rows that are not sent to: as they were, with their number and the reason."""
    after = -1
    while rows := await kernel.db.fetch(ERRORS, file.id, after, PAGE):
        yield [[*orjson.loads(row["cells"]), str(row["number"]), words(file, row)] for row in rows]
        after = rows[-1]["number"]
