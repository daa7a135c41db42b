"""The file of a message to send: whether the caller may send it, and the provider takes it as its kind."""

from uuid import UUID

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import ProviderSpec
from elsehu.contracts.user import Caller
from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.media.queries import sendable_upload

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

    NotFound and Gone as `sendable_upload`; Invalid (media_type_unsupported, media_too_large), naming `field`.
    """
    fits(await sendable_upload(kernel.db, caller, media_id), kind, spec, field)


def fits(row: Row, kind: Kind, spec: ProviderSpec, field: str) -> None:
    """Raise Invalid unless the provider takes the file of `row` as `kind`."""
    wrong_type = [FieldError(field, "has the wrong type")]
    if not row["mime_type"].startswith(FAMILIES.get(kind, ("",))):
        detail = f"A file of {row['mime_type']} cannot be sent as {kind}; as a document it can."
        raise Invalid("media_type_unsupported", detail, errors=wrong_type)
    limit = spec.media_limits.get(kind)
    if limit and row["size"] > limit.max_bytes:
        detail = f"{spec.name} takes at most {limit.max_bytes} bytes of {kind}; this file has {row['size']}."
        raise Invalid("media_too_large", detail, errors=[FieldError(field, "is too large")])
    if limit and limit.mime_types and row["mime_type"] not in limit.mime_types:
        allowed = ", ".join(sorted(limit.mime_types))
        detail = f"{spec.name} takes {kind} only as {allowed}; this file is {row['mime_type']}."
        raise Invalid("media_type_unsupported", detail, errors=wrong_type)
