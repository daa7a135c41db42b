"""Webhooks of Meta at the door of a whole Elsehu: every sample, signed, in any order and twice."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

from .conftest import (
    APP_SECRET,
    NUMBER,
    OTHER_NUMBER,
    OTHER_PHONE,
    PHONE,
    TOKEN,
    VERIFY_TOKEN,
    WABA,
    bytes_of,
    names,
    signature,
)
from .test_samples import SAYS

NOWHERE = "http://127.0.0.1:9"
"""A port on which nothing listens: Meta is not needed to be heard."""


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"plugins": {"enabled": ["meta_cloud", "storage_local"]}, "instances": {"status_seconds": 600}}


class Desk:
    """The samples' two numbers on a running server."""

    def __init__(self, server: RunningServer, api: ApiClient, numbers: Sequence[dict[str, Any]]) -> None:
        self.server = server
        self.api = api
        self.numbers = numbers
        self.url = f"{server.url}/api/webhooks/meta_cloud"

    async def post(self, body: bytes, shown: str | None = None, at: str = "") -> httpx.Response:
        """Post a body as Meta does."""
        signed = signature(body) if shown is None else shown
        async with httpx.AsyncClient(timeout=30) as meta:
            return await meta.post(self.url + at, content=body, headers={"x-hub-signature-256": signed})

    async def post_samples(self, order: Sequence[str]) -> None:
        """Post samples, several at a time."""
        limit = asyncio.Semaphore(8)

        async def post(meta: httpx.AsyncClient, name: str) -> None:
            body = bytes_of(name)
            async with limit:
                answer = await meta.post(self.url, content=body, headers={"x-hub-signature-256": signature(body)})
            assert answer.status_code == 200, (name, answer.text)

        async with httpx.AsyncClient(timeout=30) as meta, asyncio.TaskGroup() as posts:
            for name in order:
                posts.create_task(post(meta, name))

    async def get(self, path: str) -> Any:
        answer = await self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def lost(self) -> list[str]:
        """Return why parts of webhooks could not be applied."""
        rows = await self.server.kernel.db.fetch("SELECT error FROM dead_letters ORDER BY id")
        return [row["error"] for row in rows]

    async def everything(self) -> Any:
        """Return what the API shows of all conversations, without our own ids and times of arrival."""
        shown = []
        for conversation in (await self.get("/api/conversations?limit=200"))["items"]:
            items = (await self.get(f"/api/messages/conversation/{conversation['id']}?limit=200"))["items"]
            contact = await self.get(f"/api/contacts/{conversation['contact']['id']}")
            messages = [_without_ids(item) for item in items]
            shown.append(
                {
                    "number": conversation["serviceInstance"]["name"],
                    "name": contact["name"],
                    "phone": contact["phone"],
                    "addresses": sorted(one["value"] for one in contact["identities"]),
                    "window": conversation["windowExpiresAt"],
                    "messages": sorted(messages, key=lambda one: str(one["externalId"])),
                }
            )
        return sorted(shown, key=lambda one: (one["number"], one["addresses"]))


OURS = ("id", "conversationId", "createdAt", "media", "replyTo", "sentAt", "deliveredAt", "readAt")


def _without_ids(message: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in message.items() if name not in OURS}
    kept["deleted"], kept["edited"] = bool(message["deleted"]), bool(message["edited"])
    return kept


def _number(name: str, phone: str, number_id: str) -> dict[str, Any]:
    credentials = {
        "accessToken": TOKEN,
        "phoneNumberId": number_id,
        "wabaId": WABA,
        "appSecret": APP_SECRET,
        "verifyToken": VERIFY_TOKEN,
    }
    settings = {"baseUrl": NOWHERE}
    return {"name": name, "phone": phone, "provider": "meta_cloud", "credentials": credentials, "settings": settings}


@pytest.fixture
async def desk(server: RunningServer, admin: ApiClient) -> AsyncIterator[Desk]:
    numbers = []
    for name, phone, number_id in (("Support", PHONE, NUMBER), ("Sales", OTHER_PHONE, OTHER_NUMBER)):
        answer = await admin.post("/api/service-instances", _number(name, phone, number_id))
        assert answer.status_code == 201, answer.text
        numbers.append(answer.json())
    yield Desk(server, admin, numbers)


async def test_the_door_opens_to_the_signature_alone(desk: Desk) -> None:
    body = bytes_of("01-text")
    for shown in ("", "sha256=" + "0" * 64, signature(body, "guessed"), signature(body + b" ")):
        assert (await desk.post(body, shown)).status_code == 401
    assert (await desk.get("/api/conversations"))["items"] == []
    own = f"/{desk.numbers[0]['id']}"
    for at in ("", own):
        assert (await desk.post(body, at=at)).status_code == 200
    assert len((await desk.get("/api/conversations"))["items"]) == 1
    for odd in (b"", b"no json", b"[]", b'{"object":"page"}', b'{"object":"whatsapp_business_account","entry":[]}'):
        assert (await desk.post(odd)).status_code == 200


