"""The HTTP edge's translation of errors into RFC 9457 problems. Nothing internal ever shows."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
import orjson
import structlog
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from elsehu.contracts.errors import DomainError, FieldError, ProviderError, WebhookRejected
from elsehu.db import CONNECTION_LOST
from elsehu.http.lingering import Lingering
from elsehu.http.routing import route_of
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.http")

RETRY_SOON = 2.0
UNREAD = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""Refusals of a body that was not read to its end."""
CODES: Mapping[int, str] = {
    400: "malformed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    errors: tuple[FieldError, ...] = (),
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    """Return a problem document as a response."""
    body = {
        "type": f"urn:elsehu:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [{"field": error.field, "message": error.message} for error in errors],
        "requestId": request.scope.get("elsehu.request_id", ""),
        **(extra or {}),
    }
    kind = Lingering if status in UNREAD else Response
    return kind(
        orjson.dumps(body, default=str),
        status,
        headers=dict(headers or {}),
        media_type="application/problem+json",
    )


def field_errors(error: ValidationError, prefix: str = "") -> tuple[FieldError, ...]:
    """Return pydantic's findings as field errors with dotted paths."""
    return tuple(
        FieldError(prefix + ".".join(str(part) for part in found["loc"]), found["msg"])
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    )


async def on_domain_error(request: Request, error: Exception) -> Response:
    """Translate a DomainError."""
    assert isinstance(error, DomainError)
    headers = {"Retry-After": str(max(1, round(error.retry_after)))} if error.retry_after is not None else {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        request,
        error.status,
        error.code,
        error.detail,
        errors=error.errors,
        headers=headers,
        extra=error.extra,
    )


async def on_webhook_rejected(request: Request, error: Exception) -> Response:
    """Translate a webhook whose sender could not prove who it is."""
    assert isinstance(error, WebhookRejected)
    return problem(request, 401, error.code, error.detail)


async def on_provider_error(request: Request, error: Exception) -> Response:
    """Translate a provider's failure in an operation that asked it directly."""
    assert isinstance(error, ProviderError)
    extra = {"providerCode": error.provider_code} if error.provider_code else {}
    return problem(request, 502, error.code, error.detail, extra=extra)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Translate what Starlette's router refuses."""
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "refused")
    headers = {"Allow": _allowed(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return problem(request, error.status_code, code, str(error.detail), headers=headers)


def _allowed(request: Request) -> str:
    """Return what the path allows: each of its methods is a route, and Starlette names those of the first."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    found = [route.methods or () for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for methods in found for method in methods}))


async def on_connection_lost(request: Request, error: Exception) -> Response:
    """Translate PostgreSQL or Redis being away: nothing was done, come back soon."""
    log.warning("dependency_down", route=route_of(request.scope), error=type(error).__name__)
    detail = "A service that Elsehu depends on is away. Nothing was done; try again shortly."
    return problem(request, 503, "dependency_down", detail, headers={"Retry-After": str(round(RETRY_SOON))})


async def on_rolled_back(request: Request, error: Exception) -> Response:
    """Translate a transaction that had to give way to another: nothing was done."""
    log.warning("transaction_gave_way", route=route_of(request.scope), error=type(error).__name__)
    detail = "Somebody else was changing the same at this moment. Nothing was done; try again."
    return problem(request, 503, "gave_way", detail, headers={"Retry-After": str(round(RETRY_SOON))})


async def on_wrong_secret_key(request: Request, error: Exception) -> Response:
    """Translate credentials that none of the configured keys can read."""
    log.error("wrong_secret_key", route=route_of(request.scope))
    detail = "Stored credentials cannot be read with the configured secret key. An admin must restore the key."
    return problem(request, 503, "wrong_secret_key", detail)


async def on_unstorable_text(request: Request, error: Exception) -> Response:
    """Translate text that PostgreSQL has no place for: a NUL, or half a surrogate pair."""
    return problem(request, 422, "invalid_text", "A text holds a character that cannot be stored (NUL). Remove it.")


async def on_unexpected(request: Request, error: Exception) -> Response:
    """Translate what nobody expected: logged whole, shown as nothing but a request id."""
    log.error("unexpected_error", route=route_of(request.scope), exc_info=error)
    return problem(request, 500, "internal_error", "Something went wrong on our side. Quote the requestId to an admin.")


EXCEPTION_HANDLERS: Mapping[Any, Any] = {
    DomainError: on_domain_error,
    WebhookRejected: on_webhook_rejected,
    ProviderError: on_provider_error,
    HTTPException: on_http_exception,
    WrongSecretKey: on_wrong_secret_key,
    asyncpg.CharacterNotInRepertoireError: on_unstorable_text,
    asyncpg.UntranslatableCharacterError: on_unstorable_text,
    asyncpg.TransactionRollbackError: on_rolled_back,
    **dict.fromkeys(CONNECTION_LOST, on_connection_lost),
    Exception: on_unexpected,
}
