"""Every captured webhook, and what it says (Evolution API reference, sections 7 and 8)."""

from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
import pytest
from elsehu_evolution.cleaning import clean_body
from elsehu_evolution.normalize import normalize

from elsehu.plugin import (
    Accepted,
    CustomerTyping,
    Direction,
    Event,
    IdentitiesLinked,
    InstanceChanged,
    InstanceStatus,
    Kind,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    Normalized,
    ReactionChanged,
    Status,
    StatusChanged,
)

from .conftest import ID, NOW, body_of, make_instance, names

Essence = dict[str, Any]

PHONE, LID, GROUP = "5511988887777@s.whatsapp.net", "123456789012345@lid", "120363000000000001@g.us"
MARIA = [PHONE, LID]
LOGGED_OUT = InstanceStatus.NEEDS_PAIRING
NOTHING: list[Essence] = []


def said(kind: Kind, text: str | None = None, sender: Any = None, **more: Any) -> list[Essence]:
    """Expect a message of Maria's."""
    essence = {"type": "MessageArrived", "direction": Direction.INBOUND, "kind": kind, "sender": sender or MARIA}
    essence |= {"sender_name": "Maria Silva"} | ({"text": text} if text is not None else {})
    return [{name: value for name, value in (essence | more).items() if value is not None}]


def by_phone(kind: Kind, text: str | None = None, **more: Any) -> list[Essence]:
    """Expect a message of which only the phone is known."""
    return said(kind, text, [PHONE], **more)


def business(kind: Kind, text: str | None = None, **more: Any) -> list[Essence]:
    """Expect a message from the BUSINESS or EVOLUTION channel."""
    return by_phone(kind, text, **({"sender_name": "Maria"} | more))


def in_group(kind: Kind, text: str | None = None, **more: Any) -> list[Essence]:
    """Expect a message to a group: the group is the contact, the author is named beside."""
    return said(kind, text, [GROUP], sender_name=None, author_name="Maria Silva", **more)


def echo(kind: Kind, text: str | None = None, sender: Any = None, **more: Any) -> list[Essence]:
    """Expect what left through the API."""
    return said(
        kind,
        text,
        sender or [PHONE],
        direction=Direction.OUTBOUND,
        sender_name=None,
        status=Status.SENT,
        **({"through_api": True} | more),
    )


def typed(text: str, sender: list[str]) -> list[Essence]:
    """Expect what was typed on the phone."""
    return echo(Kind.TEXT, text, sender, through_api=None)


def file(mime_type: str, size: int | None = None, name: str | None = None, **more: Any) -> Essence:
    """Expect a file that is to be fetched."""
    expected = {"mime_type": mime_type, "size": size, "file_name": name, **more}
    return {"media": {key: value for key, value in expected.items() if value is not None}}


def place(latitude: float, longitude: float, name: Any, address: Any, *, live: bool = False) -> Essence:
    """Expect a location."""
    shown = {"latitude": latitude, "longitude": longitude, "name": name, "address": address, "isLive": live}
    return {"payload": shown}


def unsupported(name: str, label: str) -> Essence:
    """Expect a label for what there is no kind for."""
    return {"payload": {"type": name, "label": label}}


def reply(kind: str, chosen: str, title: str, **more: Any) -> Essence:
    """Expect the choice of a button or from a list."""
    return {"payload": {"type": kind, "id": chosen, "title": title, **more}, "reply_to": "3EB0X"}


def poll(name: str, *options: str, selectable: int) -> Essence:
    """Expect a poll."""
    return {"payload": {"type": "poll", "name": name, "options": list(options), "selectable": selectable}}


def mobile(phone: str) -> list[Essence]:
    """Expect the one phone of a card."""
    return [{"phone": phone, "type": "Celular"}]


def status(message_id: str, status: Status, **more: Any) -> list[Essence]:
    """Expect a change of status."""
    return [{"type": "StatusChanged", "external_id": message_id, "status": status, **more}]


def failed(message_id: str, word: str) -> list[Essence]:
    """Expect a failure without a reason."""
    return status(message_id, Status.FAILED, error_code="provider_failed", provider_code=word)


def edit(message_id: str, text: str) -> list[Essence]:
    """Expect an edit."""
    return [{"type": "MessageEdited", "external_id": message_id, "text": text}]


def deletion(message_id: str) -> list[Essence]:
    """Expect a deletion."""
    return [{"type": "MessageDeleted", "external_id": message_id}]


def reaction(message_id: str, emoji: str, sender: list[str] | None = None) -> list[Essence]:
    """Expect a reaction, the company's if there is no sender."""
    whose = {"from_company": False, "sender": sender} if sender else {"from_company": True}
    return [{"type": "ReactionChanged", "external_id": message_id, "emoji": emoji, **whose}]


def changed(status: InstanceStatus, detail: str = "", **more: Any) -> list[Essence]:
    """Expect a change of the number's own state; `detail` is a part of the sentence for people."""
    return [{"type": "InstanceChanged", "status": status, "detail": detail, **more}]


def typing(sender: list[str], state: str) -> list[Essence]:
    """Expect somebody to type."""
    return [{"type": "CustomerTyping", "sender": sender, "state": state}]


