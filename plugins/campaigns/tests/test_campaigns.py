"""A campaign from its draft to its end, over HTTP: everybody once, and figures that add up at any moment."""

import asyncio
from typing import Any

from .world import World, csv_of, done, people

LATER = "2999-01-01T12:00:00Z"


async def test_everybody_gets_it_once_and_the_figures_add_up_meanwhile(world: World) -> None:
    number, phones = await world.number(), people(120)
    campaign = await world.started(number, people=phones)
    shown = await world.over(campaign)
    assert shown["state"] == "finished"
    assert sorted(await world.phones_reached(number)) == sorted(phones)
    assert (shown["stats"]["total"], shown["stats"]["sent"], shown["stats"]["pending"]) == (120, 120, 0)
    texts = {line["to"]["phone"]: line["text"] for line in await world.arrived(number)}
    assert texts == {phone: f"Olá Cliente {phone[-3:]}!" for phone in phones}
    recipients = await world.recipients(campaign)
    assert [one["phone"] for one in recipients] == phones
    assert {one["rowNumber"] for one in recipients} == set(range(2, 122))
    assert {one["status"] for one in recipients} == {"sent"}
    message = done(await world.admin.get(f"/api/messages/{recipients[0]['id']}"))
    assert message["text"] == recipients[0]["text"]
    assert await world.refused(campaign, "resume") == "campaign_finished"


async def test_a_draft_is_made_changed_listed_and_thrown_away(world: World) -> None:
    number = await world.number()
    draft = await world.draft(number, people=people(2), delaySeconds=2, jitter=0.2, dailyLimit=50, quietHours=24)
    assert (draft["state"], draft["delaySeconds"], draft["jitter"]) == ("draft", 2.0, 0.2)
    assert draft["stopRules"] == {"errorRate": 0.3, "over": 50, "consecutiveFailures": 20}
    path = f"/api/campaigns/{draft['id']}"
    window = {"days": [1, 2], "from": "09:00", "to": "18:00", "timezone": "Europe/Lisbon"}
    changed = done(await world.admin.patch(path, {"window": window, "dailyLimit": None, "name": "Natal"}))
    assert changed == {**draft, "window": window, "dailyLimit": None, "name": "Natal"}
    assert done(await world.admin.get(path)) == changed
    listed = done(await world.admin.get("/api/campaigns?state=draft&limit=1"))["items"]
    assert [one["id"] for one in listed] == [draft["id"]]
    assert await world.refused(draft["id"], "pause") == "campaign_draft"
    assert (await world.admin.delete(path)).status_code == 204
    assert (await world.admin.get(path)).status_code == 404


async def test_what_gives_way_to_its_alternative(world: World) -> None:
    draft = await world.draft(await world.number(), "Olá", contactFilter={"tags": ["vip"]})
    file_id = await world.upload(csv_of(people(1)))
    changed = done(await world.admin.patch(f"/api/campaigns/{draft['id']}", {"fileId": file_id}))
    assert (changed["fileId"], changed["contactFilter"]) == (file_id, None)


async def test_what_is_not_there_is_refused_by_name(world: World) -> None:
    number, nobody = await world.number(), "00000000-0000-7000-8000-000000000000"
    file_id = await world.upload(csv_of(people(1)))

    async def problems(**changes: Any) -> list[str]:
        body = {"name": "x", "serviceInstanceId": number, "text": "Olá", "fileId": file_id, **changes}
        answer = await world.admin.post("/api/campaigns", {name: value for name, value in body.items() if value})
        assert answer.status_code == 422, answer.text
        return [error["field"] for error in answer.json()["errors"]]

    assert await problems(serviceInstanceId=nobody) == ["serviceInstanceId"]
    assert await problems(fileId=nobody) == ["fileId"]
    assert await problems(mapping={"city": "Cidade"}) == ["mapping.city"]
    assert await problems(window={"days": [8]}) == ["window.days.0"]
    assert await problems(window={"timezone": "Mars/Olympus"}) == ["window.timezone"]
    assert len(await problems(window={"from": "18:00", "to": "09:00"})) == 1
    assert len(await problems(templateId=nobody)) == 1
    assert len(await problems(contactFilter={"tags": ["vip"]})) == 1
    assert len(await problems(text=None)) == 1


async def test_it_starts_only_when_every_place_is_filled(world: World) -> None:
    draft = await world.draft(await world.number(), "Olá {{Nome}}, {{city}}!", people=people(1))
    answer = await world.admin.post(f"/api/campaigns/{draft['id']}/start")
    assert (answer.status_code, answer.json()["code"]) == (422, "mapping_incomplete")
    assert [error["field"] for error in answer.json()["errors"]] == ["mapping.city"]
    assert (await world.show(draft["id"]))["state"] == "draft"


async def test_only_supervisors_run_campaigns(world: World) -> None:
    from elsehu.testing.client import log_in_as

    async with log_in_as(world.server, "OPERATOR") as operator:
        assert (await operator.get("/api/campaigns")).status_code == 403
    async with log_in_as(world.server, "SUPERVISOR") as supervisor:
        assert (await supervisor.get("/api/campaigns")).status_code == 200


