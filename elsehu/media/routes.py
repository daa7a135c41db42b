"""The media routes. A message's file is handed out by messaging, which knows who may see it."""

from collections.abc import Sequence
from typing import Any

from elsehu.contracts.message import Kind
from elsehu.http.operations import Call, Operation
from elsehu.media.schemas import Uploaded, UploadQuery
from elsehu.media.service import create, ready_file
from elsehu.media.uploads import receive_upload


async def upload(call: Call[None, UploadQuery]) -> dict[str, Any]:
    """Store a file to be sent later."""
    kind = Kind.AUDIO if call.query.voice else call.query.kind and Kind(call.query.kind)
    stored = await receive_upload(call.kernel, call.request, kind)
    file = ready_file(stored, is_voice=call.query.voice, caller=call.caller)
    async with call.transaction() as uow:
        await create(uow, [file])
    return {"id": str(file.id), "mimeType": stored.mime_type, "size": stored.size, "sha256": stored.sha256}


OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST",
        "/api/media",
        upload,
        "Upload a file to send (multipart, one field `file`). Its type is found by its content.",
        "media",
        query=UploadQuery,
        answer=Uploaded,
        status=201,
        refusals=(413, 415, 422, 503),
        multipart=True,
    ),
)
