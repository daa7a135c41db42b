"""What goes over the wire for each kind of message, and what each failure means (reference, section 4)."""

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import orjson
import pytest
from elsehu_evolution.failures import words_of
from elsehu_evolution.files import file_name
from elsehu_evolution.sending import send
from elsehu_evolution.testing import samples

from elsehu.plugin import (
    Answer,
    Identity,
    IdentityKind,
    InstanceSick,
    Kind,
    OutboundMedia,
    OutboundMessage,
    OutcomeUnknown,
    ProviderError,
    Quoted,
    Rejected,
    Retryable,
    Status,
)

from .conftest import CAPTURES, KEY, World

MESSAGE_ID = UUID("01990000-0000-7000-8000-00000000c001")
PHONE = Identity(IdentityKind.PHONE, "5511988887777", "5511988887777@s.whatsapp.net")
LID = Identity(IdentityKind.LID, "123456789012345", "123456789012345@lid")
GROUP = Identity(IdentityKind.GROUP, "120363000000000001", "120363000000000001@g.us")
NUMBER = "5511988887777"
QUOTED = Quoted("ABC", from_company=False, text="original text", chat_address="5511988887777@s.whatsapp.net")


def outbound(kind: Kind = Kind.TEXT, text: str | None = None, **more: Any) -> OutboundMessage:
    """Return a message to Maria."""
    usual: dict[str, Any] = {"id": MESSAGE_ID, "client_ref": str(MESSAGE_ID), "to": [PHONE], "kind": kind, "text": text}
    return OutboundMessage(**(usual | more))


def stored(data: bytes, mime_type: str, name: str = "", *, is_voice: bool = False) -> OutboundMedia:
    """Return a stored file."""

    async def whole() -> bytes:
        return data

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    return OutboundMedia(MESSAGE_ID, mime_type, name, len(data), "", whole, pieces, is_voice=is_voice)


def b64(data: bytes) -> str:
    """Return bare base64."""
    return base64.b64encode(data).decode()


PNG, OGG, PDF = samples.png(), samples.ogg(), b"%PDF-1.4\n%%EOF\n"
PLACE = {"latitude": -23.55, "longitude": -46.63, "name": "Loja", "address": "Av. Paulista 1000"}
QUOTE = {
    "quoted": {
        "key": {"id": "ABC", "remoteJid": "5511988887777@s.whatsapp.net", "fromMe": False},
        "message": {"conversation": "original text"},
    }
}

