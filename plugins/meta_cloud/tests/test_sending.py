"""What goes over the wire for each kind of message, which the stand-in checks as Meta does (reference, 3 to 6)."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from elsehu_meta_cloud import plugin_info
from elsehu_meta_cloud.sending import send
from elsehu_meta_cloud.testing import samples

from elsehu.plugin import (
    Identity,
    IdentityKind,
    Kind,
    OutboundMedia,
    OutboundMessage,
    OutcomeUnknown,
    Quoted,
    Rejected,
    Retryable,
    Status,
)

from .standin_fixtures import World

MESSAGE_ID = UUID("01990000-0000-7000-8000-00000000c001")
PHONE = Identity(IdentityKind.PHONE, "5511988887777", "5511988887777")
BSUID = Identity(IdentityKind.BSUID, "BR.13491208655302741918", "BR.13491208655302741918")
GROUP = Identity(IdentityKind.GROUP, "group-1", "group-1")
QUOTED = Quoted("wamid.ABC=", from_company=False, text="original")
PNG, OGG, PDF = samples.png(), samples.ogg(), samples.pdf()


def outbound(kind: Kind = Kind.TEXT, text: str | None = None, **more: Any) -> OutboundMessage:
    """Return a message to Maria."""
    usual: dict[str, Any] = {"id": MESSAGE_ID, "client_ref": str(MESSAGE_ID), "to": [PHONE], "kind": kind, "text": text}
    return OutboundMessage(**(usual | more))


def stored(data: bytes, mime_type: str, name: str = "", *, is_voice: bool = False) -> OutboundMedia:
    """Return a stored file."""

    async def whole() -> bytes:
        raise AssertionError("a file is streamed, never read as a whole")

    async def pieces() -> AsyncIterator[bytes]:
        yield data[:10]
        yield data[10:]

    digest = hashlib.sha256(data).hexdigest()
    return OutboundMedia(MESSAGE_ID, mime_type, name, len(data), digest, whole, pieces, is_voice=is_voice)


IMAGE = stored(PNG, "image/png", "pix.png")
LIST = {
    "type": "list",
    "header": {"format": "text", "text": "Cardápio"},
    "body": "Escolha",
    "footer": "até 22h",
    "label": "Ver",
    "sections": [
        {"title": "Pizzas", "rows": [{"id": "1", "title": "Margherita", "description": "queijo"}]},
        {"title": "Bebidas", "rows": [{"id": "2", "title": "Água"}]},
    ],
}
FLOW = {
    "type": "flow",
    "body": "Agende",
    "label": "Abrir",
    "flowId": "777",
    "token": "t-1",
    "action": "navigate",
    "screen": "HOME",
    "data": {"a": 1},
    "draft": True,
}
NAMED = {
    "template": {"id": "1", "name": "pedido", "language": "pt_BR"},
    "header": {"format": "text", "parameters": [{"name": "loja", "text": "Centro"}]},
    "body": [{"name": "nome", "text": "Ana"}, {"name": "total", "text": "R$ 10"}],
    "buttons": [
        {"index": 0, "type": "url", "value": "a/1"},
        {"index": 1, "type": "quick_reply", "value": "sim"},
        {"index": 2, "type": "copy_code", "value": "SAVE10"},
    ],
}

WIRE: list[tuple[str, OutboundMessage, Any]] = [
    ("a text", outbound(text="Olá!"), {"body": "Olá!", "preview_url": False}),
    ("with a link", outbound(text="veja https://x.example"), {"body": "veja https://x.example", "preview_url": True}),
    (
        "without a preview",
        outbound(text="veja https://x.example", payload={"previewUrl": False}),
        {"body": "veja https://x.example", "preview_url": False},
    ),
    ("an image", outbound(Kind.IMAGE, "legenda", media=IMAGE), {"id": "*", "caption": "legenda"}),
    ("a video", outbound(Kind.VIDEO, media=stored(samples.mp4(), "video/mp4")), {"id": "*"}),
    (
        "a document",
        outbound(Kind.DOCUMENT, "contrato", media=stored(PDF, "application/pdf", "côntrato")),
        {"id": "*", "filename": "côntrato.pdf", "caption": "contrato"},
    ),
    (
        "a document of a type that nobody knows",
        outbound(Kind.DOCUMENT, media=stored(b"12345678901", "application/x-own", "dados.own")),
        {"id": "*", "filename": "dados.own"},
    ),
    ("a sound", outbound(Kind.AUDIO, media=stored(OGG, "audio/ogg; codecs=opus")), {"id": "*"}),
    (
        "a voice note, whose text is no caption",
        outbound(Kind.AUDIO, "?", media=stored(OGG, "audio/ogg; codecs=opus", is_voice=True)),
        {"id": "*", "voice": True},
    ),
    ("a sticker", outbound(Kind.STICKER, media=stored(samples.webp(), "image/webp")), {"id": "*"}),
    (
        "a place",
        outbound(Kind.LOCATION, payload={"latitude": 0, "longitude": -46.6, "address": "Av. Paulista"}),
        {"latitude": 0, "longitude": -46.6, "name": "Av. Paulista", "address": "Av. Paulista"},
    ),
    (
        "a card with all that it may hold",
        outbound(
            Kind.CONTACTS,
            payload={
                "contacts": [
                    {
                        "name": "Dr. Ana Lima",
                        "prefix": "Dr.",
                        "firstName": "Ana",
                        "lastName": "Lima",
                        "organization": "Loja",
                        "department": "Vendas",
                        "title": "Chefe",
                        "birthday": "1990-02-28",
                        "phones": [],
                        "email": "ana@example.com",
                        "emails": [{"email": "ana@example.com", "type": "HOME"}, {"email": "a@loja.example"}],
                        "urls": [{"url": "https://ana.example", "type": "HOME"}],
                        "addresses": [{"street": "R. A, 1", "city": "Recife", "zip": "50000", "countryCode": "BR"}],
                    }
                ]
            },
        ),
        [
            {
                "name": {
                    "formatted_name": "Dr. Ana Lima",
                    "prefix": "Dr.",
                    "first_name": "Ana",
                    "last_name": "Lima",
                },
                "org": {"company": "Loja", "department": "Vendas", "title": "Chefe"},
                "birthday": "1990-02-28",
                "emails": [{"email": "ana@example.com", "type": "HOME"}, {"email": "a@loja.example"}],
                "urls": [{"url": "https://ana.example", "type": "HOME"}],
                "addresses": [{"street": "R. A, 1", "city": "Recife", "zip": "50000", "country_code": "BR"}],
            }
        ],
    ),
    (
        "cards",
        outbound(
            Kind.CONTACTS,
            payload={
                "contacts": [
                    {
                        "name": "Ana Lima",
                        "phones": [{"phone": "+55 11 98888-7777", "type": "CELL", "waId": "5511988887777"}],
                        "organization": "Loja",
                        "email": "ana@example.com",
                        "url": "https://ana.example",
                    },
                    {"phones": [{"phone": "+55 11 3333-4444"}]},
                ]
            },
        ),
        [
            {
                "name": {"formatted_name": "Ana Lima", "first_name": "Ana Lima"},
                "phones": [{"phone": "+55 11 98888-7777", "type": "CELL", "wa_id": "5511988887777"}],
                "emails": [{"email": "ana@example.com"}],
                "urls": [{"url": "https://ana.example"}],
                "org": {"company": "Loja"},
            },
            {
                "name": {"formatted_name": "+55 11 3333-4444", "first_name": "+55 11 3333-4444"},
                "phones": [{"phone": "+55 11 3333-4444"}],
            },
        ],
    ),
    (
        "a reaction",
        outbound(Kind.REACTION, payload={"emoji": "👍🏽"}, quoted=QUOTED),
        {"message_id": "wamid.ABC=", "emoji": "👍🏽"},
    ),
    (
        "a reaction taken back",
        outbound(Kind.REACTION, payload={"emoji": ""}, quoted=QUOTED),
        {"message_id": "wamid.ABC=", "emoji": ""},
    ),
    (
        "buttons under an image",
        outbound(
            Kind.INTERACTIVE,
            media=IMAGE,
            payload={
                "type": "buttons",
                "header": {"format": "image", "mediaId": "x"},
                "body": "Confirma?",
                "footer": "Loja",
                "buttons": [{"id": "s", "title": "Sim"}, {"id": "n", "title": "Não"}],
            },
        ),
        {
            "type": "button",
            "header": {"type": "image", "image": {"id": "*"}},
            "body": {"text": "Confirma?"},
            "footer": {"text": "Loja"},
            "action": {
                "buttons": [
                    {"type": "reply", "reply": {"id": "s", "title": "Sim"}},
                    {"type": "reply", "reply": {"id": "n", "title": "Não"}},
                ]
            },
        },
    ),
    (
        "a list",
        outbound(Kind.INTERACTIVE, payload=LIST),
        {
            "type": "list",
            "header": {"type": "text", "text": "Cardápio"},
            "body": {"text": "Escolha"},
            "footer": {"text": "até 22h"},
            "action": {"button": "Ver", "sections": LIST["sections"]},
        },
    ),
    (
        "a link under a document",
        outbound(
            Kind.INTERACTIVE,
            media=stored(PDF, "application/pdf", "a.pdf"),
            payload={
                "type": "link",
                "header": {"format": "document"},
                "body": "Veja",
                "label": "Abrir",
                "url": "https://x.example",
            },
        ),
        {
            "type": "cta_url",
            "header": {"type": "document", "document": {"id": "*", "filename": "a.pdf"}},
            "body": {"text": "Veja"},
            "action": {"name": "cta_url", "parameters": {"display_text": "Abrir", "url": "https://x.example"}},
        },
    ),
    (
        "a flow that begins with a screen",
        outbound(Kind.INTERACTIVE, payload=FLOW),
        {
            "type": "flow",
            "body": {"text": "Agende"},
            "action": {
                "name": "flow",
                "parameters": {
                    "flow_message_version": "3",
                    "flow_cta": "Abrir",
                    "flow_action": "navigate",
                    "mode": "draft",
                    "flow_id": "777",
                    "flow_token": "t-1",
                    "flow_action_payload": {"screen": "HOME", "data": {"a": 1}},
                },
            },
        },
    ),
    (
        "a flow that its server begins",
        outbound(
            Kind.INTERACTIVE,
            payload={"type": "flow", "body": "b", "label": "l", "flowName": "agenda", "action": "data_exchange"},
        ),
        {
            "type": "flow",
            "body": {"text": "b"},
            "action": {
                "name": "flow",
                "parameters": {
                    "flow_message_version": "3",
                    "flow_cta": "l",
                    "flow_action": "data_exchange",
                    "mode": "published",
                    "flow_name": "agenda",
                },
            },
        },
    ),
    (
        "a request for a place",
        outbound(Kind.INTERACTIVE, payload={"type": "location_request", "body": "Onde?"}),
        {"type": "location_request_message", "body": {"text": "Onde?"}, "action": {"name": "send_location"}},
    ),
    (
        "a request for a number",
        outbound(Kind.INTERACTIVE, payload={"type": "contact_request", "body": "Seu número?"}),
        {"type": "contact_request", "body": {"text": "Seu número?"}, "action": {"name": "request_contact_info"}},
    ),
    (
        "a template without values",
        outbound(Kind.TEMPLATE, payload={"template": {"id": "1", "name": "oi", "language": "pt_BR"}, "body": []}),
        {"name": "oi", "language": {"code": "pt_BR"}},
    ),
    (
        "a template with named values and buttons",
        outbound(Kind.TEMPLATE, payload=NAMED),
        {
            "name": "pedido",
            "language": {"code": "pt_BR"},
            "components": [
                {"type": "header", "parameters": [{"type": "text", "parameter_name": "loja", "text": "Centro"}]},
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "parameter_name": "nome", "text": "Ana"},
                        {"type": "text", "parameter_name": "total", "text": "R$ 10"},
                    ],
                },
                {
                    "type": "button",
                    "sub_type": "url",
                    "index": "0",
                    "parameters": [{"type": "text", "text": "a/1"}],
                },
                {
                    "type": "button",
                    "sub_type": "quick_reply",
                    "index": "1",
                    "parameters": [{"type": "payload", "payload": "sim"}],
                },
                {
                    "type": "button",
                    "sub_type": "copy_code",
                    "index": "2",
                    "parameters": [{"type": "coupon_code", "coupon_code": "SAVE10"}],
                },
            ],
        },
    ),
    (
        "a template under an image, with positional values and a flow",
        outbound(
            Kind.TEMPLATE,
            media=IMAGE,
            payload={
                "template": {"id": "1", "name": "foto", "language": "en"},
                "header": {"format": "image"},
                "body": [{"name": None, "text": "Ana"}],
                "buttons": [{"index": 0, "type": "flow", "value": "token-1"}],
            },
        ),
        {
            "name": "foto",
            "language": {"code": "en"},
            "components": [
                {"type": "header", "parameters": [{"type": "image", "image": {"id": "*"}}]},
                {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]},
                {
                    "type": "button",
                    "sub_type": "flow",
                    "index": "0",
                    "parameters": [{"type": "action", "action": {"flow_token": "token-1"}}],
                },
            ],
        },
    ),
    (
        "a template under a place, with a one-time password",
        outbound(
            Kind.TEMPLATE,
            payload={
                "template": {"id": "1", "name": "codigo", "language": "pt_BR"},
                "header": {"format": "location", "location": {"latitude": 1, "longitude": 2, "name": "Loja"}},
                "body": [{"name": None, "text": "123456"}],
                "buttons": [{"index": 0, "type": "otp", "value": "123456"}],
            },
        ),
        {
            "name": "codigo",
            "language": {"code": "pt_BR"},
            "components": [
                {
                    "type": "header",
                    "parameters": [{"type": "location", "location": {"latitude": 1, "longitude": 2, "name": "Loja"}}],
                },
                {"type": "body", "parameters": [{"type": "text", "text": "123456"}]},
                {
                    "type": "button",
                    "sub_type": "url",
                    "index": "0",
                    "parameters": [{"type": "text", "text": "123456"}],
                },
            ],
        },
    ),
]

TEMPLATES: list[dict[str, Any]] = [
    {"name": "oi", "components": [{"type": "BODY", "text": "Oi!"}]},
    {
        "name": "pedido",
        "parameter_format": "NAMED",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Loja {{loja}}"},
            {"type": "BODY", "text": "{{nome}}, deu {{total}}"},
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "URL", "text": "Ver", "url": "https://x.example/{{1}}"},
                    {"type": "QUICK_REPLY", "text": "Sim"},
                    {"type": "COPY_CODE", "text": "Copiar"},
                ],
            },
        ],
    },
    {
        "name": "foto",
        "language": "en",
        "components": [
            {"type": "HEADER", "format": "IMAGE"},
            {"type": "BODY", "text": "Hi {{1}}"},
            {"type": "BUTTONS", "buttons": [{"type": "FLOW", "text": "Open"}]},
        ],
    },
    {
        "name": "codigo",
        "category": "AUTHENTICATION",
        "components": [
            {"type": "HEADER", "format": "LOCATION"},
            {"type": "BODY", "text": "{{1}} is your code"},
            {"type": "BUTTONS", "buttons": [{"type": "OTP", "text": "Copy"}]},
        ],
    },
]


def masked(value: Any) -> Any:
    """Return a body with Meta's ids of files as `*`."""
    if isinstance(value, dict):
        is_id = isinstance(value.get("id"), str) and len(value["id"]) == 16 and value["id"].isdigit()
        return {name: "*" if name == "id" and is_id else masked(one) for name, one in value.items()}
    return [masked(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("message", "content"), [case[1:] for case in WIRE], ids=[case[0] for case in WIRE])
async def test_each_kind_has_its_body(world: World, message: OutboundMessage, content: Any) -> None:
    for template in TEMPLATES:
        world.standin.call("add_template", **template)
    sent = await send(world.context, world.instance(), message)
    (body,) = world.asked("POST", f"{world.standin.options.number_id}/messages")
    assert masked(body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+5511988887777",
        "biz_opaque_callback_data": str(MESSAGE_ID),
        "type": message.kind.value,
        message.kind.value: content,
    }
    (arrived,) = world.standin.phone
    assert (sent.external_id, sent.status) == (arrived.id, Status.SENT)


def test_every_kind_is_shown() -> None:
    spec = plugin_info().provider
    assert spec is not None
    assert {case[1].kind for case in WIRE} == spec.kinds
    shown = {case[1].payload["type"] for case in WIRE if case[1].kind is Kind.INTERACTIVE}
    assert shown == set(spec.interactive)


ADDRESSES = [
    ("the number, if it is known", [BSUID, PHONE], {"to": "+5511988887777"}),
    (
        "the number as WhatsApp spells it",
        [Identity(IdentityKind.PHONE, "5548999990001", "554899990001")],
        {"to": "+554899990001"},
    ),
    ("the user id", [BSUID], {"recipient": BSUID.address}),
    (
        "the user id of this portfolio",
        [Identity(IdentityKind.BSUID, "BR.9", "BR.9", "other"), BSUID],
        {"recipient": BSUID.address},
    ),
    (
        "the user id of the enterprise",
        [Identity(IdentityKind.BSUID, "BR.ENT.9", "BR.ENT.9", "parent")],
        {"recipient": "BR.ENT.9"},
    ),
    ("a group", [GROUP], {"recipient_type": "group", "to": "group-1"}),
]


@pytest.mark.parametrize(("to", "fields"), [case[1:] for case in ADDRESSES], ids=[case[0] for case in ADDRESSES])
async def test_who_is_addressed(world: World, to: list[Identity], fields: dict[str, str]) -> None:
    await send(world.context, world.instance(), outbound(text="oi", to=to))
    (body,) = world.asked("POST", f"{world.standin.options.number_id}/messages")
    assert {name: body.get(name) for name in ("to", "recipient")} == {"to": None, "recipient": None} | {
        name: value for name, value in fields.items() if name != "recipient_type"
    }
    assert body["recipient_type"] == fields.get("recipient_type", "individual")


async def test_a_quote_goes_beside_the_content(world: World) -> None:
    await send(world.context, world.instance(), outbound(text="sim", quoted=QUOTED))
    assert [one.quoted for one in world.standin.phone] == ["wamid.ABC="]


async def test_the_answer_teaches_the_address_that_whatsapp_uses(world: World) -> None:
    world.standin.customer("554899990001")
    typed = Identity(IdentityKind.PHONE, "5548999990001", "5548999990001")
    sent = await send(world.context, world.instance(), outbound(text="oi", to=[typed]))
    assert sent.identities == [typed, Identity(IdentityKind.PHONE, "5548999990001", "554899990001")]
    by_id = await send(world.context, world.instance(), outbound(text="oi", to=[BSUID]))
    assert by_id.identities == ()


async def test_a_groups_address_is_nobodys(world: World) -> None:
    group = Identity(IdentityKind.GROUP, "120363000000001", "120363000000001")
    sent = await send(world.context, world.instance(), outbound(text="oi", to=[group]))
    assert sent.identities == ()


async def test_a_file_of_unknown_type_goes_by_its_name(world: World) -> None:
    file = stored(b"12345678901", "application/octet-stream", "tabela.csv")
    await send(world.context, world.instance(), outbound(Kind.DOCUMENT, media=file))
    (form,) = world.asked("POST", f"{world.standin.options.number_id}/media")
    assert form["type"] == "text/csv"
    with pytest.raises(Rejected) as refused:
        nameless = stored(b"another file", "application/octet-stream", "nada")
        await send(world.context, world.instance(), outbound(Kind.DOCUMENT, media=nameless))
    assert refused.value.code == "media_type_unknown"


REFUSED = [
    ("no address", outbound(text="oi", to=[]), "no_address"),
    (
        "an address at another portfolio",
        outbound(text="oi", to=[Identity(IdentityKind.BSUID, "BR.9", "BR.9", "other")]),
        "no_address",
    ),
    (
        "a one-time password without a number",
        outbound(
            Kind.TEMPLATE,
            to=[BSUID],
            payload={"template": {"name": "c", "language": "en"}, "buttons": [{"type": "otp", "value": "1"}]},
        ),
        "number_needed",
    ),
    ("a reaction to nothing", outbound(Kind.REACTION, payload={"emoji": "👍"}), "reaction_without_message"),
    ("no cards", outbound(Kind.CONTACTS, payload={"contacts": []}), "contacts_missing"),
    ("no file", outbound(Kind.IMAGE), "media_missing"),
    ("an unknown kind", outbound(Kind.SYSTEM), "unsupported_by_provider"),
    ("an unknown type", outbound(Kind.INTERACTIVE, payload={"type": "poll", "body": "?"}), "unsupported_by_provider"),
]


@pytest.mark.parametrize(("message", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_what_cannot_be_sent_is_refused_before_the_wire(
    world: World, message: OutboundMessage, code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        await send(world.context, world.instance(), message)
    assert refused.value.code == code
    assert world.standin.phone == []


async def test_a_file_is_uploaded_once_for_each_number(world: World) -> None:
    options = world.standin.options
    world.standin.call("add_number", number_id="100000000000002", phone="12025550101")
    other = world.instance(credentials={"phone_number_id": "100000000000002"})
    for instance in (world.instance(), world.instance(), other):
        await send(world.context, instance, outbound(Kind.IMAGE, media=IMAGE))
    assert len(world.asked("POST", f"{options.number_id}/media")) == 1
    assert len(world.asked("POST", "100000000000002/media")) == 1
    assert [one for one in world.cache.seconds.values() if one >= 30 * 86400] == []
    (form,) = world.asked("POST", f"{options.number_id}/media")
    assert form == {"messaging_product": "whatsapp", "type": "image/png"}


async def test_a_file_that_meta_forgot_is_uploaded_anew(world: World) -> None:
    await send(world.context, world.instance(), outbound(Kind.IMAGE, media=IMAGE))
    world.standin.call("forget_files")
    await send(world.context, world.instance(), outbound(Kind.IMAGE, media=IMAGE))
    assert len(world.standin.phone) == 2
    assert len(world.asked("POST", f"{world.standin.options.number_id}/media")) == 2


async def test_a_file_that_meta_never_takes_is_tried_once_more_and_no_more(world: World) -> None:
    await send(world.context, world.instance(), outbound(Kind.IMAGE, media=IMAGE))
    world.standin.refuse(100, times=None)
    with pytest.raises(Rejected):
        await send(world.context, world.instance(), outbound(Kind.IMAGE, media=IMAGE))
    assert len(world.asked("POST", f"{world.standin.options.number_id}/media")) == 2


async def test_a_slow_or_broken_upload_has_sent_nothing(world: World) -> None:
    world.standin.fault("delay", on="POST */media", seconds=0.5)
    with pytest.raises(Retryable) as slow:
        await send(world.configured(upload_timeout=0.1), world.instance(), outbound(Kind.IMAGE, media=IMAGE))
    assert slow.value.code == "media_upload_slow"
    world.standin.fault("close", on="POST */media", accepted=True)
    with pytest.raises(Retryable):
        await send(world.context, world.instance(), outbound(Kind.IMAGE, media=IMAGE))
    assert world.standin.phone == []


async def test_a_lost_answer_leaves_the_outcome_unknown(world: World) -> None:
    world.standin.fault("close", accepted=True)
    with pytest.raises(OutcomeUnknown):
        await send(world.context, world.instance(), outbound(text="uma vez"))
    assert len(world.standin.phone) == 1
    world.standin.fault("answer", status=200, body="no json", accepted=True)
    with pytest.raises(OutcomeUnknown):
        await send(world.context, world.instance(), outbound(text="outra"))
    world.standin.fault("delay", seconds=0.5)
    with pytest.raises(OutcomeUnknown):
        await send(world.configured(send_timeout=0.1), world.instance(), outbound(text="devagar"))


async def test_a_server_that_is_not_there_has_taken_nothing(world: World) -> None:
    with pytest.raises(Retryable) as error:
        nowhere = world.instance(settings={"base_url": "http://127.0.0.1:9"})
        await send(world.context, nowhere, outbound(text="oi"))
    assert error.value.code == "provider_unreachable"
