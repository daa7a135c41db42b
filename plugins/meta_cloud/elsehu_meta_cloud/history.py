"""What was said on the phone before the number came to the Cloud API.

Chunks of the history come in any order, thousands of messages long. They open no conversation and tell nobody; they
wait until the customer has a conversation, and stand there in their place.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from elsehu.plugin import Event, Status, canonical

from . import messages
from .flavours import EMPTY, Json, listed, mapping, text
from .identities import identities
from .letters import letter_of
from .number_events import failed
from .parts import Reader, Value

STATUSES: Mapping[str, Status] = {
    "PENDING": Status.SENT,
    "SENT": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "READ": Status.READ,
    "PLAYED": Status.PLAYED,
    "ERROR": Status.FAILED,
}


def chunks(data: Json) -> Iterator[tuple[Reader, Any]]:
    """Take field `history` apart: threads of messages, files that follow by themselves, or why there is none."""
    for one in listed(data, "history"):
        chunk = mapping(one)
        for thread in listed(chunk, "threads"):
            reader = partial(_said, mapping(thread))
            yield from ((reader, message) for message in listed(mapping(thread), "messages"))
        yield from ((failed, error) for error in listed(chunk, "errors"))
    yield from ((partial(_said, EMPTY), message) for message in listed(data, "messages"))


def _said(thread: Json, value: Value, part: Any) -> Iterator[Event]:
    message, context = mapping(part), mapping(thread.get("context"))
    is_ours = _is_own(value, message.get("from"))
    side = "to" if is_ours else "from"
    card = value.cards.of(thread.get("id"), message.get(side))
    beside = [source.get(name) for source in (context, card) for name in ("wa_id", "user_id", "parent_user_id")]
    written = [message.get(name) for name in (side, f"{side}_user_id", f"{side}_parent_user_id")]
    people = identities([thread.get("id"), *written, *beside], value.scope)
    letter = letter_of(value, message, card, people)
    letter.is_ours, letter.is_history = is_ours, True
    letter.status = _status(message) if is_ours else None
    yield from messages.events_of(letter)


def _is_own(value: Value, address: Any) -> bool:
    own = (mapping(value.data.get("metadata")).get("display_phone_number"), value.instance.phone)
    return type(address) is str and canonical(address) in [canonical(one) for one in own if type(one) is str]


def _status(message: Json) -> Status:
    word = text(mapping(message.get("history_context")).get("status")) or ""
    return STATUSES.get(word.upper(), Status.SENT)
