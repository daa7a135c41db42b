"""Around every request: its id, the security headers, CORS, one line in the log, and the last word on errors."""

import logging
import re
import time
from typing import Any

import structlog
from secure import (
    CacheControl,
    ContentSecurityPolicy,
    ReferrerPolicy,
    Secure,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from elsehu.http.operations import kernel_of
from elsehu.http.problems import on_unexpected
from elsehu.http.routing import route_of
from elsehu.ids import new_id
from elsehu.settings import Settings

log = structlog.get_logger("elsehu.access")

Headers = list[tuple[bytes, bytes]]

SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,80}")
CLIENT_GONE = 499
WEBHOOKS = "/api/webhooks/"
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
TAKEN_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID", "Range", "If-None-Match")
SHOWN_HEADERS = (
    "X-Request-ID",
    "Retry-After",
    "Idempotency-Replayed",
    "ETag",
    "Content-Disposition",
    "Content-Range",
    "Accept-Ranges",
)


def middleware_of(settings: Settings) -> list[Middleware]:
    """Return what every request passes, outermost first."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.server.cors_origins,
        allow_methods=METHODS,
        allow_headers=TAKEN_HEADERS,
        expose_headers=SHOWN_HEADERS,
    )
    is_https = settings.base_url.startswith("https://")
    edge = Middleware(Edge, is_https=is_https, logs_access=settings.logging.access, is_measured=settings.server.metrics)
    return [edge, *([cors] if settings.server.cors_origins else []), Middleware(LastWord)]


class Edge:
    """The outermost layer: gives each request an id, each answer its headers, and the log a line of both."""

    def __init__(
        self, app: ASGIApp, *, is_https: bool = False, logs_access: bool = True, is_measured: bool = False
    ) -> None:
        self._app = app
        self._is_measured = is_measured
        self._logs_access = logs_access
        self._headers = security_headers(is_https=is_https)
        self._api_headers = [*self._headers, *_pairs(Secure(cache=CacheControl().no_store()))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = scope["elsehu.request_id"] = request_id_of(scope)
        bound = bind_contextvars(request_id=request_id)
        try:
            if scope["type"] == "http":
                await self._http(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        finally:
            reset_contextvars(**bound)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status: int | None = None
        added = self._added(scope)

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with(message.get("headers", ()), added)
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            seconds = time.perf_counter() - started
            if self._logs_access:
                _log_access(scope, status or CLIENT_GONE, seconds)
            if self._is_measured:
                kernel_of(Request(scope)).metrics.request(
                    scope["method"], route_of(scope), status or CLIENT_GONE, seconds
                )

    def _added(self, scope: Scope) -> Headers:
        usual = self._api_headers if scope["path"].startswith("/api/") else self._headers
        return [(b"x-request-id", scope["elsehu.request_id"].encode()), *usual]


class LastWord:
    """The innermost layer: answers what no handler expected, so that this answer too gets its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection. What breaks after the answer has begun can only break it off."""
        is_answered = scope["type"] != "http"

        async def send_on(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            if is_answered:
                raise
            answer = await on_unexpected(Request(scope), error)
            await answer(scope, receive, send)


def security_headers(*, is_https: bool) -> Headers:
    """Return the headers of an API that no browser is to render, frame, sniff or, over https, reach without it."""
    return _pairs(
        Secure(
            csp=ContentSecurityPolicy().default_src("'none'").frame_ancestors("'none'"),
            referrer=ReferrerPolicy().no_referrer(),
            xcto=XContentTypeOptions().nosniff(),
            xfo=XFrameOptions().deny(),
            hsts=StrictTransportSecurity().max_age(31_536_000) if is_https else None,
        )
    )


def request_id_of(scope: Scope) -> str:
    """Return the caller's `X-Request-ID` if it is sane, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return str(new_id())


def _log_access(scope: Scope, status: int, seconds: float) -> None:
    """Log one request; webhooks that were taken only at the level debug: they come by the thousand, and are kept."""
    level = logging.DEBUG if status == 200 and scope["path"].startswith(WEBHOOKS) else logging.INFO
    if not log.is_enabled_for(level):
        return
    caller = scope.get("elsehu.caller")
    user = str(caller.user_id or caller.api_key_id) if caller else None
    log.log(
        level,
        "request",
        method=scope["method"],
        route=route_of(scope),
        status=status,
        duration_ms=round(seconds * 1000, 2),
        user=user,
    )


def _with(headers: Any, added: Headers) -> Headers:
    """Return `headers` and those of `added` that the answer does not set by itself."""
    own = {name.lower() for name, _ in headers}
    return [*headers, *(pair for pair in added if pair[0] not in own)]


def _pairs(secure: Secure) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in secure.header_items()]
