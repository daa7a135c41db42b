"""The sandbox's templates: approved at once, or what a fault says; and the account agrees with its webhooks."""

from dataclasses import replace
from typing import Any

import pytest

from elsehu.plugin import Instance, ProviderTemplate, Rejected, TemplateButton, TemplateHeader, TemplateStatus
from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number

from .conftest import World

DRAFT = ProviderTemplate(
    "order_ready",
    "pt_BR",
    "UTILITY",
    TemplateStatus.PENDING,
    "Order {{1}}",
    header=TemplateHeader("text", "Hi"),
    buttons=(TemplateButton("quick_reply", "Thanks"),),
    examples=("42",),
)


async def there(world: World, instance: Instance) -> list[ProviderTemplate]:
    return [one async for page in world.plugins.templates(instance) for one in page]


async def test_one_is_kept_changed_and_deleted(world: World) -> None:
    instance = world.instance()
    made = await world.plugins.save_template(instance, DRAFT)
    assert made == replace(DRAFT, external_id=made.external_id, status=TemplateStatus.APPROVED)
    [kept] = await there(world, instance)
    assert replace(kept, buttons=tuple(kept.buttons), examples=tuple(kept.examples)) == made
    edited = await world.plugins.save_template(instance, replace(made, body="changed"))
    assert [(one.external_id, one.body) for one in await there(world, instance)] == [(made.external_id, "changed")]
    with pytest.raises(Rejected):
        await world.plugins.save_template(instance, DRAFT)
    await world.plugins.delete_template(instance, edited)
    await world.plugins.delete_template(instance, edited)
    assert await there(world, instance) == []


async def test_a_fault_decides_what_becomes_of_the_next(world: World) -> None:
    instance = world.instance()
    world.order_faults(instance, {"kind": "template", "reason": "PROMOTIONAL"}, {"kind": "template", "refuse": True})
    made = await world.plugins.save_template(instance, DRAFT)
    assert (made.status, made.reason) == (TemplateStatus.REJECTED, "PROMOTIONAL")
    with pytest.raises(Rejected):
        await world.plugins.save_template(instance, replace(DRAFT, name="other"))
    assert [one.name for one in await there(world, instance)] == ["order_ready"]


async def test_a_frontend_can_be_built_on_it(admin: ApiClient) -> None:
    """Made, approved, sent; paused by the provider, refused; and the next sync agrees."""
    number = str(await add_number(admin))
    body: dict[str, Any] = {"name": "hello", "language": "en", "category": "UTILITY", "body": "Hi {{1}}"}
    answer = await admin.post("/api/templates", {**body, "examples": ["Ana"], "serviceInstanceId": number})
    assert (answer.status_code, answer.json()["status"]) == (201, "APPROVED"), answer.text
    await admin.post(f"/api/sandbox/{number}/say", {"text": "hello"})
    [conversation] = (await admin.get("/api/conversations")).json()["items"]
    template = {"templateId": answer.json()["id"], "variables": {"1": "Ana"}}
    sending = {"conversationId": conversation["id"], "kind": "template", "template": template}
    sent = (await admin.post("/api/messages/send", sending)).json()
    assert (sent["kind"], sent["text"], sent["status"]) == ("template", "Hi Ana", "sent")
    [arrived] = (await admin.get(f"/api/sandbox/{number}/phone?type=message")).json()["items"]
    assert (arrived["kind"], arrived["payload"]["body"]) == ("template", [{"name": None, "text": "Ana"}])

    event = {"type": "template", "name": "hello", "language": "en", "status": "PAUSED", "reason": "complaints"}
    assert (await admin.post(f"/api/sandbox/{number}/events", {"events": [event]})).status_code == 201
    refused = await admin.post("/api/messages/send", sending)
    assert (refused.status_code, refused.json()["code"]) == (409, "template_not_approved")
    await admin.post(f"/api/templates/sync?serviceInstanceId={number}")
    assert (await admin.get(f"/api/templates/{template['templateId']}")).json()["status"] == "PAUSED"
