"""Our own webhooks coming in: who sent them, and what they say."""

from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Any

import orjson
from pydantic import ValidationError

from elsehu.plugin import Accepted, Broken, Instance, Item, Normalized, WebhookRejected, WebhookRequest
from elsehu_sandbox.wire import read_event

SECRET_HEADER = "x-elsehu-secret"  # noqa: S105


def receive(request: WebhookRequest, instances: Sequence[Instance]) -> Accepted:
    """Return the payload, spoken for the instance whose secret came with it. Raises WebhookRejected."""
    shown = (request.headers.get(SECRET_HEADER) or request.path_secret or "").encode()
    owners = [one for one in instances if compare_digest(shown, one.webhook_secret.encode())]
    if not owners:
        raise WebhookRejected("wrong_secret", "Send the instance's webhook secret in X-Elsehu-Secret.")
    return Accepted(_parse(request.body), owners[:1])


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return {"unreadable": body[:10_000].decode("utf-8", "backslashreplace")}


def normalize(accepted: Accepted) -> Normalized:
    """Return what the payload says; each event stands alone."""
    payload, instances = accepted.payload, accepted.instances
    events = payload.get("events") if isinstance(payload, dict) else None
    if not instances:
        return Normalized(raw=_without_bytes(payload))
    if not isinstance(events, list):
        broken = Broken("the body is no JSON object with a list of `events`", payload, instances[0].id)
        return Normalized(broken=[broken], raw=payload)
    read = [read_item(instances[0], event) for event in events]
    return Normalized(
        items=[one for one in read if isinstance(one, Item)],
        broken=[one for one in read if isinstance(one, Broken)],
        raw={**payload, "events": [_without_bytes(event) for event in events]},
        event_name=_name_of(events),
    )


def read_item(instance: Instance, event: Any, *, is_history: bool = False) -> Item | Broken | None:
    """Return what one event says, or None for a type that is not known."""
    raw = _without_bytes(event)
    if not isinstance(event, dict):
        return Broken("an event must be a JSON object", raw, instance.id)
    try:
        read = read_event(event, is_history=is_history)
    except ValidationError as error:
        return Broken(first_of(error), raw, instance.id)
    return Item(instance.id, read, raw) if read else None


def first_of(error: ValidationError) -> str:
    """Return the first thing that is wrong, and where."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _name_of(events: Sequence[Any]) -> str:
    kinds = {str(event.get("type"))[:40] for event in events if isinstance(event, dict)}
    return ",".join(sorted(kinds))[:100]


def _without_bytes(event: Any) -> Any:
    media = event.get("media") if isinstance(event, dict) else None
    if not isinstance(media, Mapping) or "base64" not in media:
        return event
    return {**event, "media": {name: value for name, value in media.items() if name != "base64"}}
