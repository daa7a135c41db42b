"""Every event of the sandbox's webhooks, and everything that is none."""

import re
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from elsehu_sandbox.normalize import normalize, receive
from elsehu_sandbox.wire import EVENTS
from hypothesis import given
from hypothesis import strategies as st

from elsehu.plugin import (
    Accepted,
    Broken,
    CustomerTyping,
    Direction,
    IdentitiesLinked,
    Identity,
    IdentityKind,
    InstanceChanged,
    InstanceStatus,
    Item,
    Kind,
    MediaContent,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    Normalized,
    ReactionChanged,
    Status,
    StatusChanged,
    TemplateChanged,
    TemplateStatus,
    WebhookRejected,
    WebhookRequest,
)

from .conftest import SECRET, make_instance

INSTANCE = make_instance()
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
TIME = "2026-03-01T12:30:00.000Z"
MARIA = (Identity(IdentityKind.PHONE, "5511988887777", "5511988887777"),)
FROM_MARIA = {"phone": "+55 (11) 98888-7777", "name": "Maria"}


def read(*events: Any) -> Normalized:
    return normalize(Accepted({"events": list(events)}, [INSTANCE]))


def arrived(**fields: Any) -> MessageArrived:
    values = {"external_id": "A1", "direction": Direction.INBOUND, "sender": MARIA, "sender_name": "Maria", "at": AT}
    return MessageArrived(**{**values, **fields})


def message(**fields: Any) -> dict[str, Any]:
    return {"type": "message", "id": "A1", "from": FROM_MARIA, "at": TIME, **fields}


