"""What a real Evolution server sent: each message appears once, in any order, among garbage, again and again."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from elsehu_evolution import __file__ as package

from elsehu.kernel import Kernel
from elsehu.testing.serving import RunningServer

from .conftest import Number

FOLDER = Path(package).parent.parent / "tests" / "captures" / "webhooks"
CAPTURES = {path.stem: json.loads(path.read_text())["body"] for path in sorted(FOLDER.glob("*.json"))}
GARBAGE: Sequence[Any] = (
    None,
    [],
    {},
    {"event": "messages.upsert"},
    {"event": "messages.upsert", "instance": "wa", "data": None},
    {"event": "messages.upsert", "instance": "wa", "data": {"key": {"id": 7}, "message": []}},
    {"event": "never.heard.of", "instance": "wa", "data": {"x": [1, 2, {"y": "\u0000"}]}},
    {"event": ["messages.upsert"], "instance": {"a": 1}, "data": "text"},
)

STATE = """
SELECT m.external_id, m.direction, m.kind, m.text, m.status, m.at, m.deleted_at IS NOT NULL AS deleted,
       (SELECT string_agg(r.reactor || r.emoji, ',' ORDER BY r.reactor) FROM message_reactions r
        WHERE r.message_id = m.id AND r.emoji <> '') AS reactions,
       c.phone, coalesce(nullif(c.name, ''), c.profile_name) AS name
FROM messages m JOIN conversations v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id
ORDER BY m.external_id
"""


EMPTY = "TRUNCATE contacts, conversations, messages, waiting_updates, events, media_files CASCADE"


async def state(kernel: Kernel) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await kernel.db.fetch(STATE)]


def message_events() -> dict[str, Any]:
    """Every capture except those that end the number's life, which would stop what follows."""
    ending = ("logout.instance", "remove.instance", "instance.delete", "status.instance", "connection.update")
    return {name: body for name, body in CAPTURES.items() if not name.startswith(ending)}


async def post(provider: httpx.AsyncClient, number: Number, body: Any) -> httpx.Response:
    answer = await provider.post(number.webhook_url, json=body)
    assert answer.status_code == 200, (answer.status_code, answer.text, body)
    return answer


async def test_every_capture_is_taken_and_taken_again_changes_nothing(
    server: RunningServer, provider: httpx.AsyncClient, number: Number
) -> None:
    for body in CAPTURES.values():
        await post(provider, number, body)
    first = await state(server.kernel)
    assert len(first) > 60
    for body in CAPTURES.values():
        await post(provider, number, body)
    assert await state(server.kernel) == first
    assert await server.kernel.db.fetch_value("SELECT count(*) FROM dead_letters") == 0


async def test_random_order_with_garbage_leaves_the_same_state(
    server: RunningServer, provider: httpx.AsyncClient, number: Number, seed: int
) -> None:
    bodies = list(message_events().values())
    for body in bodies:
        await post(provider, number, body)
    expected = await state(server.kernel)
    await server.kernel.db.execute(EMPTY)

    shuffled = [*bodies, *GARBAGE]
    random.Random(seed).shuffle(shuffled)
    for body in shuffled:
        await post(provider, number, body)
    assert await state(server.kernel) == expected
