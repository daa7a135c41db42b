import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from elsehu.contracts.errors import Unavailable
from elsehu.contracts.inbound import MediaContent
from elsehu.kernel import Kernel
from elsehu.media.objects import StoredMedia, store_bytes
from elsehu.media.queries import load
from elsehu.media.retention import discard, expire, remove_orphans
from elsehu.media.service import create, create_pending, create_ready, prepare, ready_file
from elsehu.plugins import Plugins

from .rows import row_of, stored_file, until, written

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(100)
NOW = timedelta(0)


def objects(kernel: Kernel) -> set[str]:
    root = kernel.settings.data_dir / "plugins" / "storage_local"
    return {str(path.relative_to(root)) for path in root.rglob("*-*") if path.is_file()}


async def test_an_object_of_a_rolled_back_transaction_is_swept(kernel: Kernel) -> None:
    kept = await stored_file(kernel, PNG)
    stored = await store_bytes(kernel, PNG, "image/png")
    with pytest.raises(RuntimeError):
        async with kernel.db.transaction() as uow:
            await create(uow, [ready_file(stored)])
            raise RuntimeError("something else in the transaction failed")
    assert len(objects(kernel)) == 2
    assert await remove_orphans(kernel, timedelta(hours=1)) == 0
    assert await remove_orphans(kernel, NOW) == 1
    assert await remove_orphans(kernel, NOW) == 0
    assert objects(kernel) == {(await row_of(kernel, kept))["storage_key"]}
    assert await (await load(kernel, kept)).read() == PNG


async def test_what_was_swept_cannot_become_a_file(kernel: Kernel) -> None:
    stored = await store_bytes(kernel, PNG, "image/png")
    await remove_orphans(kernel, NOW)
    with pytest.raises(Unavailable, match="media_swept"):
        await written(kernel, ready_file(stored))
    assert await kernel.db.fetch_value("SELECT count(*) FROM media_files") == 0


async def test_what_is_becoming_a_file_is_not_swept(kernel: Kernel) -> None:
    stored = await store_bytes(kernel, PNG, "image/png")
    async with kernel.db.transaction() as uow:
        media_id = await create_ready(uow, stored, is_voice=True)
        assert await remove_orphans(kernel, NOW) == 0
    media = await load(kernel, media_id)
    assert (await media.read(), media.is_voice) == (PNG, True)


