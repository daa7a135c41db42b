"""Templates that Meta takes: there, approved, and with just the values that they want (reference, section 5.1)."""

import re
from collections.abc import Sequence
from typing import Any

from .errors import GraphError, bad, missing
from .message import Message, check_file

VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
SENDABLE = ("APPROVED", "FLAGGED", "REINSTATED")
FORBIDDEN = re.compile(r"[\n\t]| {5}")
VALUES = {
    "url": ("text", "text"),
    "quick_reply": ("payload", "payload"),
    "copy_code": ("coupon_code", "coupon_code"),
    "flow": ("action", "action"),
}


def check_template(message: Message) -> None:
    """Raise GraphError for a template that Meta refuses at once."""
    content = message.content
    template = _find(message, content)
    given = content.get("components") or []
    if not isinstance(given, list):
        raise bad("template.components must be an array")
    parts = {part["type"]: part for part in template["components"]}
    by_type = {str(part.get("type", "")).lower(): part for part in given}
    is_named = template.get("parameter_format") == "NAMED"
    _check_header(message, parts.get("HEADER"), by_type.get("header"), is_named=is_named)
    body = VARIABLE.findall(parts.get("BODY", {}).get("text", ""))
    _check_texts(body, (by_type.get("body") or {}).get("parameters") or [], "body", is_named=is_named)
    buttons = parts.get("BUTTONS", {}).get("buttons", [])
    _check_buttons(message, buttons, [part for part in given if str(part.get("type")).lower() == "button"])


def _find(message: Message, content: dict[str, Any]) -> dict[str, Any]:
    language = (content.get("language") or {}).get("code")
    if not content.get("name") or not language:
        raise missing("template.name and template.language.code")
    account = message.world.accounts[message.world.numbers[message.number_id].waba_id]
    for template in account.templates.values():
        if (template["name"], template["language"]) == (content["name"], language):
            return _sendable(template)
    raise GraphError(132001, f"template name ({content['name']}) does not exist in {language}", status=404)


def _sendable(template: dict[str, Any]) -> dict[str, Any]:
    status = template["status"].upper()
    if status in SENDABLE:
        return template
    raise GraphError({"PAUSED": 132015, "DISABLED": 132016}.get(status, 132001), f"the template is {status}")


def _check_header(message: Message, part: Any, given: Any, *, is_named: bool) -> None:
    form = (part or {}).get("format", "").upper()
    parameters = (given or {}).get("parameters") or []
    if form in ("", "TEXT"):
        _check_texts(VARIABLE.findall((part or {}).get("text", "")), parameters, "header", is_named=is_named)
        return
    if len(parameters) != 1 or parameters[0].get("type") != form.lower():
        raise GraphError(132012, f"header: format mismatch, expected {form}")
    value = parameters[0].get(form.lower())
    if form == "LOCATION":
        if not {"latitude", "longitude"} <= set(value or {}):
            raise missing("header.location")
    else:
        check_file(message, value or {}, form.lower())


def _check_texts(wanted: Sequence[str], given: Sequence[Any], where: str, *, is_named: bool) -> None:
    names = list(dict.fromkeys(wanted))
    if len(given) != len(names):
        details = f"{where}: number of localizable_params ({len(given)}) does not match the expected ({len(names)})"
        raise GraphError(132000, details)
    if is_named and {one.get("parameter_name") for one in given} != set(names):
        raise GraphError(132000, f"{where}: parameter names do not match {names}")
    for one in given:
        if one.get("type") != "text" or not one.get("text"):
            raise GraphError(132012, f"{where}: a text is expected")
        if FORBIDDEN.search(one["text"]):
            raise GraphError(132018, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")


def _check_buttons(message: Message, buttons: Sequence[Any], given: Sequence[Any]) -> None:
    by_index = {str(one.get("index")): one for one in given}
    for index, button in enumerate(buttons):
        one = by_index.pop(str(index), None)
        is_password = button["type"] == "OTP"
        if is_password and "to" not in message.body:
            raise GraphError(131062, "Authentication templates need a phone number")
        needs = is_password or button["type"] == "COPY_CODE" or bool(VARIABLE.search(button.get("url") or ""))
        if needs and one is None:
            raise GraphError(131008, f"buttons: Button at index {index} of type {button['type']} requires a parameter")
        if one is not None:
            _check_value(one, "url" if is_password else button["type"].lower(), index)
    if by_index:
        raise GraphError(132000, f"buttons: there is no button at {', '.join(by_index)}")


def _check_value(one: Any, sub_type: str, index: int) -> None:
    if one.get("sub_type") != sub_type or sub_type not in VALUES:
        raise GraphError(132012, f"buttons: sub_type of the button at {index} must be {sub_type}")
    kind, name = VALUES[sub_type]
    parameters = one.get("parameters") or [{}]
    if len(parameters) != 1 or parameters[0].get("type") != kind or not parameters[0].get(name):
        raise GraphError(132012, f"buttons: the button at {index} needs one parameter of the type {kind}")
