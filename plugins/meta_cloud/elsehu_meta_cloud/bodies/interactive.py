"""Buttons, lists, links, flows, and requests for a location or a phone number."""

from collections.abc import Callable, Mapping
from typing import Any

from elsehu.plugin import OutboundMessage, Rejected

from ..names import base_type, file_name

Json = Mapping[str, Any]
FLOW_VERSION = "3"


def interactive(message: OutboundMessage, media_id: str | None) -> dict[str, Any]:
    """Return an interactive message. Raises Rejected for a type that Meta does not have."""
    payload = message.payload
    known = TYPES.get(str(payload.get("type")))
    if known is None:
        raise Rejected("unsupported_by_provider", f"The Cloud API has no interactive type {payload.get('type')!r}.")
    name, action = known
    body: dict[str, Any] = {"type": name, "body": {"text": payload.get("body", "")}, "action": action(payload)}
    header = payload.get("header")
    if header:
        body["header"] = _header(message, header, media_id)
    if payload.get("footer"):
        body["footer"] = {"text": payload["footer"]}
    return body


def _header(message: OutboundMessage, header: Json, media_id: str | None) -> dict[str, Any]:
    form = str(header.get("format"))
    if form == "text":
        return {"type": "text", "text": header.get("text", "")}
    return {"type": form, form: header_file(message, form, media_id)}


def header_file(message: OutboundMessage, form: str, media_id: str | None) -> dict[str, Any]:
    """Return a header's file. Raises Rejected where there is none, or one of another type."""
    file = message.media
    if file is None:
        raise Rejected("media_missing", f"The header is to hold a file ({form}), and there is none. Give one.")
    if form in ("image", "video") and not base_type(file.mime_type).startswith(form):
        raise Rejected("media_refused", f"The header is to hold a file of the type {form}, not {file.mime_type}.")
    return {"id": media_id, "filename": file_name(file)} if form == "document" else {"id": media_id}


def _buttons(payload: Json) -> Json:
    replies = [{"id": one.get("id"), "title": one.get("title")} for one in payload.get("buttons", ())]
    return {"buttons": [{"type": "reply", "reply": reply} for reply in replies]}


def _list(payload: Json) -> Json:
    return {"button": payload.get("label"), "sections": [_section(one) for one in payload.get("sections", ())]}


def _section(section: Json) -> Json:
    title = {"title": section["title"]} if section.get("title") else {}
    return {**title, "rows": [_row(row) for row in section.get("rows", ())]}


def _row(row: Json) -> Json:
    description = {"description": row["description"]} if row.get("description") else {}
    return {"id": row.get("id"), "title": row.get("title"), **description}


def _link(payload: Json) -> Json:
    return {"name": "cta_url", "parameters": {"display_text": payload.get("label"), "url": payload.get("url")}}


def _flow(payload: Json) -> Json:
    """Return a flow's action. Where it starts is said only for `navigate`: else its own server says so."""
    names = {
        "flow_id": payload.get("flowId"),
        "flow_name": payload.get("flowName"),
        "flow_token": payload.get("token"),
        "flow_action_payload": _start(payload) if payload.get("action") != "data_exchange" else None,
    }
    fixed = {
        "flow_message_version": FLOW_VERSION,
        "flow_cta": payload.get("label"),
        "flow_action": payload.get("action") or "navigate",
        "mode": "draft" if payload.get("draft") else "published",
    }
    return {"name": "flow", "parameters": {**fixed, **{key: value for key, value in names.items() if value}}}


def _start(payload: Json) -> Json:
    start = {"screen": payload.get("screen"), "data": payload.get("data")}
    return {key: value for key, value in start.items() if value}


def _location_request(payload: Json) -> Json:
    return {"name": "send_location"}


def _contact_request(payload: Json) -> Json:
    return {"name": "request_contact_info"}


TYPES: Mapping[str, tuple[str, Callable[[Json], Json]]] = {
    "buttons": ("button", _buttons),
    "list": ("list", _list),
    "link": ("cta_url", _link),
    "flow": ("flow", _flow),
    "location_request": ("location_request_message", _location_request),
    "contact_request": ("contact_request", _contact_request),
}
"""Our type: Meta's, and what makes its action."""
