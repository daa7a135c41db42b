"""Every sample webhook gives what its line in the reference says (Meta Cloud API reference, section 16)."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from elsehu_meta_cloud.cleaning import clean
from elsehu_meta_cloud.normalize import normalize

from elsehu.plugin import Accepted, Direction, InstanceStatus, Kind, Normalized, Status, TemplateStatus

from .conftest import ID, OTHER_ID, OTHER_WABA, body_of, make_instance, names, other_instance
from .essence import Essence, essence

NUMBERS = [make_instance(), other_instance()]
DANA = ["12025550143", "US.1000000000000000043"]
SAM = "GB.1000000000000000123"
GROUP = "R1JPVVAtU0FNUExFLTE="
WAMID = "wamid.ZWxzZWh1LXNhbXBsZS0w"
URL = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid={}&source=webhook&ext=1767229500&hash=SAMPLE"


def read(body: Any) -> Normalized:
    """Normalise a body that speaks for both numbers."""
    return normalize(Accepted(body, NUMBERS))


def said(wamid: str, at: int, kind: Kind, text: str | None = None, **more: Any) -> Essence:
    """Expect a message of Dana's, told by the sample's short id and seconds."""
    told = {
        "type": "MessageArrived",
        "external_id": WAMID + wamid,
        "direction": Direction.INBOUND,
        "sender": DANA,
        "kind": kind,
        "at": 1767229000 + at,
        "text": text,
        "sender_name": "Dana Sample",
    }
    return {name: value for name, value in (told | more).items() if value is not None}


def file(media_id: str, mime_type: str, sha256: str, **more: Any) -> Essence:
    """Expect a file that is to be fetched."""
    media_id = f"70000000000000{media_id}"
    reference = {"id": media_id, "url": URL.format(media_id)}
    return {"media": {"mime_type": mime_type, "sha256": sha256, "reference": reference, **more}}


def status(wamid: str, at: int, word: Status, **more: Any) -> Essence:
    """Expect a change of status."""
    return {"type": "StatusChanged", "external_id": WAMID + wamid, "status": word, "at": 1767229000 + at, **more}


def reply(kind: str, chosen: str, title: str, quoted: str, **more: Any) -> Essence:
    """Expect a tap on what we sent."""
    return {"payload": {"type": kind, "id": chosen, "title": title, **more}, "reply_to": WAMID + quoted}


def changed_address(old: str, new: str, at: int) -> Essence:
    """Expect somebody under another address."""
    return {"type": "IdentityChanged", "old": [old], "new": [new], "at": 1767229000 + at}


ROBIN = {
    "name": "Robin Placeholder",
    "firstName": "Robin",
    "lastName": "Placeholder",
    "phones": [
        {"phone": "+44 7700 900456", "type": "CELL", "waId": "447700900456"},
        {"phone": "+44 20 7946 0999", "type": "WORK"},
    ],
    "organization": "Example Ltd",
    "email": "robin@example.com",
    "emails": [{"email": "robin@example.com", "type": "WORK"}],
}
NAMELESS = {"name": "", "phones": [{"phone": "+1 202-555-0188", "type": None}], "origin": "other"}
ORDER = {
    "catalogId": "600000000000001",
    "items": [
        {"productId": "SKU-1", "quantity": 2, "price": "19.9", "currency": "GBP"},
        {"productId": "SKU-9", "quantity": 1, "price": "5", "currency": "GBP"},
    ],
}
POLL = {
    "type": "poll",
    "label": "Poll",
    "errors": [{"code": 131051, "title": "Message type unknown", "detail": "Message type is currently not supported."}],
}
AD = {
    "sourceUrl": "https://fb.me/sample",
    "sourceId": "120000000000000001",
    "sourceType": "ad",
    "title": "Spring offer",
    "body": "Two for one",
    "mediaType": "image",
    "imageUrl": "https://example.com/ad.jpg",
    "ctwaClid": "SAMPLE-CLICK-ID",
    "welcomeMessage": "How can we help?",
}
RATE_LIMIT = {
    "code": 130429,
    "detail": "Message failed to send because there were too many messages sent from this phone number in a short "
    "period of time",
    "advice": "This number sends as fast as Meta allows. It is tried again by itself.",
}
WINDOW = "More than 24 hours have passed since the customer wrote. Send a template."
REJECTED = "INVALID_FORMAT. Variables are adjacent. Put words between variables"

SAYS: dict[str, list[Essence]] = {
    "01-text": [said("MDAx", 200, Kind.TEXT, "Hello, is my order 7781 on its way?")],
    "02-image-caption": [
        said(
            "MDAy",
            210,
            Kind.IMAGE,
            "This is the broken part",
            **file("2", "image/jpeg", "ab47b3c21321d3653b76af3d82dcf27abb60c48f4253b983ed84943b13ace008"),
        )
    ],
    "03-video-forwarded": [
        said(
            "MDAz",
            220,
            Kind.VIDEO,
            payload={"forwarded": True},
            **file("3", "video/mp4", "168edc8305b4e12da86e2f85fe83fb3319e1c2038afae766d396283159dc97c2"),
        )
    ],
    "04-audio-voice-note": [
        said(
            "MDA0",
            230,
            Kind.AUDIO,
            **file(
                "4",
                "audio/ogg",
                "2a262d008a0373a2b0a9f5d53cf4d0f45c2936a152d13eec8cf2c0575ba07c54",
                is_voice=True,
            ),
        )
    ],
    "05-document": [
        said(
            "MDA1",
            240,
            Kind.DOCUMENT,
            "Signed form",
            **file(
                "5",
                "application/pdf",
                "a34091d1d762d216967ba03e0db4f7522b5adc052dc5e9c8010edb98563296eb",
                file_name="Formulário assinado – 2026/01.pdf",
            ),
        )
    ],
    "06-sticker-animated": [
        said(
            "MDA2",
            250,
            Kind.STICKER,
            payload={"animated": True},
            **file("6", "image/webp", "58256121be036c2178ef5e0673b1339776c6f22f001c181c80249ab2b56b403c"),
        )
    ],
    "07-location": [
        said(
            "MDA3",
            260,
            Kind.LOCATION,
            payload={
                "latitude": 51.5007,
                "longitude": -0.1246,
                "name": "Meeting point",
                "address": "1 Sample Street, Exampletown",
            },
        )
    ],
    "08-contacts": [said("MDA4", 270, Kind.CONTACTS, payload={"contacts": [ROBIN, NAMELESS]})],
    "09-reaction-set-then-removed": [
        {
            "type": "ReactionChanged",
            "external_id": WAMID + "NTAw",
            "emoji": emoji,
            "at": at,
            "from_company": False,
            "sender": DANA,
        }
        for emoji, at in (("👍🏽", 1767229280), ("", 1767229283))
    ],
    "10-interactive-button-reply": [
        said("MDEx", 290, Kind.INTERACTIVE, "Very good", **reply("button_reply", "csat:conv-42:5", "Very good", "NTAx"))
    ],
    "11-interactive-list-reply": [
        said(
            "MDEy",
            300,
            Kind.INTERACTIVE,
            "Billing",
            **reply("list_reply", "dept:billing", "Billing", "NTAy", description="Invoices and payments"),
        )
    ],
    "12-interactive-flow-reply": [
        said(
            "MDEz",
            310,
            Kind.INTERACTIVE,
            "Sent",
            reply_to=WAMID + "NTAz",
            payload={
                "type": "flow_reply",
                "name": "flow",
                "body": "Sent",
                "data": {"flow_token": "tok-42", "rating": "4", "comment": "fine"},
            },
        )
    ],
    "13-template-quick-reply-button": [
        said(
            "MDE0",
            320,
            Kind.INTERACTIVE,
            "Stop promotions",
            **reply("button_reply", "optout:promo", "Stop promotions", "NTA0"),
        )
    ],
    "14-order": [said("MDE1", 330, Kind.INTERACTIVE, "please gift-wrap", payload={"type": "order", "order": ORDER})],
    "15-system-number-changed": [changed_address("12025550143", "12025550177", 340)],
    "16-unsupported": [said("MDE3", 350, Kind.UNSUPPORTED, payload=POLL)],
    "17-referral-click-to-whatsapp-ad": [said("MDE4", 360, Kind.TEXT, "I saw your ad", payload={"referral": AD})],
    "18-reply-about-product": [
        said(
            "MDE5",
            370,
            Kind.TEXT,
            "Do you have it in blue?",
            reply_to=WAMID + "NTA1",
            payload={"product": {"catalogId": "600000000000001", "productId": "SKU-1"}},
        )
    ],
    "19-text-username-only-no-phone": [
        said(
            "MDIw",
            380,
            Kind.TEXT,
            "Hi, I only have a username",
            sender=[SAM],
            sender_name="Sam",
            sender_username="sam.sample",
        )
    ],
    "20-user-id-changed": [changed_address(SAM, "GB.1000000000000000999", 390)] * 2,
    "21-brazil-wa-id-without-ninth-digit": [
        said(
            "MDIy",
            400,
            Kind.TEXT,
            "Olá! Não recebi o boleto 📄",
            sender=["554899990001", "BR.1000000000000000001"],
            sender_name="Cliente Exemplo",
        )
    ],
    "22-statuses-out-of-order-and-duplicated": [
        status("NjAw", 415, Status.READ, client_ref="outbox:8f2c"),
        *[status("NjAw", 410, Status.SENT, client_ref="outbox:8f2c"), {"type": "IdentitiesLinked", "identities": DANA}]
        * 2,
        status("NjAx", 430, Status.PLAYED),
    ],
    "23-status-failed-window-closed": [
        status(
            "NjAy",
            440,
            Status.FAILED,
            error_code="window_closed",
            error_detail=WINDOW,
            provider_code="131047",
            client_ref="outbox:91aa",
        )
    ],
    "24-status-group-participant": [
        status("NjAz", 450, Status.DELIVERED),
        status("NjAz", 451, Status.DELIVERED),
    ],
    "25-batch-two-numbers-mixed": [
        said("MDMw", 460, Kind.TEXT, "first"),
        said("MDMx", 461, Kind.TEXT, "other person", sender=["447700900123"], sender_name="Sam"),
        said("MDMw", 460, Kind.TEXT, "first"),
        status("NjA0", 462, Status.DELIVERED),
        said("MDMy", 458, Kind.TEXT, "same person, other business number"),
    ],
    "26-value-level-error": [{"type": "InstanceChanged", "status": None, "health": {"lastError": RATE_LIMIT}}],
    "27-smb-message-echo": [
        said(
            "NzAw",
            470,
            Kind.TEXT,
            "Answered from the phone app",
            direction=Direction.OUTBOUND,
            sender_name=None,
            status=Status.SENT,
        )
    ],
    "28-template-status-rejected": [
        {
            "type": "TemplateChanged",
            "name": "order_update",
            "language": "en_GB",
            "external_id": "500000000000001",
            "status": TemplateStatus.REJECTED,
            "category": "UTILITY",
            "reason": REJECTED,
            "at": 1767229480,
        }
    ]
    * 2,
    "29-edit-and-revoke": [
        {
            "type": "MessageEdited",
            "external_id": WAMID + "MDAx",
            "text": "Hello, is my order 7782 on its way?",
            "at": 1767229490,
        },
        {"type": "MessageDeleted", "external_id": WAMID + "MDAy", "at": 1767229495},
    ],
    "30-group-message": [
        said(
            "MDM1",
            500,
            Kind.TEXT,
            "Hello everyone",
            sender=[GROUP],
            sender_name=None,
            author_name="Dana Sample",
        )
    ],
}
EVENT_NAMES = {
    "20-user-id-changed": "messages,user_id_update",
    "22-statuses-out-of-order-and-duplicated": "statuses",
    "23-status-failed-window-closed": "statuses",
    "24-status-group-participant": "statuses",
    "25-batch-two-numbers-mixed": "account_update,messages,statuses",
    "27-smb-message-echo": "smb_message_echoes",
    "28-template-status-rejected": "message_template_status_update",
}


def test_the_table_knows_every_sample() -> None:
    assert sorted(SAYS) == names()


@pytest.mark.parametrize("name", names())
def test_a_sample_says_what_the_reference_says(name: str) -> None:
    found = read(body_of(name))
    assert [essence(item.event) for item in found.items] == SAYS[name]
    assert found.broken == []
    assert found.event_name == EVENT_NAMES.get(name, "messages")


def test_each_number_gets_its_own() -> None:
    numbers = [item.instance_id for item in read(body_of("25-batch-two-numbers-mixed")).items]
    assert numbers == [ID] * 4 + [OTHER_ID]
    assert [item.instance_id for item in read(body_of("28-template-status-rejected")).items] == [ID, OTHER_ID]


def test_a_scheduled_ban_warns_the_numbers_of_its_account_alone() -> None:
    theirs = UUID("01990000-0000-7000-8000-0000000000c3")
    third = make_instance(id=theirs, credentials={"waba_id": OTHER_WABA, "phone_number_id": "800000000000003"})
    found = normalize(Accepted(body_of("25-batch-two-numbers-mixed"), [*NUMBERS, third]))
    (warned,) = [item for item in found.items if item.instance_id == theirs]
    ban = {"state": "SCHEDULE_FOR_DISABLE", "date": "January 15, 2026"}
    assert essence(warned.event) == {"type": "InstanceChanged", "status": None, "health": {"ban": ban}}


def test_an_account_that_is_banned_is_blocked_at_once_and_unblocked_by_asking() -> None:
    body = body_of("25-batch-two-numbers-mixed")
    theirs = make_instance(credentials={"waba_id": OTHER_WABA})
    info = body["entry"][2]["changes"][0]["value"]["ban_info"]
    info["waba_ban_state"] = "DISABLE"
    (banned,) = normalize(Accepted(body, [theirs])).items
    assert banned.event.status is InstanceStatus.BLOCKED  # type: ignore[union-attr]
    info["waba_ban_state"] = "REINSTATE"
    (lifted,) = normalize(Accepted(body, [theirs])).items
    assert lifted.event.status is None  # type: ignore[union-attr]
    assert lifted.event.health["ban"] is None  # type: ignore[union-attr]


@pytest.mark.parametrize("name", names())
def test_what_is_kept_has_no_signed_address(name: str) -> None:
    found = read(body_of(name))
    kept = orjson.dumps([found.raw, [item.raw for item in found.items]])
    assert b"lookaside" not in kept
    assert b"hash=SAMPLE" not in kept
    assert clean(found.raw, {}) == found.raw


@pytest.mark.parametrize("name", names())
def test_a_replay_of_what_was_kept_says_the_same_but_for_addresses_of_files(name: str) -> None:
    found = read(body_of(name))
    again = read(orjson.loads(orjson.dumps(found.raw)))
    assert again.raw == found.raw
    told = [essence(item.event) for item in found.items]
    for one in told:
        one.get("media", {}).get("reference", {}).pop("url", None)
    assert [essence(item.event) for item in again.items] == told


@pytest.mark.parametrize("name", names())
def test_a_stranger_gets_nothing_and_everything_is_kept(name: str) -> None:
    """The dashboard's test button sends made-up numbers; and an app may have numbers that are not ours."""
    stranger = make_instance(credentials={"phone_number_id": "1", "waba_id": "1"})
    for instances in ([], [stranger]):
        found = normalize(Accepted(body_of(name), instances))
        assert (found.items, found.broken) == ([], [])
        assert found.raw["entry"]


@pytest.mark.parametrize("name", [name for name in names() if not name.startswith(("25", "28"))])
def test_a_number_under_the_wrong_account_is_not_ours(name: str) -> None:
    body = body_of(name)
    for entry in body["entry"]:
        entry["id"] = OTHER_WABA
    assert read(body).items == []


def test_the_order_of_properties_does_not_matter() -> None:
    body = body_of("01-text")
    turned = orjson.loads(orjson.dumps(_turned(body)))
    assert list(turned["entry"][0]["changes"][0]) == ["field", "value"]
    assert read(turned).items[0].event == read(body).items[0].event


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(one) for name, one in reversed(list(value.items()))}
    return [_turned(one) for one in value] if isinstance(value, list) else value


def test_ids_may_be_numbers() -> None:
    body = body_of(names()[0])
    entry = body["entry"][0]
    metadata = entry["changes"][0]["value"]["metadata"]
    entry["id"], metadata["phone_number_id"] = int(entry["id"]), int(metadata["phone_number_id"])
    assert len(read(body).items) == 1
