"""Buttons, which come back as an interactive message behind a wrapper (reference, section 4)."""

from uuid import uuid4

import orjson

from .backend import Call
from .errors import bad_request
from .outbox import Outgoing
from .world import Json


def buttons(call: Call, jid: str) -> Outgoing:
    """Prepare replies, or any of links, calls and codes to copy."""
    body, given = call.body, call.body.get("buttons") or []
    _refuse_bad_mix([button["type"] for button in given])
    written = f"*{body['title']}*\n\n" + (f"{body['description']}\n" if "description" in body else "")
    source = orjson.dumps({"from": "api", "templateId": str(uuid4())}).decode()
    flow = {"buttons": [_button(button) for button in given], "messageParamsJson": source}
    interactive: Json = {"body": {"text": written}}
    if "footer" in body:
        interactive["footer"] = {"text": body["footer"]}
    message = {"viewOnceMessage": {"message": {"interactiveMessage": interactive | {"nativeFlowMessage": flow}}}}
    shown: Json = {name: body[name] for name in ("title", "description", "footer", "buttons") if name in body}
    return Outgoing("buttons", shown, "viewOnceMessage", message, key_extra={"participant": jid})


def _refuse_bad_mix(kinds: list[str]) -> None:
    if not kinds:
        raise bad_request("At least one button is required")
    replies = kinds.count("reply")
    if replies > 3:
        raise bad_request("Maximum of 3 reply buttons allowed")
    if replies and replies < len(kinds):
        raise bad_request("Reply buttons cannot be mixed with other button types")


def _button(button: Json) -> Json:
    shown = {"display_text": button.get("displayText")}
    match button["type"]:
        case "reply":
            name, params = "quick_reply", shown | {"id": button.get("id")}
        case "url":
            name, params = "cta_url", shown | {"url": button.get("url"), "merchant_url": button.get("url")}
        case "call":
            name, params = "cta_call", shown | {"phone_number": button.get("phoneNumber")}
        case "copy":
            name, params = "cta_copy", shown | {"copy_code": button.get("copyCode")}
        case _:
            name, params = "payment_info", shown
    return {"name": name, "buttonParamsJson": orjson.dumps(params).decode()}
