"""A backup made under load is whole, and what is restored from it says what was there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from elsehu.backup import create, read_manifest, restore
from elsehu.contracts.errors import ConfigError, ElsehuError
from elsehu.embedded import EmbeddedServices
from elsehu.kernel import open_kernel
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing import databases
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

SECRET = "another secret key"
FACTS = {
    "messages": "SELECT id, text, status FROM messages WHERE status <> 'pending' ORDER BY id",
    "contacts": "SELECT id, name, phone FROM contacts ORDER BY id",
    "conversations": "SELECT id, status, unread_count FROM conversations ORDER BY id",
    "instances": "SELECT id, name, credentials FROM service_instances ORDER BY id",
    "files": "SELECT id, storage_key, sha256 FROM media_files ORDER BY id",
}


@pytest.fixture
async def empty(services: EmbeddedServices, settings: Settings, tmp_path: Path) -> AsyncIterator[Settings]:
    """An installation elsewhere: an empty database, another data directory, the same secret key."""
    name = f"test_restored_{tmp_path.name.replace('-', '_')}"[:60].lower()
    connection = await asyncpg.connect(databases.with_database(services.database_url, "postgres"))
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    url = databases.with_database(services.database_url, name)
    yield settings.model_copy(update={"database_url": SecretStr(url), "data_dir": tmp_path / "elsewhere"})
    await databases.drop(url)


async def facts(settings: Settings) -> dict[str, list[Any]]:
    assert settings.database_url
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        return {name: [tuple(row) for row in await connection.fetch(sql)] for name, sql in FACTS.items()}
    finally:
        await connection.close()


async def test_there_and_back(server: RunningServer, admin: ApiClient, empty: Settings, tmp_path: Path) -> None:
    number = await add_number(admin, "Desk")
    await customer_writes(server, number, "5511999990001", "hello")
    file = {"file": ("note.txt", b"what was attached", "text/plain")}
    uploaded = (await admin.http.post("/api/media", files=file)).json()
    instance = "UPDATE service_instances SET is_active = false"
    await server.kernel.db.execute(instance)
    conversation: UUID = await customer_writes(server, number, "5511999990002", "and me")
    pending = """
        INSERT INTO messages (id, conversation_id, instance_id, direction, kind, text, status, status_rank, at)
        VALUES (gen_random_uuid(), $1, $2, 'OUTBOUND', 'text', 'on its way', 'pending', 0, now())
    """
    await server.kernel.db.execute(pending, conversation, number)
    before = await facts(server.kernel.settings)

    async def load() -> None:
        for place in range(10_000):
            await customer_writes(server, number, f"55119999{place:05}", f"message {place}")

    task = asyncio.create_task(load())
    while not await server.kernel.db.fetch_value("SELECT count(*) > 5 FROM messages"):
        await asyncio.sleep(0.01)
    backup = tmp_path / "elsehu.backup"
    manifest, missing = await create(server.kernel, backup)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (manifest.files, missing, backup.stat().st_mode & 0o777) == (1, [], 0o600)
    assert server.kernel.settings.secret_keys[0] not in backup.read_bytes().decode("latin-1")

    restored = await _restore_elsewhere(empty, backup)
    assert (restored.files, restored.unconfirmed) == (1, 1)
    after = await facts(empty)
    for name, rows in before.items():
        assert set(rows) <= set(after[name]), name
    assert len(after["messages"]) - 1 >= len(after["conversations"])
    async with open_kernel(empty, load_plugins(empty)) as kernel:
        key = await kernel.db.fetch_value("SELECT storage_key FROM media_files WHERE id = $1", UUID(uploaded["id"]))
        assert b"".join([chunk async for chunk in kernel.plugins.storage_open(key)]) == b"what was attached"
    with pytest.raises(ElsehuError, match="has tables"):
        await _restore_elsewhere(empty, backup)


async def _restore_elsewhere(settings: Settings, backup: Path) -> Any:
    return await restore(settings, load_plugins(settings), backup)


async def test_what_is_refused(server: RunningServer, tmp_path: Path) -> None:
    backup = tmp_path / "elsehu.backup"
    await create(server.kernel, backup)
    with pytest.raises(ElsehuError, match="already"):
        await create(server.kernel, backup)
    other = server.kernel.settings.model_copy(update={"secret_key": SecretStr(SECRET)})
    with pytest.raises(ConfigError, match="another secret key"):
        await restore(other, load_plugins(other), backup)
    nonsense = tmp_path / "nonsense"
    nonsense.write_bytes(b"nothing of that kind" * 100)
    with pytest.raises(ElsehuError, match="no backup"):
        read_manifest(nonsense)
    assert not list(tmp_path.glob(".*.partial"))
