"""The stand-in answers what the real server answered: every captured request, sent again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from elsehu_evolution.testing import EvolutionStandin, running_standin
from elsehu_evolution.testing.matching import VOLATILE, differences

CAPTURES = Path(__file__).parent / "captures" / "api"
OWNER = "5511955550001"
PICTURE = "https://pps.whatsapp.net/v/t61.24694-24/fake_n.jpg?oh=01_FAKE&oe=6A000000"
GROUP = "120363000000000001@g.us"
COUNTS = VOLATILE | {"count", "Message", "Contact", "Chat"}


class Server:
    """A stand-in and the client that replays captures against it."""

    def __init__(self, standin: EvolutionStandin, client: httpx.Client) -> None:
        self.standin = standin
        self._client = client
        self.maria = standin.customer(phone="5511988887777", lid="123456789012345", instance="wa", picture=PICTURE)

    def replay(self, name: str, **changes: Any) -> tuple[dict[str, Any], httpx.Response]:
        """Send a captured request (its body changed where a test says so); return capture and response."""
        capture = json.loads((CAPTURES / f"{name}.json").read_text())
        request = capture["request"]
        body = request["body"]
        if isinstance(body, dict):
            body |= changes
        content = json.dumps(body) if isinstance(body, dict) else body and "{bad"
        headers = request.get("headers", {}) | {"content-type": "application/json"}
        url = self.standin.url + request["path"]
        return capture["response"], self._client.request(request["method"], url, content=content, headers=headers)

    def replayed(self, *names: str) -> None:
        """Send captured requests on the way to a state; each must succeed."""
        for name in names:
            self.replay(name)[1].raise_for_status()

    def open_wa(self) -> None:
        """Connect ``wa`` as the captures did, and let it have the messages that they speak of."""
        self.replayed("create-baileys-qrcode")
        self.standin.scan("wa", OWNER)
        owner, maria = self.standin.owner("wa"), self.maria
        owner.says("Olá! Veja https://example.com", to=maria, id="3EB0C282731452803460FB")
        owner.says("texto", to=maria, id="3EB00563E9840E155FAAF2")
        maria.says("Oi, bom dia!", id="ACACFC5B2F3CAC1B3CA38E810FD1ED70")
        maria.sends_image(caption="foto do produto", id="ACB3078F37BAC68CEDC43E94E3AFC2FC", mimetype="image/jpeg")
        maria.sends_audio(id="AC8E4CC6C18F5559042CE3F8EA6E09BF")
        maria.sends_image(
            caption="temporária",
            id="ACE6815B86C0D349E4F97343FBD701A6",
            mimetype="image/jpeg",
            wrapper="ephemeralMessage",
        )
        maria.sends_image(id="3EB0A3E8066B4F1D0A56FB")
        self.standin.call("lose_media", instance="wa", message_id="3EB0A3E8066B4F1D0A56FB")
        self.standin.customer(lid="123456789012345", instance="wa").says("LID sem alt")

    def with_group(self) -> None:
        """Connect ``wa`` and make the captures' group known."""
        self.open_wa()
        people = [("99887766554433", OWNER, "superadmin"), ("123456789012345", "5511988887777", None)]
        participants = [
            {"id": f"{lid}@lid", "phoneNumber": f"{phone}@s.whatsapp.net", "admin": admin}
            for lid, phone, admin in people
        ]
        self.standin.call("add_group", jid=GROUP, subject="Equipe", participants=participants)

    def evolution_channels(self) -> None:
        """Create the captures' instances on the EVOLUTION channel."""
        names = ("evolution-with-webhook", "webhook-empty-events", "webhook-bad-event", "custom-token")
        self.replayed(*(f"create-{name}" for name in names))

    def closed_channel(self) -> None:
        """Log the EVOLUTION channel out."""
        self.evolution_channels()
        self.replayed("evolution-channel.logout")

    def out_of_reach(self) -> None:
        """Create an instance while WhatsApp cannot be reached."""
        self.open_wa()
        self.replayed("sendText")
        self.unreachable()
        self.replayed("create-baileys-network-unreachable")

    def unreachable(self) -> None:
        """Put WhatsApp out of reach."""
        self.standin.call("set_reachable", reachable=False)

    def closed_wa(self) -> None:
        """Have ``wa`` without a phone."""
        self.standin.add_instance("wa", phone=None)

    def logged_out_wa(self) -> None:
        """Have ``wa`` lose its phone, after it has looked one number up."""
        self.open_wa()
        self.replayed("sendText")
        self.standin.unlink("wa")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture
def server(client: httpx.Client) -> Iterator[Server]:
    with running_standin(reconnect_wait=0.001) as standin:
        yield Server(standin, client)


Setup = Callable[[Server], object]


def nothing(_: Server) -> None:
    """Start from an empty server."""


def created(*names: str) -> Setup:
    """Start from captured creations."""
    return lambda server: server.replayed(*names)


def closed(name: str) -> Setup:
    """Start from a Baileys instance that is not connected."""
    return lambda server: server.standin.add_instance(name, phone=None)


def ended(reason: int) -> Setup:
    """Start from a ``wa`` whose session ended with ``reason``."""

    def setup(server: Server) -> None:
        server.open_wa()
        server.standin.call("end", instance="wa", reason=reason)

    return setup


def half_made(server: Server) -> None:
    """Start from a creation that failed a moment ago."""
    server.replay("create-webhook-without-events")


