"""What the tests of this plugin share: sample webhooks, and the two numbers to which they are addressed."""

import hmac
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from elsehu.plugin import Instance, InstanceStatus

from .standin_fixtures import http, meta, running, world  # noqa: F401

WEBHOOKS = Path(__file__).parent / "webhooks"
APP_SECRET = "elsehu-sample-app-secret"
VERIFY_TOKEN = "the-verify-token"
TOKEN = "EAAG-sample-access-token"
WABA, OTHER_WABA = "900000000000001", "900000000000002"
NUMBER, OTHER_NUMBER = "800000000000001", "800000000000002"
PHONE, OTHER_PHONE = "+12025550100", "+12025550101"
ID = UUID("01990000-0000-7000-8000-0000000000a1")
OTHER_ID = UUID("01990000-0000-7000-8000-0000000000b2")


def names() -> list[str]:
    """Return the names of all sample webhooks."""
    return sorted(path.stem for path in WEBHOOKS.glob("*.json"))


def bytes_of(name: str) -> bytes:
    """Return a sample webhook as it is posted."""
    return (WEBHOOKS / f"{name}.json").read_bytes()


def body_of(name: str) -> dict[str, Any]:
    """Return a sample webhook, fresh."""
    body: dict[str, Any] = orjson.loads(bytes_of(name))
    return body


def signature(body: bytes, secret: str = APP_SECRET) -> str:
    """Return what Meta writes into X-Hub-Signature-256."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def make_instance(**changes: Any) -> Instance:
    """Return the samples' first number; `credentials` and `settings` are laid over the usual ones."""
    credentials = {
        "access_token": TOKEN,
        "phone_number_id": NUMBER,
        "waba_id": WABA,
        "app_secret": [APP_SECRET],
        "verify_token": VERIFY_TOKEN,
        "app_id": None,
    }
    usual: dict[str, Any] = {
        "id": ID,
        "name": "Support",
        "phone": PHONE,
        "provider": "meta_cloud",
        "state": {},
        "status": InstanceStatus.CONNECTED,
        "webhook_url": f"http://127.0.0.1:9/api/webhooks/meta_cloud/{ID}",
        "webhook_secret": "unused",
    }
    laid_over = {
        "credentials": credentials | changes.pop("credentials", {}),
        "settings": dict(changes.pop("settings", {})),
    }
    return Instance(**(usual | laid_over | changes))


def other_instance(**changes: Any) -> Instance:
    """Return the samples' second number, of the same account and app."""
    credentials = {"phone_number_id": OTHER_NUMBER} | changes.pop("credentials", {})
    return make_instance(**({"id": OTHER_ID, "name": "Sales", "phone": OTHER_PHONE} | changes), credentials=credentials)
