"""Names and types of files as Meta and its apps want them."""

import mimetypes
from pathlib import PurePosixPath

from elsehu.plugin import OutboundMedia


def base_type(mime_type: str) -> str:
    """Return a media type without its parameters."""
    return mime_type.partition(";")[0].strip().lower()


def file_name(file: OutboundMedia) -> str:
    """Return the name that a customer sees: its extension decides the icon, so one without gets the type's."""
    name = file.file_name or "file"
    if PurePosixPath(name).suffix:
        return name
    return name + (mimetypes.guess_extension(base_type(file.mime_type)) or "")