CASES: dict[Setup, str] = {
    nothing: """
        root unknown-route route-without-instance state-unknown-instance state-unknown-instance-no-key
        state-after-delete delete-unknown webhook-set-unknown-instance malformed-json
        fetchInstances-bad-key fetchInstances-unknown-name
        create-bad-apikey create-bad-type create-baileys-no-qrcode create-baileys-qrcode
        create-baileys-qrcode-with-number create-business create-business-no-number create-business-no-token
        create-custom-token create-empty-name create-evolution-with-webhook create-invalid-integration
        create-missing-integration create-no-apikey create-webhook-bad-event create-webhook-empty-events
        create-webhook-without-events""",
    half_made: "state-after-failed-create",
    Server.evolution_channels: """
        create-duplicate create-duplicate-token connect-already-open fetchInstances-by-name
        fetchInstances-by-number state-open state-no-key state-with-instance-token
        state-other-instance-token evolution-channel.logout evolution-channel.restart
        evolution-channel.markMessageAsRead-unsupported evolution-channel.sendLocation-unsupported
        evolution-channel.sendMedia-base64 evolution-channel.sendReaction-unsupported
        evolution-channel.sendText evolution-channel.sendWhatsAppAudio-base64
        evolution-channel.whatsappNumbers-unsupported
        sendMedia-bad-mediatype sendMedia-data-uri sendMedia-document-base64-no-filename sendMedia-no-media
        sendMedia-url-without-tld sendText-missing-number sendText-number-not-string sendText-v1-body
        webhook-find webhook-find-bad-event webhook-find-empty-events webhook-find-none webhook-set
        webhook-set-bad-event-name webhook-set-disabled webhook-set-invalid-url webhook-set-missing-enabled
        webhook-set-v1-flat-body webhook-set-without-events""",
    Server.closed_channel: "evolution-channel.connect-when-closed logout-when-closed restart-when-closed",
    created("create-business"): "connect-business business-sendText",
    created("create-custom-token", "create-duplicate-token"): "fetchInstances-instance-token",
    Server.out_of_reach: """
        connect-network-unreachable state-network-unreachable restart-network-unreachable
        logout-network-unreachable whatsappNumbers-network-unreachable delete-network-unreachable
        sendText-network-unreachable""",
    Server.unreachable: "create-baileys-network-unreachable",
    closed("wa"): "connect-qr logout-when-closed-baileys restart-when-closed-baileys",
    closed("wa2"): "delete-closed",
    closed("wa4"): "connect-with-number-query",
    created("create-baileys-no-qrcode"): "connect-instance-with-number",
    created("create-baileys-qrcode"): "connect-pairing-code-again state-connecting",
    created("create-baileys-qrcode-with-number"): "connect-pairing-code",
    ended(402): "fetchInstances-after-402 connect-after-402",
    ended(403): "fetchInstances-after-403",
    Server.logged_out_wa: """
        fetchInstances-after-logout connect-after-logout sendText-when-not-connected-cached-number
        sendText-when-not-connected-uncached-number whatsappNumbers-when-not-connected""",
    Server.with_group: """
        sendText-group-mentioned sendText-group-mentions-everyone group-fetchAllGroups group-findGroupInfos
        group-participants""",
    Server.open_wa: """
        archiveChat connect-already-open-baileys delete-open deleteMessageForEveryone fetchInstances-baileys-open
        fetchProfile fetchProfilePictureUrl fetchProfilePictureUrl-none findContacts-by-jid findContacts-by-number
        findContacts-empty-pushName findMessages-empty-remoteJid findMessages-string-page
        getBase64-by-id getBase64-audio-mp4 getBase64-empty-body getBase64-ephemeral getBase64-not-media
        getBase64-unknown-id group-fetchAllGroups-missing-param logout-open
        markMessageAsRead markMessageAsRead-lid-silently-ignored markMessageAsRead-v1-field restart-open
        sendButtons-cta sendButtons-empty sendButtons-mixed sendButtons-reply sendContact-many sendContact-one
        sendList sendLocation sendLocation-missing-name sendMedia-audio-base64 sendMedia-audio-no-filename
        sendMedia-document-base64 sendMedia-document-no-extension sendMedia-image-base64 sendMedia-not-an-image
        sendMedia-truncated-base64 sendMedia-url-docker-host sendMedia-video-base64 sendPoll sendPoll-one-option
        sendPresence sendPresence-missing-delay sendPresence-v1-body sendReaction sendReaction-heart
        sendReaction-not-emoji sendReaction-remove sendReaction-skin-tone sendStatus sendSticker-base64
        sendTemplate-on-baileys sendText sendText-bad-mentioned sendText-blank sendText-br-ddd-21
        sendText-br-ddd-85 sendText-delay-string sendText-formatted-number sendText-garbage-number
        sendText-group-unknown sendText-lid sendText-number-not-on-whatsapp sendText-quoted sendText-quoted-inline
        sendText-quoted-missing-id sendText-quoted-unknown-id sendWhatsAppAudio-base64
        sendWhatsAppAudio-no-encoding sendWhatsAppAudio-not-audio settings-set settings-set-partial
        state-open-baileys updateBlockStatus updateMessage updateMessage-unknown webhook-set-GROUPS_UPDATE
        webhook-set-base64-on whatsappNumbers whatsappNumbers-empty whatsappNumbers-missing""",
}


@pytest.mark.parametrize(
    ("setup", "name"), [pytest.param(setup, name, id=name) for setup, names in CASES.items() for name in names.split()]
)
def test_a_captured_request_gets_the_captured_answer(server: Server, setup: Setup, name: str) -> None:
    setup(server)
    captured, response = server.replay(name)
    assert response.status_code == captured["status"], response.text
    assert differences(captured["body"], response.json(), volatile=COUNTS) == []
