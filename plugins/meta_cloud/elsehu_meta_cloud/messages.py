"""Messages: what customers write, what was typed on the phone, and what was said before we were there.

One reader for all three: they differ in whose message it is, not in what it can be.
"""

from collections.abc import Iterator
from typing import Any

from elsehu.plugin import (
    Direction,
    Event,
    IdentitiesLinked,
    IdentityKind,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    ReactionChanged,
    Status,
)

from . import kinds
from .beside import beside_content
from .flavours import Unreadable, id_of, listed, mapping, text
from .identities import author_name, identities, person, profile_name, username
from .letters import Letter, letter_of
from .parts import Value
from .structured import Content
from .system_events import changed_by_system

LONGEST_EMOJI = 40
SILENT = frozenset({"request_welcome", "media_placeholder", "system"})
"""What nobody wrote: a chat that was opened, a file of the history whose own message follows, news of addresses."""


def arrived(value: Value, part: Any) -> Iterator[Event]:
    """Read one of `messages[]`: what a customer did."""
    yield from events_of(_letter(value, part, "from"))


def echoed(value: Value, part: Any) -> Iterator[Event]:
    """Read one of `message_echoes[]` of the phone app: what the company typed there."""
    letter = _letter(value, part, "to")
    letter.is_ours, letter.status = True, Status.SENT
    yield from events_of(letter)


def echoed_by_api(value: Value, part: Any) -> Iterator[Event]:
    """Read one of `message_echoes[]` of the API: what another program sent."""
    letter = _letter(value, part, "to")
    letter.is_ours, letter.through_api, letter.status = True, True, Status.SENT
    yield from events_of(letter)


def _letter(value: Value, part: Any, side: str) -> Letter:
    """Return a message with the customer's addresses, which stand under `from` or `to`."""
    message = mapping(part)
    address, user_id = message.get(side), message.get(f"{side}_user_id")
    card = value.cards.of(user_id, address)
    people = person(address, user_id, message.get(f"{side}_parent_user_id"), card, value.scope)
    return letter_of(value, message, card, people)


def events_of(letter: Letter) -> Iterator[Event]:
    """Yield what a message says: itself, or what it does to another one or to its sender."""
    name = letter.message.get("type")
    if name == "reaction":
        yield _reaction(letter)
    elif name == "edit":
        yield _edit(letter)
    elif name == "revoke":
        yield MessageDeleted(_original(letter), letter.at)
    elif name == "system" and not letter.is_ours:
        yield from changed_by_system(letter.value, letter.message, letter.at)
    elif type(name) is not str or name not in SILENT:
        content = kinds.read(letter.message, letter.value.urls)
        yield _message(letter, content)
        yield from _own_number(letter)


def _message(letter: Letter, content: Content) -> MessageArrived:
    message, is_ours, in_group = letter.message, letter.is_ours, letter.in_group
    context = mapping(message.get("context"))
    beside = beside_content(message, context)
    return MessageArrived(
        external_id=letter.external_id,
        direction=Direction.OUTBOUND if is_ours else Direction.INBOUND,
        sender=letter.chat,
        kind=content.kind,
        at=letter.at,
        text=content.text,
        sender_name=None if is_ours or in_group else profile_name(letter.card),
        sender_username=None if is_ours or in_group else username(letter.card),
        author_name=author_name(letter.card, letter.people) if in_group and not is_ours else None,
        media=content.media,
        payload={**content.payload, **beside} if beside else content.payload,
        reply_to=id_of(context.get("id")),
        through_api=letter.through_api,
        opens=not letter.is_history,
        is_history=letter.is_history,
        status=letter.status,
    )


def _reaction(letter: Letter) -> ReactionChanged:
    """Read a reaction; one without an emoji takes back what there was."""
    leaf = mapping(letter.message.get("reaction"))
    target = id_of(leaf.get("message_id"))
    if target is None:
        raise Unreadable("a reaction to nothing")
    sender = (*letter.chat, *letter.people) if letter.in_group else letter.chat
    return ReactionChanged(
        external_id=target,
        emoji=(text(leaf.get("emoji")) or "")[:LONGEST_EMOJI],
        at=letter.at,
        from_company=letter.is_ours,
        sender=() if letter.is_ours else sender,
    )


def _edit(letter: Letter) -> MessageEdited:
    """Read an edit. One that takes a file's caption away leaves it without words."""
    written = mapping(mapping(letter.message.get("edit")).get("message"))
    content = kinds.read(written, letter.value.urls)
    if content.text is None and content.media is None:
        raise Unreadable("an edit without words")
    return MessageEdited(_original(letter), content.text or "", letter.at)


def _original(letter: Letter) -> str:
    leaf = mapping(letter.message.get(str(letter.message.get("type"))))
    original = id_of(leaf.get("original_message_id"))
    if original is None:
        raise Unreadable("a change of a message that is not named")
    return original


def _own_number(letter: Letter) -> Iterator[IdentitiesLinked]:
    """Yield the number with which somebody known by user id alone answered our request for it."""
    if letter.is_ours or letter.in_group or letter.message.get("type") != "contacts":
        return
    if not letter.people or letter.people[0].kind is IdentityKind.PHONE:
        return
    cards = [mapping(one) for one in listed(letter.message, "contacts")]
    asked = [one for one in cards if "contact_request" in (one.get("origin"), letter.message.get("origin"))]
    numbers = [mapping(phone).get("wa_id") for card in asked for phone in listed(card, "phones")]
    own = identities(numbers, letter.value.scope)
    if len(cards) == len(numbers) == 1 and own and own[0].kind is IdentityKind.PHONE:
        yield IdentitiesLinked((*own, *letter.people))