async def test_metas_question_is_answered(desk: Desk) -> None:
    question = {"hub.mode": "subscribe", "hub.challenge": "115 8201<444", "hub.verify_token": VERIFY_TOKEN}
    async with httpx.AsyncClient() as meta:
        for at in ("", f"/{desk.numbers[1]['id']}"):
            answer = await meta.get(desk.url + at, params=question)
            assert (answer.status_code, answer.text) == (200, "115 8201<444")
            assert answer.headers["content-type"].startswith("text/plain")
        assert (await meta.get(desk.url, params=question | {"hub.verify_token": "wrong"})).status_code == 403
        assert (await meta.get(desk.url)).status_code == 400


DANA = ("Dana Sample", "+12025550177", ["+12025550177", "US.1000000000000000043"])
"""Known by number and user id in 01, under another number since 15."""
SAM = ("Sam", None, ["GB.1000000000000000999"])
"""Known by user id alone in 19, under another one since 20; not the Sam of 25, who has a number."""
PEOPLE = [
    ("Sales", *DANA, 1),
    ("Support", *DANA, 18),
    ("Support", "Sam", "+447700900123", ["+447700900123"], 1),
    ("Support", "Cliente Exemplo", "+5548999990001", ["+5548999990001", "BR.1000000000000000001"], 1),
    ("Support", *SAM, 1),
    ("Support", "", None, ["R1JPVVAtU0FNUExFLTE="], 1),
]
EDITED, REVOKED, ECHO = (f"wamid.ZWxzZWh1LXNhbXBsZS0w{one}" for one in ("MDAx", "MDAy", "NzAw"))


async def test_the_samples_in_any_order_and_twice_leave_the_same(desk: Desk, seed: int) -> None:
    shuffled = random.Random(seed).sample(names(), len(names()))
    await desk.post_samples(shuffled)
    first = await desk.everything()
    shown = [(one["number"], one["name"], one["phone"], one["addresses"], len(one["messages"])) for one in first]
    assert shown == PEOPLE
    messages = {one["externalId"]: one for each in first for one in each["messages"]}
    assert set(messages) == expected()
    assert (messages[EDITED]["text"], messages[EDITED]["edited"]) == ("Hello, is my order 7782 on its way?", True)
    assert [wamid for wamid, one in messages.items() if one["deleted"]] == [REVOKED]
    assert [wamid for wamid, one in messages.items() if one["direction"] == "OUTBOUND"] == [ECHO]
    await desk.post_samples(list(reversed(shuffled)))
    assert await desk.everything() == first
    assert await desk.lost() == []


def expected() -> set[str]:
    """Return the ids of all messages of the samples, as their table says."""
    return {one["external_id"] for name in names() for one in SAYS[name] if one["type"] == "MessageArrived"}


async def test_what_the_samples_say_of_numbers_is_shown_there(desk: Desk) -> None:
    await desk.post_samples(["26-value-level-error"])
    support = await desk.get(f"/api/service-instances/{desk.numbers[0]['id']}")
    sales = await desk.get(f"/api/service-instances/{desk.numbers[1]['id']}")
    assert support["health"]["lastError"]["code"] == 130429
    assert "lastError" not in sales["health"]


async def test_several_numbers_and_the_unknown_in_one_body_at_one_numbers_address(desk: Desk) -> None:
    """An app's webhook may come to any of its numbers' addresses, and speaks for all of them."""
    own = f"/{desk.numbers[1]['id']}"
    assert (await desk.post(bytes_of("25-batch-two-numbers-mixed"), at=own)).status_code == 200
    shown = sorted((one["number"], one["name"]) for one in await desk.everything())
    assert shown == [("Sales", "Dana Sample"), ("Support", "Dana Sample"), ("Support", "Sam")]


async def test_what_is_mutilated_waits_for_somebody_and_costs_its_neighbours_nothing(desk: Desk) -> None:
    broken = bytes_of("25-batch-two-numbers-mixed").replace(b'"other person"', b"7")
    assert broken != bytes_of("25-batch-two-numbers-mixed")
    assert (await desk.post(broken)).status_code == 200
    assert await desk.lost() == ["a text that is none"]
    shown = [(one["number"], one["name"]) for one in await desk.everything()]
    assert shown == [("Sales", "Dana Sample"), ("Support", "Dana Sample")]
