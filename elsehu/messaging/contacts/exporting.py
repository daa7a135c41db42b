"""Handing out all that is kept of a contact: one ZIP with JSON for programs and people, and the files."""

import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import PurePath
from typing import IO, Any
from uuid import UUID

import orjson

from elsehu.contracts.errors import Gone
from elsehu.db import Row, UnitOfWork
from elsehu.kernel import Kernel
from elsehu.media.queries import stored
from elsehu.messaging.contacts.data import keepers
from elsehu.messaging.contacts.erasing import person_of
from elsehu.messaging.contacts.listing import get_contact, kept_contact
from elsehu.messaging.conversations.views import conversation_views
from elsehu.messaging.messages.views import message_views

CHUNK = 256 * 1024
PAGE = 500
MESSAGES = "SELECT id, seq FROM messages WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
FILES = """
SELECT DISTINCT f.id, f.file_name, f.storage, f.storage_key
FROM media_files f JOIN messages m ON m.media_id = f.id
WHERE m.conversation_id = ANY($1::uuid[]) AND f.storage_key IS NOT NULL ORDER BY f.id
"""


async def export(kernel: Kernel, contact_id: UUID, file: IO[bytes]) -> None:
    """Write a ZIP of everything kept of a contact into `file`, in constant memory. Raises NotFound.

    Files that are gone from storage are named in `missing.json`.
    """
    async with kernel.db.reader() as uow:
        kept = await kept_contact(uow, contact_id)
        person, _ = await person_of(uow, kept)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            _write(archive, "contact.json", await get_contact(uow, kept))
            conversations = await conversation_views(kernel.db, person.conversation_ids)
            _write(archive, "conversations.json", list(conversations.values()))
            for conversation_id in conversations:
                await _messages(uow, archive, conversation_id)
            for one in keepers(kernel):
                _write(archive, f"{one.name}.json", await one.export(uow, person))
            rows = await uow.fetch(FILES, person.conversation_ids)
            _write(archive, "missing.json", [name async for name in _files(kernel, archive, rows)])


async def _messages(uow: UnitOfWork, archive: zipfile.ZipFile, conversation_id: UUID) -> None:
    """Write a conversation's messages, one JSON object a line."""
    last = -1
    with archive.open(f"messages/{conversation_id}.jsonl", "w", force_zip64=True) as member:
        while rows := await uow.fetch(MESSAGES, conversation_id, last, PAGE):
            views = await message_views(uow, [row["id"] for row in rows])
            member.writelines(orjson.dumps(views[row["id"]], option=orjson.OPT_APPEND_NEWLINE) for row in rows)
            last = rows[-1]["seq"]


async def _files(kernel: Kernel, archive: zipfile.ZipFile, rows: Iterable[Row]) -> AsyncIterator[str]:
    """Write the bytes of files; yield the names of those that are not in storage."""
    for row in rows:
        name = f"media/{row['id']}{PurePath(row['file_name']).suffix}"
        with archive.open(name, "w", force_zip64=True) as member:
            try:
                async with aclosing(stored(kernel, row)) as chunks:
                    async for chunk in chunks:
                        member.write(chunk)
            except Gone:
                yield name


def _write(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    archive.writestr(name, orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str))


async def exported(kernel: Kernel, contact_id: UUID) -> IO[bytes]:
    """Return a temporary file with the ZIP, at its beginning. Raises NotFound."""
    file = tempfile.TemporaryFile(prefix="elsehu-export-")  # noqa: SIM115 - `chunks_of` closes it
    try:
        await export(kernel, contact_id, file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


async def chunks_of(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield what `file` holds, and close it."""
    with file:
        while chunk := file.read(CHUNK):
            yield chunk