LINKED = [{"type": "IdentitiesLinked", "identities": MARIA}]
OPENED = changed(InstanceStatus.CONNECTED, phone="5511955550001")
CONNECTING = changed(InstanceStatus.CONNECTING)
QUOTED_CARD = "BEGIN:VCARD\nVERSION:3.0\nFN:{}\nEND:VCARD"
SENT_CARD = (
    "BEGIN:VCARD\nVERSION:3.0\nN:{0}\nFN:{0}\nitem1.TEL;waid={1}@s.whatsapp.net:{1}\nitem1.X-ABLabel:Celular\nEND:VCARD"
)
JOAO = (
    "BEGIN:VCARD\nVERSION:3.0\nN:;João;;;\nFN:João\nitem1.TEL;waid=5511977776666:+55 11 97777-6666\n"
    "item1.X-ABLabel:Celular\nEND:VCARD"
)
AD = {
    "sourceType": "ad",
    "sourceId": "120200000000000000",
    "sourceUrl": "https://fb.me/abc",
    "title": "Promoção",
    "body": "Clique aqui",
    "thumbnailUrl": "https://example.com/t.jpg",
    "ctwaClid": "ARxxxxxxxx",
    "ref": "ref1",
    "entryPoint": "ctwa_ad",
    "app": "instagram",
}
ACK, PDF, OGG = "3EB0A047584B528A127E29", "application/pdf", "audio/ogg; codecs=opus"
WAMID = "wamid.HBgNNTUxMTk4ODg4Nzc3NxUCABEYEjA5"
FIRST, SECOND = "ACACFC5B2F3CAC1B3CA38E810FD1ED70", "3EB0C282731452803460FB"
VOICE: dict[str, Any] = {"is_voice": True}

