"""``/instance/…`` and ``/settings/…`` (reference, section 2)."""

import asyncio
from typing import Any

from . import creation, sessions
from .backend import Answer, Call, Routes
from .errors import bad_request, refusal
from .schemas import check, required, typed
from .world import BAILEYS, SWITCHES, Instance, Json


async def connect(call: Call) -> Answer:
    """Start a session, or show what there is of one."""
    return 200, await _connected(call, call.instance, call.query.get("number"))


async def connection_state(call: Call) -> Answer:
    """Tell the state."""
    return 200, _state(call.instance)


async def fetch_instances(call: Call) -> Answer:
    """List instances, newest first: with the global key all, with a token those that have it."""
    instances = list(reversed(call.backend.world.instances.values()))
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
    if instance.qr is not None:
        return 200, sessions.shown_code(instance)
    if instance.state == "close":
        return 200, {"error": True, "message": "[object Object]"}
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


ROUTES: Routes = creation.ROUTES | {
    ("GET", "instance/connect"): connect,
    ("GET", "instance/connectionState"): connection_state,
    ("GET", "instance/fetchInstances"): fetch_instances,
    ("POST", "instance/restart"): restart,
    ("DELETE", "instance/logout"): logout,
    ("DELETE", "instance/delete"): delete,
    ("POST", "settings/set"): set_settings,
    ("GET", "settings/find"): find_settings,
}
