"""The HTTP face of the Graph API: every request through log, faults, token and version to its handler."""

import asyncio
import re
import time
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import control, management, media, sending, templates
from .backend import Backend, Call, Handler
from .errors import GraphError, no_object
from .faults import Fault
from .world import RequestRecord

TRANSPORT = "standin.transport"
VERSION = re.compile(r"v(\d+)\.0")
EDGES: dict[tuple[str, str], Handler] = {
    ("POST", "messages"): sending.post_message,
    ("POST", "media"): media.upload,
    ("GET", "phone_numbers"): management.list_numbers,
    ("GET", "subscribed_apps"): management.list_subscribed,
    ("POST", "subscribed_apps"): management.subscribe,
    ("DELETE", "subscribed_apps"): management.unsubscribe,
    ("GET", "subscriptions"): management.list_subscriptions,
    ("POST", "subscriptions"): management.set_subscription,
    ("GET", "message_templates"): templates.list_templates,
    ("POST", "message_templates"): templates.create,
    ("DELETE", "message_templates"): templates.delete,
}


class NoAnswer(Response):
    """Closes the connection without a byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut the connection; ASGI demands to stay until that has happened."""
        scope[TRANSPORT].abort()
        while (await receive())["type"] != "http.disconnect":
            pass


def make_api(backend: Backend) -> ASGIApp:
    """Make the application of the Graph API."""
    return _with_transport(
        Starlette(
            routes=[
                Route("/_test/{action}", control.endpoint(backend), methods=["POST"]),
                Route("/{path:path}", Api(backend).endpoint, methods=["GET", "POST", "DELETE"]),
            ]
        )
    )


def make_file_host(backend: Backend) -> ASGIApp:
    """Make the application of the host that hands out files."""

    async def endpoint(request: Request) -> Response:
        return await media.hand_out(backend, request)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=["GET"])])


class Api:
    """Takes a request to its handler, unless a fault forbids it."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def endpoint(self, request: Request) -> Response:
        """Answer one request."""
        version, _, path = request.url.path.strip("/").partition("/")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        record = RequestRecord(request.method, path, dict(request.query_params), None, token or None, time.time())
        self._backend.world.requests.append(record)
        answer = await self._outcome(request, record, version)
        record.status = 0 if isinstance(answer, NoAnswer) else answer.status_code
        return answer

    async def _outcome(self, request: Request, record: RequestRecord, version: str) -> Response:
        try:
            body, files = await _body(request)
        except GraphError as error:
            return _json(error.body, error.status)
        record.body = body
        subject = f"{record.method} {record.path}"
        slow = self._backend.faults.strike(subject, "delay")
        if slow is not None:
            await asyncio.sleep(slow.seconds)
        fault = self._backend.faults.strike(subject, "refuse", "answer", "close")
        if fault is not None and not fault.accepted:
            return _struck(fault)
        answer = await self._answer(record, version, files)
        return _struck(fault) if fault is not None else answer

    async def _answer(self, record: RequestRecord, version: str, files: dict[str, Any]) -> Response:
        token = record.token or record.query.get("access_token", "")
        parts = record.path.split("/")
        call = Call(self._backend, parts, record.query, record.body or {}, token, files)
        try:
            self._check(version, token)
            handler = EDGES.get((record.method, parts[1])) if len(parts) == 2 else _node(call, record.method)
            if handler is None:
                raise GraphError(2500, f"Unknown path components: /{record.path}")
            return _json(await handler(call), 200)
        except GraphError as error:
            return _json(error.body, error.status)

    def _check(self, version: str, token: str) -> None:
        found, options = VERSION.fullmatch(version), self._backend.options
        if found is None or not options.oldest_version <= int(found[1]) <= options.newest_version:
            raise GraphError(2635, f"There is no version {version} of the Graph API")
        app = self._backend.world.app
        if token not in self._backend.world.tokens and token != f"{app.id}|{app.secret}":
            raise GraphError(190, "The session is invalid", status=401, subcode=463)


def _node(call: Call, method: str) -> Handler | None:
    """Return what answers for a single id: a number, a template or a file."""
    if call.parts[0] in call.world.numbers:
        return {"GET": management.get_number, "POST": management.change_number}.get(method)
    if templates.is_template(call):
        return {"GET": templates.get, "POST": templates.edit}.get(method)
    if call.parts[0] in call.world.files:
        return {"GET": media.locate, "DELETE": media.delete}.get(method)
    raise no_object(call.parts[0])


def _struck(fault: Fault) -> Response:
    if fault.effect == "close":
        return NoAnswer()
    if fault.effect == "refuse":
        error = GraphError(fault.code, fault.details, status=fault.status, subcode=fault.subcode)
        return Response(orjson.dumps(error.body), fault.status, fault.headers, media_type="application/json")
    if isinstance(fault.body, str):
        return Response(fault.body, fault.status, fault.headers, media_type="text/html")
    return Response(orjson.dumps(fault.body), fault.status, fault.headers, media_type="application/json")


async def _body(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        form = await request.form(max_part_size=128 << 20)
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        return texts, {name: value for name, value in form.items() if not isinstance(value, str)}
    raw = await request.body()
    if not raw:
        return {}, {}
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(raw.decode())), {}
    with suppress(orjson.JSONDecodeError):
        body = orjson.loads(raw)
        if isinstance(body, dict):
            return body, {}
    raise GraphError(100, "The request's body is no JSON object")


def _json(body: Any, status: int) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json; charset=UTF-8")


def _with_transport(app: ASGIApp) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's send is a method of the object that knows the connection; ASGI has no way to cut it off.
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return wrapped
