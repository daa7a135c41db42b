"""What surrounds every request: its id, security headers, CORS, the access log, the last word on errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from elsehu.contracts.user import Caller, Role
from elsehu.http.middleware import middleware_of
from elsehu.http.problems import EXCEPTION_HANDLERS
from elsehu.settings import Settings
from elsehu.testing.serving import running_server

PREFLIGHT = {
    "Origin": "https://desk.example",
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, idempotency-key, x-request-id",
}
USER = UUID("01a20932-05f1-77f7-9876-e435ffee71f1")


async def hello(request: Request) -> Response:
    request.scope["elsehu.caller"] = Caller(Role.ADMIN, USER, "Ana")
    return JSONResponse({"id": request.scope["elsehu.request_id"], "bound": get_contextvars()})


async def own_headers(_: Request) -> Response:
    return PlainTextResponse("x", headers={"Cache-Control": "max-age=9", "Content-Security-Policy": "default-src x"})


async def broken(_: Request) -> Response:
    raise KeyError("a secret in an exception")


async def gives_way(_: Request) -> Response:
    raise asyncpg.DeadlockDetectedError("process 1 waits for process 2")


async def breaks_off(_: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        raise KeyError("too late for a problem")

    return StreamingResponse(pieces())


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(
        routes=[
            Route("/api/hello", hello),
            Route("/api/webhooks/{provider}/{id}/{secret}", hello, methods=["POST"]),
            Route("/own", own_headers),
            Route("/api/broken", broken),
            Route("/api/gives-way", gives_way),
            Route("/api/breaks-off", breaks_off),
        ],
        middleware=middleware_of(Settings(**settings)),
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    async with running_server(app) as server, httpx.AsyncClient(base_url=server.url) as client:
        yield client


class TestRequestId:
    async def test_the_callers_own_comes_back_and_is_bound_to_the_log(self) -> None:
        async with serving() as client:
            answer = await client.get("/api/hello", headers={"X-Request-ID": "Order_7.a-b"})
        assert answer.headers["x-request-id"] == "Order_7.a-b"
        assert answer.json() == {"id": "Order_7.a-b", "bound": {"request_id": "Order_7.a-b"}}

    @pytest.mark.parametrize("strange", ["", "two words", "a" * 81, "a/b", "é", "<script>"])
    async def test_a_strange_one_is_replaced(self, strange: str) -> None:
        async with serving() as client:
            answer = await client.get("/api/hello", headers={b"X-Request-ID": strange.encode()})
        assert str(UUID(answer.headers["x-request-id"])) == answer.json()["id"]

    async def test_each_request_has_another(self) -> None:
        async with serving() as client:
            ids = {(await client.get("/api/hello")).headers["x-request-id"] for _ in range(20)}
        assert len(ids) == 20


class TestSecurityHeaders:
    @pytest.mark.parametrize("path", ["/api/hello", "/api/nowhere", "/api/broken", "/nowhere"])
    async def test_every_answer_has_them(self, path: str) -> None:
        async with serving() as client:
            headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers.get("cache-control") == ("no-store" if path.startswith("/api/") else None)
        assert "strict-transport-security" not in headers

    @pytest.mark.parametrize(("url", "is_https"), [("https://a.example", True), ("http://a.example", False)])
    async def test_https_is_demanded_only_where_we_are_reached_by_it(self, url: str, is_https: bool) -> None:
        async with serving(public_url=url) as client:
            assert ("strict-transport-security" in (await client.get("/own")).headers) is is_https

    async def test_what_an_answer_says_itself_stays(self) -> None:
        async with serving() as client:
            headers = (await client.get("/own")).headers
        assert headers.get_list("cache-control") == ["max-age=9"]
        assert headers.get_list("content-security-policy") == ["default-src x"]


class TestCors:
    async def test_a_known_frontend_may_call(self) -> None:
        async with serving(server={"cors_origins": ["https://desk.example"]}) as client:
            preflight = await client.options("/api/hello", headers=PREFLIGHT)
            answer = await client.get("/api/hello", headers={"Origin": "https://desk.example"})
        assert preflight.status_code == 200
        for one in (preflight, answer):
            assert one.headers["access-control-allow-origin"] == "https://desk.example"
            assert "x-request-id" in one.headers
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]

    async def test_its_browser_may_read_our_failures_too(self) -> None:
        async with serving(server={"cors_origins": ["https://desk.example"]}) as client:
            answer = await client.get("/api/broken", headers={"Origin": "https://desk.example"})
        assert answer.status_code == 500
        assert answer.headers["access-control-allow-origin"] == "https://desk.example"

    async def test_another_one_may_not(self) -> None:
        async with serving(server={"cors_origins": ["https://desk.example"]}) as client:
            preflight = await client.options("/api/hello", headers={**PREFLIGHT, "Origin": "https://evil.example"})
            answer = await client.get("/api/hello", headers={"Origin": "https://evil.example"})
        assert preflight.status_code == 400
        assert "access-control-allow-origin" not in answer.headers

    async def test_nobody_may_unless_it_is_configured(self) -> None:
        async with serving() as client:
            answer = await client.get("/api/hello", headers={"Origin": "https://desk.example"})
        assert "access-control-allow-origin" not in answer.headers


class TestErrors:
    async def test_what_nobody_expected_is_a_problem_without_internals(self) -> None:
        with capture_logs() as logs:
            async with serving() as client:
                answer = await client.get("/api/broken", headers={"X-Request-ID": "r1"})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "internal_error"
        assert answer.json()["requestId"] == "r1"
        assert "secret" not in answer.text
        assert [line["status"] for line in logs if line["event"] == "request"] == [500]
        assert len([line for line in logs if line["event"] == "unexpected_error"]) == 1

    async def test_an_answer_that_breaks_off_stays_broken(self) -> None:
        async with serving() as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/api/breaks-off")


class TestAccessLog:
    async def lines_of(self, method: str, path: str, **settings: Any) -> list[dict[str, Any]]:
        with capture_logs() as logs:
            async with serving(**settings) as client:
                await client.request(method, path)
        return [dict(line) for line in logs if line["event"] == "request"]

    async def test_one_line_says_what_was_asked_by_whom_and_how_it_went(self) -> None:
        (line,) = await self.lines_of("GET", "/api/hello?token=secret")
        assert line.pop("duration_ms") >= 0
        assert line == {
            "event": "request",
            "log_level": "info",
            "method": "GET",
            "route": "/api/hello",
            "status": 200,
            "user": str(USER),
        }

    @pytest.mark.parametrize(
        ("method", "path", "route"),
        [
            ("POST", "/api/webhooks/pairable/1/s3cret", "/api/webhooks/{provider}/{id}/{secret}"),
            ("GET", "/api/webhooks/pairable/1/s3cret", "/api/webhooks/{provider}/{id}/{secret}"),
            ("GET", "/api/webhooks/1/1/1", "/api/webhooks/{secret}/{secret}/{secret}"),
            ("POST", "/api/webhooks/p/1/s3%2Fcret", "unmatched"),
            ("GET", "/s3cret/in/a/wrong/path", "unmatched"),
        ],
    )
    async def test_no_line_holds_what_somebody_put_into_the_path(self, method: str, path: str, route: str) -> None:
        (line,) = await self.lines_of(method, path)
        assert line["route"] == route
        assert "s3" not in str(line)

    async def test_it_can_be_switched_off(self) -> None:
        assert await self.lines_of("GET", "/api/hello", logging={"access": False}) == []


async def test_who_gives_way_to_another_transaction_is_told_to_try_again() -> None:
    async with serving() as client:
        answer = await client.get("/api/gives-way")
    assert (answer.status_code, answer.json()["code"]) == (503, "gave_way")
    assert int(answer.headers["retry-after"]) > 0
    assert "process" not in answer.text
