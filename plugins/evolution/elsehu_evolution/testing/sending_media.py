"""``/message/…``: pictures, videos, documents, sounds and stickers, with the traps that they have."""

import base64
import binascii
import re
from urllib.parse import unquote, urlsplit

import httpx

from .backend import Call
from .content import audio, document, image, is_image, is_sound, mime_by_name, upload, video
from .errors import bad_request, refusal
from .outbox import Outgoing, context
from .world import Json

NOT_OWNED = "Owned media must be a url or base64"
NO_NAME_TYPE = (
    'TypeError [ERR_INVALID_ARG_TYPE]: The "string" argument must be of type string or an instance of Buffer'
    " or ArrayBuffer. Received type boolean (false)"
)
DEFAULT_NAMES = {"image": "image.jpg", "video": "video.mp4"}
VOICE = "audio/ogg; codecs=opus"
ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]|[^.]+(\.[^.]+)*\.[A-Za-z]{2,}")


async def media(call: Call, jid: str) -> Outgoing:
    """Prepare ``sendMedia``: the name's extension decides the MIME type, whatever was declared."""
    body = call.body
    kind, source = body["mediatype"], body.get("media", "")
    name = _file_name(kind, source, body.get("fileName"))
    data = await fetch(source)
    mimetype = mime_by_name(name)
    if kind == "audio" and mimetype == "false":
        raise bad_request(NO_NAME_TYPE)
    if kind == "image" and not is_image(data):
        raise refusal(500, ["Error: Input buffer contains unsupported image format"])
    caption = body.get("caption")
    file = upload(call.backend.world.cdn, data, mimetype)
    content = {
        "image": lambda: image(file, data, caption),
        "video": lambda: video(file, caption, gifPlayback=False),
        "audio": lambda: audio(file, voice=False),
        "document": lambda: document(file, name, caption),
    }[kind]()
    shown = _shown(data, mimetype) | {"fileName": name} | ({"caption": caption} if caption else {})
    return Outgoing(kind, shown, f"{kind}Message", {f"{kind}Message": content}, context(call, jid))


async def voice_note(call: Call, jid: str) -> Outgoing:
    """Prepare a voice note; what is no sound is converted into nothing, without any complaint."""
    data = await fetch(call.body["audio"])
    if call.body.get("encoding", True) and not is_sound(data):
        data = b""
    content = audio(upload(call.backend.world.cdn, data, VOICE), voice=True)
    info = context(call, jid, attributions=True, quotes=False)
    shown = _shown(data, VOICE) | {"ptt": True}
    return Outgoing("audio", shown, "audioMessage", {"audioMessage": content}, info)


async def sticker(call: Call, jid: str) -> Outgoing:
    """Prepare a sticker; the conversion to WebP is not done, only declared."""
    data = await fetch(call.body["sticker"])
    content = upload(call.backend.world.cdn, data, "image/webp")
    info = context(call, jid, attributions=True)
    return Outgoing("sticker", _shown(data, "image/webp"), "stickerMessage", {"stickerMessage": content}, info)


def is_url(source: str) -> bool:
    """Tell whether the server takes this for a URL: the host needs a real domain or is an address."""
    parts = urlsplit(source)
    return parts.scheme in ("http", "https") and bool(ADDRESS.fullmatch(parts.netloc.rpartition("@")[2].split(":")[0]))


async def fetch(source: object) -> bytes:
    """Return the bytes behind a URL or bare base64; refuse anything else as the server does."""
    if not isinstance(source, str):
        raise bad_request(NOT_OWNED)
    if is_url(source):
        return await _download(source)
    try:
        data = base64.b64decode(source, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise bad_request(NOT_OWNED)
    return data


async def _download(url: str) -> bytes:
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
        try:
            response = await client.get(url)
        except httpx.TransportError as error:
            raise refusal(500, [f"AxiosError: {error}"]) from error
    if not response.is_success:
        raise refusal(500, [f"AxiosError: Request failed with status code {response.status_code}"])
    return response.content


def _file_name(kind: str, source: object, given: str | None) -> str:
    if given:
        return given
    url = isinstance(source, str) and is_url(source)
    if kind == "document" and not url and isinstance(source, str) and _looks_base64(source):
        raise bad_request("For base64 the file name must be informed.")
    if kind in DEFAULT_NAMES:
        return DEFAULT_NAMES[kind]
    return unquote(urlsplit(str(source)).path.rpartition("/")[2]) if url else ""


def _looks_base64(source: str) -> bool:
    return bool(source) and len(source) % 4 == 0 and re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", source) is not None


def _shown(data: bytes, mimetype: str) -> Json:
    return {"mimetype": mimetype, "base64": base64.b64encode(data).decode()}
