"""Who sends this webhook? The app's signature over the raw bytes, before anything is read (reference, section 12).

The secret is the app's, not the number's: a signature speaks for all numbers of the app, whichever of them the URL
names, and for no number of another.
"""

import hmac
from collections.abc import Sequence
from typing import Any

from elsehu.plugin import Accepted, Challenge, Instance, WebhookRejected, WebhookRequest, parse_json

SIGNATURE = "x-hub-signature-256"
SCHEME = "sha256="
NO_MODE = "This address answers Meta's verification: hub.mode=subscribe with hub.verify_token and hub.challenge."
WRONG_TOKEN = "This is not the verify token of the number. Enter the one of its credentials at Meta."  # noqa: S105


def receive(
    request: WebhookRequest, instances: Sequence[Instance], siblings: Sequence[Instance]
) -> Accepted | Challenge:
    """Authenticate a webhook, or answer the question whether this URL is ours.

    An authentic body is always accepted; one that is no JSON is taken as text. Raises WebhookRejected for a missing or
    wrong signature.
    """
    if request.method != "POST":
        return verify(request, instances)
    secrets = {secret for one in siblings for secret in secrets_of(one)}
    shown = _signature(request)
    proven = {secret for secret in secrets if _signs(secret, request.body, shown)}
    if not proven:
        raise WebhookRejected(
            "webhook_unproven",
            "The header X-Hub-Signature-256 is missing, or not made with the app secret of one of the numbers. Compare "
            "credentials.appSecret with the one in the app's settings at Meta.",
        )
    payload = parse_json(request.body)
    if payload is None:
        payload = request.body.decode("utf-8", "replace")
    return Accepted(payload, [one for one in siblings if not proven.isdisjoint(secrets_of(one))])


def verify(request: WebhookRequest, instances: Sequence[Instance]) -> Challenge:
    """Answer Meta's question, which it asks when the URL is entered, with its own challenge and nothing else."""
    query = request.query
    token, challenge = query.get("hub.verify_token"), query.get("hub.challenge")
    if query.get("hub.mode") != "subscribe" or token is None or challenge is None:
        return Challenge(NO_MODE, 400)
    is_ours = [_same(token, one.credentials.get("verify_token")) for one in instances]
    return Challenge(challenge) if any(is_ours) else Challenge(WRONG_TOKEN, 403)


def secrets_of(instance: Instance) -> Sequence[str]:
    """Return the app secrets of an instance: two while the app's is being changed."""
    secrets = instance.credentials.get("app_secret")
    found = secrets if isinstance(secrets, list | tuple) else [secrets]
    return [one for one in found if isinstance(one, str) and one]


def _signature(request: WebhookRequest) -> bytes:
    """Return the signature as it is shown, empty where there is none of the right kind (SHA-1 is not)."""
    shown = request.headers.get(SIGNATURE, "")
    return shown.removeprefix(SCHEME).encode("utf-8", "replace") if shown.startswith(SCHEME) else b""


def _signs(secret: str, body: bytes, shown: bytes) -> bool:
    expected = hmac.digest(secret.encode(), body, "sha256").hex()
    return hmac.compare_digest(expected.encode(), shown)


def _same(shown: str, expected: Any) -> bool:
    """Compare two texts in constant time; an empty one proves nothing."""
    return (
        isinstance(expected, str)
        and expected != ""
        and hmac.compare_digest(shown.encode("utf-8", "replace"), expected.encode())
    )
