"""A file out of a multipart body, while it still arrives: nothing is held in memory or spooled to disk."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from elsehu.contracts.errors import FieldError, Invalid, Malformed, TooLarge, UnsupportedMedia
from elsehu.http.bodies import paced

OVERHEAD = 16 * 1024
"""How many bytes boundaries and headers may add to a file."""

Headers = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file that is being uploaded. `declared_type` and `file_name` are the sender's claims."""

    file_name: str
    declared_type: str
    chunks: AsyncIterator[bytes]


async def file_part(request: Request, limit: int, seconds: float, field: str = "file") -> FilePart:
    """Return the one file of a multipart request, in its field `field`; its bytes come as they arrive.

    `limit` is the largest body in bytes, `seconds` how long a small one may take. Here or while the bytes are read it
    raises UnsupportedMedia (no multipart), TooLarge, TooSlow, Malformed (broken, or broken off) and Invalid (another
    field, a second file).
    """
    found = parts(request, limit, seconds)
    headers = await anext(found, None)
    if not isinstance(headers, dict):
        raise Malformed("malformed_multipart", f"The body holds no parts. Send the file in the field {field!r}.")
    name, file_name = names_of(headers)
    if name != field or file_name is None:
        problem = FieldError(name, "is not taken here")
        raise Invalid("invalid_request", f"Send one file, in the field {field!r}.", errors=[problem])
    return FilePart(file_name, declared_type_of(headers), _only_data(found, field))


def names_of(headers: Headers) -> tuple[str, str | None]:
    """Return the name of a part's field, and that of its file if it is one."""
    _, options = parse_options_header(headers.get(b"content-disposition", b""))
    file_name = options.get(b"filename")
    return text_of(options.get(b"name", b"")), None if file_name is None else text_of(file_name)


def declared_type_of(headers: Headers) -> str:
    """Return the media type that a part's sender claims."""
    return text_of(headers.get(b"content-type", b""))


async def _only_data(parts: AsyncIterator[Headers | bytes], field: str) -> AsyncIterator[bytes]:
    async for part in parts:
        if isinstance(part, dict):
            raise Invalid("invalid_request", f"Send one file, in the field {field!r}, and nothing beside it.")
        yield part


async def parts(request: Request, limit: int, seconds: float) -> AsyncIterator[Headers | bytes]:
    """Yield each part's headers and then its data. Raises what `file_part` raises, but for Invalid."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit + OVERHEAD:
        raise _too_large(limit)
    reader = _Reader(_boundary(request))
    size = 0
    try:
        async for piece in paced(request, seconds):
            size += len(piece)
            if size > limit + OVERHEAD:
                raise _too_large(limit)
            for found in reader.feed(piece):
                yield found
    except ClientDisconnect:
        raise Malformed("upload_broken_off", "The connection broke before the file was whole. Send it again.") from None
    except FormParserError:
        raise Malformed("malformed_multipart", "The body is not valid multipart/form-data.") from None
    if not reader.is_whole:
        raise Malformed("malformed_multipart", "The body ends before its last boundary. Send it again.")


class _Reader:
    """Collects what the push parser finds."""

    def __init__(self, boundary: bytes) -> None:
        self.is_whole = False
        self._found: deque[Headers | bytes] = deque()
        self._headers: Headers = {}
        self._name = self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> deque[Headers | bytes]:
        """Return what `piece` completes. Raises FormParserError."""
        self._found = deque()
        self._parser.write(piece)
        return self._found

    def _begin(self) -> None:
        self._headers = {}

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        self._found.append(self._headers)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._found.append(data[start:end])

    def _end(self) -> None:
        self.is_whole = True


def _boundary(request: Request) -> bytes:
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    if media_type != b"multipart/form-data" or not options.get(b"boundary"):
        raise UnsupportedMedia("unsupported_media_type", "Send the file as multipart/form-data.")
    return options[b"boundary"]


def text_of(raw: bytes) -> str:
    """Return `raw` as UTF-8, else as what old browsers send."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _too_large(limit: int) -> TooLarge:
    return TooLarge("too_large", f"The file may have at most {limit} bytes.")
