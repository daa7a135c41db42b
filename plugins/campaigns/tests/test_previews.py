"""Before a campaign starts: what would come of it is told, and comes; a test reaches a phone and counts nowhere."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from elsehu_campaigns import dry_run

from elsehu.plugin import utc_now
from elsehu.testing.customers import customer_writes

from .world import World, csv_of, done, people


async def previewed(world: World, campaign_id: str, **body: Any) -> dict[str, Any]:
    shown: dict[str, Any] = done(await world.admin.post(f"/api/campaigns/{campaign_id}/preview", body))
    assert shown["total"] == shown["wouldSend"] + sum(shown["skipped"].values())
    return shown


def codes(shown: dict[str, Any]) -> list[str]:
    return [one["code"] for one in shown["warnings"]]


async def opt_out(world: World, phone: str) -> None:
    contact = done(await world.admin.post("/api/contacts", {"name": "Out", "phone": phone}))
    done(await world.admin.post(f"/api/contacts/{contact['id']}/opt-out"))


class TestDryRun:
    async def test_it_says_what_starting_does(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dry_run, "SLICE", 3)
        phones = people(6)
        without_nine = phones[0][:5] + phones[0][6:]
        listed = [*phones, without_nine, phones[1], "12", phones[5]]
        cities = ["Natal", "Belém", "", "Recife", "Manaus", "Olinda", "Natal", "Natal", "Natal", "Natal"]
        await opt_out(world, phones[3])
        uploaded = await world.upload(csv_of(listed, Cidade=cities))
        number = await world.number()
        draft = await world.draft(number, "Olá {{Nome}} de {{Cidade}}", fileId=uploaded)

        shown = await previewed(world, draft["id"], sample=3)
        skipped = {"duplicate": 3, "invalid_number": 1, "missing_variables": 1, "opted_out": 1}
        assert (shown["total"], shown["wouldSend"], shown["skipped"]) == (10, 4, skipped)
        name = f"Cliente {phones[0][-3:]}"
        first, _, third = shown["sample"]
        assert (first["text"], first["status"], first["name"]) == (f"Olá {name} de Natal", "planned", name)
        assert (third["status"], third["reason"], third["text"]) == ("skipped", "missing_variables", None)
        assert codes(shown) == ["missing_variables"]
        assert "row 4: Cidade is missing" in shown["warnings"][0]["message"]
        assert await world.kernel.db.fetch_value("SELECT count(*) FROM contacts WHERE phone = $1", phones[0][1:]) == 0

        await world.do(draft["id"], "start")
        stats = (await world.over(draft["id"]))["stats"]
        assert (stats["total"], stats["sent"], stats["skipped"]) == (10, 4, skipped)
        refused = await world.admin.post(f"/api/campaigns/{draft['id']}/preview")
        assert (refused.status_code, refused.json()["code"]) == (409, "campaign_begun")

    async def test_it_says_when_it_would_end(self, world: World) -> None:
        number = await world.number()
        phones = people(5)
        tomorrow = (utc_now() + timedelta(days=1)).replace(microsecond=0)
        draft = await world.draft(number, people=phones, delaySeconds=30, startAt=tomorrow.isoformat())
        shown = await previewed(world, draft["id"])
        assert shown["startsAt"].startswith(tomorrow.isoformat()[:19])
        assert shown["endsAt"].startswith((tomorrow + timedelta(seconds=120)).isoformat()[:19])
        slow = await world.draft(await world.number(messagesPerSecond=0.1), people=phones, delaySeconds=1)
        shown = await previewed(world, slow["id"], sample=0)
        assert (shown["sample"], shown["endsAt"] > shown["startsAt"]) == ([], True)
        window = {"days": [1], "from": "00:00", "to": "00:01"}
        endless = await world.draft(number, people=people(530), delaySeconds=3600, window=window)
        shown = await previewed(world, endless["id"])
        assert (shown["endsAt"], codes(shown)) == (None, ["takes_too_long"])
        quick = await previewed(world, (await world.draft(number, people=people(1)))["id"])
        assert quick["endsAt"] == quick["startsAt"]

    async def test_it_says_what_to_mend(self, world: World) -> None:
        number = await world.number()
        phones = people(2)
        incomplete = await world.draft(number, "Olá {{Apelido}}", people=phones)
        shown = await previewed(world, incomplete["id"])
        assert codes(shown)[0] == "mapping_incomplete"
        assert "mapping.Apelido" in shown["warnings"][0]["message"]
        template = {"name": "of_a_preview", "language": "pt_BR", "category": "MARKETING", "body": "Oi"}
        fault = {"kind": "template", "status": "PENDING"}
        await world.faults(number, fault)
        made = done(await world.admin.post("/api/templates", {"serviceInstanceId": number, **template}))
        pending = await world.draft(number, templateId=made["id"], people=phones)
        shown = await previewed(world, pending["id"])
        assert (codes(shown), shown["wouldSend"]) == (["template_not_approved"], 2)
        assert (await world.admin.delete(f"/api/service-instances/{number}")).is_success
        nobody = await world.draft(number, "Oi", contactFilter={"tags": ["a-tag-that-nobody-has"]})
        assert codes(await previewed(world, nobody["id"])) == ["number_not_connected", "nobody"]

    async def test_it_counts_who_was_written_to_of_late(self, world: World) -> None:
        phones = people(2)
        number = await world.number()
        await world.over(await world.started(number, people=phones[:1]))
        draft = await world.draft(number, people=phones, quietHours=24)
        assert (await previewed(world, draft["id"]))["skipped"] == {"recently_contacted": 1}


class TestTestSend:
    async def test_it_reaches_the_phone_and_counts_nowhere(self, world: World) -> None:
        phones, [mine] = people(2), people(1)
        number = await world.number()
        draft = await world.draft(number, people=phones)
        path = f"/api/campaigns/{draft['id']}/test"
        tried = done(await world.admin.post(path, {"phone": mine}))
        assert tried["text"] == f"Olá Cliente {phones[0][-3:]}!"
        second = done(await world.admin.post(path, {"phone": mine, "row": 3}))
        assert second["text"] == f"Olá Cliente {phones[1][-3:]}!"
        third = done(await world.admin.post(path, {"phone": mine, "variables": {"Nome": "eu"}}))
        assert (third["text"], third["conversationId"]) == ("Olá eu!", tried["conversationId"])
        await world.until(f"/api/messages/{third['messageId']}", lambda one: one["status"] == "sent")
        texts = [(line["to"]["phone"], line["text"]) for line in await world.arrived(number)]
        assert texts == [(mine, one["text"]) for one in (tried, second, third)]
        assert (await world.stats(draft["id"]))["total"] == 0
        conversation = done(await world.admin.get(f"/api/conversations/{tried['conversationId']}"))
        assert conversation["status"] == "dormant", "in nobody's queue until the phone answers"
        await customer_writes(world.server, UUID(number), mine[1:], "chegou")
        conversation = done(await world.admin.get(f"/api/conversations/{tried['conversationId']}"))
        assert conversation["status"] == "queued"

    async def test_it_overtakes_campaigns(self, world: World) -> None:
        number = await world.number()
        running = await world.started(number, people=people(3), delaySeconds=60)
        await world.when(running, lambda one: one["stats"]["sent"] == 1)
        tried = done(await world.admin.post(f"/api/campaigns/{running}/test", {"phone": people(1)[0]}))
        await world.until(f"/api/messages/{tried['messageId']}", lambda one: one["status"] == "sent")
        assert (await world.stats(running))["total"] == 3
        await world.do(running, "cancel")

    async def test_what_cannot_be_tried(self, world: World) -> None:
        number = await world.number()
        draft = await world.draft(number, people=people(1))
        path = f"/api/campaigns/{draft['id']}/test"
        [out] = people(1)
        await opt_out(world, out)
        for body, status, code in (
            ({"phone": "12"}, 422, "invalid_request"),
            ({"phone": out}, 409, "opted_out"),
            ({"phone": out, "row": 7}, 422, "invalid_request"),
        ):
            refused = await world.admin.post(path, body)
            assert (refused.status_code, refused.json()["code"]) == (status, code)
        empty = await world.draft(number, "Olá {{contact.name}}", contactFilter={"tags": ["nobody-has-this"]})
        refused = await world.admin.post(f"/api/campaigns/{empty['id']}/test", {"phone": people(1)[0]})
        assert (refused.status_code, refused.json()["code"]) == (422, "missing_variables")
