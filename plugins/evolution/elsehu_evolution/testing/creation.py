"""``/instance/create`` and all that can be wrong with it (reference, section 2)."""

import asyncio
import time
from uuid import uuid4

from . import sessions
from .backend import Answer, Backend, Call, Routes
from .errors import bad_request, refusal
from .schemas import check, typed
from .webhook_routes import ACCEPTED
from .world import BAILEYS, BUSINESS, EVOLUTION, SWITCHES, Instance, Json, WebhookConfig

DATABASE_TEXT = "(raw ORM validation error text, several lines, includes server file paths; removed here)"
STRINGS = ("number", "token", "businessId", "msgCall")


async def create(call: Call) -> Answer:
    """Create an instance; with ``qrcode`` wait for the first code as well."""
    body = call.body
    check(body, typed("string", "instanceName", *STRINGS), typed("boolean", "qrcode", *SWITCHES))
    _refuse_bad_creation(call)
    instance = _made(body)
    hook = body.get("webhook") or {}
    if hook and "events" not in hook:
        call.backend.world.half_made[instance.name] = time.monotonic() + call.backend.options.half_made
        raise bad_request("Cannot read properties of undefined (reading 'length')")
    if hook:
        instance.webhook = _webhook(hook)
    call.backend.world.instances[instance.name] = instance
    told = {"instanceName": instance.name, "instanceId": instance.id}
    call.backend.fire(instance, "instance.create", told)
    return 201, await _created(call, instance)


def half_made(backend: Backend, name: str) -> bool:
    """Tell whether a failed creation left this name behind for a moment."""
    until = backend.world.half_made.get(name, 0)
    return until > time.monotonic()


def _refuse_bad_creation(call: Call) -> None:
    body = call.body
    if "instanceName" not in body:
        raise bad_request(DATABASE_TEXT)
    if body["instanceName"] in call.backend.world.instances:
        raise refusal(403, [f'This name "{body["instanceName"]}" is already in use.'])
    if body.get("integration") not in (BAILEYS, BUSINESS, EVOLUTION):
        raise bad_request("Invalid integration")
    if body["integration"] == BUSINESS:
        for name in ("token", "number"):
            if not body.get(name):
                raise bad_request(f"{name} is required")


def _made(body: Json) -> Instance:
    instance = Instance(
        body["instanceName"],
        body["integration"],
        body.get("token") or str(uuid4()).upper(),
        body.get("number"),
        body.get("businessId"),
        state="close" if body["integration"] == BAILEYS else "open",
    )
    instance.settings |= {name: body[name] for name in instance.settings if name in body}
    return instance


def _webhook(given: Json) -> WebhookConfig:
    """Make the webhook of a new instance: names are not validated, ``enabled: false`` does not count."""
    return WebhookConfig(
        given.get("url", ""),
        list(given["events"]) or list(ACCEPTED),
        headers=given.get("headers"),
        by_events=bool(given.get("byEvents")),
        base64=bool(given.get("base64")),
    )


async def _created(call: Call, instance: Instance) -> Json:
    wants_code = instance.integration == BAILEYS and bool(call.body.get("qrcode"))
    business = instance.integration == BUSINESS
    shown = {
        "instanceName": instance.name,
        "instanceId": instance.id,
        "integration": instance.integration,
        "webhookWaBusiness": f"{call.backend.url}/webhook/meta" if business else None,
        "accessTokenWaBusiness": "evolution" if business else "",
        "status": "connecting" if wants_code else instance.state,
    }
    names = {"url": "webhookUrl", "headers": "webhookHeaders", "byEvents": "webhookByEvents", "base64": "webhookBase64"}
    hook = call.body.get("webhook") or {}
    answer: Json = {
        "instance": shown,
        "hash": instance.token,
        "webhook": {names[name]: hook[name] for name in names if name in hook},
        **{name: {} for name in ("websocket", "rabbitmq", "nats", "sqs")},
        "settings": instance.settings,
    }
    if wants_code:
        sessions.begin(call.backend, instance, instance.number)
        await asyncio.sleep(call.backend.options.create_wait)
        answer["qrcode"] = sessions.shown_code(instance)
    return answer


ROUTES: Routes = {("POST", "instance/create"): create}
