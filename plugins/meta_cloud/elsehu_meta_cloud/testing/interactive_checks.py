"""Interactive messages that Meta takes: the limits of the reference's section 4."""

from collections.abc import Callable
from typing import Any

from .errors import bad, missing
from .message import Message, check_file, text_within

Content = dict[str, Any]

BODIES = {"list": 4096}
HEADERS = {
    "list": {"text"},
    "location_request_message": set[str](),
    "contact_request": set[str](),
}
ANY_HEADER = {"text", "image", "video", "document"}


def check_interactive(message: Message) -> None:
    """Raise GraphError for an interactive message that Meta refuses."""
    content = message.content
    kind = content.get("type")
    check = ACTIONS.get(str(kind))
    if check is None:
        raise bad(f"interactive.type must be one of {', '.join(ACTIONS)}")
    text_within(_object(content, "body").get("text"), "interactive.body.text", BODIES.get(str(kind), 1024))
    if "footer" in content:
        text_within(_object(content, "footer").get("text"), "interactive.footer.text", 60)
    if "header" in content:
        _check_header(message, _object(content, "header"), HEADERS.get(str(kind), ANY_HEADER))
    check(_object(content, "action"))


def _check_header(message: Message, header: Content, allowed: set[str]) -> None:
    form = str(header.get("type"))
    if form not in allowed:
        raise bad(f"interactive.header.type must be one of {', '.join(sorted(allowed)) or 'none'}")
    if form == "text":
        text_within(header.get("text"), "interactive.header.text", 60)
    else:
        check_file(message, _object(header, form), form)


def _button(action: Content) -> None:
    buttons = _array(action, "buttons", 3)
    replies = [_object(button, "reply") for button in buttons if button.get("type") == "reply"]
    if len(replies) != len(buttons):
        raise bad("interactive.action.buttons must have the type reply")
    for reply in replies:
        text_within(reply.get("title"), "button title", 20)
        text_within(reply.get("id"), "button id", 256)
    _unique([reply["title"] for reply in replies], "button titles")
    _unique([reply["id"] for reply in replies], "button ids")


def _list(action: Content) -> None:
    text_within(action.get("button"), "interactive.action.button", 20)
    sections = _array(action, "sections", 10)
    rows = [row for section in sections for row in _array(section, "rows", 10)]
    if len(rows) > 10:
        raise bad("a list must have at most 10 rows in total")
    for section in sections:
        if len(sections) > 1 or section.get("title"):
            text_within(section.get("title"), "section title", 24)
    for row in rows:
        text_within(row.get("id"), "row id", 200)
        text_within(row.get("title"), "row title", 24)
        if "description" in row:
            text_within(row["description"], "row description", 72)
    _unique([row["id"] for row in rows], "row ids")


def _cta_url(action: Content) -> None:
    _named(action, "cta_url")
    parameters = _object(action, "parameters")
    text_within(parameters.get("display_text"), "display_text", 20)
    if not str(parameters.get("url", "")).startswith(("https://", "http://")):
        raise bad("parameters.url must be a web address")


def _flow(action: Content) -> None:
    _named(action, "flow")
    parameters = _object(action, "parameters")
    if parameters.get("flow_message_version") != "3":
        raise bad('flow_message_version must be "3"')
    if bool(parameters.get("flow_id")) == bool(parameters.get("flow_name")):
        raise bad("exactly one of flow_id and flow_name must be given")
    text_within(parameters.get("flow_cta"), "flow_cta", 30)
    if parameters.get("flow_action", "navigate") not in ("navigate", "data_exchange"):
        raise bad("flow_action must be navigate or data_exchange")
    start = parameters.get("flow_action_payload")
    if start is not None and (not isinstance(start, dict) or start.get("data") == {}):
        raise bad("flow_action_payload.data must not be empty")
    if parameters.get("mode", "published") not in ("draft", "published"):
        raise bad("mode must be draft or published")


def _send_location(action: Content) -> None:
    _named(action, "send_location")


def _request_contact(action: Content) -> None:
    _named(action, "request_contact_info")


def _named(action: Content, name: str) -> None:
    if action.get("name") != name:
        raise bad(f"interactive.action.name must be {name}")


def _object(content: Content, name: str) -> Content:
    value = content.get(name)
    if not isinstance(value, dict):
        raise missing(name)
    return value


def _array(content: Content, name: str, most: int) -> list[Content]:
    value = content.get(name)
    if not isinstance(value, list) or not 0 < len(value) <= most:
        raise bad(f"{name} must be an array of 1 to {most}")
    return value


def _unique(values: list[Any], what: str) -> None:
    if len(set(values)) != len(values):
        raise bad(f"{what} must be unique")


ACTIONS: dict[str, Callable[[Content], None]] = {
    "button": _button,
    "list": _list,
    "cta_url": _cta_url,
    "flow": _flow,
    "location_request_message": _send_location,
    "contact_request": _request_contact,
}
