"""Numbers, subscriptions and webhook addresses (Meta Cloud API reference, section 11)."""

import re
from typing import Any

from .backend import Call
from .errors import GraphError, bad, missing, no_object
from .sending import number_of
from .world import Account, App, Number

LONGEST_URL = 200
ALWAYS = ("id", "display_phone_number", "verified_name", "quality_rating")


async def get_number(call: Call) -> Any:
    """Tell the fields that were asked for; one that this version does not know fails the whole call."""
    number = number_of(call)
    names = [name for name in call.query.get("fields", ",".join(ALWAYS)).split(",") if name]
    facts = _facts(call, number)
    for name in names:
        if name not in facts or name in call.world.unknown_fields:
            raise GraphError(100, f"Tried accessing nonexisting field ({name}) on node type (PhoneNumber)")
    return {"id": number.id, **{name: facts[name] for name in names}}


async def change_number(call: Call) -> Any:
    """Set or remove the number's own webhook address."""
    number, wanted = number_of(call), call.body.get("webhook_configuration")
    if not isinstance(wanted, dict):
        raise missing("webhook_configuration")
    number.callback = await _verified(call, wanted)
    return {"success": True}


async def list_numbers(call: Call) -> Any:
    """List the numbers of an account."""
    account = _account(call)
    numbers = [one for one in call.world.numbers.values() if one.waba_id == account.id]
    return {"data": [{"id": one.id, "display_phone_number": _display(one.phone)} for one in numbers]}


async def list_subscribed(call: Call) -> Any:
    """List the apps that hear of an account."""
    account = _account(call)
    override = {"override_callback_uri": account.callback} if account.callback else {}
    return {
        "data": [{"whatsapp_business_api_data": {"id": one, "name": "app"}, **override} for one in account.subscribed]
    }


async def subscribe(call: Call) -> Any:
    """Subscribe the app; without an address in the body an override goes."""
    account = _account(call)
    account.callback = await _verified(call, call.body)
    account.subscribed.add(call.world.app.id)
    return {"success": True}


async def unsubscribe(call: Call) -> Any:
    """Unsubscribe the app."""
    _account(call).subscribed.discard(call.world.app.id)
    return {"success": True}


async def list_subscriptions(call: Call) -> Any:
    """Tell the app's own address and fields."""
    app = _app(call)
    if app.callback is None:
        return {"data": []}
    fields = [{"name": name, "version": "v24.0"} for name in app.fields]
    one = {"object": "whatsapp_business_account", "callback_url": app.callback, "fields": fields, "active": True}
    return {"data": [one]}


async def set_subscription(call: Call) -> Any:
    """Set the app's own address, which must answer, and its fields."""
    app, body = _app(call), call.body
    if body.get("object") != "whatsapp_business_account" or not body.get("fields"):
        raise missing("object and fields")
    asked = {"override_callback_uri": body.get("callback_url"), "verify_token": body.get("verify_token")}
    app.callback = await _verified(call, asked)
    app.fields = tuple(str(body["fields"]).split(","))
    return {"success": True}


async def _verified(call: Call, wanted: dict[str, Any]) -> str | None:
    """Return the address that is wanted once it has answered; None for an empty one."""
    url = wanted.get("override_callback_uri")
    if not url:
        return None
    if not isinstance(url, str) or len(url) > LONGEST_URL or not re.match(r"https?://", url):
        raise bad("override_callback_uri must be a web address of at most 200 characters")
    if not wanted.get("verify_token"):
        raise missing("verify_token")
    answered = await call.backend.webhooks.verify(url, str(wanted["verify_token"]))
    if answered != 200:
        raise GraphError(2200, f"Callback verification failed with the following errors: HTTP status {answered}")
    return url


def _facts(call: Call, number: Number) -> dict[str, Any]:
    account = call.world.accounts[number.waba_id]
    addresses = {
        "phone_number": number.callback,
        "whatsapp_business_account": account.callback,
        "application": call.world.app.callback,
    }
    return {
        "id": number.id,
        "display_phone_number": _display(number.phone),
        **number.facts,
        "webhook_configuration": {level: url for level, url in addresses.items() if url},
    }


def _display(phone: str) -> str:
    return f"+{phone[:-10]} {phone[-10:-7]}-{phone[-7:-4]}-{phone[-4:]}"


def _account(call: Call) -> Account:
    account = call.world.accounts.get(call.parts[0])
    if account is None:
        raise no_object(call.parts[0])
    return account


def _app(call: Call) -> App:
    app = call.world.app
    if call.parts[0] != app.id:
        raise no_object(call.parts[0])
    if call.token != f"{app.id}|{app.secret}":
        raise GraphError(190, "This method must be called with an app access token", status=401)
    return app