WIRE: list[tuple[str, OutboundMessage, str, dict[str, Any]]] = [
    ("text", outbound(text="Olá!"), "sendText", {"number": NUMBER, "text": "Olá!"}),
    ("reply", outbound(text="sim", quoted=QUOTED), "sendText", {"number": NUMBER, "text": "sim", **QUOTE}),
    (
        "reply to a file, which the server must know",
        outbound(text="sim", quoted=Quoted("ABC", from_company=True)),
        "sendText",
        {
            "number": NUMBER,
            "text": "sim",
            "quoted": {"key": {"id": "ABC", "remoteJid": "5511988887777@s.whatsapp.net", "fromMe": True}},
        },
    ),
    (
        "image",
        outbound(Kind.IMAGE, "legenda", media=stored(PNG, "image/png", "pix.png")),
        "sendMedia",
        {
            "number": NUMBER,
            "mediatype": "image",
            "mimetype": "image/png",
            "fileName": "pix.png",
            "media": b64(PNG),
            "caption": "legenda",
        },
    ),
    (
        "document",
        outbound(Kind.DOCUMENT, media=stored(PDF, "application/pdf", "contrato"), quoted=QUOTED),
        "sendMedia",
        {
            "number": NUMBER,
            "mediatype": "document",
            "mimetype": "application/pdf",
            "fileName": "contrato.pdf",
            "media": b64(PDF),
            **QUOTE,
        },
    ),
    (
        "video",
        outbound(Kind.VIDEO, media=stored(samples.mp4(), "video/mp4")),
        "sendMedia",
        {
            "number": NUMBER,
            "mediatype": "video",
            "mimetype": "video/mp4",
            "fileName": "file.mp4",
            "media": b64(samples.mp4()),
        },
    ),
    (
        "sound",
        outbound(Kind.AUDIO, media=stored(OGG, "audio/ogg; codecs=opus", "tone")),
        "sendMedia",
        {
            "number": NUMBER,
            "mediatype": "audio",
            "mimetype": "audio/ogg",
            "fileName": "tone.ogg",
            "media": b64(OGG),
        },
    ),
    (
        "voice note, already in WhatsApp's own form",
        outbound(Kind.AUDIO, media=stored(OGG, "audio/ogg; codecs=opus", is_voice=True)),
        "sendWhatsAppAudio",
        {"number": NUMBER, "audio": b64(OGG), "encoding": False},
    ),
    (
        "voice note to be converted",
        outbound(Kind.AUDIO, media=stored(OGG, "audio/mpeg", is_voice=True)),
        "sendWhatsAppAudio",
        {"number": NUMBER, "audio": b64(OGG), "encoding": True},
    ),
    (
        "sticker",
        outbound(Kind.STICKER, media=stored(PNG, "image/webp")),
        "sendSticker",
        {"number": NUMBER, "sticker": b64(PNG)},
    ),
    ("location", outbound(Kind.LOCATION, payload=PLACE), "sendLocation", {"number": NUMBER, **PLACE}),
    (
        "location without names, which are demanded",
        outbound(Kind.LOCATION, payload={"latitude": -23.55, "longitude": -46.63}),
        "sendLocation",
        {**{"number": NUMBER, **PLACE}, "name": "-23.55, -46.63", "address": "-23.55, -46.63"},
    ),
    (
        "contacts",
        outbound(
            Kind.CONTACTS,
            payload={
                "contacts": [
                    {"name": "Ana", "phones": [{"phone": "+55 11 97777-6666", "type": None}], "organization": "ACME"}
                ]
            },
        ),
        "sendContact",
        {
            "number": NUMBER,
            "contact": [
                {
                    "fullName": "Ana",
                    "wuid": "5511977776666",
                    "phoneNumber": "+55 11 97777-6666",
                    "organization": "ACME",
                }
            ],
        },
    ),
    (
        "reaction",
        outbound(Kind.REACTION, payload={"emoji": "👍"}, quoted=QUOTED),
        "sendReaction",
        {"key": QUOTE["quoted"]["key"], "reaction": "👍"},
    ),
    (
        "reaction taken back",
        outbound(Kind.REACTION, payload={"emoji": ""}, quoted=QUOTED),
        "sendReaction",
        {"key": QUOTE["quoted"]["key"], "reaction": ""},
    ),
    ("to a LID", outbound(text="x", to=[LID]), "sendText", {"number": "123456789012345@lid", "text": "x"}),
    ("to the phone, if one is known", outbound(text="x", to=[LID, PHONE]), "sendText", {"number": NUMBER, "text": "x"}),
]


