"""Calls. They cannot be taken here, but should not be missed."""

from collections.abc import Iterator
from typing import Any

from elsehu.plugin import Direction, Event, Kind, MessageArrived

from .flavours import Unreadable, id_of, mapping, moment
from .identities import person, profile_name, username
from .parts import Value


def called(value: Value, part: Any) -> Iterator[Event]:
    """Read one of `calls[]`. A customer's call opens the window as a message does, so it is shown as one.

    It is told when it begins (`connect`); its end has the same id and adds nothing. Our own calls are others' affair.
    """
    call = mapping(part)
    if call.get("event") != "connect" or call.get("direction") == "BUSINESS_INITIATED":
        return
    external_id, at, by = id_of(call.get("id")), moment(call.get("timestamp")), call.get("from")
    card = value.cards.of(call.get("from_user_id"), by)
    people = person(by, call.get("from_user_id"), call.get("from_parent_user_id"), card, value.scope)
    if external_id is None or at is None or not people:
        raise Unreadable("a call without id, time or caller")
    yield MessageArrived(
        external_id=external_id,
        direction=Direction.INBOUND,
        sender=people,
        kind=Kind.SYSTEM,
        at=at,
        sender_name=profile_name(card),
        sender_username=username(card),
        payload={"type": "call", "label": "Call"},
    )
