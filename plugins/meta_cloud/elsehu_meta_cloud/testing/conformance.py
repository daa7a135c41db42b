"""What `elsehu plugin check meta_cloud` needs to know: the stand-in Graph API, and samples of Meta's webhooks."""

import base64
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from elsehu.plugin import (
    Answer,
    Instance,
    InstanceSick,
    Kind,
    Mark,
    MessageArrived,
    OutcomeUnknown,
    ReactionChanged,
    Rejected,
    Retryable,
    from_epoch,
)
from elsehu.testing.provider_suite import Expected, Failure, Payload, ProviderConformance, Webhook, Written, expect

from ..errors import ERRORS, Action
from ..receive import SIGNATURE
from . import samples
from .standin import MetaStandin, running_standin
from .webhooks import meta_json, sign

SAMPLES = (Path(__file__).parent / "webhooks", Path(__file__).parents[2] / "tests" / "webhooks")
NUMBER_ID = "800000000000001"
WABA_ID = "900000000000001"
TOKEN = "EAAG-conformance-access-token"  # noqa: S105
APP_SECRET = "conformance-app-secret-of-meta"  # noqa: S105
VERIFY_TOKEN = "conformance-verify-token"  # noqa: S105
PHONE = "12025550100"
AS_ERRORS: Mapping[Action, type[Retryable | Rejected | InstanceSick]] = {
    Action.RETRY: Retryable,
    Action.PAIR: Retryable,
    Action.LATE: Retryable,
    Action.PAUSE: InstanceSick,
}


def refusal(code: int, status: int = 400) -> Answer:
    """Return an answer with one of Meta's error codes."""
    error = {"message": f"(#{code}) refused", "type": "OAuthException", "code": code, "fbtrace_id": "A1"}
    return Answer(status, {"content-type": "application/json"}, orjson.dumps({"error": error}))


def each_code() -> Iterator[Failure]:
    """Yield every code of the table, with the class that its action stands for."""
    for code, rule in ERRORS.items():
        error = AS_ERRORS.get(rule.action, Rejected)
        marks = {"mark": rule.mark} if error is Rejected else {}
        yield Failure(error, refusal(code), {"code": rule.code, "provider_code": str(code), **marks})


def refused_by_the_standin(code: int) -> Callable[[MetaStandin], None]:
    """Return what has the stand-in refuse its next message with a code."""

    def refuse(standin: MetaStandin) -> None:
        standin.refuse(code)

    return refuse


def close_after_accepting(standin: MetaStandin) -> None:
    """Have the next message taken, and its answer lost."""
    standin.fault("close", accepted=True)


EVENTS: Mapping[str, Sequence[Expected]] = {
    "01-text": [expect(MessageArrived, text="Hello, is my order 7781 on its way?", kind=Kind.TEXT)],
    "02-image-caption": [expect(MessageArrived, kind=Kind.IMAGE)],
    "07-location": [expect(MessageArrived, kind=Kind.LOCATION)],
    "09-reaction-set-then-removed": [expect(ReactionChanged), expect(ReactionChanged, emoji="")],
    "16-unsupported": [expect(MessageArrived, kind=Kind.UNSUPPORTED)],
}
"""What must come out of some samples; of the others, anything that is not broken."""


class Conformance(ProviderConformance):
    """Meta's Cloud API, declared."""

    plugin = "meta_cloud"
    phone = f"+{PHONE}"
    id_format = "wamid.{}"
    failures = (
        *each_code(),
        Failure(Retryable, Answer(429, {}, b""), {"code": "provider_rate_limited", "holds_instance": True}),
        Failure(Retryable, Answer(500, {}, b"<html>")),
        Failure(InstanceSick, Answer(401, {}, b""), {"code": "token_refused"}),
        Failure(InstanceSick, Answer(404, {}, b"<html>"), {"code": "provider_not_found"}),
        Failure(OutcomeUnknown, Answer(504, {}, b"")),
        Failure(Retryable, refused_by_the_standin(131056), {"code": "pair_rate_limited"}),
        Failure(Rejected, refused_by_the_standin(131026), {"mark": Mark.RECIPIENT}),
        Failure(OutcomeUnknown, close_after_accepting),
    )

    @asynccontextmanager
    async def standin(self) -> AsyncIterator[MetaStandin]:
        """Run a Graph API with one number, and one template of its account."""
        own = {"token": TOKEN, "app_secret": APP_SECRET, "number_id": NUMBER_ID, "waba_id": WABA_ID, "phone": PHONE}
        with running_standin(**own) as standin:
            body = {"type": "BODY", "text": "Hello {{1}}", "example": {"body_text": [["Maria"]]}}
            standin.call("add_template", name="hello", language="en_US", components=[body])
            yield standin

    def credentials(self, standin: MetaStandin) -> Mapping[str, Any]:
        """Return the number's ids and its secrets."""
        ids = {"phoneNumberId": NUMBER_ID, "wabaId": WABA_ID}
        return {**ids, "accessToken": TOKEN, "appSecret": APP_SECRET, "verifyToken": VERIFY_TOKEN}

    def settings(self, standin: MetaStandin) -> Mapping[str, Any]:
        """Point to the stand-in."""
        return {"baseUrl": standin.url, "mediaHosts": [standin.files_url]}

    def webhook(self, instance: Instance, body: bytes) -> Webhook:
        """Sign the bytes with the app's secret."""
        return Webhook(body, {SIGNATURE: sign(APP_SECRET, body)})

    def message(self, instance: Instance, written: Written) -> Any:
        """Return a text message."""
        return meta_json(_arrival(written, type="text", text={"body": written.text}))

    def arrived(self, standin: MetaStandin) -> Sequence[Any]:
        """Look at the phones."""
        return standin.phone

    def payloads(self, instance: Instance) -> Sequence[Payload]:
        """Return the samples."""
        folder = next(one for one in SAMPLES if one.is_dir())
        return [Payload(path.stem, path.read_bytes(), EVENTS.get(path.stem)) for path in sorted(folder.glob("*.json"))]

    def unknown(self, instance: Instance) -> Sequence[Payload]:
        """Return a type of message, and a field, that do not exist."""
        written = Written("wamid.strange", "12025550143", "", from_epoch(1767229200))
        entry = {"id": WABA_ID, "time": 1767229200, "changes": [{"field": "holograms", "value": {"event": "SPINNING"}}]}
        return [
            Payload("an unknown type", _arrival(written, type="hologram", hologram={"seconds": 12})),
            Payload("an unknown field", {"object": "whatsapp_business_account", "entry": [entry]}),
        ]

    async def file(self, standin: MetaStandin, instance: Instance, written: Written) -> tuple[Any, bytes]:
        """Put a picture on the stand-in's servers."""
        data = samples.png()
        file = standin.call("store_file", mime_type="image/png", data=base64.b64encode(data).decode())
        return _arrival(written, type="image", image=file), data


def _arrival(written: Written, **message: Any) -> dict[str, Any]:
    """Return the body for one message of a customer."""
    told = {"from": written.phone, "id": written.external_id, "timestamp": str(int(written.at.timestamp())), **message}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": PHONE, "phone_number_id": NUMBER_ID},
        "contacts": [{"profile": {"name": "Maria Silva"}, "wa_id": written.phone}],
        "messages": [told],
    }
    entry = {"id": WABA_ID, "changes": [{"value": value, "field": "messages"}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}
