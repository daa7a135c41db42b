"""What may be kept of a webhook's body: everything but secrets, media bytes, thumbnails and key material."""

from collections.abc import Callable
from typing import Any

from .flavours import mapping, sha256_of

DEEPEST = 60
LEFT_OUT = frozenset(
    {
        # Secrets. `destination` is our own URL, which may carry one.
        "apikey",
        "destination",
        "token",
        "jwt_key",
        "password",
        "authorization",
        "accessToken",
        # Bytes and what decrypts or shows them.
        "base64",
        "buffer",
        "directPath",
        "fileEncSha256",
        "jpegThumbnail",
        "mediaKey",
        "mediaKeyTimestamp",
        "streamingSidecar",
        "thumbnail",
        "thumbnailDirectPath",
        "thumbnailEncSha256",
        "thumbnailSha256",
        "waveform",
        # Key material of conversations and of our own devices.
        "appStateSyncKeyShare",
        "axolotlSenderKeyDistributionMessage",
        "encIv",
        "encPayload",
        "keyData",
        "messageContextInfo",
        "messageSecret",
        "senderKeyDistributionMessage",
    }
)
CHANGES_OF_MESSAGES = frozenset({"MESSAGE_EDIT", "REVOKE", 14, 0})
"""The types of `messages.edited` that concern a person's message; the rest is traffic of our own devices."""


def clean_body(body: dict[str, Any]) -> dict[str, Any]:
    """Return a webhook's `body` as it may be stored and shown. Cleaning twice changes nothing."""
    cleaned: dict[str, Any] = clean(body) or {}
    event = cleaned.get("event")
    stricter = STRICTER.get(event) if type(event) is str else None
    if stricter is not None:
        data = cleaned.get("data")
        cleaned["data"] = [stricter(one) for one in data] if type(data) is list else stricter(data)
    return cleaned


def clean(value: Any, depth: int = 0) -> Any:
    """Return JSON without what must not be kept. What is nested deeper than anything sane becomes null."""
    kind = type(value)
    if kind is dict:
        return _clean_object(value, depth + 1)
    if kind is list:
        return [clean(one, depth + 1) for one in value] if depth < DEEPEST else None
    return value


def _clean_object(value: dict[str, Any], depth: int) -> dict[str, Any] | None:
    if depth > DEEPEST or type(value.get("0")) is int or value.get("type") == "Buffer":
        return None
    kept: dict[str, Any] = {}
    for name, one in value.items():
        if name in LEFT_OUT:
            continue
        kind = type(one)
        if kind is dict or kind is list:
            one = sha256_of(one) if name == "fileSha256" else clean(one, depth)  # noqa: PLW2901
        kept[name] = one
    return kept


def _without_device_traffic(data: Any) -> Any:
    kind = mapping(data).get("type")
    if type(kind) not in (str, int):
        return {"type": None}
    return data if kind in CHANGES_OF_MESSAGES else {"type": kind}


def _without_codes(data: Any) -> Any:
    if type(data) is not dict or type(data.get("qrcode")) is not dict:
        return data
    code = {name: one for name, one in data["qrcode"].items() if name not in ("code", "pairingCode")}
    return {**data, "qrcode": code}


STRICTER: dict[str, Callable[[Any], Any]] = {
    "messages.edited": _without_device_traffic,
    "qrcode.updated": _without_codes,
}
"""What of an event's data may be kept, where names of fields alone do not say."""
