"""Imports as they are asked for: looked at, stored with their file, and the file read back by whoever does them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from elsehu.contracts.user import Caller
from elsehu.db import UnitOfWork
from elsehu.identity import audit
from elsehu.identity.audit import Origin
from elsehu.ids import new_id
from elsehu.messaging.contacts.importing.mapping import resolve
from elsehu.messaging.contacts.importing.schemas import ColumnMapping
from elsehu.sheets import open_sheet
from elsehu.sheets.model import MIB

SAMPLE = 100
"""Rows from which columns are guessed."""

CHUNK = 256 * 1024
LOOKED_AT = 5 * MIB
"""Bytes of the largest file that is looked at while somebody waits. What is wrong with others, the import tells."""

NOWHERE = Origin(address="", request_id="")

INSERT = """
INSERT INTO contact_imports (id, file_name, mapping, default_region, created_by) VALUES ($1, $2, $3::jsonb, $4, $5)
"""
ADD_CHUNK = "INSERT INTO contact_import_chunks (import_id, content) VALUES ($1, $2)"
NEXT_CHUNK = "SELECT id, content FROM contact_import_chunks WHERE import_id = $1 AND id > $2 ORDER BY id LIMIT 1"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be imported: the file at `path`, called `file_name`, and how it is to be read."""

    path: Path
    file_name: str
    mapping: ColumnMapping
    region: str


async def look_at(asked: Asked) -> None:
    """Refuse at once a file that is no table, or has other columns. Raises what `open_sheet` and `resolve` raise."""
    await asyncio.to_thread(_look_at, asked)


def _look_at(asked: Asked) -> None:
    if asked.path.stat().st_size > LOOKED_AT:
        return
    with open_sheet(asked.path) as sheet:
        resolve(asked.mapping, sheet.columns, [row.cells for row in islice(sheet.rows, SAMPLE)])


async def store(uow: UnitOfWork, asked: Asked, by: Caller, origin: Origin = NOWHERE) -> UUID:
    """Store an import that is to be done with its file, and return its id."""
    import_id = new_id()
    mapping = asked.mapping.model_dump_json(by_alias=True, exclude_unset=True)
    await uow.execute(INSERT, import_id, asked.file_name, mapping, asked.region, by.user_id)
    details = {"file": asked.file_name}
    await audit.record(uow, by, "contacts_imported", f"import:{import_id}", details, **origin)
    with asked.path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            await uow.execute(ADD_CHUNK, import_id, chunk)
    return import_id


@asynccontextmanager
async def stored_file(uow: UnitOfWork, import_id: UUID) -> AsyncIterator[Path]:
    """Have the file of an import on this machine's disk."""
    with TemporaryDirectory(prefix="elsehu-import-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "file"
        with path.open("wb") as file:
            last = 0
            while row := await uow.fetch_row(NEXT_CHUNK, import_id, last):
                last = row["id"]
                await asyncio.to_thread(file.write, row["content"])
        yield path
