"""The OpenAPI document and the page that shows it."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette

from elsehu.app import operations_of
from elsehu.contracts.instance import InstanceStatus
from elsehu.http.middleware import middleware_of
from elsehu.http.openapi import describe, documentation_routes
from elsehu.http.operations import ADMINS, SUPERVISORS, Call, Operation
from elsehu.http.problems import EXCEPTION_HANDLERS
from elsehu.http.schemas import ApiModel, PageQuery
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing.serving import running_server


class Thing(ApiModel):
    """A thing."""

    id: UUID
    display_name: str
    status: InstanceStatus


class Things(ApiModel):
    """A page of things."""

    items: list[Thing]
    next_cursor: str | None


class NewThing(ApiModel):
    """A thing to make."""

    display_name: str
    status: InstanceStatus = InstanceStatus.NEW


class ThingQuery(PageQuery):
    """Which things."""

    with_status: InstanceStatus | None = None


async def list_things(call: Call[Any, Any]) -> None:
    """Sorted by name."""


async def act(call: Call[Any, Any]) -> None: ...


OPERATIONS = [
    Operation("GET", "/api/things", list_things, "List things.", "things", query=ThingQuery, answer=Things),
    Operation("POST", "/api/things", act, "Make one.", "things", ADMINS, body=NewThing, answer=Thing, status=201),
    Operation("DELETE", "/api/things/{id}", act, "Drop one.", "things", SUPERVISORS, refusals=(409,)),
    Operation("POST", "/api/upload", act, "Upload.", "files", answer=Thing, multipart=True),
    Operation("POST", "/api/upload-thing", act, "Upload.", "files", body=NewThing, answer=Thing, multipart=True),
    Operation("GET", "/api/things/{thing_id:uuid}/raw", act, "Get bytes.", "files", answer_media_type="image/png"),
    Operation("POST", "/api/login", act, "Log in.", "auth", roles=None, body=NewThing, answer=Thing, refusals=(429,)),
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(OPERATIONS)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolve(document: dict[str, Any], reference: str) -> Any:
    part: Any = document
    for step in reference.removeprefix("#/").split("/"):
        part = part[step]
    return part


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert "#/components/schemas/Thing" in found
    assert all(resolve(document, one) for one in found)


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(set(names)) == len(OPERATIONS)
    assert "list_things" in names


def test_the_whole_api_can_be_described() -> None:
    operations = operations_of(load_plugins(Settings()))
    document = describe(operations)
    assert all(resolve(document, one) for one in references(document))
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(names) == len(set(names)) == len(operations)
    assert {"/api/auth/login", "/api/service-instances", "/api/messages/send"} <= document["paths"].keys()


def test_schemas_speak_camel_case_and_refuse_what_is_unknown(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["NewThing"]
    assert set(schema["properties"]) == {"displayName", "status"}
    assert schema["required"] == ["displayName"]
    assert schema["additionalProperties"] is False


def test_queries_are_parameters_not_schemas(document: dict[str, Any]) -> None:
    parameters = operation(document, "get", "/api/things")["parameters"]
    assert [(one["name"], one["in"], one["required"]) for one in parameters] == [
        ("limit", "query", False),
        ("cursor", "query", False),
        ("withStatus", "query", False),
    ]
    assert parameters[0]["schema"]["maximum"] == 200
    assert "ThingQuery" not in document["components"]["schemas"]


def test_path_parameters_are_ids(document: dict[str, Any]) -> None:
    (parameter,) = operation(document, "delete", "/api/things/{id}")["parameters"]
    assert (parameter["name"], parameter["required"], parameter["schema"]["format"]) == ("id", True, "uuid")
    (other,) = operation(document, "get", "/api/things/{thing_id}/raw")["parameters"]
    assert other["name"] == "thing_id"


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/api/things", "200 401 422 429 503"),
        ("post", "/api/things", "201 400 401 403 408 409 413 415 422 429 503"),
        ("delete", "/api/things/{id}", "204 401 403 404 409 429 503"),
        ("post", "/api/upload", "200 400 401 408 413 415 422 429 503"),
        ("post", "/api/login", "200 400 408 413 415 422 429 503"),
    ],
)
def test_every_answer_is_named(document: dict[str, Any], method: str, path: str, statuses: str) -> None:
    assert sorted(operation(document, method, path)["responses"]) == statuses.split()


def test_refusals_are_problems(document: dict[str, Any]) -> None:
    reference = operation(document, "post", "/api/login")["responses"]["429"]["$ref"]
    refusal = resolve(document, reference)
    assert list(refusal["content"]) == ["application/problem+json"]
    assert set(refusal["headers"]) == {"X-Request-ID", "Retry-After"}


def test_who_may_is_said(document: dict[str, Any]) -> None:
    assert operation(document, "get", "/api/things")["security"] == [{"bearer": []}]
    assert operation(document, "post", "/api/login")["security"] == []
    assert "Roles: ADMIN, SUPERVISOR." in operation(document, "delete", "/api/things/{id}")["description"]
    assert operation(document, "get", "/api/things")["description"] == "Sorted by name."


def test_creations_take_an_idempotency_key(document: dict[str, Any]) -> None:
    names = [one["name"] for one in operation(document, "post", "/api/things")["parameters"]]
    assert names == ["Idempotency-Key"]


def test_files_go_in_as_forms_and_come_out_as_they_are(document: dict[str, Any]) -> None:
    body = operation(document, "post", "/api/upload")["requestBody"]["content"]
    assert body["multipart/form-data"]["schema"]["required"] == ["file"]
    more = operation(document, "post", "/api/upload-thing")["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert (set(more["properties"]), more["required"]) == ({"file", "displayName", "status"}, ["file", "displayName"])
    assert more["additionalProperties"] is False
    assert list(operation(document, "get", "/api/things/{thing_id}/raw")["responses"]["200"]["content"]) == [
        "image/png"
    ]


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(
        routes=documentation_routes(OPERATIONS),
        middleware=middleware_of(Settings()),
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    async with running_server(app) as server, httpx.AsyncClient(base_url=server.url) as client:
        yield client


async def test_the_document_is_served(browser: httpx.AsyncClient, document: dict[str, Any]) -> None:
    answer = await browser.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == document


async def test_the_page_needs_nothing_but_us(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http" not in re.sub(r"http-equiv", "", page.text)
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(linked) == 4
    for path in linked:
        assert (await browser.get(path)).status_code == 200


async def test_the_page_runs_no_inline_code(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert re.findall(r"<script[^>]*>\s*[^<\s]", page.text) == []
    assert re.findall(r"\son\w+=|\sstyle=|<style", page.text) == []


async def test_the_page_can_show_this_version_of_openapi(browser: httpx.AsyncClient) -> None:
    script = (await browser.get("/docs/swagger-ui-bundle.js")).text
    assert "isOAS31" in script
    assert 'url: "/openapi.json"' in (await browser.get("/docs/start.js")).text


@pytest.mark.parametrize(
    "path", ["/docs/index.html", "/docs/..%2f__init__.py", "/docs/%2fetc%2fpasswd", "/docs/swagger-ui.js"]
)
async def test_nothing_else_is_served(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 404