SAYS: dict[str, list[Essence]] = {
    "baileys.create-connection.update": CONNECTING,
    "baileys.create-instance.create": NOTHING,
    "baileys.create-qrcode.updated": changed(InstanceStatus.NEEDS_PAIRING, pairing=(True, True, False)),
    "baileys.drop428-connection.update": OPENED,
    "baileys.scan-connection.update": OPENED,
    "byEvents-messages.upsert": said(Kind.TEXT, "by events"),
    "call-call-offer": NOTHING,
    "call-call-terminate": LINKED,
    "chats.delete-chats-delete": NOTHING,
    "chats.set-history": NOTHING,
    "chats.update-chats-update": NOTHING,
    "chats.update-conversation-pn": NOTHING,
    "chats.upsert-chats-upsert": NOTHING,
    "connection.update-delete": changed(LOGGED_OUT, "logged out"),
    "connection.update-device-removed-401": changed(LOGGED_OUT, "logged out"),
    "connection.update-drop-402": changed(LOGGED_OUT, "402"),
    "connection.update-drop-403": changed(InstanceStatus.BLOCKED, "403"),
    "connection.update-logout": changed(LOGGED_OUT, "Scan a new QR code"),
    "connection.update-network-unreachable": CONNECTING,
    "connection.update-pairing-scan": CONNECTING,
    "connection.update-pairing-scan-2": OPENED,
    "contacts.update-contacts-update": NOTHING,
    "contacts.update-contacts-upsert": NOTHING,
    "contacts.update-conversation-pn": NOTHING,
    "contacts.update-history": NOTHING,
    "contacts.upsert-business-text": NOTHING,
    "contacts.upsert-contacts-upsert": NOTHING,
    "contacts.upsert-conversation-pn": NOTHING,
    "contacts.upsert-history": NOTHING,
    "evolution-channel.chats.upsert": NOTHING,
    "evolution-channel.contacts.upsert": NOTHING,
    "evolution-channel.messages.upsert": business(Kind.TEXT, "oi"),
    "expose-false-apikey-null": business(Kind.TEXT, "global", sender_name="M"),
    "global-webhook-connection.update": CONNECTING,
    "global-webhook-messages.upsert": business(Kind.TEXT, "global", sender_name="M"),
    "group-participants.update-group-participants-add": NOTHING,
    "group-participants.update-group-participants-remove": NOTHING,
    "groups.update-subscribed-at-create": NOTHING,
    "groups.upsert-groups-upsert": NOTHING,
    "instance.create-network-unreachable": NOTHING,
    "instance.create-pairing-code": NOTHING,
    "instance.delete-delete": changed(InstanceStatus.DISCONNECTED, "deleted"),
    "jwt_key-header": said(Kind.TEXT, "jwt"),
    "labels.association-labels-association": NOTHING,
    "labels.edit-labels-edit": NOTHING,
    "logout.instance-delete": changed(LOGGED_OUT, "logged out"),
    "logout.instance-device-removed-401": changed(LOGGED_OUT, "logged out"),
    "logout.instance-drop-402": changed(LOGGED_OUT, "logged out"),
    "logout.instance-drop-403": changed(LOGGED_OUT, "logged out"),
    "logout.instance-logout": changed(LOGGED_OUT, "logged out"),
    "messages.delete-deleteMessageForEveryone": deletion("3EB00563E9840E155FAAF2"),
    "messages.delete-group-revoked": deletion("AC06301BCDFF7F0589FAED3B8BE0B6A3"),
    "messages.delete-lid-revoked": deletion("AC1B0BC3034C21E5E1902525C39CBCA1") + LINKED,
    "messages.delete-revoked": deletion("ACFDAFD567768E72D73F3DBBB1F2980D") + LINKED,
    "messages.edited-edited": edit(FIRST, "Oi, boa tarde!"),
    "messages.edited-edited-unknown-original": edit("UNKNOWNMSG", "?"),
    "messages.edited-edited-wrapped": edit(FIRST, "Oi, boa noite!"),
    "messages.edited-ephemeral-setting": NOTHING,
    "messages.edited-group-revoked": deletion("AC06301BCDFF7F0589FAED3B8BE0B6A3"),
    "messages.edited-lid-edited": edit("ACDB6D3CC957A4FAF561F0032ECD36A9", "editada"),
    "messages.edited-lid-revoked": deletion("AC1B0BC3034C21E5E1902525C39CBCA1"),
    "messages.edited-protocol-app-state-key-share": NOTHING,
    "messages.edited-protocol-history-sync-notification": NOTHING,
    "messages.edited-revoked": deletion("ACFDAFD567768E72D73F3DBBB1F2980D"),
    "messages.set-history": NOTHING,
    "messages.update-business-status-delivered": status(WAMID, Status.DELIVERED),
    "messages.update-business-status-failed": failed(WAMID, "FAILED"),
    "messages.update-business-status-read": status(WAMID, Status.READ),
    "messages.update-business-status-sent": status(WAMID, Status.SENT),
    "messages.update-delivery-ack": status(ACK, Status.DELIVERED),
    "messages.update-delivery-after-read": status(ACK, Status.DELIVERED),
    "messages.update-edited": edit(FIRST, "Oi, boa tarde!"),
    "messages.update-edited-wrapped": edit(FIRST, "Oi, boa noite!"),
    "messages.update-error": failed(ACK, "ERROR"),
    "messages.update-lid-edited": edit("ACDB6D3CC957A4FAF561F0032ECD36A9", "editada"),
    "messages.update-played": status(ACK, Status.PLAYED),
    "messages.update-read": status(ACK, Status.READ),
    "messages.update-read-duplicate": status(ACK, Status.READ),
    "messages.update-read-duplicate-later": status(ACK, Status.READ),
    "messages.update-read-lid": status(ACK, Status.READ),
    "messages.update-read-self": status(FIRST, Status.READ),
    "messages.update-server-ack": status(ACK, Status.SENT),
    "messages.upsert-album": NOTHING,
    "messages.upsert-audio-file": said(Kind.AUDIO, **file("audio/mpeg", 16527)),
    "messages.upsert-audio-ptt": said(Kind.AUDIO, **file(OGG, 18041, **VOICE)),
    "messages.upsert-audio-ptt-base64": said(Kind.AUDIO, **file(OGG, 18041, bytes=18041, **VOICE)),
    "messages.upsert-business-image": business(Kind.IMAGE, "c", **file("image/jpeg")),
    "messages.upsert-business-interactive-button": business(Kind.TEXT, "Sim"),
    "messages.upsert-business-location": business(Kind.LOCATION, **place(-23.5, -46.6, "x", "y")),
    "messages.upsert-business-reaction": reaction("wamid.AAA1", "👍", [PHONE]),
    "messages.upsert-business-text": business(Kind.TEXT, "oi"),
    "messages.upsert-business-text-reply": business(Kind.TEXT, "resp", reply_to="wamid.AAA1"),
    "messages.upsert-buttons-response": said(Kind.INTERACTIVE, "Sim", **reply("button_reply", "yes", "Sim")),
    "messages.upsert-contact": said(
        Kind.CONTACTS, payload={"contacts": [{"name": "João", "phones": mobile("+5511977776666"), "vcard": JOAO}]}
    ),
    "messages.upsert-contacts-array": said(
        Kind.CONTACTS,
        payload={
            "contacts": [{"name": name, "phones": [], "vcard": QUOTED_CARD.format(name)} for name in ("João", "Ana")]
        },
    ),
    "messages.upsert-conversation-fromMe-lid": typed("enviado pelo celular (lid)", [PHONE]),
    "messages.upsert-conversation-fromMe-other-device": typed("enviado pelo celular", MARIA),
    "messages.upsert-conversation-group": in_group(Kind.TEXT, "mensagem no grupo"),
    "messages.upsert-conversation-lid": by_phone(Kind.TEXT, "mensagem via LID"),
    "messages.upsert-conversation-lid-no-alt": said(Kind.TEXT, "LID sem alt", [LID]),
    "messages.upsert-conversation-pn": said(Kind.TEXT, "Oi, bom dia!"),
    "messages.upsert-document": said(Kind.DOCUMENT, **file(PDF, 69, "contrato.pdf")),
    "messages.upsert-document-with-caption": said(Kind.DOCUMENT, "segue o contrato", **file(PDF, 69, "contrato.pdf")),
    "messages.upsert-document-with-caption-base64": said(Kind.DOCUMENT, "x", **file(PDF, 69, "c.pdf", bytes=69)),
    "messages.upsert-ephemeral-image": said(Kind.IMAGE, "temporária", **file("image/jpeg", 774)),
    "messages.upsert-ephemeral-image-base64": said(Kind.IMAGE, **file("image/jpeg", 774)),
    "messages.upsert-ephemeral-text": said(Kind.TEXT, "some"),
    "messages.upsert-event-message": in_group(Kind.UNSUPPORTED, "Reunião", **unsupported("eventMessage", "Event")),
    "messages.upsert-extendedText-ad-reply": said(Kind.TEXT, "Olá, vi o anúncio", payload={"referral": AD}),
    "messages.upsert-extendedText-forwarded": said(Kind.TEXT, "corrente", payload={"forwarded": True}),
    "messages.upsert-extendedText-link": said(Kind.TEXT, "veja https://example.com"),
    "messages.upsert-extendedText-mention-group": in_group(Kind.TEXT, "@99887766554433 ajuda"),
    "messages.upsert-extendedText-quoted": said(Kind.TEXT, "respondendo", reply_to=FIRST),
    "messages.upsert-extendedText-quoted-image": said(
        Kind.TEXT, "gostei dessa foto", reply_to="3EB0A3E8066B4F1D0A56FB"
    ),
    "messages.upsert-group-for-revoke": in_group(Kind.TEXT, "grupo p/ revogar"),
    "messages.upsert-group-invite": said(
        Kind.UNSUPPORTED, "entre", **unsupported("groupInviteMessage", "Group invite")
    ),
    "messages.upsert-group-reaction": reaction("AC06301BCDFF7F0589FAED3B8BE0B6A3", "😂", [GROUP, *MARIA]),
    "messages.upsert-image": said(Kind.IMAGE, "foto do produto", **file("image/jpeg", 774)),
    "messages.upsert-image-base64": said(Kind.IMAGE, "com base64", **file("image/jpeg", 774, bytes=774)),
    "messages.upsert-image-group-lid": in_group(Kind.IMAGE, **file("image/jpeg", 774)),
    "messages.upsert-interactive-response": said(Kind.INTERACTIVE, "Sim", **reply("button_reply", "yes", "Sim")),
    "messages.upsert-lid-for-edit": by_phone(Kind.TEXT, "lid p/ editar"),
    "messages.upsert-lid-for-update": by_phone(Kind.TEXT, "lid p/ revogar"),
    "messages.upsert-list-message": said(Kind.UNSUPPORTED, "Menu", **unsupported("listMessage", "List")),
    "messages.upsert-list-response": said(
        Kind.INTERACTIVE, "Opção 1", **reply("list_reply", "r1", "Opção 1", description="d1")
    ),
    "messages.upsert-live-location": said(Kind.LOCATION, "a caminho", **place(-23.55, -46.63, None, None, live=True)),
    "messages.upsert-location": said(Kind.LOCATION, **place(-23.5505, -46.6333, "Praça da Sé", "São Paulo")),
    "messages.upsert-offline-append": said(Kind.TEXT, "chegou enquanto offline"),
    "messages.upsert-order": said(Kind.UNSUPPORTED, "pedido", **unsupported("orderMessage", "Order")),
    "messages.upsert-pin": said(Kind.UNSUPPORTED, opens=False, **unsupported("pinInChatMessage", "Pin in chat")),
    "messages.upsert-poll-creation": said(Kind.INTERACTIVE, "Qual?", **poll("Qual?", "A", "B", selectable=0)),
    "messages.upsert-poll-creation-v3": said(Kind.INTERACTIVE, "Qual?", **poll("Qual?", "A", "B", selectable=1)),
    "messages.upsert-poll-vote": said(
        Kind.INTERACTIVE,
        "Sim",
        opens=False,
        reply_to="3EB043AD788285021C1C47",
        payload={"type": "poll_vote", "pollId": "3EB043AD788285021C1C47", "options": ["Sim"]},
    ),
    "messages.upsert-poll-vote-unknown-poll": NOTHING,
    "messages.upsert-product": said(Kind.UNSUPPORTED, "Camisa", **unsupported("productMessage", "Product")),
    "messages.upsert-reaction": reaction(SECOND, "❤️", MARIA),
    "messages.upsert-reaction-removed": reaction(SECOND, "", MARIA),
    "messages.upsert-sender-key-distribution-only": NOTHING,
    "messages.upsert-senderkey-plus-text": in_group(Kind.TEXT, "com chave"),
    "messages.upsert-sticker": said(Kind.STICKER, **file("image/webp", 250)),
    "messages.upsert-template-button-reply": said(
        Kind.INTERACTIVE, "Confirmar", **reply("button_reply", "id1", "Confirmar")
    ),
    "messages.upsert-to-be-revoked": said(Kind.TEXT, "apague isso"),
    "messages.upsert-video": said(Kind.VIDEO, "vídeo", **file("video/mp4", 2709)),
    "messages.upsert-video-gif": said(Kind.VIDEO, **file("video/mp4", 2709)),
    "messages.upsert-video-note-ptv": said(Kind.VIDEO, **file("video/mp4", 2709)),
    "messages.upsert-view-once": said(Kind.IMAGE, "uma vez", **file("image/jpeg", 100)),
    "messages.upsert-view-once-v2": said(Kind.IMAGE, "uma vez", **file("image/jpeg", 100)),
    "messages.upsert-view-once-v2-extension": said(Kind.AUDIO, **file(OGG, **VOICE)),
    "presence.update-presence-available": typing([LID], "paused"),
    "presence.update-presence-composing": typing([PHONE], "composing"),
    "qrcode.updated-pairing-code": changed(InstanceStatus.NEEDS_PAIRING, pairing=(True, True, True)),
    "remove.instance-delete": changed(InstanceStatus.DISCONNECTED, "deleted"),
    "send.message-sendButtons-cta": echo(
        Kind.UNSUPPORTED, "*T*\n\nD\n", **unsupported("interactiveMessage", "Interactive")
    ),
    "send.message-sendButtons-reply": echo(
        Kind.UNSUPPORTED, "*Título*\n\nDesc\n", **unsupported("interactiveMessage", "Interactive")
    ),
    "send.message-sendContact-many": echo(
        Kind.CONTACTS,
        payload={
            "contacts": [
                {"name": name, "phones": mobile(f"+{phone}"), "vcard": SENT_CARD.format(name, phone)}
                for name, phone in (("Ana", "5511977776666"), ("Bia", "5511966665555"))
            ]
        },
    ),
    "send.message-sendContact-one": echo(Kind.CONTACTS, payload={"contacts": [("Ana", mobile("+5511977776666"))]}),
    "send.message-sendList": echo(Kind.UNSUPPORTED, "Menu", **unsupported("listMessage", "List")),
    "send.message-sendLocation": echo(Kind.LOCATION, **place(-23.55, -46.63, "Loja", "Av. Paulista 1000")),
    "send.message-sendMedia-audio-base64": echo(Kind.AUDIO, **file("audio/mpeg", 16527)),
    "send.message-sendMedia-document-base64": echo(Kind.DOCUMENT, "segue", **file(PDF, 69, "contrato.pdf")),
    "send.message-sendMedia-document-no-extension": echo(
        Kind.DOCUMENT, **file("application/octet-stream", 69, "semextensao")
    ),
    "send.message-sendMedia-image-base64": echo(Kind.IMAGE, "legenda", **file("image/png", 531)),
    "send.message-sendMedia-image-url": echo(Kind.IMAGE, **file("image/jpeg", 531)),
    "send.message-sendMedia-video-base64": echo(Kind.VIDEO, "v", **file("video/mp4", 2709)),
    "send.message-sendPoll": echo(Kind.INTERACTIVE, "Gostou?", **poll("Gostou?", "Sim", "Não", selectable=1)),
    "send.message-sendReaction": reaction(SECOND, "👍"),
    "send.message-sendReaction-heart": reaction(SECOND, "❤️"),
    "send.message-sendReaction-remove": reaction(SECOND, ""),
    "send.message-sendReaction-skin-tone": reaction(SECOND, "👍🏽"),
    "send.message-sendStatus": NOTHING,
    "send.message-sendSticker-base64": echo(Kind.STICKER, **file("image/webp", 284)),
    "send.message-sendText": echo(Kind.TEXT, "Olá! Veja https://example.com"),
    "send.message-sendText-br-ddd-21": echo(Kind.TEXT, "BR DDD 21 with 9", ["5521988887777@s.whatsapp.net"]),
    "send.message-sendText-br-ddd-85": echo(Kind.TEXT, "BR DDD 85 with 9", ["558588887777@s.whatsapp.net"]),
    "send.message-sendText-formatted-number": echo(Kind.TEXT, "formatted number"),
    "send.message-sendText-group-mentioned": echo(Kind.TEXT, "oi @5511988887777", [GROUP]),
    "send.message-sendText-group-mentions-everyone": echo(Kind.TEXT, "todos", [GROUP]),
    "send.message-sendText-lid": echo(Kind.TEXT, "to lid", [LID]),
    "send.message-sendText-quoted": echo(Kind.TEXT, "quoting", reply_to=SECOND),
    "send.message-sendText-quoted-inline": echo(Kind.TEXT, "quoting inline", reply_to="ABC"),
    "send.message-sendText-quoted-unknown-id": echo(Kind.TEXT, "quoting unknown"),
    "send.message-sendWhatsAppAudio-base64": echo(Kind.AUDIO, **file(OGG, 37159, **VOICE)),
    "send.message-sendWhatsAppAudio-no-encoding": echo(Kind.AUDIO, **file(OGG, 18041, **VOICE)),
    "send.message.update-updateMessage": edit("3EB00563E9840E155FAAF2", "texto editado"),
    "status.instance-delete": changed(LOGGED_OUT, "logged out"),
    "status.instance-drop-402": changed(LOGGED_OUT, "402"),
    "status.instance-drop-403": changed(InstanceStatus.BLOCKED, "403"),
    "status.instance-logout": changed(LOGGED_OUT, "logged out"),
}


