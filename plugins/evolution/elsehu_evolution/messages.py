"""Messages and reactions: `messages.upsert`, `send.message`, and rows of the server's store."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from elsehu.plugin import Direction, Event, Identity, MediaContent, MessageArrived, ReactionChanged, Status

from .flavours import Json, Unreadable, mapping, moment, text
from .identities import author, author_name, concerns_us, is_group, other_side
from .kinds import Leaf, context_of, leaf_of, read
from .parts import Part, id_of
from .states import message_status
from .structured import VOTE, Content
from .updates import protocol

REFERRAL = ("sourceType", "sourceId", "sourceUrl", "title", "body", "thumbnailUrl", "ctwaClid", "ref")
ENTRY = {"entryPoint": "entryPointConversionSource", "app": "entryPointConversionApp"}


def upserted(part: Part) -> Iterator[Event]:
    """Read `messages.upsert`: a customer's message, or one that was typed on the phone."""
    return arrived(part, through_api=False)


def sent(part: Part) -> Iterator[Event]:
    """Read `send.message`: what left through the API, by us or by another program."""
    return arrived(part, through_api=True)


def arrived(part: Part, *, through_api: bool) -> Iterator[Event]:
    """Read one message. Raises Unreadable where it lacks address, id, content or time."""
    data = mapping(part.data)
    key = mapping(data.get("key"))
    if not concerns_us(key.get("remoteJid"), part.instance):
        return
    message = data.get("message")
    if type(message) is not dict:
        raise Unreadable("a message without content")
    leaf = leaf_of(message)
    if leaf is None:
        return
    if leaf.name == "protocolMessage":
        yield from protocol(mapping(leaf.value), part)
        return
    letter = _letter(part, data, key, leaf, through_api=through_api)
    if leaf.name == "reactionMessage":
        yield _reaction(letter)
        return
    content = read(leaf)
    if content is not None:
        yield _message(letter, content)


@dataclass(slots=True)
class Letter:
    """A message half read: what all kinds have."""

    part: Part
    data: Json
    key: Json
    leaf: Leaf
    external_id: str
    at: datetime
    is_ours: bool
    in_group: bool
    through_api: bool


def _letter(part: Part, data: Json, key: Json, leaf: Leaf, *, through_api: bool) -> Letter:
    external_id, at = id_of(key), moment(data.get("messageTimestamp"))
    if external_id is None:
        raise Unreadable("a message without an id")
    if at is None:
        raise Unreadable("a message without a time")
    is_ours = through_api or key.get("fromMe") is True
    return Letter(part, data, key, leaf, external_id, at, is_ours, is_group(key.get("remoteJid")), through_api)


def _message(letter: Letter, content: Content) -> MessageArrived:
    data, is_ours, in_group = letter.data, letter.is_ours, letter.in_group
    context = context_of(data, letter.leaf)
    name = None if is_ours else text(data.get("pushName"))
    return MessageArrived(
        external_id=letter.external_id,
        direction=Direction.OUTBOUND if is_ours else Direction.INBOUND,
        sender=other_side(letter.key, letter.part.own),
        kind=content.kind,
        at=letter.at,
        text=content.text,
        sender_name=None if in_group or name is None else name[:200],
        author_name=author_name(letter.key, name) if in_group and not is_ours else None,
        media=_with_bytes(content.media, letter) if content.media else None,
        payload=_payload(content, context) if context else content.payload,
        reply_to=_reply_to(content, context),
        through_api=letter.through_api,
        opens=content.opens,
        is_history=letter.part.is_history,
        status=(message_status(data.get("status")) or Status.SENT) if is_ours else None,
    )


def _with_bytes(media: MediaContent, letter: Letter) -> MediaContent:
    """Add the file where it came along, and always what fetches it.

    An echo's file is ours already, or fetched when it proves to be another program's.
    """
    comes_along = not letter.through_api and not letter.leaf.is_wrapped
    inline = mapping(letter.part.original.get("message")).get("base64") if comes_along else None
    return replace(media, data=_decoded(inline), reference={"key": {"id": letter.external_id}})


def _decoded(inline: Any) -> bytes | None:
    encoded = text(inline)
    if encoded is None:
        return None
    try:
        return base64.b64decode(encoded.rpartition(",")[2], validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _reply_to(content: Content, context: Json) -> str | None:
    is_vote = content.payload.get("type") == VOTE
    return id_of({"id": content.payload["pollId"] if is_vote else context.get("stanzaId")})


def _payload(content: Content, context: Json) -> Json:
    """Return the content's payload, with the ad that brought the customer here and whether it was forwarded."""
    beside: dict[str, Any] = {}
    advertised = _referral(context)
    if advertised:
        beside["referral"] = advertised
    if context.get("isForwarded") is True:
        beside["forwarded"] = True
    return {**content.payload, **beside} if beside else content.payload


def _referral(context: Json) -> Json:
    advertisement = mapping(context.get("externalAdReply"))
    if not advertisement:
        return {}
    shown = {name: text(advertisement.get(name)) for name in REFERRAL}
    shown |= {ours: text(context.get(theirs)) for ours, theirs in ENTRY.items()}
    found = {name: value for name, value in shown.items() if value is not None}
    is_ad = any(name in found for name in ("sourceType", "sourceId", "ctwaClid", "entryPoint"))
    return found if is_ad else {}


def _reaction(letter: Letter) -> ReactionChanged:
    """Read a reaction. The sender's own clock orders the reactions of one person, to the millisecond."""
    leaf = mapping(letter.leaf.value)
    target = id_of(mapping(leaf.get("key")))
    if target is None:
        raise Unreadable("a reaction to nothing")
    return ReactionChanged(
        external_id=target,
        emoji=(text(leaf.get("text")) or "")[:40],
        at=moment(leaf.get("senderTimestampMs")) or letter.at,
        from_company=letter.is_ours,
        sender=() if letter.is_ours else _reactor(letter),
    )


def _reactor(letter: Letter) -> Sequence[Identity]:
    side = other_side(letter.key, letter.part.own)
    return (*side, *author(letter.key)) if letter.in_group else side
