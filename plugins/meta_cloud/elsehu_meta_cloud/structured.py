"""Messages whose content has a structure: places, choices, forms, orders, and what we have no kind for.

Each reader takes what the message has under the name of its type and returns its `Content`. Payloads have the shape
in which Elsehu takes the same things for sending, and a `type` where one kind has several.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from elsehu.plugin import Kind, MediaContent, parse_json

from .cleaning import clean
from .flavours import EMPTY, Json, Unreadable, decimal, listed, mapping, text, whole

LONGEST_FORM = 64_000
LONGEST_LABEL = 60
MOST_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class Content:
    """What a message holds."""

    kind: Kind
    text: str | None = None
    payload: Json = field(default_factory=dict)
    media: MediaContent | None = None


def location(value: Any) -> Content:
    """Read a place; 0 is a coordinate like any other."""
    leaf = mapping(value)
    latitude, longitude = decimal(leaf.get("latitude")), decimal(leaf.get("longitude"))
    if latitude is None or longitude is None:
        raise Unreadable("a location without coordinates")
    names = {name: found for name in ("name", "address", "url") if (found := text(leaf.get(name)))}
    return Content(Kind.LOCATION, None, {"latitude": latitude, "longitude": longitude, **names})


def button(value: Any) -> Content:
    """Read a tap on a template's quick reply."""
    leaf = mapping(value)
    return _reply("button_reply", leaf.get("payload"), leaf.get("text"))


def interactive(value: Any) -> Content:
    """Read the answer to an interactive message."""
    leaf = mapping(value)
    name = text(leaf.get("type")) or ""
    reader = ANSWERS.get(name)
    if reader is None:
        return unsupported(name or "interactive", EMPTY)
    answer = leaf.get(name)
    if type(answer) is not dict:
        raise Unreadable(f"a {name} without its answer")
    return reader(answer)


def _button_reply(answer: Json) -> Content:
    return _reply("button_reply", answer.get("id"), answer.get("title"))


def _list_reply(answer: Json) -> Content:
    description = text(answer.get("description"))
    return _reply(
        "list_reply", answer.get("id"), answer.get("title"), **({"description": description} if description else {})
    )


def _reply(kind: str, chosen: Any, title: Any, **more: Any) -> Content:
    words = text(title) or text(chosen)
    if words is None:
        raise Unreadable(f"a {kind} that chooses nothing")
    return Content(Kind.INTERACTIVE, words, {"type": kind, "id": text(chosen), "title": text(title), **more})


def _flow_reply(answer: Json) -> Content:
    """Read a filled-in form: JSON in a text, which may be broken, and then is shown as it is."""
    written, body = answer.get("response_json"), text(answer.get("body"))
    data = clean(parse_json(written.encode("utf-8", "replace")) if type(written) is str else written, {})
    form = {"type": "flow_reply", "name": text(answer.get("name")), "body": body, "data": data}
    unread = {"raw": written[:LONGEST_FORM]} if data is None and type(written) is str else {}
    return Content(Kind.INTERACTIVE, body, {**form, **unread})


def _call_permission(answer: Json) -> Content:
    response = text(answer.get("response"))
    return Content(Kind.INTERACTIVE, response, {"type": "call_permission_reply", "response": response})


ANSWERS: Mapping[str, Callable[[Json], Content]] = {
    "button_reply": _button_reply,
    "list_reply": _list_reply,
    "nfm_reply": _flow_reply,
    "call_permission_reply": _call_permission,
}


def order(value: Any) -> Content:
    """Read an order from the catalogue, its prices as decimal texts."""
    leaf = mapping(value)
    items = [_item(mapping(one)) for one in listed(leaf, "product_items")[:MOST_ITEMS]]
    ordered = {"catalogId": text(leaf.get("catalog_id")), "items": items}
    return Content(Kind.INTERACTIVE, text(leaf.get("text")), {"type": "order", "order": ordered})


def _item(item: Json) -> Json:
    return {
        "productId": text(item.get("product_retailer_id")),
        "quantity": whole(item.get("quantity")),
        "price": _price(item.get("item_price")),
        "currency": text(item.get("currency")),
    }


def _price(value: Any) -> str | None:
    """Return a price as the shortest decimal text that means it: a float's own, never its binary neighbour's."""
    if type(value) is str:
        return value[:LONGEST_LABEL] or None
    number = decimal(value)
    return None if number is None else format(Decimal(str(value)), "f")


def unsupported(name: str, message: Json) -> Content:
    """Label what there is no kind for, with Meta's reasons and the words that it has."""
    inner = text(mapping(message.get("unsupported")).get("type"))
    what = (inner or name or "message")[:LONGEST_LABEL]
    errors = [_reason(mapping(one)) for one in listed(message, "errors")[:MOST_ITEMS]]
    payload = {"type": what, "label": what.replace("_", " ").capitalize()}
    words = text(mapping(message.get("text")).get("body"))
    return Content(Kind.UNSUPPORTED, words, {**payload, "errors": errors} if errors else payload)


def _reason(error: Json) -> Json:
    detail = text(mapping(error.get("error_data")).get("details")) or text(error.get("details"))
    return {"code": whole(error.get("code")), "title": text(error.get("title")), "detail": detail}