async def test_a_sweep_that_was_killed_is_finished_by_the_next(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await store_bytes(kernel, PNG, "image/png")
    deleted = 0
    delete = Plugins.storage_delete

    async def fails_at_the_second(plugins: Plugins, key: str, *, storage: str | None = None) -> None:
        nonlocal deleted
        deleted += 1
        if deleted == 2:
            raise Unavailable("storage_failed", "The disk failed.")
        await delete(plugins, key, storage=storage)

    monkeypatch.setattr(Plugins, "storage_delete", fails_at_the_second)
    with pytest.raises(Unavailable):
        await remove_orphans(kernel, NOW)
    assert len(objects(kernel)) == 2
    assert await remove_orphans(kernel, NOW) == 3
    assert objects(kernel) == set()


async def test_many_sweeps_at_once(kernel: Kernel) -> None:
    stored = [await store_bytes(kernel, PNG, "image/png") for _ in range(250)]
    files = [ready_file(one) for one in stored[:50]]
    async with kernel.db.transaction() as uow:
        await create(uow, files)
    swept = await asyncio.gather(*(remove_orphans(kernel, NOW) for _ in range(4)))
    assert sum(swept) >= 200
    assert objects(kernel) == {one.key for one in stored[:50]}
    assert await kernel.db.fetch_value("SELECT count(*) FROM unclaimed_objects") == 0


async def test_files_expire(kernel: Kernel, instance_id: UUID) -> None:
    old = [await stored_file(kernel, PNG) for _ in range(3)]
    async with kernel.db.transaction() as uow:
        waiting = await create_pending(uow, instance_id, MediaContent("image/png"))
    await kernel.db.execute("UPDATE media_files SET created_at = now() - interval '2 days'")
    young = await stored_file(kernel, PNG)
    assert await expire(kernel, kernel.now() - timedelta(days=1)) == 3
    assert [(await row_of(kernel, one))["state"] for one in old] == ["expired"] * 3
    assert (await row_of(kernel, young))["state"] == "ready"
    assert (await row_of(kernel, waiting))["state"] == "pending"
    assert objects(kernel) == {(await row_of(kernel, young))["storage_key"]}
    assert await expire(kernel, kernel.now() - timedelta(days=1)) == 0


async def test_an_expiry_whose_storage_failed_is_finished_by_the_sweep(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id = await stored_file(kernel, PNG)

    async def fails(*_: object, **__: object) -> None:
        raise Unavailable("storage_failed", "The disk failed.")

    with monkeypatch.context() as patched:
        patched.setattr(Plugins, "storage_delete", fails)
        with pytest.raises(Unavailable):
            await expire(kernel, kernel.now())
    assert (await row_of(kernel, media_id))["state"] == "expired"
    assert len(objects(kernel)) == 1
    assert await remove_orphans(kernel) == 1
    assert objects(kernel) == set()


async def test_duplicates_are_discarded(kernel: Kernel, instance_id: UUID) -> None:
    twice = [await stored_file(kernel, PNG) for _ in range(2)]
    async with kernel.db.transaction() as uow:
        waiting = await create_pending(uow, instance_id, MediaContent("image/png"))
        await discard(uow, [twice[1], waiting])
    assert await remove_orphans(kernel) == 1
    assert await (await load(kernel, twice[0])).read() == PNG
    assert await kernel.db.fetch_value("SELECT count(*) FROM media_files") == 1


@pytest.mark.parametrize(
    ("content", "state", "error"),
    [
        (MediaContent("image/png", "a.png", data=PNG), "ready", ""),
        (MediaContent("image/png", "a.png", size=len(PNG), data=PNG), "ready", ""),
        (MediaContent("image/png", reference={"id": "1"}), "pending", ""),
        (MediaContent("image/png", size=1, data=PNG, reference={"id": "1"}), "pending", ""),
        (MediaContent("image/png", size=1, data=PNG), "failed", "were announced"),
        (MediaContent("image/png", sha256="0" * 64, data=PNG), "failed", "SHA-256"),
        (MediaContent("image/png", data=bytes(5_000_000), reference={"id": "1"}), "failed", "larger than"),
    ],
)
async def test_what_a_messages_file_becomes(
    kernel: Kernel, instance_id: UUID, content: MediaContent, state: str, error: str
) -> None:
    file = await prepare(kernel, instance_id, content)
    media_id = await written(kernel, file)
    row = await row_of(kernel, media_id)
    assert (row["state"], row["mime_type"], row["instance_id"]) == (state, "image/png", instance_id)
    assert error in row["error"]
    assert len(objects(kernel)) == (state == "ready")


async def test_many_files_in_one_statement(kernel: Kernel, instance_id: UUID) -> None:
    contents = [MediaContent("image/png", data=PNG), MediaContent("audio/ogg", reference={"é": [1, None]})] * 20
    files = [await prepare(kernel, instance_id, content) for content in contents]
    async with kernel.db.transaction() as uow:
        await create(uow, files)
        await create(uow, [])
    rows = await kernel.db.fetch("SELECT id, state, reference FROM media_files ORDER BY id")
    assert [(row["id"], row["state"]) for row in rows] == [(file.id, file.state) for file in files]
    assert '{"é": [1, null]}' in {row["reference"] for row in rows}


async def test_a_pending_file_wakes_the_fetcher_once_it_is_committed(kernel: Kernel, instance_id: UUID) -> None:
    woken = kernel.signals.event("media")
    async with kernel.db.transaction() as uow:
        await create_pending(uow, instance_id, MediaContent("image/png"))
        assert not woken.is_set()
    await until(woken.is_set)


async def test_objects_are_named_by_us(kernel: Kernel) -> None:
    stored: StoredMedia = await store_bytes(kernel, PNG, "../../x", "../../../etc/passwd")
    assert stored.key.startswith(f"media/{kernel.now():%Y/%m}/")
    assert "passwd" not in stored.key
    assert stored.file_name == "passwd.png"
    assert Path(stored.key).name.count("-") == 4
