"""Marks as secrets and as customers' words, put in wherever something can enter: they come out nowhere else.

A whole installation runs, its log at the level debug. The marks have no shape that gives them away.
"""

import asyncio
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from elsehu_evolution.testing import EvolutionStandin, running_standin
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import ConnectionClosed

from .installation import ADMIN, Installation
from .test_kill import connect

PROVIDER_KEY = "markprovidertoken"
WRONG_PASSWORD = "markwrongpassword"
WRONG_SECRET = "markwebhooksecret"
BEARER = "markbearer"
S3_SECRET = "marks3secret"
DATABASE = "markdatabase"
REDIS = "markredis"
SECRET_KEY = "marksecretkeymarksecretkeymarksecretkey"
QUERY = "markquery"
TEXT = "marktextofacustomer"
PLUGIN = """
import os
from elsehu.plugin import PluginInfo, hookimpl

@hookimpl
def plugin_info():
    return PluginInfo("marked", "Fails, and repeats what it was told")

@hookimpl
async def message_received(data):
    try:
        raise KeyError(str(data))
    except KeyError:
        raise ValueError(str(data) + os.environ["MARK"])
"""
CONFIGURATION = f"""
[plugins]
enabled = ["evolution", "sandbox", "storage_local", "storage_s3", "marked"]
[plugins.storage_s3]
bucket = "desk"
endpoint = "http://127.0.0.1:9"
allow_http = true
region = "us-east-1"
access_key_id = "desk"
secret_access_key = "{S3_SECRET}"
"""


