"""How a number stands at Meta: what is asked, and what the answer means (Meta Cloud API reference, section 11)."""

from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.plugin import Cache, Instance, InstanceReport, InstanceSick, InstanceStatus, canonical, digits_of, to_e164

from .client import Graph, GraphFailure, account_id, number_id
from .errors import MISSING_OBJECT
from .failures import Failure, Json, error_of
from .flavours import mapping, text
from .paging import pages_of

BASE = "display_phone_number,verified_name,quality_rating"
GROUPS = (
    BASE,
    "status,name_status,code_verification_status",
    "throughput,platform_type,account_mode",
    "is_on_biz_app",
    "whatsapp_business_manager_messaging_limit",
    "health_status",
    "webhook_configuration",
)
"""A field that the version does not know fails the whole request, so those of one age stand together."""
KNOWN_SECONDS = 24 * 3600

WORKING = InstanceStatus.CONNECTED
BLOCKED = InstanceStatus.BLOCKED
STATUSES: Mapping[str, tuple[InstanceStatus, str]] = {
    "CONNECTED": (WORKING, ""),
    "FLAGGED": (WORKING, "Meta has flagged this number for its quality: send less, and only what is wanted."),
    "RESTRICTED": (WORKING, "This number has reached its messaging limit: it can answer, but not write first."),
    "RATE_LIMITED": (WORKING, "This number has reached its messaging limit: it can answer, but not write first."),
    "PENDING": (BLOCKED, "Meta has not set this number up yet. Finish its registration in WhatsApp Manager."),
    "UNVERIFIED": (BLOCKED, "This number is not verified. Verify it by code in WhatsApp Manager."),
    "DISCONNECTED": (BLOCKED, "This number is not registered for the Cloud API. Register it with its PIN."),
    "BANNED": (BLOCKED, "Meta has banned this number. Appeal in Business Support."),
    "MIGRATED": (BLOCKED, "This number was moved to another account. Give that account's ids and token."),
    "DELETED": (BLOCKED, "This number was deleted at Meta. Add it again, or remove it here."),
}
"""A status that is not here works until a message shows that it does not."""


async def ask_number(graph: Graph, cache: Cache, instance: Instance) -> Json:
    """Return what Meta says of the number. Raises Retryable, Rejected or InstanceSick."""
    key = f"fields:{instance.settings['version']}:{number_id(instance)}"
    kept = await cache.get(key)
    groups = kept.split(" ") if kept else list(GROUPS)
    try:
        return await _fields(graph, instance, groups)
    except GraphFailure as error:
        if not _is_unknown_field(error.failure):
            raise error_of(error.failure) from None
    said, known = await _one_by_one(graph, instance)
    await cache.put(key, " ".join(known), KNOWN_SECONDS)
    return said


async def _one_by_one(graph: Graph, instance: Instance) -> tuple[dict[str, Any], list[str]]:
    """Ask for each group of fields alone; return what was said, and the groups that this version knows."""
    said, known = dict(await graph.ask("GET", number_id(instance), params={"fields": BASE})), [BASE]
    for group in GROUPS[1:]:
        try:
            said |= await _fields(graph, instance, [group])
            known.append(group)
        except GraphFailure as error:
            if not _is_unknown_field(error.failure):
                raise error_of(error.failure) from None
    return said, known


async def _fields(graph: Graph, instance: Instance, groups: Sequence[str]) -> Json:
    return await graph.try_to_ask("GET", number_id(instance), params={"fields": ",".join(groups)})


async def check_account(graph: Graph, instance: Instance) -> None:
    """Raise InstanceSick where the number is not one of the account: webhooks would not be known as its own."""
    path, number = f"{account_id(instance)}/phone_numbers", number_id(instance)
    async for page in pages_of(graph, path, {"fields": "id"}):
        if any(one.get("id") == number for one in page):
            return
    detail = f"The number {number} does not belong to the account {account_id(instance)}. Correct credentials.wabaId."
    raise InstanceSick("number_not_in_account", detail, BLOCKED)


def _is_unknown_field(failure: Failure) -> bool:
    return failure.code == 100 and failure.subcode != MISSING_OBJECT


