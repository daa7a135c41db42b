"""Templates of our own: supervisors write them, everybody reads them, and what is no template is refused by field."""

import asyncio
from typing import Any
from uuid import uuid4

from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

from .conftest import BASIC, Make, listed

RICH = {
    "name": "order_ready",
    "language": "pt_BR",
    "category": "MARKETING",
    "header": {"format": "text", "text": "Hi {{1}}", "example": "Ana"},
    "body": "Order {{1}} costs {{2}}.",
    "footer": "Answer STOP to leave.",
    "buttons": [
        {"type": "quick_reply", "text": "Thanks"},
        {"type": "url", "text": "See", "url": "https://shop.example/o/{{1}}", "example": "42"},
        {"type": "phone", "text": "Call", "phone": "+5511999990000"},
        {"type": "copy_code", "text": "Copy", "example": "SAVE10"},
    ],
    "examples": ["42", "R$ 10"],
}


def button(**more: Any) -> dict[str, Any]:
    return {"type": None, "text": None, "url": None, "phone": None, "example": None, **more}


async def test_one_is_made_and_everybody_reads_it(supervisor: ApiClient, operator: ApiClient) -> None:
    answer = await supervisor.post("/api/templates", RICH)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    expected = {
        **RICH,
        "buttons": [button(**one) for one in RICH["buttons"]],  # type: ignore[attr-defined]
        "status": "APPROVED",
        "reason": None,
        "quality": None,
        "named": False,
        "supported": True,
        "serviceInstanceId": None,
        "variables": [
            {"field": "headerVariables", "name": "1", "example": "Ana", "required": True},
            {"field": "variables", "name": "1", "example": "42", "required": True},
            {"field": "variables", "name": "2", "example": "R$ 10", "required": True},
            {"field": "buttonVariables", "name": "0", "example": None, "required": False},
            {"field": "buttonVariables", "name": "1", "example": "42", "required": True},
            {"field": "buttonVariables", "name": "3", "example": "SAVE10", "required": True},
        ],
    }
    assert {key: made[key] for key in expected} == expected
    assert await listed(operator) == [made]
    assert (await operator.get(f"/api/templates/{made['id']}")).json() == made


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "Order"}, "name"),
    ({"name": "a-b"}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x" * 513}, "name"),
    ({"language": "portuguese"}, "language"),
    ({"language": "pt-BR"}, "language"),
    ({"category": "OTHER"}, "category"),
    ({"body": ""}, "body"),
    ({"body": "  "}, "body"),
    ({"body": "x" * 1025}, "body"),
    ({"body": "{{2}}"}, "body"),
    ({"body": "{{1}} {{3}}"}, "body"),
    ({"body": "{{1}} {{name}}"}, "body"),
    ({"body": "{{Name}}"}, "body"),
    ({"body": "{{ 1 }}"}, "body"),
    ({"body": "{{1}"}, "body"),
    ({"body": "{{1} and }}"}, "body"),
    ({"body": "{{}}"}, "body"),
    ({"body": "{{1}}", "examples": ["a", "b"]}, "examples"),
    ({"body": "no variable", "examples": ["a"]}, "examples"),
    ({"header": {"format": "text"}}, "header.text"),
    ({"header": {"format": "text", "text": "x" * 61}}, "header.text"),
    ({"header": {"format": "text", "text": "a\nb"}}, "header.text"),
    ({"header": {"format": "text", "text": "{{1}} {{2}}"}}, "header.text"),
    ({"header": {"format": "text", "text": "{{2}}"}}, "header.text"),
    ({"header": {"format": "text", "text": "{{name}}"}, "body": "{{1}}"}, "body"),
    ({"header": {"format": "text", "text": "plain", "example": "x"}}, "header.example"),
    ({"header": {"format": "image", "text": "x"}}, "header.text"),
    ({"header": {"format": "location", "example": "x"}}, "header.example"),
    ({"header": {"format": "hologram"}}, "header.format"),
    ({"footer": "x" * 61}, "footer"),
    ({"footer": "{{1}}"}, "footer"),
    ({"buttons": [{"type": "quick_reply", "text": "x" * 26}]}, "buttons.0.text"),
    ({"buttons": [{"type": "quick_reply", "text": "{{1}}"}]}, "buttons.0.text"),
    ({"buttons": [{"type": "quick_reply", "text": "a", "url": "https://a.example"}]}, "buttons.0.url"),
    ({"buttons": [{"type": "flow", "text": "a"}]}, "buttons.0.type"),
    ({"buttons": [{"type": "url", "text": "a"}]}, "buttons.0.url"),
    ({"buttons": [{"type": "url", "text": "a", "url": "ftp://a.example"}]}, "buttons.0.url"),
    ({"buttons": [{"type": "url", "text": "a", "url": "https://a.example/" + "x" * 2000}]}, "buttons.0.url"),
    ({"buttons": [{"type": "url", "text": "a", "url": "https://{{1}}.example"}]}, "buttons.0.url"),
    ({"buttons": [{"type": "url", "text": "a", "url": "https://a.example/{{1}}{{1}}"}]}, "buttons.0.url"),
    ({"buttons": [{"type": "url", "text": "a", "url": "https://a.example/{{2}}"}]}, "buttons.0.url"),
    ({"buttons": [{"type": "url", "text": "a", "url": "https://a.example", "example": "x"}]}, "buttons.0.example"),
    ({"buttons": [{"type": "phone", "text": "a"}]}, "buttons.0.phone"),
    ({"buttons": [{"type": "phone", "text": "a", "phone": "call me"}]}, "buttons.0.phone"),
    ({"buttons": [{"type": "copy_code", "text": "a", "example": "x" * 16}]}, "buttons.0.example"),
    ({"buttons": [{"type": "phone", "text": one, "phone": "190"} for one in "ab"]}, "buttons"),
    ({"buttons": [{"type": "url", "text": one, "url": "https://a.example"} for one in "abc"]}, "buttons"),
    ({"buttons": [{"type": "quick_reply", "text": "same"}] * 2}, "buttons"),
    ({"buttons": [{"type": "quick_reply", "text": str(one)} for one in range(11)]}, "buttons"),
    (
        {
            "buttons": [
                {"type": "quick_reply", "text": "a"},
                {"type": "phone", "text": "b", "phone": "190"},
                {"type": "quick_reply", "text": "c"},
            ]
        },
        "buttons",
    ),
    ({"colour": "red"}, "colour"),
]  # fmt: skip


