"""The file of a message to send: whether the caller may send it, and the provider takes it as its kind."""

from uuid import UUID

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import ProviderSpec
from elsehu.contracts.user import Caller
from elsehu.kernel import Kernel
from elsehu.media.by_url import fetch
from elsehu.media.objects import drop
from elsehu.media.queries import sendable_upload
from elsehu.media.service import create, ready_file
from elsehu.media.voice import voice_note

FAMILIES = {
    Kind.IMAGE: ("image/",),
    Kind.STICKER: ("image/",),
    Kind.VIDEO: ("video/",),
    Kind.AUDIO: ("audio/", "video/"),
}
"""The types of file that each kind takes. Recordings of browsers come in containers that are told as video."""


async def check(
    kernel: Kernel, caller: Caller, media_id: UUID, kind: Kind, spec: ProviderSpec, *, field: str = "mediaId"
) -> None:
    """Raise unless `caller` may send the file, and the provider takes it as `kind`.

    A voice note is converted where the provider demands it. NotFound and Gone as `sendable_upload`; Invalid
    (media_type_unsupported, media_too_large, voice_format_unsupported, …), naming `field`.
    """
    row = await sendable_upload(kernel.db, caller, media_id)
    require_family(row["mime_type"], kind, field)
    if kind is Kind.AUDIO and row["is_voice"]:
        row = await voice_note(kernel, row, spec.voice_types, field)
    require_fit(row["mime_type"], row["size"], kind, spec, field)


async def from_url(kernel: Kernel, caller: Caller, url: str, kind: Kind, spec: ProviderSpec) -> UUID:
    """Fetch a file to be sent as `kind`, and return its id. Raises Invalid and Unavailable."""
    limit = spec.media_limits.get(kind)
    ours = kernel.settings.media.max_bytes
    stored = await fetch(kernel, url, min(ours, limit.max_bytes) if limit else ours)
    try:
        require_family(stored.mime_type, kind, "mediaUrl")
        require_fit(stored.mime_type, stored.size, kind, spec, "mediaUrl")
    except Invalid:
        await drop(kernel, stored)
        raise
    file = ready_file(stored, caller=caller)
    async with kernel.db.transaction() as uow:
        await create(uow, [file])
    return file.id


def require_family(mime_type: str, kind: Kind, field: str) -> None:
    """Raise Invalid where a file of this type is nothing that could be `kind` with any provider."""
    if not mime_type.startswith(FAMILIES.get(kind, ("",))):
        detail = f"A file of {mime_type} cannot be sent as {kind}; as a document it can."
        raise Invalid("media_type_unsupported", detail, errors=[FieldError(field, "has the wrong type")])


def require_fit(mime_type: str, size: int, kind: Kind, spec: ProviderSpec, field: str) -> None:
    """Raise Invalid unless the provider takes a file of this type and size (bytes) as `kind`."""
    limit = spec.media_limits.get(kind)
    if limit and size > limit.max_bytes:
        detail = f"{spec.name} takes at most {limit.max_bytes} bytes of {kind}; this file has {size}."
        raise Invalid("media_too_large", detail, errors=[FieldError(field, "is too large")])
    if limit and limit.mime_types and mime_type not in limit.mime_types:
        allowed = ", ".join(sorted(limit.mime_types))
        detail = f"{spec.name} takes {kind} only as {allowed}; this file is {mime_type}."
        raise Invalid("media_type_unsupported", detail, errors=[FieldError(field, "has the wrong type")])
