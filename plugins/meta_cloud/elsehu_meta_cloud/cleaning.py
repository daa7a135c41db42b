"""What may be kept of a webhook's body: everything but secrets and the signed addresses of files."""

from typing import Any

from .flavours import id_of

DEEPEST = 60
LEFT_OUT = frozenset({"access_token", "app_secret", "sdp", "verify_token"})
"""Secrets, and the description of a caller's network. Meta should not send the former; nobody should keep them."""


def clean(value: Any, urls: dict[str, str], depth: int = 0) -> Any:
    """Return JSON as it may be stored and shown, and put the addresses of its files into `urls` by media id.

    A file's address carries a signature and lives for five minutes (reference, sections 8 and 15.8). What is nested
    deeper than anything sane becomes null. Cleaning twice changes nothing.
    """
    kind = type(value)
    if kind is dict:
        return _object(value, urls, depth + 1) if depth < DEEPEST else None
    if kind is list:
        return [clean(one, urls, depth + 1) for one in value] if depth < DEEPEST else None
    return value


def _object(value: dict[str, Any], urls: dict[str, str], depth: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, one in value.items():
        if name in LEFT_OUT:
            continue
        kind = type(one)
        kept[name] = clean(one, urls, depth) if kind is dict or kind is list else one
    if "url" in kept and ("mime_type" in kept or "sha256" in kept):
        _take_address(kept, urls)
    return kept


def _take_address(media: dict[str, Any], urls: dict[str, str]) -> None:
    url, media_id = media.pop("url"), id_of(media.get("id"))
    if type(url) is str and media_id:
        urls[media_id] = url