def report_of(instance: Instance, said: Json, *, refused: str | None) -> InstanceReport:
    """Return how the number stands; `refused` is why Meta would not send for it some minutes ago."""
    status, detail = _standing(said)
    if status is WORKING and refused:
        status, detail = BLOCKED, refused
    phone, mismatch = _phone(instance, said)
    if status is WORKING:
        detail = mismatch or detail or _unheard(instance, said)
    return InstanceReport(status, detail, phone, health=_health(instance, said))


def _standing(said: Json) -> tuple[InstanceStatus, str]:
    word = (text(said.get("status")) or "CONNECTED").upper()
    status, detail = STATUSES.get(word, (WORKING, f"Meta calls the status of this number {word}."))
    if status is WORKING and _may_send(said) == "BLOCKED":
        return BLOCKED, _solution(said) or "Meta lets this number send nothing. See its health in WhatsApp Manager."
    return status, detail


def _may_send(said: Json) -> str | None:
    return text(mapping(said.get("health_status")).get("can_send_message"))


def _solution(said: Json) -> str:
    """Return what Meta says of a block: what is wrong, and what would mend it."""
    entities = mapping(said.get("health_status")).get("entities")
    errors = [error for one in _list(entities) for error in _list(mapping(one).get("errors"))]
    words = [mapping(error).get(name) for error in errors for name in ("error_description", "possible_solution")]
    return " ".join(dict.fromkeys(word for word in words if isinstance(word, str)))


def _phone(instance: Instance, said: Json) -> tuple[str | None, str]:
    """Return the number, and a sentence where it is not the one that was configured, which is then left as it is."""
    number = canonical(digits_of(text(said.get("display_phone_number")) or ""))
    if not number or not instance.phone or canonical(instance.phone) == number:
        return number or None, ""
    detail = f"Meta's number {number_id(instance)} is {to_e164(number)}. Correct phone or credentials.phoneNumberId."
    return None, detail


def callback(said: Json) -> str | None:
    """Return where Meta sends what this number receives: the narrowest of the addresses that are set."""
    configured = mapping(said.get("webhook_configuration"))
    narrowest_first = ("phone_number", "whatsapp_business_account", "application")
    return next((url for level in narrowest_first if (url := text(configured.get(level)))), None)


def heard(instance: Instance, said: Json) -> Json:
    """Return what Meta says of the number once its own address is set to ours."""
    configured = {**mapping(said.get("webhook_configuration")), "phone_number": instance.webhook_url}
    return {**said, "webhook_configuration": configured}


def reaches_us(instance: Instance, url: str | None) -> bool:
    """Whether `url` is the number's own address here, or the one for all numbers."""
    return url is not None and url.rstrip("/") in (instance.webhook_url, app_url(instance), _short_app_url(instance))


def app_url(instance: Instance) -> str:
    """Return the address here for all numbers and accounts of Meta's."""
    return instance.webhook_url.rpartition("/")[0]


def _short_app_url(instance: Instance) -> str:
    return app_url(instance).rpartition("/")[0] + "/meta"


def _unheard(instance: Instance, said: Json) -> str:
    if "webhook_configuration" not in said or reaches_us(instance, callback(said)):
        return ""
    return (
        "Meta sends what this number receives to another address than Elsehu's. Connect it again, and see to it that "
        f"{instance.webhook_url} can be reached from outside."
    )


def _health(instance: Instance, said: Json) -> dict[str, Any]:
    """Return what admins see beside the status."""
    return {
        "status": text(said.get("status")),
        "quality": text(said.get("quality_rating")),
        "tier": text(said.get("whatsapp_business_manager_messaging_limit")),
        "throughput": text(mapping(said.get("throughput")).get("level")),
        "name": text(said.get("verified_name")),
        "nameStatus": text(said.get("name_status")),
        "codeVerification": text(said.get("code_verification_status")),
        "mode": text(said.get("account_mode")),
        "canSend": _may_send(said),
        "webhook": _where(instance, said, callback(said)),
        "appWebhook": _where(instance, said, text(mapping(said.get("webhook_configuration")).get("application"))),
    }


def _where(instance: Instance, said: Json, url: str | None) -> str | None:
    if "webhook_configuration" not in said:
        return None
    return "here" if reaches_us(instance, url) else "elsewhere" if url else "nowhere"


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
