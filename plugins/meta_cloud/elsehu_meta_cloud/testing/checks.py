"""Is a message one that Meta takes? As strict as the reference's sections 3 and 4; unknown properties are tolerated."""

from collections.abc import Callable

from .errors import GraphError, bad, missing
from .interactive_checks import check_interactive
from .message import Message, check_file, text_within
from .template_checks import check_template

Check = Callable[[Message], None]

LONGEST_REFERENCE = 512
MOST_CONTACTS = 257
KINDS_OF_FILES = ("image", "video", "audio", "document", "sticker")
NAME_PARTS = ("first_name", "last_name", "middle_name", "suffix", "prefix")


def check_message(message: Message) -> None:
    """Raise GraphError for a message that Meta refuses at once."""
    body = message.body
    if not (body.get("to") or body.get("recipient")):
        raise missing("to")
    if body.get("recipient_type", "individual") not in ("individual", "group"):
        raise bad("recipient_type must be individual or group")
    if len(str(body.get("biz_opaque_callback_data", ""))) > LONGEST_REFERENCE:
        raise bad("biz_opaque_callback_data must be at most 512 characters")
    context = body.get("context")
    if context is not None and not (isinstance(context, dict) and isinstance(context.get("message_id"), str)):
        raise bad("context.message_id must be a string")
    check = CHECKS.get(message.type)
    if check is None:
        raise GraphError(100, f"Param type must be one of {', '.join(CHECKS)}")
    check(message)


def _text(message: Message) -> None:
    text_within(message.content.get("body"), "text.body", 4096)
    if not isinstance(message.content.get("preview_url", False), bool):
        raise bad("text.preview_url must be a boolean")


def _file(message: Message) -> None:
    content, kind = message.content, message.type
    check_file(message, content, kind)
    if "caption" in content:
        if kind in ("audio", "sticker"):
            raise GraphError(100, f'Unexpected key "caption" on param "{kind}"')
        text_within(content["caption"], f"{kind}.caption", 1024)
    if kind == "audio" and content.get("voice") and "id" in content:
        mime_type = message.world.files[str(content["id"])].mime_type
        if not mime_type.startswith("audio/ogg"):
            raise bad("a voice message must be an OGG file with the OPUS codec")


def _location(message: Message) -> None:
    for name, most in (("latitude", 90.0), ("longitude", 180.0)):
        value = message.content.get(name)
        try:
            fits = value is not None and abs(float(value)) <= most
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise bad(f"location.{name} must be a number from -{most:g} to {most:g}")


def _contacts(message: Message) -> None:
    cards = message.body.get("contacts")
    if not isinstance(cards, list) or not 0 < len(cards) <= MOST_CONTACTS:
        raise bad("contacts must be an array of 1 to 257")
    for card in cards:
        name = card.get("name") or {}
        if not name.get("formatted_name"):
            raise missing("contacts.name.formatted_name")
        if not any(name.get(part) for part in NAME_PARTS):
            raise missing("one of the parts of contacts.name")
        for phone in card.get("phones") or ():
            if not phone.get("phone"):
                raise missing("contacts.phones.phone")


def _reaction(message: Message) -> None:
    if message.quoted is not None:
        raise bad("context is not possible for reactions")
    if not isinstance(message.content.get("message_id"), str):
        raise missing("reaction.message_id")
    emoji = message.content.get("emoji")
    if not isinstance(emoji, str):
        raise missing("reaction.emoji")
    if len(emoji) > 16 or emoji.isalnum():
        raise bad("reaction.emoji must be one emoji")


CHECKS: dict[str, Check] = {
    "text": _text,
    **dict.fromkeys(KINDS_OF_FILES, _file),
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": check_interactive,
    "template": check_template,
}
