"""``/chat/…``: reading, typing, numbers, media and profiles (reference, section 5)."""

import asyncio
import base64

from . import finding
from .backend import Answer, Call, Routes
from .content import extension, media_of
from .errors import ApiError, bad_request, closed_socket
from .flavours import Long
from .ids import iso_now
from .jids import LID, USER, address, is_group
from .outbox import must_be_open
from .schemas import check, one_of, required, typed
from .world import Json, World

PRESENCES = ("unavailable", "available", "composing", "recording", "paused")


async def mark_as_read(call: Call) -> Answer:
    """Mark messages as read; keys with a LID are passed over without a word."""
    check(call.body, required("readMessages"))
    must_be_open(call)
    call.instance.reads += [key for key in call.body["readMessages"] if not key["remoteJid"].endswith(LID)]
    return 201, {"message": "Read messages", "read": "success"}


async def send_presence(call: Call) -> Answer:
    """Show a presence for ``delay`` milliseconds, then ``paused``."""
    body = call.body
    check(body, required("number", "presence", "delay"), typed("integer", "delay"), one_of("presence", PRESENCES))
    must_be_open(call)
    jid = address(body["number"])
    call.instance.presences.append({"jid": jid, "presence": body["presence"]})
    await asyncio.sleep(body["delay"] / 1000)
    call.instance.presences.append({"jid": jid, "presence": "paused"})
    return 201, {"presence": body["presence"]}


async def whatsapp_numbers(call: Call) -> Answer:
    """Look numbers up; the answer is ordered groups first, users after."""
    numbers = call.body.get("numbers")
    if numbers is None:
        raise ApiError(400, {})
    if not numbers:
        shown = [["numbers does not meet minimum length of 1"]]
        raise ApiError(400, {"status": 400, "error": "Bad Request", "message": shown})
    if call.instance.state != "open":
        raise ApiError(400, closed_socket())
    world = call.backend.world
    found = [_looked_up(world, number) for number in numbers]
    return 200, sorted(found, key=lambda row: not is_group(row["jid"]))


async def media(call: Call) -> Answer:
    """Return the file of a message, given by its id or whole."""
    asked = call.body.get("message")
    if not isinstance(asked, dict):
        raise bad_request("TypeError: Cannot read properties of undefined (reading 'key')")
    known = call.instance.by_id.get(asked["key"]["id"])
    content = asked.get("message") or (known.data["message"] if known else None)
    if content is None:
        raise bad_request("Message not found")
    found = media_of(content)
    if found is None:
        raise bad_request("The message is not of the media type")
    path = found[1].get("directPath", "")
    data = call.backend.world.cdn.get(path)
    if data is None:
        await asyncio.sleep(call.backend.options.media_wait)
        raise bad_request(f"Error: Failed to fetch stream from https://mmg.whatsapp.net{path}")
    to_mp4 = bool(call.body.get("convertToMp4")) and found[0] == "audioMessage"
    return 201, _file(asked["key"]["id"], found, data, to_mp4=to_mp4)


async def picture(call: Call) -> Answer:
    """Return the address of a profile picture."""
    check(call.body, required("number"))
    jid = address(call.body["number"])
    return 200, {"wuid": jid, "profilePictureUrl": call.backend.world.pictures.get(jid)}


async def profile(call: Call) -> Answer:
    """Return what is known of a number."""
    check(call.body, required("number"))
    jid = address(call.body["number"])
    world = call.backend.world
    return 200, {
        "wuid": jid,
        "name": finding.contact_name(world, jid),
        "numberExists": world.exists(jid),
        "picture": world.pictures.get(jid),
        "status": {"status": "Hey there!", "setAt": iso_now()},
        "isBusiness": False,
    }


async def block(call: Call) -> Answer:
    """Accept a block or an unblock."""
    check(call.body, required("number", "status"), one_of("status", ("block", "unblock")))
    return 201, {"block": "success"}


async def archive(call: Call) -> Answer:
    """Accept the archiving of a chat."""
    last = call.body.get("lastMessage") or {}
    return 201, {"chatId": last["key"]["remoteJid"], "archived": bool(call.body.get("archive"))}


def _looked_up(world: World, number: str) -> Json:
    jid = address(number)
    exists = world.exists(jid)
    if exists and jid.endswith(USER):
        world.checked.add(jid)
    name = finding.contact_name(world, jid) if exists and not is_group(jid) else None
    row: Json = {"jid": jid, "exists": exists, "number": number}
    return row | ({"name": name, "lid": "lid"} if name else {})


def _file(message_id: str, found: tuple[str, Json], data: bytes, *, to_mp4: bool) -> Json:
    kind, content = found
    mimetype = content.get("mimetype", "application/octet-stream")
    answer: Json = {
        "mediaType": kind,
        "fileName": content.get("fileName") or f"{message_id}.{extension(mimetype)}",
        "caption": content.get("caption"),
        "size": {"fileLength": Long(len(data), unsigned=True)}
        | {name: content[name] for name in ("height", "width") if name in content},
        "mimetype": "audio/mp4" if to_mp4 else mimetype,
        "base64": base64.b64encode(data).decode(),
    }
    return {name: value for name, value in answer.items() if value is not None} | {"buffer": None}


ROUTES: Routes = finding.ROUTES | {
    ("POST", "chat/markMessageAsRead"): mark_as_read,
    ("POST", "chat/sendPresence"): send_presence,
    ("POST", "chat/whatsappNumbers"): whatsapp_numbers,
    ("POST", "chat/getBase64FromMediaMessage"): media,
    ("POST", "chat/fetchProfilePictureUrl"): picture,
    ("POST", "chat/fetchProfile"): profile,
    ("POST", "chat/updateBlockStatus"): block,
    ("POST", "chat/archiveChat"): archive,
}
