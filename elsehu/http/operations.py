"""An operation: one method on one path, said once. It is served, checked and documented from the same lines."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from elsehu.contracts.errors import (
    Invalid,
    Malformed,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from elsehu.contracts.user import Caller, Role
from elsehu.db import UnitOfWork
from elsehu.http.bodies import read_body
from elsehu.http.idempotency import Once, once
from elsehu.http.problems import field_errors
from elsehu.http.rate_limits import RateLimits, address_of, kind_of, name_of
from elsehu.http.schemas import NoQuery
from elsehu.kernel import Kernel

EVERYBODY = frozenset(Role)
SUPERVISORS = frozenset({Role.ADMIN, Role.SUPERVISOR})
ADMINS = frozenset({Role.ADMIN})

Body = TypeVar("Body")
Query = TypeVar("Query")


class Authenticator(ABC):
    """Finds out who calls. Provided by the identity slice."""

    @abstractmethod
    async def authenticate(self, token: str) -> Caller:
        """Return the caller of a bearer `token`. Raises Unauthenticated."""

    async def recheck(self, token: str) -> Caller:
        """Return the caller of `token` as he stands now, past any memory of him. Raises Unauthenticated."""
        return await self.authenticate(token)

    async def from_request(self, request: Request) -> Caller:
        """Return the caller of a request by its `Authorization` header. Raises Unauthenticated."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("token_missing", "Log in and send `Authorization: Bearer <access token>`.")
        return await self.authenticate(token.strip())


@dataclass(slots=True)
class Call(Generic[Body, Query]):
    """One request to an operation, authenticated, authorised and validated."""

    kernel: Kernel
    request: Request
    caller: Caller
    body: Body
    query: Query
    once: Once | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """Open the unit of work that does what the call asks for: once, if it has an `Idempotency-Key`."""
        async with self.kernel.db.transaction() as uow:
            if self.once is not None:
                await self.once.claim(uow)
            yield uow

    def path_id(self, name: str = "id") -> UUID:
        """Return the UUID in the path. Raises NotFound for what is no UUID: no such thing can exist."""
        try:
            return UUID(self.request.path_params[name])
        except ValueError:
            raise NotFound("not_found", f"There is nothing with the id {self.request.path_params[name]!r}.") from None


