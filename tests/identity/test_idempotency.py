"""`Idempotency-Key`: a creating POST that comes again creates nothing and gets the first answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from starlette.responses import StreamingResponse

from elsehu.contracts.errors import Conflict
from elsehu.http.operations import Call, Operation
from elsehu.http.schemas import ApiModel, NoQuery
from elsehu.kernel import Kernel
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer

MARIA = {"name": "Maria", "email": "maria@example.com", "role": "OPERATOR", "password": "a good long password"}
KEY = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


async def rows(kernel: Kernel) -> int:
    count: int = await kernel.db.fetch_value("SELECT count(*) FROM idempotency_keys")
    return count


async def users(kernel: Kernel) -> int:
    count: int = await kernel.db.fetch_value("SELECT count(*) FROM users WHERE email LIKE 'maria%'")
    return count


async def test_a_repetition_gets_the_first_answer(server: RunningServer, admin: ApiClient) -> None:
    first = await admin.post("/api/users", MARIA, headers=KEY)
    again = await admin.post("/api/users", MARIA, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await users(server.kernel) == 1


async def test_without_the_header_nothing_is_remembered(server: RunningServer, admin: ApiClient) -> None:
    assert (await admin.post("/api/users", MARIA)).status_code == 201
    assert (await admin.post("/api/users", MARIA)).status_code == 409
    assert await rows(server.kernel) == 0


async def test_a_key_is_for_one_request(admin: ApiClient) -> None:
    await admin.post("/api/users", MARIA, headers=KEY)
    other = await admin.post("/api/users", {**MARIA, "name": "Mara"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_belongs_to_its_caller_and_path(server: RunningServer, admin: ApiClient) -> None:
    key = {"name": "k", "role": "OPERATOR"}
    async with log_in_as(server, "ADMIN") as other:
        mine, theirs = [(await who.post("/api/api-keys", key, headers=KEY)).json()["key"] for who in (admin, other)]
        assert mine != theirs
        assert (await admin.post("/api/api-keys", key, headers=KEY)).json()["key"] == mine
        assert (await admin.post("/api/users", MARIA, headers=KEY)).status_code == 201


async def test_a_refusal_is_not_remembered(server: RunningServer, admin: ApiClient) -> None:
    assert (await admin.post("/api/users", {**MARIA, "password": "weak"}, headers=KEY)).status_code == 422
    assert (await admin.post("/api/users", {**MARIA, "email": admin.user["email"]}, headers=KEY)).status_code == 409
    assert await rows(server.kernel) == 0
    assert (await admin.post("/api/users", MARIA, headers=KEY)).status_code == 201


async def test_of_parallel_requests_one_is_carried_out(server: RunningServer, admin: ApiClient) -> None:
    answers = await asyncio.gather(*(admin.post("/api/users", MARIA, headers=KEY) for _ in range(12)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    in_progress = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json()["code"] for answer in in_progress} <= {"idempotency_in_progress"}
    assert all(answer.headers["retry-after"] == "1" for answer in in_progress)
    assert await users(server.kernel) == 1
    assert (await admin.post("/api/users", MARIA, headers=KEY)).status_code == 201


async def test_the_same_key_creates_again_after_a_day(server: RunningServer, admin: ApiClient) -> None:
    key = {"name": "k", "role": "OPERATOR"}
    first = await admin.post("/api/api-keys", key, headers=KEY)
    await server.kernel.db.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    second = await admin.post("/api/api-keys", key, headers=KEY)
    assert first.json()["key"] != second.json()["key"]
    third = await admin.post("/api/api-keys", key, headers=KEY)
    assert third.json() == second.json()


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_strange_key_is_refused(admin: ApiClient, key: str) -> None:
    answer = await admin.post("/api/users", MARIA, headers={"idempotency-key": key})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]


async def test_a_dead_key_of_the_secret_key_is_told(server: RunningServer, admin: ApiClient) -> None:
    await admin.post("/api/users", MARIA, headers=KEY)
    stored = await server.kernel.db.fetch_row("SELECT * FROM idempotency_keys")
    assert stored is not None
    assert b"maria" not in stored["answer"] and b"maria" not in stored["request"]
    assert b"maria" in server.kernel.secrets.decrypt(stored["answer"])


class Thing(ApiModel):
    how: str


inside, go_on = asyncio.Event(), asyncio.Event()


async def make_thing(call: Call[Thing, NoQuery]) -> Any:
    how = call.body.how
    async with call.transaction() as uow:
        await uow.execute("INSERT INTO audit_log (action) VALUES ('made')")
        if how == "waits inside":
            inside.set()
            await go_on.wait()
        if how == "breaks before commit":
            raise Conflict("broken", "Not made.")
    if how == "breaks after commit":
        raise Conflict("broken", "Made, but its answer is lost.")
    if how == "two transactions":
        async with call.transaction() as uow:
            await uow.execute("INSERT INTO audit_log (action) VALUES ('made')")
    if how == "waits":
        await asyncio.sleep(0.5)
    if how == "streams":
        return StreamingResponse(iter([b"{}"]), 201, media_type="application/json")
    return {"how": how}


async def make_without_transaction(call: Call[Thing, NoQuery]) -> Any:
    await call.kernel.db.execute("INSERT INTO audit_log (action) VALUES ('made')")
    return {"how": call.body.how}


THINGS = (
    Operation("POST", "/api/things", make_thing, "Make.", "things", body=Thing, status=201),
    Operation("POST", "/api/others", make_without_transaction, "Make.", "things", body=Thing, status=201),
)


class TestWhatGoesWrong:
    @pytest.fixture
    async def server(
        self, settings: Settings, start: Callable[..., AbstractAsyncContextManager[RunningServer]]
    ) -> AsyncIterator[RunningServer]:
        async with start(settings, THINGS) as running:
            yield running

    async def twice(self, client: ApiClient, how: str, path: str = "/api/things") -> list[httpx.Response]:
        return [await client.post(path, {"how": how}, headers=KEY) for _ in range(2)]

    async def made(self, server: RunningServer) -> int:
        count: int = await server.kernel.db.fetch_value("SELECT count(*) FROM audit_log WHERE action = 'made'")
        return count

    async def test_what_was_rolled_back_may_be_repeated(self, server: RunningServer, operator: ApiClient) -> None:
        answers = await self.twice(operator, "breaks before commit")
        assert [answer.json()["code"] for answer in answers] == ["broken", "broken"]
        assert await self.made(server) == 0
        assert await rows(server.kernel) == 0

    async def test_what_was_committed_is_never_repeated(self, server: RunningServer, operator: ApiClient) -> None:
        answers = await self.twice(operator, "breaks after commit")
        assert [answer.json()["code"] for answer in answers] == ["broken", "idempotency_in_progress"]
        assert await self.made(server) == 1

    async def test_several_transactions_are_one_request(self, server: RunningServer, operator: ApiClient) -> None:
        answers = await self.twice(operator, "two transactions")
        assert [answer.status_code for answer in answers] == [201, 201]
        assert await self.made(server) == 2

    async def test_who_comes_while_the_first_still_works_is_told(
        self, server: RunningServer, operator: ApiClient
    ) -> None:
        first = asyncio.create_task(operator.post("/api/things", {"how": "waits"}, headers=KEY))
        while await rows(server.kernel) == 0:
            await asyncio.sleep(0.005)
        early = await operator.post("/api/things", {"how": "waits"}, headers=KEY)
        assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_progress")
        assert (await first).status_code == 201
        assert (await operator.post("/api/things", {"how": "waits"}, headers=KEY)).json() == {"how": "waits"}
        assert await self.made(server) == 1

    async def test_who_comes_before_the_first_is_committed_does_not_wait(
        self, server: RunningServer, operator: ApiClient
    ) -> None:
        first = asyncio.create_task(operator.post("/api/things", {"how": "waits inside"}, headers=KEY))
        await inside.wait()
        async with asyncio.timeout(5):
            early = await operator.post("/api/things", {"how": "waits inside"}, headers=KEY)
        assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_progress")
        go_on.set()
        assert (await first).status_code == 201
        assert await self.made(server) == 1

    async def test_a_stream_cannot_be_kept(self, server: RunningServer, operator: ApiClient) -> None:
        answers = await self.twice(operator, "streams")
        assert [answer.status_code for answer in answers] == [201, 409]
        assert await self.made(server) == 1

    async def test_an_operation_without_transaction_is_replayed_too(
        self, server: RunningServer, operator: ApiClient
    ) -> None:
        answers = await self.twice(operator, "x", "/api/others")
        assert [answer.json() for answer in answers] == [{"how": "x"}] * 2
        assert await self.made(server) == 1
