"""A stand-in Evolution server in a process of its own, its numbers, and the webhooks that it would send.

Elsehu is connected with the number `NAME`; nobody is told what happens at `SILENT`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from bench import processes
from bench.place import Place, Web

KEY = "evo-key"
NAME = "wa"
SILENT = "silent"
OWNER = "5511955550001"
CONNECT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Evolution:
    """A running stand-in; `webhook_path` and `webhook_headers` are what Elsehu told it to use."""

    port: int
    instance_id: str
    webhook_path: str
    webhook_headers: dict[str, str]


@asynccontextmanager
async def connected_number(place: Place, web: Web) -> AsyncIterator[Evolution]:
    """Run a stand-in with a connected number, and connect Elsehu with it."""
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["-m", "elsehu_evolution.testing", "--port", str(port)]
    async with processes.running(command, place.folder, {}, log="evolution.log") as process:
        await processes.answers(process, port, "/")
        async with httpx.AsyncClient(base_url=url, headers={"apikey": KEY}, timeout=30) as http:
            for name in (NAME, SILENT):
                (await http.post("/_test/add_instance", json={"name": name, "phone": OWNER})).raise_for_status()
            number = await _number(web, url)
            hook = (await http.get(f"/webhook/find/{NAME}")).raise_for_status().json()
        yield Evolution(port, number["id"], urlsplit(hook["url"]).path, hook["headers"])


async def _number(web: Web, url: str) -> dict[str, Any]:
    credentials = {"serverUrl": url, "apiKey": KEY, "instanceName": NAME}
    body = {"name": "Shop", "phone": f"+{OWNER}", "provider": "evolution", "credentials": credentials}
    number: dict[str, Any] = await web.call("POST", "/api/service-instances", body)
    async with asyncio.timeout(CONNECT_SECONDS):
        while number["status"] != "connected":
            await asyncio.sleep(0.1)
            number = await web.call("GET", f"/api/service-instances/{number['id']}")
    return number


def customers(count: int) -> list[str]:
    """Return eight digits for each customer, the end of their phone and LID."""
    return [str(80_000_000 + number) for number in range(count)]


def webhook_body() -> str:
    """Return the body of a customer's text as Evolution 2.3 sends it: a driver's template (bench/driver.py)."""
    data = {
        "key": {
            "remoteJid": "55119@V@@s.whatsapp.net",
            "remoteJidAlt": "2000000@V@@lid",
            "fromMe": False,
            "id": "ACACFC5B2F3CAC1B@N@",
            "participant": "",
            "addressingMode": "pn",
        },
        "pushName": "Maria Silva @V@",
        "status": "DELIVERY_ACK",
        "message": {"conversation": "Good morning! Is my order number @N@ on its way? Thank you very much."},
        "messageType": "conversation",
        "messageTimestamp": "@T@",
        "instanceId": "81c88c7d-dba0-4645-b42e-37ee04ed86e5",
        "source": "android",
    }
    body = {
        "event": "messages.upsert",
        "instance": NAME,
        "data": data,
        "destination": "http://127.0.0.1:18082/wa",
        "date_time": "2026-11-23T14:15:00.681Z",
        "sender": f"{OWNER}@s.whatsapp.net",
        "server_url": "http://127.0.0.1:18080",
        "apikey": "0453BA9F-23CA-4B0A-98F2-DA32444A8F16",
    }
    return orjson.dumps(body).decode().replace('"@T@"', "@T@")


async def tell_nobody(evolution: Evolution) -> None:
    """Switch the stand-in's webhooks off, as servers are that have `send.message` switched off."""
    body = {"webhook": {"enabled": False, "url": "http://127.0.0.1:9/", "events": []}}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{evolution.port}", headers={"apikey": KEY}) as http:
        (await http.post(f"/webhook/set/{NAME}", json=body)).raise_for_status()