class Place:
    """An installation with everything that it said, and what of it is secret."""

    def __init__(self, folder: Path, form: str) -> None:
        self.folder = folder
        self.secrets = {
            *(PROVIDER_KEY, WRONG_PASSWORD, WRONG_SECRET, BEARER, S3_SECRET, DATABASE, REDIS, SECRET_KEY, QUERY),
            ADMIN["password"],
        }
        self.said: list[tuple[str, str]] = []
        _install_plugin(folder)
        (folder / "elsehu.toml").write_text(CONFIGURATION)
        self.environment = {
            "MARK": S3_SECRET,
            "PYTHONPATH": str(folder / "site"),
            "ELSEHU_CONFIG": str(folder / "elsehu.toml"),
            "ELSEHU_LOGGING__LEVEL": "debug",
            "ELSEHU_LOGGING__FORMAT": form,
            "ELSEHU_SERVER__METRICS": "true",
        }
        self.installation = Installation(folder, **self.environment)

    async def ask(self, method: str, path: str, status: int | None = None, **options: Any) -> httpx.Response:
        """Ask, and note what a refusal says."""
        answer = await self.installation.http.request(method, path, **options)
        assert status in (None, answer.status_code), answer.text
        if answer.status_code >= 400:
            self.said.append((f"{method} {path} {answer.status_code}", f"{answer.headers} {answer.text}"))
        return answer

    def command(self, *words: str, **environment: str) -> int:
        """Call the program, and note what it says."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"ELSEHU_DATA_DIR": str(self.installation.data_dir), **self.environment, **environment}
        program = str(Path(sys.executable).with_name("elsehu"))
        done = subprocess.run(
            [program, *words],
            check=False,
            cwd=self.folder,
            env={**kept, **own},
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.said.append((f"elsehu {words[0]}", done.stdout + done.stderr))
        return done.returncode


def _install_plugin(folder: Path) -> None:
    info = folder / "site" / "marked-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: marked\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[elsehu]\nmarked = marked\n")
    (info.parent / "marked.py").write_text(PLUGIN)


@pytest.fixture
def standin() -> Iterator[EvolutionStandin]:
    with running_standin(global_key=PROVIDER_KEY, retry_base=0.05) as running:
        yield running


@pytest.mark.parametrize("form", ["json", "console"])
async def test_what_is_secret_and_what_customers_wrote_come_out_nowhere(
    tmp_path: Path, standin: EvolutionStandin, form: str
) -> None:
    place = Place(tmp_path, form)
    async with place.installation:
        await log_in_well_and_badly(place)
        webhook = await connect(place.installation, standin)
        place.secrets |= {one for one in map(str, webhook["headers"].values()) if len(one) >= 16}
        await be_told_well_and_badly(place, webhook)
        await send_to_a_provider_that_repeats(place, standin)
        await open_sockets_badly(place)
        await asyncio.to_thread(look_after, place)
        for path in ("/metrics", "/health", "/health/ready", "/openapi.json", "/api/audit?limit=200"):
            answer = await place.ask("GET", path, 200)
            place.said.append((path, answer.text))
        rows = await kept_rows(place)
    await asyncio.to_thread(start_badly, place)
    log = place.installation.log.read_text()
    assert "notification_failed" in log
    assert '"level":"debug"' in log or "[debug" in log
    hits = [(where, mark) for where, text in [*place.said, ("log", log)] for mark in marks_in(text, place, TEXT)]
    hits += [(where, mark) for where, text in rows for mark in marks_in(text, place)]
    hits += [("manifest", mark) for mark in marks_in(manifest_of(place), place, TEXT)]
    assert not hits, [(where, mark, around(mark, where, [*place.said, ("log", log), *rows])) for where, mark in hits]


def marks_in(text: str, place: Place, *more: str) -> list[str]:
    return [mark for mark in [*place.secrets, *more] if mark in text]


def around(mark: str, where: str, said: list[tuple[str, str]]) -> str:
    text = next((text for name, text in said if name == where and mark in text), "")
    found = text.find(mark)
    return text[max(found - 400, 0) : found + 100]


async def log_in_well_and_badly(place: Place) -> None:
    wrong = {"email": ADMIN["email"], "password": WRONG_PASSWORD}
    await place.ask("POST", "/api/auth/login", 401, json=wrong)
    await place.ask("POST", "/api/auth/login", 422, json={"email": WRONG_PASSWORD, "password": [WRONG_PASSWORD]})
    await place.ask("POST", f"/api/auth/login?token={QUERY}", content=f'{{"password": "{WRONG_PASSWORD}')
    await place.ask("POST", "/api/auth/login", content=f"password={WRONG_PASSWORD}".encode())
    await place.installation.log_in()
    http = place.installation.http
    place.secrets.add(http.headers["authorization"].removeprefix("Bearer "))
    key = (await place.ask("POST", "/api/api-keys", json={"name": "robot", "role": "ADMIN"})).json()
    place.secrets |= {
        text for text in key.values() if isinstance(text, str) and text.startswith("elk_") and len(text) > 20
    }
    assert any(one.startswith("elk_") for one in place.secrets), key
    for header in (f"Bearer {BEARER}", f"Bearer elk_{BEARER}", f"Basic {BEARER}", BEARER):
        await place.ask("GET", "/api/users", 401, headers={"authorization": header})
    await place.ask("GET", f"/api/users?token={QUERY}&cursor={QUERY}&limit={QUERY}")
    user = {"name": "A", "email": "a@example.com", "password": WRONG_PASSWORD, "role": WRONG_PASSWORD}
    await place.ask("POST", "/api/users", 422, json=user)


async def be_told_well_and_badly(place: Place, webhook: dict[str, Any]) -> None:
    url, headers = webhook["url"], webhook["headers"]
    body = arrival("IN1", TEXT)
    async with httpx.AsyncClient() as provider:

        async def tell(content: Any, **more: str) -> int:
            answer = await provider.post(
                url, content=content, headers={"content-type": "application/json", **headers, **more}
            )
            if answer.status_code >= 400:
                place.said.append(("webhook", answer.text))
            return answer.status_code

        assert await tell(orjson.dumps(body), **{"x-api-key": BEARER, "cookie": QUERY}) == 200
        without_key = orjson.dumps({**body, "apikey": "wrong"})
        assert await tell(without_key, **dict.fromkeys(headers, WRONG_SECRET)) == 401
        await tell(f'{{"data": "{TEXT}, "apikey": "{PROVIDER_KEY}"'.encode())
        await tell(orjson.dumps(arrival("IN2", {"odd": [TEXT]})))
        await tell(orjson.dumps(arrival("IN3", f"{TEXT}\0")))
        await tell(orjson.dumps({**arrival("IN4", TEXT), "event": "unheard.of", "password": WRONG_PASSWORD}))
        await tell(orjson.dumps({**arrival("IN5", TEXT), "date_time": [TEXT], "data": [[TEXT]]}))
        huge = arrival("IN6", TEXT)
        huge["data"]["messageTimestamp"] = 10**30
        await tell(json.dumps(huge).encode())
    await place.ask("POST", f"/api/webhooks/meta_cloud/{WRONG_SECRET}?hub.verify_token={QUERY}", json={"text": TEXT})
    await place.ask("POST", f"/api/webhooks/evolution/{webhook['id']}/{WRONG_SECRET}?token={QUERY}", json=body)


def arrival(name: str, text: Any) -> dict[str, Any]:
    return {
        "event": "messages.upsert",
        "instance": "wa",
        "apikey": PROVIDER_KEY,
        "data": {
            "key": {"remoteJid": "5511988887777@s.whatsapp.net", "fromMe": False, "id": name},
            "pushName": "Maria",
            "message": {"conversation": text},
            "messageType": "conversation",
            "messageTimestamp": 1795443300,
        },
    }


async def send_to_a_provider_that_repeats(place: Place, standin: EvolutionStandin) -> None:
    words = " ".join([TEXT, *sorted(place.secrets)])
    said = {"status": 400, "error": words, "response": {"message": [words], "apikey": PROVIDER_KEY}}
    conversation = next(
        one
        for one in await place.installation.everything("/api/conversations")
        if one["serviceInstance"]["provider"] == "evolution"
    )
    for status in (400, 401, 403, 404, 429, 500):
        standin.faults.answer("POST /message/sendText/*", status, said)
        await place.ask("POST", "/api/messages/send", json={"conversationId": conversation["id"], "text": TEXT})
    await place.ask("POST", "/api/messages/send", 422, json={"conversationId": TEXT, "text": [TEXT], "kind": TEXT})
    number = {
        "name": "other",
        "phone": "+5511955550002",
        "provider": "evolution",
        "credentials": {
            "serverUrl": f"http://u:{PROVIDER_KEY}@127.0.0.1:9/",
            "apiKey": PROVIDER_KEY,
            "instanceName": "wo",
        },
    }
    await place.ask("POST", "/api/service-instances", json=number)
    await place.ask("POST", "/api/service-instances", json={**number, "credentials": {"apiKey": [PROVIDER_KEY]}})


async def open_sockets_badly(place: Place) -> None:
    url = place.installation.url.replace("http", "ws", 1) + "/ws"
    good = place.installation.http.headers["authorization"].removeprefix("Bearer ")
    for address, first in (
        (f"{url}?token={QUERY}", "{}"),
        (url, orjson.dumps({"event": "auth", "data": {"token": BEARER}}).decode()),
        (url, f'{{"event": "auth", "token": "{BEARER}'),
        (
            f"{url}?token={good}",
            orjson.dumps({"event": "unheard:of", "data": {"token": BEARER, "text": TEXT}}).decode(),
        ),
    ):
        async with connect_socket(address) as socket:
            try:
                await socket.send(first)
                for _ in range(2):
                    async with asyncio.timeout(1):
                        frame = str(await socket.recv())
                    if '"error"' in frame:
                        place.said.append(("socket", frame))
            except (ConnectionClosed, TimeoutError):
                pass


def look_after(place: Place) -> None:
    for words in (
        ("doctor",),
        ("doctor", "--json"),
        ("config", "show"),
        ("config", "check"),
        ("plugins",),
        ("tasks",),
        ("audit", "--json"),
        ("webhooks", "list"),
        ("webhooks", "replay", "--since", "1"),
        ("backup", "create", "desk.backup"),
        ("backup", "show", "desk.backup"),
    ):
        place.command(*words)


def start_badly(place: Place) -> None:
    """Start with servers that do not answer, and with settings that are wrong where they are secret."""
    own = {
        "DATABASE_URL": f"postgresql://desk:{DATABASE}@127.0.0.1:9/desk",
        "REDIS_URL": f"redis://:{REDIS}@127.0.0.1:9",
        "ELSEHU_SECRET_KEY": SECRET_KEY,
    }
    for words in (("migrate",), ("web",), ("doctor",), ("config", "show"), ("tasks",)):
        place.command(*words, **own)
    assert place.command("config", "check", **{**own, "DATABASE_URL": f"{DATABASE}:no url"}) in (0, 2)
    place.command("migrate", **{**own, "DATABASE_URL": f"postgresql://desk:{DATABASE}@[nowhere/desk"})
    place.command("web", **{**own, "REDIS_URL": f"http://:{REDIS}@nowhere:x"})
    place.command("migrate", **{**own, "REDIS_URL": ""})
    file = place.folder / "elsehu.toml"
    for wrong in (
        CONFIGURATION.replace(f'"{S3_SECRET}"', f'["{S3_SECRET}"]'),
        CONFIGURATION.replace("secret_access_key", "secret_acces_key"),
        CONFIGURATION.replace(f'"{S3_SECRET}"', f'"{S3_SECRET}'),
        f'secret_key = ["{SECRET_KEY}"]\n{CONFIGURATION}',
        f'admin_password = {{a = "{WRONG_PASSWORD}"}}\nsecret_kye = "{SECRET_KEY}"\n{CONFIGURATION}',
    ):
        file.write_text(wrong)
        assert place.command("config", "check") == 2
    file.write_text(CONFIGURATION)
    place.command("user", "create", "x@example.com", "--password", WRONG_PASSWORD)


async def kept_rows(place: Place) -> list[tuple[str, str]]:
    """Return what the installation keeps of webhooks, and of who did what. Customers' words may be in the former."""
    url = orjson.loads((place.installation.data_dir / "services.json").read_bytes())["database_url"]
    connection = await asyncpg.connect(url)
    try:
        found = []
        for table in ("webhook_events", "dead_letters", "audit_log", "job_runs", "events"):
            rows = await connection.fetch(f"SELECT t::text AS row FROM {table} t")
            found.append((table, "\n".join(row["row"] for row in rows)))
        assert "marktext" in dict(found)["webhook_events"]
        assert "marktext" not in dict(found)["audit_log"]
        return found
    finally:
        await connection.close()


def manifest_of(place: Place) -> str:
    with tarfile.open(place.folder / "desk.backup") as archive:
        first = archive.extractfile(archive.getnames()[0])
        assert first is not None
        return first.read().decode()
