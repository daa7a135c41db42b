"""``/webhook/set`` and ``/webhook/find``, with their traps (reference, section 3)."""

from .backend import Answer, Call, Routes
from .errors import refusal
from .ids import iso_now
from .schemas import check, required, typed, within
from .world import Json, WebhookConfig

# fmt: off
ACCEPTED = [
    "APPLICATION_STARTUP", "QRCODE_UPDATED", "MESSAGES_SET", "MESSAGES_UPSERT", "MESSAGES_EDITED",
    "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE", "SEND_MESSAGE_UPDATE", "CONTACTS_SET",
    "CONTACTS_UPSERT", "CONTACTS_UPDATE", "PRESENCE_UPDATE", "CHATS_SET", "CHATS_UPSERT",
    "CHATS_UPDATE", "CHATS_DELETE", "GROUPS_UPSERT", "GROUP_UPDATE", "GROUP_PARTICIPANTS_UPDATE",
    "CONNECTION_UPDATE", "LABELS_EDIT", "LABELS_ASSOCIATION", "CALL", "TYPEBOT_START",
    "TYPEBOT_CHANGE_STATUS", "REMOVE_INSTANCE", "LOGOUT_INSTANCE", "INSTANCE_CREATE", "INSTANCE_DELETE",
    "STATUS_INSTANCE",
]
# fmt: on


async def set_webhook(call: Call) -> Answer:
    """Store a webhook: ``headers``, ``byEvents`` and ``base64`` left out keep what they were."""
    check(
        call.body,
        required("webhook"),
        within(
            "webhook",
            required("enabled", "url", of="webhook"),
            typed("boolean", "enabled", "byEvents", "base64"),
            typed("string", "url"),
            _known_events,
        ),
    )
    given = call.body["webhook"]
    if "events" not in given:
        raise refusal(500, "Cannot read properties of undefined (reading 'length')")
    call.instance.webhook = _changed(call.instance.webhook, given)
    return 201, row(call.instance.id, call.instance.webhook)


async def find_webhook(call: Call) -> Answer:
    """Return the stored row, or null."""
    hook = call.instance.webhook
    return 200, row(call.instance.id, hook) if hook else None


def row(instance_id: str, hook: WebhookConfig) -> Json:
    """Return the webhook as the database has it; two flags have other names here."""
    return {
        "id": hook.row_id,
        "url": hook.url,
        "headers": hook.headers,
        "enabled": hook.enabled,
        "events": hook.events,
        "webhookByEvents": hook.by_events,
        "webhookBase64": hook.base64,
        "createdAt": hook.created_at,
        "updatedAt": hook.updated_at,
        "instanceId": instance_id,
    }


def _changed(old: WebhookConfig | None, given: Json) -> WebhookConfig:
    hook = old or WebhookConfig("", [])
    hook.url, hook.enabled = given["url"], given["enabled"]
    hook.events = (list(given["events"]) or list(ACCEPTED)) if hook.enabled else []
    hook.headers = given.get("headers", hook.headers)
    hook.by_events = given.get("byEvents", hook.by_events)
    hook.base64 = given.get("base64", hook.base64)
    hook.updated_at = iso_now()
    return hook


def _known_events(given: Json) -> list[str]:
    listed = ",".join(ACCEPTED)
    return [
        f"webhook.events[{index}] is not one of enum values: {listed}"
        for index, event in enumerate(given.get("events", []))
        if event not in ACCEPTED
    ]


ROUTES: Routes = {("POST", "webhook/set"): set_webhook, ("GET", "webhook/find"): find_webhook}
