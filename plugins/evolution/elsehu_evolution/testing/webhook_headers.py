"""The headers that go with a webhook."""

import base64
import hashlib
import hmac
import time

import orjson

from .world import WebhookConfig

COMMON_HEADERS = {
    "Accept": "application/json, text/plain, */*",
    "Content-Type": "application/json",
    "User-Agent": "axios/1.13.2",
    "Accept-Encoding": "gzip, compress, deflate, br",
}


def headers_of(hook: WebhookConfig) -> dict[str, str]:
    """Return the headers of one event; the token of ``jwt_key`` is made here, once, before the retries."""
    own = dict(hook.headers or {})
    key = own.pop("jwt_key", None)
    given = {name.lower() for name in own}
    merged = {name: value for name, value in COMMON_HEADERS.items() if name.lower() not in given} | own
    if key:
        merged["Authorization"] = f"Bearer {_token(key)}"
    return merged


def _token(key: str) -> str:
    now = int(time.time())
    claims = {"iat": now, "exp": now + 600, "app": "evolution", "action": "webhook"}
    signed = b".".join(_base64url(orjson.dumps(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = hmac.new(key.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + _base64url(signature)).decode()


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
