"""Where Meta sends webhooks: the account subscribed, the number's own address, the app's (reference, section 11).

What a number receives goes to its own address; what Meta says of templates and accounts always goes to the app's.
"""

from elsehu.plugin import Instance, PluginContext, ProviderError, Rejected

from .client import Graph, account_id, number_id
from .failures import Json
from .flavours import listed, mapping, text
from .numbers import app_url, callback, reaches_us

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


async def set_app_callback(context: PluginContext, graph: Graph, instance: Instance, said: Json) -> str:
    """Have the app tell us of templates and accounts; return what an admin has still to do, or nothing.

    An address that the app has already is left alone: other programs may live by it.
    """
    url = app_url(instance)
    if instance.credentials.get("app_id") is None:
        known = text(mapping(said.get("webhook_configuration")).get("application"))
        return "" if reaches_us(instance, known) else _by_hand(url, "or give credentials.appId and connect again")
    try:
        await _subscribe_app(graph, instance, url)
    except ProviderError as error:
        context.log("meta_app_callback_failed", instance=str(instance.id), code=error.code)
        return _by_hand(url, f"for it could not be set from here ({error.detail})")
    return ""


def _by_hand(url: str, otherwise: str) -> str:
    return f"News of templates and account do not come: set {url} as callback URL of the app at Meta, {otherwise}."


async def _subscribe_app(graph: Graph, instance: Instance, url: str) -> None:
    """Set the app's address and fields, where none are set or fields are missing. Raises ProviderError."""
    app_id = str(instance.credentials["app_id"])
    token = f"{app_id}|{instance.credentials['app_secret'][0]}"
    answer = await graph.ask("GET", f"{app_id}/subscriptions", token=token)
    ours = [one for one in map(mapping, listed(answer, "data")) if one.get("object") == OBJECT]
    if not all(reaches_us(instance, text(one.get("callback_url"))) for one in ours):
        raise Rejected("webhook_elsewhere", "the app has another callback URL, by which other programs may live")
    if not _has_all(ours):
        wanted = {
            "object": OBJECT,
            "callback_url": url,
            "verify_token": str(instance.credentials["verify_token"]),
            "fields": ",".join(FIELDS),
        }
        await graph.ask("POST", f"{app_id}/subscriptions", body=wanted, token=token)


def _has_all(subscriptions: list[Json]) -> bool:
    names = {text(mapping(field).get("name")) for one in subscriptions for field in listed(one, "fields")}
    return names.issuperset(FIELDS)
