"""Files as the API shows them."""

from collections.abc import Mapping
from typing import Any

from elsehu.http.schemas import ApiModel
from elsehu.media.types import has_thumbnail


class Media(ApiModel):
    """A message's file. `url` hands it out when `state` is `ready`; the others are pending, failed, expired.

    `thumbnailUrl` hands out a small picture of it, where it is a picture and ready.
    """

    id: str
    mime_type: str
    size: int | None
    file_name: str
    state: str
    url: str | None
    thumbnail_url: str | None


def media_view(row: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    """Return the REST shape of a file (a row of `media_files`); `url` is that of the message that it is in."""
    return {
        "id": str(row["id"]),
        "mimeType": row["mime_type"],
        "size": row["size"],
        "fileName": row["file_name"],
        "state": row["state"],
        "url": url,
        "thumbnailUrl": f"{url}?thumbnail=true" if url and _is_shown_small(row) else None,
    }


def _is_shown_small(row: Mapping[str, Any]) -> bool:
    return row["state"] == "ready" and has_thumbnail(row["mime_type"])


def media_url(message_id: object) -> str:
    """Return the path under which a message's file is handed out."""
    return f"/api/messages/{message_id}/media"