def read(body: Any, **settings: Any) -> Normalized:
    """Normalise a body for an instance that takes groups, unless told otherwise."""
    return normalize(Accepted(body, [make_instance(settings={"groups": True, **settings})]), lambda: NOW)


def events(body: Any, **settings: Any) -> list[Event]:
    """Return what a body says."""
    return [item.event for item in read(body, **settings).items]


def essence(event: Event) -> Essence:
    """Return what of an event differs from its defaults, in words of this table."""
    usual = {field.name: field.default for field in fields(event) if field.default is not MISSING}
    shown = {field.name: getattr(event, field.name) for field in fields(event)}
    told = {
        name: value
        for name, value in shown.items()
        if usual.get(name, MISSING) != value and value not in (None, {}, ())
    }
    told["type"] = type(event).__name__
    for name in ("sender", "identities"):
        if name in told:
            told[name] = [identity.address for identity in told[name]]
    match event:
        case MessageArrived():
            return _essence_of_message(event, told)
        case InstanceChanged():
            pairing = event.pairing
            codes = pairing and (bool(pairing.base64), bool(pairing.code), bool(pairing.pairing_code))
            return told | {"detail": event.detail} | ({"pairing": codes} if codes else {})
        case StatusChanged() | MessageEdited() | MessageDeleted() | ReactionChanged():
            told.pop("at", None)
            told.pop("error_detail", None)
    return told


