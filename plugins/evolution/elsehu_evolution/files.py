"""File names whose extension says what the file is.

Evolution takes a file's type from its name's extension, whatever type is declared; a name without a known one
makes the type the text "false", and the phone gets a broken file (Evolution API reference, section 4).
"""

import mimetypes
import re

EXTENSIONS = {
    "application/msword": ".doc",
    "application/pdf": ".pdf",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/zip": ".zip",
    "audio/aac": ".aac",
    "audio/amr": ".amr",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/webm": ".webm",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "text/csv": ".csv",
    "text/plain": ".txt",
    "video/3gpp": ".3gp",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
}
ANY_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
SAME = {".jpeg": ".jpg", ".jpe": ".jpg", ".oga": ".ogg", ".opus": ".ogg", ".mpga": ".mp3", ".text": ".txt"}


def base_type(mime_type: str) -> str:
    """Return a media type without its parameters."""
    return mime_type.partition(";")[0].strip().lower()


def file_name(name: str, mime_type: str, *, keeps_extension: bool = False) -> str:
    """Return `name` with an extension from which Evolution makes `mime_type`.

    `keeps_extension`: whatever extension is there stays; a person's document is known by it.
    """
    found = ANY_EXTENSION.search(name)
    wanted = _extension(base_type(mime_type))
    if found and (keeps_extension or wanted is None):
        return name
    has = found[0].lower() if found else ""
    return name if SAME.get(has, has) == wanted else f"{name or 'file'}{wanted or '.bin'}"


def _extension(mime_type: str) -> str | None:
    return EXTENSIONS.get(mime_type) or mimetypes.guess_extension(mime_type)
