"""Keeping numbers connected, with one process or several at once."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.background import running
from elsehu.contracts.errors import Retryable
from elsehu.contracts.instance import Instance, InstanceReport, InstanceStatus
from elsehu.instances import service
from elsehu.instances.directory import Directory
from elsehu.instances.sealing import seal
from elsehu.instances.watch import OnConnected, Watch
from elsehu.kernel import Kernel, open_kernel
from elsehu.plugins import load_plugins
from elsehu.secretbox import SecretBox
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient
from elsehu.testing.steered import Steered, found

Add = Callable[..., Any]
PATH = "/api/service-instances"
SECONDS = 0.3
AWAY = Retryable("provider_away", "It does not answer.")


@pytest.fixture
def settings_overrides(settings_overrides: dict[str, Any]) -> dict[str, Any]:
    return {**settings_overrides, "instances": {"connect_timeout": 10.0, "status_seconds": SECONDS}}


class Told:
    """A listener that notes whom it was called for."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []

    async def __call__(self, instance_id: UUID) -> None:
        self.ids.append(instance_id)


@pytest.fixture
def told() -> Told:
    return Told()


@asynccontextmanager
async def process(settings: Settings, steered: Steered, *listeners: OnConnected) -> AsyncIterator[Kernel]:
    """Another process, with its own connections and Watch; what connected before was told before."""
    async with open_kernel(settings, load_plugins(settings, found(steered))) as kernel:
        kernel.provide(Directory, Directory(kernel))
        await kernel.db.execute("UPDATE service_instances SET just_connected = false")
        async with running({"watch": Watch(kernel, listeners).run}):
            yield kernel


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until `condition` (which may be async) holds."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(0.01)


async def shown(admin: ApiClient, instance_id: str) -> dict[str, Any]:
    body: dict[str, Any] = (await admin.get(f"{PATH}/{instance_id}")).json()
    return body


def has_status(admin: ApiClient, instance_id: str, status: str) -> Callable[[], Awaitable[bool]]:
    async def has() -> bool:
        return bool((await shown(admin, instance_id))["status"] == status)

    return has


async def test_at_start_every_active_number_is_connected_and_its_listeners_are_called(
    add: Add, admin: ApiClient, settings: Settings, steered: Steered, told: Told
) -> None:
    first, second, inactive = [await add(name) for name in ("a", "b", "c")]
    await admin.delete(f"{PATH}/{inactive['id']}")
    steered.calls.clear()
    async with process(settings, steered, told):
        await until(lambda: len(told.ids) == 2)
        await until(lambda: steered.count("status") >= 2)
    assert sorted(map(str, told.ids)) == sorted([first["id"], second["id"]])
    assert {instance.name for verb, instance in steered.calls if verb == "connect"} == {"a", "b"}


async def test_several_processes_share_the_work(add: Add, settings: Settings, steered: Steered, told: Told) -> None:
    names = [f"number {n}" for n in range(5)]
    for name in names:
        await add(name)
    inside: Counter[str] = Counter()
    overlaps: list[str] = []

    async def slowly(instance: Instance) -> InstanceReport:
        inside[instance.name] += 1
        if inside[instance.name] > 1:
            overlaps.append(instance.name)
        try:
            await asyncio.sleep(0.05)
        finally:
            inside[instance.name] -= 1
        return InstanceReport(InstanceStatus.CONNECTED)

    steered.answers |= {"connect": slowly, "status": slowly}
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(process(settings, steered, told))
        await until(lambda: all(steered.count("status", name) >= 5 for name in names))
        most = (time.monotonic() - started) / (SECONDS * 0.8) + 2
    assert overlaps == []
    assert all(steered.count("status", name) <= most for name in names)


async def test_a_person_and_a_watch_do_not_connect_at_once(
    add: Add, admin: ApiClient, settings: Settings, steered: Steered, told: Told
) -> None:
    added = await add()
    inside: list[int] = []
    most: list[int] = []

    async def slowly(_: Instance) -> InstanceReport:
        inside.append(1)
        most.append(len(inside))
        try:
            await asyncio.sleep(0.1)
        finally:
            inside.pop()
        return InstanceReport(InstanceStatus.CONNECTED)

    steered.answers["connect"] = slowly
    async with process(settings, steered, told):
        answers = await asyncio.gather(*(admin.post(f"{PATH}/{added['id']}/connect") for _ in range(3)))
        await until(lambda: len(told.ids) >= 1)
    assert {answer.status_code for answer in answers} == {200}
    assert max(most) == 1


async def test_a_provider_that_was_away_is_tried_until_it_is_back(
    add: Add, admin: ApiClient, settings: Settings, steered: Steered, told: Told
) -> None:
    steered.answers["connect"] = AWAY
    added = await add()
    assert added["status"] == "disconnected"
    async with process(settings, steered, told) as other:
        outbound = other.signals.event("outbound")
        await until(lambda: steered.count("connect") >= 4)
        assert not outbound.is_set()
        del steered.answers["connect"]
        await until(lambda: told.ids == [UUID(added["id"])])
        assert outbound.is_set()
    assert (await shown(admin, added["id"]))["status"] == "connected"