def _essence_of_message(event: MessageArrived, told: Essence) -> Essence:
    for name in ("external_id", "at"):
        told.pop(name)
    if event.media:
        assert event.media.reference == {"key": {"id": event.external_id}}
        media = {field.name: getattr(event.media, field.name) for field in fields(event.media)}
        size = {"bytes": len(event.media.data)} if event.media.data else {}
        hidden = ("reference", "sha256", "data")
        told["media"] = {name: value for name, value in media.items() if value and name not in hidden} | size
    return told


def test_the_table_knows_every_capture() -> None:
    assert sorted(SAYS) == names()


@pytest.mark.parametrize("name", names())
def test_a_capture(name: str) -> None:
    found = read(body_of(name))
    expected = SAYS[name]
    assert not found.broken
    assert len(found.items) == len(expected)
    for item, wanted in zip(found.items, expected, strict=True):
        shown = essence(item.event)
        if isinstance(item.event, InstanceChanged):
            assert wanted["detail"] in item.event.detail
            shown["detail"] = wanted["detail"]
        if name == "send.message-sendContact-one":
            shown["payload"]["contacts"] = [(one["name"], one["phones"]) for one in shown["payload"]["contacts"]]
        assert shown == wanted
        assert item.instance_id == ID


@pytest.mark.parametrize("name", [name for name in names() if name.startswith(("messages.upsert", "send.message-"))])
def test_id_and_time_of_a_message_are_whatsapps(name: str) -> None:
    body = body_of(name)
    for event in events(body):
        if isinstance(event, MessageArrived):
            assert event.external_id == body["data"]["key"]["id"]
            assert event.at == datetime.fromtimestamp(body["data"]["messageTimestamp"], UTC)