Handler = Callable[[Call[Any, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path.

    `roles` None means that no token is asked for. `body` and `query` validate and document the request;
    `answer` documents the answer (a model, or None for no body); `status` is that of success. `refusals`
    are the statuses to document beside the usual ones. A handler returns JSON-ready data, a pydantic model,
    None, or a whole Response. `multipart` hands the raw request to the handler. `accepted` documents the answer 202 of
    a handler that sometimes does later what it was asked for.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    roles: frozenset[Role] | None = EVERYBODY
    body: type[BaseModel] | None = None
    query: type[BaseModel] = NoQuery
    answer: Any = None
    status: int = 200
    refusals: Sequence[int] = ()
    body_optional: bool = False
    multipart: bool = False
    answer_media_type: str = "application/json"
    accepted: Any = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def creates(self) -> bool:
        """Whether this operation takes an `Idempotency-Key`."""
        return self.method == "POST" and self.status == 201

    @property
    def is_heavy(self) -> bool:
        """Whether this costs far more than other operations: it takes a file, or may be done later."""
        return self.multipart or self.accepted is not None

    def route(self) -> Route:
        """Return the Starlette route that serves this operation on the app's kernel."""

        async def endpoint(request: Request) -> Response:
            kernel = kernel_of(request)
            caller = await self._caller(kernel, request)
            query = read_query(self.query, request)
            raw = await self._raw(kernel, request)
            call = Call(kernel, request, caller, self._body(request, raw), query)
            if self.creates:
                call.once = once(kernel, caller, request, raw)
            return await (self._run(call) if call.once is None else call.once.answer(lambda: self._run(call)))

        return Route(self.path, endpoint, methods=[self.method], name=f"{self.method} {self.path}")

    async def _caller(self, kernel: Kernel, request: Request) -> Caller:
        rates = kernel.part(RateLimits)
        if self.roles is None:
            await rates.count("anonymous", address_of(request))
            return NOBODY
        authenticator = kernel.part(Authenticator)  # type: ignore[type-abstract]
        try:
            caller = await authenticator.from_request(request)
        except Unauthenticated:
            await rates.count("anonymous", f"token {address_of(request)}")
            raise
        request.scope["elsehu.caller"] = caller
        await rates.count(kind_of(self.method, is_heavy=self.is_heavy), name_of(caller))
        if caller.role not in self.roles:
            allowed = ", ".join(sorted(self.roles))
            raise PermissionDenied("forbidden", f"Your role {caller.role} may not do this; it takes one of: {allowed}.")
        return caller

    async def _raw(self, kernel: Kernel, request: Request) -> bytes:
        if self.body is None or self.multipart:
            return b""
        server = kernel.settings.server
        return await read_body(request, server.max_body_bytes, server.body_timeout)

    async def _run(self, call: Call[Any, Any]) -> Response:
        seconds = None if self.is_heavy else call.kernel.settings.server.request_timeout
        try:
            async with asyncio.timeout(seconds) as deadline:
                return self._answer(await self.handler(call))
        except TimeoutError:
            if not deadline.expired():
                raise
            raise _out_of_time() from None

    def _body(self, request: Request, raw: bytes) -> Any:
        if self.body is None or self.multipart:
            return None
        if not raw and self.body_optional:
            return self.body()
        if not raw and "content-type" not in request.headers:
            raw = b"{}"
        else:
            require_json(request)
        return parse_json(self.body, raw)

    def _answer(self, result: Any) -> Response:
        if isinstance(result, Response):
            return result
        if result is None:
            return Response(status_code=204 if self.status == 200 else self.status)
        if isinstance(result, BaseModel):
            return Response(result.model_dump_json(by_alias=True), self.status, media_type="application/json")
        return Response(orjson.dumps(result), self.status, media_type="application/json")


def _out_of_time() -> Unavailable:
    return Unavailable(
        "request_timeout",
        "This took too long and was given up; it may be done all the same. Look before you ask again, or ask with the "
        "same Idempotency-Key.",
        retry_after=10,
    )


NOBODY = Caller(Role.OPERATOR, None, "")
"""The caller of an operation that asks for no token: never given to one that does."""


def require_json(request: Request) -> None:
    """Raise UnsupportedMedia unless the request says that its body is JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMedia("unsupported_media_type", "Send the body as application/json.")


def parse_json(schema: type[BaseModel], raw: bytes) -> BaseModel:
    """Return `raw` validated by `schema`. Raises Malformed (no JSON) or Invalid (wrong fields)."""
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Malformed("malformed_json", "The body is not valid JSON.") from None
    try:
        return schema.model_validate_json(raw, strict=True) if isinstance(data, dict) else schema.model_validate(data)
    except ValidationError as error:
        raise invalid(error) from None


def read_query(schema: type[BaseModel], request: Request) -> BaseModel:
    """Return the query string validated by `schema`; a parameter given twice is refused unless it is a list."""
    values: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in values:
            raise Invalid("invalid_request", f"The parameter {name} was given twice.")
        values[name] = value
    try:
        return schema.model_validate_strings(values)
    except ValidationError as error:
        raise invalid(error) from None


def invalid(error: ValidationError, prefix: str = "") -> Invalid:
    """Return pydantic's findings as the 422 that callers see."""
    return Invalid("invalid_request", "Some fields are not valid; see errors.", errors=field_errors(error, prefix))


def kernel_of(connection: HTTPConnection) -> Kernel:
    """Return the kernel of the app that serves `connection`."""
    kernel: Kernel = connection.app.state.kernel
    return kernel


def routes_of(operations: Sequence[Operation]) -> Iterator[Route]:
    """Yield the routes of `operations`, fixed paths before those with parameters."""
    for operation in sorted(operations, key=lambda one: one.path.count("{")):
        yield operation.route()
