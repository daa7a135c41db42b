"""What the media routes take and give."""

from typing import Literal

from elsehu.http.schemas import ApiModel


class UploadQuery(ApiModel):
    """`kind`: what the file is to be sent as (default: as its content says). `voice`: an audio that is a voice note."""

    kind: Literal["image", "audio", "video", "document", "sticker"] | None = None
    voice: bool = False


class Uploaded(ApiModel):
    """An uploaded file: give its `id` as `mediaId` to POST /api/messages/send. `sha256` is in hex."""

    id: str
    mime_type: str
    size: int
    sha256: str
