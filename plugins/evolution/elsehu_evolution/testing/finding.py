"""``/chat/find…``: the server's stores, with the traps of their filters (reference, section 5)."""

from datetime import datetime
from typing import Any

from starlette.responses import Response

from .backend import Answer, Call, Routes
from .errors import bad_request, refusal
from .flavours import dumps_stored
from .jids import USER, is_group
from .world import Instance, Json, StoredMessage, World

PAGE = 50
ORM_TEXT = "(raw ORM validation error text, several lines, includes server file paths; removed here)"


async def find_messages(call: Call) -> Answer:
    """Page through the store, newest first; ``offset`` is the size of a page."""
    page, size = call.body.get("page") or 1, call.body.get("offset") or PAGE
    if not (isinstance(page, int) and isinstance(size, int)):
        raise refusal(500, ORM_TEXT)
    found = _matching(call.instance, call.body.get("where") or {})
    found.sort(key=lambda row: int(row.data["messageTimestamp"]), reverse=True)
    messages = {
        "total": len(found),
        "pages": -(-len(found) // size),
        "currentPage": page,
        "records": [_record(row) for row in found[(page - 1) * size : page * size]],
    }
    return 200, Response(dumps_stored({"messages": messages}), media_type="application/json")


async def find_status(call: Call) -> Answer:
    """List stored status rows, oldest first."""
    where = call.body.get("where") or {}
    rows = [update for row in call.instance.messages for update in row.updates]
    wanted = {"remoteJid": where.get("remoteJid"), "keyId": where.get("id")}
    rows = [row for row in rows if all(value is None or row[name] == value for name, value in wanted.items())]
    page, size = call.body.get("page") or 1, call.body.get("offset") or PAGE
    return 200, rows[(page - 1) * size : page * size]


async def find_contacts(call: Call) -> Answer:
    """List contacts; a bare number in ``remoteJid`` is completed, and nothing is paged unless asked for."""
    where = call.body.get("where") or {}
    if where.get("pushName") == "":
        raise bad_request(["where.pushName does not meet minimum length of 1", 'The "pushName" cannot be empty'])
    if where.get("remoteJid") and "@" not in where["remoteJid"]:
        where = where | {"remoteJid": where["remoteJid"] + USER}
    rows = _contact_rows(call.instance, call.backend.world)
    rows = [row for row in rows if all(row.get(name) == value for name, value in where.items())]
    size = call.body.get("offset")
    page = call.body.get("page") or 1
    return 200, rows[(page - 1) * size : page * size] if size else rows


def _contact_rows(instance: Instance, world: World) -> list[Json]:
    return [
        {
            "id": contact.row_id,
            "remoteJid": contact.jid,
            "pushName": contact.name,
            "profilePicUrl": world.pictures.get(contact.jid),
            "createdAt": contact.created_at,
            "updatedAt": contact.updated_at,
            "instanceId": instance.id,
            "isGroup": is_group(contact.jid),
            "isSaved": bool(contact.name),
            "type": "group" if is_group(contact.jid) else "contact",
        }
        for contact in instance.contacts.values()
    ]


def contact_name(world: World, jid: str) -> str | None:
    """Return the name under which any instance knows somebody."""
    known = (instance.contacts.get(jid) for instance in world.instances.values())
    return next((contact.name for contact in known if contact), None)


def _matching(instance: Instance, where: Json) -> list[StoredMessage]:
    key = where.get("key") or {}
    if "" in (*where.values(), *key.values()):
        raise bad_request(["The property cannot be empty"])
    wanted = {("key", name): key[name] for name in ("id", "remoteJid") if name in key}
    wanted |= {("row", name): where[name] for name in ("source", "messageType") if name in where}
    if key.get("fromMe") is True:
        wanted["key", "fromMe"] = True
    bounds = _bounds(where.get("messageTimestamp") or {})
    return [
        row
        for row in instance.messages
        if all((row.key if part == "key" else row.data).get(name) == value for (part, name), value in wanted.items())
        and where.get("id") in (None, row.row_id)
        and (bounds is None or bounds[0] <= row.data["messageTimestamp"] <= bounds[1])
    ]


def _bounds(span: Json) -> tuple[float, float] | None:
    """Return the bounds in seconds; with one of the two missing there are none."""
    if "gte" not in span or "lte" not in span:
        return None
    return _seconds(span["gte"]), _seconds(span["lte"])


def _seconds(bound: Any) -> float:
    """Read ISO 8601, or a number that is taken for milliseconds."""
    if isinstance(bound, str) and not bound.isdigit():
        return datetime.fromisoformat(bound).timestamp()
    return float(bound) / 1000


def _record(row: StoredMessage) -> Json:
    data = row.data
    return {
        "id": row.row_id,
        "key": row.key,
        "pushName": data.get("pushName"),
        "messageType": data["messageType"],
        "message": data["message"],
        "messageTimestamp": data["messageTimestamp"],
        "instanceId": data["instanceId"],
        "source": data["source"],
        "contextInfo": data.get("contextInfo"),
        "MessageUpdate": [{"status": update["status"]} for update in row.updates],
    }


ROUTES: Routes = {
    ("POST", "chat/findMessages"): find_messages,
    ("POST", "chat/findStatusMessage"): find_status,
    ("POST", "chat/findContacts"): find_contacts,
}
