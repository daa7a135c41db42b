"""The OpenAPI 3.1 document, made of the same operations and schemas that serve and validate."""

import inspect
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from elsehu.http import idempotency
from elsehu.http.openapi_schemas import Json, Schemas
from elsehu.http.operations import EVERYBODY, Operation
from elsehu.http.schemas import Problem
from elsehu.http.swagger import swagger_routes

PATH = "/openapi.json"
PATH_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
DESCRIPTION = """
Errors are RFC 9457 problems with a stable `code`. Lists take `limit` and `cursor` and answer `items` and
`nextCursor`. Times are ISO 8601 in UTC, ids are UUIDs, phones are E.164. Log in with `POST /api/auth/login` and
send `Authorization: Bearer <accessToken>`, or an API key (`elk_…`) in the same place.
"""
RETRY_AFTER = (429, 503)


def documentation_routes(operations: Sequence[Operation]) -> list[Route]:
    """Return the routes of `/openapi.json` and of `/docs`, which shows it in a browser, without the internet."""
    documents: list[bytes] = []

    async def document(_: Request) -> Response:
        if not documents:
            documents.append(await run_in_threadpool(lambda: orjson.dumps(describe(operations))))
        return Response(documents[0], media_type="application/json")

    return [Route(PATH, document), *swagger_routes(PATH)]


def describe(operations: Sequence[Operation]) -> Json:
    """Return the OpenAPI document of `operations`."""
    schemas = Schemas(operations)
    names = operation_ids(operations)
    paths: dict[str, Json] = {}
    for one, name in zip(operations, names, strict=True):
        path = PATH_PARAMETER.sub(r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = {"operationId": name, **_operation(one, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Elsehu", "version": version("elsehu"), "description": DESCRIPTION.strip()},
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in operations)],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "responses": {_name(status): _refusal(status, schemas) for status in _all_refusals(operations)},
            "headers": {"RequestId": {"description": "Quote it to an admin.", "schema": {"type": "string"}}},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def operation_ids(operations: Sequence[Operation]) -> list[str]:
    """Return a name for each operation: its handler's; of those called alike, with the tag, else of the whole path."""
    by_handler = [getattr(_function(one), "__name__", "operation").lstrip("_") for one in operations]
    by_tag = [f"{one.method.lower()}_{_word(one.tag)}_{name}" for one, name in zip(operations, by_handler, strict=True)]
    by_path = [f"{one.method.lower()}_{_word(one.path.removeprefix('/api/'))}" for one in operations]
    handlers, tags = Counter(by_handler), Counter(by_tag)
    return [
        handler if handlers[handler] == 1 else tag if tags[tag] == 1 else path
        for handler, tag, path in zip(by_handler, by_tag, by_path, strict=True)
    ]


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_")


def _function(one: Operation) -> Any:
    """Return the function behind an operation, also where a plugin's is bound to its context."""
    return one.handler.func if isinstance(one.handler, partial) else inspect.unwrap(one.handler)


def _operation(one: Operation, schemas: Schemas) -> Json:
    described: Json = {
        "tags": [one.tag],
        "summary": one.summary,
        "description": _description(one),
        "parameters": [*_path_parameters(one), *_query_parameters(one, schemas), *_header_parameters(one)],
        "responses": {
            str(_success_status(one)): _success(one, schemas),
            **_accepted(one, schemas),
            **{str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in _refusals(one)},
        },
        "security": [] if one.roles is None else [{"bearer": []}],
    }
    if one.body is not None or one.multipart:
        described["requestBody"] = _request_body(one, schemas)
    return described


def _description(one: Operation) -> str:
    words = inspect.getdoc(_function(one)) or ""
    if one.roles is None or one.roles == EVERYBODY:
        return words
    return f"{words}\n\nRoles: {', '.join(sorted(one.roles))}.".strip()


def _path_parameters(one: Operation) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": one.parameters.get(name, ""),
            "schema": {"type": "string", "format": "uuid"} if name.lower().endswith("id") else {"type": "string"},
        }
        for name in PATH_PARAMETER.findall(one.path)
    ]


def _query_parameters(one: Operation, schemas: Schemas) -> list[Json]:
    fields = schemas.fields(one.query)
    required = fields.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", one.parameters.get(name, "")),
            "schema": schema,
        }
        for name, schema in fields.get("properties", {}).items()
    ]


def _header_parameters(one: Operation) -> list[Json]:
    if not one.creates:
        return []
    return [
        {
            "name": idempotency.HEADER,
            "in": "header",
            "required": False,
            "description": "A request that comes again with the same key gets the first one's answer.",
            "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_LENGTH},
        }
    ]


def _request_body(one: Operation, schemas: Schemas) -> Json:
    if not one.multipart:
        content = {"application/json": {"schema": schemas.request(one.body)}}
        return {"required": not one.body_optional, "content": content}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    more: Json = schemas.fields(one.body) if one.body is not None else {"type": "object"}
    schema = {
        **more,
        "required": ["file", *more.get("required", ())],
        "properties": {"file": file, **more.get("properties", {})},
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _is_empty(one: Operation) -> bool:
    return one.answer is None and one.answer_media_type == "application/json"


def _success_status(one: Operation) -> int:
    return 204 if _is_empty(one) and one.status == HTTPStatus.OK else one.status


def _success(one: Operation, schemas: Schemas) -> Json:
    status = HTTPStatus(_success_status(one))
    described: Json = {"description": status.phrase, "headers": {"X-Request-ID": _header("RequestId")}}
    if not _is_empty(one):
        schema = {} if one.answer is None else schemas.answer(one.answer)
        described["content"] = {one.answer_media_type: {"schema": schema}}
    return described


def _accepted(one: Operation, schemas: Schemas) -> Json:
    if one.accepted is None:
        return {}
    content = {"application/json": {"schema": schemas.answer(one.accepted)}}
    return {"202": {"description": "Accepted", "headers": {"X-Request-ID": _header("RequestId")}, "content": content}}


def _refusals(one: Operation) -> list[int]:
    """Return the statuses with which an operation may refuse, those that follow from its shape included."""
    has_input = one.body is not None or one.multipart or bool(one.query.model_fields)
    usual = {
        401: one.roles is not None,
        429: True,
        403: one.roles is not None and one.roles != EVERYBODY,
        404: "{" in one.path,
        409: one.creates,
        422: has_input,
        503: True,
        **dict.fromkeys((400, 408, 413, 415), one.body is not None or one.multipart),
    }
    return sorted({status for status, applies in usual.items() if applies} | set(one.refusals))


def _all_refusals(operations: Sequence[Operation]) -> list[int]:
    return sorted({status for one in operations for status in _refusals(one)})


def _refusal(status: int, schemas: Schemas) -> Json:
    headers = {"X-Request-ID": _header("RequestId")}
    if status in RETRY_AFTER:
        headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
    content = {"application/problem+json": {"schema": schemas.answer(Problem)}}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _name(status: int) -> str:
    return "".join(re.findall(r"\w+", HTTPStatus(status).phrase.title()))
