"""What may be sent is decided before the queue: each refusal names the field and the number that it breaks."""

from typing import Any

import orjson
import pytest

from elsehu.contracts.errors import Invalid
from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import InteractiveLimits, NoConfig, ProviderSpec
from elsehu.http.operations import parse_json
from elsehu.messaging.outbound import limits
from elsehu.messaging.outbound.emoji import is_one_emoji
from elsehu.messaging.outbound.schemas import SendMessage
from elsehu.messaging.schemas import ContactIn

ID = "018f0000-0000-7000-8000-000000000001"
SPEC = ProviderSpec(
    "strict",
    NoConfig,
    NoConfig,
    frozenset(Kind) - {Kind.SYSTEM, Kind.UNSUPPORTED, Kind.TEMPLATE},
    max_text=10,
    max_caption=5,
    captions=frozenset({Kind.IMAGE}),
    max_contacts=2,
    contacts_need_phone=True,
    interactive={
        "buttons": InteractiveLimits(max_body=20, headers=frozenset({"text", "image"}), max_header=5, max_choices=3),
        "list": InteractiveLimits(max_choices=3, max_sections=2, max_choice_id=4, max_choice_title=4, max_label=3),
        "link": InteractiveLimits(max_label=4, max_footer=3),
        "flow": InteractiveLimits(),
        "location_request": InteractiveLimits(max_body=4),
    },
)


def buttons(*pairs: tuple[str, str], **more: Any) -> dict[str, Any]:
    made = [{"id": one, "title": title} for one, title in pairs or [("y", "Yes")]]
    return {"type": "buttons", "body": "Shall we?", "buttons": made, **more}


def rows(*sections: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"type": "list", "body": "Which?", "label": "Go", "sections": [{"rows": one} for one in sections], **more}


def row(n: int, **more: Any) -> dict[str, Any]:
    return {"id": f"r{n}", "title": f"R{n}", **more}


def link(**more: Any) -> dict[str, Any]:
    return {"type": "link", "body": "See", "label": "Open", "url": "https://shop.example/a?b=1", **more}


def flow(**more: Any) -> dict[str, Any]:
    return {"type": "flow", "body": "Fill in", "label": "Form", **more}


def refusal(**content: Any) -> Invalid | None:
    """Send `content` as far as the limits go."""
    body = orjson.dumps({"conversationId": ID, **content})
    try:
        request = parse_json(SendMessage, body)
        assert isinstance(request, SendMessage)
        limits.check(request, SPEC)
    except Invalid as error:
        return error
    return None


FITS: list[dict[str, Any]] = [
    {"text": "0123456789"},
    {"kind": "image", "mediaId": ID, "caption": "12345"},
    {"kind": "audio", "mediaUrl": "https://files.example/a.ogg"},
    {"kind": "location", "location": {"latitude": -23.5, "longitude": 180, "url": "https://maps.example/x"}},
    {"kind": "contacts", "contacts": [{"name": "Ana", "phones": [{"phone": "+5511988887777", "waId": "55119"}]}]},
    {"kind": "reaction", "reaction": {"messageId": ID, "emoji": ""}},
    {"kind": "template", "template": {"templateId": ID}},
    {"kind": "interactive", "interactive": buttons(("a", "A"), ("b", "B"), ("c", "C"))},
    {"kind": "interactive", "interactive": buttons(header={"format": "image", "mediaId": ID}, footer="f")},
    {"kind": "interactive", "interactive": buttons(header={"format": "text", "text": "Hello"})},
    {"kind": "interactive", "interactive": rows([row(1), row(2, description="d" * 72), row(3)])},
    {"kind": "interactive", "interactive": link()},
    {"kind": "interactive", "interactive": flow(flowId="1", screen="A", data={"a": [1]}, token="t", draft=True)},
    {"kind": "interactive", "interactive": flow(flowName="order", action="data_exchange")},
    {"kind": "interactive", "interactive": {"type": "location_request", "body": "Onde"}},
]


