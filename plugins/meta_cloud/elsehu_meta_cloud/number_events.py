"""What happens to the number itself: errors, quality, names, PINs. They change its health, not its status.

Whether a number can send is asked of Meta every minute; only what Meta certainly has stopped is marked at once
(account_events.py).
"""

from collections.abc import Iterator
from typing import Any

from elsehu.plugin import Event, InstanceChanged

from .errors import rule_of
from .flavours import Json, mapping, text, whole
from .parts import Value

LONGEST_WORD = 300


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
    limit = limit_of(data, "max_daily_conversations_per_business", "current_limit")
    health: dict[str, Any] = {} if limit is None else {"messagingLimit": limit}
    if event in ("FLAGGED", "UNFLAGGED"):
        health["flagged"] = True if event == "FLAGGED" else None
    if event == "THROUGHPUT_UPGRADE":
        health["throughput"] = "HIGH"
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


def limit_of(data: Json, *names: str) -> int | str | None:
    """Return the first limit that `data` tells under one of `names`: a number, a tier's name, or `unlimited`."""
    for name in names:
        limit = whole(data.get(name))
        limit = -1 if data.get(name) in (-1, "-1") else limit
        if limit is not None:
            return "unlimited" if limit == -1 else limit
        if word(data.get(name)):
            return word(data.get(name))
    return None


def word(value: Any) -> str | None:
    """Return a word or sentence of Meta's."""
    found = text(value)
    return found[:LONGEST_WORD] if found else None
