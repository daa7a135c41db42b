"""`elsehu webhooks`: what providers told, read and applied again by the real program."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import httpx

from elsehu.embedded import EmbeddedServices
from elsehu.instances.directory import Directory
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number
from elsehu.testing.installation import SECRET_KEY
from elsehu.testing.serving import RunningServer

Run = Callable[..., subprocess.CompletedProcess[str]]

MESSAGES = "SELECT external_id, text FROM messages ORDER BY external_id"


async def tell(server: RunningServer, number: Any, *events: dict[str, Any]) -> None:
    instance = await server.kernel.part(Directory).get(number)
    assert instance is not None
    path = f"{server.url}/api/webhooks/sandbox/{number}"
    async with httpx.AsyncClient(headers={"x-elsehu-secret": instance.webhook_secret}) as http:
        (await http.post(path, json={"events": list(events)})).raise_for_status()


def message(name: str, words: str) -> dict[str, Any]:
    sender = {"phone": "5511999990000", "name": "Maria"}
    return {"type": "message", "id": name, "from": sender, "at": "2026-03-04T12:00:00Z", "text": words}


async def test_what_was_lost_comes_back_and_nothing_twice(
    server: RunningServer, admin: ApiClient, run: Run, services: EmbeddedServices
) -> None:
    number = await add_number(admin)
    await tell(server, number, message("A", "hello"), message("B", "are you there?"))
    before = [tuple(row) for row in await server.kernel.db.fetch(MESSAGES)]
    assert before == [("A", "hello"), ("B", "are you there?")]
    await server.kernel.db.execute("DELETE FROM messages WHERE external_id = 'B'")
    assert server.kernel.settings.database_url
    environment = {
        "DATABASE_URL": server.kernel.settings.database_url.get_secret_value(),
        "REDIS_URL": services.redis_url,
        "ELSEHU_SECRET_KEY": SECRET_KEY,
        "ELSEHU_PLUGINS__ENABLED": '["sandbox", "storage_local"]',
    }
    listed = run("webhooks", "list", **environment)
    assert "sandbox" in listed.stdout
    stored = await server.kernel.db.fetch_value("SELECT max(id) FROM webhook_events")
    assert json.loads(run("webhooks", "show", str(stored), **environment).stdout)
    for _ in range(2):
        replayed = run("webhooks", "replay", "--since", "1", **environment)
        assert replayed.returncode == 0, replayed.stderr
        assert [tuple(row) for row in await server.kernel.db.fetch(MESSAGES)] == before
    refused = run("webhooks", "replay", **environment)
    assert refused.returncode == 2
    assert "--since" in refused.stderr


async def test_dead_letters_are_shown_until_somebody_has_seen_to_them(
    server: RunningServer, run: Run, services: EmbeddedServices
) -> None:
    sql = "INSERT INTO dead_letters (provider, error, item) VALUES ('sandbox', 'it broke', '{\"a\": 1}') RETURNING id"
    dead = await server.kernel.db.fetch_value(sql)
    assert server.kernel.settings.database_url
    environment = {
        "DATABASE_URL": server.kernel.settings.database_url.get_secret_value(),
        "REDIS_URL": services.redis_url,
        "ELSEHU_SECRET_KEY": SECRET_KEY,
    }
    assert "it broke" in run("webhooks", "list", "--dead", **environment).stdout
    assert json.loads(run("webhooks", "show", str(dead), "--dead", **environment).stdout)["item"] == {"a": 1}
    assert run("webhooks", "resolve", str(dead), **environment).stdout.startswith("1")
    assert "it broke" not in run("webhooks", "list", "--dead", **environment).stdout
