"""How a number comes up: pairing, the script that starts once, and what goes on after a restart."""

import asyncio
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from elsehu_sandbox.connection import scan
from elsehu_sandbox.customer import act
from elsehu_sandbox.webhooks import Deliveries

from elsehu.plugin import InstanceChanged, InstanceStatus, MessageArrived, OutcomeUnknown, StatusChanged

from .conftest import INSTANT, World, eventually, killed, load_sandbox, outbound


async def test_it_is_simply_connected(world: World) -> None:
    instance = world.instance()
    for _ in range(2):
        assert (await world.plugins.connect(instance)).status is InstanceStatus.CONNECTED
    assert (await world.plugins.qrcode(instance)).status is InstanceStatus.CONNECTED
    assert world.receiver.items == []


async def test_pairing(world: World) -> None:
    instance = world.instance(require_pairing=True, script="hello")
    report = await world.plugins.connect(instance)
    assert report.status is InstanceStatus.NEEDS_PAIRING
    assert str(instance.id) in report.detail
    pairing = await world.plugins.qrcode(instance)
    assert pairing.status is InstanceStatus.NEEDS_PAIRING
    assert pairing.base64
    assert b64decode(pairing.base64.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert pairing.expires_at
    assert timedelta(0) < pairing.expires_at - datetime.now(UTC) <= timedelta(minutes=1)
    assert world.receiver.items == []

    assert scan(world.context, instance, Deliveries()).status is InstanceStatus.CONNECTED
    await eventually(lambda: len(world.receiver.items) == 2)
    assert world.receiver.events(InstanceChanged) == [InstanceChanged(InstanceStatus.CONNECTED)]
    assert (await world.plugins.status(instance)).status is InstanceStatus.CONNECTED


async def test_logging_out_undoes_the_pairing(world: World) -> None:
    instance = world.instance(require_pairing=True)
    scan(world.context, instance, Deliveries())
    assert (await world.plugins.disconnect(instance)).status is InstanceStatus.DISCONNECTED
    assert (await world.plugins.status(instance)).status is InstanceStatus.NEEDS_PAIRING


async def test_forgetting_throws_the_phone_away(world: World) -> None:
    instance = world.instance()
    await world.plugins.send(instance, outbound())
    await world.plugins.disconnect(instance, forget=True)
    assert world.arrived(instance) == []


async def test_the_script_is_played_once(world: World) -> None:
    instance = world.instance(script="hello")
    await world.plugins.connect(instance)
    await eventually(lambda: world.receiver.items)
    await world.plugins.connect(instance)
    restarted = load_sandbox(world.context.data_dir.parent.parent)
    restarted.bind(world.context.http)
    await restarted.connect(instance)
    await world.plugins.send(instance, outbound())
    await eventually(lambda: world.receiver.events(StatusChanged))
    assert len(world.receiver.events(MessageArrived)) == 1


async def test_a_script_of_ones_own(world: World) -> None:
    lines = [
        {"text": "Second", "after": 0.05, "phone": "+5511977776666", "name": "João"},
        {"text": "First"},
    ]
    instance = world.instance(script=lines)
    await world.plugins.connect(instance)
    await eventually(lambda: len(world.receiver.items) == 2)
    said = [(one.text, one.sender_name, one.sender[0].value) for one in world.receiver.events()]
    assert said == [("First", "Maria Souza", "5511987654321"), ("Second", "João", "5511977776666")]


async def test_what_was_still_to_come_comes_after_a_restart(world: World) -> None:
    instance = world.instance(delays={"delivered_seconds": 0, "read_seconds": 1.5, "reply_seconds": None})
    await world.plugins.connect(instance)
    await world.plugins.send(instance, outbound())
    await eventually(lambda: world.receiver.items)
    await asyncio.gather(*killed(), return_exceptions=True)
    restarted = load_sandbox(world.context.data_dir.parent.parent)
    restarted.bind(world.context.http)
    await restarted.connect(instance)
    await eventually(lambda: len(world.receiver.items) == 2)
    assert [one.status for one in world.receiver.events()] == ["delivered", "read"]


async def test_what_was_to_stay_silent_stays_silent_after_a_restart(world: World) -> None:
    instance = world.instance(delays={"delivered_seconds": None, "read_seconds": 0.2, "reply_seconds": None})
    world.order_faults(instance, {"kind": "timeout_after_accept", "silent": True})
    with pytest.raises(OutcomeUnknown):
        await world.plugins.send(instance, outbound())
    restarted = load_sandbox(world.context.data_dir.parent.parent)
    restarted.bind(world.context.http)
    await restarted.connect(instance)
    later = await restarted.send(instance, outbound())
    await eventually(lambda: world.receiver.items)
    assert [one.external_id for one in world.receiver.events()] == [later.external_id]


async def test_what_customers_did_while_the_phone_was_offline_is_told_by_the_history(world: World) -> None:
    instance = world.instance()
    await world.plugins.disconnect(instance)
    _, taken = await act(world.context, instance, [{"type": "message", "from": {"phone": "551199"}, "text": "Hello?"}])
    assert not taken
    assert world.receiver.items == []
    [item] = await world.history(instance)
    assert isinstance(item.event, MessageArrived)
    assert (item.event.text, item.event.is_history) == ("Hello?", True)


async def test_the_history_says_what_happened_between_two_times_and_nothing_of_the_future(world: World) -> None:
    instance = world.instance(delays={**INSTANT, "read_seconds": 600})
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    sent = await world.plugins.send(instance, outbound("Good morning"))
    items = await world.history(instance)
    assert [type(item.event) for item in items] == [MessageArrived, StatusChanged]
    pages = world.plugins.history(instance, before - timedelta(hours=1), before)
    assert [page async for page in pages] == []
    assert sent.external_id == items[0].event.external_id  # type: ignore[union-attr]