async def test_what_is_refused(make: Make, supervisor: ApiClient) -> None:
    made = await make(name="there")
    for change, field in REFUSED:
        answers = [await supervisor.post("/api/templates", {**BASIC, **change})]
        if not {"name", "language"} & set(change):
            answers.append(await supervisor.patch(f"/api/templates/{made['id']}", change))
        for answer in answers:
            assert (answer.status_code, answer.json().get("code")) == (422, "invalid_request"), (change, answer.text)
            assert field in {error["field"] for error in answer.json()["errors"]}, (change, answer.text)
    assert await listed(supervisor) == [made]


async def test_what_is_given_changes(make: Make, supervisor: ApiClient) -> None:
    made = await make(**{**RICH, "language": "en"})
    path = f"/api/templates/{made['id']}"
    answer = await supervisor.patch(path, {"header": None, "body": "Order {{number}}", "examples": [], "buttons": []})
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["header"], changed["named"], changed["footer"]) == (None, True, made["footer"])
    assert changed["variables"] == [{"field": "variables", "name": "number", "example": None, "required": True}]
    assert changed["updatedAt"] > made["updatedAt"]
    assert (await supervisor.patch(path, {})).json() == changed
    for name in ("name", "language", "serviceInstanceId"):
        assert (await supervisor.patch(path, {name: "other"})).status_code == 422


async def test_examples_of_variables_that_are_gone_go(make: Make, supervisor: ApiClient) -> None:
    path = f"/api/templates/{(await make(body='Hello {{1}}', examples=['Ana']))['id']}"
    kept = await supervisor.patch(path, {"body": "Dear {{1}}"})
    assert (kept.status_code, kept.json()["examples"]) == (200, ["Ana"])
    gone = await supervisor.patch(path, {"body": "Hello"})
    assert (gone.status_code, gone.json()["examples"]) == (200, [])