@pytest.mark.parametrize("content", FITS, ids=lambda one: orjson.dumps(one).decode()[:60])
def test_what_fits_passes(content: dict[str, Any]) -> None:
    assert refusal(**content) is None


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"text": "01234567890"}, "text", "at most 10"),
    ({"text": " "}, "text", "is needed"),
    ({"kind": "system"}, "", "cannot send system"),
    ({"kind": "image"}, "mediaId", "exactly one"),
    ({"kind": "image", "mediaId": ID, "mediaUrl": "https://a.example"}, "mediaId", "exactly one"),
    ({"kind": "image", "mediaUrl": "ftp://a.example"}, "mediaUrl", "scheme"),
    ({"kind": "image", "mediaId": ID, "caption": "123456"}, "caption", "at most 5"),
    ({"kind": "audio", "mediaId": ID, "caption": "x"}, "caption", "goes with: image"),
    ({"kind": "text", "text": "x", "caption": "y"}, "caption", "does not belong"),
    ({"kind": "location", "location": {"latitude": 90.1, "longitude": 0}}, "location.latitude", "90"),
    ({"kind": "location", "location": {"latitude": 0, "longitude": -181}}, "location.longitude", "-180"),
    ({"kind": "contacts", "contacts": [{"name": " ", "phones": [{"phone": "1"}]}]}, "contacts.0.name", "at least 1"),
    ({"kind": "contacts", "contacts": [{"name": "Ana"}]}, "contacts.0.phones", "at least one phone"),
    ({"kind": "contacts", "contacts": [{"name": "A", "phones": [{"phone": "1"}]}] * 3}, "contacts", "at most 2"),
    ({"kind": "reaction", "reaction": {"messageId": ID, "emoji": "👍👍"}}, "reaction.emoji", "exactly one emoji"),
    ({"kind": "interactive", "text": "x"}, "interactive", "is needed"),
    ({"kind": "interactive", "interactive": {"type": "contact_request", "body": "b"}}, "interactive.type", "buttons"),
    ({"kind": "interactive", "interactive": {"type": "product", "body": "b"}}, "interactive", "contact_request"),
    ({"kind": "interactive", "interactive": {"body": "b"}}, "interactive", "type"),
    ({"kind": "interactive", "interactive": buttons(body="b" * 21)}, "interactive.body", "at most 20"),
    ({"kind": "interactive", "interactive": buttons(more=1)}, "interactive.more", "not permitted"),
    ({"kind": "interactive", "interactive": buttons(buttons=[])}, "interactive.buttons", "at least 1"),
    ({"kind": "interactive", "interactive": buttons(buttons=[{"id": "a"}])}, "interactive.buttons.0.title", "required"),
    (
        {"kind": "interactive", "interactive": buttons(*[(str(n), str(n)) for n in range(4)])},
        "interactive.buttons",
        "at most 3 choices; these are 4",
    ),
    (
        {"kind": "interactive", "interactive": buttons(("a", "A"), ("b", "x" * 21))},
        "interactive.buttons.1.title",
        "at most 20 characters; it has 21",
    ),
    ({"kind": "interactive", "interactive": buttons(("a" * 257, "A"))}, "interactive.buttons.0.id", "at most 256"),
    ({"kind": "interactive", "interactive": buttons(("a", "A"), ("a", "B"))}, "interactive.buttons.1.id", "twice"),
    ({"kind": "interactive", "interactive": buttons(("a", "A"), ("b", "A"))}, "interactive.buttons.1.title", "twice"),
    (
        {"kind": "interactive", "interactive": buttons(header={"format": "text", "text": "Hello!"})},
        "interactive.header.text",
        "at most 5",
    ),
    (
        {"kind": "interactive", "interactive": buttons(header={"format": "video", "mediaId": ID})},
        "interactive.header.format",
        "one of: image, text",
    ),
    (
        {"kind": "interactive", "interactive": buttons(header={"format": "image", "text": "a"})},
        "interactive.header.mediaId",
        "required",
    ),
    (
        {"kind": "interactive", "interactive": buttons(header={"format": "audio", "mediaId": ID})},
        "interactive.header",
        "document",
    ),
    (
        {"kind": "interactive", "interactive": rows([row(1), row(2)], [row(3), row(4)])},
        "interactive.sections",
        "most 3",
    ),
    ({"kind": "interactive", "interactive": rows([row(1)], [row(2)])}, "interactive.sections.0.title", "more than one"),
    ({"kind": "interactive", "interactive": rows([row(1)], [row(2)], [row(3)])}, "interactive.sections", "most 2 sect"),
    ({"kind": "interactive", "interactive": rows([row(1), row(1)])}, "interactive.sections.0.rows.1.id", "twice"),
    (
        {"kind": "interactive", "interactive": rows([row(1, title="12345")])},
        "interactive.sections.0.rows.0.title",
        "at most 4",
    ),
    (
        {"kind": "interactive", "interactive": rows([row(1, description="d" * 73)])},
        "interactive.sections.0.rows.0.description",
        "at most 72",
    ),
    ({"kind": "interactive", "interactive": rows([row(1)], label="Goes")}, "interactive.label", "at most 3"),
    (
        {"kind": "interactive", "interactive": rows([row(1)], header={"format": "text", "text": "h"})},
        "interactive.header.format",
        "cannot be sent here",
    ),
    ({"kind": "interactive", "interactive": link(label="Open!")}, "interactive.label", "at most 4"),
    ({"kind": "interactive", "interactive": link(footer="long")}, "interactive.footer", "at most 3"),
    ({"kind": "interactive", "interactive": link(url="javascript:alert(1)")}, "interactive.url", "http"),
    ({"kind": "interactive", "interactive": flow()}, "interactive", "exactly one of flowId and flowName"),
    ({"kind": "interactive", "interactive": flow(flowId="1", data={"a": "x" * 16384})}, "interactive.data", "16384"),
    (
        {"kind": "interactive", "interactive": {"type": "location_request", "body": "Onde?"}},
        "interactive.body",
        "most 4",
    ),
]