TABLE: dict[str, tuple[dict[str, Any], Any]] = {
    "text": (message(text="Hello"), arrived(kind=Kind.TEXT, text="Hello")),
    "an answer": (
        message(text="Yes", replyTo="B2"),
        arrived(kind=Kind.TEXT, text="Yes", reply_to="B2"),
    ),
    "time in seconds": (message(text="Hello", at=1772368200), arrived(kind=Kind.TEXT, text="Hello")),
    "time in another zone": (
        message(text="Hello", at="2026-03-01T09:30:00-03:00"),
        arrived(kind=Kind.TEXT, text="Hello"),
    ),
    "a number without its ninth digit": (
        message(text="Hello", **{"from": {"phone": "551188887777"}}),
        arrived(
            kind=Kind.TEXT,
            text="Hello",
            sender=(Identity(IdentityKind.PHONE, "5511988887777", "551188887777"),),
            sender_name=None,
        ),
    ),
    "a LID with its phone": (
        message(text="Hello", **{"from": {"phone": "5511988887777", "lid": "123456789"}}),
        arrived(
            kind=Kind.TEXT,
            text="Hello",
            sender=(*MARIA, Identity(IdentityKind.LID, "123456789", "123456789")),
            sender_name=None,
        ),
    ),
    "an image with its bytes": (
        message(kind="image", text="Look", media={"mimeType": "image/png", "base64": b64encode(b"png").decode()}),
        arrived(
            kind=Kind.IMAGE,
            text="Look",
            media=MediaContent(
                "image/png",
                size=3,
                data=b"png",
                reference={"seed": "A1", "mime_type": "image/png", "size": None},
            ),
        ),
    ),
    "a voice message to be fetched": (
        message(kind="audio", media={"mimeType": "audio/ogg", "size": 500, "isVoice": True, "fileName": "a.ogg"}),
        arrived(
            kind=Kind.AUDIO,
            media=MediaContent(
                "audio/ogg",
                "a.ogg",
                size=500,
                reference={"seed": "A1", "mime_type": "audio/ogg", "size": 500},
                is_voice=True,
            ),
        ),
    ),
    "a location": (
        message(kind="location", payload={"latitude": 1.5, "longitude": 2}),
        arrived(kind=Kind.LOCATION, payload={"latitude": 1.5, "longitude": 2}),
    ),
    "a kind of tomorrow": (message(kind="hologram"), arrived(kind=Kind.UNSUPPORTED)),
    "an echo of a send": (
        {
            "type": "message",
            "id": "A1",
            "direction": "outbound",
            "to": FROM_MARIA,
            "text": "Hi",
            "clientRef": "r",
            "at": TIME,
        },
        arrived(
            direction=Direction.OUTBOUND,
            sender_name=None,
            kind=Kind.TEXT,
            text="Hi",
            client_ref="r",
            through_api=True,
            status=Status.SENT,
        ),
    ),
    "what was typed on the phone": (
        {"type": "message", "id": "A1", "direction": "outbound", "to": FROM_MARIA, "text": "Hi", "at": TIME},
        arrived(direction=Direction.OUTBOUND, sender_name=None, kind=Kind.TEXT, text="Hi", status=Status.SENT),
    ),
    "delivered": (
        {"type": "status", "id": "A1", "status": "delivered", "at": TIME, "clientRef": "r"},
        StatusChanged("A1", Status.DELIVERED, at=AT, client_ref="r"),
    ),
    "failed": (
        {"type": "status", "id": "A1", "status": "failed", "errorCode": "blocked", "errorDetail": "No."},
        StatusChanged("A1", Status.FAILED, error_code="blocked", error_detail="No."),
    ),
    "an edit": ({"type": "edit", "id": "A1", "text": "Hullo", "at": TIME}, MessageEdited("A1", "Hullo", AT)),
    "a deletion": ({"type": "delete", "id": "A1"}, MessageDeleted("A1")),
    "a reaction": (
        {"type": "reaction", "id": "A1", "emoji": "👍", "from": FROM_MARIA, "at": TIME},
        ReactionChanged("A1", "👍", AT, from_company=False, sender=MARIA),
    ),
    "a reaction taken back": (
        {"type": "reaction", "id": "A1", "emoji": "", "from": FROM_MARIA, "at": TIME},
        ReactionChanged("A1", "", AT, from_company=False, sender=MARIA),
    ),
    "typing": ({"type": "typing", "from": FROM_MARIA}, CustomerTyping(MARIA, "composing")),
    "one person": (
        {"type": "linked", "person": {"phone": "5511988887777", "lid": "123456789"}},
        IdentitiesLinked((*MARIA, Identity(IdentityKind.LID, "123456789", "123456789"))),
    ),
    "the connection": (
        {"type": "instance", "status": "disconnected", "detail": "Battery empty"},
        InstanceChanged(InstanceStatus.DISCONNECTED, "Battery empty"),
    ),
    "a template is paused": (
        {"type": "template", "name": "hello", "language": "pt_BR", "status": "PAUSED", "reason": "Spam", "at": TIME},
        TemplateChanged("hello", "pt_BR", status=TemplateStatus.PAUSED, reason="Spam", at=AT),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_every_event_says_what_it_says(name: str) -> None:
    raw, event = TABLE[name]
    normalized = read(raw)
    assert not normalized.broken
    assert [item.event for item in normalized.items] == [event]
    assert normalized.items[0].instance_id == INSTANCE.id
    assert normalized.event_name == raw["type"]


def test_the_table_knows_every_type() -> None:
    assert {raw["type"] for raw, _ in TABLE.values()} == set(EVENTS)


def test_the_readme_shows_every_type_as_it_is() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    shown = orjson.loads(re.findall(r"```json\n(.*?)```", readme, re.DOTALL)[0])
    assert {event["type"] for event in shown["events"]} == set(EVENTS)
    assert not read(*shown["events"]).broken


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (message(), "text"),
        (message(text=""), "text"),
        ({"type": "message", "id": "A1", "from": FROM_MARIA, "text": "no time"}, "at"),
        (message(text="Hello", at="yesterday"), "at"),
        (message(text="Hello", at="0001-01-01T00:00:00+14:00"), "at"),
        (message(text="Hello", id=""), "id"),
        (message(text="Hello", **{"from": {"name": "Nobody"}}), "phone or a lid"),
        (message(text="Hello", **{"from": {"phone": "12"}}), "phone"),
        (message(kind="image"), "media"),
        (message(kind="image", media={"mimeType": "image/png", "base64": "?"}), "base64"),
        ({"type": "status", "id": "A1", "status": "eaten"}, "status"),
        ({"type": "reaction", "id": "A1", "emoji": "👍", "at": TIME}, "from"),
        ("a string", "object"),
        (7, "object"),
        (None, "object"),
    ],
)
def test_a_broken_event_is_kept_and_does_not_take_others_with_it(raw: Any, field: str) -> None:
    normalized = read(message(text="before"), raw, message(id="A2", text="after"))
    assert [item.event.text for item in normalized.items if isinstance(item.event, MessageArrived)] == [
        "before",
        "after",
    ]
    [broken] = normalized.broken
    assert field in broken.error
    assert broken.instance_id == INSTANCE.id