@pytest.mark.parametrize(("message", "action", "body"), [case[1:] for case in WIRE], ids=[case[0] for case in WIRE])
async def test_what_goes_over_the_wire(world: World, message: OutboundMessage, action: str, body: Any) -> None:
    sent = await send(world.context, world.instance(), message)
    (request,) = world.standin.requests
    assert (request.method, request.path) == ("POST", f"/message/{action}/wa")
    assert request.headers["apikey"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert request.body == body
    assert sent.external_id.startswith("3EB0")
    assert sent.status is Status.SENT
    assert sent.at is not None
    assert [one.id for one in world.standin.phone] == [sent.external_id]


async def test_a_group(world: World) -> None:
    world.standin.call("add_group", jid=GROUP.address, subject="Equipe", participants=[])
    sent = await send(world.context, world.instance(), outbound(text="x", to=[GROUP]))
    assert world.requests("/message/") == [{"number": GROUP.address, "text": "x"}]
    assert sent.identities == ()


async def test_the_address_that_whatsapp_really_uses_is_learned(world: World) -> None:
    """`5585988887777` is sent to `558588887777`: one person, another spelling."""
    to = [Identity(IdentityKind.PHONE, "5585988887777", "5585988887777")]
    sent = await send(world.context, world.instance(), outbound(text="x", to=to))
    assert sent.identities == (Identity(IdentityKind.PHONE, "5585988887777", "558588887777@s.whatsapp.net"),)
    assert [one.to for one in world.standin.phone] == ["558588887777@s.whatsapp.net"]


@pytest.mark.parametrize("written", ["5511988887777@s.whatsapp.net", "+55 (11) 98888-7777", "5511988887777"])
async def test_any_spelling_of_a_phone_is_sent_as_digits(world: World, written: str) -> None:
    to = [Identity(IdentityKind.PHONE, NUMBER, written)]
    await send(world.context, world.instance(), outbound(text="x", to=to))
    assert world.requests("/message/")[0]["number"] == NUMBER


async def test_a_name_with_spaces_and_accents(world: World) -> None:
    world.standin.add_instance("loja são joão")
    instance = world.instance(credentials={"instance_name": "loja são joão"})
    await send(world.context, instance, outbound(text="x"))
    assert [one.instance for one in world.standin.phone] == ["loja são joão"]


IMPOSSIBLE: list[tuple[str, OutboundMessage]] = [
    ("unsupported_by_provider", outbound(Kind.TEMPLATE)),
    ("unsupported_by_provider", outbound(Kind.INTERACTIVE)),
    ("no_address", outbound(text="x", to=[])),
    ("no_address", outbound(text="x", to=[Identity(IdentityKind.BSUID, "u", "u")])),
    ("media_missing", outbound(Kind.IMAGE)),
    ("media_not_audio", outbound(Kind.AUDIO, media=stored(PDF, "application/pdf", is_voice=True))),
    ("contacts_missing", outbound(Kind.CONTACTS)),
    ("contact_without_phone", outbound(Kind.CONTACTS, payload={"contacts": [{"name": "Ana", "phones": []}]})),
    ("reaction_without_message", outbound(Kind.REACTION, payload={"emoji": "👍"})),
]


@pytest.mark.parametrize(("code", "message"), IMPOSSIBLE)
async def test_what_cannot_be_sent_is_rejected_before_any_request(
    world: World, code: str, message: OutboundMessage
) -> None:
    with pytest.raises(Rejected) as refusal:
        await send(world.context, world.instance(), message)
    assert refusal.value.code == code
    assert world.standin.requests == []


# Failures ------------------------------------------------------------------------------------------------


async def failure(world: World, message: OutboundMessage | None = None, **changes: Any) -> ProviderError:
    """Return how sending fails, with nothing secret in it."""
    with pytest.raises(ProviderError) as raised:
        await send(world.context, world.instance(**changes), message or outbound(text="x"))
    assert KEY not in str(raised.value)
    return raised.value


async def test_a_server_that_is_down_is_tried_again(world: World) -> None:
    world.standin.stop()
    error = await failure(world)
    assert isinstance(error, Retryable)
    assert error.code == "provider_unreachable"
    world.standin.start()
    assert world.standin.phone == []


@pytest.mark.parametrize("fault", ["accept_and_hang", "accept_and_close", "malformed"])
async def test_an_answer_that_is_lost_after_acceptance_is_never_repeated(world: World, fault: str) -> None:
    getattr(world.standin.faults, fault)("POST /message/sendText/*")
    world.context = world.configured(send_timeout=0.3)
    error = await failure(world)
    assert isinstance(error, OutcomeUnknown)
    assert error.code == "outcome_unknown"
    assert len(world.standin.phone) == 1


@pytest.mark.parametrize("fault", ["hang", "close"])
async def test_an_answer_that_never_comes_may_have_been_sent(world: World, fault: str) -> None:
    getattr(world.standin.faults, fault)("POST /message/sendText/*")
    world.context = world.configured(send_timeout=0.3)
    assert isinstance(await failure(world), OutcomeUnknown)


async def test_the_three_forms_of_not_connected(world: World) -> None:
    """Number known to the server, number not known, and never logged in at all."""
    await send(world.context, world.instance(), outbound(text="x"))
    world.standin.drop()
    for to in ([PHONE], [Identity(IdentityKind.PHONE, "5511912345678", "5511912345678@s.whatsapp.net")]):
        error = await failure(world, outbound(text="x", to=to))
        assert isinstance(error, InstanceSick)
        assert (error.code, error.instance_status) == ("instance_disconnected", "disconnected")
    world.standin.add_instance("new", phone=None)
    error = await failure(world, outbound(text="x", to=[LID]), credentials={"instance_name": "new"})
    assert isinstance(error, InstanceSick)
    assert error.code == "instance_disconnected"
    assert {one.status for one in world.standin.requests} == {201, 400, 500}


async def test_a_wrong_key_is_the_instances_matter(world: World) -> None:
    error = await failure(world, key="another-key")
    assert isinstance(error, InstanceSick)
    assert error.code == "provider_key_refused"


async def test_an_instance_that_is_gone(world: World) -> None:
    error = await failure(world, credentials={"instance_name": "nope"})
    assert isinstance(error, InstanceSick)
    assert error.code == "instance_missing"


async def test_a_server_that_is_no_evolution(world: World) -> None:
    error = await failure(world, credentials={"server_url": f"{world.standin.url}/manager"})
    assert isinstance(error, InstanceSick)
    assert error.code == "provider_not_found"


async def test_a_number_that_is_not_on_whatsapp(world: World) -> None:
    to = [Identity(IdentityKind.PHONE, "5511900000000", "5511900000000")]
    error = await failure(world, outbound(text="x", to=to))
    assert isinstance(error, Rejected)
    assert error.code == "recipient_not_on_whatsapp"


async def test_a_message_that_evolution_refuses(world: World) -> None:
    error = await failure(world, outbound(text="   "))
    assert isinstance(error, Rejected)
    assert (error.code, error.provider_code) == ("provider_rejected", "400")
    assert "Text is required" in error.detail


async def test_a_file_that_evolution_cannot_convert(world: World) -> None:
    error = await failure(world, outbound(Kind.IMAGE, media=stored(b"not an image", "image/png", "a.png")))
    assert isinstance(error, Rejected)
    assert "unsupported image format" in error.detail


FAILURES: list[tuple[int, Any, dict[str, str], type[ProviderError]]] = [
    (500, {"status": 500, "response": {"message": "Cannot read properties of undefined"}}, {}, OutcomeUnknown),
    (500, None, {}, OutcomeUnknown),
    (500, {"response": {"message": "Method not available in the Baileys service"}}, {}, Rejected),
    (500, {"response": {"message": ["AxiosError: Request failed with status code 404"]}}, {}, Rejected),
    (502, "<html>Bad Gateway</html>", {}, OutcomeUnknown),
    (504, "<html>Gateway Time-out</html>", {}, OutcomeUnknown),
    (503, "<html>Service Unavailable</html>", {}, Retryable),
    (429, {"message": "slow down"}, {"Retry-After": "7"}, Retryable),
    (413, "<html>Request Entity Too Large</html>", {}, Rejected),
    (400, {"status": 400, "response": {"message": ["[object Object]"]}}, {}, Rejected),
    (400, {"status": 400, "response": {"message": ["Error: Timed Out"]}}, {}, OutcomeUnknown),
    (400, {"status": 400, "response": {"message": ["PrismaClientKnownRequestError: x"]}}, {}, OutcomeUnknown),
    (400, {}, {}, Rejected),
    (400, "not json", {}, Rejected),
    (403, "<html>Forbidden</html>", {}, Rejected),
    (301, None, {"Location": "https://elsewhere/"}, InstanceSick),
    (201, {"key": {}}, {}, OutcomeUnknown),
    (200, {"error": True, "message": "[object Object]"}, {}, OutcomeUnknown),
    (200, [], {}, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "body", "headers", "kind"), FAILURES)
async def test_what_an_answer_means(
    world: World, status: int, body: Any, headers: dict[str, str], kind: type[ProviderError]
) -> None:
    world.standin.faults.answer("POST /message/*", status, body, headers=headers)
    error = await failure(world)
    assert type(error) is kind
    if isinstance(error, Retryable):
        assert error.retry_after == (7.0 if headers else None)


@pytest.mark.parametrize("path", sorted((CAPTURES / "api").glob("send*.json")), ids=lambda path: path.stem)
def test_captured_answers_say_something_short(path: Any) -> None:
    response = orjson.loads(path.read_bytes())["response"]
    if response["status"] >= 400:
        words = words_of(Answer(response["status"], {}, orjson.dumps(response["body"])))
        assert 0 < len(words) <= 300
        assert "[object" not in words


LEAKS = [
    ["PrismaClientValidationError:\nInvalid `x` invocation in\n/evolution/dist/main.js:193:44\n  at y"],
    ["Error: Failed to fetch stream from https://mmg.whatsapp.net/v/t62.7118-24/x.enc?oh=01_FAKE"],
    ["ENOENT: no such file, open '/evolution/instances/wa/creds.json'"],
    [["a" * 5000]],
]


@pytest.mark.parametrize("message", LEAKS)
def test_no_paths_and_no_addresses_reach_a_person(message: Sequence[Any]) -> None:
    words = words_of(Answer(500, {}, orjson.dumps({"response": {"message": message}})))
    assert "/" not in words
    assert "FAKE" not in words
    assert len(words) <= 300


@pytest.mark.parametrize(
    ("name", "mime_type", "named"),
    [
        ("foto.jpg", "image/jpeg", "foto.jpg"),
        ("foto.JPEG", "image/jpeg", "foto.JPEG"),
        ("foto.png", "image/jpeg", "foto.png.jpg"),
        ("", "image/png", "file.png"),
        ("som", "audio/ogg; codecs=opus", "som.ogg"),
        ("x", "application/x-nobody-knows", "x.bin"),
        ("x.abc", "application/x-nobody-knows", "x.abc"),
    ],
)
def test_names_say_what_a_file_is(name: str, mime_type: str, named: str) -> None:
    assert file_name(name, mime_type) == named


def test_a_document_keeps_the_extension_by_which_a_person_knows_it() -> None:
    assert file_name("plano.docx", "application/zip", keeps_extension=True) == "plano.docx"
    assert file_name("plano", "application/pdf", keeps_extension=True) == "plano.pdf"
