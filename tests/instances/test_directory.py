"""The instances as plugins are given them."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.instance import InstanceReport, InstanceStatus
from elsehu.instances import directory as module
from elsehu.instances import service
from elsehu.instances.directory import Directory
from elsehu.instances.sealing import seal
from elsehu.kernel import Kernel
from elsehu.secretbox import SecretBox, WrongSecretKey
from elsehu.testing.client import ApiClient

Add = Callable[..., Any]
OTHER_KEY = SecretBox(("a-key-that-nobody-has-any-more",))


async def break_secrets(kernel: Kernel, instance_id: str) -> None:
    """Encrypt an instance's credentials with a key that is not configured."""
    sealed = seal(OTHER_KEY, {})
    await kernel.db.execute("UPDATE service_instances SET credentials = $2 WHERE id = $1", UUID(instance_id), sealed)
    kernel.part(Directory).drop()


async def test_gives_active_and_inactive_ones_by_provider_and_its_other_names(
    add: Add, admin: ApiClient, kernel: Kernel
) -> None:
    first, second = await add("a"), await add("b")
    await add("c", provider="plain", credentials={})
    await admin.delete(f"/api/service-instances/{second['id']}")
    directory = kernel.part(Directory)
    for name in ("pairable", "pair"):
        found = await directory.of_provider(name)
        assert [(one.name, one.is_active) for one in found] == [("a", True), ("b", False)]
    instance = await directory.get(UUID(first["id"]))
    assert instance is not None
    assert instance.credentials["api_key"] == "very-secret-key"
    assert "very-secret-key" not in repr(instance)
    assert await directory.get(UUID(int=1)) is None


async def test_asks_the_database_once_for_many(add: Add, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    added = await add()
    directory = Directory(kernel)
    loads: list[int] = []
    load = directory._load

    async def counted() -> None:
        loads.append(1)
        await load()

    monkeypatch.setattr(directory, "_load", counted)
    await asyncio.gather(*(directory.get(UUID(added["id"])) for _ in range(100)))
    assert len(loads) == 1


async def test_a_change_is_seen_at_once(add: Add, kernel: Kernel) -> None:
    instance_id = UUID((await add())["id"])
    directory = kernel.part(Directory)
    assert (await directory.get(instance_id)).status is InstanceStatus.CONNECTED  # type: ignore[union-attr]
    async with kernel.db.transaction() as uow:
        await service.apply_report(uow, kernel, instance_id, InstanceReport(InstanceStatus.BLOCKED))
    assert (await directory.get(instance_id)).status is InstanceStatus.BLOCKED  # type: ignore[union-attr]


async def test_a_change_that_was_not_signalled_is_seen_after_a_while(
    add: Add, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = UUID((await add())["id"])
    monkeypatch.setattr(module, "MAX_AGE", 0.05)
    directory = Directory(kernel)
    await directory.get(instance_id)
    await kernel.db.execute("UPDATE service_instances SET name = 'Store'")
    async with asyncio.timeout(5):
        while (await directory.get(instance_id)).name != "Store":  # type: ignore[union-attr]
            await asyncio.sleep(0.01)


async def test_one_with_unreadable_secrets_does_not_hold_up_the_others(add: Add, kernel: Kernel) -> None:
    good, bad = await add("good"), await add("bad")
    await break_secrets(kernel, bad["id"])
    directory = kernel.part(Directory)
    assert [one.name for one in await directory.of_provider("pairable")] == ["good"]
    assert await directory.get(UUID(good["id"])) is not None
    assert directory.has_unreadable("pairable")
    assert not directory.has_unreadable("plain")
    with pytest.raises(WrongSecretKey):
        await directory.get(UUID(bad["id"]))


async def test_new_credentials_repair_it(add: Add, admin: ApiClient, kernel: Kernel) -> None:
    bad = await add()
    await kernel.db.execute("UPDATE service_instances SET state = $1, webhook_secret = $1", seal(OTHER_KEY, {}))
    await break_secrets(kernel, bad["id"])
    one = f"/api/service-instances/{bad['id']}"
    assert (await admin.get(one)).status_code == 200
    refused = await admin.post(one + "/connect")
    assert (refused.status_code, refused.json()["code"]) == (503, "wrong_secret_key")
    whole = {"credentials": {"serverUrl": "http://evo.test", "apiKey": "another-secret-key"}}
    assert (await admin.patch(one, whole)).json()["status"] == "connected"
    instance = await kernel.part(Directory).get(UUID(bad["id"]))
    assert instance is not None
    assert len(instance.webhook_secret) >= 32


async def test_settings_that_fit_no_more_are_handed_on_as_they_are(add: Add, kernel: Kernel) -> None:
    instance_id = UUID((await add())["id"])
    await kernel.db.execute("""UPDATE service_instances SET settings = '{"once": "known"}'""")
    assert (await kernel.part(Directory).load(instance_id)).settings == {"once": "known"}
