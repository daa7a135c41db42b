"""The HTTP face: one route for everything, as all of the server's paths are ``/{area}/{action}/{instance}``."""

import asyncio
import base64
import time
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import channels, chats, control, creation, groups, instances, revisions, sending, webhook_routes
from .backend import Answer, Backend, Call, Routes
from .errors import ApiError, no_instance, no_route, refusal, unauthorized
from .flavours import dumps
from .records import RequestRecord
from .striking import TRANSPORT, NoAnswer, strike
from .world import BAILEYS, Instance, Json

NAMED: Routes = (
    instances.ROUTES | webhook_routes.ROUTES | sending.ROUTES | chats.ROUTES | revisions.ROUTES | groups.ROUTES
)
NAMELESS = ("instance/create", "instance/fetchInstances")
FILE_FIELDS = {"sendMedia": "media", "sendWhatsAppAudio": "audio", "sendSticker": "sticker"}
JSON = "application/json; charset=utf-8"


def make_app(backend: Backend) -> ASGIApp:
    """Make the ASGI application of a backend."""
    app = Starlette(
        routes=[
            Route("/_test/{action}", control.endpoint(backend), methods=["POST"]),
            Route("/{path:path}", Api(backend).endpoint, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )

    async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's send is a method of the object that knows the connection; ASGI has no way to cut it off.
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return with_transport


class Api:
    """Takes a request through log, faults, keys and its handler."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def endpoint(self, request: Request) -> Response:
        """Answer one request, unless a fault forbids it."""
        raw = await request.body()
        scope = request.scope
        record = RequestRecord(
            scope["method"], scope["path"], dict(request.query_params), dict(request.headers), None, time.time()
        )
        self._backend.world.requests.append(record)
        response = await self._outcome(request, raw, record)
        record.status = 0 if isinstance(response, NoAnswer) else response.status_code
        return response

    async def _outcome(self, request: Request, raw: bytes, record: RequestRecord) -> Response:
        try:
            record.body = await _body(request, raw)
        except ApiError as malformed:
            return _json(malformed.status, malformed.body)
        fault = self._backend.faults.request(record.method, record.path, raw)
        if fault and fault.effect == "delay":
            await asyncio.sleep(fault.seconds)
            fault = None
        if fault and not fault.accepted:
            return strike(fault)
        response = await self._response(record)
        return strike(fault) if fault else response

    async def _response(self, record: RequestRecord) -> Response:
        try:
            status, payload = await self._answer(record)
        except ApiError as error:
            status, payload = error.status, error.body
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # A body that no rule foresaw; the real server too stumbles over those, in its own words.
            odd = refusal(500, f"{type(error).__name__}: {error}")
            status, payload = odd.status, odd.body
        return payload if isinstance(payload, Response) else _json(status, payload)

    async def _answer(self, record: RequestRecord) -> Answer:
        if record.path == "/":
            return 200, self._welcome()
        body = record.body if isinstance(record.body, dict) else {}
        call = Call(self._backend, body, record.query, record.key)
        if record.path == "/webhook/evolution":
            return 200, channels.take_in(self._backend, call.body) or Response()
        _, area, action, *rest = [*record.path.split("/", 3), "", ""]
        route, name = f"{area}/{action}", rest[0]
        handler = NAMED.get((record.method, route))
        if handler is None or bool(name) == (route in NAMELESS):
            raise no_route(record.method, record.path)
        if route in NAMELESS:
            self._check_nameless(route, record.key)
            return await handler(call)
        call.target = self._backend.world.instances.get(name)
        if call.target is None:
            return self._half_made(route, name)
        self._check_key(call.target, record.key)
        _check_channel(call.target, area, action)
        return await handler(call)

    def _welcome(self) -> Json:
        return {
            "status": 200,
            "message": "Welcome to the Evolution API, it is working!",
            "version": self._backend.options.version,
            "clientName": "evolution_exchange",
            "manager": f"{self._backend.url}/manager",
            "documentation": "https://doc.evolution-api.com",
            "whatsappWebVersion": "2.3000.1028000000",
        }

    def _half_made(self, route: str, name: str) -> Answer:
        if route == "instance/connectionState" and creation.half_made(self._backend, name):
            return 200, {"instance": {"instanceName": name}}
        raise no_instance(name)

    def _check_key(self, instance: Instance, key: str | None) -> None:
        if key is None or key not in (self._backend.options.global_key, instance.token):
            raise unauthorized()

    def _check_nameless(self, route: str, key: str | None) -> None:
        accepted = {self._backend.options.global_key}
        if route == "instance/fetchInstances":
            accepted |= {instance.token for instance in self._backend.world.instances.values()}
        if key not in accepted:
            raise unauthorized()


def _check_channel(instance: Instance, area: str, action: str) -> None:
    if instance.integration != BAILEYS and area in ("chat", "group"):
        raise channels.unavailable(action)


def _json(status: int, payload: Any) -> Response:
    return Response(dumps(payload), status, media_type=JSON)


async def _body(request: Request, raw: bytes) -> Any:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _form(request)
    if not raw:
        return {}
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        message = f"Expected property name or '}}' in JSON at position {error.pos}"
        wrong = {"status": 400, "error": "Internal Server Error", "response": {"message": message}}
        raise ApiError(400, wrong) from error


async def _form(request: Request) -> Json:
    """Read a form as a body: all text, and the part ``file`` in the place of the media."""
    action = request.url.path.split("/")[2]
    async with request.form(max_part_size=136 << 20) as form:
        body: Json = {name: value for name, value in form.items() if isinstance(value, str)}
        file = form.get("file")
        if isinstance(file, UploadFile):
            body[FILE_FIELDS.get(action, "file")] = base64.b64encode(await file.read()).decode()
            body.setdefault("fileName", file.filename)
    return body
