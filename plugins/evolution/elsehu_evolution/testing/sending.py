"""``/message/…``: the way that all sends go (reference, section 4)."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from . import channels, preparing, sending_media
from .backend import Answer, Call, Handler, Routes
from .buttons import buttons
from .jids import address
from .outbox import Outgoing, hand_over, reach
from .schemas import Rule, at_least, check, one_of, required, typed, within, worded
from .world import BAILEYS, Json

Prepare = Callable[[Call, str], Outgoing | Awaitable[Outgoing]]


def _mentioned_are_digits(body: Json) -> list[str]:
    mentioned = body.get("mentioned", [])
    fine = isinstance(mentioned, list) and all(str(number).isdigit() for number in mentioned)
    return [] if fine else ['"mentioned" must be an array of numeric strings']


COMMON: tuple[Rule, ...] = (
    worded("string", "number", "Invalid format"),
    worded("integer", "delay", "Enter a value in milliseconds"),
    within("quoted", within("key", required("id", of="quoted.key"))),
    _mentioned_are_digits,
)


async def _send(prepare: Prepare, rules: tuple[Rule, ...], action: str, call: Call) -> Answer:
    check(call.body, *rules)
    if call.instance.integration != BAILEYS:
        return await channels.send(call, action)
    number = _recipient(call.body)
    jid = address(number)
    outgoing = prepare(call, jid)
    if not isinstance(outgoing, Outgoing):
        outgoing = await outgoing
    reach(call, jid, number)
    if call.body.get("delay") and action not in ("sendContact", "sendReaction"):
        await asyncio.sleep(call.body["delay"] / 1000)
    return 201, hand_over(call.backend, call.instance, jid, outgoing)


def _recipient(body: Json) -> str:
    number: str = body["number"] if "number" in body else body.get("key", {}).get("remoteJid", "status@broadcast")
    return number


def _action(name: str, prepare: Prepare, *rules: Rule) -> tuple[tuple[str, str], Handler]:
    return ("POST", f"message/{name}"), partial(_send, prepare, COMMON + rules, name)


_MEDIA_TYPES = ("image", "document", "video", "audio")
_KEY = within("key", required("id", "remoteJid", "fromMe", of="key"))
_POLL = (required("number", "name", "selectableCount", "values"), at_least("values", 2))
ROUTES: Routes = dict(
    [
        _action("sendText", preparing.text, required("number", "text"), typed("string", "text")),
        _action("sendMedia", sending_media.media, required("number", "mediatype"), one_of("mediatype", _MEDIA_TYPES)),
        _action("sendWhatsAppAudio", sending_media.voice_note, required("number", "audio")),
        _action("sendSticker", sending_media.sticker, required("number", "sticker")),
        _action(
            "sendLocation",
            preparing.location,
            required("number", "latitude", "longitude", "name", "address"),
            typed("number", "latitude", "longitude"),
        ),
        _action("sendContact", preparing.contacts, required("number", "contact"), at_least("contact", 1)),
        _action("sendReaction", preparing.reaction, required("key", "reaction"), _KEY),
        _action("sendPoll", preparing.poll, *_POLL),
        _action("sendList", preparing.choice_list, required("number", "title", "footerText", "buttonText", "sections")),
        _action("sendButtons", buttons, required("number")),
        _action("sendStatus", preparing.status, required("type", "content")),
        _action("sendTemplate", preparing.template, required("number", "name", "language")),
    ]
)
