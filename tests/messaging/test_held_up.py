"""What keeps messages from leaving: a number that must slow down, one that is sick, a message before them, time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from elsehu.app import create_app
from elsehu.contracts.errors import InstanceSick, OutcomeUnknown, Rejected, Retryable
from elsehu.contracts.instance import Instance
from elsehu.contracts.message import Kind, Mark
from elsehu.contracts.outbound import OutboundMessage, Sent
from elsehu.plugin import InstanceReport, InstanceStatus, PluginInfo, PluginModel, hookimpl
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import customer_writes
from elsehu.testing.serving import RunningServer, listen_on_loopback, running_server

from .phones import SPEC, Phone, found


class Credentials(PluginModel):
    token: SecretStr = SecretStr("good")


class Guarded(Phone):
    """A phone that takes messages only with its token, and none that is not a template outside the window."""

    def __init__(self) -> None:
        super().__init__()
        self.token = "good"

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        kinds = SPEC.kinds | {Kind.TEMPLATE}
        spec = replace(SPEC, credentials=Credentials, kinds=kinds, window_hours=24.0)
        return PluginInfo("phone", "a phone with a token", provider=spec)

    @hookimpl
    async def provider_connect(self, instance: Instance) -> InstanceReport:
        return self._report(instance)

    @hookimpl
    async def provider_status(self, instance: Instance) -> InstanceReport:
        return self._report(instance)

    def _report(self, instance: Instance) -> InstanceReport:
        good = self._knows(instance)
        return InstanceReport(
            InstanceStatus.CONNECTED if good else InstanceStatus.BLOCKED, "" if good else "Bad token."
        )

    def _knows(self, instance: Instance) -> bool:
        return str(instance.credentials["token"]) == self.token

    @hookimpl
    async def provider_send(self, instance: Instance, message: OutboundMessage) -> Sent:
        if not self._knows(instance):
            raise InstanceSick("token_invalid", "The token is not valid any more.", "blocked", "190")
        return await super().provider_send(instance, message)


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["phone", "storage_local"]}, "messaging": {"send_wait": 10.0}}


@pytest.fixture
def handset() -> Guarded:
    return Guarded()


@pytest.fixture
async def server(settings: Settings, handset: Guarded) -> AsyncIterator[RunningServer]:
    listening = listen_on_loopback()
    app = create_app(settings, load_plugins(settings, found(handset)))
    async with running_server(app, listening, settings.realtime) as running:
        yield running


async def add(admin: ApiClient, name: str = "Shop") -> UUID:
    body = {"name": name, "phone": "+5511955550000", "provider": "phone", "credentials": {"token": "good"}}
    answer = await admin.post("/api/service-instances", body)
    assert (answer.status_code, answer.json()["status"]) == (201, "connected"), answer.text
    return UUID(answer.json()["id"])


async def send(admin: ApiClient, conversation: UUID, words: str) -> dict[str, Any]:
    answer = await admin.post("/api/messages/send", {"conversationId": str(conversation), "text": words})
    assert answer.status_code == 201, answer.text
    message: dict[str, Any] = answer.json()
    return message


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 15) -> Any:
    async with asyncio.timeout(seconds):
        while not (value := await condition()):
            await asyncio.sleep(0.02)
    return value


async def reaches(admin: ApiClient, message: dict[str, Any], status: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        now: dict[str, Any] = (await admin.get(f"/api/messages/{message['id']}")).json()
        return now if now["status"] == status else None

    found_message: dict[str, Any] = await until(look)
    return found_message


def words(handset: Phone) -> list[str | None]:
    return [message.text for message in handset.arrived]


async def test_a_number_that_must_slow_down_waits_and_its_status_stays(
    server: RunningServer, admin: ApiClient, handset: Guarded
) -> None:
    number, other = await add(admin), await add(admin, "Other")
    first, second = [await customer_writes(server, number, f"551190000000{n}") for n in range(2)]
    elsewhere = await customer_writes(server, other, "5511900000002")
    handset.answers.append(Retryable("slow_down", "Too fast.", "130429", retry_after=1.5, holds_instance=True))
    begun = time.monotonic()
    message = await send(admin, first, "one")
    assert (message["status"], message["error"]["code"]) == ("pending", "slow_down")
    waits = await send(admin, second, "two")
    assert waits["status"] == "pending" and time.monotonic() - begun < 1.2, "told at once"
    assert (await send(admin, elsewhere, "three"))["status"] == "sent"
    assert (await admin.get(f"/api/service-instances/{number}")).json()["status"] == "connected"
    await reaches(admin, message, "sent")
    await reaches(admin, waits, "sent")
    assert time.monotonic() - begun >= 1.5
    assert {one.text: one.attempt for one in handset.arrived} == {"one": 2, "two": 1, "three": 1}


async def test_a_message_that_waits_holds_up_its_own_conversation_and_whoever_sends_there_is_told_at_once(
    server: RunningServer, admin: ApiClient, handset: Guarded
) -> None:
    number = await add(admin)
    held, other = [await customer_writes(server, number, f"551190000000{n}") for n in range(2)]
    handset.answers.append(Retryable("pair_limit", "Too much for one.", retry_after=2))
    first = await send(admin, held, "one")
    begun = time.monotonic()
    second = await send(admin, held, "two")
    assert second["status"] == "pending" and time.monotonic() - begun < 1.5
    assert (await send(admin, other, "three"))["status"] == "sent"
    await reaches(admin, second, "sent")
    assert words(handset) == ["three", "one", "two"]
    told = "SELECT count(*) FROM events WHERE type = 'message:updated' AND subject_id = $1"
    assert await server.kernel.db.fetch_value(told, UUID(first["id"])) == 3, "waits, is sent again, was sent"


async def test_a_bad_token_holds_the_queue_and_a_new_one_lets_it_go_in_order(
    server: RunningServer, admin: ApiClient, handset: Guarded
) -> None:
    number = await add(admin)
    conversations = [await customer_writes(server, number, f"551190000000{n}") for n in range(3)]
    handset.token = "better"
    messages = [
        await send(admin, conversation, f"{n} to {conversation}") for n in range(3) for conversation in conversations
    ]
    assert {message["status"] for message in messages} == {"pending"}
    shown = (await admin.get(f"/api/service-instances/{number}")).json()
    assert (shown["status"], shown["statusDetail"]) == ("blocked", "The token is not valid any more.")
    assert handset.arrived == []
    changed = await admin.patch(f"/api/service-instances/{number}", {"credentials": {"token": "better"}})
    assert changed.json()["status"] == "connected", changed.text
    for message in messages:
        sent = await reaches(admin, message, "sent")
        assert sent["error"] is None
    for conversation in conversations:
        assert [one for one in words(handset) if str(conversation) in str(one)] == [
            f"{n} to {conversation}" for n in range(3)
        ]
    assert {one.attempt for one in handset.arrived} == {1}, "no attempt was burnt"


async def test_what_waited_until_the_window_was_closed_is_not_sent(
    server: RunningServer, admin: ApiClient, handset: Guarded
) -> None:
    number = await add(admin)
    conversation = await customer_writes(server, number, "5511900000000")
    handset.token = "better"
    message = await send(admin, conversation, "too late")
    assert message["status"] == "pending"
    await server.kernel.db.execute("UPDATE conversations SET window_expires_at = now() - interval '1 s'")
    await server.kernel.db.execute(
        "INSERT INTO messages (id, conversation_id, instance_id, direction, kind, text, status, status_rank) "
        "VALUES (gen_random_uuid(), $1, $2, 'OUTBOUND', 'template', 'a template', 'pending', 0)",
        conversation, number,
    )  # fmt: skip
    await admin.patch(f"/api/service-instances/{number}", {"credentials": {"token": "better"}})
    failed = await reaches(admin, message, "failed")
    assert failed["error"]["code"] == "window_closed" and "template" in failed["error"]["detail"]

    async def only_the_template() -> bool:
        return words(handset) == ["a template"]

    await until(only_the_template)


async def test_a_refusal_marks_the_customer(server: RunningServer, admin: ApiClient, handset: Guarded) -> None:
    number = await add(admin)
    conversation = await customer_writes(server, number, "5511900000000")
    handset.answers.append(Rejected("unreachable", "Not on WhatsApp.", "131026", mark=Mark.RECIPIENT))
    message = await send(admin, conversation, "anybody?")
    assert (message["status"], message["error"]["providerCode"]) == ("failed", "131026")
    reason = "SELECT unreachable_reason FROM contacts WHERE unreachable_at IS NOT NULL"
    assert await server.kernel.db.fetch_value(reason) == "Not on WhatsApp."


async def test_a_person_says_that_it_was_sent(server: RunningServer, admin: ApiClient, handset: Guarded) -> None:
    number = await add(admin)
    conversation = await customer_writes(server, number, "5511900000000")
    handset.answers.append(OutcomeUnknown("send_timeout", "No answer."))
    message = await send(admin, conversation, "did it go?")
    assert (message["status"], message["sentAt"]) == ("unconfirmed", None)
    resolved = (await admin.post(f"/api/messages/{message['id']}/resolve", {"outcome": "sent"})).json()
    assert (resolved["status"], resolved["error"]) == ("sent", None)
    assert resolved["sentAt"] is not None
