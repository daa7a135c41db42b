"""A message that is sent: it reaches the phone, its ticks come back, and each fault does what its name says."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from elsehu.plugin import (
    CustomerTyping,
    Direction,
    Identity,
    IdentityKind,
    InstanceSick,
    InstanceStatus,
    Kind,
    MessageArrived,
    OutboundMedia,
    OutcomeUnknown,
    ProviderError,
    Quoted,
    Rejected,
    Retryable,
    Status,
    StatusChanged,
)

from .conftest import INSTANT, World, eventually, outbound


async def test_a_message_reaches_the_phone_and_its_ticks_come_back(world: World) -> None:
    instance = world.instance()
    message = outbound("Good morning")
    sent = await world.plugins.send(instance, message)
    [arrived] = world.arrived(instance)
    assert arrived["id"] == sent.external_id
    assert (arrived["to"], arrived["text"]) == ({"phone": "+5511988887777"}, "Good morning")
    await eventually(lambda: len(world.receiver.items) == 2)
    assert [(one.external_id, one.status, one.client_ref) for one in world.receiver.events(StatusChanged)] == [
        (sent.external_id, Status.DELIVERED, message.client_ref),
        (sent.external_id, Status.READ, message.client_ref),
    ]


async def test_ticks_come_after_their_delays(world: World) -> None:
    instance = world.instance(delays={"delivered_seconds": 0.1, "read_seconds": None, "reply_seconds": None})
    started = time.monotonic()
    await world.plugins.send(instance, outbound())
    await eventually(lambda: world.receiver.items)
    assert time.monotonic() - started >= 0.1
    assert [one.status for one in world.receiver.events()] == [Status.DELIVERED]


async def test_all_that_a_message_carries_reaches_the_phone(world: World) -> None:
    instance = world.instance()
    content = b"%PDF-1.7 " + bytes(range(256)) * 100

    async def stream() -> AsyncIterator[bytes]:
        yield content[:1000]
        yield content[1000:]

    async def read() -> bytes:
        return content

    digest = hashlib.sha256(content).hexdigest()
    media = OutboundMedia(uuid4(), "application/pdf", "bill.pdf", len(content), digest, read, stream)
    quoted = Quoted("A1", from_company=False)
    await world.plugins.send(instance, outbound("The bill", kind=Kind.DOCUMENT, media=media, quoted=quoted))
    location = {"latitude": -23.5, "longitude": -46.6}
    await world.plugins.send(instance, outbound(None, kind=Kind.LOCATION, payload=location))
    document, place = world.arrived(instance)
    assert document["media"] == {
        "mimeType": "application/pdf",
        "fileName": "bill.pdf",
        "size": len(content),
        "sha256": digest,
        "isVoice": False,
    }
    assert (document["replyTo"], document["text"]) == ("A1", "The bill")
    assert place["payload"] == location


async def test_the_hello_customer_answers(world: World) -> None:
    instance = world.instance(script="hello", delays={**INSTANT, "reply_seconds": 0.05})
    await world.plugins.send(instance, outbound())
    await eventually(lambda: world.receiver.events(MessageArrived))
    assert world.receiver.events(CustomerTyping)
    [answer] = world.receiver.events(MessageArrived)
    assert answer.direction is Direction.INBOUND
    assert [one.value for one in answer.sender] == ["5511988887777"]


async def test_a_contact_without_phone_or_lid_is_refused(world: World) -> None:
    instance = world.instance()
    handle = Identity(IdentityKind.HANDLE, "maria", "maria")
    with pytest.raises(Rejected, match="recipient_invalid"):
        await world.plugins.send(instance, outbound(to=handle))
    assert world.arrived(instance) == []


REFUSALS: list[tuple[dict[str, Any], type[ProviderError], str]] = [
    ({"kind": "throttle", "retryAfter": 3}, Retryable, "429"),
    ({"kind": "error"}, Retryable, "500"),
    ({"kind": "error", "status": 503}, Retryable, "503"),
    ({"kind": "reject"}, Rejected, "400"),
]


@pytest.mark.parametrize(("fault", "error", "provider_code"), REFUSALS, ids=[str(one[0]) for one in REFUSALS])
async def test_a_refused_message_does_not_arrive_and_the_next_one_does(
    world: World, fault: dict[str, Any], error: type[ProviderError], provider_code: str
) -> None:
    instance = world.instance()
    world.order_faults(instance, fault)
    with pytest.raises(error) as raised:
        await world.plugins.send(instance, outbound())
    assert raised.value.provider_code == provider_code
    assert world.arrived(instance) == []
    await world.plugins.send(instance, outbound())
    assert len(world.arrived(instance)) == 1


async def test_throttling_says_when_to_come_back(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "throttle", "retryAfter": 3})
    with pytest.raises(Retryable) as raised:
        await world.plugins.send(instance, outbound())
    assert raised.value.retry_after == 3


async def test_faults_happen_in_their_order_and_as_often_as_they_should(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "throttle", "times": 2}, {"kind": "reject"})
    outcomes = [await _outcome(world, instance) for _ in range(4)]
    assert outcomes == ["throttled", "throttled", "recipient_unavailable", "sent"]
    assert world.phone(instance).state().faults == []


async def _outcome(world: World, instance: Any) -> str:
    try:
        await world.plugins.send(instance, outbound())
    except ProviderError as error:
        return error.code
    return "sent"


async def test_the_settings_faults_come_at_every_nth_message(world: World) -> None:
    instance = world.instance(faults=[{"every": 3, "fault": {"kind": "error"}}])
    outcomes = [await _outcome(world, instance) for _ in range(6)]
    assert outcomes == ["sent", "sent", "provider_error"] * 2


async def test_slow_takes_the_message_late(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "slow", "seconds": 0.2})
    sending = asyncio.create_task(world.plugins.send(instance, outbound()))
    await asyncio.sleep(0)
    assert world.arrived(instance) == []
    started = time.monotonic()
    await sending
    assert time.monotonic() - started >= 0.15
    assert len(world.arrived(instance)) == 1


async def test_a_message_given_up_while_slow_does_not_arrive(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "slow", "seconds": 60})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await world.plugins.send(instance, outbound())
    assert world.arrived(instance) == []


async def test_a_lost_answer_leaves_the_message_on_the_phone_once_and_its_echo_tells(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "timeout_after_accept"})
    message = outbound("Only once")
    with pytest.raises(OutcomeUnknown):
        await world.plugins.send(instance, message)
    [arrived] = world.arrived(instance)
    await eventually(lambda: len(world.receiver.items) == 3)
    echo, delivered, read = world.receiver.events()
    assert isinstance(echo, MessageArrived)
    assert (echo.external_id, echo.client_ref, echo.text) == (arrived["id"], message.client_ref, "Only once")
    assert echo.through_api
    assert [delivered.status, read.status] == [Status.DELIVERED, Status.READ]
    assert len(world.arrived(instance)) == 1


async def test_a_silently_lost_answer_is_told_by_the_history_alone(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "timeout_after_accept", "silent": True})
    message = outbound("Only once")
    with pytest.raises(OutcomeUnknown):
        await world.plugins.send(instance, message)
    later = await world.plugins.send(instance, outbound("Afterwards"))
    await eventually(lambda: len(world.receiver.items) == 2)
    assert {one.external_id for one in world.receiver.events()} == {later.external_id}
    told = [item.event for item in await world.history(instance)]
    echoes = [one for one in told if isinstance(one, MessageArrived) and one.client_ref == message.client_ref]
    assert [(one.text, one.through_api, one.is_history) for one in echoes] == [("Only once", True, True)]
    statuses = [one.status for one in told if isinstance(one, StatusChanged) and one.client_ref == message.client_ref]
    assert statuses == [Status.DELIVERED, Status.READ]


async def test_disconnected_until_it_is_connected_again(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "disconnect"})
    for _ in range(2):
        with pytest.raises(InstanceSick) as raised:
            await world.plugins.send(instance, outbound())
        assert raised.value.instance_status == "disconnected"
    assert (await world.plugins.status(instance)).status is InstanceStatus.DISCONNECTED
    assert (await world.plugins.connect(instance)).status is InstanceStatus.CONNECTED
    await world.plugins.send(instance, outbound())
    assert len(world.arrived(instance)) == 1


async def test_disconnected_for_a_while(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "disconnect", "seconds": 0.1})
    with pytest.raises(InstanceSick):
        await world.plugins.send(instance, outbound())
    await asyncio.sleep(0.1)
    assert (await world.plugins.status(instance)).status is InstanceStatus.CONNECTED
    assert await _outcome(world, instance) == "sent"


async def test_duplicated_webhooks_come_twice(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "duplicate_webhooks"})
    await world.plugins.send(instance, outbound())
    await eventually(lambda: len(world.receiver.items) == 4)
    statuses = [one.status for one in world.receiver.events()]
    assert statuses == [Status.DELIVERED, Status.DELIVERED, Status.READ, Status.READ]


async def test_reordered_webhooks_come_backwards(world: World) -> None:
    instance = world.instance(delays={"delivered_seconds": 0.02, "read_seconds": 0.1, "reply_seconds": None})
    world.order_faults(instance, {"kind": "reorder_webhooks"})
    await world.plugins.send(instance, outbound())
    await eventually(lambda: len(world.receiver.items) == 2)
    read, delivered = world.receiver.events()
    assert [read.status, delivered.status] == [Status.READ, Status.DELIVERED]
    assert delivered.at < read.at


async def test_a_webhook_is_repeated_until_it_is_taken(world: World) -> None:
    instance = world.instance(delays={**INSTANT, "read_seconds": None})
    world.receiver.answers = [503, 500]
    await world.plugins.send(instance, outbound())
    await eventually(lambda: world.receiver.items)
    assert [one.status for one in world.receiver.events()] == [Status.DELIVERED]


async def test_a_refused_webhook_is_not_repeated(world: World) -> None:
    instance = world.instance()
    world.receiver.answers = [401]
    await world.plugins.send(instance, outbound())
    await eventually(lambda: world.receiver.items)
    assert [one.status for one in world.receiver.events()] == [Status.READ]


async def test_marking_read_and_typing_are_seen_on_the_phone(world: World) -> None:
    instance = world.instance()
    await world.plugins.mark_read(instance, [Quoted("A1", from_company=False), Quoted("A2", from_company=False)])
    await world.plugins.typing(instance, outbound().to, "composing")
    lines = [{name: line[name] for name in line if name != "at"} for _, line in world.phone(instance).read()]
    assert lines == [
        {"type": "marked_read", "ids": ["A1", "A2"]},
        {"type": "shown_typing", "to": ["5511988887777"], "state": "composing"},
    ]
