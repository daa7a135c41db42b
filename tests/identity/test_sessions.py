"""Staying and leaving: refresh tokens are good once, and what is revoked is over at once, everywhere."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from elsehu.contracts.errors import Unauthenticated
from elsehu.contracts.user import Role
from elsehu.http.operations import Authenticator
from elsehu.identity import housekeeping, sessions, users
from elsehu.kernel import Kernel
from elsehu.settings import Settings
from elsehu.testing.client import PASSWORD, ApiClient, log_in_as
from elsehu.testing.serving import RunningServer


async def refresh(client: ApiClient, token: str) -> httpx.Response:
    return await client.post("/api/auth/refresh", {"refreshToken": token})


async def me(client: ApiClient, access_token: str | None = None) -> int:
    headers = {"authorization": f"Bearer {access_token or client.token}"}
    return (await client.get("/api/auth/me", headers=headers)).status_code


async def second_login(client: ApiClient) -> dict[str, Any]:
    answer = await client.post("/api/auth/login", {"email": client.user["email"], "password": PASSWORD})
    body: dict[str, Any] = answer.json()
    return body


async def audited(kernel: Kernel, action: str) -> int:
    count: int = await kernel.db.fetch_value("SELECT count(*) FROM audit_log WHERE action = $1", action)
    return count


async def test_a_refresh_gives_the_next_pair(operator: ApiClient) -> None:
    answer = await refresh(operator, operator.refresh_token)
    assert answer.status_code == 200
    assert set(answer.json()) == {"accessToken", "refreshToken", "tokenType", "expiresIn"}
    assert answer.json()["refreshToken"] != operator.refresh_token
    assert await me(operator, answer.json()["accessToken"]) == 200
    assert await me(operator) == 200, "the access token before it is good until it expires"
    assert (await refresh(operator, answer.json()["refreshToken"])).status_code == 200


async def test_a_token_used_twice_ends_its_whole_family(operator: ApiClient, server: RunningServer) -> None:
    other = await second_login(operator)
    second = (await refresh(operator, operator.refresh_token)).json()
    third = (await refresh(operator, second["refreshToken"])).json()
    assert await me(operator, third["accessToken"]) == 200
    stolen = await refresh(operator, operator.refresh_token)
    assert (stolen.status_code, stolen.json()["code"]) == (401, "refresh_token_invalid")
    assert (await refresh(operator, third["refreshToken"])).status_code == 401
    for access_token in (operator.token, second["accessToken"], third["accessToken"]):
        assert await me(operator, access_token) == 401
    assert await audited(server.kernel, "refresh_reused") == 1
    assert await me(operator, other["accessToken"]) == 200, "another login of the same user goes on"
    assert (await refresh(operator, other["refreshToken"])).status_code == 200


@pytest.mark.parametrize("parallel", [2, 8])
async def test_of_parallel_refreshes_one_wins_and_the_family_ends(
    server: RunningServer, operator: ApiClient, parallel: int
) -> None:
    for _ in range(5):
        session = await second_login(operator)
        answers = await asyncio.gather(*(refresh(operator, session["refreshToken"]) for _ in range(parallel)))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * (parallel - 1)
        winner = next(answer.json() for answer in answers if answer.status_code == 200)
        assert await me(operator, winner["accessToken"]) == 401
        assert (await refresh(operator, winner["refreshToken"])).status_code == 401
    assert await audited(server.kernel, "refresh_reused") == 5


async def test_a_made_up_refresh_token_is_refused(operator: ApiClient) -> None:
    for token in ("x", "elk_x", "a" * 200, "ü", "\x00"):
        answer = await refresh(operator, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "refresh_token_invalid")


async def test_an_access_token_is_no_refresh_token(operator: ApiClient) -> None:
    assert (await refresh(operator, operator.token)).status_code in {401, 422}
    assert await me(operator, operator.refresh_token) == 401


async def test_a_session_ends_when_it_is_not_refreshed_in_time(server: RunningServer, operator: ApiClient) -> None:
    await server.kernel.db.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
    assert (await refresh(operator, operator.refresh_token)).status_code == 401
    assert await audited(server.kernel, "refresh_reused") == 0


async def test_logout_ends_the_session_at_once(server: RunningServer, operator: ApiClient) -> None:
    other = await second_login(operator)
    assert await me(operator) == 200
    assert (await operator.post("/api/auth/logout")).status_code == 204
    assert await me(operator) == 401
    assert (await refresh(operator, operator.refresh_token)).status_code == 401
    assert await me(operator, other["accessToken"]) == 200
    assert await audited(server.kernel, "logout") == 1


async def test_logout_also_ends_the_session_of_its_refresh_token(operator: ApiClient) -> None:
    other = await second_login(operator)
    assert (await operator.post("/api/auth/logout", {"refreshToken": other["refreshToken"]})).status_code == 204
    assert await me(operator) == 401
    assert await me(operator, other["accessToken"]) == 401


async def test_logout_cannot_end_somebody_elses_session(operator: ApiClient, admin: ApiClient) -> None:
    answer = await operator.post("/api/auth/logout", {"refreshToken": admin.refresh_token})
    assert answer.status_code == 204
    assert await me(admin) == 200
    assert (await refresh(admin, admin.refresh_token)).status_code == 200


async def test_a_new_password_ends_the_other_sessions(server: RunningServer, operator: ApiClient) -> None:
    other = await second_login(operator)
    assert await me(operator, other["accessToken"]) == 200
    body = {"oldPassword": PASSWORD, "newPassword": "another good password"}
    assert (await operator.post("/api/auth/password", body)).status_code == 204
    assert await me(operator, other["accessToken"]) == 401
    assert (await refresh(operator, other["refreshToken"])).status_code == 401
    assert await me(operator) == 200
    assert (await refresh(operator, operator.refresh_token)).status_code == 200
    for password, status in ((PASSWORD, 401), ("another good password", 200)):
        login = await operator.post("/api/auth/login", {"email": operator.user["email"], "password": password})
        assert login.status_code == status
    assert await audited(server.kernel, "password_changed") == 1


@pytest.mark.parametrize(
    ("old", "new", "code", "field"),
    [
        ("not the old one", "another good password", "wrong_password", "oldPassword"),
        (PASSWORD, "short", "weak_password", "newPassword"),
        (PASSWORD, "ß" * 501, "weak_password", "newPassword"),
        (PASSWORD, "EMAIL", "weak_password", "newPassword"),
    ],
)
async def test_a_new_password_may_be_refused(operator: ApiClient, old: str, new: str, code: str, field: str) -> None:
    new = operator.user["email"].upper() if new == "EMAIL" else new
    answer = await operator.post("/api/auth/password", {"oldPassword": old, "newPassword": new})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await me(operator) == 200


async def test_the_old_password_cannot_be_guessed_with_a_stolen_token(operator: ApiClient) -> None:
    body = {"oldPassword": "a guess", "newPassword": "another good password"}
    statuses = [(await operator.post("/api/auth/password", body)).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


async def test_parallel_password_changes_do_not_overwrite_each_other(operator: ApiClient) -> None:
    bodies = [{"oldPassword": PASSWORD, "newPassword": f"another good password {n}"} for n in range(4)]
    answers = await asyncio.gather(*(operator.post("/api/auth/password", body) for body in bodies))
    won = [n for n, answer in enumerate(answers) if answer.status_code == 204]
    assert len(won) == 1
    assert {answer.status_code for answer in answers} <= {204, 409, 422}
    login = {"email": operator.user["email"], "password": f"another good password {won[0]}"}
    assert (await operator.post("/api/auth/login", login)).status_code == 200


async def test_deactivation_is_at_once_and_for_all_sessions(admin: ApiClient, operator: ApiClient) -> None:
    other = await second_login(operator)
    assert await me(operator) == await me(operator, other["accessToken"]) == 200
    assert (await admin.post(f"/api/users/{operator.user['id']}/deactivate")).status_code == 200
    assert await me(operator) == await me(operator, other["accessToken"]) == 401
    assert (await refresh(operator, operator.refresh_token)).status_code == 401
    assert (await admin.post(f"/api/users/{operator.user['id']}/activate")).json()["isActive"] is True
    assert await me(operator) == 401, "what was revoked stays revoked"
    assert "accessToken" in await second_login(operator)


async def test_a_new_role_counts_at_once(admin: ApiClient, operator: ApiClient) -> None:
    assert (await operator.get("/api/users")).status_code == 403
    await admin.patch(f"/api/users/{operator.user['id']}", {"role": "SUPERVISOR"})
    assert (await operator.get("/api/users")).status_code == 200
    await admin.patch(f"/api/users/{operator.user['id']}", {"role": "OPERATOR"})
    assert (await operator.get("/api/users")).status_code == 403


async def test_a_login_that_a_password_change_overtakes_opens_no_session(
    server: RunningServer, operator: ApiClient
) -> None:
    kernel = server.kernel
    user = await users.by_email(kernel.db, operator.user["email"])
    assert user is not None
    await kernel.db.execute("UPDATE users SET password_hash = 'changed meanwhile'")
    async with kernel.db.transaction() as uow:
        assert await sessions.start(uow, kernel, user, {"address": "", "request_id": ""}, "") is None


class TestTwoProcesses:
    """Hints reach the other process long before its memory of a caller ends by itself (5 s)."""

    async def test_what_one_revokes_the_other_refuses(
        self,
        settings: Settings,
        server: RunningServer,
        admin: ApiClient,
        start: Callable[..., AbstractAsyncContextManager[RunningServer]],
    ) -> None:
        async with start(settings) as second, httpx.AsyncClient(base_url=second.url) as elsewhere:

            async def status(client: ApiClient) -> int:
                headers = {"authorization": f"Bearer {client.token}"}
                return (await elsewhere.get("/api/auth/me", headers=headers)).status_code

            async def seconds_to_refusal(client: ApiClient) -> float:
                started = time.monotonic()
                while await status(client) != 401:
                    assert time.monotonic() - started < 4, "the hint did not come"
                return time.monotonic() - started

            async with log_in_as(server, "OPERATOR") as leaving, log_in_as(server, "OPERATOR") as fired:
                assert await status(leaving) == await status(fired) == 200
                await leaving.post("/api/auth/logout")
                assert await seconds_to_refusal(leaving) < 2
                assert await status(fired) == 200
                await admin.delete(f"/api/users/{fired.user['id']}")
                assert await seconds_to_refusal(fired) < 2


async def test_housekeeping_keeps_what_can_still_tell_of_a_theft(server: RunningServer, operator: ApiClient) -> None:
    kernel = server.kernel
    await refresh(operator, operator.refresh_token)
    over = await second_login(operator)
    newest = "SELECT max(id::text)::uuid FROM sessions"
    await kernel.db.execute(f"UPDATE sessions SET expires_at = now() - interval '2 days' WHERE id = ({newest})")
    await housekeeping.sweep(kernel)
    assert await kernel.db.fetch_value("SELECT count(*) FROM sessions") == 1
    assert await kernel.db.fetch_value("SELECT count(*) FROM refresh_tokens") == 2
    assert (await refresh(operator, over["refreshToken"])).status_code == 401
    await kernel.db.execute("UPDATE refresh_tokens SET used_at = now() - interval '31 days' WHERE used_at IS NOT NULL")
    await housekeeping.sweep(kernel)
    assert await kernel.db.fetch_value("SELECT count(*) FROM refresh_tokens") == 1


async def test_a_recheck_goes_past_what_is_remembered(server: RunningServer, operator: ApiClient) -> None:
    authenticator = server.kernel.part(Authenticator)  # type: ignore[type-abstract]
    assert (await authenticator.authenticate(operator.token)).role == Role.OPERATOR
    await server.kernel.db.execute("UPDATE users SET role = 'SUPERVISOR'")
    assert (await authenticator.authenticate(operator.token)).role == Role.OPERATOR
    assert (await authenticator.recheck(operator.token)).role == Role.SUPERVISOR
    await server.kernel.db.execute("UPDATE sessions SET revoked_at = now()")
    with pytest.raises(Unauthenticated):
        await authenticator.recheck(operator.token)
