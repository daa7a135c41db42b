"""Where Meta sends webhooks: the account subscribed, the number's own address, the app's (reference, section 11).

What a number receives goes to its own address; what Meta says of templates and accounts always goes to the app's.
"""

from elsehu.plugin import Instance, PluginContext, ProviderError, Rejected

from .client import Graph, account_id, number_id
from .failures import Json
from .flavours import listed, mapping, text
from .numbers import app_url, callback

OBJECT = "whatsapp_business_account"
FIELDS = (
    "messages",
    "message_echoes",
    "smb_message_echoes",
    "message_template_status_update",
    "message_template_quality_update",
    "template_category_update",
    "phone_number_quality_update",
    "phone_number_name_update",
    "account_update",
    "account_review_update",
    "account_alerts",
    "business_capability_update",
    "security",
    "user_preferences",
)
"""What the app's address is to be told. Newer fields, which a version may refuse, are ticked by hand at Meta."""


async def subscribe(graph: Graph, instance: Instance) -> None:
    """Have Meta send webhooks of the account at all.

    An empty request would also take away an address that was set for the account, so none is made where the app
    is subscribed, or may be with such an address.
    """
    path = f"{account_id(instance)}/subscribed_apps"
    apps = [mapping(one) for one in listed(await graph.ask("GET", path), "data")]
    app_id = instance.credentials.get("app_id")
    ids = [text(mapping(one.get("whatsapp_business_api_data")).get("id")) for one in apps]
    has_address = any(one.get("override_callback_uri") for one in apps)
    if not (app_id in ids if app_id else has_address):
        await graph.ask("POST", path, body={})


async def set_callback(graph: Graph, instance: Instance, said: Json) -> str:
    """Have Meta send to the number's own address, which it asks first; return what an admin has to mend, or nothing."""
    configured = mapping(said.get("webhook_configuration"))
    if text(configured.get("phone_number")) == instance.webhook_url:
        return ""
    wanted = {
        "override_callback_uri": instance.webhook_url,
        "verify_token": str(instance.credentials["verify_token"]),
    }
    try:
        await graph.ask("POST", number_id(instance), body={"webhook_configuration": wanted})
    except Rejected as refusal:
        return (
            f"Messages cannot come in: Meta could not set {instance.webhook_url} as this number's webhook. Set "
            f"public_url to an https address that can be reached from outside, then connect again. {refusal.detail}"
        )
    return ""


async def clear_callback(graph: Graph, instance: Instance, said: Json) -> None:
    """Have Meta send nothing more to the number's own address, if it is ours."""
    if callback(said) == instance.webhook_url:
        await graph.ask("POST", number_id(instance), body={"webhook_configuration": {"override_callback_uri": ""}})


async def set_app_callback(context: PluginContext, graph: Graph, instance: Instance) -> str:
    """Have the app tell us of templates and accounts; return what an admin has still to do, or nothing.

    An address that the app has already is left alone: other programs may live by it.
    """
    app_id = instance.credentials.get("app_id")
    if app_id is None:
        return ""
    url, token = app_url(instance), f"{app_id}|{instance.credentials['app_secret'][0]}"
    try:
        answer = await graph.ask("GET", f"{app_id}/subscriptions", token=token)
        ours = [one for one in map(mapping, listed(answer, "data")) if one.get("object") == OBJECT]
        other = next((one for one in ours if text(one.get("callback_url")) not in (None, url)), None)
        if other is None and not _has_all(ours):
            await graph.ask("POST", f"{app_id}/subscriptions", body=_subscription(instance, url), token=token)
    except ProviderError as error:
        context.log("meta_app_callback_failed", instance=str(instance.id), code=error.code)
        return f"News of templates and account do not come: set the app's callback URL at Meta to {url} by hand."
    return (
        f"News of templates and account go elsewhere: Meta's app has another callback URL than {url}." if other else ""
    )


def _has_all(subscriptions: list[Json]) -> bool:
    names = {text(mapping(field).get("name")) for one in subscriptions for field in listed(one, "fields")}
    return names.issuperset(FIELDS)


def _subscription(instance: Instance, url: str) -> Json:
    return {
        "object": OBJECT,
        "callback_url": url,
        "verify_token": str(instance.credentials["verify_token"]),
        "fields": ",".join(FIELDS),
    }
