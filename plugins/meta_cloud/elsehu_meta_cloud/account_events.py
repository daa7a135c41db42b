"""What happens to the WhatsApp account: bans, restrictions, reviews, limits. It concerns all of its numbers.

A ban that is in force and a deletion block the numbers at once. Nothing here unblocks one: a reinstatement takes the
warning away, and the next look at the number, within a minute, finds it working.
"""

from collections.abc import Iterator
from typing import Any

from elsehu.plugin import Event, InstanceChanged, InstanceStatus

from .flavours import Json, listed, mapping, whole
from .number_events import tier_of, word
from .parts import Value

BANNED = "Meta has disabled this WhatsApp account. See Business Support Home at Meta, where a review can be asked for."
DELETED = "This WhatsApp account was deleted at Meta."
ACCESS_LOST = frozenset({"PARTNER_REMOVED", "PARTNER_APP_UNINSTALLED", "ACCOUNT_OFFBOARDED"})
ACCESS_GAINED = frozenset({"PARTNER_ADDED", "PARTNER_APP_INSTALLED", "ACCOUNT_RECONNECTED"})
MOST_RESTRICTIONS = 20


def updated(_: Value, part: Any) -> Iterator[Event]:
    """Read `account_update`. Events about prices and eligibility are of no concern here."""
    data = mapping(part)
    event = (word(data.get("event")) or "").upper()
    if event == "DISABLED_UPDATE":
        yield _ban(mapping(data.get("ban_info")))
    elif event == "ACCOUNT_DELETED":
        yield InstanceChanged(InstanceStatus.BLOCKED, DELETED)
    elif event == "ACCOUNT_RESTRICTION":
        restrictions = [_restriction(mapping(one)) for one in listed(data, "restriction_info")[:MOST_RESTRICTIONS]]
        yield InstanceChanged(None, health={"restrictions": restrictions or None})
    elif event == "ACCOUNT_VIOLATION":
        violation = word(mapping(data.get("violation_info")).get("violation_type"))
        yield InstanceChanged(None, health={"violation": violation or event})
    elif event in ACCESS_LOST | ACCESS_GAINED:
        yield InstanceChanged(None, health={"accessLost": event if event in ACCESS_LOST else None})


def _ban(info: Json) -> InstanceChanged:
    state = (word(info.get("waba_ban_state")) or "").upper()
    if state == "REINSTATE":
        return InstanceChanged(None, health={"ban": None, "restrictions": None, "violation": None})
    ban = {"state": state, "date": word(info.get("waba_ban_date"))}
    is_in_force = state == "DISABLE"
    return InstanceChanged(
        InstanceStatus.BLOCKED if is_in_force else None, BANNED if is_in_force else "", health={"ban": ban}
    )


def _restriction(info: Json) -> Json:
    until = info.get("expiration")
    return {"type": word(info.get("restriction_type")), "until": whole(until) if whole(until) else word(until)}


def reviewed(_: Value, part: Any) -> Iterator[Event]:
    """Read `account_review_update`."""
    decision = word(mapping(part).get("decision"))
    if decision:
        yield InstanceChanged(None, health={"accountReview": decision.upper()})


def alerted(value: Value, part: Any) -> Iterator[Event]:
    """Read `account_alerts`, whose older bodies are flat. One about a number concerns that number alone."""
    data = mapping(part)
    if data.get("entity_type") == "PHONE_NUMBER" and not _is_about(data, value):
        return
    info = mapping(data.get("alert_info")) or data
    alert = {name: word(info.get(f"alert_{name}")) for name in ("type", "severity", "status", "description")}
    if any(alert.values()):
        yield InstanceChanged(None, health={"alert": alert})


def _is_about(data: Json, value: Value) -> bool:
    return str(data.get("entity_id")) == value.instance.credentials.get("phone_number_id")


def capability_updated(_: Value, part: Any) -> Iterator[Event]:
    """Read `business_capability_update`: how many new customers a day."""
    tier = tier_of(mapping(part), "max_daily_conversations_per_business", "max_daily_conversation_per_phone")
    if tier is not None:
        yield InstanceChanged(None, health={"tier": tier})
