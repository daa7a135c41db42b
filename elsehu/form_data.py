"""`multipart/form-data` as a stream: files go from storage to a provider without being in memory whole."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

from elsehu.contracts.http import Upload

Files = Mapping[str, tuple[str, bytes, str] | Upload]
PLAIN = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
"""How browsers write what would end a quoted name."""


class BrokenUpload(Exception):
    """A file could not be read, or has not as many bytes as were announced."""


class FormData:
    """One form, of known length: `headers` and the chunks of its body.

    Until `is_whole`, its last piece has not left, so no server can have taken it.
    """

    def __init__(self, data: Mapping[str, str], files: Files) -> None:
        self.is_whole = False
        self._boundary = secrets.token_hex(16)
        self._parts = [*(_field(name, value) for name, value in data.items()), *map(_file, files, files.values())]

    @property
    def headers(self) -> dict[str, str]:
        """What the request's headers must say of this body."""
        frames = sum(len(self._frame(head)) + 2 for head, _ in self._parts)
        size = frames + sum(_size(content) for _, content in self._parts) + len(self._end)
        return {"content-type": f"multipart/form-data; boundary={self._boundary}", "content-length": str(size)}

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises BrokenUpload."""
        for head, content in self._parts:
            yield self._frame(head)
            if isinstance(content, Upload):
                async with aclosing(_exactly(content)) as pieces:
                    async for piece in pieces:
                        yield piece
            else:
                yield content
            yield b"\r\n"
        self.is_whole = True
        yield self._end

    def _frame(self, head: str) -> bytes:
        return f"--{self._boundary}\r\n{head}\r\n\r\n".encode()

    @property
    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()


def _field(name: str, value: str) -> tuple[str, bytes | Upload]:
    return f'Content-Disposition: form-data; name="{name.translate(PLAIN)}"', value.encode()


def _file(name: str, file: tuple[str, bytes, str] | Upload) -> tuple[str, bytes | Upload]:
    content: bytes | Upload
    if isinstance(file, Upload):
        file_name, content, mime_type = file.file_name, file, file.mime_type
    else:
        file_name, content, mime_type = file
    names = f'name="{name.translate(PLAIN)}"; filename="{file_name.translate(PLAIN)}"'
    return f"Content-Disposition: form-data; {names}\r\nContent-Type: {mime_type.translate(PLAIN)}", content


async def _exactly(upload: Upload) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file, whose number the request's headers have promised."""
    size = 0
    try:
        async for piece in upload.stream():
            size += len(piece)
            if size > upload.size:
                break
            yield piece
    except Exception as error:
        raise BrokenUpload("the file could not be read") from error
    if size != upload.size:
        raise BrokenUpload(f"the file has not the {upload.size} bytes that it should have")


def _size(content: bytes | Upload) -> int:
    return content.size if isinstance(content, Upload) else len(content)