async def test_a_number_that_lost_its_connection_is_connected_again(
    add: Add, settings: Settings, steered: Steered, told: Told
) -> None:
    await add()
    async with process(settings, steered, told):
        await until(lambda: len(told.ids) == 1)
        before = steered.count("connect")
        steered.answers["status"] = InstanceReport(InstanceStatus.DISCONNECTED)
        await until(lambda: steered.count("connect") > before)


async def test_one_lost_answer_is_not_believed_two_are(
    add: Add, admin: ApiClient, settings: Settings, steered: Steered, told: Told
) -> None:
    added = await add()
    lost: list[int] = []

    async def loses_every_other(_: Instance) -> InstanceReport:
        lost.append(1)
        if len(lost) % 2:
            raise AWAY
        return InstanceReport(InstanceStatus.CONNECTED)

    steered.answers["status"] = loses_every_other
    async with process(settings, steered, told) as other:
        await until(lambda: len(lost) >= 6)
        events = await other.db.fetch_value("SELECT count(*) FROM events WHERE type = 'instance:updated'")
        assert events == 2, "only the ones of its making"
        steered.answers |= {"status": AWAY, "connect": AWAY}
        await until(has_status(admin, added["id"], "disconnected"))
    assert (await shown(admin, added["id"]))["statusDetail"] == "It does not answer."


async def test_what_a_person_disconnected_stays_so(
    add: Add, admin: ApiClient, settings: Settings, steered: Steered, told: Told
) -> None:
    added = await add()
    await admin.post(f"{PATH}/{added['id']}/disconnect")
    steered.answers["status"] = InstanceReport(InstanceStatus.DISCONNECTED)
    before = steered.count("connect")
    async with process(settings, steered, told):
        await until(lambda: steered.count("status") >= 4)
    assert steered.count("connect") == before


async def test_a_hold_that_is_over_is_ended_and_looked_at(
    add: Add, kernel: Kernel, settings: Settings, steered: Steered, told: Told
) -> None:
    added = await add()
    async with process(settings, steered, told) as other:
        await until(lambda: len(told.ids) == 1)
        outbound = other.signals.event("outbound")
        async with kernel.db.transaction() as uow:
            await service.hold(uow, UUID(added["id"]), kernel.now() + timedelta(seconds=1), "Slow down.")
        asked = steered.count("status")
        await until(outbound.is_set)
        await until(lambda: steered.count("status") > asked)
    row = await kernel.db.fetch_row("SELECT hold_until, hold_reason FROM service_instances")
    assert row is not None
    assert tuple(row) == (None, "")


async def test_a_connection_that_another_process_heard_of_is_told(
    add: Add, kernel: Kernel, settings: Settings, steered: Steered, told: Told
) -> None:
    steered.answers |= {verb: InstanceReport(InstanceStatus.NEEDS_PAIRING) for verb in ("connect", "status")}
    added = await add()
    async with process(settings, steered, told):
        await until(lambda: steered.count("status") >= 1)
        assert told.ids == []
        steered.answers.clear()
        async with kernel.db.transaction() as uow:
            await service.apply_report(uow, kernel, UUID(added["id"]), InstanceReport(InstanceStatus.CONNECTED))
        await until(lambda: told.ids == [UUID(added["id"])])


async def test_trouble_with_one_does_not_touch_the_others(
    add: Add, admin: ApiClient, kernel: Kernel, settings: Settings, steered: Steered, told: Told
) -> None:
    good, broken, unreadable, gone = [await add(name) for name in ("good", "broken", "unreadable", "gone")]
    lost = seal(SecretBox(("lost",)), {})
    await kernel.db.execute("UPDATE service_instances SET credentials = $1 WHERE name = 'unreadable'", lost)
    await kernel.db.execute("UPDATE service_instances SET provider = 'removed' WHERE name = 'gone'")
    steered.answers["connect broken"] = KeyError("a mistake in the plugin")
    async with process(settings, steered, told):
        await until(lambda: told.ids == [UUID(good["id"])])
        await until(has_status(admin, broken["id"], "disconnected"))
        await until(has_status(admin, unreadable["id"], "blocked"))
        await until(has_status(admin, gone["id"], "blocked"))
    assert "secret key" in (await shown(admin, unreadable["id"]))["statusDetail"]
    assert "not enabled" in (await shown(admin, gone["id"]))["statusDetail"]


async def test_a_listener_that_fails_is_called_again_the_next_time(
    add: Add, admin: ApiClient, settings: Settings, steered: Steered, told: Told
) -> None:
    added = await add()
    calls: list[UUID] = []

    async def fails(instance_id: UUID) -> None:
        calls.append(instance_id)
        raise ZeroDivisionError

    async with process(settings, steered, fails, told):
        await until(lambda: len(told.ids) == 1)
        await admin.post(f"{PATH}/{added['id']}/disconnect")
        await admin.post(f"{PATH}/{added['id']}/connect")
        await until(lambda: len(told.ids) == 2)
    assert len(calls) == 2


async def test_it_goes_on_when_postgresql_drops_its_connections(
    add: Add, kernel: Kernel, settings: Settings, steered: Steered, told: Told
) -> None:
    await add()
    async with process(settings, steered, told):
        await until(lambda: len(told.ids) == 1)
        await kernel.db.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        asked = steered.count("status")
        await until(lambda: steered.count("status") >= asked + 2)
