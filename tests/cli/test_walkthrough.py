"""The printed walk-through does what it says, pasted whole into a plain shell."""

import asyncio
import json
import os

import pytest

from elsehu.cli.walkthrough import walkthrough
from elsehu.testing.client import PASSWORD, ApiClient
from elsehu.testing.serving import RunningServer

SECRET = """it's "$HOME" \\ `id` {} 100%"""


async def sh(script: str, **environment: str) -> tuple[str, str]:
    """Run `script` in a plain shell and return what it said on both streams."""
    shell = await asyncio.create_subprocess_exec(
        "sh", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip
    out, err = await shell.communicate(script.encode())
    return out.decode(), err.decode()


@pytest.fixture
async def greeted(admin: ApiClient) -> None:
    """A sandbox number whose customer has written."""
    settings = {"script": "hello", "delays": {"deliveredSeconds": 0.2, "readSeconds": 1, "replySeconds": 2}}
    instance = {"name": "Sandbox", "phone": "+5511955550000", "provider": "sandbox", "credentials": {}}
    answer = await admin.post("/api/service-instances", {**instance, "settings": settings})
    assert answer.status_code == 201, answer.text
    async with asyncio.timeout(20):
        while not (await admin.get("/api/conversations")).json()["items"]:
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("greeted")
@pytest.mark.parametrize("is_shown", [True, False], ids=["password shown", "password in the environment"])
async def test_a_conversation_is_held_by_copy_and_paste(
    server: RunningServer, admin: ApiClient, is_shown: bool
) -> None:
    text = walkthrough(server.url, admin.user["email"], PASSWORD if is_shown else None, "Sandbox")
    environment = {} if is_shown else {"ELSEHU_ADMIN_PASSWORD": PASSWORD}
    out, err = await sh(text, **environment)
    assert err == ""
    conversations, _ = json.JSONDecoder().raw_decode(out)
    assert conversations["items"][0]["contact"]["phone"] == "+5511987654321"
    first, *_, last = looks(out)
    assert first == [("INBOUND", "received")]
    assert last == [("INBOUND", "received"), ("OUTBOUND", "read"), ("INBOUND", "received"), ("INBOUND", "received")]
    assert any(("OUTBOUND", "read") in look and len(look) == 3 for look in looks(out))


def looks(out: str) -> list[list[tuple[str, str]]]:
    """Return what each look at the messages showed."""
    shown: list[list[tuple[str, str]]] = [[]]
    for line in out.splitlines():
        words = line.split()
        if words and words[0] in {"INBOUND", "OUTBOUND"}:
            shown[-1].append((words[0], words[1]))
        elif shown[-1]:
            shown.append([])
    return [look for look in shown if look]


async def test_a_difficult_password_reaches_the_server_as_it_is_and_is_shown_once() -> None:
    text = walkthrough("http://127.0.0.1:1", "admin@example.com", SECRET, "Sandbox")
    login = next(line for line in text.splitlines() if line.startswith("LOGIN="))
    out, err = await sh(f"{login}\nprintf '%s' \"$LOGIN\"")
    assert (json.loads(out), err) == ({"email": "admin@example.com", "password": SECRET}, "")
    assert sum("id` {} 100%" in line for line in text.splitlines()) == 1


@pytest.mark.parametrize("name", ["Sandbox", "It's (mine) `id` $HOME; rm", "Loja São João"])
async def test_comments_hold_nothing_that_a_shell_would_run(name: str) -> None:
    text = walkthrough("http://127.0.0.1:1", "admin@example.com", None, name)
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments
    assert not [line for line in comments if set(line) & set("'\"`()[]{};&|<>*?!$\\")]