@pytest.mark.parametrize("name", [name for name in names() if "group" in name or "sendText-group" in name])
def test_groups_say_nothing_unless_they_are_switched_on(name: str) -> None:
    body = body_of(name)
    data = body["data"]
    key = data.get("key", data) if isinstance(data, dict) else {}
    if str(key.get("remoteJid")).endswith("@g.us"):
        assert events(body, groups=False) == []
        assert events(body) != []


def test_phone_spellings_are_one_person() -> None:
    """A number with and without the ninth digit has one canonical value, and keeps its own address."""
    with_nine, without = body_of("messages.upsert-conversation-pn"), body_of("messages.upsert-conversation-pn")
    with_nine["data"]["key"]["remoteJid"] = "5585988887777@s.whatsapp.net"
    without["data"]["key"]["remoteJid"] = "558588887777@s.whatsapp.net"
    first, second = (events(body)[0] for body in (with_nine, without))
    assert isinstance(first, MessageArrived)
    assert isinstance(second, MessageArrived)
    assert first.sender[0].value == second.sender[0].value == "5585988887777"
    assert (first.sender[0].address, second.sender[0].address) == (
        "5585988887777@s.whatsapp.net",
        "558588887777@s.whatsapp.net",
    )


OTHER_VERSIONS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("2.2: the phone alone", {"remoteJid": PHONE}, [PHONE]),
    ("2.3.4: the phone beside", {"remoteJid": PHONE, "senderPn": PHONE, "previousRemoteJid": LID}, MARIA),
    ("2.3.6: the LID first", {"remoteJid": LID, "remoteJidAlt": PHONE}, MARIA),
    ("2.4: properly swapped", {"remoteJid": PHONE, "remoteJidAlt": LID, "addressingMode": "pn"}, MARIA),
    (
        "a device of theirs",
        {"remoteJid": "5511988887777:12@s.whatsapp.net", "remoteJidAlt": "123456789012345:3@lid"},
        MARIA,
    ),
    ("no suffix at all", {"remoteJid": "5511988887777"}, [PHONE]),
    (
        "our own phone beside theirs",
        {"remoteJid": LID, "senderPn": "5511955550001@s.whatsapp.net", "fromMe": True},
        [LID],
    ),
    (
        "a note to ourselves",
        {"remoteJid": "5511955550001@s.whatsapp.net", "fromMe": True},
        ["5511955550001@s.whatsapp.net"],
    ),
]


@pytest.mark.parametrize(
    ("key", "addresses"), [case[1:] for case in OTHER_VERSIONS], ids=[case[0] for case in OTHER_VERSIONS]
)
def test_keys_of_other_versions(key: dict[str, Any], addresses: list[str]) -> None:
    body = body_of("messages.upsert-conversation-pn")
    body["data"]["key"] = {"id": "X", "fromMe": False, **key}
    (event,) = events(body)
    assert isinstance(event, MessageArrived)
    assert [one.address for one in event.sender] == addresses


@pytest.mark.parametrize("chat", ["status@broadcast", "5511@broadcast", "120363@newsletter", "13135550002@bot"])
def test_what_is_no_conversation_says_nothing(chat: str) -> None:
    body = body_of("messages.upsert-conversation-pn")
    body["data"]["key"] = {"id": "X", "remoteJid": chat, "participant": PHONE}
    assert read(body).items == []
    assert read(body).broken == []


def test_names() -> None:
    """An empty name never counts, our own profile's is nobody else's, and a group is not called like its member."""
    body = body_of("messages.upsert-conversation-pn")
    for nothing in (None, "", 7):
        body["data"]["pushName"] = nothing
        assert _message(body).sender_name is None
    own = _message(body_of("messages.upsert-conversation-fromMe-other-device"))
    assert (own.sender_name, own.author_name) == (None, None)
    group = body_of("messages.upsert-conversation-group")
    group["data"]["pushName"] = None
    assert (_message(group).sender_name, _message(group).author_name) == (None, "+5511988887777")


def _message(body: Any) -> MessageArrived:
    (event,) = events(body)
    assert isinstance(event, MessageArrived)
    return event


def test_times_in_every_flavour() -> None:
    body = body_of("messages.upsert-conversation-pn")
    at = datetime(2026, 11, 23, 14, 15, tzinfo=UTC)
    for flavour in (
        1795443300,
        "1795443300",
        {"low": 1795443300, "high": 0, "unsigned": True},
        1795443300000,
        1795443300.0,
    ):
        body["data"]["messageTimestamp"] = flavour
        assert _message(body).at == at


def test_a_wide_number_is_both_its_halves() -> None:
    """The reference's own example: {"low": -807049093, "high": 395} is 1700000000123."""
    (event,) = events(body_of("messages.upsert-reaction"))
    assert isinstance(event, ReactionChanged)
    assert event.at == datetime.fromtimestamp(1700000000, UTC).replace(microsecond=123000)


