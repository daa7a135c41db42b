"""Files: uploaded, found again, and handed out by a host of their own (Meta Cloud API reference, section 8)."""

import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from .backend import Backend, Call
from .blobs import Blob, blob_of
from .errors import GraphError, missing, no_object
from .sending import number_of
from .world import File, RequestRecord

MEBIBYTE = 1024 * 1024
MOST = {"image": 5 * MEBIBYTE, "video": 16 * MEBIBYTE, "audio": 16 * MEBIBYTE}
LARGEST = 100 * MEBIBYTE
LARGEST_STICKER = 500 * 1024
TAKEN = {
    "image": {"image/jpeg", "image/png", "image/webp"},
    "video": {"video/mp4", "video/3gpp"},
    "audio": {"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"},
}
KEPT = 8 * MEBIBYTE
"""Of larger uploads only size and hash are kept."""


async def upload(call: Call) -> Any:
    """Take a file for a number."""
    number, file = number_of(call), call.files.get("file")
    if call.body.get("messaging_product") != "whatsapp":
        raise GraphError(100, "(#100) The parameter messaging_product is required.")
    if not isinstance(file, UploadFile):
        raise missing("file")
    mime_type = (file.content_type or "").partition(";")[0].strip().lower()
    if str(call.body.get("type", mime_type)).partition(";")[0].strip() != mime_type:
        raise GraphError(100, "Param type does not match the file's content type")
    blob = await _blob(file)
    _check(mime_type, blob.size)
    found = new_file(call.backend, number.id, mime_type, blob)
    return {"id": found.id}


def new_file(backend: Backend, number_id: str, mime_type: str, blob: Blob) -> File:
    """Keep a file under a new id."""
    file = File(str(secrets.randbelow(10**15) + 10**15), number_id, mime_type, blob)
    backend.world.files[file.id] = file
    return file


async def locate(call: Call) -> Any:
    """Say where a file is for the next minutes."""
    file = _file(call)
    expires = f"{time.time() + call.backend.options.url_seconds:.3f}"
    query = f"mid={file.id}&ext={expires}&hash={_hash(call.backend, file.id, expires)}"
    return {
        "messaging_product": "whatsapp",
        "url": f"{call.backend.files_url}/whatsapp_business/attachments/?{query}",
        "mime_type": file.mime_type,
        "sha256": file.blob.sha256,
        "file_size": file.blob.size,
        "id": file.id,
    }


async def delete(call: Call) -> Any:
    """Forget a file."""
    del call.world.files[_file(call).id]
    return {"success": True}


async def hand_out(backend: Backend, request: Request) -> Response:
    """Hand out a file on the file host: with the token, in time, and to a client that says its name."""
    query = dict(request.query_params)
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    record = RequestRecord("GET", f"files{request.url.path}", query, None, token, time.time())
    backend.world.requests.append(record)
    answer = _download(backend, query, token, request)
    record.status = answer.status_code
    return answer


def _download(backend: Backend, query: dict[str, str], token: str, request: Request) -> Response:
    fault = backend.faults.strike("GET files", "redirect", "answer")
    if fault is not None and fault.effect == "redirect":
        return RedirectResponse(fault.location)
    if fault is not None:
        return Response(str(fault.body or ""), fault.status)
    if token not in backend.world.tokens or not request.headers.get("user-agent"):
        return JSONResponse({"error": "unauthorized"}, 401)
    media_id, expires = query.get("mid", ""), query.get("ext", "0")
    file = backend.world.files.get(media_id)
    is_genuine = hmac.compare_digest(query.get("hash", ""), _hash(backend, media_id, expires))
    if file is None or not is_genuine or float(expires) < time.time():
        return Response("", 404)
    headers = {"content-length": str(file.blob.size)}
    return StreamingResponse(_pieces(file.blob), media_type=file.mime_type, headers=headers)


async def _pieces(blob: Blob) -> AsyncIterator[bytes]:
    for piece in blob.pieces():
        yield piece


def _file(call: Call) -> File:
    file = call.world.files.get(call.parts[0])
    asked_by = call.query.get("phone_number_id")
    if file is None or (asked_by and asked_by != file.number_id):
        raise no_object(call.parts[0])
    return file


async def _blob(file: UploadFile) -> Blob:
    if (file.size or 0) <= KEPT:
        return blob_of(await file.read())
    digest, size = hashlib.sha256(), 0
    while piece := await file.read(MEBIBYTE):
        digest.update(piece)
        size += len(piece)
    return Blob(size, digest.hexdigest())


def _check(mime_type: str, size: int) -> None:
    family = mime_type.partition("/")[0]
    if mime_type in ("", "application/octet-stream") or mime_type not in TAKEN.get(family, {mime_type}):
        raise GraphError(100, f"Param file must be a file with one of the supported types; received {mime_type!r}")
    most = LARGEST_STICKER if mime_type == "image/webp" else MOST.get(family, LARGEST)
    if not 0 < size <= most:
        raise GraphError(100, f"(#100) The file has {size} bytes; {most} are allowed for {mime_type}")


def _hash(backend: Backend, media_id: str, expires: str) -> str:
    return hmac.new(backend.world.app.secret.encode(), f"{media_id}:{expires}".encode(), "sha256").hexdigest()
