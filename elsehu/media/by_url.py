"""Files that are sent by their URL: fetched by us, once, and kept like an upload."""

from urllib.parse import unquote

from python_multipart.multipart import parse_options_header

from elsehu.contracts.errors import FieldError, Invalid, TooLarge
from elsehu.kernel import Kernel
from elsehu.media.objects import StoredMedia, drop, identify, store
from elsehu.public_fetch import PublicFile, UrlFailed, UrlRefused, public_file


async def fetch(kernel: Kernel, url: str, limit: int, field: str = "mediaUrl") -> StoredMedia:
    """Store what `url` shows, at most `limit` bytes; the caller makes it a file (`service.create`).

    Raises Invalid (`media_url_refused`, `media_url_failed`, `media_too_large`) naming `field`, and Unavailable.
    """
    settings = kernel.settings.media
    try:
        async with public_file(url, settings.url_timeout, settings.url_networks) as file:
            return await _stored(kernel, file, limit)
    except UrlRefused as refusal:
        detail = f"The file is not fetched from this address: {refusal}. Upload it with POST /api/media instead."
        raise Invalid("media_url_refused", detail, errors=[FieldError(field, str(refusal))]) from None
    except UrlFailed as failure:
        detail = f"The file could not be fetched from its address: {failure}. Correct it, or upload the file."
        raise Invalid("media_url_failed", detail, errors=[FieldError(field, str(failure))]) from None
    except TooLarge:
        problem = FieldError(field, f"may have at most {limit} bytes")
        raise Invalid(
            "media_too_large", f"The file has more than the {limit} bytes that it may have.", errors=[problem]
        ) from None


async def _stored(kernel: Kernel, file: PublicFile, limit: int) -> StoredMedia:
    if file.size is not None and file.size > limit:
        raise TooLarge("too_large", "The file is announced as too large.")
    mime_type, chunks = await identify(file.chunks, file.headers.get("content-type", ""))
    stored = await store(kernel, chunks, mime_type, _name(file), limit)
    if stored.size == 0:
        await drop(kernel, stored)
        raise UrlFailed("it is empty")
    return stored


def _name(file: PublicFile) -> str:
    """Return the name that the answer gives, else the last part of its address."""
    _, options = parse_options_header(file.headers.get("content-disposition", ""))
    given = options.get(b"filename", b"").decode(errors="replace")
    return given or unquote(file.url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2])