def test_statuses_of_v1() -> None:
    body = body_of("messages.update-read")
    body["data"] = {
        "remoteJid": PHONE,
        "fromMe": True,
        "id": "V1",
        "status": "READ",
        "datetime": 1795443300000,
        "owner": "wa",
    }
    assert events(body) == [StatusChanged("V1", Status.READ, datetime(2026, 11, 23, 14, 15, tzinfo=UTC))]


@pytest.mark.parametrize("word", ["PENDING", "EDITED", "WHATEVER", None, 1, [], True])
def test_statuses_that_say_nothing(word: Any) -> None:
    body = body_of("messages.update-read")
    body["data"]["status"] = word
    assert read(body).items == []
    assert read(body).broken == []


def test_a_deleted_status_is_a_deletion() -> None:
    body = body_of("messages.update-read")
    body["data"]["status"] = "DELETED"
    assert events(body) == [MessageDeleted(ACK)]


def test_edits_are_ordered_by_what_the_server_told_first() -> None:
    """Whichever of the two events an edit is told by, and in whatever order they come."""
    told = [
        events(body_of(name))[0]
        for name in (
            "messages.edited-edited",
            "messages.update-edited",
            "messages.edited-edited-wrapped",
            "messages.update-edited-wrapped",
        )
    ]
    times = [event.at for event in told if isinstance(event, MessageEdited) and event.at]
    assert len(times) == 4
    assert max(times[:2]) < min(times[2:])


def test_an_edit_without_any_time() -> None:
    body = body_of("messages.update-edited")
    body["date_time"] = "yesterday"
    assert events(body) == [MessageEdited(FIRST, "Oi, boa tarde!", None)]


def test_an_edited_caption() -> None:
    body = body_of("messages.update-edited")
    body["data"]["message"] = {"editedMessage": {"message": {"imageMessage": {"caption": "nova legenda"}}}}
    (event,) = events(body)
    assert isinstance(event, MessageEdited)
    assert event.text == "nova legenda"


def test_edits_and_deletions_that_come_as_messages() -> None:
    body = body_of("messages.upsert-conversation-pn")
    body["data"]["message"] = {
        "editedMessage": {
            "message": {"protocolMessage": {"key": {"id": "O"}, "type": 14, "editedMessage": {"conversation": "n"}}}
        }
    }
    (event,) = events(body)
    assert isinstance(event, MessageEdited)
    assert (event.external_id, event.text) == ("O", "n")
    body["data"]["message"] = {"protocolMessage": {"key": {"id": "O"}, "type": 0}}
    assert events(body) == [MessageDeleted("O")]


def test_a_list_of_messages_each_stands_alone() -> None:
    body = body_of("messages.upsert-conversation-pn")
    good = body["data"]
    body["data"] = [good, {"key": {}, "message": {"conversation": "x"}}, None, good]
    found = read(body)
    assert [type(item.event) for item in found.items] == [MessageArrived, MessageArrived]
    assert [broken.instance_id for broken in found.broken] == [ID, ID]


LACKING: list[tuple[str, str, dict[str, Any]]] = [
    ("address", "messages.upsert-conversation-pn", {"key": {"id": "X"}}),
    ("address", "messages.upsert-conversation-pn", {"key": {"id": "X", "remoteJid": "12@s.whatsapp.net"}}),
    ("address", "messages.upsert-conversation-pn", {"key": {"id": "X", "remoteJid": "a@b.c"}}),
    ("without an id", "messages.upsert-conversation-pn", {"key": {"remoteJid": PHONE}}),
    ("without an id", "messages.upsert-conversation-pn", {"key": {"remoteJid": PHONE, "id": "X" * 257}}),
    ("without a time", "messages.upsert-conversation-pn", {"messageTimestamp": None}),
    ("without a time", "messages.upsert-conversation-pn", {"messageTimestamp": 10**18}),
    ("without content", "messages.upsert-conversation-pn", {"message": None}),
    ("a text that is none", "messages.upsert-conversation-pn", {"message": {"conversation": 7}}),
    ("coordinates", "messages.upsert-location", {"message": {"locationMessage": {}}}),
    ("reaction to nothing", "messages.upsert-reaction", {"message": {"reactionMessage": {"text": "x"}}}),
    ("status without", "messages.update-read", {"keyId": None}),
    ("deletion without", "messages.delete-revoked", {"id": None}),
]


@pytest.mark.parametrize(("why", "name", "changes"), LACKING)
def test_what_cannot_be_understood_is_kept_as_broken(why: str, name: str, changes: dict[str, Any]) -> None:
    body = body_of(name)
    body["data"] |= changes
    found = read(body)
    assert found.items == []
    (broken,) = found.broken
    assert why in broken.error
    assert broken.raw == found.raw["data"]


@pytest.mark.parametrize("message", [{}, {"messageContextInfo": {}}, {"keepInChatMessage": {}}, {"conversation": None}])
def test_messages_with_nothing_to_show_say_nothing(message: dict[str, Any]) -> None:
    body = body_of("messages.upsert-conversation-pn")
    body["data"]["message"] = message
    assert read(body).items == []
    assert read(body).broken == []


@pytest.mark.parametrize("event", ["messages.upsert", "messages.update", "messages.delete", "messages.edited", "call"])
def test_null_data_says_nothing(event: str) -> None:
    found = read({"event": event, "instance": "wa", "data": None})
    assert (found.items, found.broken) == ([], [])


@pytest.mark.parametrize("body", [None, [], ["x"], "text", 7, True])
def test_a_body_that_is_no_object_is_broken(body: Any) -> None:
    found = read(body)
    assert found.items == ()
    assert [broken.instance_id for broken in found.broken] == [ID]