@pytest.mark.parametrize("raw", [{"type": "poll", "id": "P1"}, {"type": None}, {"type": ["message"]}, {}])
def test_an_unknown_type_is_only_recorded(raw: Any) -> None:
    normalized = read(raw)
    assert (normalized.items, normalized.broken) == ([], [])
    assert normalized.raw == {"events": [raw]}


@pytest.mark.parametrize("payload", [None, 7, "text", [], {}, {"events": {}}, {"events": "x"}, {"unreadable": "{"}])
def test_a_body_that_is_no_list_of_events_is_broken(payload: Any) -> None:
    normalized = normalize(Accepted(payload, [INSTANCE]))
    assert isinstance(normalized.broken[0], Broken)
    assert normalized.raw == payload


def test_media_bytes_are_not_kept_and_a_replay_without_them_still_names_the_file() -> None:
    first = read(message(kind="image", media={"mimeType": "image/png", "base64": b64encode(b"secret png").decode()}))
    assert b"base64" not in orjson.dumps(first.raw)
    assert b"base64" not in orjson.dumps(first.items[0].raw)
    again = normalize(Accepted(first.raw, [INSTANCE]))
    event = again.items[0].event
    assert isinstance(event, MessageArrived)
    assert event.media
    assert event.media.data is None
    assert event.media.reference["seed"] == "A1"


def webhook(
    body: bytes = b'{"events": []}', *, path_secret: str | None = None, header: str | None = None
) -> WebhookRequest:
    headers = {"x-elsehu-secret": header} if header else {}
    return WebhookRequest("POST", headers, {}, body, path_secret=path_secret)


@pytest.mark.parametrize("request_", [webhook(header=SECRET), webhook(path_secret=SECRET)], ids=["header", "path"])
def test_the_secret_says_which_instance_speaks(request_: WebhookRequest) -> None:
    other = make_instance()
    stranger = type(other)(**{**_fields(other), "webhook_secret": "another secret"})
    assert receive(request_, [stranger, INSTANCE]).instances == [INSTANCE]


def _fields(instance: Any) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in instance.__slots__}


@pytest.mark.parametrize(
    "request_",
    [
        webhook(),
        webhook(path_secret="guess"),
        webhook(header="guessé"),
        webhook(path_secret=SECRET[:-1]),
    ],
)
def test_without_the_secret_nobody_gets_in(request_: WebhookRequest) -> None:
    with pytest.raises(WebhookRejected):
        receive(request_, [INSTANCE])


def test_a_body_that_is_no_json_is_kept_as_broken() -> None:
    accepted = receive(webhook(b"{\xff", path_secret=SECRET), [INSTANCE])
    normalized = normalize(accepted)
    assert normalized.broken
    assert orjson.dumps(normalized.raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = sorted({name for raw, _ in TABLE.values() for name in raw} | {"media", "payload", "status", "state"})
ALMOST = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([raw for raw, _ in TABLE.values()]),
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3),
)


@given(st.lists(ALMOST | JSON, max_size=5))
def test_garbage_never_raises_and_nothing_gets_lost(events: list[Any]) -> None:
    normalized = read(*events)
    known = [event for event in events if not isinstance(event, dict) or _is_known(event)]
    assert len(normalized.items) + len(normalized.broken) == len(known)
    assert all(isinstance(item, Item) for item in normalized.items)
    assert normalized == read(*events)


def _is_known(event: dict[str, Any]) -> bool:
    return isinstance(event.get("type"), str) and event["type"] in EVENTS


@given(st.binary(max_size=200))
def test_no_body_makes_it_fall(body: bytes) -> None:
    normalized = normalize(receive(webhook(body, path_secret=SECRET), [INSTANCE]))
    assert orjson.dumps(normalized.raw)
