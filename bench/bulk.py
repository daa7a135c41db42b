"""Row "bulk": a lane without gaps to a stand-in Evolution server in another process, beside posting to it directly.

What is counted is from opening the lane, its messages queued, until the last one's outcome is written; queueing is
counted by itself. The stand-in tells Elsehu of every message that it sent, as the real server does, and once more
without telling anybody, as servers are that have `send.message` switched off.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import httpx

from bench.driver import driven
from bench.evolution import KEY, NAME, Evolution, connected_number
from bench.place import Place, Web, running_web
from bench.send import direct_plan
from bench.sizes import Sizes
from bench.table import Finding, alone, compared
from elsehu.contracts.message import Kind
from elsehu.ids import new_id
from elsehu.messaging.outbound.bulk import BulkMessage, queue_messages
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.lanes import open_lane, steer_lane

ROW = "bulk"
TEXT = "Good morning! This week everything in the shop is a tenth cheaper, order number {} included."
CONNECTIONS = 48
BATCH = 1000
LEFT = "SELECT count(*) FROM messages WHERE lane_id = $1 AND status IN ('pending', 'sending')"
SENT = "SELECT count(DISTINCT external_id) FROM messages WHERE lane_id = $1 AND status_rank IN (3, 5, 6, 7)"

MAKE = """
WITH made AS (
    INSERT INTO contacts (id, name, profile_name, username, tags, custom, search_text, unreachable_reason, phone)
    SELECT id, 'customer', '', '', '{}', '{}', '', '', phone FROM unnest($1::uuid[], $2::text[]) AS c(id, phone)
)
INSERT INTO contact_identities (id, contact_id, kind, value, scope, address)
SELECT gen_random_uuid(), id, 'phone', phone, '', phone FROM unnest($1::uuid[], $2::text[]) AS c(id, phone)
"""


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure messages a second of one lane, each round to customers of its own."""
    async with running_web(place, await place.new_database()) as web, connected_number(place, web) as evolution:
        told = [await _round(web, evolution, sizes, number) for number in range(sizes.rounds + 1)][1:]
        await _tell_nobody(evolution)
        silent = [await _round(web, evolution, sizes, number) for number in range(50, sizes.rounds + 50)]
    queued = [one[2] for one in told + silent]
    return [
        compared(ROW, "messages", "/s", [(ours, floor) for ours, floor, _ in silent], "≥ 1000 /s"),
        compared(ROW, "messages, each told back by a webhook", "/s", [(ours, floor) for ours, floor, _ in told]),
        alone(ROW, f"queued, {BATCH} at a time", "/s", queued),
    ]


async def _round(web: Web, evolution: Evolution, sizes: Sizes, number: int) -> tuple[float, float, float]:
    """Return messages a second through Elsehu, directly, and how many are queued a second."""
    people = await _people(web, sizes.bulk, number)
    instance = UUID(evolution.instance_id)
    async with web.kernel.db.transaction() as uow:
        lane_id = await open_lane(uow, instance, "campaigns")
    messages = [BulkMessage(new_id(), one, Draft(Kind.TEXT, TEXT.format(n))) for n, one in enumerate(people)]
    started = time.perf_counter()
    for first in range(0, len(messages), BATCH):
        async with web.kernel.db.transaction() as uow:
            await queue_messages(uow, web.kernel, lane_id, messages[first : first + BATCH], web.kernel.now())
    queued = len(people) / (time.perf_counter() - started)
    started = time.perf_counter()
    async with web.kernel.db.transaction() as uow:
        await steer_lane(uow, lane_id, is_open=True)
    # It watches the table from outside, as a person would.
    while await web.kernel.db.fetch_value(LEFT, lane_id):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    ours = len(people) / (time.perf_counter() - started)
    await _check(web, evolution, lane_id, people)
    plan = replace(direct_plan(evolution), requests=sizes.bulk, connections=CONNECTIONS, first=number * sizes.bulk)
    return ours, (await driven(plan, 201)).rate, queued


async def _people(web: Web, count: int, number: int) -> list[UUID]:
    ids = [new_id() for _ in range(count)]
    await web.kernel.db.execute(MAKE, ids, [f"55119{number + 10:02d}{n:06d}" for n in range(count)])
    return ids


async def _check(web: Web, evolution: Evolution, lane_id: UUID, people: Sequence[UUID]) -> None:
    """Raise RuntimeError unless every message of the lane has left once."""
    sent = await web.kernel.db.fetch_value(SENT, lane_id)
    if sent != len(people):
        raise RuntimeError(f"of {len(people)} messages {sent} were sent")


async def _tell_nobody(evolution: Evolution) -> None:
    """Switch the stand-in's webhooks off."""
    body = {"webhook": {"enabled": False, "url": "http://127.0.0.1:9/", "events": []}}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{evolution.port}", headers={"apikey": KEY}) as http:
        (await http.post(f"/webhook/set/{NAME}", json=body)).raise_for_status()