async def test_who_is_not_sent_to_says_why(world: World) -> None:
    number, [known, new, opted_out] = await world.number(), people(3)
    done(await world.admin.post("/api/contacts", {"name": "Ana", "phone": known}))
    out = done(await world.admin.post("/api/contacts", {"name": "Rui", "phone": opted_out}))
    done(await world.admin.post(f"/api/contacts/{out['id']}/opt-out"))
    without_ninth_digit = known[:5] + known[6:]
    phones = [known, new, "tomorrow", without_ninth_digit, opted_out, ""]
    file_id = await world.upload(csv_of(phones, Pedido=["1", "", "3", "4", "5", "6"]))
    campaign = await world.started(number, "{{Pedido}}", fileId=file_id)
    stats = (await world.over(campaign))["stats"]
    assert stats["total"] == 6
    assert stats["sent"] == 1
    reasons = {"invalid_number": 2, "duplicate": 1, "opted_out": 1, "missing_variables": 1}
    assert stats["skipped"] == reasons
    skipped = await world.recipients(campaign, status="skipped")
    assert [(one["rowNumber"], one["reason"]) for one in skipped] == [
        (3, "missing_variables"),
        (4, "invalid_number"),
        (5, "duplicate"),
        (6, "opted_out"),
        (7, "invalid_number"),
    ]
    assert [one["rowNumber"] for one in await world.recipients(campaign, status="sent")] == [2]
    contact = done(await world.admin.get(f"/api/contacts/{await world.contact(known)}"))
    assert contact["name"] == "Ana", "a campaign's list renames nobody"


async def test_contacts_by_filter(world: World) -> None:
    number, phones = await world.number(), people(4)
    for phone, tags, name in zip(
        phones, (["vip"], ["vip"], ["vip", "x"], []), ("José", "Zé", "José", "José"), strict=True
    ):
        done(await world.admin.post("/api/contacts", {"name": name, "phone": phone, "tags": tags}))
    campaign = await world.started(number, "Oi {{name}}", contactFilter={"tags": ["vip"], "search": "jose"})
    await world.over(campaign)
    assert sorted(await world.phones_reached(number)) == sorted([phones[0], phones[2]])
    assert {line["text"] for line in await world.arrived(number)} == {"Oi José"}


async def test_a_message_of_a_campaign_waits_in_nobodys_queue_until_its_customer_answers(world: World) -> None:
    delays = {"deliveredSeconds": 0, "readSeconds": 0, "replySeconds": None}
    number, [one, other] = await world.number(delays=delays), people(2)
    campaign = await world.started(number, people=[one, other])
    await world.over(campaign)
    queue = f"/api/conversations?status=queued&serviceInstanceId={number}"
    assert done(await world.admin.get(queue))["items"] == []
    await world.when(campaign, lambda shown: shown["stats"]["read"] == 2)
    done(await world.admin.post(f"/api/sandbox/{number}/say", {"from": {"phone": one}, "text": "Quanto custa?"}))
    [conversation] = (await world.until(queue, lambda shown: len(shown["items"]) == 1))["items"]
    messages = done(await world.admin.get(f"/api/messages/conversation/{conversation['id']}"))["items"]
    assert [message["direction"] for message in messages] == ["INBOUND", "OUTBOUND"]
    shown = await world.when(campaign, lambda shown: shown["stats"]["replied"] == 1)
    assert shown["stats"]["read"] == 1
    [replied] = await world.recipients(campaign, status="replied")
    assert (replied["phone"], replied["conversationId"]) == (one, conversation["id"])


async def test_it_begins_at_its_time(world: World) -> None:
    number = await world.number()
    campaign = await world.started(number, people=people(2), startAt=LATER)
    shown = await world.show(campaign)
    assert (shown["state"], shown["stats"]["total"]) == ("scheduled", 0)
    await world.do(campaign, "pause")
    done(await world.admin.patch(f"/api/campaigns/{campaign}", {"startAt": "2020-01-01T00:00:00Z"}))
    assert (await world.do(campaign, "resume"))["state"] == "running"
    assert (await world.over(campaign))["stats"]["sent"] == 2


async def test_its_time_comes(world: World) -> None:
    campaign = await world.started(await world.number(), people=people(1), startAt=LATER)
    await world.kernel.db.execute("UPDATE campaigns SET start_at = now() WHERE id = $1", campaign)
    assert (await world.over(campaign))["stats"]["sent"] == 1


async def test_two_contacts_that_became_one_get_it_once(world: World) -> None:
    number, phones = await world.number(), people(3)
    campaign = await world.started(number, people=phones, window={"days": [_never()]})
    await world.when(campaign, lambda shown: shown["planned"])
    kept, gone = [await world.contact(phone) for phone in phones[:2]]
    done(await world.admin.post("/api/contacts/merge", {"contactIds": [str(kept), str(gone)]}))
    await world.do(campaign, "pause")
    done(await world.admin.patch(f"/api/campaigns/{campaign}", {"window": None}))
    await world.do(campaign, "resume")
    stats = (await world.over(campaign))["stats"]
    assert (stats["sent"], stats["skipped"]) == (2, {"duplicate": 1})


def _never() -> int:
    """Return a weekday that is neither today nor tomorrow nor yesterday, anywhere."""
    from datetime import UTC, datetime

    return (datetime.now(UTC).isoweekday() + 2) % 7 + 1


async def test_whoever_got_another_campaign_lately_is_left_alone(world: World) -> None:
    number, phones = await world.number(), people(3)
    await world.over(await world.started(number, people=phones[:2]))
    second = await world.over(await world.started(number, people=phones, quietHours=24))
    assert (second["stats"]["sent"], second["stats"]["skipped"]) == (1, {"recently_contacted": 2})


async def test_a_number_that_is_gone_fails_it(world: World) -> None:
    number = await world.number()
    campaign = await world.started(number, people=people(1), startAt=LATER)
    await world.kernel.db.execute("DELETE FROM service_instances WHERE id = $1", number)
    await world.kernel.db.execute("UPDATE campaigns SET start_at = now() WHERE id = $1", campaign)
    async with asyncio.timeout(30):
        while (await world.kernel.db.fetch_value("SELECT state FROM campaigns WHERE id = $1", campaign)) != "failed":
            await asyncio.sleep(0.05)
    shown = await world.show(campaign)
    assert shown["stateReason"] == "The number that it was to leave from is gone."
