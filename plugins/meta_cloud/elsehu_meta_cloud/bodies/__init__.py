"""What goes over the wire for each kind of message (Meta Cloud API reference, sections 4 and 5.1)."""

from collections.abc import Callable, Mapping
from typing import Any

from elsehu.plugin import Kind, OutboundMessage, Rejected

from . import interactive, plain, template

Body = dict[str, Any]
Build = Callable[[OutboundMessage, str | None], Any]

BUILDERS: Mapping[Kind, Build] = {
    Kind.TEXT: plain.text,
    Kind.IMAGE: plain.media,
    Kind.VIDEO: plain.media,
    Kind.DOCUMENT: plain.media,
    Kind.AUDIO: plain.media,
    Kind.STICKER: plain.media,
    Kind.LOCATION: plain.location,
    Kind.CONTACTS: plain.contacts,
    Kind.REACTION: plain.reaction,
    Kind.INTERACTIVE: interactive.interactive,
    Kind.TEMPLATE: template.template,
}


def content_of(message: OutboundMessage, media_id: str | None) -> Body:
    """Return `{"type": …, <type>: …}`; `media_id` is Meta's id of `message.media`. Raises Rejected."""
    build = BUILDERS.get(message.kind)
    if build is None:
        raise Rejected("unsupported_by_provider", f"The Cloud API cannot send messages of the kind {message.kind}.")
    return {"type": message.kind.value, message.kind.value: build(message, media_id)}
