"""Uploads that are read and thrown away (a list of people, say), on this machine's disk while they are read."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from elsehu.contracts.errors import FieldError, Invalid, TooLarge
from elsehu.http.bodies import too_slow
from elsehu.http.operations import Call
from elsehu.media.multipart import Headers, declared_type_of, names_of, parts, text_of
from elsehu.media.names import safe_name

FILE = "file"
LONGEST_SECONDS = 10 * 60


LONGEST_FIELD = 64 * 1024


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file as it was uploaded: where it is, its name as its sender calls it (cleaned, never empty), its bytes.

    `fields` are what was sent beside it.
    """

    path: Path
    name: str
    size: int
    fields: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def receive_file(
    call: Call[Any, Any], max_bytes: int, fields: Collection[str] = ()
) -> AsyncIterator[ReceivedFile]:
    """Receive the one file, in the field `file`, of an operation with `multipart=True`; it is deleted in the end.

    Other `fields` may come with it, before or after. Raises TooLarge (more than `max_bytes`, or than `[server]
    max_upload_bytes`), TooSlow, Malformed (broken, broken off), UnsupportedMedia (no multipart) and Invalid (no file
    or an empty one, another field, one twice or too long).
    """
    limit = min(max_bytes, call.kernel.settings.server.max_upload_bytes)
    with TemporaryDirectory(prefix="elsehu-upload-", ignore_cleanup_errors=True) as folder:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                received = await _received(call, limit, Path(folder) / "file", fields)
        except TimeoutError:
            raise too_slow() from None
        yield received


async def _received(call: Call[Any, Any], limit: int, path: Path, fields: Collection[str]) -> ReceivedFile:
    form, seconds = _Form(fields), call.kernel.settings.server.body_timeout
    with path.open("wb") as file:
        async for found in parts(call.request, limit + LONGEST_FIELD * len(fields), seconds):
            if isinstance(found, dict):
                form.begin(found)
            elif form.is_in_file:
                await asyncio.to_thread(file.write, found)
            else:
                form.add(found)
        size = file.tell()
    if size > limit:
        raise TooLarge("too_large", f"The file may have at most {limit} bytes.")
    if form.file_name is None or not size:
        problem = "has no bytes" if form.file_name is not None else "is missing"
        raise _invalid("Send a file with something in it in the field 'file'.", FILE, problem)
    return ReceivedFile(path, form.file_name, size, {name: text_of(bytes(raw)) for name, raw in form.fields.items()})


class _Form:
    """What has come of a form: the name of its file, and its `fields`."""

    def __init__(self, known: Collection[str]) -> None:
        self.file_name: str | None = None
        self.fields: dict[str, bytearray] = {}
        self.is_in_file = False
        self._known = known
        self._name = ""

    def begin(self, headers: Headers) -> None:
        """Hear a part begin. Raises Invalid for one that is not taken."""
        self._name, file_name = names_of(headers)
        self.is_in_file = self._name == FILE and file_name is not None and self.file_name is None
        if self.is_in_file:
            self.file_name = safe_name(file_name or "", declared_type_of(headers))
        elif self._name in self._known and file_name is None and self._name not in self.fields:
            self.fields[self._name] = bytearray()
        else:
            beside = "".join(f", and beside it {name!r}" for name in self._known)
            raise _invalid(f"Send one file, in the field 'file'{beside}, each once.", self._name, "is not taken here")

    def add(self, data: bytes) -> None:
        """Add to the field that began last. Raises Invalid if that is too long."""
        value = self.fields[self._name]
        value += data
        if len(value) > LONGEST_FIELD:
            detail = f"A field beside the file may have at most {LONGEST_FIELD} bytes."
            raise _invalid(detail, self._name, "is too long")


def _invalid(detail: str, name: str, problem: str) -> Invalid:
    return Invalid("invalid_request", detail, errors=[FieldError(name, problem)])
