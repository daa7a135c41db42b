"""Who sends this webhook? Authentication before anything else (Evolution API reference, section 6).

Four proofs count, each compared in constant time. The header that we set with the webhook, and a JWT signed
with the same secret (`jwt_key`), come from the one webhook that is ours: they name the instance by
themselves. The secret in the path, and the instance's token in the body, can also come from a server's
global webhook, which speaks for all its instances: there the name in the body must be the instance's, too.
"""

import hmac
from collections.abc import Iterator, Sequence
from typing import Any

import jwt

from elsehu.plugin import Accepted, Instance, WebhookRejected, WebhookRequest, parse_json

from .config import instance_name
from .flavours import mapping, text

HEADER = "X-Elsehu-Secret"
HEADER_NAME = HEADER.lower()
LATE_SECONDS = 3600
"""A JWT is made before the retries, which take up to half an hour; and clocks differ."""


def receive(request: WebhookRequest, instances: Sequence[Instance]) -> Accepted:
    """Return the parsed body and whose it is. Raises WebhookRejected for a missing or wrong proof.

    An authenticated body is always accepted: of one that is no JSON the payload is None, and one that names
    an instance which we do not know has no instances.
    """
    own = [one for one in instances if _shows_our_webhook(request, one)]
    if own and request.instance_id is not None:
        return Accepted(parse_json(request.body), own[:1])
    proven = own or [one for one in instances if _is(request.path_secret, one.webhook_secret)]
    payload = parse_json(request.body)
    proven = proven or [one for one in instances if _shows_token(payload, one)]
    if not proven:
        raise WebhookRejected(
            "webhook_unproven",
            f"Neither the header {HEADER}, nor a JWT, the path or the body proves that this comes from the "
            "instance's server. Connect the instance again: that sets its webhook anew.",
        )
    return Accepted(payload, list(_named(payload, proven))[:1])


def _shows_our_webhook(request: WebhookRequest, instance: Instance) -> bool:
    return _is(request.headers.get(HEADER_NAME), instance.webhook_secret) or _is_signed(request, instance)


def _is_signed(request: WebhookRequest, instance: Instance) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not instance.webhook_secret:
        return False
    try:
        jwt.decode(
            token.strip(),
            instance.webhook_secret,
            algorithms=["HS256"],
            leeway=LATE_SECONDS,
            options={"require": ["exp"]},
        )
    except jwt.PyJWTError:
        return False
    return True


def _shows_token(payload: Any, instance: Instance) -> bool:
    shown = text(mapping(payload).get("apikey"))
    token, key = instance.state.get("token"), instance.credentials.get("api_key")
    return _is(shown, token) | _is(shown, key)


def _named(payload: Any, proven: Sequence[Instance]) -> Iterator[Instance]:
    """Yield those of `proven` that the body speaks of; a body without any name speaks of the only one."""
    name = mapping(payload).get("instance")
    for instance in proven:
        if name == instance_name(instance) or (type(payload) is not dict and len(proven) == 1):
            yield instance


def _is(shown: Any, expected: Any) -> bool:
    """Compare two secrets in constant time; an empty one proves nothing."""
    if type(shown) is not str or type(expected) is not str or not expected:
        return False
    return hmac.compare_digest(shown.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))
