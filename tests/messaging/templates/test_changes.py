"""What webhooks say of templates: in any order, any number of times, also of those that are not known yet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from elsehu.contracts.inbound import Item, Normalized, TemplateChanged
from elsehu.contracts.template import ProviderTemplate, TemplateStatus
from elsehu.messaging.inbound.ingest import Ingest
from elsehu.messaging.templates import owners
from elsehu.messaging.templates.jobs import sync_due
from elsehu.messaging.templates.marking import mark_template
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

from .conftest import Make, Template, listed, sync, told
from .provider import Account

NOON = datetime(2025, 11, 23, 12, 0, tzinfo=UTC)


async def tell(server: RunningServer, number: str, *changes: TemplateChanged) -> None:
    """Let a webhook tell of changes."""
    items = [Item(UUID(number), change) for change in changes]
    await server.kernel.part(Ingest).submit("post", Normalized(items, raw={}), UUID(number))


def change(minutes: float | None = None, of: str = "hello", **more: Any) -> TemplateChanged:
    at = None if minutes is None else NOON + timedelta(minutes=minutes)
    return TemplateChanged(of, "pt_BR", at=at, **more)


@pytest.fixture
async def hello(server: RunningServer, supervisor: ApiClient, account: Account, number: str) -> Template:
    """A template at the provider, synced long ago."""
    account.add("hello")
    await sync(supervisor, number)
    await server.kernel.db.execute(
        "UPDATE message_templates SET changed_at = NULL, category_at = NULL, quality_at = NULL"
    )
    [found] = await listed(supervisor)
    return found


NEWS = (
    change(1, external_id="id-1", status=TemplateStatus.PENDING),
    change(2, external_id="id-1", quality="YELLOW"),
    change(3, status=TemplateStatus.PAUSED, reason="Too many complaints"),
    change(4, category="MARKETING"),
)


async def test_the_latest_news_of_each_kind_stand(
    server: RunningServer, supervisor: ApiClient, number: str, hello: Template
) -> None:
    expected = ("PAUSED", "Too many complaints", "MARKETING", "YELLOW")
    for order in list(permutations((*NEWS, change(2.5, category="UTILITY"))))[::7]:
        await server.kernel.db.execute(
            "UPDATE message_templates SET status = 'APPROVED', reason = '', category = 'UTILITY', quality = '', "
            "changed_at = NULL, category_at = NULL, quality_at = NULL"
        )
        await tell(server, number, *order[:2])
        await tell(server, number, *order[1:])
        [shown] = await listed(supervisor)
        assert (shown["status"], shown["reason"], shown["category"], shown["quality"]) == expected, order
        assert shown["id"] == hello["id"]


async def test_a_change_is_told_once(server: RunningServer, number: str, hello: Template) -> None:
    before = await told(server, hello["id"])
    for _ in range(3):
        await tell(server, number, *NEWS)
    assert await told(server, hello["id"]) == before + 1


async def test_news_without_a_time_are_of_now(
    server: RunningServer, supervisor: ApiClient, number: str, hello: Template
) -> None:
    await tell(server, number, change(status=TemplateStatus.REJECTED, reason="Scam"))
    await tell(server, number, change(5, status=TemplateStatus.APPROVED))
    assert (await listed(supervisor))[0]["status"] == "REJECTED"
    await tell(server, number, change(status=TemplateStatus.APPROVED))
    [shown] = await listed(supervisor)
    assert (shown["status"], shown["reason"]) == ("APPROVED", None)


async def test_one_that_is_not_known_is_noted_and_read_soon(
    server: RunningServer, supervisor: ApiClient, account: Account, number: str
) -> None:
    await tell(server, number, change(1, of="new", external_id="id-1", status=TemplateStatus.APPROVED))
    [noted] = await listed(supervisor)
    assert (noted["status"], noted["supported"], noted["body"]) == ("APPROVED", False, "")
    account.add("new", "what it says")
    await sync_due(server.kernel, {})
    [read] = await listed(supervisor)
    assert (read["id"], read["body"], read["supported"]) == (noted["id"], "what it says", True)
    account.templates.clear()
    await sync_due(server.kernel, {})
    assert await listed(supervisor) == [read]


async def test_the_news_may_come_before_the_answer(
    server: RunningServer, supervisor: ApiClient, make: Make, account: Account, number: str, monkeypatch: Any
) -> None:
    """The provider approves at once, by webhook, what its answer calls pending."""
    account.decide = lambda template: replace(template, status=TemplateStatus.PENDING)
    save = owners.save

    async def overtaken(*arguments: Any) -> ProviderTemplate:
        made = await save(*arguments)
        news = TemplateChanged(
            made.name, made.language, made.external_id, TemplateStatus.APPROVED, at=server.kernel.now()
        )
        await tell(server, number, news)
        return made

    monkeypatch.setattr(owners, "save", overtaken)
    made = await make(serviceInstanceId=number)
    assert (made["status"], made["supported"]) == ("APPROVED", True)
    assert await listed(supervisor) == [made]


async def test_news_from_before_a_sync_do_not_undo_it(
    server: RunningServer, supervisor: ApiClient, account: Account, number: str
) -> None:
    account.add("hello", status=TemplateStatus.PAUSED)
    await sync(supervisor, number)
    yesterday = server.kernel.now() - timedelta(days=1)
    await tell(server, number, replace(change(status=TemplateStatus.APPROVED), at=yesterday))
    assert (await listed(supervisor))[0]["status"] == "PAUSED"
    await tell(server, number, replace(change(status=TemplateStatus.APPROVED), at=server.kernel.now()))
    assert (await listed(supervisor))[0]["status"] == "APPROVED"


async def test_news_of_a_deleted_one_are_nobodys(
    server: RunningServer, supervisor: ApiClient, account: Account, number: str, hello: Template
) -> None:
    await supervisor.delete(f"/api/templates/{hello['id']}")
    await tell(server, number, change(external_id="id-1", status=TemplateStatus.DISABLED))
    assert await listed(supervisor) == []
    account.add("hello", "again", external_id="id-2")
    await sync(supervisor, number)
    await tell(server, number, change(external_id="id-1", status=TemplateStatus.DISABLED))
    assert [(one["body"], one["status"]) for one in await listed(supervisor)] == [("again", "APPROVED")]


async def test_one_that_was_edited_there_is_read_again(
    server: RunningServer, supervisor: ApiClient, account: Account, number: str, hello: Template
) -> None:
    account.templates["id-1"] = replace(account.templates["id-1"], body="edited")
    await sync_due(server.kernel, {})
    assert (await listed(supervisor))[0]["body"] == "hello"
    await tell(server, number, change(external_id="id-1"))
    await sync_due(server.kernel, {})
    assert (await listed(supervisor))[0]["body"] == "edited"


async def test_names_without_room_change_nothing(server: RunningServer, supervisor: ApiClient, number: str) -> None:
    await tell(server, number, change(of="x" * 600, status=TemplateStatus.APPROVED), change(of="", quality="RED"))
    assert await listed(supervisor) == []


async def test_a_refused_send_pauses_until_the_provider_says_otherwise(
    server: RunningServer, supervisor: ApiClient, number: str, hello: Template
) -> None:
    async def mark(minutes: float) -> Template:
        async with server.kernel.db.transaction() as uow:
            at = NOON + timedelta(minutes=minutes)
            await mark_template(uow, [UUID(hello["id"]), UUID(int=1)], "132015: paused for its quality", at)
        return (await listed(supervisor))[0]

    await tell(server, number, change(2, status=TemplateStatus.APPROVED))
    assert (await mark(1))["status"] == "APPROVED"
    paused = await mark(3)
    assert (paused["status"], paused["reason"]) == ("PAUSED", "132015: paused for its quality")
    await tell(server, number, change(4, status=TemplateStatus.APPROVED))
    assert (await listed(supervisor))[0]["status"] == "APPROVED"
    await mark(5)
    await sync(supervisor, number)
    assert (await listed(supervisor))[0]["status"] == "APPROVED"
