"""The webhook and the settings that an instance has at Evolution, and those that it must have (sections 2, 3)."""

from typing import Any

from elsehu.plugin import Instance

from .client import Server
from .flavours import Json, mapping
from .receive import HEADER

EVENTS = (
    "MESSAGES_UPSERT",
    "MESSAGES_UPDATE",
    "MESSAGES_DELETE",
    "SEND_MESSAGE",
    "CONNECTION_UPDATE",
    "QRCODE_UPDATED",
    "LOGOUT_INSTANCE",
    "REMOVE_INSTANCE",
    "STATUS_INSTANCE",
    "PRESENCE_UPDATE",
    "CALL",
)
"""Not MESSAGES_EDITED: Evolution waits for its answer and stops everything else meanwhile (section 6), and
edits come as MESSAGES_UPDATE as well. An empty list would mean all events, a missing one an error."""

KEPT_SETTINGS = ("msgCall", "wavoipToken")


def webhook_of(instance: Instance, found: Json | None = None) -> dict[str, Any]:
    """Return the webhook that an instance must have; headers that somebody added at Evolution stay."""
    headers = {name: value for name, value in mapping(mapping(found).get("headers")).items() if name != HEADER}
    return {
        "enabled": True,
        "url": instance.webhook_url,
        "byEvents": False,
        "base64": True,
        "headers": {**headers, HEADER: instance.webhook_secret},
        "events": list(EVENTS),
    }


def settings_of(instance: Instance, found: Json | None = None) -> dict[str, Any]:
    """Return the settings that an instance must have; what Elsehu has no word for stays as it is.

    All six switches must be given each time (section 2).
    """
    kept = mapping(found)
    ours = {
        "rejectCall": _is_on(instance, "reject_calls"),
        "groupsIgnore": not _is_on(instance, "groups"),
        "alwaysOnline": _is_on(instance, "always_online"),
        "readMessages": _is_on(instance, "read_messages"),
        "readStatus": kept.get("readStatus") is True,
        "syncFullHistory": _is_on(instance, "sync_history"),
    }
    texts = {name: kept[name] for name in KEPT_SETTINGS if type(kept.get(name)) is str}
    return {**ours, **texts}


async def align_webhook(server: Server, instance: Instance) -> bool:
    """Set the instance's webhook if it differs; return whether `base64` was off, which only a restart turns on."""
    found = mapping(await server.ask("GET", "webhook/find"))
    wanted = webhook_of(instance, found)
    if _as_stored(wanted) == {name: _comparable(found.get(name)) for name in _as_stored(wanted)}:
        return False
    await server.ask("POST", "webhook/set", {"webhook": wanted})
    return found.get("webhookBase64") is not True


async def align_settings(server: Server, instance: Instance) -> None:
    """Set the instance's settings if they differ."""
    found = mapping(await server.ask("GET", "settings/find"))
    wanted = settings_of(instance, found)
    if any(found.get(name) != value for name, value in wanted.items()):
        await server.ask("POST", "settings/set", wanted)


def _as_stored(webhook: Json) -> dict[str, Any]:
    """Return a webhook under the names of the stored row, which spells two flags differently."""
    renamed = {"byEvents": "webhookByEvents", "base64": "webhookBase64"}
    return {renamed.get(name, name): _comparable(value) for name, value in webhook.items()}


def _comparable(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else value


def _is_on(instance: Instance, name: str) -> bool:
    return instance.settings.get(name) is True
