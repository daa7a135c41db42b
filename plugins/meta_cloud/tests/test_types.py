"""Every type of message, whole and mutilated (Meta Cloud API reference, sections 13.2 and 13.3)."""

import base64
from typing import Any

import pytest
from elsehu_meta_cloud.flavours import decimal, moment, sha256_of, whole
from elsehu_meta_cloud.normalize import normalize

from elsehu.plugin import Accepted, Direction, Kind, MessageArrived, MessageEdited, Normalized, Status

from .conftest import WABA, make_instance
from .essence import essence_of_media

METADATA = {"display_phone_number": "+1 202-555-0100", "phone_number_id": "800000000000001"}
AT = 1767229200
DIGEST = bytes(range(32))
FILE = {"id": "7", "mime_type": "image/jpeg", "sha256": base64.b64encode(DIGEST).decode()}


def read(field: str, **value: Any) -> Normalized:
    """Normalise one change of the samples' number."""
    change = {"field": field, "value": {"metadata": METADATA, **value}}
    body = {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": [change]}]}
    return normalize(Accepted(body, [make_instance()]))


def message(kind: str, content: Any = None, **more: Any) -> dict[str, Any]:
    """Return a customer's message of a type."""
    told = {"from": "12025550143", "id": "wamid.1", "timestamp": str(AT), "type": kind, **more}
    return told if content is None else told | {kind: content}


def events(field: str, **value: Any) -> list[Any]:
    found = read(field, **value)
    assert not found.broken, found.broken
    return [item.event for item in found.items]


def arrived(kind: str, content: Any = None, **more: Any) -> MessageArrived:
    (event,) = events("messages", messages=[message(kind, content, **more)])
    assert isinstance(event, MessageArrived)
    assert event.opens
    return event


def interactive(kind: str, answer: Any) -> dict[str, Any]:
    return {"type": kind, kind: answer}


Seen = tuple[Kind, str | None, dict[str, Any]]

TYPES: list[tuple[str, Any, Seen]] = [
    ("text", {"body": "  "}, (Kind.TEXT, "  ", {})),
    ("text", {"body": ""}, (Kind.TEXT, "", {})),
    ("location", {"latitude": 0, "longitude": 0.0}, (Kind.LOCATION, None, {"latitude": 0.0, "longitude": 0.0})),
    (
        "location",
        {"latitude": "51.5", "longitude": "-0.12", "url": "https://example.com", "name": ""},
        (Kind.LOCATION, None, {"latitude": 51.5, "longitude": -0.12, "url": "https://example.com"}),
    ),
    ("contacts", [{}], (Kind.CONTACTS, None, {"contacts": [{"name": "", "phones": []}]})),
    (
        "contacts",
        [{"name": {"first_name": "Ana", "last_name": "B"}, "phones": [{"wa_id": "447700900456"}], "vcard": "V"}],
        (
            Kind.CONTACTS,
            None,
            {
                "contacts": [
                    {
                        "name": "Ana B",
                        "firstName": "Ana",
                        "lastName": "B",
                        "phones": [{"phone": "+447700900456", "type": None, "waId": "447700900456"}],
                        "vcard": "V",
                    }
                ]
            },
        ),
    ),
    (
        "interactive",
        interactive("button_reply", {"id": "a", "title": "A"}),
        (Kind.INTERACTIVE, "A", {"type": "button_reply", "id": "a", "title": "A"}),
    ),
    (
        "interactive",
        interactive("list_reply", {"id": "a", "title": "A"}),
        (Kind.INTERACTIVE, "A", {"type": "list_reply", "id": "a", "title": "A"}),
    ),
    (
        "interactive",
        interactive("nfm_reply", {"name": "flow", "body": "Sent", "response_json": "[1, 2]"}),
        (Kind.INTERACTIVE, "Sent", {"type": "flow_reply", "name": "flow", "body": "Sent", "data": [1, 2]}),
    ),
    (
        "interactive",
        interactive("nfm_reply", {"response_json": "{broken"}),
        (Kind.INTERACTIVE, None, {"type": "flow_reply", "name": None, "body": None, "data": None, "raw": "{broken"}),
    ),
    (
        "interactive",
        interactive("nfm_reply", {"response_json": {"a": 1}}),
        (Kind.INTERACTIVE, None, {"type": "flow_reply", "name": None, "body": None, "data": {"a": 1}}),
    ),
    (
        "interactive",
        interactive("call_permission_reply", {"response": "accept"}),
        (Kind.INTERACTIVE, "accept", {"type": "call_permission_reply", "response": "accept"}),
    ),
    (
        "interactive",
        interactive("payment", {"x": 1}),
        (Kind.UNSUPPORTED, None, {"type": "payment", "label": "Payment"}),
    ),
    ("interactive", None, (Kind.UNSUPPORTED, None, {"type": "interactive", "label": "Interactive"})),
    (
        "button",
        {"text": "Yes", "payload": "Yes"},
        (Kind.INTERACTIVE, "Yes", {"type": "button_reply", "id": "Yes", "title": "Yes"}),
    ),
    ("button", {"text": "Yes"}, (Kind.INTERACTIVE, "Yes", {"type": "button_reply", "id": None, "title": "Yes"})),
    ("ephemeral", {"x": 1}, (Kind.UNSUPPORTED, None, {"type": "ephemeral", "label": "Ephemeral"})),
    ("group_invite", None, (Kind.UNSUPPORTED, None, {"type": "group_invite", "label": "Group invite"})),
    ("unsupported", {"type": "edit"}, (Kind.UNSUPPORTED, None, {"type": "edit", "label": "Edit"})),
    ("unknown", None, (Kind.UNSUPPORTED, None, {"type": "unknown", "label": "Unknown"})),
    ("", None, (Kind.UNSUPPORTED, None, {"type": "message", "label": "Message"})),
]


@pytest.mark.parametrize(("kind", "content", "seen"), TYPES)
def test_types(kind: str, content: Any, seen: Seen) -> None:
    event = arrived(kind, content)
    assert (event.kind, event.text, event.payload) == seen


def test_an_unsupported_message_shows_what_words_it_has() -> None:
    event = arrived("unsupported", text={"body": "look"}, errors=[{"code": 131060, "details": "old"}])
    assert (event.kind, event.text) == (Kind.UNSUPPORTED, "look")
    assert event.payload["errors"] == [{"code": 131060, "title": None, "detail": "old"}]


def test_a_file_that_meta_could_not_hand_over_is_shown_as_unsupported() -> None:
    """Over 100 MB there is an error instead of a file."""
    event = arrived("video", {"caption": "big"}, errors=[{"code": 131052, "title": "Media download error"}])
    assert (event.kind, event.media) == (Kind.UNSUPPORTED, None)
    assert event.payload["errors"][0]["code"] == 131052


FILES: list[tuple[str, dict[str, Any], Kind, dict[str, Any]]] = [
    ("image", FILE, Kind.IMAGE, {"mime_type": "image/jpeg", "sha256": DIGEST.hex()}),
    ("image", FILE | {"sha256": DIGEST.hex().upper()}, Kind.IMAGE, {"sha256": DIGEST.hex()}),
    ("image", FILE | {"sha256": "x"}, Kind.IMAGE, {"sha256": None}),
    ("image", {"id": 7}, Kind.IMAGE, {"mime_type": "image/jpeg", "reference": {"id": "7"}}),
    ("video", {"id": "7", "mime_type": "video/mp4", "file_size": "123"}, Kind.VIDEO, {"size": 123}),
    ("video", {"id": "7", "file_size": 123}, Kind.VIDEO, {"size": 123, "mime_type": "video/mp4"}),
    ("video", {"id": "7", "file_size": -1}, Kind.VIDEO, {"size": None}),
    ("audio", {"id": "7", "mime_type": "audio/OGG; codecs=opus", "voice": True}, Kind.AUDIO, {"is_voice": True}),
    ("audio", {"id": "7", "mime_type": "audio/ogg", "voice": "true"}, Kind.AUDIO, {"is_voice": False}),
    ("audio", {"id": "7", "mime_type": "audio/ogg ;codecs=opus"}, Kind.AUDIO, {"mime_type": "audio/ogg"}),
    ("voice", {"id": "7", "mime_type": "audio/ogg"}, Kind.AUDIO, {"is_voice": True}),
    ("document", {"id": "7", "filename": "../a.pdf"}, Kind.DOCUMENT, {"file_name": "../a.pdf"}),
    ("document", {"id": "7", "mime_type": "false"}, Kind.DOCUMENT, {"mime_type": "application/octet-stream"}),
    ("sticker", {"id": "7", "animated": False}, Kind.STICKER, {"mime_type": "image/webp"}),
]


@pytest.mark.parametrize(("name", "leaf", "kind", "known"), FILES)
def test_files(name: str, leaf: dict[str, Any], kind: Kind, known: dict[str, Any]) -> None:
    event = arrived(name, leaf)
    assert event.kind is kind
    assert event.media
    assert event.payload == {}
    assert essence_of_media(event.media).items() >= known.items()


BROKEN: list[tuple[str, Any, str]] = [
    ("text", {"body": 7}, "a text that is none"),
    ("text", "hi", "a text that is none"),
    ("image", {"caption": "x"}, "image without the id of its file"),
    ("image", 7, "image without the id of its file"),
    ("location", {"latitude": 1}, "a location without coordinates"),
    ("location", {"latitude": "north", "longitude": 1}, "a location without coordinates"),
    ("interactive", {"type": "button_reply"}, "a button_reply without its answer"),
    ("interactive", interactive("list_reply", {}), "a list_reply that chooses nothing"),
    ("button", {}, "a button_reply that chooses nothing"),
    ("reaction", {"emoji": "👍"}, "a reaction to nothing"),
    ("reaction", None, "a reaction to nothing"),
    ("edit", {"message": {"type": "text", "text": {"body": "x"}}}, "a change of a message that is not named"),
    ("edit", {"original_message_id": "wamid.0"}, "an edit without words"),
    ("revoke", {}, "a change of a message that is not named"),
]


@pytest.mark.parametrize(("kind", "content", "error"), BROKEN)
def test_what_is_not_what_it_says_is_kept_as_broken_and_costs_nothing_else(kind: str, content: Any, error: str) -> None:
    sent = message(kind, content)
    found = read("messages", messages=[sent, message("text", {"body": "next"}, id="wamid.2")])
    assert [(one.error, one.raw, one.instance_id) for one in found.broken] == [(error, sent, make_instance().id)]
    assert [item.event.text for item in found.items] == ["next"]  # type: ignore[union-attr]


@pytest.mark.parametrize("part", [{"id": None}, {"id": ""}, {"id": "x" * 257}, {"timestamp": None}, {"from": None}])
def test_a_message_without_id_time_or_sender_is_broken(part: dict[str, Any]) -> None:
    found = read("messages", messages=[message("text", {"body": "x"}) | part])
    assert (found.items, len(found.broken)) == ([], 1)


TIMES: list[tuple[Any, int | None]] = [
    (str(AT), AT),
    (AT, AT),
    (str(AT * 1000), AT),
    (str(AT * 1_000_000), AT),
    (float(AT), AT),
    ("1515000000000", 1515000000),
    ("-5", None),
    (0, None),
    ("NaN", None),
    (float("nan"), None),
    ("9" * 21, None),
    ("99999999999", None),
    ("", None),
    (True, None),
    ([AT], None),
]


@pytest.mark.parametrize(("written", "seconds"), TIMES)
def test_times(written: Any, seconds: int | None) -> None:
    found = moment(written)
    assert (found and int(found.timestamp())) == seconds
    (event,) = events("messages", statuses=[{"id": "wamid.0", "status": "sent", "timestamp": written}])
    assert event.at == found


def test_numbers() -> None:
    assert [whole(one) for one in ("5", 5, 5.9, "", "5a", "٣", True, None, 1e300)] == [5, 5, 5, *[None] * 6]
    assert [decimal(one) for one in ("-1.5", 2, "x", "nan", "inf", None, 2**70)] == [-1.5, 2.0, *[None] * 5]
    assert [sha256_of(one) for one in (None, 7, "z" * 64, "é" * 44, "AAAA", "")] == [None] * 6


PRICES = [(19.9, "19.9"), (5, "5"), ("12.50", "12.50"), (1e-7, "0.0000001"), (0.1 + 0.2, "0.30000000000000004")]


@pytest.mark.parametrize(("price", "shown"), [*PRICES, (None, None), (True, None), ("", None), (1e300, None)])
def test_prices_are_decimal_texts(price: Any, shown: str | None) -> None:
    order = arrived("order", {"product_items": [{"item_price": price}]}).payload["order"]
    assert order["items"] == [{"productId": None, "quantity": None, "price": shown, "currency": None}]


def test_what_stands_beside_any_content() -> None:
    context = {"forwarded": True, "frequently_forwarded": True, "id": "wamid.0", "from": "x"}
    event = arrived("image", FILE, context=context, referral={"ctwa_clid": "c", "welcome_message": 7, "new": "x"})
    assert event.payload == {"referral": {"ctwaClid": "c"}, "forwarded": True, "frequentlyForwarded": True}
    assert event.reply_to == "wamid.0"
    odd = arrived("text", {"body": "x"}, context={"forwarded": "yes", "id": 7, "referred_product": "x"}, referral=None)
    assert (odd.payload, odd.reply_to) == ({}, "7")


def test_an_edited_caption() -> None:
    edits = [
        {"original_message_id": "wamid.0", "message": {"type": "image", "image": FILE | more}}
        for more in ({"caption": "new"}, {})
    ]
    found = events("messages", messages=[message("edit", edit) for edit in edits])
    assert [(type(one), one.text) for one in found] == [(MessageEdited, "new"), (MessageEdited, "")]


@pytest.mark.parametrize("kind", ["request_welcome", "media_placeholder"])
def test_what_nobody_wrote_is_no_message(kind: str) -> None:
    assert events("messages", messages=[message(kind)]) == []


def test_one_thing_where_a_list_belongs_is_a_list_of_one() -> None:
    (event,) = events("messages", messages=message("text", {"body": "x"}))
    assert event.text == "x"


# Echoes ---------------------------------------------------------------------------------------------------

SENT = {"from": "12025550100", "to": "12025550143", "to_user_id": "US.1", "id": "wamid.9", "timestamp": str(AT)}


def echo(field: str, **more: Any) -> Any:
    (event,) = events(field, message_echoes=[SENT | more])
    return event


@pytest.mark.parametrize(("field", "through_api"), [("smb_message_echoes", False), ("message_echoes", True)])
def test_echoes_are_ours_and_go_to_the_customer(field: str, through_api: bool) -> None:
    event = echo(field, type="image", image=FILE)
    assert (event.direction, event.status, event.through_api) == (Direction.OUTBOUND, Status.SENT, through_api)
    assert [one.address for one in event.sender] == ["12025550143", "US.1"]
    assert event.media.reference == {"id": "7"}


def test_echoes_change_messages_too() -> None:
    reaction = echo("smb_message_echoes", type="reaction", reaction={"message_id": "wamid.0", "emoji": "👍"})
    assert (reaction.from_company, reaction.sender) == (True, ())
    edit = {"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "new"}}}
    assert echo("smb_message_echoes", type="edit", edit=edit).text == "new"
    revoke = {"original_message_id": "wamid.0"}
    assert echo("smb_message_echoes", type="revoke", revoke=revoke).external_id == "wamid.0"
    system = SENT | {"type": "system", "system": {"type": "user_changed_number", "wa_id": "12025550177"}}
    assert events("smb_message_echoes", message_echoes=[system]) == []


# History --------------------------------------------------------------------------------------------------


def chunk(*said: dict[str, Any], **thread: Any) -> list[dict[str, Any]]:
    threads = [{"id": "12025550143", **thread, "messages": list(said)}]
    return [{"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}, "threads": threads}]


THEIRS = {"from": "12025550143", "id": "wamid.h1", "timestamp": str(AT), "type": "text", "text": {"body": "then"}}
OURS = THEIRS | {"from": "12025550100", "id": "wamid.h2", "history_context": {"status": "READ"}}


def test_history_opens_nothing_and_knows_both_sides() -> None:
    theirs, ours = events("history", history=chunk(THEIRS, OURS, context={"user_id": "US.1"}))
    assert [(one.direction, one.status) for one in (theirs, ours)] == [
        (Direction.INBOUND, None),
        (Direction.OUTBOUND, Status.READ),
    ]
    for one in (theirs, ours):
        assert (one.is_history, one.opens) == (True, False)
        assert [address.address for address in one.sender] == ["12025550143", "US.1"]


@pytest.mark.parametrize(
    ("word", "status"),
    [("delivered", Status.DELIVERED), ("ERROR", Status.FAILED), ("PENDING", Status.SENT), ("new", Status.SENT)],
)
def test_statuses_of_history(word: str, status: Status) -> None:
    (event,) = events("history", history=chunk(OURS | {"history_context": {"status": word}}))
    assert event.status is status


def test_files_of_history_follow_by_themselves() -> None:
    assert events("history", history=chunk(THEIRS | {"type": "media_placeholder"})) == []
    theirs, ours = events(
        "history",
        messages=[
            THEIRS | {"type": "image", "image": FILE},
            OURS | {"type": "image", "image": FILE, "to": "12025550143"},
        ],
    )
    assert [one.direction for one in (theirs, ours)] == [Direction.INBOUND, Direction.OUTBOUND]
    assert [one.sender[0].value for one in (theirs, ours)] == ["12025550143"] * 2


def test_each_message_of_history_stands_alone() -> None:
    found = read("history", history=[*chunk(THEIRS, THEIRS | {"text": 7}), None, {"threads": 7}, *chunk(OURS)])
    assert (len(found.items), len(found.broken)) == (2, 1)


def test_a_declined_history_is_told() -> None:
    error = {"code": 2593109, "title": "declined", "error_data": {"details": "History sharing is turned off"}}
    (event,) = events("history", history=[{"errors": [error]}])
    assert event.status is None
    assert event.health["lastError"]["code"] == 2593109


# Calls ----------------------------------------------------------------------------------------------------

CALL = {"id": "wacid.1", "from": "12025550143", "to": "12025550100", "event": "connect", "timestamp": str(AT)}


def test_a_customers_call_opens_the_window_as_a_message_does() -> None:
    session = {"sdp_type": "offer", "sdp": "v=0 192.0.2.1"}
    found = read("calls", calls=[CALL | {"direction": "USER_INITIATED", "session": session}])
    (event,) = [item.event for item in found.items]
    assert isinstance(event, MessageArrived)
    assert (event.kind, event.direction, event.opens) == (Kind.SYSTEM, Direction.INBOUND, True)
    assert event.payload == {"type": "call", "label": "Call"}
    assert "192.0.2.1" not in repr(found)


OTHER_CALLS = [{"event": "terminate"}, {"direction": "BUSINESS_INITIATED"}, {"event": None}]


@pytest.mark.parametrize("more", OTHER_CALLS)
def test_other_news_of_calls_adds_nothing(more: dict[str, Any]) -> None:
    assert events("calls", calls=[CALL | more], statuses=[{"id": "wacid.1", "type": "call", "status": "RINGING"}]) == []
