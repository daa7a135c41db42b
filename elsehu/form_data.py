"""`multipart/form-data` as a stream: files go from storage to a provider without being in memory whole."""

import secrets
from collections.abc import AsyncIterator, Mapping

from elsehu.contracts.http import Upload

Files = Mapping[str, tuple[str, bytes, str] | Upload]
PLAIN = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
"""How browsers write what would end a quoted name."""


class FormData:
    """One form, of known length: `headers` and the chunks of its body."""

    def __init__(self, data: Mapping[str, str], files: Files) -> None:
        self._boundary = secrets.token_hex(16)
        self._parts = [*(_field(name, value) for name, value in data.items()), *map(_file, files, files.values())]

    @property
    def headers(self) -> dict[str, str]:
        """What the request's headers must say of this body."""
        frames = sum(len(self._frame(head)) + 2 for head, _ in self._parts)
        size = frames + sum(_size(content) for _, content in self._parts) + len(self._end)
        return {"content-type": f"multipart/form-data; boundary={self._boundary}", "content-length": str(size)}

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        for head, content in self._parts:
            yield self._frame(head)
            if isinstance(content, Upload):
                async for chunk in content.stream():
                    yield chunk
            else:
                yield content
            yield b"\r\n"
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


def _size(content: bytes | Upload) -> int:
    return content.size if isinstance(content, Upload) else len(content)
