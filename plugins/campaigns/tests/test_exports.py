"""What became of a campaign, to take away: it opens in any program, calculates nothing, and can be uploaded again."""

import csv
import io
from uuid import UUID

import pytest
from elsehu_campaigns import exports

from elsehu.testing.customers import customer_writes

from .world import World, done, people

FORMULA = "=HYPERLINK(1)"


async def table(world: World, path: str, **query: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return the headings and the rows of a CSV file."""
    answer = await world.admin.get(path, params=query)
    assert answer.is_success, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=query.get("delimiter", ",")))
    return list(rows[0]) if rows else [], rows


async def test_failures_can_be_uploaded_again_as_they_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    phones = people(7)
    rows = [f'{phone};"Silva; {n}";{FORMULA}' for n, phone in enumerate(phones)]
    uploaded = await world.upload("\n".join(["Celular;Nome completo;Código", *rows, "12;Ninguém;x"]))
    number = await world.number(absent=phones[:5])
    campaign = await world.started(number, "Olá {{Nome completo}}: {{Código}}", fileId=uploaded)
    assert (await world.over(campaign))["stats"]["failed"] == 5

    path = f"/api/campaigns/{campaign}/failures.csv"
    columns, failed = await table(world, path)
    assert columns == ["Celular", "Nome completo", "Código", "Reason", "Detail"]
    assert [row["Celular"].lstrip("'") for row in failed] == phones[:5]
    assert {(row["Código"], row["Reason"]) for row in failed} == {("'" + FORMULA, "recipient_absent")}
    assert "Nobody has this phone" in failed[0]["Detail"]
    assert await table(world, path, delimiter=";") == (columns, failed)
    _, skipped = await table(world, path, status="skipped,failed")
    assert (len(skipped), skipped[-1]["Reason"]) == (6, "invalid_number")

    again = await world.upload((await world.admin.get(path)).text)
    second = await world.started(number, "Olá {{Nome completo}}: {{Código}}", fileId=again)
    assert (await world.over(second))["stats"]["failed"] == 5
    assert (await table(world, f"/api/campaigns/{second}/failures.csv")) == (columns, failed), "it does not grow"

    healthy = await world.number()
    third = await world.started(healthy, "Olá {{Nome completo}}: {{Código}}", fileId=again)
    await world.over(third)
    texts = {line["to"]["phone"]: line["text"] for line in await world.arrived(healthy)}
    assert texts == {phone: f"Olá Silva; {n}: {FORMULA}" for n, phone in enumerate(phones[:5])}


async def test_recipients_and_replies(world: World) -> None:
    phones = people(3)
    number = await world.number(absent=phones[2:])
    campaign = await world.started(number, people=phones)
    await world.over(campaign)
    conversation = await customer_writes(world.server, UUID(number), phones[0][1:], FORMULA)
    await customer_writes(world.server, UUID(number), phones[0][1:], "mais uma coisa")
    await customer_writes(world.server, UUID(number), people(1)[0][1:], "wrong person")

    columns, rows = await table(world, f"/api/campaigns/{campaign}/recipients.csv")
    assert columns[:4] == ["Row", "Name", "Phone", "Status"]
    assert [(row["Row"], row["Phone"].lstrip("'"), row["Status"]) for row in rows] == [
        ("2", phones[0], "replied"),
        ("3", phones[1], "sent"),
        ("4", phones[2], "failed"),
    ]
    assert rows[1]["Sent at"].endswith("Z")
    assert len((await table(world, f"/api/campaigns/{campaign}/recipients.csv", status="sent,failed"))[1]) == 2

    page = done(await world.admin.get(f"/api/campaigns/{campaign}/replies", params={"limit": "1"}))
    [reply] = page["items"]
    assert (reply["text"], reply["conversationId"], reply["phone"]) == (FORMULA, str(conversation), phones[0])
    assert page["nextCursor"] is None
    _, rows = await table(world, f"/api/campaigns/{campaign}/replies.csv")
    assert [(row["Reply"], row["Conversation"]) for row in rows] == [("'" + FORMULA, str(conversation))]


async def test_contacts_that_failed_are_a_list_too(world: World) -> None:
    [phone] = people(1)
    done(await world.admin.post("/api/contacts", {"name": "Maria", "phone": phone, "tags": ["vip-of-a-test"]}))
    number = await world.number(absent=[phone])
    campaign = await world.started(number, "Oi", contactFilter={"tags": ["vip-of-a-test"]})
    await world.over(campaign)
    columns, rows = await table(world, f"/api/campaigns/{campaign}/failures.csv")
    assert (columns[:2], rows[0]["Name"], rows[0]["Phone"]) == (["Name", "Phone"], "Maria", "'" + phone)


async def test_what_cannot_be_handed_out(world: World) -> None:
    nobody = "/api/campaigns/01990000-0000-7000-8000-000000000000"
    for name in ("failures.csv", "recipients.csv", "replies.csv", "replies"):
        assert (await world.admin.get(f"{nobody}/{name}")).json()["code"] == "campaign_not_found"
    number = await world.number()
    draft = await world.draft(number, people=people(1))
    for name in ("failures.csv", "recipients.csv", "replies.csv"):
        assert (await table(world, f"/api/campaigns/{draft['id']}/{name}"))[1] == []
    refused = await world.admin.get(f"/api/campaigns/{draft['id']}/failures.csv", params={"status": "lost"})
    assert refused.status_code == 422