@pytest.mark.parametrize(("content", "field", "words"), REFUSED, ids=[f"{one[1]}: {one[2]}" for one in REFUSED])
def test_what_does_not_fit_is_named(content: dict[str, Any], field: str, words: str) -> None:
    error = refusal(**content)
    assert error is not None
    found = {one.field: one.message for one in error.errors} or {"": error.detail}
    assert words in found[field], found


def test_a_type_that_the_provider_lacks_is_refused_by_its_code() -> None:
    error = refusal(kind="interactive", interactive={"type": "contact_request", "body": "b"})
    assert error is not None
    assert error.code == "unsupported_by_provider"
    assert "buttons, flow, link, list, location_request" in error.detail


def test_a_kind_that_the_provider_lacks_is_refused_by_its_code() -> None:
    error = refusal(kind="unsupported")
    assert error is not None
    assert (error.code, "it sends: audio, contacts" in error.detail) == ("unsupported_by_provider", True)


def test_a_card_keeps_all_that_it_holds() -> None:
    card = {
        "name": "Dr. Ana Maria Souza",
        "prefix": "Dr.",
        "firstName": "Ana",
        "middleName": "Maria",
        "lastName": "Souza",
        "organization": "Shop",
        "department": "Sales",
        "title": "Head",
        "birthday": "1990-02-28",
        "phones": [{"phone": "+55 11 98888-7777", "type": "CELL", "waId": "5511988887777"}],
        "emails": [{"email": "ana@shop.example", "type": "WORK"}],
        "urls": [{"url": "https://shop.example", "type": "WORK"}],
        "addresses": [{"street": "R. A, 1", "city": "São Paulo", "zip": "01000-000", "countryCode": "BR"}],
    }
    request = parse_json(SendMessage, orjson.dumps({"conversationId": ID, "kind": "contacts", "contacts": [card]}))
    assert isinstance(request, SendMessage)
    assert request.contacts is not None
    assert request.contacts[0].model_dump(mode="json", by_alias=True, exclude_none=True) == card


@pytest.mark.parametrize(
    "text",
    ["👍", "👍🏽", "❤️", "❤", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇧🇷", "1️⃣", "🏳️‍🌈", "🧑🏿‍🚀", "🙂‍↔️", "👁️‍🗨️", "©", "🏽"],
)
def test_one_emoji(text: str) -> None:
    assert is_one_emoji(text)


@pytest.mark.parametrize(
    "text", ["", "a", "1", "ok", "👍👍", "👍 ", "👍a", "🇧", "🇧🇷🇵", "🇧🇷👍", "\u200d", "👍\u200d", "\ufe0f", "é", "<b>"]
)
def test_no_emoji_or_more_than_one(text: str) -> None:
    assert not is_one_emoji(text)


def test_what_is_kept_of_a_contact_has_an_end() -> None:
    with pytest.raises(Invalid) as refused:
        parse_json(ContactIn, orjson.dumps({"name": "Ana", "phone": "1", "custom": {"a": "x" * 16384}}))
    assert [one.field for one in refused.value.errors] == ["custom"]
    assert "at most 16384 bytes" in refused.value.errors[0].message
