"""Row "send": an operator's text to a stand-in Evolution server, beside posting to that server directly.

The stand-in tells Elsehu of every message that it sent (`send.message`), as the real server does: each send is a
webhook, too. What is posted directly goes to a number of which nobody is told.
"""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from bench.alternating import alternate
from bench.driver import Outcome, Plan, driven
from bench.evolution import KEY, SILENT, Evolution, connected_number, customers, webhook_body
from bench.place import Place, Web, running_web
from bench.sizes import Sizes
from bench.table import Finding, alone, compared

ROW = "send"
TEXT = "Good morning! Yes, order number @N@ left this morning and should arrive by tomorrow."
CONVERSATIONS = "SELECT id FROM conversations WHERE instance_id = $1 AND status <> 'closed' ORDER BY id"
SENT = "SELECT count(*) FROM messages WHERE client_id IS NOT NULL AND external_id IS NOT NULL"
CONNECTIONS = 16


async def measure(place: Place, sizes: Sizes) -> Sequence[Finding]:
    """Measure the time of one send after the other, and sends a second over 16 connections."""
    async with running_web(place, await place.new_database()) as web, connected_number(place, web) as evolution:
        ours = await _ours(web, evolution, sizes)
        direct = direct_plan(evolution)
        single = await _alternated(ours, direct, sizes, sizes.single_sends, 1, 0)
        first = (sizes.rounds + 1) * sizes.single_sends
        many = await _alternated(ours, direct, sizes, sizes.sends, CONNECTIONS, first)
        await _check(web, (sizes.rounds + 1) * (sizes.single_sends + sizes.sends))
    overheads = [a.p50 - b.p50 for a, b in single]
    return [
        alone(ROW, "median time in Elsehu of one send", "ms", overheads, "≤ 10 ms"),
        compared(ROW, "median of one send, 1 connection", "ms", [(a.p50, b.p50) for a, b in single]),
        compared(ROW, f"sends, {CONNECTIONS} connections", "/s", [(a.rate, b.rate) for a, b in many], "≥ 1000 /s"),
        alone(ROW, f"99th percentile, {CONNECTIONS} connections", "ms", [a.p99 for a, _ in many]),
    ]


async def _ours(web: Web, evolution: Evolution, sizes: Sizes) -> Plan:
    """Let every customer write once; return how an ADMIN answers them in turn."""
    writing = Plan(
        web.port,
        evolution.webhook_path,
        body=webhook_body(),
        headers=evolution.webhook_headers,
        values=customers(sizes.customers),
        clock=1_700_000_000,
        requests=sizes.customers,
    )
    await driven(writing, 200)
    instance = await web.kernel.db.fetch_value("SELECT id FROM service_instances")
    rows = await web.kernel.db.fetch(CONVERSATIONS, instance)
    body = orjson.dumps({"conversationId": "@V@", "kind": "text", "text": TEXT, "clientId": "bench-@N@"}).decode()
    values = [str(row["id"]) for row in rows]
    return Plan(web.port, "/api/messages/send", body=body, headers=web.headers, values=values)


def direct_plan(evolution: Evolution) -> Plan:
    body = orjson.dumps({"number": "55119@V@@s.whatsapp.net", "text": TEXT}).decode()
    headers = {"apikey": KEY, "content-type": "application/json"}
    values = customers(2000)
    return Plan(evolution.port, f"/message/sendText/{SILENT}", body=body, headers=headers, values=values)


async def _alternated(
    ours: Plan, direct: Plan, sizes: Sizes, requests: int, connections: int, first: int
) -> Sequence[tuple[Outcome, Outcome]]:
    async def through_elsehu(number: int) -> Outcome:
        return await driven(_part(ours, number), 201)

    async def directly(number: int) -> Outcome:
        return await driven(_part(direct, number), 201)

    def _part(plan: Plan, number: int) -> Plan:
        return replace(plan, requests=requests, connections=connections, first=first + number * requests)

    return await alternate(sizes.rounds, through_elsehu, directly)


async def _check(web: Web, sent: int) -> None:
    """Raise RuntimeError unless all that was answered 201 has left."""
    found = await web.kernel.db.fetch_value(SENT)
    if found < sent:
        raise RuntimeError(f"of {sent} messages that were answered 201 only {found} have left")
