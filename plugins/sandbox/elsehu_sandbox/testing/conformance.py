"""What `elsehu plugin check sandbox` needs to know of the sandbox, which is its own stand-in."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from elsehu.plugin import (
    Instance,
    InstanceSick,
    InstanceStatus,
    Kind,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    OutcomeUnknown,
    PluginContext,
    ProviderTemplate,
    ReactionChanged,
    Rejected,
    Retryable,
    Status,
    StatusChanged,
    TemplateCategory,
    TemplateStatus,
    isoformat,
)
from elsehu.testing.provider_suite import Failure, Payload, ProviderConformance, Webhook, Written, expect
from elsehu_sandbox.faults import Disconnect, Reject, SendingFault, ServerError, Throttle, TimeoutAfterAccept
from elsehu_sandbox.normalize import SECRET_HEADER
from elsehu_sandbox.phone import Line, Phone, phone_of
from elsehu_sandbox.samples import sample

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MARIA = {"phone": "+5511988887777", "name": "Maria Silva"}
HELLO = ProviderTemplate(
    "hello", "en", TemplateCategory.UTILITY, TemplateStatus.APPROVED, "Hi {{1}}", examples=("Ana",), external_id="T1"
)
QUIET = {"deliveredSeconds": None, "readSeconds": None, "replySeconds": None}


@dataclass
class Pocket:
    """Where the phone is, once there is a number."""

    phone: Phone | None = None

    def lines(self) -> list[Line]:
        """Return all that the phone remembers."""
        return [line for _, line in self.phone.read()] if self.phone else []


def ordered(fault: SendingFault) -> Callable[[Pocket], None]:
    """Return what has the next send fail so."""

    def order(pocket: Pocket) -> None:
        assert pocket.phone
        with pocket.phone.changing() as state:
            state.offline = False
            state.faults = [fault]  # type: ignore[list-item]

    return order


def line(event: str, message_id: str, seconds: int, **more: Any) -> Line:
    """Return one event, `seconds` after noon."""
    return {"type": event, "id": message_id, "at": isoformat(NOON.replace(second=seconds)), **more}


class Conformance(ProviderConformance):
    """The sandbox, declared."""

    plugin = "sandbox"
    nobody = "5511900000000"
    failures = (
        Failure(Retryable, ordered(Throttle(kind="throttle", retry_after=2.0)), {"retry_after": 2.0}),
        Failure(Retryable, ordered(ServerError(kind="error", status=503)), {"provider_code": "503"}),
        Failure(Rejected, ordered(Reject(kind="reject"))),
        Failure(OutcomeUnknown, ordered(TimeoutAfterAccept(kind="timeout_after_accept", silent=True))),
        Failure(InstanceSick, ordered(Disconnect(kind="disconnect", seconds=0.0))),
    )

    @asynccontextmanager
    async def standin(self) -> AsyncIterator[Pocket]:
        """The phone is the stand-in."""
        yield Pocket()

    async def ready(self, standin: Pocket, instance: Instance, context: PluginContext) -> None:
        """Take hold of the phone, and have a template on its account."""
        standin.phone = phone_of(context, instance)
        with standin.phone.changing() as state:
            state.templates = [HELLO]

    def credentials(self, standin: Pocket) -> Mapping[str, Any]:
        """There are none."""
        return {}

    def settings(self, standin: Pocket) -> Mapping[str, Any]:
        """Nothing happens by itself."""
        return {"delays": QUIET, "absent": [f"+{self.nobody}"]}

    def webhook(self, instance: Instance, body: bytes) -> Webhook:
        """Show the instance's secret."""
        return Webhook(body, {SECRET_HEADER: instance.webhook_secret})

    def message(self, instance: Instance, written: Written) -> Any:
        """Write a text."""
        sender = {"phone": f"+{written.phone}"}
        event = {"type": "message", "id": written.external_id, "from": sender, "text": written.text}
        return {"events": [{**event, "at": isoformat(written.at)}]}

    def arrived(self, standin: Pocket) -> Sequence[Any]:
        """Look at the phone."""
        return [one for one in standin.lines() if one.get("direction") == "outbound"]

    async def file(self, standin: Pocket, instance: Instance, written: Written) -> tuple[Any, bytes]:
        """Send a picture that the sandbox makes up on demand."""
        body = self.message(instance, written)
        body["events"][0] |= {"kind": "image", "media": {"mimeType": "image/png"}}
        return body, b"".join(sample("image/png", written.external_id, None))

    async def missed(self, standin: Pocket, instance: Instance, written: Written) -> None:
        """Write to the phone and tell nobody."""
        assert standin.phone
        standin.phone.write(self.message(instance, written)["events"])

    def unknown(self, instance: Instance) -> Sequence[Payload]:
        """Return an event and a kind that do not exist."""
        strange = {"type": "message", "id": "strange-1", "from": MARIA, "kind": "hologram", "at": isoformat(NOON)}
        return [
            Payload("an unknown event", {"events": [line("horoscope", "h1", 1)]}),
            Payload("an unknown kind", {"events": [strange]}),
        ]

    def payloads(self, instance: Instance) -> Sequence[Payload]:
        """Return one of each event."""
        sent = line("message", "out-1", 2, direction="outbound", to=MARIA, text="good morning")
        file = {"mimeType": "application/pdf", "fileName": "a.pdf", "base64": "JVBERi0xLjQK"}
        return [
            Payload(
                "a conversation in one body",
                {
                    "events": [
                        {**line("message", "in-1", 1, text="hello"), "from": MARIA},
                        sent,
                        line("status", "out-1", 3, status="delivered"),
                        line("edit", "in-1", 4, text="hello!"),
                        {**line("reaction", "out-1", 5, emoji="👍"), "from": MARIA},
                    ]
                },
                [
                    expect(MessageArrived, external_id="in-1", text="hello", kind=Kind.TEXT),
                    expect(MessageArrived, external_id="out-1", text="good morning"),
                    expect(StatusChanged, external_id="out-1", status=Status.DELIVERED),
                    expect(MessageEdited, external_id="in-1", text="hello!"),
                    expect(ReactionChanged, external_id="out-1", emoji="👍"),
                ],
            ),
            Payload("read", {"events": [line("status", "out-1", 6, status="read")]}),
            Payload("deleted", {"events": [line("delete", "in-1", 7)]}, [expect(MessageDeleted, external_id="in-1")]),
            Payload(
                "a file in the body",
                {"events": [{**line("message", "in-2", 8, kind="document", media=file), "from": MARIA}]},
                [expect(MessageArrived, external_id="in-2", kind=Kind.DOCUMENT)],
            ),
            Payload("typing", {"events": [{"type": "typing", "from": MARIA}]}),
            Payload("a link", {"events": [{"type": "linked", "person": {**MARIA, "lid": "123456789012345"}}]}),
            Payload("the connection", {"events": [{"type": "instance", "status": InstanceStatus.CONNECTED}]}),
        ]
