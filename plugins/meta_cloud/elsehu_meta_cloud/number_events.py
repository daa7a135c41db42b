"""What happens to the number itself: errors, quality, names, PINs. They change its health, not its status.

Whether a number can send is asked of Meta every minute; only what Meta certainly has stopped is marked at once
(account_events.py). Words of health are those that asking gives (numbers.py).
"""

from collections.abc import Iterator
from typing import Any

from elsehu.plugin import Event, InstanceChanged

from .errors import rule_of
from .flavours import Json, mapping, text, whole
from .parts import Value

LONGEST_WORD = 300
FLAGS = {"FLAGGED": "FLAGGED", "UNFLAGGED": "CONNECTED"}
"""What a number is called, when Meta is asked, after an event."""


def error_told(error: Json) -> InstanceChanged:
    """Return the error as admins see it: Meta's code and words, and what to do about it."""
    code = whole(error.get("code"))
    words = text(mapping(error.get("error_data")).get("details")) or text(error.get("title"))
    last = {"code": code, "detail": word(words), "advice": rule_of(code).detail}
    return InstanceChanged(None, health={"lastError": last})


def failed(_: Value, part: Any) -> Iterator[Event]:
    """Read one of `errors[]` beside messages and statuses: an error of the app, the account or the number."""
    error = mapping(part)
    if whole(error.get("code")) is not None:
        yield error_told(error)


def quality_updated(_: Value, part: Any) -> Iterator[Event]:
    """Read `phone_number_quality_update`: the limit of new customers a day, and whether it is in danger."""
    data = mapping(part)
    event = (text(data.get("event")) or "").upper()
    tier = tier_of(data, "max_daily_conversations_per_business", "current_limit")
    told = {"tier": tier, "status": FLAGS.get(event), "throughput": "HIGH" if event == "THROUGHPUT_UPGRADE" else None}
    health = {name: value for name, value in told.items() if value is not None}
    if health:
        yield InstanceChanged(None, health=health)


def name_updated(_: Value, part: Any) -> Iterator[Event]:
    """Read `phone_number_name_update`: whether the name that customers see is approved."""
    data = mapping(part)
    decision, name, reason = (
        word(data.get(one)) for one in ("decision", "requested_verified_name", "rejection_reason")
    )
    if decision:
        reason = None if reason == "NONE" else reason
        yield InstanceChanged(
            None, health={"nameStatus": decision.upper(), "requestedName": name, "nameRejection": reason}
        )


def security_changed(_: Value, part: Any) -> Iterator[Event]:
    """Read `security`: who changed, or wants to change, the number's PIN should be known."""
    event = word(mapping(part).get("event"))
    if event:
        yield InstanceChanged(None, health={"security": event})


def tier_of(data: Json, *names: str) -> str | None:
    """Return the messaging limit under the first of `names` that tells one, as Meta calls it when it is asked.

    Older bodies have the number of customers a day instead, -1 for any.
    """
    for name in names:
        limit = data.get(name)
        count = -1 if limit in (-1, "-1") else whole(limit)
        if count is not None:
            return "TIER_UNLIMITED" if count < 0 else f"TIER_{count // 1000}K" if count >= 1000 else f"TIER_{count}"
        if word(limit):
            return word(limit)
    return None


def word(value: Any) -> str | None:
    """Return a word or sentence of Meta's."""
    found = text(value)
    return found[:LONGEST_WORD] if found else None