@pytest.mark.parametrize("event", ["future.event", "", None, 7, "x" * 500])
def test_unknown_events_are_only_recorded(event: Any) -> None:
    found = read({"event": event, "instance": "wa", "data": {"a": 1}})
    assert (list(found.items), list(found.broken)) == ([], [])
    assert found.raw["data"] == {"a": 1}
    assert len(found.event_name) <= 80


def test_nobodys_webhook_is_only_recorded() -> None:
    found = normalize(Accepted(body_of("messages.upsert-conversation-pn"), []), lambda: NOW)
    assert found.items == ()
    assert found.event_name == "messages.upsert"


def test_another_phone_than_the_configured_one_is_told() -> None:
    body = body_of("baileys.scan-connection.update")
    instance = make_instance(phone="+5511911112222")
    (item,) = normalize(Accepted(body, [instance]), lambda: NOW).items
    assert isinstance(item.event, InstanceChanged)
    assert item.event.status is InstanceStatus.CONNECTED
    assert item.event.phone is None
    assert "+5511955550001" in item.event.detail


def test_codes_that_ran_out() -> None:
    limit = {"message": "QR code limit reached, please login again", "statusCode": 500}
    refused = {"instance": "wa", "state": "refused", "statusReason": 428}
    for event, data in (("qrcode.updated", limit), ("connection.update", refused)):
        (found,) = events({"event": event, "instance": "wa", "data": data})
        assert isinstance(found, InstanceChanged)
        assert found.status is InstanceStatus.NEEDS_PAIRING
        assert found.pairing is None
        assert "new one" in found.detail


def test_a_code_expires_soon() -> None:
    (event,) = events(body_of("qrcode.updated-pairing-code"))
    assert isinstance(event, InstanceChanged)
    assert event.pairing
    assert event.pairing.pairing_code == "ABCD1234"
    assert event.pairing.expires_at
    assert 0 < (event.pairing.expires_at - NOW).total_seconds() <= 45


def test_a_form_that_was_filled_in() -> None:
    body = body_of("messages.upsert-interactive-response")
    flow = {"name": "flow", "paramsJson": '{"flow_token":"t","city":"SP"}', "version": 3}
    body["data"]["message"]["interactiveResponseMessage"]["nativeFlowResponseMessage"] = flow
    interactive = _message(body).payload
    assert interactive["type"] == "flow_reply"
    assert interactive["data"] == {"flow_token": "t", "city": "SP"}


def test_votes_that_were_taken_back() -> None:
    body = body_of("messages.upsert-poll-vote")
    body["data"]["message"]["pollUpdateMessage"]["vote"]["selectedOptions"] = []
    event = _message(body)
    assert (event.text, event.opens, event.payload["options"]) == (None, False, [])


def test_files_whose_bytes_are_no_base64_are_fetched() -> None:
    body = body_of("messages.upsert-image-base64")
    for nonsense in ("%%%", "", 7, None):
        body["data"]["message"]["base64"] = nonsense
        media = _message(body).media
        assert media
        assert media.data is None
        assert media.reference == {"key": {"id": "ACC3556CAC296F53449728DA0C1693D7"}}


def test_the_hash_of_a_file_is_that_of_its_bytes() -> None:
    media = _message(body_of("messages.upsert-image-base64")).media
    assert media
    assert media.data
    assert sha256(media.data).hexdigest() == media.sha256


# What is kept -----------------------------------------------------------------------------------------

SECRETS = (
    "apikey",
    "base64",
    "jpegThumbnail",
    "thumbnail",
    "mediaKey",
    "messageSecret",
    "messageContextInfo",
    "keyData",
    "pairingCode",
    "destination",
    "waveform",
    "encPayload",
)


@pytest.mark.parametrize("name", names())
def test_nothing_secret_and_no_bytes_are_kept(name: str) -> None:
    body = body_of(name)
    found = read(body)
    kept = orjson.dumps([found.raw, [item.raw for item in found.items]]).decode()
    for secret in SECRETS:
        assert f'"{secret}"' not in kept
    for value in (body.get("apikey"), body.get("destination")):
        assert not value or value not in kept
    assert '"0":' not in kept
    assert "data:image" not in kept
    assert len(kept) < 12_000


def test_key_material_of_our_devices_is_dropped_whole() -> None:
    found = read(body_of("messages.edited-protocol-app-state-key-share"))
    assert found.raw["data"] == {"type": "APP_STATE_SYNC_KEY_SHARE"}


def replayed(found: Normalized) -> list[Event]:
    """Return what must come out when the kept body is normalised again."""
    return [_without_bytes(item.event) for item in found.items]


def _without_bytes(event: Event) -> Event:
    if isinstance(event, MessageArrived) and event.media:
        return replace(event, media=replace(event.media, data=None))
    return replace(event, pairing=None) if isinstance(event, InstanceChanged) else event


@pytest.mark.parametrize("name", names())
def test_a_replay_of_what_was_kept_says_the_same(name: str) -> None:
    found = read(body_of(name))
    again = read(orjson.loads(orjson.dumps(found.raw)))
    assert [item.event for item in again.items] == replayed(found)
    assert again.raw == found.raw == clean_body(found.raw)


def test_the_table_covers_every_kind_of_event() -> None:
    kinds = {type(event) for name in names() for event in events(body_of(name))}
    assert kinds == {
        CustomerTyping,
        IdentitiesLinked,
        InstanceChanged,
        MessageArrived,
        MessageDeleted,
        MessageEdited,
        ReactionChanged,
        StatusChanged,
    }
