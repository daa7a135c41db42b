"""The stand-in's webhooks are the captured ones, delivered by the documented policy."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from elsehu_evolution.testing import (
    Customer,
    EvolutionStandin,
    Received,
    WebhookReceiver,
    running_standin,
    webhook_receiver,
)
from elsehu_evolution.testing.matching import VOLATILE, differences

CAPTURES = Path(__file__).parent / "captures" / "webhooks"
GROUP = "120363000000000001@g.us"
PICTURE = "https://pps.whatsapp.net/v/t61.24694-24/fake_n.jpg?oh=01_FAKE&oe=6A000000"
BASE = 0.02


class Scene:
    """A connected instance, its receiver, and Maria under each of her addresses."""

    def __init__(self, standin: EvolutionStandin, receiver: WebhookReceiver, client: httpx.Client) -> None:
        self.standin = standin
        self.receiver = receiver
        self._client = client
        known: Any = {"phone": "5511988887777", "lid": "123456789012345"}
        self.maria = standin.customer(**known, picture=PICTURE)
        self.maria_by_lid = standin.customer(**known, addressing="lid")
        self.maria_unknown = standin.customer(lid="123456789012345")
        self.owner = standin.owner()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API with the global key."""
        headers = {"apikey": self.standin.global_key}
        return self._client.request(method, self.standin.url + path, json=body, headers=headers).raise_for_status()

    def connect(self, **webhook: Any) -> str:
        """Add the connected instance ``wa``."""
        token = self.standin.add_instance("wa", webhook={"url": f"{self.receiver.url}/wa"} | webhook)
        self.standin.settle()
        self.receiver.received.clear()
        return token

    def send(self, text: str = "oi") -> str:
        """Send a text to Maria through the API and return its id."""
        body = {"number": "5511988887777", "text": text}
        return str(self.request("POST", "/message/sendText/wa", body).json()["key"]["id"])

    def came(self, event: str) -> list[Received]:
        """Return what came of an event, once everything has been delivered."""
        self.standin.settle()
        return self.receiver.of(event)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture
def scene(client: httpx.Client) -> Iterator[Scene]:
    options: Any = {"retry_base": BASE, "retry_attempts": 4, "reconnect_wait": 0.001, "utc_offset_hours": 0}
    with webhook_receiver() as receiver, running_standin(**options) as standin:
        yield Scene(standin, receiver, client)


