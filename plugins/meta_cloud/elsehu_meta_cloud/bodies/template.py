"""Templates with their values (Meta Cloud API reference, section 5.1)."""

from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.plugin import OutboundMessage, Rejected

from .interactive import header_file
from .plain import place

Json = Mapping[str, Any]

SUB_TYPES = {"url": "url", "quick_reply": "quick_reply", "copy_code": "copy_code", "flow": "flow", "otp": "url"}
"""Our type of a button that takes a value: Meta's. One-time passwords ride on a URL button."""


def template(message: OutboundMessage, media_id: str | None) -> dict[str, Any]:
    """Return a template; without values it needs no components."""
    payload = message.payload
    named = payload["template"]
    header, body = payload.get("header"), payload.get("body") or ()
    components = [_header(message, header, media_id)] if header else []
    if body:
        components.append({"type": "body", "parameters": _texts(body)})
    components += [_button(button) for button in payload.get("buttons") or ()]
    known = {"components": components} if components else {}
    return {"name": named["name"], "language": {"code": named["language"]}, **known}


def is_password(payload: Json) -> bool:
    """Whether a template hands out a one-time password, which needs the customer's phone number."""
    return any(button.get("type") == "otp" for button in payload.get("buttons") or ())


def _header(message: OutboundMessage, header: Json, media_id: str | None) -> dict[str, Any]:
    form = str(header.get("format"))
    if form == "text":
        return {"type": "header", "parameters": _texts(header.get("parameters") or ())}
    value = place(header.get("location") or {}) if form == "location" else header_file(message, form, media_id)
    return {"type": "header", "parameters": [{"type": form, form: value}]}


def _texts(parameters: Sequence[Json]) -> list[dict[str, Any]]:
    return [_text(parameter) for parameter in parameters]


def _text(parameter: Json) -> dict[str, Any]:
    name = {"parameter_name": parameter["name"]} if parameter.get("name") else {}
    return {"type": "text", **name, "text": parameter.get("text", "")}


def _button(button: Json) -> dict[str, Any]:
    kind, value = str(button.get("type")), button.get("value", "")
    sub_type = SUB_TYPES.get(kind)
    if sub_type is None:
        raise Rejected("unsupported_by_provider", f"A template's button of the type {kind!r} takes no value.")
    parameter: dict[str, Any] = {
        "url": {"type": "text", "text": value},
        "quick_reply": {"type": "payload", "payload": value},
        "copy_code": {"type": "coupon_code", "coupon_code": value},
        "flow": {"type": "action", "action": {"flow_token": value}},
    }[sub_type]
    return {"type": "button", "sub_type": sub_type, "index": str(button.get("index", 0)), "parameters": [parameter]}