async def test_a_name_is_taken_once_in_a_language(make: Make, supervisor: ApiClient, plain_number: str) -> None:
    made = await make()
    answer = await supervisor.post("/api/templates", BASIC)
    assert (answer.status_code, answer.json()["code"]) == (409, "template_exists")
    assert answer.json()["templateId"] == made["id"]
    assert (await make(language="en"))["id"] != made["id"]
    own = await make(serviceInstanceId=plain_number)
    assert (own["serviceInstanceId"], own["status"]) == (plain_number, "APPROVED")


async def test_of_many_at_once_one_is_made(supervisor: ApiClient) -> None:
    answers = await asyncio.gather(*(supervisor.post("/api/templates", BASIC) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert len(await listed(supervisor)) == 1


async def test_a_repeated_request_makes_nothing_new(supervisor: ApiClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await supervisor.post("/api/templates", BASIC, headers=headers)
    assert (await supervisor.post("/api/templates", BASIC, headers=headers)).json() == first.json()
    assert len(await listed(supervisor)) == 1


async def test_one_is_deleted_and_its_name_is_free(make: Make, supervisor: ApiClient) -> None:
    path = f"/api/templates/{(await make())['id']}"
    assert (await supervisor.delete(path)).status_code == 204
    assert await listed(supervisor) == []
    for answer in (
        await supervisor.delete(path),
        await supervisor.get(path),
        await supervisor.patch(path, {"footer": "x"}),
        await supervisor.post(f"{path}/preview", {}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "template_not_found")
    await make()


async def test_a_number_must_be_there_and_active(admin: ApiClient, number: str) -> None:
    answer = await admin.post("/api/templates", {**BASIC, "serviceInstanceId": str(uuid4())})
    assert answer.status_code == 404
    await admin.delete(f"/api/service-instances/{number}")
    answer = await admin.post("/api/templates", {**BASIC, "serviceInstanceId": number})
    assert (answer.status_code, answer.json()["code"]) == (409, "instance_inactive")


async def test_operators_only_read(make: Make, operator: ApiClient, number: str) -> None:
    path = f"/api/templates/{(await make())['id']}"
    for answer in (
        await operator.post("/api/templates", BASIC),
        await operator.patch(path, {"footer": "x"}),
        await operator.delete(path),
        await operator.post(f"/api/templates/sync?serviceInstanceId={number}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await operator.post(f"{path}/preview", {})).status_code == 200


async def test_the_list_is_filtered_and_paged(
    make: Make, supervisor: ApiClient, number: str, plain_number: str
) -> None:
    for name in ("e", "b", "d", "a", "c"):
        await make(name=name)
    await make(name="b", language="en", category="MARKETING", body="Now 10% OFF_today")
    await make(name="own", serviceInstanceId=number)
    await make(name="plain", serviceInstanceId=plain_number)

    async def found(**query: Any) -> list[str]:
        return [f"{one['name']}.{one['language']}" for one in await listed(supervisor, **query)]

    assert await found() == [
        "a.pt_BR", "b.en", "b.pt_BR", "c.pt_BR", "d.pt_BR", "e.pt_BR", "own.pt_BR", "plain.pt_BR"
    ]  # fmt: skip
    assert await found(serviceInstanceId=number) == ["own.pt_BR"]
    assert await found(sendableFrom=number, language="pt_BR", search="o") == [
        f"{name}.pt_BR" for name in ("a", "b", "c", "d", "e", "own")
    ]
    assert await found(language="en") == await found(category="MARKETING") == ["b.en"]
    assert await found(search="10% off_") == ["b.en"]
    assert await found(search="own") == ["own.pt_BR"]
    assert await found(status="PAUSED") == []
    for query in ({"status": "NONE"}, {"cursor": "x"}, {"serviceInstanceId": "x"}, {"colour": "red"}):
        assert (await supervisor.get("/api/templates", params=query)).status_code == 422


async def test_what_supervisors_do_is_audited(server: RunningServer, supervisor: ApiClient, make: Make) -> None:
    made = await make()
    await supervisor.patch(f"/api/templates/{made['id']}", {"footer": "x"})
    await supervisor.delete(f"/api/templates/{made['id']}")
    sql = "SELECT action, details FROM audit_log WHERE subject = $1 ORDER BY id"
    rows = await server.kernel.db.fetch(sql, f"template:{made['id']}")
    assert [row["action"] for row in rows] == ["template_created", "template_changed", "template_deleted"]
    assert '"footer"' in rows[1]["details"]
