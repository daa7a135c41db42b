"""What `elsehu plugin check evolution` needs to know: the stand-in server, and the webhooks of a real one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from elsehu.plugin import (
    Answer,
    Direction,
    IdentitiesLinked,
    Instance,
    InstanceSick,
    Kind,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    OutcomeUnknown,
    ReactionChanged,
    Rejected,
    Retryable,
    Status,
    StatusChanged,
)
from elsehu.testing.provider_suite import Expected, Failure, Payload, ProviderConformance, Webhook, Written, expect

from ..receive import HEADER
from . import samples
from .flavours import dumps
from .standin import EvolutionStandin, running_standin

KEY = "conformance-global-key-of-the-server"
CAPTURES = (Path(__file__).parent / "captures", Path(__file__).parents[2] / "tests" / "captures" / "webhooks")
TEXT = "POST /message/sendText/*"
CONVERSATIONS = ("messages.", "send.message", "chats.upsert", "presence.")


def refused(status: int, *words: Any) -> Answer:
    """Return a refusal in Evolution's shape."""
    body = {"status": status, "error": "Error", "response": {"message": list(words)}}
    return Answer(status, {"content-type": "application/json"}, orjson.dumps(body))


def hang_after_accepting(standin: EvolutionStandin) -> None:
    """Have the next text delivered, and its answer lost."""
    standin.faults.accept_and_close(TEXT)


def lose_the_connection(standin: EvolutionStandin) -> None:
    """Have the next text refused as by a phone without a connection."""
    standin.faults.answer(TEXT, 500, {"status": 500, "response": {"message": "Connection Closed"}})


EVENTS: Mapping[str, Sequence[Expected]] = {
    "messages.upsert-conversation-pn": [
        expect(MessageArrived, text="Oi, bom dia!", kind=Kind.TEXT, direction=Direction.INBOUND)
    ],
    "messages.upsert-audio-ptt": [expect(MessageArrived, kind=Kind.AUDIO)],
    "messages.upsert-contact": [expect(MessageArrived, kind=Kind.CONTACTS)],
    "messages.upsert-business-reaction": [expect(ReactionChanged, from_company=False)],
    "messages.update-delivery-ack": [expect(StatusChanged, status=Status.DELIVERED)],
    "messages.update-read": [expect(StatusChanged, status=Status.READ)],
    "messages.edited-edited": [expect(MessageEdited)],
    "messages.delete-revoked": [expect(MessageDeleted), expect(IdentitiesLinked)],
    "chats.upsert-chats-upsert": [],
}
"""What must come out of some captures; of the others, anything that is not broken."""


class Conformance(ProviderConformance):
    """Evolution API, declared."""

    plugin = "evolution"
    nobody = "5511900000000"
    failures = (
        Failure(Retryable, Answer(429, {"retry-after": "7"}, b""), {"retry_after": 7.0}),
        Failure(Retryable, Answer(503, {}, b"<html>no server</html>")),
        Failure(Rejected, refused(400, "Bad media")),
        Failure(Rejected, refused(400, {"exists": False}), {"code": "recipient_not_on_whatsapp"}),
        Failure(InstanceSick, refused(401, "Unauthorized"), {"code": "provider_key_refused"}),
        Failure(InstanceSick, refused(404, 'The "wa" instance does not exist'), {"code": "instance_missing"}),
        Failure(InstanceSick, lose_the_connection, {"code": "instance_disconnected"}),
        Failure(OutcomeUnknown, refused(400, "Timed Out")),
        Failure(OutcomeUnknown, Answer(502, {}, b"Bad Gateway")),
        Failure(OutcomeUnknown, hang_after_accepting),
    )

    @asynccontextmanager
    async def standin(self) -> AsyncIterator[EvolutionStandin]:
        """Run a server with one connected instance that sends no webhooks of its own."""
        with running_standin(global_key=KEY) as standin:
            hook = {"url": "http://127.0.0.1:9/", "enabled": False, "events": []}
            standin.add_instance("wa", webhook=hook)
            yield standin

    def credentials(self, standin: EvolutionStandin) -> Mapping[str, Any]:
        """Return the server's global key."""
        return {"serverUrl": standin.url, "apiKey": KEY, "instanceName": "wa"}

    def webhook(self, instance: Instance, body: bytes) -> Webhook:
        """Show the header that the plugin sets with the webhook."""
        return Webhook(body, {HEADER: instance.webhook_secret})

    def message(self, instance: Instance, written: Written) -> Any:
        """Return a new text message, as captured."""
        return _envelope(
            "messages.upsert", _text(written.external_id, written.phone, written.text, int(written.at.timestamp()))
        )

    def arrived(self, standin: EvolutionStandin) -> Sequence[Any]:
        """Look at the phones."""
        return standin.phone

    def payloads(self, instance: Instance) -> Sequence[Payload]:
        """Return what a real server sent, with the key that it shows of itself."""
        bodies = {path.stem: orjson.loads(path.read_bytes())["body"] for path in _captures()}
        return [Payload(name, {**body, "apikey": KEY}, EVENTS.get(name)) for name, body in bodies.items()]

    def unknown(self, instance: Instance) -> Sequence[Payload]:
        """Return an event and a type of message that do not exist."""
        strange = {
            **_text("STRANGE1", "5511988887777", "", 1795443300),
            "message": {"hologramMessage": {"seconds": 12}},
            "messageType": "hologramMessage",
        }
        return [
            Payload("an unknown event", _envelope("hologram.update", {"hologram": "spinning"})),
            Payload("an unknown type", _envelope("messages.upsert", strange)),
        ]

    async def file(self, standin: EvolutionStandin, instance: Instance, written: Written) -> tuple[Any, bytes]:
        """Let a customer send a picture; the webhook has no bytes of it."""
        standin.faults.drop_webhook("messages.upsert")
        maria = standin.customer(phone=written.phone, instance="wa")
        maria.sends_image(samples.png(), mimetype="image/png", id=written.external_id)
        body = _envelope("messages.upsert", standin.call("stored", message_id=written.external_id))
        return dumps(body), samples.png()

    async def missed(self, standin: EvolutionStandin, instance: Instance, written: Written) -> None:
        """Let a customer write, and lose the webhook."""
        standin.faults.drop_webhook("messages.upsert")
        maria = standin.customer(phone=written.phone, instance="wa")
        maria.says(written.text, id=written.external_id, at=written.at.timestamp())


def _captures() -> Sequence[Path]:
    """Return the files with captured webhooks that say something of conversations (wheels bring them along)."""
    folder = next(one for one in CAPTURES if one.is_dir())
    return sorted(path for path in folder.glob("*.json") if path.name.startswith(CONVERSATIONS))


def _envelope(event: str, data: Any) -> dict[str, Any]:
    return {
        "event": event,
        "instance": "wa",
        "data": data,
        "destination": "http://127.0.0.1/",
        "date_time": "2026-11-23T12:00:00.000Z",
        "sender": "5511955550001@s.whatsapp.net",
        "server_url": "http://127.0.0.1:18080",
        "apikey": None,
    }


def _text(external_id: str, phone: str, text: str, seconds: int) -> dict[str, Any]:
    key = {"remoteJid": f"{phone}@s.whatsapp.net", "fromMe": False, "id": external_id, "participant": ""}
    return {
        "key": {**key, "addressingMode": "pn"},
        "pushName": "Maria Silva",
        "status": "DELIVERY_ACK",
        "message": {"conversation": text},
        "messageType": "conversation",
        "messageTimestamp": seconds,
        "source": "android",
    }
