"""Pausing, resuming, cancelling and changing a campaign while it runs; and what makes it wait or stop by itself."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from elsehu.testing.sockets import socket_to

from .world import World, done, people

REJECT = {"kind": "reject", "times": 100}


def never() -> list[int]:
    """Return a weekday that is neither yesterday, today nor tomorrow anywhere."""
    return [(datetime.now(UTC).isoweekday() + 2) % 7 + 1]


async def test_pause_stops_at_once_and_resume_goes_on_where_it_was(world: World) -> None:
    number, phones = await world.number(), people(30)
    campaign = await world.started(number, people=phones, delaySeconds=0.1)
    await world.when(campaign, lambda shown: shown["stats"]["sent"] >= 5)
    before = time.monotonic()
    paused = await world.do(campaign, "pause")
    assert time.monotonic() - before < 1
    assert paused["state"] == "paused"
    assert await world.refused(campaign, "pause") == "campaign_paused"
    shown = await world.when(campaign, lambda one: one["stats"]["queued"] == 0, seconds=1)
    arrived = await world.phones_reached(number)
    assert shown["stats"]["planned"] == 30 - len(arrived)
    await asyncio.sleep(0.5)
    assert await world.phones_reached(number) == arrived, "nothing leaves while it is paused"
    await world.do(campaign, "resume")
    assert (await world.over(campaign))["stats"]["sent"] == 30
    assert await world.phones_reached(number) == phones, "in the order of the list, each once"


async def test_cancel_leaves_the_rest_as_cancelled(world: World) -> None:
    number, phones = await world.number(), people(20)
    campaign = await world.started(number, people=phones, delaySeconds=0.1)
    await world.when(campaign, lambda shown: shown["stats"]["sent"] >= 3)
    await world.do(campaign, "cancel")
    shown = await world.when(campaign, lambda one: one["stats"]["pending"] == 0, seconds=1)
    assert (shown["state"], shown["finishedAt"] is not None) == ("cancelled", True)
    arrived = await world.phones_reached(number)
    assert shown["stats"]["cancelled"] == 20 - len(arrived)
    assert await world.refused(campaign, "resume") == "campaign_cancelled"
    await asyncio.sleep(0.3)
    assert await world.phones_reached(number) == arrived


async def test_the_calls_that_name_the_campaign_in_their_body(world: World) -> None:
    campaign = await world.started(await world.number(), people=people(2), window={"days": never()})
    body = {"campaignId": campaign}
    assert done(await world.admin.post("/api/campaigns/pause", body))["state"] == "paused"
    assert done(await world.admin.post("/api/campaigns/resume", body))["state"] == "running"
    await world.do(campaign, "cancel")


async def test_what_is_changed_while_paused_is_frozen_anew(world: World) -> None:
    number, phones = await world.number(), people(6)
    campaign = await world.started(number, "old", people=phones, delaySeconds=0.2)
    path = f"/api/campaigns/{campaign}"
    assert (await world.admin.patch(path, {"text": "new"})).status_code == 409
    await world.when(campaign, lambda shown: shown["stats"]["sent"] >= 1)
    await world.do(campaign, "pause")
    done(await world.admin.patch(path, {"text": "new {{Nome}}", "delaySeconds": 0}))
    refused = await world.admin.patch(path, {"contactFilter": {"tags": ["vip"]}})
    assert (refused.status_code, refused.json()["code"]) == (409, "campaign_begun")
    refused = await world.admin.patch(path, {"text": "{{city}}"})
    assert (refused.status_code, refused.json()["code"]) == (422, "mapping_incomplete")
    await world.do(campaign, "resume")
    await world.over(campaign)
    texts = [line["text"] for line in await world.arrived(number)]
    begun = texts.count("old")
    assert 1 <= begun < 6
    assert texts == ["old"] * begun + [f"new Cliente {phone[-3:]}" for phone in phones[begun:]]


async def test_it_keeps_its_pace(world: World) -> None:
    number, count, gap = await world.number(), 12, 0.25
    campaign = await world.started(number, people=people(count), delaySeconds=gap)
    await world.over(campaign)
    times = [datetime.fromisoformat(line["at"]) for line in await world.arrived(number)]
    mean = (times[-1] - times[0]).total_seconds() / (count - 1)
    assert 0.9 * gap <= mean <= 1.1 * gap
    assert all((after - before).total_seconds() > 0.5 * gap for before, after in pairwise(times))


async def test_an_opt_out_between_planning_and_sending_is_honoured(world: World) -> None:
    number, phones = await world.number(), people(4)
    campaign = await world.started(number, people=phones, delaySeconds=0.5)
    await world.when(campaign, lambda shown: shown["stats"]["queued"] >= 2)
    done(await world.admin.post(f"/api/contacts/{await world.contact(phones[3])}/opt-out"))
    shown = await world.over(campaign)
    assert (shown["stats"]["sent"], shown["stats"]["skipped"]) == (3, {"opted_out": 1})
    assert phones[3] not in await world.phones_reached(number)


async def test_it_waits_for_its_number_and_goes_on_by_itself(world: World) -> None:
    number, phones = await world.number(), people(6)
    campaign = await world.started(number, people=phones, delaySeconds=0.2)
    await world.when(campaign, lambda shown: shown["stats"]["sent"] >= 2)
    done(await world.admin.post(f"/api/service-instances/{number}/disconnect"))
    held = await world.when(campaign, lambda shown: shown["holdReason"])
    assert held["state"] == "running"
    assert "goes on by itself" in held["holdReason"]
    done(await world.admin.post(f"/api/service-instances/{number}/connect"))
    shown = await world.over(campaign)
    assert (shown["stats"]["sent"], shown["holdReason"]) == (6, None)
    assert await world.phones_reached(number) == phones


async def test_it_waits_for_its_window(world: World) -> None:
    number = await world.number()
    campaign = await world.started(number, people=people(2), window={"days": never(), "from": "09:00", "to": "18:00"})
    held = await world.when(campaign, lambda shown: shown["holdReason"])
    assert held["holdReason"].startswith("Outside of its sending window; it goes on at ")
    assert held["stats"]["planned"] == 2
    await world.do(campaign, "pause")
    done(await world.admin.patch(f"/api/campaigns/{campaign}", {"window": None}))
    await world.do(campaign, "resume")
    assert (await world.over(campaign))["stats"]["sent"] == 2


async def test_nothing_leaves_after_its_window_closed(world: World) -> None:
    """The lane itself knows: no runner has to be there in that moment."""
    number = await world.number()
    campaign = await world.started(number, people=people(60), delaySeconds=0.05)
    await world.when(campaign, lambda shown: shown["stats"]["sent"] >= 3)
    lane = await world.kernel.db.fetch_value("SELECT lane_id FROM campaigns WHERE id = $1", campaign)
    await world.kernel.db.execute("UPDATE message_lanes SET open_until = $2 WHERE id = $1", lane, datetime.now(UTC))
    until = datetime.now(UTC)
    await asyncio.sleep(1.3)
    times = [datetime.fromisoformat(line["at"]) for line in await world.arrived(number)]
    assert max(times) < until + timedelta(seconds=1)
    await world.do(campaign, "cancel")


async def test_a_day_has_its_limit_and_a_lower_one_counts_at_once(world: World) -> None:
    number, phones = await world.number(), people(9)
    campaign = await world.started(number, people=phones, dailyLimit=4)
    held = await world.when(campaign, lambda shown: shown["holdReason"] and shown["stats"]["sent"] == 4)
    assert held["holdReason"].startswith("Today's limit is reached")
    await world.do(campaign, "pause")
    done(await world.admin.patch(f"/api/campaigns/{campaign}", {"dailyLimit": 6, "warmUp": [7, 8]}))
    await world.do(campaign, "resume")
    await world.when(campaign, lambda shown: shown["holdReason"] and shown["stats"]["sent"] == 6)
    await world.kernel.db.execute("UPDATE campaigns SET day = day - 1 WHERE id = $1", campaign)
    shown = await world.over(campaign)
    assert shown["stats"]["sent"] == 9
    assert await world.phones_reached(number) == phones


async def test_it_stops_itself_and_says_why(world: World) -> None:
    number, phones = await world.number(), people(12)
    await world.faults(number, REJECT)
    rules = {"errorRate": None, "over": 50, "consecutiveFailures": 3}
    campaign = await world.started(number, people=phones, delaySeconds=0.1, stopRules=rules)
    shown = await world.when(campaign, lambda one: one["state"] == "paused")
    assert shown["stateReason"].startswith(
        "It stopped itself: 3 messages failed one after the other, the last because:"
    )
    assert 3 <= shown["stats"]["failed"] < 12
    await world.faults(number)
    await world.do(campaign, "resume")
    over = await world.over(campaign)
    assert (over["state"], over["stateReason"]) == ("finished", None)
    assert over["stats"]["sent"] + over["stats"]["failed"] == 12
    [failed, *_] = await world.recipients(campaign, status="failed")
    assert (failed["reason"], failed["providerCode"]) == ("recipient_unavailable", "400")
    assert failed["detail"]


async def test_what_comes_back_to_the_queue_after_a_pause_is_taken_back_too(world: World) -> None:
    number = await world.number()
    await world.faults(number, {"kind": "error", "times": 50})
    campaign = await world.started(number, people=people(10))
    await world.when(campaign, lambda one: one["stats"]["queued"] == 10)
    await world.do(campaign, "pause")
    shown = await world.when(campaign, lambda one: one["stats"]["queued"] == 0)
    assert shown["stats"]["planned"] == 10
    await world.faults(number)
    await world.do(campaign, "resume")
    assert (await world.over(campaign))["stats"]["sent"] == 10


async def test_two_campaigns_share_the_budget_of_their_number(world: World) -> None:
    number, first, second = await world.number(messagesPerSecond=10), people(15), people(15)
    campaigns = [await world.started(number, people=one) for one in (first, second)]
    for campaign in campaigns:
        await world.over(campaign)
    times = [datetime.fromisoformat(line["at"]) for line in await world.arrived(number)]
    assert len(times) == 30
    a_second = timedelta(seconds=0.95)
    most = max(sum(start <= one < start + a_second for one in times) for start in times)
    assert most <= 11
    reached = await world.phones_reached(number)
    assert set(reached[:20]) & set(first)
    assert set(reached[:20]) & set(second)


async def test_it_tells_how_it_comes_along(world: World) -> None:
    number = await world.number(delays={"deliveredSeconds": 0.2, "readSeconds": None, "replySeconds": None})
    began = time.monotonic()
    async with socket_to(world.server, world.admin.token) as socket:
        campaign = await world.started(number, people=people(25), delaySeconds=0.1)

        def told() -> list[dict[str, Any]]:
            return [one["data"] for one in socket.all("campaign:updated") if one["data"]["id"] == campaign]

        await socket.until(lambda: told() and (told()[-1]["stats"] or {}).get("delivered") == 25, seconds=30)
    states = [one["state"] for one in told()]
    assert "running" in states
    assert states[-1] == "finished"
    assert len(told()) <= 4 + time.monotonic() - began, "three changes of state, and one a second"
    for one in told():
        if one["stats"]:
            assert one["stats"]["total"] == one["stats"]["pending"] + sum(
                one["stats"][status] for status in ("sent", "delivered", "read", "replied", "failed", "unconfirmed")
            )
