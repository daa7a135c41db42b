"""``/instance/…`` and ``/settings/…`` (reference, section 2)."""

import asyncio
import time
from typing import Any
from uuid import uuid4

from . import sessions
from .backend import Answer, Backend, Call, Routes
from .errors import bad_request, refusal
from .schemas import check, required, typed
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


async def connect(call: Call) -> Answer:
    """Start a session, or show what there is of one."""
    return 200, await _connected(call, call.instance, call.query.get("number"))


async def connection_state(call: Call) -> Answer:
    """Tell the state."""
    return 200, _state(call.instance)


async def fetch_instances(call: Call) -> Answer:
    """List instances: with the global key all, with a token those that have it."""
    instances = list(call.backend.world.instances.values())
    if call.key != call.backend.options.global_key:
        instances = [instance for instance in instances if instance.token == call.key]
    name = call.query.get("instanceName")
    wanted = {"name": name, "id": call.query.get("instanceId"), "number": call.query.get("number")}
    rows = [_row(instance) for instance in instances]
    rows = [row for row in rows if all(value is None or row[field] == value for field, value in wanted.items())]
    if name is not None and not rows:
        raise refusal(404, [f'Instance "{name}" not found'])
    return 200, rows


async def restart(call: Call) -> Answer:
    """Drop the connection and come back; of a closed instance a 200 that is an error."""
    instance = call.instance
    if instance.state == "close":
        return 200, {"error": True, "message": "[object Object]"}
    if instance.state == "connecting":
        return 200, sessions.shown_code(instance)
    if instance.integration == BAILEYS:
        sessions.restarted(call.backend, instance)
    return 200, {"instance": {"instanceName": instance.name, "state": "open"}}


async def logout(call: Call) -> Answer:
    """Unlink the phone; instance, token, webhook and messages stay."""
    instance = call.instance
    if instance.state == "close":
        raise bad_request(f'The "{instance.name}" instance is not connected')
    sessions.logged_out(call.backend, instance)
    return 200, _success("Instance logged out")


async def delete(call: Call) -> Answer:
    """Delete an instance in any state, with all that it stored."""
    backend, instance = call.backend, call.instance
    if instance.state != "close":
        sessions.logged_out(backend, instance)
    backend.fire(instance, "remove.instance", None)
    told = {"instanceName": instance.name, "instanceId": instance.id}
    backend.fire(instance, "instance.delete", told)
    del backend.world.instances[instance.name]
    return 200, _success("Instance deleted")


async def set_settings(call: Call) -> Answer:
    """Replace the settings; all six switches are demanded."""
    check(call.body, required(*SWITCHES), typed("boolean", *SWITCHES), typed("string", "msgCall", "wavoipToken"))
    given = {name: call.body[name] for name in call.instance.settings if name in call.body}
    call.instance.settings |= given
    return 201, {"settings": {"instanceName": call.instance.name, "settings": given}}


async def find_settings(call: Call) -> Answer:
    """Return the settings, flat."""
    return 200, call.instance.settings


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


async def _connected(call: Call, instance: Instance, number: str | None) -> Json:
    if instance.state == "open":
        return _state(instance)
    if instance.integration != BAILEYS:
        return {}
    if instance.state == "close":
        sessions.begin(call.backend, instance, number)
        await asyncio.sleep(call.backend.options.connect_wait)
    return sessions.shown_code(instance)


def _state(instance: Instance) -> Json:
    return {"instance": {"instanceName": instance.name, "state": instance.state}}


def _success(message: str) -> Json:
    return {"status": "SUCCESS", "error": False, "response": {"message": message}}


def _row(instance: Instance) -> Json:
    gone = instance.disconnection or {}
    links: dict[str, Any] = dict.fromkeys(("Chatwoot", "Proxy", "Rabbitmq", "Nats", "Sqs", "Websocket"))
    return {
        "id": instance.id,
        "name": instance.name,
        "connectionStatus": instance.state,
        "ownerJid": instance.owner_jid,
        "profileName": instance.profile_name,
        "profilePicUrl": None,
        "integration": instance.integration,
        "number": instance.number,
        "businessId": instance.business_id,
        "token": instance.token,
        "clientName": "evolution_exchange",
        "disconnectionReasonCode": gone.get("disconnectionReasonCode"),
        "disconnectionObject": gone.get("disconnectionObject"),
        "disconnectionAt": gone.get("disconnectionAt"),
        "createdAt": instance.created_at,
        "updatedAt": instance.updated_at,
        **links,
        "Setting": {
            "id": instance.settings_id,
            **instance.settings,
            "createdAt": instance.created_at,
            "updatedAt": instance.created_at,
            "instanceId": instance.id,
        },
        "_count": {
            "Message": len(instance.messages),
            "Contact": len(instance.contacts),
            "Chat": len(instance.contacts),
        },
    }


ROUTES: Routes = {
    ("POST", "instance/create"): create,
    ("GET", "instance/connect"): connect,
    ("GET", "instance/connectionState"): connection_state,
    ("GET", "instance/fetchInstances"): fetch_instances,
    ("POST", "instance/restart"): restart,
    ("DELETE", "instance/logout"): logout,
    ("DELETE", "instance/delete"): delete,
    ("POST", "settings/set"): set_settings,
    ("GET", "settings/find"): find_settings,
}
