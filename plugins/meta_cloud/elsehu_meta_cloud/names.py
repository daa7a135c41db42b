"""Names and types of files as Meta and its apps want them."""

import mimetypes
from pathlib import PurePosixPath

from elsehu.plugin import OutboundMedia, Rejected

UNKNOWN = "application/octet-stream"


def base_type(mime_type: str) -> str:
    """Return a media type without its parameters."""
    return mime_type.partition(";")[0].strip().lower()


def upload_type(file: OutboundMedia) -> str:
    """Return the media type under which Meta takes a file: any but the one that says nothing.

    Raises Rejected where the file's name tells no other either.
    """
    known = base_type(file.mime_type)
    if known == UNKNOWN:
        known = mimetypes.guess_type(file.file_name)[0] or UNKNOWN
    if known == UNKNOWN:
        detail = f"Meta takes no file of an unknown type ({file.file_name!r}). Give it a name with a usual extension."
        raise Rejected("media_type_unknown", detail)
    return known


def file_name(file: OutboundMedia) -> str:
    """Return the name that a customer sees: its extension decides the icon, so one without gets the type's."""
    name = file.file_name or "file"
    if PurePosixPath(name).suffix:
        return name
    return name + (mimetypes.guess_extension(base_type(file.mime_type)) or "")