def captured(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((CAPTURES / f"{name}.json").read_text())["body"]
    return body


Act = Callable[[Scene], object]


def written(act: Callable[[Customer], object]) -> Act:
    return lambda scene: act(scene.maria)


def acknowledged(status: str, **more: Any) -> Act:
    return lambda scene: scene.standin.receipt(scene.send("status test"), status, **more)


def create(scene: Scene) -> None:
    scene.request("DELETE", "/instance/delete/wa")
    webhook = {"url": f"{scene.receiver.url}/wa", "events": []}
    body = {"instanceName": "wa", "integration": "WHATSAPP-BAILEYS", "qrcode": True, "webhook": webhook}
    scene.standin.settle()
    scene.receiver.received.clear()
    scene.request("POST", "/instance/create", body)


def create_and_scan(scene: Scene) -> None:
    create(scene)
    scene.standin.scan()
    scene.standin.settle()
    scene.receiver.received[:] = [came for came in scene.receiver.received if came.body["data"].get("wuid")]


def log_out(scene: Scene) -> None:
    scene.request("DELETE", "/instance/logout/wa")


def end(reason: int) -> Act:
    return lambda scene: scene.standin.call("end", reason=reason)


def delete_instance(scene: Scene) -> None:
    scene.request("DELETE", "/instance/delete/wa")


def edit_by_api(scene: Scene) -> None:
    key = {"id": scene.send("texto"), "fromMe": True, "remoteJid": "5511988887777@s.whatsapp.net"}
    body = {"number": "5511988887777", "key": key, "text": "texto editado"}
    scene.request("POST", "/chat/updateMessage/wa", body)


def delete_by_api(scene: Scene) -> None:
    edit_by_api(scene)
    sent = scene.standin.phone[0].id
    body = {"id": sent, "fromMe": True, "remoteJid": "5511988887777@s.whatsapp.net"}
    scene.request("DELETE", "/chat/deleteMessageForEveryone/wa", body)


def edit_by_lid(scene: Scene) -> None:
    scene.maria_by_lid.edits(scene.maria_by_lid.says("lid p/ editar"), "editada")


def delete_by_lid(scene: Scene) -> None:
    scene.maria_by_lid.deletes(scene.maria_by_lid.says("lid p/ revogar"))


def with_base64(scene: Scene) -> None:
    scene.request(
        "POST", "/webhook/set/wa", {"webhook": {"enabled": True, "url": url(scene), "base64": True, "events": []}}
    )
    scene.request("POST", "/instance/restart/wa")
    scene.standin.wait_until(lambda: scene.standin.state()["state"] == "open")
    scene.maria.sends_image(caption="com base64", mimetype="image/jpeg")


def url(scene: Scene) -> str:
    return f"{scene.receiver.url}/wa"


EVENTS: list[tuple[str, Act]] = [
    ("baileys.create-instance.create", create),
    ("baileys.create-connection.update", create),
    ("baileys.create-qrcode.updated", create),
    ("baileys.scan-connection.update", create_and_scan),
    ("status.instance-logout", log_out),
    ("logout.instance-logout", log_out),
    ("connection.update-logout", log_out),
    ("connection.update-drop-402", end(402)),
    ("connection.update-drop-403", end(403)),
    ("status.instance-drop-402", end(402)),
    ("instance.delete-delete", delete_instance),
    ("remove.instance-delete", delete_instance),
    ("messages.upsert-conversation-pn", written(lambda maria: maria.says("Oi, bom dia!"))),
    ("messages.upsert-conversation-lid", lambda scene: scene.maria_by_lid.says("mensagem via LID")),
    ("messages.upsert-conversation-lid-no-alt", lambda scene: scene.maria_unknown.says("LID sem alt")),
    (
        "messages.upsert-conversation-fromMe-other-device",
        lambda scene: scene.owner.says("enviado pelo celular", to=scene.maria),
    ),
    (
        "messages.upsert-conversation-fromMe-lid",
        lambda scene: scene.owner.says("enviado pelo celular (lid)", to=scene.maria_by_lid),
    ),
    (
        "messages.upsert-conversation-group",
        lambda scene: scene.maria_by_lid.says("mensagem no grupo", group=GROUP),
    ),
    ("messages.upsert-image", written(lambda m: m.sends_image(caption="foto do produto", mimetype="image/jpeg"))),
    (
        "messages.upsert-ephemeral-image",
        written(lambda m: m.sends_image(caption="temporária", mimetype="image/jpeg", wrapper="ephemeralMessage")),
    ),
    ("messages.upsert-image-base64", with_base64),
    ("messages.upsert-video", written(lambda m: m.sends_video(caption="vídeo"))),
    ("messages.upsert-audio-ptt", written(lambda m: m.sends_audio())),
    ("messages.upsert-audio-file", written(lambda m: m.sends_audio(voice=False, mimetype="audio/mpeg"))),
    ("messages.upsert-document-with-caption", written(lambda m: m.sends_document(caption="segue o contrato"))),
    ("messages.upsert-sticker", written(lambda m: m.sends_sticker())),
    (
        "messages.upsert-location",
        written(lambda m: m.sends_location(-23.5505, -46.6333, name="Praça da Sé", address="São Paulo")),
    ),
    ("messages.upsert-contact", written(lambda m: m.sends_contact("João", "+55 11 97777-6666"))),
    ("messages.upsert-reaction", lambda scene: scene.maria.reacts(scene.send(), "❤️")),
    ("messages.upsert-extendedText-forwarded", written(lambda m: m.says("corrente", forwarded=5))),
    ("messages.update-server-ack", acknowledged("SERVER_ACK")),
    ("messages.update-delivery-ack", acknowledged("DELIVERY_ACK")),
    ("messages.update-read", acknowledged("READ")),
    ("messages.update-played", acknowledged("PLAYED")),
    ("messages.update-error", acknowledged("ERROR")),
    ("messages.update-read-lid", acknowledged("READ", remote_jid="123456789012345@lid")),
    ("messages.update-read-self", lambda scene: scene.owner.reads(scene.maria.says("oi"))),
    ("messages.update-edited", written(lambda m: m.edits(m.says("Oi, bom dia!"), "Oi, boa tarde!"))),
    ("messages.update-lid-edited", edit_by_lid),
    ("messages.edited-edited", written(lambda m: m.edits(m.says("Oi, bom dia!"), "Oi, boa tarde!"))),
    ("messages.edited-edited-unknown-original", written(lambda m: m.edits("UNKNOWNMSG", "?"))),
    ("messages.edited-revoked", written(lambda m: m.deletes(m.says("apague isso")))),
    ("messages.delete-revoked", written(lambda m: m.deletes(m.says("apague isso")))),
    ("messages.delete-lid-revoked", delete_by_lid),
    ("messages.delete-deleteMessageForEveryone", delete_by_api),
    ("send.message.update-updateMessage", edit_by_api),
    ("contacts.upsert-conversation-pn", written(lambda m: m.says("Oi"))),
    ("contacts.update-conversation-pn", written(lambda m: m.says("Oi"))),
    ("chats.update-conversation-pn", written(lambda m: m.says("Oi"))),
    ("presence.update-presence-composing", lambda scene: scene.maria.shows("composing")),
    ("call-call-offer", lambda scene: scene.maria.calls("offer")),
    ("call-call-terminate", lambda scene: scene.maria_by_lid.calls("terminate")),
]
RUN_DEPENDENT = VOLATILE | {"date", "sender"}


@pytest.mark.parametrize(("name", "act"), [pytest.param(name, act, id=name) for name, act in EVENTS])
def test_an_event_is_told_as_it_was_captured(scene: Scene, name: str, act: Act) -> None:
    scene.connect()
    expected = captured(name)
    act(scene)
    came = scene.came(expected["event"])
    # The captured edits were injected from our side; a real one is its author's own (fromMe true).
    volatile = RUN_DEPENDENT | ({"fromMe"} if expected["event"] == "messages.edited" else set())
    found = [differences(expected, received.body, volatile=volatile) for received in came]
    assert [] in found, found or {received.event for received in scene.receiver.received}


SENDS = [path.stem for path in sorted(CAPTURES.glob("send.message-*.json")) if "url" not in path.stem]


@pytest.mark.parametrize("name", SENDS)
def test_a_send_is_told_with_the_data_of_its_answer(scene: Scene, name: str) -> None:
    scene.connect()
    scene.owner.says("Olá! Veja https://example.com", to=scene.maria, id="3EB0C282731452803460FB")
    people = [{"id": f"{lid}@lid", "phoneNumber": "", "admin": None} for lid in (99887766554433, 123456789012345)]
    scene.standin.call("add_group", jid=GROUP, subject="Equipe", participants=people)
    request = json.loads((CAPTURES.parent / "api" / f"{name.removeprefix('send.message-')}.json").read_text())[
        "request"
    ]
    answer = scene.request("POST", request["path"], request["body"]).json()
    [told] = scene.came("send.message")
    assert told.data == answer
    assert differences(captured(name), told.body, volatile=RUN_DEPENDENT) == []


def test_the_clock_shows_local_time_with_a_false_z(client: httpx.Client) -> None:
    with webhook_receiver() as receiver, running_standin(utc_offset_hours=-3) as standin:
        scene = Scene(standin, receiver, client)
        scene.connect()
        scene.maria.says("oi")
        [came] = scene.came("messages.upsert")
    shown = datetime.fromisoformat(came.body["date_time"])
    assert abs(shown - (datetime.now(UTC) - timedelta(hours=3))) < timedelta(seconds=10)
    assert came.body["date_time"].endswith("Z")


@pytest.mark.parametrize("expose", [True, False])
def test_the_key_is_in_the_envelope_unless_the_operator_hides_it(client: httpx.Client, expose: bool) -> None:
    with webhook_receiver() as receiver, running_standin(expose_apikey=expose) as standin:
        scene = Scene(standin, receiver, client)
        token = scene.connect()
        scene.maria.says("oi")
        [came] = scene.came("messages.upsert")
    assert came.body["apikey"] == (token if expose else None)


def test_headers_go_as_given_and_jwt_key_becomes_a_signed_token(scene: Scene) -> None:
    secret = "s" * 32
    scene.connect(headers={"X-Elsehu": "1", "jwt_key": secret})
    scene.maria.says("jwt")
    [came] = scene.came("messages.upsert")
    assert came.headers["X-Elsehu"] == "1"
    assert "jwt_key" not in came.headers
    claims = jwt.decode(came.headers["Authorization"].removeprefix("Bearer "), secret, algorithms=["HS256"])
    assert (claims["app"], claims["action"], claims["exp"] - claims["iat"]) == ("evolution", "webhook", 600)


def test_by_events_appends_the_event_to_the_raw_url(scene: Scene) -> None:
    scene.connect(url=f"{scene.receiver.url}/by?token=abc", by_events=True)
    scene.maria.says("by events")
    [came] = scene.came("messages.upsert")
    assert came.path == "/by?token=abc/messages-upsert"
    assert came.body["destination"] == f"{scene.receiver.url}/by?token=abc"


def test_only_subscribed_events_are_sent_and_groups_update_cannot_be_subscribed_to(scene: Scene) -> None:
    scene.connect()
    scene.standin.call("emit", event="groups.update", data=[])
    assert scene.came("groups.update") == []
    webhook = {"enabled": True, "url": url(scene), "events": ["MESSAGES_UPSERT"]}
    scene.request("POST", "/webhook/set/wa", {"webhook": webhook})
    scene.maria.says("oi")
    scene.standin.settle()
    assert [came.event for came in scene.receiver.received] == ["messages.upsert"]


def test_base64_acts_only_after_a_restart_and_never_on_wrapped_media(scene: Scene) -> None:
    scene.connect()
    webhook = {"enabled": True, "url": url(scene), "base64": True, "events": []}
    scene.request("POST", "/webhook/set/wa", {"webhook": webhook})
    scene.maria.sends_image(id="before")
    scene.request("POST", "/instance/restart/wa")
    scene.standin.wait_until(lambda: scene.standin.state()["state"] == "open")
    scene.maria.sends_image(id="after")
    scene.maria.sends_image(id="wrapped", wrapper="viewOnceMessageV2")
    came = {received.data["key"]["id"]: received.data["message"] for received in scene.came("messages.upsert")}
    assert {name: "base64" in message for name, message in came.items()} == {
        "before": False,
        "after": True,
        "wrapped": False,
    }


def test_a_webhook_without_headers_keeps_those_it_had_and_disabling_empties_the_events(scene: Scene) -> None:
    scene.connect(headers={"X-Elsehu": "1"})
    webhook = {"enabled": False, "url": url(scene), "events": ["CALL"]}
    row = scene.request("POST", "/webhook/set/wa", {"webhook": webhook}).json()
    assert (row["headers"], row["events"]) == ({"X-Elsehu": "1"}, [])
    scene.maria.says("oi")
    assert scene.came("messages.upsert") == []


@pytest.mark.parametrize("status", [302, 409, 429, 500, 503])
def test_a_refused_delivery_is_repeated_with_growing_waits(scene: Scene, status: int) -> None:
    scene.connect(events=["MESSAGES_UPSERT"])
    scene.receiver.answers[:] = [status] * 3
    scene.maria.says("oi")
    attempts = scene.came("messages.upsert")
    assert len(attempts) == 4
    assert all(attempt.body == attempts[0].body for attempt in attempts)
    waits = [after.at - before.at for before, after in pairwise(attempts)]
    assert all(wait >= BASE * 2**index * 0.79 for index, wait in enumerate(waits))
    assert scene.standin.webhooks[-1].statuses == [status] * 3 + [200]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_some_refusals_drop_the_event_for_good(scene: Scene, status: int) -> None:
    scene.connect(events=["MESSAGES_UPSERT"])
    scene.receiver.answers[:] = [status]
    scene.maria.says("oi")
    assert len(scene.came("messages.upsert")) == 1
    assert scene.standin.webhooks[-1].state == "refused"


def test_after_the_last_attempt_the_event_is_gone(scene: Scene) -> None:
    scene.connect(events=["MESSAGES_UPSERT"])
    scene.receiver.answers[:] = [500] * 9
    scene.maria.says("oi")
    assert len(scene.came("messages.upsert")) == 4
    assert scene.standin.webhooks[-1].state == "exhausted"


def test_nothing_waits_for_a_failing_delivery_but_what_follows_an_awaited_edit(scene: Scene) -> None:
    scene.connect(events=["MESSAGES_UPSERT", "MESSAGES_EDITED"])
    first = scene.maria.says("um")
    scene.came("messages.upsert")
    scene.receiver.answers[:] = [500]
    scene.maria.edits(first, "dois")
    scene.maria.says("tres")
    scene.standin.settle()
    scene.standin.wait_until(lambda: len(scene.receiver.received) == 4)
    assert [came.event for came in scene.receiver.received] == [
        "messages.upsert",
        "messages.edited",
        "messages.edited",
        "messages.upsert",
    ]


def test_deliveries_are_independent(scene: Scene) -> None:
    scene.connect(events=["MESSAGES_UPSERT"])
    scene.receiver.delay = 0.2
    started = time.monotonic()
    for index in range(5):
        scene.maria.says(str(index))
    assert len(scene.came("messages.upsert")) == 5
    assert time.monotonic() - started < 0.8


def test_the_evolution_channel_takes_messages_from_anybody(scene: Scene) -> None:
    webhook = {"url": url(scene), "events": []}
    body = {"instanceName": "evo-one", "integration": "EVOLUTION", "number": "5511900000001", "webhook": webhook}
    scene.request("POST", "/instance/create", body)
    key = {"id": "EVOIN1", "remoteJid": "5511988887777@s.whatsapp.net", "fromMe": False}
    posted = {
        "numberId": "5511900000001",
        "key": key,
        "pushName": "Maria",
        "message": {"conversation": "oi"},
        "messageType": "conversation",
    }
    assert scene.request("POST", "/webhook/evolution", posted).json() == {"status": "success"}
    assert scene.request("POST", "/webhook/evolution", posted | {"numberId": "1"}).content == b""
    for event in ("messages.upsert", "contacts.upsert", "chats.upsert"):
        [came] = scene.came(event)
        assert differences(captured(f"evolution-channel.{event}"), came.body, volatile=RUN_DEPENDENT) == []


def test_codes_rotate_and_at_their_limit_the_server_gives_up(client: httpx.Client) -> None:
    with webhook_receiver() as receiver, running_standin(qr_rotation=0.02, qr_limit=3) as standin:
        scene = Scene(standin, receiver, client)
        standin.add_instance("wa", webhook={"url": url(scene)}, phone=None)
        scene.request("GET", "/instance/connect/wa")
        standin.wait_until(lambda: any(came.data["state"] == "refused" for came in receiver.of("connection.update")))
        shown = scene.came("qrcode.updated")
        assert scene.request("GET", "/instance/connectionState/wa").json()["instance"]["state"] == "close"
    codes = [came.data["qrcode"]["code"] for came in shown if "qrcode" in came.data]
    assert len(set(codes)) == 3
    [limit] = [came.data for came in shown if "qrcode" not in came.data]
    assert limit == {"message": "QR code limit reached, please login again", "statusCode": 500}


def test_a_storm_flaps_and_then_the_connection_is_back(scene: Scene) -> None:
    scene.connect(events=["CONNECTION_UPDATE"])
    scene.standin.call("storm", events=20, per_second=500)
    scene.standin.wait_until(lambda: scene.receiver.of("connection.update")[20:])
    assert scene.standin.state()["state"] == "open"


def test_a_rejected_call_is_answered_by_the_text_of_the_settings(scene: Scene) -> None:
    scene.connect()
    switches = ("groupsIgnore", "alwaysOnline", "readMessages", "readStatus", "syncFullHistory")
    settings = dict.fromkeys(switches, False) | {"rejectCall": True, "msgCall": "Não atendemos ligações"}
    scene.request("POST", "/settings/set/wa", settings)
    scene.maria.calls()
    [came] = scene.came("messages.upsert")
    assert (came.data["message"]["conversation"], came.data["source"], came.data["key"]["fromMe"]) == (
        "Não atendemos ligações",
        "web",
        True,
    )


def test_ticks_come_by_themselves_when_asked_for(client: httpx.Client) -> None:
    with webhook_receiver() as receiver, running_standin(deliver_after=0.02, read_after=0.05) as standin:
        scene = Scene(standin, receiver, client)
        scene.connect(events=["MESSAGES_UPDATE"])
        sent = scene.send()
        standin.wait_until(lambda: len(receiver.of("messages.update")) == 3)
    ticks = [(came.data["keyId"], came.data["status"]) for came in receiver.of("messages.update")]
    assert ticks == [(sent, "SERVER_ACK"), (sent, "DELIVERY_ACK"), (sent, "READ")]
